"""EDF files in the layout of eegmat (rest and mental arithmetic), made on the spot."""

from pathlib import Path

import numpy as np
from edfio import Edf, EdfSignal
from pydantic import Field

from emo_ray.files import atomic_path, write_atomically
from emo_ray.testing.body_signals import Clock, Person, State, ecg, eeg
from emo_ray.testing.corpus_files import CorpusFiles

SFREQ = 128.0
# old 10-20 names, as recorded
EEG_LABELS = (
    "Fp1", "Fp2", "F3", "F4", "F7", "F8", "T3", "T4", "C3", "C4", "T5", "T6", "P3", "P4", "O1", "O2",
    "Fz", "Cz", "Pz",
)  # fmt: skip
STATES = {1: State(-0.6, 0.0), 2: State(0.8, -0.3)}  # by the number in the file's name: rest, arithmetic


class EegmatFiles(CorpusFiles):
    """``edf_128hz/SubjectNN_1.edf`` (rest) and ``_2.edf`` (serial subtraction), and the table of subjects."""

    n_subjects: int = Field(36, ge=1, le=99, description="people")
    trial_s: int = Field(62, ge=12, description="seconds of each recording")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "EegmatFiles":
        """Thirty seconds a recording."""
        return cls(n_subjects=n_subjects, trial_s=30)

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """``subject-info.csv``."""
        rows = ["Subject,Age,Gender,Recording year,Number of subtractions,Count quality"]
        for index in range(self.n_subjects):
            rng = self.stream(index, "info")
            good = int(rng.random() < 0.7)
            rows.append(f"Subject{index:02d},{rng.integers(17, 26)},F,2011,{5 + 12 * good},{good}")
        path = folder / "subject-info.csv"
        write_atomically(path, "\n".join(rows) + "\n")
        return (path,)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """Both recordings of one subject."""
        paths = []
        for number, state in STATES.items():
            path = folder / "edf_128hz" / f"Subject{index:02d}_{number}.edf"
            with atomic_path(path) as part:
                self._recording(index, number, state).write(part)
            paths.append(path)
        return tuple(paths)

    def _recording(self, index: int, number: int, state: State) -> Edf:
        who = Person.drawn(self.stream(index, "person"), len(EEG_LABELS))
        rng = self.stream(index, number)
        felt = State(self.strength * state.arousal, self.strength * state.valence)
        clock = Clock(round(self.trial_s * SFREQ), SFREQ)
        brain = eeg(rng, who, felt, clock)
        signals = [
            _signal(values, f"EEG {name}", "uV") for values, name in zip(brain, EEG_LABELS, strict=True)
        ]
        signals.append(_signal(0.3 * brain[0] - 0.3 * brain[1], "EEG A2-A1", "uV"))
        signals.append(_signal(ecg(rng, who, felt, clock), "ECG ECG", "mV"))
        return Edf(signals)


def _signal(values: np.ndarray, label: str, unit: str) -> EdfSignal:
    return EdfSignal(values.astype(np.float64), SFREQ, label=label, physical_dimension=unit)
