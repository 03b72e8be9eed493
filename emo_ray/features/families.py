"""Which features a sensor's signal has: one table from the name of a modality to names and a function.

Every function here takes ``(values, sfreq, starts_s, span_s)``, looks at the whole signal and no further than
each span for its features, and gives NaN where the span is silent or less than half there. EEG is not in the
table: it has settings of its own (`emo_ray.features.spectral`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from emo_ray.features.bvp import BVP_FEATURES, bvp_in_spans
from emo_ray.features.ecg import ECG_SPAN_FEATURES, ecg_in_spans
from emo_ray.features.eda import EDA_FEATURES, GSR_SPAN_FEATURES, eda_in_spans, gsr_in_spans
from emo_ray.features.emg import EMG_FEATURES, emg_in_spans
from emo_ray.features.eye import EOG_FEATURES, GAZE_FEATURES, eog_in_spans, gaze_in_spans
from emo_ray.features.hrv_spectrum import SHORTEST_S
from emo_ray.features.motion import ACC_FEATURES, acc_in_spans
from emo_ray.features.respiration import RESPIRATION_FEATURES, respiration_in_spans
from emo_ray.features.temperature import (
    LEVEL_FEATURES,
    TEMPERATURE_FEATURES,
    level_in_spans,
    temperature_in_spans,
)

SpanFunction = Callable[[np.ndarray, float, np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class Family:
    """The features of one sort of signal.

    Attributes
    ----------
    features : names of the columns of ``in_spans``
    in_spans : of one channel ``(times,)``, or of all together ``(channels, times)`` where ``together``
    together : whether the channels make one set of features, as the axes of an accelerometer do
    shortest_s : seconds that a span needs for a feature to be defined; in shorter ones it is left out
    """

    features: tuple[str, ...]
    in_spans: SpanFunction
    together: bool = False
    shortest_s: Mapping[str, float] = field(default_factory=dict)

    def names(self, channels: Sequence[str], span_s: float) -> tuple[str, ...]:
        """Columns of `compute`: ``"rms"`` of a single channel, ``"zEMG/rms"`` of several.

        Parameters
        ----------
        channels : in the order of the first axis of the signal
        span_s : seconds
        """
        kept = tuple(self.features[column] for column in self._defined(span_s))
        if self.together or len(channels) == 1:
            return kept
        return tuple(f"{channel}/{feature}" for channel in channels for feature in kept)

    def compute(
        self,
        values: Float[np.ndarray, "channels times"],
        sfreq: float,
        starts_s: Float[np.ndarray, " spans"],
        span_s: float,
    ) -> Float[np.ndarray, "spans features"]:
        """The features of every span, channel by channel; columns as in `names`.

        Parameters
        ----------
        values : in the unit that the function of the family asks for; NaN where missing
        sfreq : Hz
        starts_s : seconds from the first sample, ascending or not; may lie outside the signal
        span_s : seconds

        Raises
        ------
        SignalError : the rate is too low for the family
        """
        parts = [values] if self.together else list(values)
        kept = self._defined(span_s)
        return np.hstack([self.in_spans(part, sfreq, starts_s, span_s)[:, kept] for part in parts])

    def _defined(self, span_s: float) -> list[int]:
        return [
            column
            for column, feature in enumerate(self.features)
            if span_s >= self.shortest_s.get(feature, 0.0)
        ]


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "ecg": Family(ECG_SPAN_FEATURES, ecg_in_spans, shortest_s=SHORTEST_S),
        "bvp": Family(BVP_FEATURES, bvp_in_spans),
        "eda": Family(EDA_FEATURES, eda_in_spans),
        "gsr": Family(GSR_SPAN_FEATURES, gsr_in_spans),
        "resp": Family(RESPIRATION_FEATURES, respiration_in_spans),
        "temp": Family(TEMPERATURE_FEATURES, temperature_in_spans),
        "emg": Family(EMG_FEATURES, emg_in_spans),
        "eog": Family(EOG_FEATURES, eog_in_spans),
        "gaze": Family(GAZE_FEATURES, gaze_in_spans),
        "acc": Family(ACC_FEATURES, acc_in_spans, together=True),
    }
)
"""By name of the modality."""

OTHER_UNIT: Mapping[str, tuple[str, Family]] = MappingProxyType(
    {
        "eda": ("uS", FAMILIES["gsr"]),
        "temp": ("degC", Family(LEVEL_FEATURES, level_in_spans)),
    }
)
"""Modalities with thresholds in one unit, that unit, and the family that takes their place in any other."""

RESISTANCE_UNITS = ("ohm", "kohm")  # they fall when skin conducts more


def sensor_of(modality: str) -> str:
    """What kind of sensor a modality is of: ``"eda"`` for ``"eda"`` and for ``"wrist_eda"``."""
    return modality.rpartition("_")[2]


def find_family(modality: str, unit: str) -> Family | None:
    """The family of a signal, or None where there is none for that modality.

    Parameters
    ----------
    modality : as a reader names it, for instance ``"ecg"``, or ``"chest_ecg"`` where a corpus has two
    unit : that the signal declares; skin conductance that is not in uS is taken as of unknown unit
    """
    sensor = sensor_of(modality)
    if sensor in OTHER_UNIT and unit != OTHER_UNIT[sensor][0]:
        return OTHER_UNIT[sensor][1]
    return FAMILIES.get(sensor)


def upright(values: Float[np.ndarray, "channels times"], unit: str) -> Float[np.ndarray, "channels times"]:
    """The signal so that more of what is meant is up: a skin resistance becomes its negative.

    Not its inverse, which a resistance of which a baseline was taken off does not have.

    Parameters
    ----------
    values : any unit
    unit : that the signal declares
    """
    return -values if unit.lower() in RESISTANCE_UNITS else values
