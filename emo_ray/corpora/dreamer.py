"""DREAMER: 23 people, 18 film clips; EEG at 128 Hz and two ECG leads at 256 Hz, ratings from 1 to 5."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.dreamer_file import n_people, read_facts, read_person
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.corpora.remembered import remembered_names
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import EMO14
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.rating import RatingTask

N_SUBJECTS, N_CLIPS = 23, 18
EEG_HZ, ECG_HZ = 128.0, 256.0
LEADS = ("ECG 1", "ECG 2")  # the file does not name them
SCORES = {"self_valence": "ScoreValence", "self_arousal": "ScoreArousal", "self_dominance": "ScoreDominance"}
LOWEST, HIGHEST = 1.0, 5.0
BASELINE_S = 61.0  # typical
SHORTEST_S, LONGEST_S = 65.0, 393.0  # of the stimuli; not confirmed
TYPICAL_OFFSET_UV = 4000.0  # not confirmed
OFFSET_FACTOR = 4.0  # what is within this of the typical offset is not worth a note of its own
MAT_FILE = re.compile(r"DREAMER\.mat", re.IGNORECASE)

# What each clip was chosen to raise; one source.
TARGETS = (
    "calmness", "surprise", "amusement", "fear", "excitement", "disgust", "happiness", "anger", "sadness",
    "disgust", "calmness", "amusement", "happiness", "anger", "fear", "excitement", "sadness", "surprise",
)  # fmt: skip

CARD = CorpusCard(
    title="DREAMER: emotion recognition through EEG and ECG from wireless low-cost devices",
    licence="on request, academic use; no redistribution without permission",
    citation=(
        "Katsigiannis & Ramzan (2018), DREAMER: A Database for Emotion Recognition Through EEG and ECG "
        "Signals From Wireless Low-cost Off-the-Shelf Devices, IEEE J. Biomedical and Health Informatics "
        "22(1), 98-107"
    ),
    doi="10.1109/JBHI.2017.2688239",
    access="request at zenodo.org/record/546113",
)


class Dreamer(CorpusConfig):
    """The one file of all people, ``DREAMER.mat``.

    Ratings are whole numbers from 1 to 5, so that the middle one, 3, decides how even two classes are: the
    tasks take more than 3 as high (``gt_3``, as EEGain), ``*_ge_3`` take 3 as high, too (as torcheeg).

    EEG comes with the amplifier's offset of some thousand uV, which is left in.
    """

    kind: Literal["dreamer"] = "dreamer"
    path: Path = Field(description="DREAMER.mat, or a folder with it at any depth")
    ecg_lead: Literal["first", "second", "both"] = Field("first", description="never averaged")
    baseline: Literal["none", "prepend"] = Field(
        "none", description="prepend: the neutral clip before each stimulus (61 s) stands before its signals"
    )
    last_s: float | None = Field(
        None, gt=0, description="seconds at the end of a stimulus that are kept; 60 is usual, None is all"
    )

    @property
    def card(self) -> CorpusCard:
        """Of the release."""
        return CARD

    @property
    def leads(self) -> tuple[str, ...]:
        """Names of the ECG channels that are read."""
        return {"first": LEADS[:1], "second": LEADS[1:], "both": LEADS}[self.ecg_lead]

    @property
    def declaration(self) -> Declaration:
        """Twenty-three people of 18 clips."""
        meaning = "1 lowest, 5 highest, whole numbers"
        return Declaration(
            n_subjects=N_SUBJECTS,
            sessions=("1",),
            n_trials=N_CLIPS,
            signals={
                "eeg": DeclaredSignal(EMO14, (EEG_HZ,), "uV"),
                "ecg": DeclaredSignal(self.leads, (ECG_HZ,), "arbitrary"),
            },
            ratings={name: DeclaredRating(LOWEST, HIGHEST, meaning) for name in SCORES},
            unverified=(
                "EEG is in uV",
                f"EEG has an offset of about {TYPICAL_OFFSET_UV:g} uV",
                f"stimuli last {SHORTEST_S:g} to {LONGEST_S:g} s",
            ),
        )

    @classmethod
    def recognise(cls, folder: Path) -> "Dreamer | None":
        """A file of that name, or a folder with one."""
        files = [folder] if folder.is_file() else folder.rglob("*.[mM][aA][tT]")
        return cls(path=folder) if any(MAT_FILE.fullmatch(file.name) for file in files) else None

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to the one file; reads its first bytes, where the number of people stands.

        Raises
        ------
        CorpusError : there is no such file, there are two, or it is damaged
        """
        file = self._file()
        return {f"dreamer/{index + 1}": (file,) for index in range(n_people(file))}

    def _file(self) -> Path:
        if self.path.is_file():
            return self.path
        found = matching_files(self.path, MAT_FILE)
        files = one_each((("DREAMER.mat", file) for file in found), "file")
        if not files:
            raise CorpusError(f"{self.path} holds no DREAMER.mat: correct the path, or name the file itself")
        return files["DREAMER.mat"]

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the clips of one subject, for instance ``"dreamer/1"``.

        Raises
        ------
        CorpusError : the subject is unknown, or the file is damaged or not laid out as released
        """
        (file,) = files_of(subject, self.find_subjects(), self.path)
        person = read_person(file, int(subject.removeprefix("dreamer/")) - 1)
        reader = SubjectReader(self, f"{file}, {subject}", person, Account(subject, file.name))
        return reader.account.closed(reader.recordings())

    def notes(self) -> tuple[str, ...]:
        """What the clips were chosen for, and where the file says other than the release of itself."""
        targets = ", ".join(f"{clip} {target}" for clip, target in enumerate(TARGETS, start=1))
        file = self._file()
        try:
            told = remembered_names(file, "what DREAMER.mat says of itself, 1", lambda: unlike_release(file))
        except CorpusError as error:  # people before the damage can be read all the same
            told = (f"what the file says of itself can not be compared: {error}",)
        return (f"target emotions of the clips (one source): {targets}", *told)

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Valence, arousal and dominance, low or high."""
        names = {name.removeprefix("self_"): name for name in SCORES}
        high = {name: RatingTask(rating=rating, rule="gt_3") for name, rating in names.items()}
        middle_is_high = {
            f"{name}_ge_3": RatingTask(rating=rating, rule="ge_3") for name, rating in names.items()
        }
        return high | middle_is_high


def unlike_release(file: Path) -> tuple[str, ...]:
    """Rates, electrodes and numbers that the file states other than the release does, or than it has.

    Raises
    ------
    CorpusError : it is no DREAMER.mat, or damaged
    """
    expected = {
        "EEG_SamplingRate": f"{EEG_HZ:g}",
        "ECG_SamplingRate": f"{ECG_HZ:g}",
        "EEG_Electrodes": " ".join(EMO14),
        "noOfSubjects": str(n_people(file)),
        "noOfVideoSequences": str(N_CLIPS),
    }
    found = {name: _shown(value) for name, value in read_facts(file, expected).items()}
    return tuple(
        f"{file.name} states {name} {value}, not {expected[name]}; it is read as the latter"
        for name, value in found.items()
        if value != expected[name]
    )


def _shown(value: Any) -> str:
    """Numbers and texts of a field, one after the other."""
    items = [item for one in np.asarray(value).flat for item in np.asarray(one).flat]
    return " ".join(f"{item:g}" if isinstance(item, int | float | np.number) else str(item) for item in items)


class _UnusableError(Exception):
    """A clip that can not be used; the message is the reason of its rejection."""


@dataclass
class SubjectReader:
    """Reads one person's struct, keeping account of what is rejected and what is odd.

    Attributes
    ----------
    source : file and subject, for messages
    person : struct of shape (1, 1)
    """

    corpus: Dreamer
    source: str
    person: np.ndarray
    account: Account

    def recordings(self) -> list[Recording]:
        """All clips, in the order of the file."""
        parts = ("baseline", "stimuli") if self.corpus.baseline == "prepend" else ("stimuli",)
        cells = {
            (modality, part): self.cells(
                self.member(self.member(self.person, modality), part), f"{modality}.{part}"
            )
            for modality in ("EEG", "ECG")
            for part in parts
        }
        scores = {name: self.scores(name) for name in SCORES}
        n_clips = max(len(column) for column in cells.values())
        found = []
        for clip in range(n_clips):
            try:
                lacking = [".".join(key) for key, column in cells.items() if clip >= len(column)]
                if lacking:
                    raise _UnusableError(f"no {' and no '.join(lacking)} of this clip")
                found.append(
                    self.recording(clip, {key: column[clip] for key, column in cells.items()}, scores)
                )
            except _UnusableError as problem:
                self.account.reject(str(clip + 1), str(problem))
        return found

    def recording(
        self, clip: int, cells: Mapping[tuple[str, str], Any], scores: Mapping[str, np.ndarray]
    ) -> Recording:
        """One clip."""
        trial = str(clip + 1)
        blocks = {key: block(cell, key) for key, cell in cells.items()}
        self.check_lengths(blocks, trial)
        stimulus = {modality: self.last(blocks[modality, "stimuli"], modality, trial) for modality in RATES}
        baseline_s, before = self.before(blocks, trial)
        joined = {name: np.concatenate([before[name], stimulus[name]], axis=1) for name in RATES}
        eeg = self.account.finite_float32(joined["EEG"], EMO14, trial)
        self.note_offset(eeg, trial)
        rows = [LEADS.index(lead) for lead in self.corpus.leads]
        ecg = self.account.finite_float32(joined["ECG"][rows], self.corpus.leads, trial)
        return Recording(
            subject=self.account.subject,
            session="1",
            trial=trial,
            clip=f"dreamer/{trial}",
            group=self.account.subject,
            signals={
                "eeg": Signal(eeg, EEG_HZ, "uV", EMO14),
                "ecg": Signal(ecg, ECG_HZ, "arbitrary", self.corpus.leads),
            },
            ratings={name: self.score(name, column, clip) for name, column in scores.items()},
            baseline_s=baseline_s,
        )

    def member(self, node: Any, name: str) -> Any:
        """A field of a struct of shape (1, 1); a cell with one in it is opened.

        Raises
        ------
        CorpusError : it is no such struct
        """
        while isinstance(node, np.ndarray) and node.dtype == object and node.size == 1:
            node = node.flat[0]
        names = node.dtype.names if isinstance(node, np.ndarray) else None
        if not names or name not in names or node.size != 1:
            found = ", ".join(names) if names else type(node).__name__
            raise CorpusError(
                f"{self.source}: no field {name} (there is {found}): use the file as it was released"
            )
        return node[name].flat[0]

    def cells(self, node: Any, name: str) -> list[Any]:
        """A column of cells, one a clip.

        Raises
        ------
        CorpusError : it is none
        """
        if not isinstance(node, np.ndarray) or node.dtype != object or 1 not in node.shape or node.ndim != 2:
            shape = getattr(node, "shape", "")
            raise CorpusError(
                f"{self.source}: {name} is {type(node).__name__} {shape}, not a column of cells: use the "
                "file as it was released"
            )
        if node.size != N_CLIPS:
            self.account.remark(f"{name} has {node.size} clips, not {N_CLIPS}")
        return list(node.flat)

    def scores(self, name: str) -> np.ndarray:
        """One score a clip.

        Raises
        ------
        CorpusError : they are no numbers
        """
        values = self.member(self.person, SCORES[name])
        is_numbers = isinstance(values, np.ndarray) and values.dtype.kind in "fiu"
        if not is_numbers or values.size != max(values.shape):
            shape = getattr(values, "shape", "")
            raise CorpusError(
                f"{self.source}: {SCORES[name]} is {type(values).__name__} {shape}, not a column of numbers: "
                "use the file as it was released"
            )
        return np.asarray(values, dtype=np.float64).ravel()

    def score(self, name: str, values: np.ndarray, clip: int) -> float:
        """What the subject reported of a clip; NaN where it is no score."""
        value = float(values[clip]) if clip < len(values) else np.nan
        if not LOWEST <= value <= HIGHEST:
            self.account.note(str(clip + 1), f"{name} outside 1 to 5 set to NaN", f"{value:g}")
            return np.nan
        if not value.is_integer():
            self.account.note(str(clip + 1), f"{name} is no whole number, kept", f"{value:g}")
        return value

    def check_lengths(self, blocks: Mapping[tuple[str, str], np.ndarray], trial: str) -> None:
        """Report EEG and ECG that do not last equally long, and stimuli of unusual length."""
        for part in {part for _, part in blocks}:
            n_eeg, n_ecg = (blocks[modality, part].shape[1] for modality in RATES)
            if abs(n_ecg - 2 * n_eeg) > 2:
                self.account.note(
                    trial, f"{part}: ECG has not twice the samples of EEG", f"{n_ecg} and {n_eeg}"
                )
        duration_s = blocks["EEG", "stimuli"].shape[1] / EEG_HZ
        if not SHORTEST_S <= duration_s <= LONGEST_S:
            fact = f"stimuli other than {SHORTEST_S:g} to {LONGEST_S:g} s long"
            self.account.note(trial, fact, f"{duration_s:.1f} s")

    def last(self, values: np.ndarray, modality: str, trial: str) -> np.ndarray:
        """The end of a stimulus that is wanted."""
        if self.corpus.last_s is None:
            return values
        n_wanted = round(self.corpus.last_s * RATES[modality])
        if values.shape[1] < n_wanted:
            fact = f"stimulus is shorter than the last {self.corpus.last_s:g} s, taken whole"
            self.account.note(trial, fact, f"{modality} {values.shape[1] / RATES[modality]:.1f} s")
        return values[:, -n_wanted:]

    def before(
        self, blocks: Mapping[tuple[str, str], np.ndarray], trial: str
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Seconds of baseline, and its signals: both modalities end and begin together."""
        if self.corpus.baseline == "none":
            return 0.0, {name: np.zeros((WIDTHS[name], 0)) for name in RATES}
        lengths_s = {name: blocks[name, "baseline"].shape[1] / rate for name, rate in RATES.items()}
        n_eeg = int(min(lengths_s.values()) * EEG_HZ)
        if n_eeg / EEG_HZ != BASELINE_S:
            self.account.note(trial, f"baseline is not {BASELINE_S:g} s", f"{n_eeg / EEG_HZ:.2f} s")
        if n_eeg == 0:
            raise _UnusableError("no baseline")
        kept = {"EEG": n_eeg, "ECG": 2 * n_eeg}
        return n_eeg / EEG_HZ, {name: blocks[name, "baseline"][:, -n:] for name, n in kept.items()}

    def note_offset(self, eeg: Float32[np.ndarray, "14 times"], trial: str) -> None:
        """Report an offset unlike what is said of the release; the usual one is no news."""
        known = eeg[np.isfinite(eeg)]
        offset = float(np.median(known)) if known.size else np.nan
        if not TYPICAL_OFFSET_UV / OFFSET_FACTOR < offset < TYPICAL_OFFSET_UV * OFFSET_FACTOR:
            fact = f"EEG without the usual offset of about {TYPICAL_OFFSET_UV:g} uV"
            self.account.note(trial, fact, f"{offset:.0f} uV")


RATES = {"EEG": EEG_HZ, "ECG": ECG_HZ}
WIDTHS = {"EEG": len(EMO14), "ECG": len(LEADS)}


def block(cell: Any, key: tuple[str, str]) -> np.ndarray:
    """Channels by samples from one cell, which has samples first."""
    modality, part = key
    if not isinstance(cell, np.ndarray) or cell.dtype.kind not in "fiu" or cell.ndim != 2:
        raise _UnusableError(f"{modality}.{part} is no table of numbers")
    if cell.shape[1] != WIDTHS[modality] or cell.shape[0] == 0:
        raise _UnusableError(f"{modality}.{part} has shape {cell.shape}, not (samples, {WIDTHS[modality]})")
    return cell.T
