"""Heart rate variability in the frequency domain: power of the intervals between beats in LF and HF.

Definitions and shortest lengths: Task Force of the ESC and NASPE (1996), "Heart rate variability: standards
of measurement, physiological interpretation and clinical use", Circulation 93(5), 1043-1065. It asks for
about 1 min for HF and 2 min for LF; a shorter span has NaN.
"""

import numpy as np
import scipy
from jaxtyping import Float

from emo_ray.signals.filters import Band

HRV_SPECTRUM_FEATURES = ("hf_ms2", "lf_ms2", "lf_hf_ratio", "total_ms2")
LF_BAND = Band(0.04, 0.15)
HF_BAND = Band(0.15, 0.4)
SHORTEST_HF_S = 60.0
SHORTEST_LF_S = 120.0
SHORTEST_S = {
    "hf_ms2": SHORTEST_HF_S,
    "lf_ms2": SHORTEST_LF_S,
    "lf_hf_ratio": SHORTEST_LF_S,
    "total_ms2": SHORTEST_LF_S,
}
"""Seconds that a span must have at least, by feature."""

GRID_HZ = 4.0  # of the evenly sampled intervals, ten times the end of HF
MIN_COVERED = 0.8  # share of a span that plausible intervals must cover
MIN_INTERVALS = 10


def hrv_spectrum_in_spans(
    beats_s: Float[np.ndarray, " beats"],
    rr_s: Float[np.ndarray, " intervals"],
    starts_s: Float[np.ndarray, " spans"],
    span_s: float,
) -> Float[np.ndarray, "spans 4"]:
    """`HRV_SPECTRUM_FEATURES` of many spans: power in squared milliseconds, and LF over HF.

    ``total_ms2`` is the power from 0.04 to 0.4 Hz. The intervals of a span, each at its second beat, are put
    on an even grid of 4 Hz by a cubic spline, freed of their linear trend and tapered (Hann). NaN stands in a
    span shorter than `SHORTEST_S` and in one of which plausible intervals cover less than 80 %.

    Parameters
    ----------
    beats_s : times of the beats in seconds, ascending
    rr_s : the interval from each beat to the next, NaN where rejected (`emo_ray.features.hrv.clean_rr`)
    starts_s, span_s : seconds, on the clock of the beats
    """
    features = np.full((starts_s.size, len(HRV_SPECTRUM_FEATURES)), np.nan)
    if span_s < SHORTEST_HF_S:
        return features
    for row, start_s in zip(features, starts_s, strict=True):
        inside = np.isfinite(rr_s) & (beats_s[:-1] >= start_s) & (beats_s[1:] < start_s + span_s)
        if inside.sum() >= MIN_INTERVALS and rr_s[inside].sum() >= MIN_COVERED * span_s:
            row[:] = _powers(beats_s[1:][inside], 1000.0 * rr_s[inside])
    too_short = [SHORTEST_S[name] > span_s for name in HRV_SPECTRUM_FEATURES]
    return np.where(too_short, np.nan, features)


def _powers(
    times_s: Float[np.ndarray, " intervals"], rr_ms: Float[np.ndarray, " intervals"]
) -> tuple[float, float, float, float]:
    """HF, LF, LF / HF and both together of one run of intervals."""
    grid_s = np.arange(times_s[0], times_s[-1], 1.0 / GRID_HZ)
    even = scipy.signal.detrend(scipy.interpolate.CubicSpline(times_s, rr_ms)(grid_s))
    hz, density = scipy.signal.periodogram(even, GRID_HZ, window="hann", detrend=False)  # ms2 a Hz
    hf, lf = (_band_sum(hz, density, band) for band in (HF_BAND, LF_BAND))
    return hf, lf, lf / hf if hf > 0 else float("nan"), hf + lf


def _band_sum(hz: Float[np.ndarray, " bins"], density: Float[np.ndarray, " bins"], band: Band) -> float:
    inside = (hz >= band.low_hz) & (hz < band.high_hz)
    return float(density[inside].sum() * (hz[1] - hz[0]))
