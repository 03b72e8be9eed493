"""CL-Drive: 21 people drive a simulator at nine levels of complexity; cognitive load, 1 to 9, every 10 s."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.cl_drive_series import Series, header_of, read_series
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.errors import CorpusError
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.value import ValueTask

PARTICIPANTS = (
    *("1030", "1105", "1106", "1241", "1271", "1314", "1323", "1337", "1372", "1417", "1434"),
    *("1544", "1547", "1595", "1629", "1716", "1717", "1744", "1868", "1892", "1953"),
)
"""By one source; the re-organised variant numbers them from participant_ID_01."""
N_SUBJECTS = len(PARTICIPANTS)
N_LABELLED = 3138  # stretches of 10 s with a label, of all people and levels (1 source)
LEVELS = tuple(range(1, 10))
LABEL_S = 10.0
N_LABELS = 18
LEVEL_S = 180.0
LOADS = tuple(float(load) for load in range(1, 10))
LOW, HIGH = 3, 7  # up to, from: the three classes
# Time stamps of the re-organised variant: what is before belongs to no level.
DRIVING_STARTS_S = 120.0
# A first time stamp beyond this is not counted from the start of a level.
LATEST_START_S = 240.0
# A later first time stamp may mean that they do not count from the start of the level.
LATE_START_S = 5.0

Modality = Literal["eeg", "ecg", "eda", "gaze"]


class Sensor(NamedTuple):
    """One kind of file: its columns, rate in Hz and unit."""

    channels: tuple[str, ...]
    sfreq: float
    unit: str


SENSORS: Mapping[Modality, Sensor] = {
    "eeg": Sensor(("TP9", "AF7", "AF8", "TP10"), 256.0, "uV"),
    "ecg": Sensor(("ECG LL-RA CAL", "ECG LA-RA CAL", "ECG Vx-RL CAL"), 512.0, "mV"),
    "eda": Sensor(("GSR Conductance CAL",), 128.0, "uS"),
    "gaze": Sensor(
        ("ET_PupilLeft", "ET_PupilRight", "Gaze Velocity", "Gaze Acceleration"), 50.0, "arbitrary"
    ),
}

SIGNAL_FILE = re.compile(r"(eeg|ecg|eda|gaze)_(data|baseline)_level_(\d)(_processed)?\.csv", re.IGNORECASE)
PERSON = re.compile(r"\d{4}|participant_ID_\d{1,3}", re.IGNORECASE)
REORGANISED = re.compile(r"cl_drive/participant_ID_\d{1,3}", re.IGNORECASE)
LABEL_FILE = re.compile(rf"({PERSON.pattern})(_modified)?\.csv", re.IGNORECASE)
LABEL_COLUMN = re.compile(r"(?:lvl|level)[\s_]*([1-9])", re.IGNORECASE)
MAX_LABEL_BYTES = 1 << 20

CARD = CorpusCard(
    title=(
        "CL-Drive: Multimodal Brain-Computer Interface for In-Vehicle Driver Cognitive Load Measurement: "
        "Dataset and Baselines"
    ),
    licence="of the data not known to us (of the authors' code MIT): look at the Borealis page",
    citation=(
        "Angkan, Behinaein, Mahmud, Bhatti, Rodenburg, Hungler & Etemad (2024), IEEE Trans. Intelligent "
        "Transportation Systems, arXiv 2304.04273"
    ),
    doi="10.1109/TITS.2023.3345846",
    access="Borealis, doi 10.5683/SP3/JJ2YZZ, open",
)

Key = tuple[str, str, int]  # modality, data or baseline, level


class ClDrive(CorpusConfig):
    """``EEG/1030/eeg_data_level_1.csv`` and its like, ``Labels/1030.csv``; also the re-organised variant.

    One recording is one level. Its annotations are ``start_s``, ``stop_s`` and ``load``, a row for each
    label. Samples are placed by their time stamps, gaps are NaN. A file that is not there leaves its
    modality out; one that can not be used rejects its level.
    """

    kind: Literal["cl_drive"] = "cl_drive"
    path: Path = Field(description="folder that holds EEG, ECG, EDA, Gaze and Labels")
    modalities: tuple[Modality, ...] = Field(("eeg", "ecg", "eda", "gaze"), min_length=1)
    label_window: Literal["before", "after"] = Field(
        "before", description="whether a label is of the 10 s before its report, or of those after it"
    )
    baselines: Literal["leave_out", "own_trials"] = Field(
        "leave_out", description="own_trials: the recording before each level is a trial without labels"
    )
    low_up_to: int = Field(4, ge=1, le=8, description="highest load that is low, of two classes")

    @property
    def card(self) -> CorpusCard:
        """Of the release."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """Twenty-one people at nine levels."""
        return Declaration(
            n_subjects=N_SUBJECTS,
            sessions=("1",),
            n_trials=len(LEVELS) * (2 if self.baselines == "own_trials" else 1),
            signals={
                name: DeclaredSignal(
                    SENSORS[name].channels, (SENSORS[name].sfreq,), SENSORS[name].unit, may_lack=name != "eeg"
                )
                for name in self.modalities
            },
            ratings={"level": DeclaredRating(1.0, 9.0, "complexity of the traffic, as designed")},
            unverified=(
                "names of the files and columns of ECG, EDA and gaze",
                "a label belongs to the 10 s before its report",
                "time stamps count from the start of the level, in seconds",
                f"numbers of the participants; {N_LABELLED} labels in all",
            ),
        )

    @classmethod
    def recognise(cls, folder: Path) -> "ClDrive | None":
        """By ``eeg_data_level_1.csv`` and its like."""
        if any(SIGNAL_FILE.fullmatch(file.name) for file in folder.rglob("*.[cC][sS][vV]")):
            return cls(path=folder)
        return None

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to its signal files and its labels.

        Raises
        ------
        CorpusError : no file is found, there are two of one subject, level and modality, or people under
            both kinds of names
        """
        signals, labels = self._signal_files(), self._label_files()
        if not signals:
            raise CorpusError(
                f"{self.path} holds no eeg_data_level_1.csv in a folder named by a participant: unpack the "
                "release there, or correct the path"
            )
        numbered = [subject for subject in signals if REORGANISED.fullmatch(subject)]
        if 0 < len(numbered) < len(signals):
            raise CorpusError(
                f"{self.path} holds {numbered[0]} and others by four digits: in both arrangements everybody "
                "would be two subjects; give the folder of one"
            )
        return {
            subject: (*signals[subject].values(), *([labels[subject]] if subject in labels else []))
            for subject in sorted(signals, key=natural_key)
        }

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the levels of one subject, for instance ``"cl_drive/1030"``.

        Raises
        ------
        CorpusError : the subject is unknown, or its labels can not be read
        """
        files_of(subject, self.find_subjects(), self.path)
        labels = self._label_files().get(subject)
        account = Account(subject, subject)
        if labels is None:
            account.note("all", "no file of labels")
        loads = read_loads(labels, account) if labels else {}
        return SubjectReader(self, account, self._signal_files()[subject], loads).read()

    def notes(self) -> tuple[str, ...]:
        """Who is there, how many labels, and files that are nobody's."""
        found = [subject.removeprefix("cl_drive/") for subject in self.find_subjects()]
        notes = []
        if len(found) != N_SUBJECTS:
            notes.append(f"{len(found)} subjects found, where the release has {N_SUBJECTS}")
        unknown = [name for name in found if name.isdigit() and name not in PARTICIPANTS]
        if unknown:
            notes.append(f"{', '.join(unknown)}: not among the known participants (1 source)")
        nobodys = [file.name for file in matching_files(self.path, SIGNAL_FILE) if not self._person(file)]
        if nobodys:
            notes.append(f"{len(nobodys)} signal files in no folder of a participant left out")
        n_labelled = sum(_count_loads(file) for file in self._label_files().values())
        if len(found) == N_SUBJECTS and n_labelled != N_LABELLED:
            notes.append(f"{n_labelled} labels, where the release is said to have {N_LABELLED} (1 source)")
        return tuple(notes)

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Three classes of load by default (up to 3, 4 to 6, from 7), two at ``low_up_to``, or the load."""
        three = (
            ("low", LOADS[:LOW]),
            ("medium", LOADS[LOW : HIGH - 1]),
            ("high", LOADS[HIGH - 1 :]),
        )
        two = (("low", LOADS[: self.low_up_to]), ("high", LOADS[self.low_up_to :]))
        return {
            "three_classes": ClassTask(column="load", classes=three),
            "two_classes": ClassTask(column="load", classes=two),
            "load": ValueTask(column="load"),
        }

    def _signal_files(self) -> dict[str, dict[Key, Path]]:
        """Files by subject, in the order of levels, data before baselines."""
        found = []
        for file, match in matching_files(self.path, SIGNAL_FILE).items():
            key = (match[1].lower(), match[2].lower(), int(match[3]))
            person = self._person(file)
            if person and key[0] in self.modalities and key[2] in LEVELS:
                found.append((("cl_drive/" + person, key), file))
        files: dict[str, dict[Key, Path]] = {}
        for (subject, key), file in one_each(found, "subject, modality and level").items():
            files.setdefault(subject, {})[key] = file
        return files

    def _person(self, file: Path) -> str:
        """Name of the nearest folder that is a participant's, never of one above the corpus; else empty."""
        inside = (self.path.absolute().name, *file.relative_to(self.path).parts[:-1])
        return next((name for name in reversed(inside) if PERSON.fullmatch(name)), "")

    def _label_files(self) -> dict[str, Path]:
        matches = matching_files(self.path, LABEL_FILE)
        return one_each(
            (("cl_drive/" + match[1], file) for file, match in matches.items()), "subject's labels"
        )


def _count_loads(file: Path) -> int:
    """How many labels a file has; 0 where it can not be read, which reading its subject tells."""
    try:
        loads = read_loads(file, Account("", ""))
    except CorpusError:
        return 0
    return sum(int(np.isfinite(values).sum()) for values in loads.values())


def read_loads(file: Path, account: Account) -> Mapping[int, Float64[np.ndarray, " rows"]]:
    """The load of each level, a value for each 10 s; NaN where nothing was reported.

    Raises
    ------
    CorpusError : the file is not readable, or has no columns of levels
    """
    names = header_of(file)
    columns = {int(match[1]): k for k, name in enumerate(names) if (match := LABEL_COLUMN.fullmatch(name))}
    if not columns and len(names) == len(LEVELS) + 1:
        account.note("all", f"columns of {file.name} taken in order, as none is named lvl_1", names[1])
        columns = {level: level for level in LEVELS}
    if not columns or file.stat().st_size > MAX_LABEL_BYTES:
        raise CorpusError(
            f"{file}: has no columns lvl_1 to lvl_9; it has {', '.join(names)[:300]}: use the released file"
        )
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)][1:]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{file}: can not be read ({error}): restore the file of the release") from error
    found = {level: np.array([_load(row, k) for row in rows]) for level, k in columns.items()}
    for level, loads in found.items():
        n_cells = sum(bool(cell.strip()) for row in rows for cell in row[columns[level] :][:1])
        if n_cells > np.isfinite(loads).sum():
            account.note(f"level_{level}", "labels that are no numbers", n_cells - np.isfinite(loads).sum())
        if len(loads) != N_LABELS:
            account.note(f"level_{level}", f"another number of labels than {N_LABELS}", len(loads))
        odd = loads[np.isfinite(loads) & ~np.isin(loads, LOADS)]
        if odd.size:
            account.note(
                f"level_{level}", "labels that are no whole numbers from 1 to 9, of no class", odd[0]
            )
    return found


def _load(row: list[str], column: int) -> float:
    try:
        return float(row[column])
    except (ValueError, IndexError):
        return float("nan")


@dataclass(frozen=True)
class SubjectReader:
    """Reads the files of one subject, keeping account of what is rejected and what is odd."""

    corpus: ClDrive
    account: Account
    files: Mapping[Key, Path]
    loads: Mapping[int, Float64[np.ndarray, " rows"]]

    def read(self) -> SubjectRecordings:
        """All levels, and the baselines where they are asked for."""
        wanted = ["data", *(["baseline"] if self.corpus.baselines == "own_trials" else [])]
        recordings = []
        for level in LEVELS:
            for part in wanted:
                recording = self._recording(level, part)
                if recording is not None:
                    recordings.append(recording)
        self._note_lost_classes(recordings)
        return self.account.closed(recordings)

    def _recording(self, level: int, part: str) -> Recording | None:
        trial = f"{'level' if part == 'data' else 'baseline'}_{level}"
        files = {
            name: self.files[name, part, level]
            for name in self.corpus.modalities
            if (name, part, level) in self.files
        }
        if not files:
            self.account.note(trial, "no files")
            return None
        absent = [name for name in self.corpus.modalities if name not in files]
        if absent:
            self.account.note(trial, "modalities without a file", ", ".join(absent))
        try:
            series = {name: self._series(name, file, trial) for name, file in files.items()}
        except CorpusError as error:
            self.account.reject(trial, str(error))
            return None
        is_processed = all("_processed" in file.name.lower() for file in files.values())
        clock = self._clock(series, trial, is_processed=is_processed)
        return Recording(
            subject=self.account.subject,
            session="1",
            trial=trial,
            clip=f"cl_drive/{trial if part == 'data' else 'baseline'}",
            group=self.account.subject,
            signals={name: self._signal(name, found, clock, trial) for name, found in series.items()},
            ratings={"level": float(level)},
            annotations=self._annotations(level, part, clock, trial),
            baseline_s=clock.baseline_s,
        )

    def _series(self, name: Modality, file: Path, trial: str) -> Series:
        sensor = SENSORS[name]
        series = read_series(file, sensor.channels, sensor.sfreq)
        for fact, detail in series.facts:
            self.account.note(trial, f"{name}: {fact}", detail)
        return series

    def _clock(self, series: Mapping[Modality, Series], trial: str, *, is_processed: bool) -> "Clock":
        """Where the level starts on the clock of the time stamps."""
        first_s = min(found.first_s for found in series.values())
        end_s = max(found.end_s for found in series.values())
        if first_s > LATEST_START_S:
            self.account.note(
                trial,
                "time stamps count from elsewhere; the level starts with the first",
                f"{first_s:.1f} s",
            )
            clock = Clock(first_s, first_s)
        # such a file holds what came before, too, or starts there
        elif is_processed and (end_s > LATEST_START_S or first_s > DRIVING_STARTS_S - 1):
            clock = Clock(min(first_s, DRIVING_STARTS_S), DRIVING_STARTS_S)
        else:
            clock = Clock(min(first_s, 0.0), 0.0)
            if first_s > LATE_START_S:
                fact = "time stamps start late; labels are taken to count from their zero"
                self.account.note(trial, fact, f"{first_s:.1f} s")
        if trial.startswith("level") and end_s - clock.level_s < LEVEL_S - 1:
            self.account.note(trial, f"shorter than {LEVEL_S:g} s", f"{end_s - clock.level_s:.1f} s")
        return clock

    def _signal(self, name: Modality, series: Series, clock: "Clock", trial: str) -> Signal:
        sensor = SENSORS[name]
        values = self.account.finite_float32(series.values, sensor.channels, trial)
        return Signal(values, series.sfreq, sensor.unit, sensor.channels, series.first_s - clock.start_s)

    def _annotations(
        self, level: int, part: str, clock: "Clock", trial: str
    ) -> Mapping[str, Float64[np.ndarray, " rows"]]:
        missing = np.full(N_LABELS, np.nan)  # so that all trials have the same columns
        loads = self.loads.get(level, missing) if part == "data" else missing
        if part == "data" and not np.isfinite(loads).any():
            self.account.note(trial, "no labels")
        shift_s = LABEL_S if self.corpus.label_window == "after" else 0.0
        starts_s = clock.baseline_s + shift_s + LABEL_S * np.arange(len(loads))
        return {"start_s": starts_s, "stop_s": starts_s + LABEL_S, "load": loads}

    def _note_lost_classes(self, recordings: list[Recording]) -> None:
        """Scores over the classes that one subject has are not those over all three."""
        loads = np.concatenate([one.annotations["load"] for one in recordings] + [np.empty(0)])
        is_rated = bool(np.isfinite(loads).any())
        for name, is_in in (
            ("low", loads <= LOW),
            ("medium", (loads > LOW) & (loads < HIGH)),
            ("high", loads >= HIGH),
        ):
            if is_rated and not is_in.any():
                self.account.note("all", f"no label of {name} load")


class Clock(NamedTuple):
    """On the clock of the time stamps: start of the recording, and of the level in it; seconds."""

    start_s: float
    level_s: float

    @property
    def baseline_s(self) -> float:
        """Seconds before the level."""
        return self.level_s - self.start_s
