"""WESAD: 15 people, baseline, stress, amusement and meditation; a chest and a wrist device, synchronised."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.corpora.wesad_quest import DIM, PANAS, SSSQ, STAI, Report, read_quest
from emo_ray.errors import CorpusError
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.rating import RatingTask
from emo_ray.unpickling import load_pickle

SUBJECTS = tuple(f"S{number}" for number in (*range(2, 12), *range(13, 18)))  # S1 and S12 were discarded
LABEL_HZ = 700.0
CONDITIONS = {1: "baseline", 2: "stress", 3: "amusement", 4: "meditation"}
TRANSIENT = 0
IGNORED = (5, 6, 7)  # reading breaks, by the authors' readme
SHORTEST_S = 10.0  # conditions last minutes; a shorter stretch of one label is a slip
WORTH_A_NOTE_S = 1.0  # ends that differ by a fraction of a second are as released
# A condition's label leaves out about 10 s at each of its ends by the questionnaire.
LEFT_OUT_S, SAME_LENGTH_S = 20.0, 60.0

AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Sensor:
    """One array of the pickle: where it lies in it, and what it holds."""

    device: str
    key: str
    modality: str
    sfreq: float
    unit: str
    channels: tuple[str, ...]


SENSORS = (
    Sensor("chest", "ECG", "ecg", 700.0, "mV", ("ECG",)),
    Sensor("chest", "EMG", "emg", 700.0, "mV", ("EMG",)),
    Sensor("chest", "EDA", "eda", 700.0, "uS", ("EDA",)),
    Sensor("chest", "Temp", "temp", 700.0, "degC", ("Temp",)),  # case as in the files
    Sensor("chest", "Resp", "resp", 700.0, "%", ("Resp",)),
    Sensor("chest", "ACC", "acc", 700.0, "g", AXES),
    Sensor("wrist", "BVP", "bvp", 64.0, "arbitrary", ("BVP",)),
    Sensor("wrist", "EDA", "eda", 4.0, "uS", ("EDA",)),
    Sensor("wrist", "TEMP", "temp", 4.0, "degC", ("TEMP",)),
    Sensor("wrist", "ACC", "acc", 32.0, "1/64 g", AXES),
)

PICKLE = re.compile(r"S(\d{1,2})\.pkl", re.IGNORECASE)
QUEST = re.compile(r"S(\d{1,2})_quest\.csv", re.IGNORECASE)

CARD = CorpusCard(
    title="WESAD, a multimodal dataset for wearable stress and affect detection",
    licence=(
        "said to be CC BY 4.0 at UCI, a page not seen by us; the authors' readme states none and asks to "
        "cite; some call it scientific and non-commercial: look at the UCI page before publishing outside"
    ),
    citation="Schmidt, Reiss, Duerichen, Marberger & Van Laerhoven (2018), ICMI, 400-408",
    doi="10.1145/3242969.3242985",
    access="UCI Machine Learning Repository, dataset 465, doi 10.24432/C57K5T",
)


class Wesad(CorpusConfig):
    """The synchronised pickles, ``S2/S2.pkl``, with ``S2_quest.csv`` where it lies beside.

    One recording is one stretch of one condition by the pickle's own label; a subject has five, meditation
    being there twice. Its rating ``label`` is the code of the condition; ``self_valence``, ``self_arousal``,
    ``stai_1`` to ``stai_6``, ``panas_1`` to ``panas_26`` and, of stress, ``sssq_1`` to ``sssq_6`` are the
    answers given after it. With both devices, modalities that both have are ``chest_eda`` and ``wrist_eda``,
    and so on.
    """

    kind: Literal["wesad"] = "wesad"
    path: Path = Field(description="folder that holds the SX.pkl files, at any depth")
    device: Literal["chest", "wrist", "both"] = "chest"

    @property
    def card(self) -> CorpusCard:
        """Of the release."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """Fifteen people in four conditions."""
        code = DeclaredRating(1.0, 4.0, ", ".join(f"{code} {name}" for code, name in CONDITIONS.items()))
        scale = DeclaredRating(1.0, 9.0, "self-assessment manikin, after the condition")
        items = {name: DeclaredRating(1.0, 4.0, "item of the STAI, as answered") for name in STAI}
        items |= {name: DeclaredRating(1.0, 5.0, "item of the PANAS, as answered") for name in PANAS}
        items |= {name: DeclaredRating(1.0, 5.0, "item of the SSSQ, after stress alone") for name in SSSQ}
        return Declaration(
            n_subjects=len(SUBJECTS),
            sessions=("1",),
            n_trials=5,
            signals={
                name: DeclaredSignal(sensor.channels, (sensor.sfreq,), sensor.unit)
                for name, sensor in self.sensors.items()
            },
            ratings={"label": code, **dict.fromkeys(DIM, scale), **items},
            unverified=("a label leaves out about 10 s at each end of its condition",),
        )

    @property
    def sensors(self) -> Mapping[str, Sensor]:
        """Those that are read, by name of the modality."""
        used = [sensor for sensor in SENSORS if self.device in (sensor.device, "both")]
        times = Counter(sensor.modality for sensor in used)
        return {
            sensor.modality if times[sensor.modality] == 1 else f"{sensor.device}_{sensor.modality}": sensor
            for sensor in used
        }

    @classmethod
    def recognise(cls, folder: Path) -> "Wesad | None":
        """By ``S2.pkl`` and its like."""
        if any(PICKLE.fullmatch(file.name) for file in folder.rglob("*.[pP][kK][lL]")):
            return cls(path=folder)
        return None

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to its pickle, and its questionnaire where there is one.

        Raises
        ------
        CorpusError : no pickle is found, a subject has two, or a link leads out of the folder
        """
        pickles, quests = self._by_subject(PICKLE), self._by_subject(QUEST)
        if not pickles:
            raise CorpusError(f"{self.path} holds no SX.pkl: unpack the release there, or correct the path")
        subjects = sorted(pickles, key=natural_key)
        return {
            subject: (pickles[subject], *([quests[subject]] if subject in quests else []))
            for subject in subjects
        }

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the conditions of one subject, for instance ``"wesad/S2"``, in the order of the day.

        Raises
        ------
        CorpusError : the subject is unknown, or its pickle or questionnaire is broken or not as released
        """
        files = files_of(subject, self.find_subjects(), self.path)
        account = Account(subject, files[0].name)
        reports = read_quest(files[1]) if len(files) > 1 else ()
        if len(files) < 2:
            account.note("all", f"no {files[0].stem}_quest.csv, so no self-reports")
        return SubjectReader(account, files[0], reports, self.sensors).read()

    def notes(self) -> tuple[str, ...]:
        """Who is missing, and who was never there."""
        found = [subject.removeprefix("wesad/") for subject in self.find_subjects()]
        missing = [name for name in SUBJECTS if name not in found]
        unknown = [name for name in found if name not in SUBJECTS]
        notes = []
        if missing:
            notes.append(f"{len(found)} subjects found; the release also has {', '.join(missing)}")
        if unknown:
            notes.append(f"{', '.join(unknown)}: not of the release, which has no S1 and no S12")
        return tuple(notes)

    def tasks(self) -> Mapping[str, TaskConfig]:
        """The authors' three classes by default; stress against the rest; own valence and arousal."""
        three = (("baseline", (1.0,)), ("stress", (2.0,)), ("amusement", (3.0,)))
        return {
            "three_classes": ClassTask(classes=three),
            "stress": ClassTask(classes=(("no stress", (1.0, 3.0)), ("stress", (2.0,)))),
            "four_classes": ClassTask(classes=(*three, ("meditation", (4.0,)))),
            "valence": RatingTask(rating="self_valence", rule="gt_5"),
            "arousal": RatingTask(rating="self_arousal", rule="gt_5"),
        }

    def _by_subject(self, pattern: re.Pattern[str]) -> dict[str, Path]:
        matches = matching_files(self.path, pattern)
        return one_each(((f"wesad/S{int(match[1])}", file) for file, match in matches.items()), "subject")


@dataclass(frozen=True)
class Stretch:
    """Samples of the label, from ``start`` up to ``stop``, that carry one code."""

    code: int
    start: int
    stop: int


@dataclass(frozen=True)
class SubjectReader:
    """Reads one pickle, keeping account of what is left out and what is odd."""

    account: Account
    file: Path
    reports: tuple[Report, ...]
    sensors: Mapping[str, Sensor]

    def read(self) -> SubjectRecordings:
        """All stretches, as recordings."""
        content = self._content()
        arrays = {name: self._array(content, sensor) for name, sensor in self.sensors.items()}
        label = self._label(content)
        ends_s = {name: len(values) / self.sensors[name].sfreq for name, values in arrays.items()}
        ends_s["label"] = label.size / LABEL_HZ
        end_s = min(ends_s.values())
        if max(ends_s.values()) - end_s > WORTH_A_NOTE_S:
            shortest = min(ends_s, key=lambda name: ends_s[name])
            self.account.note("all", f"all are cut at {end_s:.1f} s, where {shortest} ends")
        stretches = self._stretches(label[: int(end_s * LABEL_HZ)])
        times = Counter(stretch.code for stretch in stretches)
        self._compare_order(stretches)
        recordings, seen = [], Counter[int]()
        for stretch in stretches:
            seen[stretch.code] += 1
            # the two meditations are trials of their own, though of one clip
            number = str(seen[stretch.code]) if times[stretch.code] > 1 else ""
            report = self._report(CONDITIONS[stretch.code], seen[stretch.code])
            recordings.append(self._recording(stretch, number, arrays, report))
        return self.account.closed(recordings)

    def _recording(
        self, stretch: Stretch, number: str, arrays: Mapping[str, np.ndarray], report: Report | None
    ) -> Recording:
        condition = CONDITIONS[stretch.code]
        trial = f"{condition}{number}"
        self._compare_length(stretch, trial, report)
        return Recording(
            subject=self.account.subject,
            session="1",
            trial=trial,
            clip=f"wesad/{condition}",
            group=self.account.subject,
            signals={name: self._signal(name, values, stretch, trial) for name, values in arrays.items()},
            ratings={"label": float(stretch.code), **(report.answers if report else {})},
            start_s=stretch.start / LABEL_HZ,
        )

    def _signal(self, name: str, values: np.ndarray, stretch: Stretch, trial: str) -> Signal:
        """The samples within the stretch; the first of a slow sensor comes a little after its start."""
        sensor = self.sensors[name]
        start_s, stop_s = stretch.start / LABEL_HZ, stretch.stop / LABEL_HZ
        first, stop = int(np.ceil(start_s * sensor.sfreq)), int(np.floor(stop_s * sensor.sfreq))
        channels = tuple(f"{name} {channel}" if channel in AXES else channel for channel in sensor.channels)
        cut = self.account.finite_float32(values[first:stop].T, channels, trial)
        return Signal(cut, sensor.sfreq, sensor.unit, sensor.channels, first / sensor.sfreq - start_s)

    def _stretches(self, label: Int[np.ndarray, " times"]) -> list[Stretch]:
        """Stretches of the four conditions, in order."""
        edges = np.flatnonzero(np.diff(label)) + 1
        starts, stops = np.append(0, edges), np.append(edges, label.size)
        codes = label[starts]
        is_condition = np.isin(codes, list(CONDITIONS))
        is_long = stops - starts >= SHORTEST_S * LABEL_HZ
        n_short = int(np.count_nonzero(is_condition & ~is_long))
        if n_short:
            self.account.note(
                "all", f"{n_short} stretches of a condition shorter than {SHORTEST_S:g} s left out"
            )
        self._note_other_codes(label)
        kept = np.flatnonzero(is_condition & is_long)
        return [Stretch(int(codes[k]), int(starts[k]), int(stops[k])) for k in kept]

    def _note_other_codes(self, label: Int[np.ndarray, " times"]) -> None:
        codes, counts = np.unique(label, return_counts=True)
        is_reading = np.isin(codes, IGNORED)
        if is_reading.any():
            detail = f"{counts[is_reading].sum() / LABEL_HZ:.0f} s"
            self.account.note("all", "reading breaks (labels 5 to 7) left out", detail)
        other = [code for code in codes[~is_reading].tolist() if code not in CONDITIONS and code != TRANSIENT]
        if other:
            shown = ", ".join(map(str, other[:10]))
            self.account.note("all", f"labels that the release is not known to have: {shown}")

    def _report(self, condition: str, number: int) -> Report | None:
        """What was said after the condition, or after its second time."""
        own = [report for report in self.reports if report.condition == condition]
        return own[number - 1] if number <= len(own) else None

    def _compare_order(self, stretches: list[Stretch]) -> None:
        found = [CONDITIONS[stretch.code] for stretch in stretches]
        told = [report.condition for report in self.reports]
        if told and found != told:
            self.account.note("all", f"conditions {', '.join(found)}; by the questionnaire {', '.join(told)}")

    def _compare_length(self, stretch: Stretch, trial: str, report: Report | None) -> None:
        """The length alone: the questionnaire's clock starts elsewhere."""
        found_s = (stretch.stop - stretch.start) / LABEL_HZ
        if report and abs(found_s + LEFT_OUT_S - report.duration_s) > SAME_LENGTH_S:
            detail = f"{found_s:.0f} s and {report.duration_s:.0f} s"
            self.account.note(trial, "another length by label than by questionnaire", detail)

    def _content(self) -> Mapping[str, Any]:
        try:
            with self.file.open("rb") as stream:
                content = load_pickle(stream, str(self.file))
        except OSError as error:
            raise CorpusError(
                f"{self.file}: can not be read ({error.strerror or error}): restore it"
            ) from error
        if not isinstance(content, dict) or not isinstance(content.get("signal"), dict):
            raise self._other(f"holds no 'signal' with the devices ({_keys(content)})")
        written = content.get("subject")
        # a copy of one person under another's name would be a leak
        if isinstance(written, str) and f"wesad/{written}" != self.account.subject:
            raise self._other(f"is of subject {written[:20]!r} by its own content")
        return content

    def _array(self, content: Mapping[str, Any], sensor: Sensor) -> np.ndarray:
        device = content["signal"].get(sensor.device)
        values = device.get(sensor.key) if isinstance(device, dict) else None
        where = f"signal, {sensor.device}, {sensor.key}"
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise self._other(f"has no numbers {where} ({_keys(device)})")
        if values.ndim != 2 or values.shape[1] != len(sensor.channels):
            raise self._other(f"{where} are of shape {values.shape}, not (times, {len(sensor.channels)})")
        return values

    def _label(self, content: Mapping[str, Any]) -> Int[np.ndarray, " times"]:
        values = content.get("label")
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
            raise self._other(f"has no whole numbers 'label' ({_keys(content)})")
        if values.size == 0 or values.shape not in ((values.size,), (values.size, 1)):
            raise self._other(f"label is of shape {values.shape}, not (times,)")
        label: Int[np.ndarray, " times"] = values.reshape(-1).astype(np.int64)
        return label

    def _other(self, what: str) -> CorpusError:
        return CorpusError(f"{self.file}: {what}: use the file as it was released")


def _keys(content: object) -> str:
    keys = ", ".join(map(str, content))[:200] if isinstance(content, dict) else ""
    return f"it has {keys}" if keys else f"it is a {type(content).__name__}"
