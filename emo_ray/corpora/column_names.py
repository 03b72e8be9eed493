"""What the name of a column tells: whose, what or when it is, or that it is a measurement."""

import re
from collections.abc import Sequence


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Names as compared: lower case, letters and digits only. Tiers, best first: a lower one is
# looked at only where those above it found nothing.
SUBJECT_NAMES = (
    "subject subjectid subjectno subjectnumber subjectname subj subjid sub subid "
    "participant participantid participantno participantnumber pid ppid ppt",
    "person personid patient patientid user userid volunteer sid individual",
    "id",
)
LABEL_NAMES = (
    "label labels labelid labelname class classid classname classlabel target y",
    "condition conditionid conditionname conditioncode emotion emotionid emotionname emotionlabel "
    "category categoryname state affect stress stresslabel stresslevel mood",
    "valence arousal rating selfvalence selfarousal",
)
TRIAL_NAMES = (
    "trial trialid trialno trialnumber trialindex",
    "clip clipid video videoid stimulus stimulusid film filmid",
)
SESSION_NAMES = ("session sessionid sessionno sessionnumber visit visitid",)
ORDER_NAMES = (
    "startsample starttime starts start startsec startseconds windowstart segmentstart",
    "timestamp time times timesec rectime utc datetime unixtime elapsed onset",
    "segment segmentid segmentindex window windowid windowindex sampleindex index",
)

# Phy-FusionNet's merged_data.csv keeps these as features by mistake; pandas adds the first and the last.
ALWAYS_CLOCKS = re.compile(
    r"^(unnamed:\s*\d+|rec_?time|utc|timestamp|time|index|level_\d+|__index_level_\d+__)$", re.IGNORECASE
)
# A name is a clock's, counter's or identifier's when all its words are: rise_time, rr_index and
# time_domain_sd stay features, for what else they say is a measurement.
CLOCK_WORDS = _word_set(
    "start starts end ends begin stop onset offset time times timestamp date datetime utc clock hour "
    "minute day month year elapsed duration index idx sample samples segment segments window windows "
    "win seg row rows frame chunk epoch order fold split id ids uuid uid pid subject participant trial "
    "session block run clip video film stimulus task file filename dataset"
)
CLOCK_SIDE_WORDS = _word_set(
    "s ms us ns sec secs second seconds min mins minutes unix local rec record recording n nr no num "
    "number count total global relative abs name code of in the from to size length position stamp key "
    "cv train test"
)
LABEL_WORDS = _word_set(
    "label labels class classes target condition emotion category valence arousal dominance liking "
    "familiarity rating ratings stress mood affect pleasure"
)
LABEL_SIDE_WORDS = _word_set(
    "self report reported external ext mean level score name code id binary text high low is true "
    "predicted pred v a d sam negative positive number no"
)


def plain_name(name: str) -> str:
    """A name as it stands in the tiers of known names."""
    return re.sub(r"[\W_]+", "", name.lower())


def is_clock_name(name: str) -> bool:
    """Whether a name says only when, or which one in a row: Start_Sample, windowId, trial_no, starttime."""
    if ALWAYS_CLOCKS.match(name.strip()):
        return True
    tokens = name_words(name)
    # windowId and id_code, whatever the other words are; "valid" and "midpoint" are one word each
    if tokens and "id" in (tokens[0], tokens[-1]):
        return True
    return _says_only(tokens, CLOCK_WORDS, CLOCK_SIDE_WORDS)


def is_label_name(name: str) -> bool:
    """Whether a name says only what was felt or asked for: self_valence, stress_level, Emotion."""
    return _says_only(name_words(name), LABEL_WORDS, LABEL_SIDE_WORDS)


def name_words(name: str) -> list[str]:
    """Words of a name in lower case, from snake_case and camelCase, without digits."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def _says_only(tokens: Sequence[str], core: frozenset[str], side: frozenset[str]) -> bool:
    """All tokens are made of known words (``starttime`` of two), and one of them of a core word."""
    # single letters count only as a whole token, else half of all names could be spelled with them
    spelled = "|".join(sorted((word for word in core | side if len(word) > 1), key=len, reverse=True))
    joined = [token for token in tokens if token not in side and re.fullmatch(f"(?:{spelled})+", token)]
    return bool(joined) and all(token in side or token in joined for token in tokens)
