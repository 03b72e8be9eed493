"""Another sampling rate: polyphase filtering, and what becomes of missing samples."""

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float64

from emo_ray.errors import SignalError
from emo_ray.signals.segments import check_above_zero

MAX_FACTOR = 10_000  # 512 to 200 Hz is 25 / 64; the filter has 20 taps for each step of the larger number
TAPS_A_STEP = 10  # to either side, with a Kaiser window of beta 5: what scipy takes as its default
KAISER_BETA = 5.0


class Ratio(NamedTuple):
    """New rate over old rate, in lowest terms."""

    up: int
    down: int


def resample(
    signal: Float64[np.ndarray, "channels times"], sfreq: float, to_sfreq: float
) -> Float64[np.ndarray, "channels new_times"]:
    """Bring a signal to another rate, with nothing above the lower Nyquist frequency folded back.

    Sample 0 stays where it is; there are ``ceil(times * to_sfreq / sfreq)`` samples afterwards. The ends are
    continued along the line from the first to the last sample, so that an offset leaves no step there.

    Parameters
    ----------
    signal : any unit, without NaN
    sfreq, to_sfreq : Hz

    Raises
    ------
    SignalError : a rate is not above 0, or the two have no ratio of whole numbers up to 10,000
    """
    ratio = rate_ratio(sfreq, to_sfreq)
    if ratio == Ratio(1, 1):
        return signal
    # the taps of one phase do not sum to one exactly: an offset would come back as a ripple of a thousandth
    offset = signal.mean(axis=-1, keepdims=True) if signal.shape[-1] else 0.0
    resampled: Float64[np.ndarray, "channels new_times"] = scipy.signal.resample_poly(
        signal - offset, *ratio, axis=-1, window=_taps(ratio), padtype="line"
    )
    return resampled + offset


def resample_missing(
    missing: Bool[np.ndarray, "channels times"], sfreq: float, to_sfreq: float
) -> Bool[np.ndarray, "channels new_times"]:
    """Which samples of the new rate have a missing one of the old rate next to them.

    No gap is lost: a new sample stands for all old ones up to the new samples before and after it.

    Parameters
    ----------
    missing : at the old rate
    sfreq, to_sfreq : Hz
    """
    up, down = rate_ratio(sfreq, to_sfreq)
    n_times = missing.shape[-1]
    new = np.arange(-(-n_times * up // down))
    first = np.maximum((new - 1) * down // up + 1, 0)  # the first old sample after the new one before
    stop = np.minimum(-(-(new + 1) * down // up), n_times)  # the first old sample at or after the next
    if up > down:  # between two old samples: both count
        first, stop = np.maximum(new * down // up, 0), np.minimum(-(-new * down // up) + 1, n_times)
    running = np.zeros((missing.shape[0], n_times + 1), dtype=np.int64)
    np.cumsum(missing, axis=-1, out=running[:, 1:])
    counts = running[:, stop] - running[:, np.minimum(first, n_times)]  # channels new_times
    felt: Bool[np.ndarray, "channels new_times"] = counts > 0
    return felt


@lru_cache(maxsize=64)
def rate_ratio(sfreq: float, to_sfreq: float) -> Ratio:
    """New over old rate in whole numbers.

    Raises
    ------
    SignalError : a rate is not above 0, or there is no such ratio up to 10,000
    """
    check_above_zero(sfreq=sfreq, to_sfreq=to_sfreq)
    exact = Fraction(to_sfreq) / Fraction(sfreq)
    close = exact.limit_denominator(MAX_FACTOR)
    if close == 0 or max(close.numerator, close.denominator) > MAX_FACTOR or abs(close / exact - 1) > 1e-9:
        raise SignalError(
            f"{sfreq!r} Hz to {to_sfreq!r} Hz is no ratio of whole numbers up to {MAX_FACTOR}: "
            "give a rate that is, or leave the rate as it is"
        )
    return Ratio(close.numerator, close.denominator)


@lru_cache(maxsize=16)
def _taps(ratio: Ratio) -> Float64[np.ndarray, " taps"]:
    """The low-pass that keeps what lies below the lower of both Nyquist frequencies."""
    steps = max(ratio)
    taps: Float64[np.ndarray, " taps"] = scipy.signal.firwin(
        2 * TAPS_A_STEP * steps + 1, 1.0 / steps, window=("kaiser", KAISER_BETA)
    )
    return taps
