"""Files in the layout of DEAP, made on the spot: three packagings and the table of ratings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float32, Float64
from pydantic import Field

from emo_ray.corpora.deap import BASELINE_S, N_VIDEOS, SFREQ
from emo_ray.corpora.deap_ratings import SCALES
from emo_ray.files import atomic_path, write_atomically
from emo_ray.signals.electrodes import DEAP32
from emo_ray.testing import body_signals
from emo_ray.testing.bdf_blocks import Block, write_bdf
from emo_ray.testing.body_signals import Clock, Person, State
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.python2_pickle import write_python2_pickle

# In place of SciPy's text, which holds the time of writing: the same arguments give the same bytes.
HEADER_TEXT = b"MATLAB 5.0 MAT-file, synthetic DEAP subject made by emo_ray".ljust(116)

# The order of the electrodes in the raw files of the first site; those of the second have the other.
TWENTE = (
    *("Fp1", "AF3", "F7", "F3", "FC1", "FC5", "T7", "C3", "CP1", "CP5", "P7", "P3", "Pz", "PO3", "O1", "Oz"),
    *("O2", "PO4", "P4", "P8", "CP6", "CP2", "C4", "T8", "FC6", "FC2", "F4", "F8", "AF4", "Fp2", "Fz", "Cz"),
)
RAW_OTHERS = (
    *(f"EXG{number}" for number in range(1, 9)),
    *("GSR1", "GSR2", "Erg1", "Erg2", "Resp", "Plet", "Temp"),
)
RAW_SFREQ = 512
FIXATION, VIDEO_START, VIDEO_END = 3, 4, 5
UPPER_BITS = 1638148 - VIDEO_START  # set in some files of the release; the low byte is the code
LEAD_S, REST_S = 2, 2  # whole seconds before the first fixation, after each video
OFFSET_UV = 5000.0  # electrodes of raw recordings drift far from 0


class DeapFiles(CorpusFiles):
    """``data_preprocessed_python``, ``data_preprocessed_matlab``, ``data_original``, ``metadata_csv``.

    As released, a subject has 103 MB in the python packaging and 220 MB raw.
    """

    n_subjects: int = Field(32, ge=1, le=99, description="people")
    packagings: tuple[Literal["python", "matlab", "raw"], ...] = Field(("python",), min_length=1)
    n_videos: int = Field(N_VIDEOS, ge=1, le=N_VIDEOS, description="the first so many")
    video_s: int = Field(60, ge=4, description="seconds of a video, behind 3 s of baseline")
    with_ratings: bool = Field(True, description="participant_ratings.csv, too")
    no_familiarity: tuple[int, ...] = Field((2, 15, 23), description="participants who were not asked")
    first_of_geneva: int = Field(23, ge=1, description="from here on the electrodes stand in the other order")
    upper_bits: tuple[int, ...] = Field((2,), description="participants with odd bits in their triggers")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "DeapFiles":
        """Four videos of 20 s, python packaging."""
        return cls(n_subjects=n_subjects, n_videos=4, video_s=20, first_of_geneva=2)

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """The table of ratings, in order of presentation."""
        if not self.with_ratings:
            return ()
        names = ("Participant_id", "Trial", "Experiment_id", "Start_time", *map(str.capitalize, SCALES))
        lines = [",".join((*names, "Familiarity"))]
        for index in range(self.n_subjects):
            ratings = self.ratings(index)
            familiarity = self.stream("familiarity", index).integers(1, 6, self.n_videos)
            for position, video in enumerate(self.order(index)):
                known = "" if index + 1 in self.no_familiarity else str(familiarity[video])
                start = round(1e6 * self._video_start_s(position))
                scores = ",".join(f"{value:.2f}" for value in ratings[video])
                lines.append(f"{index + 1},{position + 1},{video + 1},{start},{scores},{known}")
        file = folder / "metadata_csv" / "participant_ratings.csv"
        write_atomically(file, "\n".join(lines) + "\n")
        return (file,)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All files of one subject."""
        stem = f"s{index + 1:02d}"
        files: list[Path] = []
        if "raw" in self.packagings:
            channels = (*(DEAP32 if index + 1 >= self.first_of_geneva else TWENTE), *RAW_OTHERS)
            file = folder / "data_original" / f"{stem}.bdf"
            files.append(write_bdf(file, channels, RAW_SFREQ, self._blocks(index, channels)))
        if "python" in self.packagings or "matlab" in self.packagings:
            content = {"data": self._data(index), "labels": self.ratings(index)}
        if "python" in self.packagings:
            files.append(folder / "data_preprocessed_python" / f"{stem}.dat")
            with atomic_path(files[-1]) as part, part.open("wb") as target:
                write_python2_pickle(content, target, protocol=2)
        if "matlab" in self.packagings:
            files.append(folder / "data_preprocessed_matlab" / f"{stem}.mat")
            with atomic_path(files[-1]) as part, part.open("wb") as target:
                scipy.io.savemat(target, content)
                target.seek(0)
                target.write(HEADER_TEXT)
        return tuple(files)

    def ratings(self, index: int) -> Float64[np.ndarray, "videos 4"]:
        """What a subject says of every video: the four quadrants in turn, so every scale has both sides."""
        rng = self.stream("ratings", index)
        sides = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])  # valence, arousal
        felt = sides[np.arange(self.n_videos) % 4] * rng.uniform(0.8, 3.8, (self.n_videos, 2))
        other = rng.uniform(-3.8, 3.8, (self.n_videos, 2))
        found: Float64[np.ndarray, "videos 4"] = np.round(5 + np.hstack([felt, other]), 2)
        return found

    def order(self, index: int) -> list[int]:
        """Videos, counted from 0, in the order in which a subject saw them."""
        return [int(video) for video in self.stream("order", index).permutation(self.n_videos)]

    def _state(self, index: int, video: int) -> State:
        valence, arousal = (self.ratings(index)[video, :2] - 5) / 4
        return State(float(arousal) * self.strength, float(valence) * self.strength)

    def _data(self, index: int) -> Float64[np.ndarray, "videos 40 times"]:
        n_times = round((BASELINE_S + self.video_s) * SFREQ)
        data = np.empty((self.n_videos, 40, n_times))
        for video in range(self.n_videos):
            rows = self._rows(index, video, Clock(n_times, SFREQ, self._start_s(index, video)), DEAP32)
            rows["brain"] -= rows["brain"].mean(axis=0)  # as released: against the common average
            data[video] = np.vstack(list(rows.values()))
        return data

    def _rows(
        self, index: int, video: int, clock: Clock, channels: tuple[str, ...]
    ) -> dict[str, Float32[np.ndarray, "rows times"]]:
        """All sensors from the baseline's start to the video's end, in the order of the release."""
        rng = self.stream("signals", index, video, round(clock.sfreq))
        who = Person.drawn(self.stream("person", index), len(DEAP32))
        state = self._state(index, video)
        # the person has a gain for each electrode, wherever in the file it stands
        n_before = round(BASELINE_S * clock.sfreq)
        rest, shown = Clock(n_before, clock.sfreq), Clock(clock.n_times - n_before, clock.sfreq)
        brain = np.hstack(
            [body_signals.eeg(rng, who, State(), rest), body_signals.eeg(rng, who, state, shown)]
        )
        brain = brain[[DEAP32.index(name) for name in channels]]
        eyes = body_signals.eog(rng, clock)
        muscles = np.stack([body_signals.emg(rng, state, clock) for _ in range(2)])
        skin = 1e6 / body_signals.eda(rng, who, state, clock)  # ohm from uS
        body = [
            skin,
            body_signals.respiration(rng, who, state, clock),
            body_signals.bvp(rng, who, state, clock),
            body_signals.temperature(rng, who, state, clock),
        ]
        return {"brain": brain, "eyes": eyes, "muscles": muscles, "body": np.stack(body)}

    def _start_s(self, index: int, video: int) -> float:
        return self._video_start_s(self.order(index).index(video)) - BASELINE_S

    def _video_start_s(self, position: int) -> float:
        return LEAD_S + BASELINE_S + position * (BASELINE_S + self.video_s + REST_S)

    def _blocks(self, index: int, channels: tuple[str, ...]) -> Iterator[Block]:
        """A lead, then for each video in the order of presentation fixation, video and rest."""
        upper = UPPER_BITS if index + 1 in self.upper_bits else 0
        yield self._pause(index, -1, LEAD_S, channels, upper)
        n_before, n_video = round(BASELINE_S) * RAW_SFREQ, self.video_s * RAW_SFREQ
        for position, video in enumerate(self.order(index)):
            clock = Clock(n_before + n_video, float(RAW_SFREQ), self._start_s(index, video))
            rows = self._rows(index, video, clock, channels[: len(DEAP32)])
            codes = np.repeat([FIXATION, VIDEO_START], [n_before, n_video])
            yield Block(_raw_channels(rows), codes + upper)
            yield self._pause(index, position, REST_S, channels, upper + VIDEO_END)

    def _pause(self, index: int, position: int, seconds: int, channels: tuple[str, ...], code: int) -> Block:
        rng = self.stream("pause", index, position + 1)
        noise = rng.standard_normal((len(channels), seconds * RAW_SFREQ), np.float32)
        return Block(noise + np.float32(OFFSET_UV), np.full(seconds * RAW_SFREQ, code))


def _raw_channels(sensors: dict[str, Float32[np.ndarray, "rows times"]]) -> Float32[np.ndarray, "47 times"]:
    """As recorded: each electrode against the amplifier's own zero, leads of a pair apart."""
    brain, eyes, muscles, body = (sensors[name] for name in ("brain", "eyes", "muscles", "body"))
    pairs = np.vstack([eyes, muscles])  # hEOG vEOG zEMG tEMG
    leads = np.stack([pairs / 2, -pairs / 2], axis=1).reshape(8, -1) + OFFSET_UV
    nothing = np.zeros((3, brain.shape[1]))  # GSR2, Erg1, Erg2
    skin, others = body[:1] / 1e3, body[1:]
    rows = np.vstack([brain + OFFSET_UV, leads, skin, nothing, others])
    return rows.astype(np.float32)
