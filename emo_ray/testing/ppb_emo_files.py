"""PPB-Emo's EEG exports and label workbook, and Phy-FusionNet's merged table of them, made on the spot."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from openpyxl import Workbook
from pydantic import Field

from emo_ray.corpora.neband_table import BANDS, ELECTRODES
from emo_ray.corpora.ppb_emo import CODES, EMOTIONS
from emo_ray.files import atomic_path
from emo_ray.testing.body_signals import EEG_RMS, Clock, Person, State, eeg
from emo_ray.testing.corpus_files import CorpusFiles

# Circumplex places of the emotions, roughly.
STATES = {
    "SD": State(0.8, 0.3),
    "FD": State(0.9, -0.7),
    "DD": State(0.3, -0.8),
    "HD": State(0.6, 0.9),
    "SAD": State(-0.7, -0.7),
    "AD": State(0.9, -0.9),
    "ND": State(-0.5, 0.1),
}
START_UTC_S = 1_600_000_000.0
BAND_HZ = 8.0
JOIN = "PPB_Emo_dataset@Physiological_data"


class PpbEmoFiles(CorpusFiles):
    """One CSV a drive: time columns, 160 sparse band powers, 32 raw channels last; and the workbook."""

    n_subjects: int = Field(40, ge=1, le=98, description="people, P02 and up")
    trial_s: float = Field(30.0, ge=4, description="seconds of a drive")
    sfreq: Literal[250, 500] = 500
    left_out: int = Field(1, ge=0, le=3, description="drives that every third participant lacks")
    workbook: bool = Field(True, description="Emotion_label.xlsx")
    raw_names: str = Field("NE_CH{}", description="names of the raw columns")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "PpbEmoFiles":
        """Twelve seconds at 250 Hz."""
        return cls(n_subjects=n_subjects, trial_s=12.0, sfreq=250)

    def drives(self, index: int) -> tuple[str, ...]:
        """Codes of the drives of one participant."""
        return tuple(CODES)[: len(CODES) - (self.left_out if index % 3 == 2 else 0)]

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """The workbook."""
        if not self.workbook:
            return ()
        book = Workbook()
        sheet = book.active
        assert sheet is not None, "a new workbook has a sheet"
        sheet.append(["participant", "category", "valence", "arousal", "dominance", "intensity", JOIN])
        for index in range(self.n_subjects):
            for code in self.drives(index):
                rng = self.stream(index, code, "ratings")
                state = STATES[code]
                own = [5 + 3 * value + rng.normal() for value in (state.valence, state.arousal, 0.0, 0.5)]
                shown = [int(np.clip(round(value), 1, 9)) for value in own]
                sheet.append([person_name(index), code, *shown, stem(index, code)])
        path = folder / "Psychological_data" / "Emotion_label.xlsx"
        with atomic_path(path) as part:
            book.save(part)
        return (path,)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All drives of one participant."""
        paths = []
        for code in self.drives(index):
            path = folder / "Physiological_data" / person_name(index) / f"{stem(index, code)}.csv"
            with atomic_path(path) as part:
                pa_csv.write_csv(self.table(index, code, lower=False), part)
            paths.append(path)
        return tuple(paths)

    def table(self, index: int, code: str, lower: bool) -> pa.Table:
        """One drive: a row a raw sample, band powers in every so-manieth row."""
        clock = Clock(round(self.trial_s * self.sfreq), float(self.sfreq))
        who = Person.drawn(self.stream(index, "person"), len(ELECTRODES))
        rng = self.stream(index, code)
        felt = State(self.strength * STATES[code].arousal, self.strength * STATES[code].valence)
        raw = eeg(rng, who, felt, clock)  # channels times
        start_s = START_UTC_S + 86_400 * index + 600 * list(CODES).index(code)
        seconds = start_s + np.arange(clock.n_times) / clock.sfreq
        stamps = pa.array((seconds * 1e6).astype("int64"), pa.timestamp("us"))
        columns: dict[str, pa.Array] = {
            "REC_time": stamps,
            "UTC": pa.array(np.round(seconds * 1e3).astype("int64")),
        }
        columns |= self._bands(raw, clock)
        columns |= {
            self.raw_names.format(number + 1): pa.array(np.round(values.astype(np.float64), 3))
            for number, values in enumerate(raw)
        }
        return pa.table({name.lower() if lower else name: column for name, column in columns.items()})

    def _bands(self, raw: np.ndarray, clock: Clock) -> dict[str, pa.Array]:
        step = round(clock.sfreq / BAND_HZ)
        rows = np.arange(0, clock.n_times, step)
        columns = {}
        for band, (low_hz, high_hz) in zip(BANDS, EEG_RMS, strict=True):
            level = _band_level(raw, clock, low_hz, high_hz)
            for sensor in range(len(raw)):
                cells = np.full(clock.n_times, np.nan)
                cells[rows] = np.round(level[sensor, rows], 4)
                name = f"NEBAND_{band}-sensor-{sensor + 1}"
                columns[name] = pa.array(cells, from_pandas=True)  # NaN is an empty cell
        return columns


class PhyFusionNetFiles(PpbEmoFiles):
    """``merged_data.csv``: the same drives in one table, lower-case names, an unnamed index before."""

    workbook: bool = False

    @property
    def n_parts(self) -> int:
        """One file."""
        return 1

    @classmethod
    def small(cls, n_subjects: int = 3) -> "PhyFusionNetFiles":
        """Twelve seconds at 250 Hz."""
        return cls(n_subjects=n_subjects, trial_s=12.0, sfreq=250)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """The table, drive after drive, so that memory holds one of them."""
        path = folder / "merged_data.csv"
        with atomic_path(path) as part:
            writer = None
            for drive in self._drives():
                writer = writer or pa_csv.CSVWriter(part, drive.schema)
                writer.write_table(drive)
            if writer:
                writer.close()
        return (path,)

    def _drives(self) -> Iterator[pa.Table]:
        n_rows = 0
        for who in range(self.n_subjects):
            for code in self.drives(who):
                drive = self.table(who, code, lower=True)
                size = len(drive)
                front = {
                    "Unnamed: 0": pa.array(np.arange(n_rows, n_rows + size)),
                    "dataset_name": pa.array(["PPB-Emo"] * size),
                    "participant": pa.array([person_name(who)] * size),
                    "category": pa.array([code] * size),
                }
                n_rows += size
                yield pa.table(front | dict(zip(drive.column_names, drive.columns, strict=True)))


def person_name(index: int) -> str:
    """``P02`` and up."""
    return f"P{index + 2:02d}"


def stem(index: int, code: str) -> str:
    """Of the export of one drive."""
    assert code in EMOTIONS, code
    return f"PPB_Emo_dataset@EEG-30s-{person_name(index)}-{code}"


def _band_level(raw: np.ndarray, clock: Clock, low_hz: float, high_hz: float) -> np.ndarray:
    """Log power of one band around every sample, smoothed over a second."""
    spectrum = np.fft.rfft(raw, axis=1)
    freqs = np.fft.rfftfreq(clock.n_times, 1 / clock.sfreq)
    spectrum[:, (freqs < low_hz) | (freqs >= high_hz)] = 0
    squares = np.fft.irfft(spectrum, clock.n_times, axis=1) ** 2
    width = round(clock.sfreq)
    running = np.cumsum(np.pad(squares, ((0, 0), (width, 0)), mode="edge"), axis=1)
    return np.log10((running[:, width:] - running[:, :-width]) / width + 1e-12)
