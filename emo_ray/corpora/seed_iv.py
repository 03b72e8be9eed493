"""SEED-IV: 15 people, 3 sessions of 24 film clips each, four emotions; 62 EEG channels at 200 Hz."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, SubjectRecordings
from emo_ray.corpora.seed_bands import WINDOW_S, smoothing_notes
from emo_ray.corpora.seed_mat import (
    RAW_HZ,
    SEED_FILE,
    SURPLUS,
    ClipArrays,
    check_letters,
    declared_signals,
    feature_of,
    holds,
    kind_by_folder,
    shared_letters,
)
from emo_ray.errors import CorpusError
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask

N_SUBJECTS = 15
N_CLIPS = 24  # a session
MAX_WINDOWS = 64  # of 4 s in the longest clip, derived from what is known of the release
EMOTIONS = ("neutral", "sad", "fear", "happy")  # codes 0 to 3

# Code of every clip; each session has clips of its own.
LABELS: Mapping[str, tuple[int, ...]] = {
    "1": (1, 2, 3, 0, 2, 0, 0, 1, 0, 1, 2, 1, 1, 1, 2, 3, 2, 2, 3, 3, 0, 3, 0, 3),
    "2": (2, 1, 3, 0, 0, 2, 0, 2, 3, 3, 2, 3, 2, 0, 1, 1, 2, 1, 0, 3, 0, 1, 3, 1),
    "3": (1, 2, 2, 1, 3, 3, 3, 1, 1, 2, 1, 0, 2, 3, 3, 0, 2, 3, 0, 0, 2, 0, 1, 0),
}

CARD = CorpusCard(
    title="SEED-IV: SJTU Emotion EEG Dataset for four emotions",
    licence="signed agreement with the BCMI laboratory; academic use; no redistribution, nor of links",
    citation=(
        "Zheng, Liu, Lu, Lu & Cichocki (2019), EmotionMeter: A Multimodal Framework for Recognizing Human "
        "Emotions, IEEE Trans. Cybernetics 49(3), 1110-1122"
    ),
    doi="10.1109/TCYB.2018.2797176",
    access="request at bcmi.sjtu.edu.cn/~seed, signed agreement",
)


class SeedIV(CorpusConfig):
    """``eeg_raw_data`` or ``eeg_feature_smooth``, each with folders ``1``, ``2``, ``3``, at any depth.

    The session is the name of the folder, never the rank of the date. Labels are those of the session; what
    the release calls raw is sampled at 200 Hz. Eye movements are not read: nobody tells their variables.
    EEG of all sessions takes 0.5 GB a subject: `sessions` says which are read.
    """

    kind: Literal["seed_iv"] = "seed_iv"
    path: Path = Field(description="folder of the release, or of one of its parts")
    content: Literal["raw", "de_LDS", "de_movingAve", "psd_LDS", "psd_movingAve"] = Field(
        "raw", description="raw: EEG; else features of 4 s windows as shipped, by name"
    )
    sessions: tuple[Literal["1", "2", "3"], ...] = Field(("1", "2", "3"), min_length=1)

    @property
    def card(self) -> CorpusCard:
        """Of the release, whichever part of it is read."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """Fifteen people of 72 trials."""
        return Declaration(
            n_subjects=N_SUBJECTS,
            sessions=self.sessions,
            n_trials=N_CLIPS * len(self.sessions),
            signals=declared_signals(self.content, WINDOW_S),
            ratings={"label": DeclaredRating(0.0, 3.0, ", ".join(EMOTIONS))},
            unverified=(
                "EEG of a clip has one sample more than whole seconds",
                "files of one subject have a date each",
                f"a clip has {MAX_WINDOWS} feature windows at most",
                "features were smoothed within a clip, never across",
            ),
        )

    @classmethod
    def recognise(cls, folder: Path) -> "SeedIV | None":
        """EEG if there is any, else features, in folders named 1, 2 and 3."""
        found = [file for file in folder.rglob("*.[mM][aA][tT]") if _may_be_ours(file)]
        kinds = {kind_by_folder(file, folder) for file in found}
        if not kinds - {"eye"}:
            return None
        return cls(path=folder, content="raw" if kinds & {"raw", "unknown"} else "de_LDS")

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to its files in the order of the sessions that are to be read.

        Raises
        ------
        CorpusError : nothing is found, or a subject has two files of one session
        """
        files = [file for file in matching_files(self.path, SEED_FILE) if _may_be_ours(file)]
        wanted = [file for file in files if holds(file, self.path, self.content, WINDOW_S)]
        keyed = (((_number(file), file.parent.name), file) for file in wanted)
        found = one_each(keyed, "subject and session")
        subjects: dict[str, tuple[Path, ...]] = {}
        for (number, session), file in sorted(found.items()):
            if session in self.sessions:
                subjects[f"seed_iv/{number}"] = (*subjects.get(f"seed_iv/{number}", ()), file)
        if not subjects:
            raise CorpusError(
                f"{self.path} holds no {self.content} of sessions {', '.join(self.sessions)}, such as "
                f"eeg_raw_data/1/1_20160518.mat for raw ({len(files)} files of other content or session): "
                "correct path, content or sessions"
            )
        return {subject: subjects[subject] for subject in sorted(subjects, key=natural_key)}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the clips of one subject, for instance ``"seed_iv/1"``.

        Raises
        ------
        CorpusError : the subject is unknown, or a file of it is broken or not laid out as released
        """
        files = files_of(subject, self.find_subjects(), self.path)
        reader = SubjectReader(self, files, Account(subject, subject))
        return reader.account.closed(list(reader.recordings()))

    def notes(self) -> tuple[str, ...]:
        """Subjects who may be one person, by the letters in their EEG; features that know the future."""
        alike = shared_letters(self.find_subjects()) if self.content == "raw" else ()
        return (*alike, *smoothing_notes(self.content))

    def tasks(self) -> Mapping[str, TaskConfig]:
        """The four emotions."""
        classes = tuple((name, (float(code),)) for code, name in enumerate(EMOTIONS))
        return {"emotion": ClassTask(classes=classes)}


def _may_be_ours(file: Path) -> bool:
    match = SEED_FILE.fullmatch(file.name)
    return match is not None and match[1].isdecimal() and file.parent.name in LABELS


def _number(file: Path) -> int:
    return int(file.name.partition("_")[0])


@dataclass
class SubjectReader:
    """Reads one subject's files, keeping account of what is rejected and what is odd."""

    corpus: SeedIV
    files: tuple[Path, ...]
    account: Account

    def recordings(self) -> Iterator[Recording]:
        """All wanted clips, session by session."""
        names = [file.name for file in self.files]
        if len(names) != len(self.corpus.sessions):
            self.account.remark(f"{len(names)} of {len(self.corpus.sessions)} sessions have a file")
        if self.corpus.content == "raw":
            check_letters(self.files, self.account)
        for file in self.files:
            if names.count(file.name) > 1:  # another sitting has another date
                self.account.remark(f"file of one date in several sessions ({file.name})")
            yield from self.session(file.parent.name, file)

    def session(self, session: str, file: Path) -> Iterator[Recording]:
        """All clips of one file."""
        arrays = ClipArrays.opened(file, self.corpus.content, WINDOW_S, self.account)
        arrays.note_surplus(session, N_CLIPS)
        for clip, label in enumerate(LABELS[session], start=1):
            trial = f"{session}-{clip}"
            signal = arrays.signal(clip, trial)
            if signal is None:
                continue
            n_times = signal.values.shape[1]
            if self.corpus.content == "raw" and n_times % round(RAW_HZ) != SURPLUS:
                self.account.note(trial, "not whole seconds and one sample", f"{n_times} samples")
            if self.corpus.content != "raw" and n_times > MAX_WINDOWS:
                self.account.note(trial, f"more than {MAX_WINDOWS} windows", n_times)
            yield Recording(
                subject=self.account.subject,
                session=session,
                trial=trial,
                clip=f"seed_iv/session{session}-clip{clip}",
                group=self.account.subject,
                signals={feature_of(self.corpus.content): signal},
                ratings={"label": float(label)},
            )
