"""A file in the layout of DREAMER.mat, made on the spot: one struct of all people."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy
from jaxtyping import Float64
from pydantic import Field

from emo_ray.corpora.dreamer import BASELINE_S, ECG_HZ, EEG_HZ, LONGEST_S, N_CLIPS, SHORTEST_S, TARGETS
from emo_ray.files import atomic_path
from emo_ray.signals.electrodes import EMO14
from emo_ray.testing.body_signals import Clock, Person, State, ecg, eeg
from emo_ray.testing.corpus_files import CorpusFiles, stream

HEADER_TEXT = b"MATLAB 5.0 MAT-file, synthetic DREAMER made by emo_ray".ljust(116)
# EEG is written in steps of 1/2 uV, as the headset of 14 bits has them.
EEG_STEPS = 2.0
ECG_UNITS_A_MV = 500.0
ECG_MIDDLE = 2048.0  # of a converter of 12 bits
# What each target emotion does to valence and arousal, -1 to 1; after the circumplex of Russell (1980).
AFFECT = {
    "calmness": (0.6, -0.9), "surprise": (0.4, 0.7), "amusement": (0.9, 0.4), "fear": (-0.8, 0.8),
    "excitement": (0.8, 0.9), "disgust": (-0.8, 0.2), "happiness": (0.9, 0.1), "anger": (-0.9, 0.7),
    "sadness": (-0.7, -0.6),
}  # fmt: skip


class DreamerFiles(CorpusFiles):
    """``DREAMER.mat``; with 23 people and released lengths it has 2 GB, and takes twice that to make."""

    n_subjects: int = Field(23, ge=1, le=99, description="people")
    baseline_s: float = Field(
        BASELINE_S, gt=0, description="seconds of the neutral clip before each stimulus"
    )
    shortest_s: float = Field(SHORTEST_S, gt=0, description="seconds of the shortest stimulus")
    longest_s: float = Field(LONGEST_S, gt=0, description="seconds of the longest stimulus")
    offset_uv: float = Field(4000.0, description="of all EEG")
    extra_ecg_rows: int = Field(
        1, ge=0, description="ECG samples beyond twice those of EEG, in every other clip"
    )
    compressed: bool = True

    @property
    def n_parts(self) -> int:
        """All people share one file."""
        return 1

    @classmethod
    def small(cls, n_subjects: int = 3) -> "DreamerFiles":
        """Stimuli of 20 to 30 s after 5 s of baseline."""
        return cls(n_subjects=n_subjects, baseline_s=5.0, shortest_s=20.0, longest_s=30.0)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """The one file."""
        people = cells([self._person(number) for number in range(self.n_subjects)]).reshape(1, -1)
        content = {
            "Data": people,
            "EEG_SamplingRate": EEG_HZ,
            "ECG_SamplingRate": ECG_HZ,
            "EEG_Electrodes": cells(list(EMO14)).reshape(1, -1),
            "noOfSubjects": float(self.n_subjects),
            "noOfVideoSequences": float(N_CLIPS),
            "Disclaimer": "synthetic: nobody was recorded",
            "Provider": "emo_ray",
            "Version": "synthetic",
            "Acknowledgement": "the layout is that of DREAMER",
        }
        file = folder / "DREAMER.mat"
        with atomic_path(file) as part, part.open("wb") as target:
            scipy.io.savemat(target, {"DREAMER": content}, do_compression=self.compressed)
            target.seek(0)
            target.write(HEADER_TEXT)  # in place of SciPy's, which holds the time of writing
        return (file,)

    def stimuli_s(self) -> tuple[float, ...]:
        """Seconds of every clip: equal for all people, from the shortest to the longest in a mixed order."""
        order = stream(0, "dreamer", "lengths").permutation(N_CLIPS)
        lengths = np.round(np.linspace(self.shortest_s, self.longest_s, N_CLIPS))
        return tuple(float(second) for second in lengths[order])

    def _person(self, index: int) -> dict[str, object]:
        who = Person.drawn(self.stream("person", index), len(EMO14))
        clips = [self._clip(index, clip, who) for clip in range(N_CLIPS)]
        scores = np.array([self._scores(index, clip) for clip in range(N_CLIPS)])  # clips 3
        names = ("ScoreValence", "ScoreArousal", "ScoreDominance")
        columns = {name: scores[:, [place]].astype(np.uint8) for place, name in enumerate(names)}
        return {
            "Age": str(22 + index % 12),
            "Gender": "male" if index % 2 else "female",
            "EEG": {
                "baseline": cells([clip[0] for clip in clips]),
                "stimuli": cells([clip[2] for clip in clips]),
            },
            "ECG": {
                "baseline": cells([clip[1] for clip in clips]),
                "stimuli": cells([clip[3] for clip in clips]),
            },
            **columns,
        }

    def _scores(self, index: int, clip: int) -> list[int]:
        """Valence, arousal, dominance, 1 to 5: what the clip is for, and what the person makes of it."""
        valence, arousal = AFFECT[TARGETS[clip]]
        aimed = 3 + 1.6 * np.array([valence, arousal, 0.3 * valence])
        noise = 0.6 * self.stream("scores", index, clip).standard_normal(3)
        return [int(score) for score in np.clip(np.rint(aimed + noise), 1, 5)]

    def _clip(self, index: int, clip: int, who: Person) -> tuple[np.ndarray, ...]:
        """EEG and ECG of the baseline, then of the stimulus; samples first."""
        valence, arousal, _ = (self.strength * (score - 3) / 2 for score in self._scores(index, clip))
        before, during = self.stream("baseline", index, clip), self.stream("stimulus", index, clip)
        felt = State(arousal, valence)
        surplus = self.extra_ecg_rows if clip % 2 else 0
        return (
            *self._signals(before, who, State(), self.baseline_s, 0),
            *self._signals(during, who, felt, self.stimuli_s()[clip], surplus),
        )

    def _signals(
        self, rng: np.random.Generator, who: Person, state: State, duration_s: float, surplus: int
    ) -> tuple[Float64[np.ndarray, "times 14"], Float64[np.ndarray, "times_ecg 2"]]:
        n_times = round(duration_s * EEG_HZ)
        brain = eeg(rng, who, state, Clock(n_times, EEG_HZ)) + self.offset_uv
        heart = ecg(rng, who, state, Clock(2 * n_times + surplus, ECG_HZ))
        leads = np.stack([heart, 0.6 * heart + 0.02 * rng.standard_normal(heart.size)])
        return (
            np.round(brain.T * EEG_STEPS).astype(np.float64) / EEG_STEPS,
            np.round(ECG_MIDDLE + ECG_UNITS_A_MV * leads.T).astype(np.float64),
        )


def cells(values: Sequence[object]) -> np.ndarray:
    """An (n, 1) object array, which MATLAB calls a cell array."""
    column = np.empty((len(values), 1), dtype=object)
    for place, value in enumerate(values):
        column[place, 0] = value
    return column
