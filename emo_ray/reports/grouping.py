"""Notes and rejected trials of the same kind, put together: one line a kind, with whom it concerns."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from emo_ray.reports.content import Table
from emo_ray.results.summary import Rejected, Summary

# A number by itself: neither part of a name (P01) nor of a date (2020-01-31).
NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w-])")
MAX_DETAILS = 20
"""So many trials or numbers of a subject are shown, more are counted."""


@dataclass(frozen=True)
class Remark:
    """One note or reason: whom it is about, which trial, and what it says."""

    subject: str
    trial: str
    text: str

    @property
    def masked(self) -> str:
        """The text with ``*`` for the subject's own id, as it stands in names of files."""
        own = self.subject.rpartition("/")[2]
        # "S03" is surely the subject, where "a" or "2" could be a word or a count
        if not re.search(r"[A-Za-z]\D*\d", own):
            return self.text
        return re.sub(rf"(?<![A-Za-z0-9]){re.escape(own)}(?![A-Za-z0-9])", "*", self.text)


@dataclass(frozen=True)
class Kind:
    """Remarks of one kind: their common text, and what is particular to each subject."""

    text: str
    n_remarks: int
    details: Mapping[str, tuple[str, ...]]


def notes_table(summary: Summary) -> Table:
    """Every note once: what it says, and the subjects it is about, with their numbers where those differ."""
    return grouped_notes(summary.notes, _subjects(summary))


def grouped_notes(notes: Sequence[str], subjects: Sequence[str]) -> Table:
    """`notes_table` of notes that begin with their subject's name; longer names of subjects stand first."""
    kinds = _kinds([_split(note, subjects) for note in notes])
    return Table(("note", "subjects"), tuple((kind.text, _listed(kind, subjects)) for kind in kinds))


def rejected_table(summary: Summary) -> Table:
    """Trials that were left out, by reason, the most frequent first: how many, and which of whom."""
    return grouped_rejections(summary.rejected, _subjects(summary))


def grouped_rejections(rejected: Sequence[Rejected], subjects: Sequence[str]) -> Table:
    """`rejected_table` of some trials; longer names of subjects stand first."""
    remarks = [
        # `_listed` sets brackets around them.
        Remark(trial.subject, trial.trial.strip("()"), _unrepeated(trial.reason, trial.subject))
        for trial in rejected
    ]
    kinds = sorted(_kinds(remarks), key=lambda kind: -kind.n_remarks)
    rows = tuple((kind.text, str(kind.n_remarks), _listed(kind, subjects)) for kind in kinds)
    return Table(("reason", "trials", "subjects (trials)"), rows)


def _subjects(summary: Summary) -> tuple[str, ...]:
    """All that are named, longest first: "s/S1" opens no note of "s/S10"."""
    found = {row.subject for section in summary.sections for row in section.subjects}
    found |= {trial.subject for trial in summary.rejected}
    # a subject without any label has no row, and may have notes all the same
    prefixes = (note.partition(": ")[0] for note in summary.notes)
    found |= {prefix for prefix in prefixes if re.fullmatch(r"[^\s/]+/\S+", prefix)}
    return longest_first(found)


def longest_first(subjects: Iterable[str]) -> tuple[str, ...]:
    """In an order in which the first name that a note begins with is its subject."""
    return tuple(sorted(subjects, key=lambda name: (-len(name), name)))


def _split(note: str, subjects: Sequence[str]) -> Remark:
    for subject in subjects:
        if note.startswith(f"{subject}: "):
            return Remark(subject, "", _unrepeated(note.removeprefix(f"{subject}: "), subject))
    return Remark("", "", note)


def _unrepeated(text: str, subject: str) -> str:
    return re.sub(rf"^{re.escape(subject)}[:,] +", "", text)


def _kinds(remarks: Sequence[Remark]) -> Iterator[Kind]:
    """Remarks whose texts are equal but for numbers and the subject's own id; in order of appearance."""
    alike: dict[str, list[Remark]] = {}
    for remark in remarks:
        alike.setdefault(NUMBER.sub("#", remark.masked), []).append(remark)
    for found in alike.values():
        is_of_one = len({remark.subject for remark in found}) == 1
        texts = [remark.text if is_of_one else remark.masked for remark in found]
        numbers = [NUMBER.findall(text) for text in texts]
        # Numbers that all remarks of the kind share stay in its text; the others go to the subjects.
        differing = [place for place, values in enumerate(zip(*numbers, strict=True)) if len(set(values)) > 1]
        details: dict[str, dict[str, None]] = {}
        for remark, values in zip(found, numbers, strict=True):
            own = ", ".join(values[place] for place in differing)
            told = ": ".join(filter(None, (remark.trial, own)))
            details.setdefault(remark.subject, {})[told] = None
        yield Kind(
            _with_gaps(texts[0], differing),
            len(found),
            {name: tuple(filter(None, d)) for name, d in details.items()},
        )


def _with_gaps(text: str, places: Sequence[int]) -> str:
    # One part more than numbers: the last one is followed by none.
    parts = NUMBER.split(text)
    shown = ["..." if place in places else value for place, value in enumerate(NUMBER.findall(text))]
    return "".join(part + number for part, number in zip(parts, [*shown, ""], strict=True))


def _listed(kind: Kind, subjects: Sequence[str]) -> str:
    """``P01, P02; P07 (4, 9)``: those of equal details together."""
    alike: dict[str, list[str]] = {}
    for subject, details in kind.details.items():
        alike.setdefault(_bracket(details), []).append(_short(subject, subjects))
    told = []
    for bracket, names in alike.items():
        each = "each " if len(names) > 1 else ""
        told.append(f"{', '.join(names)} ({each}{bracket})" if bracket else ", ".join(names))
    return "; ".join(told)


def _bracket(details: Sequence[str]) -> str:
    between = "; " if any(", " in detail for detail in details) else ", "
    more = [f"and {len(details) - MAX_DETAILS} more"] if len(details) > MAX_DETAILS else []
    return between.join([*details[:MAX_DETAILS], *more])


def _short(subject: str, subjects: Sequence[str]) -> str:
    """Without the corpus, where all have the same one and the rest is still a name."""
    own = subject.rpartition("/")[2]
    is_one_corpus = len({name.rpartition("/")[0] for name in subjects}) == 1
    return own if is_one_corpus and not own.isdigit() else subject
