"""Files in the layout of the preprocessed AMIGOS release, made on the spot from a seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field, model_validator

from emo_ray.corpora.amigos import COLUMN_NAMES, LONG_VIDEOS, SHORT_VIDEOS, VIDEOS
from emo_ray.errors import ConfigError
from emo_ray.files import atomic_path
from emo_ray.testing.amigos_latents import (
    Coupling,
    Courses,
    courses,
    eeg_courses,
    external_annotation,
    heart_course,
    n_times,
    person,
    response_rate,
    self_assessment,
    stream,
)
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.physiology import ecg, eeg, skin_conductance, smooth_noise

GSR_UNITS = 1000.0  # of the file's arbitrary unit in one uS
# EEG is written in steps of 1/128 uV: the lower bytes are then zero, which halves the time to compress.
EEG_STEPS = 128.0

# In place of SciPy's text, which holds the time of writing: the same arguments give the same bytes.
HEADER_TEXT = b"MATLAB 5.0 MAT-file, synthetic AMIGOS subject made by emo_ray".ljust(116)

NO_CELL = np.zeros((0, 0))
NO_ROW = np.zeros((1, 0))


class Flaw(BaseModel):
    """One place where a sensor failed: subject number, video, and column by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    video: str
    column: str


class AmigosFiles(CorpusFiles):
    """What is written: how many subjects, which videos, how strongly the signals tell the labels.

    With ``strength=0`` the labels are the same but nothing in the signals tells them. The flaws of the
    release are there by default wherever their subject and video are written.
    """

    n_subjects: int = Field(10, ge=1, le=99)
    coupling: Coupling = Coupling()
    videos: tuple[str, ...] = Field(
        tuple(SHORT_VIDEOS), description="short videos; the cells of others are empty"
    )
    long_videos: bool | tuple[str, ...] = False
    packaging: Literal["flat", "folders"] = Field("flat", description="folders: each file in one of its name")
    subjects_without_long: tuple[str, ...] = Field(
        ("P08", "P24", "P28"), description="no long videos, and no external annotation of any video"
    )
    no_long_ratings: tuple[str, ...] = ("P32",)
    nan_channels: tuple[Flaw, ...] = (Flaw(subject="P02", video="9", column="GSR"),)
    single_nans: tuple[Flaw, ...] = (Flaw(subject="P01", video="5", column="F3"),)
    gsr_offset: float = Field(20000.0, description="added to the skin conductance, arbitrary unit")

    @model_validator(mode="after")
    def check_names(self) -> "AmigosFiles":
        """Refuse videos and columns that the release does not have."""
        wrong = [f"short video {name!r}" for name in self.videos if name not in SHORT_VIDEOS]
        if not isinstance(self.long_videos, bool):
            wrong += [f"long video {name!r}" for name in self.long_videos if name not in LONG_VIDEOS]
        flaws = self.nan_channels + self.single_nans
        wrong += [f"column {flaw.column!r}" for flaw in flaws if flaw.column not in COLUMN_NAMES]
        if wrong:
            raise ConfigError(
                f"AMIGOS has no {', no '.join(wrong)}: short videos are {', '.join(SHORT_VIDEOS)}, long ones "
                f"{', '.join(LONG_VIDEOS)}, columns {', '.join(COLUMN_NAMES)}"
            )
        return self

    @classmethod
    def small(cls, n_subjects: int = 3) -> "AmigosFiles":
        """Four short videos."""
        return cls(n_subjects=n_subjects, videos=("10", "13", "18", "58"))

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """The file of one subject."""
        return (write_subject(self, index, folder),)

    def videos_of(self, subject: str) -> tuple[str, ...]:
        """Videos that a subject (``"P01"``) watched, in the order of the file."""
        long = tuple(LONG_VIDEOS) if self.long_videos is True else self.long_videos or ()
        watched = self.videos if subject in self.subjects_without_long else self.videos + long
        return tuple(video for video in VIDEOS if video in watched)


def write_subject(config: AmigosFiles, index: int, folder: Path) -> Path:
    """Write the file of one subject (`index` counts from 0); it appears whole or not at all.

    Depends on the arguments alone, so that subjects can be written in parallel.
    """
    subject = f"P{index + 1:02d}"
    stem = f"Data_Preprocessed_{subject}"
    file = folder / stem / f"{stem}.mat" if config.packaging == "folders" else folder / f"{stem}.mat"
    with atomic_path(file) as part, part.open("wb") as target:
        scipy.io.savemat(target, subject_cells(config, subject), do_compression=True)
        target.seek(0)
        target.write(HEADER_TEXT)
    return file


def subject_cells(config: AmigosFiles, subject: str) -> dict[str, np.ndarray]:
    """The four cell arrays of one file."""
    watched = config.videos_of(subject)
    trials = {video: trial_tables(config, subject, video) for video in watched}
    signals, ratings, annotations = ({video: trial[i] for video, trial in trials.items()} for i in range(3))
    if subject in config.no_long_ratings:
        ratings = {video: table for video, table in ratings.items() if video not in LONG_VIDEOS}
    if subject in config.subjects_without_long:
        annotations = {}
    return {
        "VideoIDs": cell_row(list(VIDEOS)),
        "joined_data": cell_row([signals.get(video, NO_CELL) for video in VIDEOS]),
        "labels_selfassessment": cell_row([ratings.get(video, NO_ROW) for video in VIDEOS]),
        "labels_ext_annotation": cell_row([annotations.get(video, NO_CELL) for video in VIDEOS]),
    }


def cell_row(cells: Sequence[str | np.ndarray]) -> np.ndarray:
    """A (1, n) object array, which MATLAB calls a cell array."""
    row = np.empty((1, len(cells)), dtype=object)
    for index, cell in enumerate(cells):
        row[0, index] = cell
    return row


def trial_tables(config: AmigosFiles, subject: str, video: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals, self-assessment and external annotation of one trial, as in the cells of the file."""
    name = f"amigos/{subject}"
    n_samples = n_times(config.seed, name, video)
    felt = courses(config.seed, name, video, n_samples)
    labels = stream(config.seed, "labels", name, video)
    joined = trial_signals(config, name, video, felt)
    add_flaws(config, subject, video, joined)
    return joined, self_assessment(labels, felt), external_annotation(labels, felt, n_samples)


def trial_signals(
    config: AmigosFiles, name: str, video: str, felt: Courses
) -> Float64[np.ndarray, "times 17"]:
    """The 17 columns of one trial."""
    rng = stream(config.seed, "signals", name, video)
    who, weights = person(config.seed, name), config.coupling
    body = felt.at_limit(config.strength * who.gain)
    n_samples = n_times(config.seed, name, video)
    joined = np.empty((n_samples, len(COLUMN_NAMES)))
    brain = eeg(rng, eeg_courses(rng, body, who, weights), who.mixing, n_samples)
    joined[:, :14] = np.round(brain * EEG_STEPS).T / EEG_STEPS
    joined[:, 14:16] = np.round(ecg(rng, heart_course(rng, body, who, weights), n_samples)).T
    tonic = who.tonic_us + 0.2 * smooth_noise(rng, 1, len(body.arousal), 20.0)[0]
    skin = skin_conductance(rng, response_rate(body, who, weights), tonic, n_samples)
    joined[:, 16] = np.round(config.gsr_offset + GSR_UNITS * skin)
    return joined


def add_flaws(config: AmigosFiles, subject: str, video: str, joined: Float64[np.ndarray, "times 17"]) -> None:
    """Set samples to NaN where a sensor of this trial is to fail."""
    for flaw in config.nan_channels:
        if (flaw.subject, flaw.video) == (subject, video):
            joined[:, COLUMN_NAMES.index(flaw.column)] = np.nan
    for flaw in config.single_nans:
        if (flaw.subject, flaw.video) == (subject, video):
            joined[len(joined) // 2, COLUMN_NAMES.index(flaw.column)] = np.nan
