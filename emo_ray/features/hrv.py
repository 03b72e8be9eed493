"""Heart rate variability in the time domain, from intervals between beats (ECG or pulse).

A rejected or missing interval is NaN and keeps its place, so that a successive difference is never taken
across it. Definitions: Task Force of the ESC and NASPE (1996), "Heart rate variability: standards of
measurement, physiological interpretation and clinical use", Circulation 93(5), 1043-1065.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

HRV_FEATURES = ("heart_rate_bpm", "sdnn_ms", "rmssd_ms", "pnn50_percent")
MIN_INTERVALS_HEART_RATE = 2
MIN_INTERVALS_SDNN = 3
MIN_DIFFERENCES = 2
NN50_MS = 50.0

PLAUSIBLE_RR_S = (0.3, 2.0)  # 200 to 30 beats a minute
MAX_DEVIATION = 0.2  # Malik et al. (1989)
MEDIAN_INTERVALS = 5


def beat_intervals(beats_s: Float[np.ndarray, " beats"]) -> Float[np.ndarray, " intervals"]:
    """Seconds from each beat to the next, implausible ones NaN (`clean_rr`); empty for less than two beats.

    Parameters
    ----------
    beats_s : times of the beats in seconds, ascending
    """
    return clean_rr(np.diff(beats_s))


def clean_rr(
    rr_s: Float[np.ndarray, " intervals"], max_deviation: float = MAX_DEVIATION
) -> Float[np.ndarray, " intervals"]:
    """Set intervals that no healthy heart makes to NaN; the length stays.

    Two rules, in this order: an interval outside 0.3 to 2.0 s goes; then one goes that differs by more than
    ``max_deviation`` from the median of the five plausible intervals around it. The 20 % are those of Malik
    et al., who compare with the interval before; the local median is that of Kubios, and keeps the good
    interval that follows a bad one.

    Parameters
    ----------
    rr_s : intervals in seconds, in time order; NaN where unknown
    max_deviation : share of the local median

    References
    ----------
    Malik, Farrell, Cripps & Camm (1989), "Heart rate variability in relation to prognosis after myocardial
    infarction: selection of optimal processing techniques", European Heart Journal 10(12), 1060-1074.
    Tarvainen et al. (2014), "Kubios HRV - heart rate variability analysis software", CMPB 113(1), 210-220.
    """
    shortest, longest = PLAUSIBLE_RR_S
    plausible = np.flatnonzero((rr_s >= shortest) & (rr_s <= longest))  # NaN is not
    cleaned = np.full(rr_s.shape, np.nan, dtype=rr_s.dtype)
    if plausible.size == 0:
        return cleaned
    kept = rr_s[plausible]
    half = MEDIAN_INTERVALS // 2
    # only plausible ones vote, so that a missed beat does not move the median
    padded = np.pad(kept, half, mode="reflect" if kept.size > half else "edge")
    local = np.median(sliding_window_view(padded, MEDIAN_INTERVALS), axis=-1)
    cleaned[plausible] = np.where(np.abs(kept - local) <= max_deviation * local, kept, np.nan)
    return cleaned


def hrv_time_domain(rr_s: Float[np.ndarray, " intervals"]) -> dict[str, float]:
    """Heart rate (beats a minute), SDNN (ms), RMSSD (ms) and pNN50 (percent) of a run of intervals.

    A value is NaN when there is too little to take it from: heart rate needs 2 intervals, SDNN 3, RMSSD and
    pNN50 each 2 differences between neighbours. SDNN divides by n - 1.

    Parameters
    ----------
    rr_s : intervals in seconds, in time order, NaN where rejected (`clean_rr`)
    """
    values = dict.fromkeys(HRV_FEATURES, float("nan"))
    rr_ms = 1000.0 * rr_s[~np.isnan(rr_s)].astype(np.float64)
    steps_ms = 1000.0 * np.diff(rr_s.astype(np.float64))
    steps_ms = steps_ms[~np.isnan(steps_ms)]  # none across a rejected interval
    if rr_ms.size >= MIN_INTERVALS_HEART_RATE:
        values["heart_rate_bpm"] = float(60_000.0 / rr_ms.mean())
    if rr_ms.size >= MIN_INTERVALS_SDNN:
        values["sdnn_ms"] = float(rr_ms.std(ddof=1))
    if steps_ms.size >= MIN_DIFFERENCES:
        values["rmssd_ms"] = float(np.sqrt(np.mean(steps_ms**2)))
        values["pnn50_percent"] = float(100.0 * np.mean(np.abs(steps_ms) > NN50_MS))
    return values


def hrv_in_spans(
    beats_s: Float[np.ndarray, " beats"],
    rr_s: Float[np.ndarray, " intervals"],
    starts_s: Float[np.ndarray, " spans"],
    ends_s: Float[np.ndarray, " spans"],
) -> Float[np.ndarray, "spans features"]:
    """`hrv_time_domain` of many spans of one recording at once, columns as in `HRV_FEATURES`.

    An interval belongs to a span when both its beats lie in ``[start, end)``. Running sums make the cost
    independent of the length of the spans.

    Parameters
    ----------
    beats_s : times of the beats in seconds, ascending
    rr_s : the interval from each beat to the next, NaN where rejected
    starts_s, ends_s : seconds, on the clock of the beats
    """
    first = np.searchsorted(beats_s, starts_s)
    last = np.maximum(np.searchsorted(beats_s, ends_s) - 1, first)  # the last beat of the span
    rr_ms = 1000.0 * rr_s.astype(np.float64)
    centre = float(np.nanmean(rr_ms)) if np.isfinite(rr_ms).any() else 0.0  # small numbers sum exactly
    n_intervals, total, squares = (
        sum_between(column, first, last)
        for column in (np.isfinite(rr_ms), rr_ms - centre, (rr_ms - centre) ** 2)
    )
    steps = np.diff(rr_ms)  # NaN beside a rejected interval: no step across it
    last_step = np.maximum(last - 1, first)
    n_steps, step_squares, n_long = (
        sum_between(column, first, last_step)
        for column in (np.isfinite(steps), steps**2, np.abs(steps) > NN50_MS)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n_intervals
        # Task Force (1996): the standard deviation of a sample, hence n - 1
        variance = np.maximum(squares - n_intervals * mean**2, 0.0) / (n_intervals - 1)
        columns = (
            _where_enough(n_intervals, MIN_INTERVALS_HEART_RATE, 60_000.0 / (mean + centre)),
            _where_enough(n_intervals, MIN_INTERVALS_SDNN, np.sqrt(variance)),
            _where_enough(n_steps, MIN_DIFFERENCES, np.sqrt(step_squares / n_steps)),
            _where_enough(n_steps, MIN_DIFFERENCES, 100.0 * n_long / n_steps),
        )
    return np.stack(columns, axis=1)


def sum_between(
    values: Float[np.ndarray, " n"] | Bool[np.ndarray, " n"],
    first: Int[np.ndarray, " spans"],
    stop: Int[np.ndarray, " spans"],
) -> Float[np.ndarray, " spans"]:
    """Sum of ``values[first:stop]`` of every span, NaN counted as 0; spans may reach past the end."""
    running = np.zeros(values.size + 1)
    np.cumsum(np.nan_to_num(values.astype(np.float64)), out=running[1:])
    sums: Float[np.ndarray, " spans"] = np.diff(running[np.minimum([first, stop], values.size)], axis=0)[0]
    return sums


def _where_enough(
    count: Float[np.ndarray, " spans"], least: int, values: Float[np.ndarray, " spans"]
) -> Float[np.ndarray, " spans"]:
    """The values of spans that have at least ``least`` items, else NaN."""
    return np.where(count >= least, values, np.nan)
