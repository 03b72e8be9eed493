"""Respiration: breaths of a whole trial, then rate, regularity, depth and the share of breathing in by span.

Peaks of the 0.1 to 1 Hz band against the local size of the signal, as for the pulse (`features/bvp.py`):
scipy's `find_peaks` does the search. NeuroKit2's "khodadad2018" takes the trial's own extremes as measure, so
that one deep sigh hides shallow breaths.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy
from jaxtyping import Float

from emo_ray.features.hrv import sum_between
from emo_ray.features.spans import cut_spans, span_is_flat, span_mean, span_sd
from emo_ray.signals.filters import Band, band_pass, shortest_signal
from emo_ray.signals.gaps import bridge_gaps

RESPIRATION_FEATURES = (
    "breaths_per_minute",
    "breath_interval_sd_s",
    "breath_depth",
    "breath_depth_sd",
    "inspiration_expiration_ratio",
    "respiration_sd",
)
BREATH_BAND = Band(0.1, 1.0)  # 6 to 60 breaths a minute
SHORTEST_BREATH_S = 1.2  # 50 breaths a minute
LONGEST_BREATH_S = 15.0
LOCAL_S = 30.0  # depth drifts with posture and belt: compare within this long
MIN_PROMINENCE = 0.5  # of the local root mean square
MIN_INTERVALS_SD = 2


@dataclass(frozen=True)
class Breaths:
    """The breaths of one trial: breath ``i`` is drawn in from ``feet_s[i]`` on and ends at ``feet_s[i + 1]``.

    Attributes
    ----------
    feet_s : seconds from the first sample to each start of breathing in, one more than there are peaks
    peaks_s : seconds to each end of breathing in
    depths : rise from foot to peak, in the unit of the signal
    """

    feet_s: Float[np.ndarray, " feet"]
    peaks_s: Float[np.ndarray, " breaths"]
    depths: Float[np.ndarray, " breaths"]


def find_breaths(respiration: Float[np.ndarray, " times"], sfreq: float) -> Breaths:
    """All breaths whose start and end lie in the signal.

    None in a signal that is flat, all missing, or shorter than 10 s; no breath has its peak in a hole.

    Parameters
    ----------
    respiration : any unit, upward while breathing in; NaN or infinite where unknown
    sfreq : Hz, more than 2
    """
    bridged, missing = bridge_gaps(respiration[None])
    centred = bridged[0] - np.median(bridged[0]) if respiration.size else bridged[0]
    if respiration.size < shortest_signal(sfreq, BREATH_BAND) or not centred.any():
        return Breaths(np.zeros(0), np.zeros(0), np.zeros(0))
    wave = band_pass(centred, sfreq, BREATH_BAND, order=2)
    local = np.sqrt(np.maximum(scipy.ndimage.uniform_filter1d(wave**2, max(round(LOCAL_S * sfreq), 1)), 0.0))
    relative = wave / np.maximum(local, 1e-6 * local.max())  # a stretch without any signal has no breaths
    peaks, _ = scipy.signal.find_peaks(
        relative, distance=max(int(SHORTEST_BREATH_S * sfreq), 1), prominence=MIN_PROMINENCE
    )
    peaks = peaks[~missing[0][peaks]]
    # the lowest point between two peaks ends one breath and starts the next
    feet = [first + int(np.argmin(wave[first:stop])) for first, stop in pairwise(peaks)]
    inner = peaks[1:-1]
    depths = wave[inner] - wave[feet[: inner.size]]
    return Breaths(np.array(feet, dtype=np.float64) / sfreq, inner / sfreq, depths)


def respiration_in_spans(
    respiration: Float[np.ndarray, " times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " spans"],
    span_s: float,
) -> Float[np.ndarray, "spans 6"]:
    """`RESPIRATION_FEATURES` of spans; NaN for a span that is flat or less than half there.

    A breath belongs to a span that holds its peak, an interval (foot to foot) likewise. Rate, depth and the
    ratio of breathing in to breathing out need one breath, deviations two: a span of 10 s has about two, so
    its deviations say little. The last one is the deviation of the signal itself. Where the signal clips,
    depth is too small, the rest stays.

    Parameters
    ----------
    respiration : arbitrary unit, upward while breathing in, one whole stretch
    sfreq : Hz, more than 2
    starts_s : seconds from the first sample
    span_s : seconds
    """
    breaths = find_breaths(respiration, sfreq)
    intervals_s = np.diff(breaths.feet_s)
    plausible = (intervals_s >= SHORTEST_BREATH_S) & (intervals_s <= LONGEST_BREATH_S)
    first, stop = np.searchsorted(breaths.peaks_s, [starts_s, starts_s + span_s])
    inspiration_s = breaths.peaks_s - breaths.feet_s[:-1]
    # a foot is the lowest of at least 1.2 s and never a peak: neither part is 0
    ratio = inspiration_s / (intervals_s - inspiration_s)
    mean_s, sd_s = _mean_sd(np.where(plausible, intervals_s, np.nan), first, stop)
    depth, depth_sd = _mean_sd(np.where(plausible, breaths.depths, np.nan), first, stop)
    raw = cut_spans(respiration, sfreq, starts_s, span_s)
    columns = (
        60.0 / mean_s,
        sd_s,
        depth,
        depth_sd,
        _mean_sd(np.where(plausible, ratio, np.nan), first, stop)[0],
        span_sd(raw),
    )
    unknown = span_is_flat(raw) | ~np.isfinite(span_mean(raw))
    return np.where(unknown[:, None], np.nan, np.stack(columns, axis=1))


def _mean_sd(
    values: Float[np.ndarray, " breaths"], first: np.ndarray, stop: np.ndarray
) -> tuple[Float[np.ndarray, " spans"], Float[np.ndarray, " spans"]]:
    """Mean (of one breath or more) and deviation (of two or more, divided by n) of a value per breath."""
    count = sum_between(np.isfinite(values), first, stop)
    centre = float(np.nanmean(values)) if np.isfinite(values).any() else 0.0  # small numbers sum exactly
    known = np.where(count > 0, count, np.nan)
    mean = sum_between(values - centre, first, stop) / known
    square = sum_between((values - centre) ** 2, first, stop) / known
    sd = np.sqrt(np.maximum(square - mean**2, 0.0))
    return mean + centre, np.where(count >= MIN_INTERVALS_SD, sd, np.nan)
