"""StftTokens: short-time spectra of EEG segments, a token for each time step."""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import ConfigError, SignalError
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.extraction.eeg_tokens import (
    Electrodes,
    at_least_half,
    cleaned_trial,
    mapped,
    present_electrodes,
)
from emo_ray.extraction.segment_rows import ratings_at, rejected_rows, single_precision
from emo_ray.extraction.token_grid import sliding_grid
from emo_ray.features.stft import (
    HIGHEST_HZ,
    LOWEST_HZ,
    PUBLISHED_GRID,
    PUBLISHED_RANGE_HZ,
    clean_stft,
    published_stft,
)
from emo_ray.signals.eeg_cleaning import EegCleaning
from emo_ray.signals.electrodes import ELECTRODE_SETS

MODALITY = "eeg"


class StftTokens(ExtractionConfig):
    """Segments of EEG as pictures: tokens are time steps, features are channel x frequency (``"Fp1/10Hz"``).

    Clean: standardised log power on a grid of 1 Hz by 0.5 s, equal for all corpora (`clean_stft`).
    Published: magnitudes stretched to 129 frequencies and 126 times (`published_stft`), whose names say
    where on the frequency axis a value lies. A time step is valid where at least half of its features are
    defined; electrodes that the montage does not have do not count.
    """

    kind: Literal["stft_tokens"] = "stft_tokens"
    mode: Literal["clean", "published"] = Field("clean", description="as above")
    segment_s: float = Field(10.0, ge=1.0, description="seconds of a segment")
    hop_s: float = Field(10.0, gt=0, description="seconds from one segment to the next")
    baseline: Literal["include", "drop"] = Field(
        "drop", description="the seconds before the stimulus: segments start there, or with the stimulus"
    )
    whole: bool = Field(
        False,
        description="published, of SEED-IV: one segment a trial, its middle, or filled up with zeros behind",
    )
    frame_samples: int = Field(
        256, ge=2, description="published: samples a frame; 256 for DEAP, 128 for GAMEEMO, 400 for SEED-IV"
    )
    cleaning: EegCleaning = Field(default_factory=EegCleaning, description="what is done to EEG first")
    electrodes: Electrodes = Field(
        (),
        description=f"names to map EEG onto, or one of {', '.join(ELECTRODE_SETS)}; absent ones are NaN; "
        "none named: channels as they are",
    )

    @model_validator(mode="after")
    def _zeros_are_published(self) -> "StftTokens":
        if self.whole and self.mode != "published":
            raise ValueError("whole fills clips up with zeros, which tell their length: mode=published alone")
        return self

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """The one modality.

        Raises
        ------
        ConfigError : the recording has no EEG
        """
        eeg = _eeg(recording)
        sfreq = self.cleaning.sfreq or eeg.sfreq
        names = tuple(
            f"{channel}/{hz}"
            for channel in self.electrodes or eeg.channels
            for hz in self._frequencies(sfreq)
        )
        return (Modality(MODALITY, self._shape(sfreq)[1], names),)

    def segments(self, recording: Recording) -> SegmentRows:
        """Cut one trial and transform each segment by itself.

        A trial is rejected, with the numbers, when it holds no segment, or when a filter or the spectra are
        not defined for it.

        Raises
        ------
        ConfigError : the recording has no EEG
        """
        eeg = _eeg(recording)
        end_s = eeg.start_s + eeg.values.shape[1] / eeg.sfreq
        first_s = 0.0 if self.baseline == "include" else recording.baseline_s
        if self.whole:
            eeg, first_s = self._fitted(eeg, first_s)
            end_s = first_s + self.segment_s
        grid = sliding_grid((first_s, end_s), self.segment_s, self.hop_s, self.segment_s)
        if not len(grid.starts_s):
            reason = f"{end_s - first_s:.1f} s of stimulus, shorter than one segment of {self.segment_s:g} s"
            return rejected_rows(recording, reason)
        starts_s = grid.segment_starts_s - eeg.start_s
        try:
            cleaned, notes = cleaned_trial(eeg, self.cleaning, starts_s, self.segment_s)
            pictures = np.stack(self._pictures(cleaned, starts_s))  # segments channels bins frames
        except SignalError as error:
            return rejected_rows(recording, str(error))
        # segments frames channels*bins
        tokens = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), pictures.shape[3], -1)
        possible = self._possible(eeg, pictures.shape[2])
        return SegmentRows(
            start_s=grid.segment_starts_s.astype(np.float32),
            values={MODALITY: single_precision(tokens)},
            masks={MODALITY: np.stack([at_least_half(segment, possible) for segment in tokens])},
            ratings=ratings_at(recording, grid.centres_s),
            notes=notes,
        )

    def _fitted(self, eeg: Signal, first_s: float) -> tuple[Signal, float]:
        """The signal, filled up with zeros where it ends before one segment does; and the segment's start."""
        missing_s = first_s + self.segment_s - (eeg.start_s + eeg.values.shape[1] / eeg.sfreq)
        if missing_s <= 0:
            return eeg, first_s - missing_s / 2
        padding = math.ceil(missing_s * eeg.sfreq)
        return replace(eeg, values=np.pad(eeg.values, ((0, 0), (0, padding)))), first_s

    def _pictures(
        self, eeg: Signal, starts_s: Float[np.ndarray, " segments"]
    ) -> list[Float[np.ndarray, "channels bins frames"]]:
        """The spectra of every segment, NaN for electrodes that are absent."""
        values, channels = mapped(eeg, self.electrodes)
        # by channel, and absent ones not at all: stretching carries NaN into the neighbouring channels
        rows = np.flatnonzero(np.isfinite(values).any(axis=1))
        length = round(self.segment_s * eeg.sfreq)
        shape, pictures = self._shape(eeg.sfreq), []
        for first in np.rint(starts_s * eeg.sfreq).astype(np.int64):
            # a signal that starts after the onset lacks the head of its first segment
            clip = np.full((len(channels), length), np.nan)
            have = values[:, max(first, 0) : first + length]
            clip[:, max(-first, 0) : max(-first, 0) + have.shape[1]] = have
            picture = np.full((len(channels), *shape), np.nan)
            for row in rows:
                picture[row] = self._picture(clip[row : row + 1], eeg.sfreq)[0]
            pictures.append(picture)
        return pictures

    def _shape(self, sfreq: float) -> tuple[int, int]:
        """Frequencies and time steps of a picture."""
        # made, not worked out: the two modes pad and drop differently
        silence = np.zeros((1, round(self.segment_s * sfreq)))
        _, n_bins, n_frames = self._picture(silence, sfreq).shape
        return n_bins, n_frames

    def _picture(
        self, clip: Float[np.ndarray, "channels times"], sfreq: float
    ) -> Float[np.ndarray, "channels bins frames"]:
        if self.mode == "published":
            return published_stft(clip, sfreq, self.frame_samples)
        return clean_stft(clip, sfreq)

    def _frequencies(self, sfreq: float) -> tuple[str, ...]:
        """Names of the places on the frequency axis."""
        if self.mode == "clean":
            return tuple(f"{hz}Hz" for hz in range(LOWEST_HZ, HIGHEST_HZ + 1))
        return _published_frequencies(sfreq / self.frame_samples)

    def _possible(self, eeg: Signal, n_bins: int) -> np.ndarray:
        """False for the features of electrodes that the montage does not have."""
        if not self.electrodes:
            return np.ones(len(eeg.channels) * n_bins, dtype=bool)
        return np.repeat(present_electrodes(eeg.channels, self.electrodes), n_bins)


@lru_cache(maxsize=8)
def _published_frequencies(bin_hz: float) -> tuple[str, ...]:
    """The stretched axis: from the first kept bin to the last, evenly."""
    low, high = (int(edge_hz / bin_hz) * bin_hz for edge_hz in PUBLISHED_RANGE_HZ)
    return tuple(f"{hz:.2f}Hz" for hz in np.linspace(low, high, PUBLISHED_GRID[0]))


def _eeg(recording: Recording) -> Signal:
    if MODALITY not in recording.signals:
        known = ", ".join(sorted(recording.signals)) or "nothing"
        raise ConfigError(
            f"{recording.subject}: extraction stft_tokens needs EEG, and this corpus records {known}: "
            "use signal_windows, or a corpus with EEG"
        )
    return recording.signals[MODALITY]
