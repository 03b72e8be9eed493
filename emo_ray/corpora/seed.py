"""SEED: 15 people, 3 sessions of the same 15 film clips, three emotions; 62 EEG channels at 200 Hz."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import check_inside, files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating
from emo_ray.corpora.mat_file import read_mat
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.corpora.seed_bands import smoothing_notes
from emo_ray.corpora.seed_mat import (
    RAW_HZ,
    SEED_FILE,
    SURPLUS,
    ClipArrays,
    Content,
    check_letters,
    declared_signals,
    feature_of,
    holds,
    kind_by_folder,
    prefix_of,
    shared_letters,
)
from emo_ray.errors import CorpusError
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask

N_CLIPS = 15
SESSIONS = ("1", "2", "3")
LABELS = (1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1)  # of the clips, in all sessions
# Samples of each clip as usually found, one more than whole seconds.
CLIP_TIMES = (
    47001, 46601, 41201, 47601, 37001, 39001, 47401, 43201, 53001, 47401, 47001, 46601, 47001, 47601, 41201,
)  # fmt: skip
# Letters before the names of the variables, by subject; older releases name the files by person.
PREFIXES = (
    "djc", "jl", "jj", "lqj", "ly", "mhw", "phl", "sxy", "wk", "ww", "wsf", "wyw", "xyl", "ys", "zjy",
)  # fmt: skip
DATES = (
    ("20131027", "20131030", "20131107"), ("20140404", "20140413", "20140419"),
    ("20140603", "20140611", "20140629"), ("20140621", "20140702", "20140705"),
    ("20140411", "20140418", "20140506"), ("20130712", "20131016", "20131113"),
    ("20131027", "20131030", "20131106"), ("20140511", "20140514", "20140521"),
    ("20140620", "20140627", "20140704"), ("20131130", "20131204", "20131211"),
    ("20140618", "20140625", "20140630"), ("20131127", "20131201", "20131207"),
    ("20140527", "20140603", "20140610"), ("20140601", "20140615", "20140627"),
    ("20130709", "20131016", "20131105"),
)  # fmt: skip
LABEL_FILE = "label.mat"
ENTROPY = (10.0, 28.0)  # between which shipped entropies are said to lie; one source

CARD = CorpusCard(
    title="SEED: SJTU Emotion EEG Dataset",
    licence="signed agreement with the BCMI laboratory; academic use; no redistribution, nor of links",
    citation=(
        "Zheng & Lu (2015), Investigating Critical Frequency Bands and Channels for EEG-based Emotion "
        "Recognition with Deep Neural Networks, IEEE Trans. Autonomous Mental Development 7(3), 162-175; "
        "Duan, Zhu & Lu (2013), Differential entropy feature for EEG-based emotion classification, NER, 81-84"
    ),
    doi="10.1109/TAMD.2015.2431497",
    access="request at bcmi.sjtu.edu.cn/~seed, signed agreement",
)


class SessionFile(NamedTuple):
    """One sitting: its date, which gives its rank, and its file."""

    date: str
    file: Path


class Seed(CorpusConfig):
    """``Preprocessed_EEG`` or ``ExtractedFeatures`` (``_1s``, ``_4s``), in the old or the new packaging.

    Files are told apart by their folders, or by their variables where those do not tell. The session is the
    rank of the file's date. Labels come from the ``label.mat`` beside the files, else from the published row.
    EEG of all sessions takes 0.5 GB a subject: `sessions` says which are read.

    The arrays are sampled at 200 Hz; a published loader that takes them for 1000 Hz shifts every band.
    """

    kind: Literal["seed"] = "seed"
    path: Path = Field(description="folder of the release, or of one of its parts")
    content: Content = Field("raw", description="raw: preprocessed EEG; else features as shipped, by name")
    window_s: Literal[1, 4] = Field(
        1, description="seconds of a feature window; 4 is in ExtractedFeatures_4s"
    )
    sessions: tuple[Literal["1", "2", "3"], ...] = Field(("1", "2", "3"), min_length=1)

    @property
    def card(self) -> CorpusCard:
        """Of the release, whichever part of it is read."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """Fifteen people of 45 trials."""
        return Declaration(
            n_subjects=len(DATES),
            sessions=self.sessions,
            n_trials=N_CLIPS * len(self.sessions),
            signals=declared_signals(self.content, float(self.window_s)),
            ratings={"label": DeclaredRating(-1.0, 1.0, "negative, neutral, positive")},
            unverified=(
                "all recordings of a clip are equally long",
                "a clip has one feature window for every whole window of its seconds",
                "features were smoothed within a clip, never across",
                f"entropies lie between {ENTROPY[0]:g} and {ENTROPY[1]:g} (one source)",
                "files have the dates of the release, and letters that stand for its people",
            ),
        )

    @classmethod
    def recognise(cls, folder: Path) -> "Seed | None":
        """EEG if there is any, else features; SEED-IV has its files in folders named 1, 2 and 3."""
        found = [file for file in folder.rglob("*.[mM][aA][tT]") if _may_be_ours(file, folder)]
        kinds = {kind_by_folder(file, folder) for file in found}
        if not kinds - {"eye"}:
            return None
        if "raw" in kinds or kinds == {"unknown"}:
            return cls(path=folder)
        return cls(path=folder, content="de_LDS", window_s=1 if "features" in kinds else 4)

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to its files in the order of their dates, then the tables of labels beside them.

        Raises
        ------
        CorpusError : nothing is found, a subject has two files of one date, or nobody can say whose one is
        """
        files = [file for file in matching_files(self.path, SEED_FILE) if file.parent.name not in SESSIONS]
        wanted = [file for file in files if holds(file, self.path, self.content, float(self.window_s))]
        found = one_each(((identity(file, files), file) for file in wanted), "subject and date")
        if not found:
            what = "EEG" if self.content == "raw" else f"{self.content} of {self.window_s} s windows"
            raise CorpusError(
                f"{self.path} holds no {what}, such as Preprocessed_EEG/1_20131027.mat for EEG "
                f"({len(files)} files of other content): correct path, content or window_s"
            )
        subjects: dict[str, list[Path]] = {}
        for (number, _), file in sorted(found.items()):  # by subject, then by date
            subjects.setdefault(f"seed/{number}", []).append(file)
        return {
            subject: (*subjects[subject], *_label_files(subjects[subject], self.path))
            for subject in sorted(subjects, key=natural_key)
        }

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the clips of one subject, for instance ``"seed/1"``.

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
        """Three emotions; or negative against positive, neutral clips left out."""
        negative, neutral, positive = ("negative", (-1.0,)), ("neutral", (0.0,)), ("positive", (1.0,))
        return {
            "emotion": ClassTask(classes=(negative, neutral, positive)),
            "valence": ClassTask(classes=(negative, positive)),
        }


def _may_be_ours(file: Path, folder: Path) -> bool:
    match = SEED_FILE.fullmatch(file.name)
    if match is None or file.parent.name in SESSIONS:
        return False
    # a name and a date could be anybody's, but for the folder
    return match[1].isdecimal() or kind_by_folder(file, folder) != "unknown"


def identity(file: Path, others: list[Path]) -> tuple[int, str]:
    """Number of the subject and date of a file.

    Parameters
    ----------
    others : all files found; a feature file that is named by person is as the EEG of that name

    Raises
    ------
    CorpusError : the file is named by person, and neither its variables nor its date say by whose number
    """
    match = SEED_FILE.fullmatch(file.name)
    assert match is not None, file  # only such files are looked for
    name, date = match[1].lower(), match[2]
    if name.isdecimal():
        return int(name), date
    twins = (other for other in others if other != file and other.name.lower() == file.name.lower())
    # the name comes last: it could be anybody's
    for prefix in (prefix_of(file), *map(prefix_of, twins), name):
        if prefix in PREFIXES:
            return PREFIXES.index(prefix) + 1, date
    of_date = [number for number, dates in enumerate(DATES, start=1) if date in dates]
    if len(of_date) != 1:
        raise CorpusError(
            f"{file} is named by person; neither its variables nor its date say who that is: name it as in "
            f"the later release, for instance 1_{date}.mat"
        )
    return of_date[0], date


def _label_files(files: list[Path], folder: Path) -> tuple[Path, ...]:
    places = dict.fromkeys(file.parent for file in files)
    found = [file for place in places for file in sorted(place.iterdir()) if _is_label_file(file)]
    for file in found:
        check_inside(file, folder)
    return tuple(found)


def _is_label_file(file: Path) -> bool:
    return file.name.lower() == LABEL_FILE


def read_labels(file: Path) -> tuple[int, ...]:
    """The label of every clip, -1, 0 or 1.

    Raises
    ------
    CorpusError : the file holds something else
    """
    values = read_mat(file, ["label"]).get("label", np.zeros(0))
    if values.dtype.kind not in "fiu" or values.size != N_CLIPS or not np.isin(values, (-1, 0, 1)).all():
        raise CorpusError(
            f"{file}: label is {values.dtype} of shape {values.shape}, not {N_CLIPS} values of -1, 0 or 1: "
            "restore it, or remove it and the published labels are used"
        )
    return tuple(int(value) for value in values.ravel())


@dataclass
class SubjectReader:
    """Reads one subject's files, keeping account of what is rejected and what is odd."""

    corpus: Seed
    files: tuple[Path, ...]
    account: Account

    def recordings(self) -> Iterator[Recording]:
        """All wanted clips, session by session."""
        sessions = [file for file in self.files if not _is_label_file(file)]
        if len(sessions) != len(SESSIONS):
            self.account.remark(f"{len(sessions)} of {len(SESSIONS)} sessions, numbered by date")
        if self.corpus.content == "raw":
            check_letters(sessions, self.account)
        for rank, file in enumerate(sessions, start=1):
            if rank > len(SESSIONS):
                self.account.reject(str(rank), f"{file.name} is session {rank} of {len(SESSIONS)}")
            elif str(rank) in self.corpus.sessions:
                yield from self.session(str(rank), file)

    def session(self, session: str, file: Path) -> Iterator[Recording]:
        """All clips of one file."""
        arrays = ClipArrays.opened(file, self.corpus.content, float(self.corpus.window_s), self.account)
        labels = self.labels(file)
        self.check_person(session, file)
        arrays.note_surplus(session, N_CLIPS)
        for clip in range(1, N_CLIPS + 1):
            trial = f"{session}-{clip}"
            signal = arrays.signal(clip, trial)
            if signal is None:
                continue
            self.check_length(clip, trial, signal)
            self.check_entropy(trial, signal)
            yield Recording(
                subject=self.account.subject,
                session=session,
                trial=trial,
                clip=f"seed/clip{clip}",
                group=self.account.subject,
                signals={feature_of(self.corpus.content): signal},
                ratings={"label": float(labels[clip - 1])},
            )

    def labels(self, file: Path) -> tuple[int, ...]:
        """From the table beside the file, else as published."""
        tables = [table for table in self.files if table.parent == file.parent and _is_label_file(table)]
        if not tables:
            self.account.remark(f"no {LABEL_FILE} beside the files, labels as published")
            return LABELS
        labels = read_labels(tables[0])
        if labels != LABELS:
            self.account.remark(f"{LABEL_FILE} has other labels than published, taken as there")
        return labels

    def check_person(self, session: str, file: Path) -> None:
        """Report letters and dates that stand for somebody else: two people may be mixed up."""
        prefix = prefix_of(file) if self.corpus.content == "raw" else ""
        number = int(self.account.subject.removeprefix("seed/"))
        if prefix in PREFIXES and PREFIXES.index(prefix) + 1 != number:
            whose = PREFIXES.index(prefix) + 1
            self.account.remark(f"session {session}: variables named as those of subject {whose} ({prefix})")
        date = file.stem.rpartition("_")[2]
        if number <= len(DATES) and date not in DATES[number - 1]:
            self.account.remark(f"session {session}: dated {date}, which is no date of the subject's")

    def check_length(self, clip: int, trial: str, signal: Signal) -> None:
        """Report lengths that differ from those usually found."""
        n_times, usual = signal.values.shape[1], CLIP_TIMES[clip - 1]
        if self.corpus.content != "raw":
            usual = (usual - SURPLUS) // round(RAW_HZ * self.corpus.window_s)
        if n_times != usual:
            unit = "samples" if self.corpus.content == "raw" else "windows"
            self.account.note(trial, "another length than usual", f"{n_times} {unit}, not {usual}")

    def check_entropy(self, trial: str, signal: Signal) -> None:
        """Report entropies that do not lie where they are said to."""
        known = signal.values[np.isfinite(signal.values)]
        if feature_of(self.corpus.content) != "de" or not known.size:
            return
        middle = float(np.median(known))
        if not ENTROPY[0] <= middle <= ENTROPY[1]:
            fact = f"entropies are not between {ENTROPY[0]:g} and {ENTROPY[1]:g}, as one source has them"
            self.account.note(trial, fact, f"median {middle:.1f}")
