"""What a signal does relative to the seconds before its stimulus."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from emo_ray.errors import SignalError

BaselineCorrection = Literal["none", "subtract_mean", "zscore", "percent"]


def baseline_correct(
    values: Float[np.ndarray, "channels times"],
    sfreq: float,
    baseline_s: float,
    how: BaselineCorrection = "subtract_mean",
) -> Float[np.ndarray, "channels times"]:
    """Express each channel relative to its own baseline, which stays where it is at the start.

    Parameters
    ----------
    values : any unit, NaN where missing; the baseline comes first
    sfreq : Hz
    baseline_s : seconds before the stimulus
    how : ``"none"``; ``"subtract_mean"``, in the same unit; ``"zscore"``, in standard deviations of the
        baseline; ``"percent"`` of change from the baseline's mean, for signals that are never negative

    Returns
    -------
    Same shape and precision. A channel is NaN where its baseline says nothing: no sample there at all, and
    for ``"zscore"`` and ``"percent"`` one without spread, or with a mean of 0.

    Raises
    ------
    SignalError : a correction is asked for and the baseline has no sample, or is all there is
    """
    if how == "none":
        return values
    n_baseline = round(baseline_s * sfreq)
    if not 0 < n_baseline < values.shape[-1]:
        raise SignalError(
            f"a baseline of {baseline_s:g} s is {n_baseline} of {values.shape[-1]} samples at {sfreq:g} Hz: "
            f"{how!r} needs at least one, and some behind it; use how='none' for recordings without baseline"
        )
    baseline = np.where(np.isfinite(values[:, :n_baseline]), values[:, :n_baseline], np.nan).astype(
        np.float64
    )
    count = np.isfinite(baseline).sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(baseline, axis=-1, keepdims=True) / count  # 0 / 0 where nothing is there
        corrected = values - mean
        if how == "zscore":
            sd = np.sqrt(np.nansum((baseline - mean) ** 2, axis=-1, keepdims=True) / count)
            corrected = corrected / np.where(sd > 0, sd, np.nan)
        elif how == "percent":
            corrected = 100.0 * corrected / np.where(mean == 0, np.nan, mean)
    result: Float[np.ndarray, "channels times"] = corrected.astype(values.dtype)
    return result
