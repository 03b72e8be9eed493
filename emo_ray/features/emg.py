"""Electromyogram of the surface: how strongly a muscle works, and how fast its signal swings.

References
----------
Hermens et al. (2000), "Development of recommendations for SEMG sensors and sensor placement procedures",
J. Electromyography and Kinesiology 10(5), 361-374 (from 20 Hz on).
Phinyomark, Phukpattaranont & Limsakul (2012), "Feature reduction and selection for EMG signal
classification", Expert Systems with Applications 39(8), 7420-7431 (the definitions).
"""

import numpy as np
from jaxtyping import Float

from emo_ray.features.spans import cut_spans, span_is_flat, span_mean
from emo_ray.signals.filters import Band, band_pass, filter_reach, shortest_signal
from emo_ray.signals.gaps import bridge_gaps, widen

EMG_FEATURES = (
    "emg_rms",
    "emg_mean_absolute",
    "emg_zero_crossings_per_s",
    "emg_median_frequency_hz",
    "emg_log_variance",
)
LOWEST_HZ = 20.0  # below: movement of the cable, the heart
HIGHEST_HZ = 450.0
USED_OF_NYQUIST = 0.9  # a pass band needs room to fall off
VARIANCE_FLOOR = 1e-12  # squared units, before the logarithm


def emg_in_spans(
    emg: Float[np.ndarray, " times"], sfreq: float, starts_s: Float[np.ndarray, " spans"], span_s: float
) -> Float[np.ndarray, "spans 5"]:
    """`EMG_FEATURES` of spans; NaN for a span that is flat or less than half there.

    The trial is filtered first, to 20 Hz and more (up to 450 Hz, or 0.9 of the Nyquist frequency): at the
    128 Hz of DEAP 20 to 57.6 Hz are left of the muscle's 20 to 450. A rate that leaves nothing above 20 Hz
    (below 45 Hz), or less than 0.05 s of signal, gives NaN: what is slower is no muscle. A clipped signal has
    too little power and too low a median frequency; no value here tells that.

    Root mean square and mean absolute value are in the unit of the signal; the variance is that of the span
    in squared units, its logarithm the natural one.

    Parameters
    ----------
    emg : microvolts by custom, one muscle, one whole stretch; NaN or infinite where unknown
    sfreq : Hz
    starts_s : seconds from the first sample
    span_s : seconds
    """
    raw = cut_spans(emg, sfreq, starts_s, span_s)
    band = Band(LOWEST_HZ, min(HIGHEST_HZ, USED_OF_NYQUIST * sfreq / 2))
    if band.high_hz <= band.low_hz or emg.size < shortest_signal(sfreq, band):
        return np.full((starts_s.size, len(EMG_FEATURES)), np.nan)
    cut = cut_spans(_muscle(emg, sfreq, band), sfreq, starts_s, span_s)  # spans span_times
    mean_square = span_mean(cut**2)
    columns = (
        np.sqrt(mean_square),
        span_mean(np.abs(cut)),
        _crossings(cut) * sfreq,
        _median_frequency(cut, sfreq),
        # the mean of what has no slow part is next to nothing, but a short span has one
        np.log(np.maximum(mean_square - span_mean(cut) ** 2, VARIANCE_FLOOR)),
    )
    unknown = span_is_flat(raw) | ~np.isfinite(mean_square)
    return np.where(unknown[:, None], np.nan, np.stack(columns, axis=1))


def _muscle(emg: Float[np.ndarray, " times"], sfreq: float, band: Band) -> Float[np.ndarray, " times"]:
    """The signal in the band of the muscle, NaN in and beside its holes."""
    bridged, missing = bridge_gaps(emg[None])
    touched = widen(missing, filter_reach(sfreq, band))
    muscle: Float[np.ndarray, " times"] = np.where(touched, np.nan, band_pass(bridged, sfreq, band))[0]
    return muscle


def _crossings(cut: Float[np.ndarray, "spans span_times"]) -> Float[np.ndarray, " spans"]:
    """Changes of sign, as a share of the steps from one sample to the next that are there."""
    product = cut[:, 1:] * cut[:, :-1]
    with np.errstate(invalid="ignore"):
        return np.asarray(span_mean(np.where(np.isnan(product), np.nan, (product < 0).astype(np.float64))))


def _median_frequency(
    cut: Float[np.ndarray, "spans span_times"], sfreq: float
) -> Float[np.ndarray, " spans"]:
    """The frequency with half of the power below it, between bins by a straight line; holes count as 0."""
    power = np.abs(np.fft.rfft(np.nan_to_num(cut), axis=1)) ** 2  # spans bins
    below = np.cumsum(power, axis=1)
    half = below[:, -1:] / 2
    bin_ = np.argmax(below >= half, axis=1)[:, None]
    above, width = np.take_along_axis(below, bin_, 1), np.take_along_axis(power, bin_, 1)
    # the power of a bin is taken as spread evenly over one bin's width around it
    with np.errstate(invalid="ignore", divide="ignore"):
        place = bin_ + 0.5 - (above - half) / width
    hz: Float[np.ndarray, " spans"] = np.clip(place[:, 0], 0.0, None) * sfreq / cut.shape[1]
    return hz
