"""Acceleration of a body part: how much it moves, whatever way the sensor is turned."""

import numpy as np
from jaxtyping import Float

from emo_ray.features.spans import cut_spans, span_is_flat, span_mean, span_sd

ACC_FEATURES = ("acc_magnitude_mean", "acc_magnitude_sd", "acc_energy")


def acc_in_spans(
    acc: Float[np.ndarray, "axes times"], sfreq: float, starts_s: Float[np.ndarray, " spans"], span_s: float
) -> Float[np.ndarray, "spans 3"]:
    """`ACC_FEATURES` of spans: mean and deviation of the magnitude, and the energy of movement.

    The energy is the sum over axes of the variance within the span: gravity, which stands still, adds
    nothing. Units are that of the signal (g by custom), squared for the energy. NaN for a span that is flat
    in all axes (a sensor that is off; even a resting one has noise) or less than half there: a moment counts
    as missing when one axis is. Clipping (an E4 at 2 g) makes all three too small.

    Parameters
    ----------
    acc : all axes of one sensor, one whole stretch
    sfreq : Hz
    starts_s : seconds from the first sample
    span_s : seconds

    References
    ----------
    Schmidt et al. (2018), "Introducing WESAD, a multimodal dataset for wearable stress and affect detection",
    ICMI, 400-408 (mean and deviation of the three axes together).
    """
    whole = np.isfinite(acc).all(axis=0)
    known = np.where(whole, acc.astype(np.float64), np.nan)  # one missing axis leaves no magnitude
    magnitude = cut_spans(np.sqrt((known**2).sum(axis=0)), sfreq, starts_s, span_s)
    axes = [cut_spans(axis, sfreq, starts_s, span_s) for axis in known]
    energy = np.sum([span_sd(axis) ** 2 for axis in axes], axis=0)
    features = np.stack([span_mean(magnitude), span_sd(magnitude), energy], axis=1)
    silent = np.all([span_is_flat(axis) for axis in axes], axis=0)
    return np.where(silent[:, None], np.nan, features)
