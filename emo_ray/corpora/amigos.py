"""AMIGOS: 40 people, 16 short and 4 long videos; EEG, ECG, skin conductance at 128 Hz."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64
from pydantic import Field, StringConstraints

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.mat_file import read_mat
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.errors import CorpusError
from emo_ray.signals.segments import external_segments
from emo_ray.tasks.affect import AROUSAL, VALENCE, AffectTask
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.rating import RatingTask

SFREQ = 128.0  # Hz, of all columns of the preprocessed release
BASELINE_S = 5.0  # seconds before each video that its cell holds too
N_COLUMNS = 17  # 14 EEG, 2 ECG, 1 skin conductance
EEG_CHANNELS = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
ECG_COLUMNS = {"right": (14,), "left": (15,), "both": (14, 15)}
GSR_COLUMN = 16
COLUMN_NAMES = (*EEG_CHANNELS, "ECG right", "ECG left", "GSR")

# Annotated segments of each video, in the order of the cells of every file.
SHORT_VIDEOS = {
    "4": 6, "5": 7, "9": 5, "10": 6, "13": 4, "18": 5, "19": 8, "20": 5,
    "23": 7, "30": 5, "31": 9, "34": 5, "36": 5, "58": 4, "80": 6, "138": 7,
}  # fmt: skip
LONG_VIDEOS = {"N1": 72, "P1": 58, "B1": 72, "U1": 44}
VIDEOS = {**SHORT_VIDEOS, **LONG_VIDEOS}

# Who watched the long videos in one room; the other 17 were alone.
GROUPS = ((7, 1, 2, 16), (6, 32, 4, 3), (29, 5, 27, 21), (18, 14, 17, 22), (15, 11, 12, 10))

# In the order of the file; note that arousal comes before valence, unlike in the external annotation.
SCALES = ("self_arousal", "self_valence", "self_dominance", "self_liking", "self_familiarity")
EMOTIONS = (  # 0 or 1
    "self_neutral",
    "self_disgust",
    "self_happiness",
    "self_surprise",
    "self_anger",
    "self_fear",
    "self_sadness",
)
SELF_RATINGS = SCALES + EMOTIONS
SCALE_MIN, SCALE_MAX = 1.0, 9.0
SLIGHTLY_ABOVE = 9.5  # the release may hold a value a little above 9; beyond half a point it is no slip

EXTERNAL_MAX = 1.0  # of external labels, and of their opposite

CELL_KEYS = ("VideoIDs", "joined_data", "labels_selfassessment", "labels_ext_annotation")
FILE_NAME = re.compile(r"Data_Preprocessed_P(\d{2})\.mat", re.IGNORECASE)

CARD = CorpusCard(
    title="AMIGOS: A Dataset for Affect, Personality and Mood Research on Individuals and Groups",
    licence="signed EULA with QMUL; redistribution forbidden",
    citation=(
        "Miranda-Correa, Abadi, Sebe & Patras (2021), IEEE Trans. Affective Computing 12(2), 479-493, "
        "arXiv 1702.02510"
    ),
    doi="10.1109/TAFFC.2018.2884461",
    access="request at eecs.qmul.ac.uk/mmv/datasets/amigos, signed by permanent academic staff",
)

Cells = Mapping[str, np.ndarray]  # by key of the file: (1, 20) arrays of objects
SubjectId = Annotated[str, StringConstraints(pattern=r"^P\d{2}$")]


class Amigos(CorpusConfig):
    """The preprocessed release, ``Data_Preprocessed_P01.mat`` to ``P40``, in any folder layout.

    Ratings are ``self_arousal``, ``self_valence`` and ten more, one a trial. Annotations are
    ``external_valence`` and ``external_arousal``, one a segment of `external_segments`; all NaN for the
    subjects that nobody annotated (P08, P24, P28). Rows that do not fit the length of their recording
    mean that labels and signals are not aligned: such a trial is rejected.

    Scales of the self-assessment run from 1 to 9: 0 is taken as not answered and becomes NaN, up to 9.5 is
    clipped at 9, all else outside becomes NaN. A subject has one note of each kind, with the trials it is of.
    """

    kind: Literal["amigos"] = "amigos"
    path: Path = Field(description="folder that holds the Data_Preprocessed_Pxx.mat files, at any depth")
    exclude: tuple[SubjectId, ...] = Field(
        (),
        description='subjects to leave out, for instance ("P09", "P12"); some published loaders drop seven',
    )
    ecg_lead: Literal["left", "right", "both"] = Field("right", description="never averaged")
    gsr_unit: Literal["arbitrary", "siemens_from_ohm"] = Field(
        "arbitrary", description="siemens_from_ohm takes the column as resistance and inverts it, to uS"
    )
    videos: Literal["all", "short", "long"] = "all"

    @property
    def card(self) -> CorpusCard:
        """Of the release, whichever part of it is read."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """40 people; 16 short videos and, of 37 people, 4 long ones, whose cells the others have empty."""
        gsr_unit = "arbitrary" if self.gsr_unit == "arbitrary" else "uS"
        scale = DeclaredRating(SCALE_MIN, SCALE_MAX, "continuous scale, low to high")
        emotion = DeclaredRating(0.0, 1.0, "felt (1) or not (0)")
        sessions = {"all": ("short", "long"), "short": ("short",), "long": ("long",)}
        return Declaration(
            n_subjects=40,
            sessions=sessions[self.videos],
            n_trials={"all": 20, "short": 16, "long": 4}[self.videos],
            signals={
                "eeg": DeclaredSignal(EEG_CHANNELS, (SFREQ,), "uV"),
                "ecg": DeclaredSignal(self.leads, (SFREQ,), "arbitrary"),
                "gsr": DeclaredSignal(("GSR",), (SFREQ,), gsr_unit),
            },
            ratings={**dict.fromkeys(SCALES, scale), **dict.fromkeys(EMOTIONS, emotion)},
            unverified=(
                "EEG is in uV",
                "a self-rating of 0 is no answer, up to 9.5 a slip of 9",
                "GSR is of unknown unit: resistance in ohm, or counts of a converter",
            ),
        )

    @property
    def leads(self) -> tuple[str, ...]:
        """Names of the ECG channels that are read."""
        return tuple(COLUMN_NAMES[column] for column in ECG_COLUMNS[self.ecg_lead])

    @classmethod
    def recognise(cls, folder: Path) -> "Amigos | None":
        """By the name of the preprocessed files."""
        named = any(FILE_NAME.fullmatch(file.name) for file in folder.rglob("*.mat"))
        return cls(path=folder) if named else None

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to its one file, in the order of the ids.

        Raises
        ------
        CorpusError : no file is found, two are of one subject, or a link leads out of the folder
        """
        # Data_Original_Pxx.mat and other files of the release may lie beside
        found = matching_files(self.path, FILE_NAME)
        wanted = ((f"amigos/P{match[1]}", file) for file, match in found.items())
        files = one_each((pair for pair in wanted if pair[0][-3:] not in self.exclude), "subject")
        if not files:
            raise CorpusError(
                f"{self.path} holds no Data_Preprocessed_Pxx.mat that is not excluded: "
                "unpack the preprocessed Matlab release there, or correct the path"
            )
        return {subject: (files[subject],) for subject in sorted(files, key=natural_key)}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the trials of one subject, for instance ``"amigos/P01"``.

        Raises
        ------
        CorpusError : the subject is unknown, or its file is broken or not laid out as released
        """
        (file,) = files_of(subject, self.find_subjects(), self.path)
        return SubjectReader(self, Account(subject, file.name), file).read()

    def tasks(self) -> Mapping[str, TaskConfig]:
        """External annotations by default; own valence and own arousal, low or high."""
        return {
            "affect": AffectTask(),
            "valence": RatingTask(rating="self_valence"),
            "arousal": RatingTask(rating="self_arousal"),
        }


def session_group(subject: str) -> str:
    """``"amigos/group1"`` to ``"amigos/group5"``, or the subject itself where it was alone."""
    number = int(subject.removeprefix("amigos/P"))
    for rank, members in enumerate(GROUPS, start=1):
        if number in members:
            return f"amigos/group{rank}"
    return subject


class _UnusableError(Exception):
    """A trial that can not be used; the message is the reason of its rejection."""


class Trial(NamedTuple):
    """Where one trial stands in its file."""

    cell: int
    video: str


@dataclass
class SubjectReader:
    """Reads one file, keeping account of what is rejected and what was changed."""

    corpus: Amigos
    account: Account
    file: Path

    def read(self) -> SubjectRecordings:
        """All wanted trials, in the order of the file."""
        cells = load_cells(self.file)
        wanted = {"all": VIDEOS, "short": SHORT_VIDEOS, "long": LONG_VIDEOS}[self.corpus.videos]
        trials = [trial for trial in self.trials(cells) if trial.video in wanted]
        read = []
        for trial in trials:
            try:
                read.append(self.recording(cells, trial))
            except _UnusableError as problem:
                self.account.reject(trial.video, str(problem))
        return self.account.closed([recording for recording in read if recording is not None])

    def trials(self, cells: Cells) -> list[Trial]:
        """The videos that the file names; known videos in another order are taken as named and noted."""
        trials: list[Trial] = []
        names = [video_name(cell) for cell in cells["VideoIDs"][0]]
        for cell, (name, expected) in enumerate(zip(names, VIDEOS, strict=True)):
            if name not in VIDEOS or name in names[:cell]:
                what = "is named twice" if name in VIDEOS else "is not a video of the corpus"
                self.account.reject(
                    name or f"cell {cell}", f"VideoIDs cell {cell} holds {name!r}, which {what}"
                )
                continue
            # labels and signals of one cell belong together, whatever its place in the file
            if name != expected:
                self.account.note(
                    name, "VideoIDs in another order than released, taken as named", f"cell {cell}"
                )
            trials.append(Trial(cell, name))
        return trials

    def recording(self, cells: Cells, trial: Trial) -> Recording | None:
        """One trial, or None where it is rejected."""
        joined = cells["joined_data"][0, trial.cell]
        if joined.size == 0:
            self.account.reject(trial.video, "no signals: the joined_data cell is empty")
            return None
        self.check_cell(joined, "joined_data", trial, N_COLUMNS)  # joined: times 17
        annotations = self.annotations(cells, trial, n_times=len(joined))
        if annotations is None:
            return None
        is_long = trial.video in LONG_VIDEOS
        return Recording(
            subject=self.account.subject,
            session="long" if is_long else "short",
            trial=trial.video,
            clip=f"amigos/{trial.video}",
            # short videos were watched alone, also by those who shared a room later
            group=session_group(self.account.subject) if is_long else self.account.subject,
            signals=self.signals(joined, trial),
            ratings=self.ratings(cells, trial),
            annotations=annotations,
            baseline_s=BASELINE_S,
        )

    def check_cell(self, cell: np.ndarray, key: str, trial: Trial, n_columns: int) -> None:
        """Refuse a trial of which a cell is not a table of numbers of the released width."""
        if cell.ndim != 2 or cell.shape[1] != n_columns or cell.dtype.kind not in "fiu":
            raise _UnusableError(
                f"{key} cell {trial.cell} is {cell.dtype} of shape {cell.shape}, not numbers of shape "
                f"(rows, {n_columns})"
            )

    def signals(self, joined: np.ndarray, trial: Trial) -> dict[str, Signal]:
        """EEG, the ECG leads asked for and skin conductance, channel-first."""
        values = self.account.finite_float32(joined.T, COLUMN_NAMES, trial.video)
        ecg = values[list(ECG_COLUMNS[self.corpus.ecg_lead])]  # leads times
        gsr, gsr_unit = values[GSR_COLUMN:], "arbitrary"
        if self.corpus.gsr_unit == "siemens_from_ohm":
            gsr, gsr_unit = self.conductance(gsr, trial), "uS"
        return {
            "eeg": Signal(values[: len(EEG_CHANNELS)], SFREQ, "uV", EEG_CHANNELS),  # 14 times
            "ecg": Signal(ecg, SFREQ, "arbitrary", self.corpus.leads),
            "gsr": Signal(gsr, SFREQ, gsr_unit, ("GSR",)),  # 1 times
        }

    def conductance(
        self, ohm: Float32[np.ndarray, "1 times"], trial: Trial
    ) -> Float32[np.ndarray, "1 times"]:
        """Microsiemens from ohm; NaN where the resistance is not above 0."""
        impossible = ohm <= 0
        if impossible.any():
            n_impossible = np.count_nonzero(impossible)
            self.account.note(trial.video, "GSR samples not above 0 ohm set to NaN", n_impossible)
        # 1 / ohm is siemens, 1e6 of it microsiemens
        return np.float32(1e6) / np.where(impossible, np.float32(np.nan), ohm)

    def ratings(self, cells: Cells, trial: Trial) -> dict[str, float]:
        """What the subject reported; NaN where it did not."""
        cell = cells["labels_selfassessment"][0, trial.cell]
        if cell.size == 0:
            self.account.note(trial.video, "no self-assessment")
            return dict.fromkeys(SELF_RATINGS, float("nan"))
        self.check_cell(cell, "labels_selfassessment", trial, len(SELF_RATINGS))  # cell: 1 12
        values = np.where(np.isfinite(cell[0]), cell[0], np.nan).astype(np.float64)
        self.note_count(trial, "self-ratings missing (NaN)", np.isnan(values))
        scales = values[: len(SCALES)]  # a view: the emotions after them are 0 or 1, where 0 is an answer
        unanswered, above = scales == 0, (scales > SCALE_MAX) & (scales <= SLIGHTLY_ABOVE)
        outside = ~unanswered & ((scales < SCALE_MIN) | (scales > SLIGHTLY_ABOVE))
        self.note_count(trial, "self-ratings of 0 taken as not answered", unanswered)
        self.note_count(trial, f"self-ratings above 9, up to {SLIGHTLY_ABOVE:g}, clipped at 9", above)
        if outside.any():
            found = ", ".join(f"{value:g}" for value in scales[outside])
            self.account.note(trial.video, "self-ratings outside 1 to 9 set to NaN", found)
        scales[unanswered | outside] = np.nan
        scales[above] = SCALE_MAX
        return dict(zip(SELF_RATINGS, values.tolist(), strict=True))

    def note_count(self, trial: Trial, fact: str, flags: Bool[np.ndarray, " any"]) -> None:
        """Report how many flags are set, if any."""
        if flags.any():
            self.account.note(trial.video, fact, np.count_nonzero(flags))

    def annotations(
        self, cells: Cells, trial: Trial, n_times: int
    ) -> dict[str, Float64[np.ndarray, " rows"]] | None:
        """External labels a segment; NaN where there are none, None where they do not fit the recording."""
        n_segments = len(external_segments(n_times, SFREQ, BASELINE_S))
        if n_segments != VIDEOS[trial.video]:
            fact = "signals are of another number of segments than the release has"
            self.account.note(trial.video, fact, f"{n_segments}, not {VIDEOS[trial.video]}")
        cell = cells["labels_ext_annotation"][0, trial.cell]
        if cell.size == 0:
            self.account.note(trial.video, "no external annotation")
            return {VALENCE: np.full(n_segments, np.nan), AROUSAL: np.full(n_segments, np.nan)}
        self.check_cell(cell, "labels_ext_annotation", trial, 3)  # cell: segments 3
        if len(cell) != n_segments:
            self.account.reject(
                trial.video,
                f"{len(cell)} external annotations, but {n_times / SFREQ:g} s of signal hold "
                f"{n_segments} segments",
            )
            return None
        if not self.index_is_in_order(cell[:, 0], trial):
            return None
        # columns: index, valence, arousal (the self-assessment has arousal first)
        labels = np.where(np.isfinite(cell), cell, np.nan).astype(np.float64)
        unlabelled = np.isnan(labels[:, 1]) | np.isnan(labels[:, 2])
        self.note_count(trial, "segments without an external label (NaN)", unlabelled)
        outside = np.asarray((np.abs(labels[:, 1:]) > EXTERNAL_MAX).any(axis=1))
        self.note_count(trial, "external labels outside -1 to 1, kept", outside)
        return {VALENCE: labels[:, 1].copy(), AROUSAL: labels[:, 2].copy()}

    def index_is_in_order(self, index: np.ndarray, trial: Trial) -> bool:
        """True for rows in rising order; numbers other than 0..n-1 and 1..n are noted."""
        counts = np.arange(len(index))  # from 0 or from 1: neither is worth a note
        if np.array_equal(index, counts) or np.array_equal(index, counts + 1):
            return True
        shown = ", ".join(f"{value:g}" for value in index[:8])
        if not (np.diff(index) > 0).all():
            self.account.reject(
                trial.video, f"segment indices of the external annotation are not in order: {shown} ..."
            )
            return False
        fact = "unexpected segment indices of the external annotation, rows taken in order"
        self.account.note(trial.video, fact, f"{shown} ...")
        return True


def video_name(cell: Any) -> str:
    """The id in one cell of VideoIDs: a string, perhaps in quotes, or a number; empty where there is none."""
    value = np.asarray(cell)
    if value.size != 1:
        return ""
    item = value.item()
    # a number comes as a double: 4.0 is video "4"
    return f"{item:g}" if isinstance(item, int | float) else str(item).strip().strip("'\"")


def load_cells(file: Path) -> Cells:
    """The four cell arrays of one file, each object of shape (1, 20), their cells arrays of two axes.

    Raises
    ------
    CorpusError : the file can not be read, or lacks a key; names file, key and next step
    """
    content = read_mat(file, CELL_KEYS)  # the other keys cost time and are not used
    for key in CELL_KEYS:
        check_cells(content, key, file)
    return {key: content[key] for key in CELL_KEYS}


def check_cells(content: Mapping[str, Any], key: str, file: Path) -> None:
    """Check that a key is there and holds one cell a video.

    Raises
    ------
    CorpusError : names file, key and what was found
    """
    if key not in content:
        found = ", ".join(sorted(name for name in content if not name.startswith("__"))) or "none of them"
        raise CorpusError(
            f"{file} has no key {key!r} (of the four expected it has {found}): use the preprocessed release, "
            "and copy it again if it was cut off"
        )
    cells = content[key]
    if cells.dtype != object or cells.shape != (1, len(VIDEOS)):
        raise CorpusError(
            f"{file}: {key} is {cells.dtype} of shape {cells.shape}, not a cell array of shape "
            f"(1, {len(VIDEOS)}): download the preprocessed release again"
        )
    for index, cell in enumerate(cells[0]):
        if not isinstance(cell, np.ndarray):
            raise CorpusError(
                f"{file}: {key} cell {index} holds {type(cell).__name__}, not an array: download it again"
            )
