"""Files in the layout of CL-Drive, made on the spot: a CSV a sensor and level, a CSV of labels a person."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float64
from pyarrow import csv
from pydantic import Field

from emo_ray.corpora.cl_drive import DRIVING_STARTS_S, LABEL_S, LEVELS, PARTICIPANTS, SENSORS, Modality
from emo_ray.files import atomic_path, write_atomically
from emo_ray.testing import body_signals
from emo_ray.testing.body_signals import Clock, Person, State
from emo_ray.testing.corpus_files import CorpusFiles

# Of the release: participant to levels that were not recorded.
MISSING: Mapping[str, tuple[int, ...]] = {"1629": (6, 9), "1744": (7, 8, 9), "1868": (8, 9)}
FOLDERS: Mapping[Modality, str] = {"eeg": "EEG", "ecg": "ECG", "eda": "EDA", "gaze": "Gaze"}
# Columns that no reader is to take for a channel, before and behind those that it is to take.
OTHERS: Mapping[Modality, tuple[str, ...]] = {
    "eeg": ("AUX",), "ecg": (), "eda": ("GSR Resistance CAL",), "gaze": (),
}  # fmt: skip
DECIMALS = 3
JITTER_S = 2e-4


class ClDriveFiles(CorpusFiles):
    """``EEG/1030/eeg_data_level_1.csv`` and its like, and ``Labels/1030.csv``; 50 MB a person."""

    n_subjects: int = Field(len(PARTICIPANTS), ge=1, le=len(PARTICIPANTS), description="people")
    levels: tuple[int, ...] = Field(LEVELS, min_length=1, description="of 1 to 9")
    level_s: int = Field(180, ge=20, description="seconds of a level; a label for each 10 of them")
    baseline_s: int = Field(20, ge=0, description="seconds of the recording before each level; 0 for none")
    modalities: tuple[Modality, ...] = ("eeg", "ecg", "eda", "gaze")
    layout: Literal["released", "reorganised"] = Field(
        "released", description="reorganised: participant_ID_01, _processed; driving starts at time stamp 120"
    )
    missing: Mapping[str, tuple[int, ...]] = Field(MISSING, description="participant to levels without files")
    n_nans: int = Field(5, ge=0, description="EEG samples without a number, of each file")
    gap_s: float = Field(1.0, ge=0, description="left out of the EEG of each person's first level")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "ClDriveFiles":
        """Three levels of 40 s; the second person lacks one."""
        return cls(
            n_subjects=n_subjects, levels=(2, 5, 8), level_s=40, baseline_s=0, missing={PARTICIPANTS[1]: (5,)}
        )

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All files of one person."""
        name = self.name(index)
        suffix = "_processed" if self.layout == "reorganised" else ""
        files = [self._write_labels(index, folder)]
        for level in self.levels:
            if level in self.missing.get(PARTICIPANTS[index], ()):
                continue
            for modality in self.modalities:
                place = folder / FOLDERS[modality] / name
                files.append(place / f"{modality}_data_level_{level}{suffix}.csv")
                self._write(index, modality, level, files[-1])
                if self.baseline_s:
                    files.append(place / f"{modality}_baseline_level_{level}{suffix}.csv")
                    self._write_baseline(index, modality, level, files[-1])
        return tuple(files)

    def name(self, index: int) -> str:
        """Of a person's folders."""
        return f"participant_ID_{index + 1:02d}" if self.layout == "reorganised" else PARTICIPANTS[index]

    def loads(self, index: int, level: int) -> Float64[np.ndarray, " labels"]:
        """What a person reports every 10 s: about the level, up to two more or less."""
        n_labels = int(self.level_s // LABEL_S)
        drawn = self.stream("loads", index, level).integers(-2, 3, n_labels)
        return np.clip(level + drawn, 1, 9).astype(np.float64)

    def _write_labels(self, index: int, folder: Path) -> Path:
        name = self.name(index)
        suffix = "_modified" if self.layout == "reorganised" else ""
        columns = {level: self.loads(index, level) for level in self.levels}
        lines = [",".join(["time", *(f"lvl_{level}" for level in LEVELS)])]
        for row in range(int(self.level_s // LABEL_S)):
            cells = [f"{columns[level][row]:g}" if level in columns else "" for level in LEVELS]
            lines.append(",".join([str(row * 10), *cells]))
        file = folder / "Labels" / f"{name}{suffix}.csv"
        write_atomically(file, "\n".join(lines) + "\n")
        return file

    def _write(self, index: int, modality: Modality, level: int, file: Path) -> None:
        """One level: every 10 s as loaded as its label says."""
        states = [
            State(arousal=self.strength * (load - 5) / 4, valence=-self.strength * (load - 5) / 8)
            for load in self.loads(index, level)
        ]
        rng = self.stream("signals", index, modality, level)
        values = _values(rng, self._person(index), modality, states)
        start_s = DRIVING_STARTS_S if self.layout == "reorganised" else 0.0
        n_times = values.shape[1]
        stamps_s = start_s + np.arange(n_times) / SENSORS[modality].sfreq
        stamps_s += rng.uniform(0, JITTER_S, n_times)
        kept = np.ones(n_times, dtype=bool)
        if modality == "eeg":
            values[0, rng.integers(0, n_times, self.n_nans)] = np.nan
            if level == self.levels[0]:
                first = n_times // 2
                kept[first : first + round(self.gap_s * SENSORS[modality].sfreq)] = False
        _write_csv(file, modality, stamps_s[kept], values[:, kept])

    def _write_baseline(self, index: int, modality: Modality, level: int, file: Path) -> None:
        rng = self.stream("baseline", index, modality, level)
        n_chunks = int(np.ceil(self.baseline_s / LABEL_S))
        values = _values(rng, self._person(index), modality, [State()] * n_chunks)
        values = values[:, : round(self.baseline_s * SENSORS[modality].sfreq)]
        _write_csv(file, modality, np.arange(values.shape[1]) / SENSORS[modality].sfreq, values)

    def _person(self, index: int) -> Person:
        return Person.drawn(self.stream("person", index), len(SENSORS["eeg"].channels))


def _values(
    rng: np.random.Generator, who: Person, modality: Modality, states: Sequence[State]
) -> Float64[np.ndarray, "channels times"]:
    """One sensor, 10 s of every state: brain and eyes in pieces, heart and skin in one course."""
    sfreq = SENSORS[modality].sfreq
    piece, whole = Clock(round(LABEL_S * sfreq), sfreq), Clock(round(LABEL_S * sfreq) * len(states), sfreq)
    if modality == "eeg":
        pieces = [body_signals.eeg(rng, who, state, piece) for state in states]
        return np.hstack(pieces).astype(np.float64)
    if modality == "ecg":
        heart = body_signals.ecg(rng, who, states, whole)
        return np.outer([1.0, 0.7, 1.3], heart) + 0.01 * rng.standard_normal((3, whole.n_times))
    if modality == "eda":
        return body_signals.eda(rng, who, states, whole)[None].astype(np.float64)
    pupils = np.repeat([3.5 + 0.3 * state.arousal for state in states], piece.n_times)
    motion = np.abs(rng.standard_normal((2, whole.n_times))) * np.array([[30.0], [400.0]])
    return np.vstack([pupils + 0.05 * rng.standard_normal((2, whole.n_times)), motion])


def _write_csv(
    file: Path,
    modality: Modality,
    stamps_s: Float64[np.ndarray, " times"],
    values: Float64[np.ndarray, "channels times"],
) -> None:
    others = OTHERS[modality]
    header = ",".join(["Timestamp", *SENSORS[modality].channels, *others]) + "\n"
    columns = [np.round(stamps_s, 6), *np.round(values, DECIMALS), *[np.zeros(len(stamps_s))] * len(others)]
    table = pa.table(
        [pa.array(column, from_pandas=True) for column in columns], [str(k) for k in range(len(columns))]
    )
    with atomic_path(file) as part, part.open("wb") as target:
        target.write(header.encode())
        csv.write_csv(table, target, csv.WriteOptions(include_header=False))
