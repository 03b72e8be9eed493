"""Cutting one slow signal into spans of equal length, and statistics of spans with holes.

A span is a segment or a token. A statistic is NaN where less than half of the span's samples are there.
"""

import numpy as np
from jaxtyping import Bool, Float

MIN_SHARE = 0.5


def cut_spans(
    values: Float[np.ndarray, " times"], sfreq: float, starts_s: Float[np.ndarray, " spans"], span_s: float
) -> Float[np.ndarray, "spans span_times"]:
    """The samples of every span, one row a span; NaN before and behind the signal, and for infinities.

    Parameters
    ----------
    values : one channel
    sfreq : Hz
    starts_s : seconds from the first sample; may be negative or lie behind the end
    span_s : seconds; all spans hold ``round(span_s * sfreq)`` samples, at least one
    """
    n_times = max(round(span_s * sfreq), 1)
    first = np.rint(np.asarray(starts_s, dtype=np.float64) * sfreq).astype(np.int64)
    index = first[:, None] + np.arange(n_times)  # spans span_times
    inside = (index >= 0) & (index < values.size)
    # One NaN behind the end stands in for all samples outside.
    padded = np.append(values.astype(np.float64), np.nan)
    cut = padded[np.where(inside, index, values.size)]
    return np.where(np.isfinite(cut), cut, np.nan)


def span_mean(cut: Float[np.ndarray, "spans span_times"]) -> Float[np.ndarray, " spans"]:
    """Mean of what is there."""
    count = np.isfinite(cut).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _where_enough(cut, np.nansum(cut, axis=1) / count)


def span_sd(cut: Float[np.ndarray, "spans span_times"]) -> Float[np.ndarray, " spans"]:
    """Standard deviation of what is there, divided by n."""
    deviation: Float[np.ndarray, " spans"] = np.sqrt(span_mean((cut - span_mean(cut)[:, None]) ** 2))
    return deviation


def span_max(cut: Float[np.ndarray, "spans span_times"]) -> Float[np.ndarray, " spans"]:
    """Largest of what is there."""
    return _where_enough(cut, np.where(np.isfinite(cut), cut, -np.inf).max(axis=1))


def span_slope(cut: Float[np.ndarray, "spans span_times"], sfreq: float) -> Float[np.ndarray, " spans"]:
    """Least-squares slope, units a second; NaN for a span of one sample."""
    there = np.isfinite(cut)
    times_s = np.where(there, np.arange(cut.shape[1]) / sfreq, np.nan)
    # Where times_s is NaN so is the product: nansum leaves holes out of both sums.
    lag = times_s - span_mean(times_s)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.nansum(lag * (cut - span_mean(cut)[:, None]), axis=1) / np.nansum(lag**2, axis=1)
    return _where_enough(cut, slope)


def span_is_flat(cut: Float[np.ndarray, "spans span_times"]) -> Bool[np.ndarray, " spans"]:
    """True where every sample that is there has one and the same value, or none is there: a silent sensor."""
    there = np.isfinite(cut)
    highest, lowest = np.where(there, cut, -np.inf).max(axis=1), np.where(there, cut, np.inf).min(axis=1)
    flat: Bool[np.ndarray, " spans"] = highest <= lowest
    return flat


def _where_enough(
    cut: Float[np.ndarray, "spans span_times"], values: Float[np.ndarray, " spans"]
) -> Float[np.ndarray, " spans"]:
    """The values of spans of which at least half is there, else NaN."""
    return np.where(np.isfinite(cut).mean(axis=1) >= MIN_SHARE, values, np.nan)
