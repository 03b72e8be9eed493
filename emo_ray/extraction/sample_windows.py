"""SampleWindows: segments of the signals themselves, a token a sample, for models that read raw signals."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32
from pydantic import Field, model_validator

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import SignalError
from emo_ray.extraction.annotated import annotated_ratings, annotated_starts, reason_not_annotated
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.extraction.eeg_tokens import (
    Electrodes,
    at_least_half,
    cleaned_trial,
    mapped,
    present_electrodes,
)
from emo_ray.extraction.segment_rows import ratings_at, rejected_rows
from emo_ray.extraction.token_grid import sliding_grid
from emo_ray.extraction.used_signals import EEG, KNOWN_SIGNALS, SignalNames, end_s, used_signals
from emo_ray.features.families import sensor_of
from emo_ray.signals.eeg_cleaning import EegCleaning
from emo_ray.signals.electrodes import ELECTRODE_SETS
from emo_ray.signals.segments import ROUNDING

STEADY = "temp"  # one temperature for a minute is a fact, not a silent sensor

Starts = Float[np.ndarray, " segments"]
Samples = Float32[np.ndarray, "segments samples channels"]


class SampleWindows(ExtractionConfig):
    """Segments of fixed length as their samples: a token is one sample, its features are the channels.

    All sensors are brought to one rate over the whole trial, baseline included, with nothing folded back
    (`emo_ray.signals.resampling`), so that no filter has its edge in a segment; EEG may be cleaned first.
    Values keep their unit and their offset: standardising is the fold's. A sample is NaN in gaps, behind the
    end of its sensor, and in a channel that holds one value throughout the segment, temperatures excepted.
    It is valid where at least half of the channels are there; electrodes that the montage does not have do
    not count.

    ``geometry="annotated"`` cuts a trial as the external annotators of AMIGOS did (`external_segments`, 20 s)
    and gives every segment its labels. There ``drop`` leaves the samples of the baseline in their place and
    marks them invalid, as the first segment begins with them.

    Stored are ``4 * sfreq * segment_s * channels`` bytes a segment: 82 KB for 20 s of AMIGOS at 64 Hz, so
    1 GB for its 12,580 annotated segments, eleven times what feature tokens of 1 s take. Workers share one
    copy.
    """

    kind: Literal["sample_windows"] = "sample_windows"
    geometry: Literal["sliding", "annotated"] = Field("sliding", description="as above")
    segment_s: float = Field(10.0, gt=0, description="seconds of a segment; annotated ones are of 20")
    hop_s: float = Field(10.0, gt=0, description="seconds from one sliding segment to the next")
    sfreq: float = Field(64.0, gt=0, description="Hz, the rate to resample every sensor to")
    signals: SignalNames = Field(
        (),
        description=f"sensors to use, of {', '.join(KNOWN_SIGNALS)}, or one of several of a kind "
        "(wrist_eda); none named: all",
    )
    baseline: Literal["include", "drop"] = Field(
        "drop",
        description="the seconds before the stimulus: sliding segments start there, or with the stimulus; "
        "annotated ones always hold it, and drop marks it invalid",
    )
    cleaning: EegCleaning = Field(default_factory=EegCleaning, description="what is done to EEG first")
    electrodes: Electrodes = Field(
        (),
        description=f"names to map EEG onto, or one of {', '.join(ELECTRODE_SETS)}; absent ones are NaN; "
        "none named: channels as they are",
    )

    @model_validator(mode="after")
    def check_rate(self) -> "SampleWindows":
        """Refuse segments of no whole number of samples, and two rates for EEG."""
        problems = []
        n_samples = self.segment_s * self.sfreq
        if self.n_samples < 2 or abs(n_samples - self.n_samples) > ROUNDING * n_samples:
            problems.append(
                f"a segment of {self.segment_s:g} s has {n_samples:g} samples at {self.sfreq:g} Hz: make it "
                "a whole number, at least 2"
            )
        if self.cleaning.sfreq is not None:
            problems.append(
                f"cleaning.sfreq is {self.cleaning.sfreq:g}: leave it out, sfreq ({self.sfreq:g} Hz) holds "
                "for all sensors"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def n_samples(self) -> int:
        """Tokens a segment."""
        return round(self.segment_s * self.sfreq)

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """Those that this recording has."""
        return tuple(
            Modality(name, self.n_samples, self._channels(name, signal))
            for name, signal in used_signals(recording, self.signals).items()
        )

    def segments(self, recording: Recording) -> SegmentRows:
        """Cut one trial.

        A trial is rejected, with the numbers, when it is shorter than a segment, has no usable signal, does
        not fit its annotations (where it is cut by them), or when a filter or the rate is not defined for it.
        """
        used = used_signals(recording, self.signals)
        starts_s = self._starts(recording, used)
        reason = self._reason_to_reject(recording, used, starts_s)
        if reason:
            return rejected_rows(recording, reason)
        values: dict[str, Samples] = {}
        masks: dict[str, Bool[np.ndarray, "segments samples"]] = {}
        notes: list[str] = []
        try:
            for name, signal in used.items():
                values[name], said = self._samples(name, signal, starts_s)
                masks[name] = self._valid(name, signal, values[name])
                notes += [f"{name} {note}" for note in said]
        except SignalError as error:
            return rejected_rows(recording, str(error))
        if self.baseline == "drop":
            in_stimulus = self._in_stimulus(recording, starts_s)
            masks = {name: mask & in_stimulus for name, mask in masks.items()}
        if self.geometry == "annotated":
            ratings = annotated_ratings(recording, len(starts_s))
        else:
            ratings = ratings_at(recording, starts_s + self.segment_s / 2)
        return SegmentRows(starts_s.astype(np.float32), values, masks, ratings, notes=tuple(notes))

    def _channels(self, name: str, signal: Signal) -> tuple[str, ...]:
        return self.electrodes if self.electrodes and sensor_of(name) == EEG else signal.channels

    def _starts(self, recording: Recording, used: Mapping[str, Signal]) -> Starts:
        """Seconds from the start of the recording to each segment."""
        if self.geometry == "annotated":
            return annotated_starts(used, recording.baseline_s, self.segment_s)
        first_s = 0.0 if self.baseline == "include" else recording.baseline_s
        span_s = (first_s, max(end_s(used), first_s))
        return sliding_grid(span_s, self.segment_s, self.hop_s, self.segment_s).segment_starts_s

    def _reason_to_reject(
        self, recording: Recording, used: Mapping[str, Signal], starts_s: Starts
    ) -> str | None:
        """Why this trial can not be cut, or None."""
        if not used:
            known = ", ".join(sorted(recording.signals)) or "nothing"
            return f"it records {known}, and {', '.join(self.signals or KNOWN_SIGNALS)} are asked for"
        if self.geometry == "annotated":
            return reason_not_annotated(recording, used, starts_s, self.segment_s)
        if not starts_s.size:
            before = "" if self.baseline == "include" else f", {recording.baseline_s:g} s of them baseline"
            return f"{end_s(used):.1f} s long{before}: shorter than one segment of {self.segment_s:g} s"
        return None

    def _samples(self, name: str, signal: Signal, starts_s: Starts) -> tuple[Samples, tuple[str, ...]]:
        """One sensor at the samples of every segment, and what was done to it."""
        on_its_clock_s = starts_s - signal.start_s
        if not np.isfinite(signal.values).any():
            n_channels = len(self._channels(name, signal))
            return np.full((len(starts_s), self.n_samples, n_channels), np.nan, np.float32), ()
        is_eeg, is_steady = sensor_of(name) == EEG, sensor_of(name) == STEADY
        cleaning = self.cleaning if is_eeg else EegCleaning()
        cleaning = cleaning.model_copy(
            update={"sfreq": self.sfreq}
        )  # of any sensor: it bridges and resamples
        looked_at_s = on_its_clock_s[:0] if is_steady else on_its_clock_s
        cleaned, notes = cleaned_trial(signal, cleaning, looked_at_s, self.segment_s)
        values = mapped(cleaned, self.electrodes)[0] if is_eeg else cleaned.values  # channels times
        return cut_samples(values, np.rint(on_its_clock_s * self.sfreq), self.n_samples), notes

    def _valid(self, name: str, signal: Signal, values: Samples) -> Bool[np.ndarray, "segments samples"]:
        """Samples of which at least half of the channels are there."""
        possible = np.ones(values.shape[2], dtype=bool)
        if self.electrodes and sensor_of(name) == EEG:
            possible = present_electrodes(signal.channels, self.electrodes)
        return at_least_half(values.reshape(-1, values.shape[2]), possible).reshape(values.shape[:2])

    def _in_stimulus(self, recording: Recording, starts_s: Starts) -> Bool[np.ndarray, "segments samples"]:
        """False for the samples before the stimulus."""
        times_s = starts_s[:, None] + np.arange(self.n_samples) / self.sfreq
        inside: Bool[np.ndarray, "segments samples"] = times_s >= recording.baseline_s - 0.5 / self.sfreq
        return inside


def cut_samples(
    values: Float32[np.ndarray, "channels times"], first: Float[np.ndarray, " segments"], length: int
) -> Samples:
    """Stretches of a signal, time before channels; NaN where a stretch reaches out of it.

    Parameters
    ----------
    values : any unit
    first : sample of each stretch; may be negative
    length : samples
    """
    cut = np.full((len(first), length, len(values)), np.nan, dtype=np.float32)
    for segment, start in zip(cut, first.astype(np.int64), strict=True):
        inside = values[:, max(start, 0) : max(start + length, 0)]
        ahead = max(-start, 0)
        segment[ahead : ahead + inside.shape[1]] = inside.T
    return cut
