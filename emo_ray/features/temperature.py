"""Skin temperature: level, slope and spread of each segment."""

import numpy as np
from jaxtyping import Float

from emo_ray.features.spans import cut_spans, span_is_flat, span_mean, span_sd, span_slope

TEMPERATURE_FEATURES = ("temperature_degc", "temperature_slope_degc_per_s", "temperature_sd_degc")
LEVEL_FEATURES = ("level", "slope_per_s", "sd")
PLAUSIBLE_DEGC = (10.0, 45.0)  # outside, a sensor is off the skin or off


def temperature_in_spans(
    temperature: Float[np.ndarray, " times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " spans"],
    span_s: float,
) -> Float[np.ndarray, "spans 3"]:
    """`TEMPERATURE_FEATURES` of spans of about a minute; NaN where less than half a span is there.

    A value outside 10 to 45 degC is no skin and counts as missing. A constant temperature is a fact, not
    a silent sensor: a wrist keeps 0.02 degC for a minute.

    Parameters
    ----------
    temperature : degrees Celsius; NaN where unknown
    sfreq : Hz
    starts_s : seconds from the first sample
    span_s : seconds
    """
    lowest, highest = PLAUSIBLE_DEGC
    plausible = (temperature >= lowest) & (temperature <= highest)  # NaN is not
    cut = cut_spans(np.where(plausible, temperature, np.nan), sfreq, starts_s, span_s)
    return np.stack([span_mean(cut), span_slope(cut, sfreq), span_sd(cut)], axis=1)


def level_in_spans(
    values: Float[np.ndarray, " times"], sfreq: float, starts_s: Float[np.ndarray, " spans"], span_s: float
) -> Float[np.ndarray, "spans 3"]:
    """`LEVEL_FEATURES` of a slow series of unknown unit; NaN for a span that is flat or less than half there.

    For a temperature that is not in degrees Celsius, where no value can be told to be implausible, and where
    one value throughout is more likely a sensor that is off. A clipped series keeps a wrong level.

    Parameters
    ----------
    values : any unit; NaN or infinite where unknown
    sfreq : Hz
    starts_s : seconds from the first sample
    span_s : seconds
    """
    cut = cut_spans(values, sfreq, starts_s, span_s)
    features = np.stack([span_mean(cut), span_slope(cut, sfreq), span_sd(cut)], axis=1)
    return np.where(span_is_flat(cut)[:, None], np.nan, features)
