"""WristWindows: minutes of a wrist recording, 18 features of pulse, skin conductance and temperature."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

from emo_ray.corpora.recording import Recording, RejectedTrial, Signal
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.features.bvp import BVP_FEATURES, bvp_in_spans
from emo_ray.features.eda import EDA_FEATURES, eda_in_spans
from emo_ray.features.temperature import TEMPERATURE_FEATURES, temperature_in_spans
from emo_ray.signals.segments import sliding_segments


class _Sensor(NamedTuple):
    """Names of the features of one sensor, and the function that takes them from all segments at once."""

    features: tuple[str, ...]
    in_spans: Callable[[np.ndarray, float, np.ndarray, float], np.ndarray]


SENSORS = {
    "bvp": _Sensor(BVP_FEATURES, bvp_in_spans),
    "eda": _Sensor(EDA_FEATURES, eda_in_spans),
    "temp": _Sensor(TEMPERATURE_FEATURES, temperature_in_spans),
}


class WristWindows(ExtractionConfig):
    """Sliding segments inside each recording; one token a modality: bvp (8), eda (7), temp (3 features).

    Signals are filtered over the whole recording and cut afterwards. A modality that the recording
    lacks is masked in all its segments; one that is flat or less than half there, in those segments.
    """

    kind: Literal["wrist_windows"] = "wrist_windows"
    segment_s: float = Field(60.0, ge=10.0, description="seconds of a segment")
    hop_s: float = Field(30.0, gt=0, description="seconds from one segment to the next")

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """Bvp, eda and temp, whatever the recording has."""
        return tuple(Modality(name, 1, sensor.features) for name, sensor in SENSORS.items())

    def segments(self, recording: Recording) -> SegmentRows:
        """All whole segments of a recording; none, and the reason, where it is shorter than one.

        The recording is as long as its longest signal. Every rating is repeated for every segment.
        """
        duration_s = max((_end_s(signal) for signal in recording.signals.values()), default=0.0)
        starts_s = sliding_segments(duration_s, self.segment_s, self.hop_s)
        values = {name: self._features(recording.signals.get(name), name, starts_s) for name in SENSORS}
        # segments tokens: masked where more than half of the features are undefined
        masks = {name: np.isfinite(rows).mean(axis=2) >= 0.5 for name, rows in values.items()}
        ratings = {
            name: np.full(starts_s.size, rating, np.float32) for name, rating in recording.ratings.items()
        }
        rejected = () if starts_s.size else (self._too_short(recording, duration_s),)
        return SegmentRows(starts_s.astype(np.float32), values, masks, ratings, rejected)

    def _features(
        self, signal: Signal | None, name: str, starts_s: Float[np.ndarray, " segments"]
    ) -> Float[np.ndarray, "segments 1 features"]:
        """Features of one modality in every segment, NaN without a signal."""
        sensor = SENSORS[name]
        if signal is None or starts_s.size == 0:
            return np.full((starts_s.size, 1, len(sensor.features)), np.nan, dtype=np.float32)
        # A signal that starts late is cut on its own clock; what lies before it is NaN.
        own_starts_s = starts_s - signal.start_s
        rows = sensor.in_spans(signal.values[0], signal.sfreq, own_starts_s, self.segment_s)
        held = np.abs(rows) < np.finfo(np.float32).max  # NaN is not
        # segments 1 features
        return np.where(held, rows, np.nan)[:, None, :].astype(np.float32)

    def _too_short(self, recording: Recording, duration_s: float) -> RejectedTrial:
        """Why a recording has no segment."""
        reason = f"{duration_s:.1f} s long, shorter than one segment of {self.segment_s:g} s"
        return RejectedTrial(recording.subject, recording.trial, reason)


def _end_s(signal: Signal) -> float:
    """Seconds from the start of the recording to the end of the last sample."""
    n_times: int = signal.values.shape[1]
    return signal.start_s + n_times / signal.sfreq
