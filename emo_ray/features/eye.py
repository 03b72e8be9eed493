"""Eyes: blinks from the electrooculogram (EOG), and level and spread of gaze and pupil series."""

import numpy as np
import scipy
from jaxtyping import Float, Int

from emo_ray.features.hrv import sum_between
from emo_ray.features.spans import cut_spans, span_is_flat, span_mean, span_sd
from emo_ray.signals.filters import Band, band_pass, shortest_signal
from emo_ray.signals.gaps import bridge_gaps

EOG_FEATURES = ("blinks_per_minute", "blink_amplitude", "eog_sd")
GAZE_FEATURES = ("gaze_mean", "gaze_sd")
BLINK_BAND = Band(0.5, 10.0)
BLINK_WIDTH_S = (0.05, 0.5)  # at half height; a blink takes 0.1 to 0.4 s (Stern et al. 1984)
SHORTEST_APART_S = 0.3
MIN_DEVIATIONS = 4.0  # of the robust deviation of the trial that a blink stands out by
MAD_TO_SD = 1.4826  # of a Gaussian


def find_blinks(
    eog: Float[np.ndarray, " times"], sfreq: float
) -> tuple[Float[np.ndarray, " blinks"], Float[np.ndarray, " blinks"]]:
    """Seconds from the first sample to each blink, and how far it stands out, in the unit of the signal.

    A blink is a wave of 0.05 to 0.5 s that is high, and stands out, by four robust deviations (median
    absolute) of the trial, on the tall side of the signal, so that either wiring of the electrodes will do.
    In a horizontal EOG large and short glances are found in its place. None in a signal that is flat, all
    missing or shorter than 2 s, and none in a hole.

    Parameters
    ----------
    eog : any unit, vertical; NaN or infinite where unknown
    sfreq : Hz, more than 20

    References
    ----------
    Stern, Walrath & Goldstein (1984), "The endogenous eyeblink", Psychophysiology 21(1), 22-33.
    """
    bridged, missing = bridge_gaps(eog[None])
    nothing = (np.zeros(0), np.zeros(0))
    if eog.size < shortest_signal(sfreq, BLINK_BAND) or np.ptp(bridged) == 0:
        return nothing
    wave = band_pass(bridged[0] - np.median(bridged[0]), sfreq, BLINK_BAND, order=2)
    upright = wave if np.sum(wave**3) >= 0 else -wave
    deviation = MAD_TO_SD * float(np.median(np.abs(wave - np.median(wave))))
    # height as well: in noise a peak stands out of the troughs beside it by twice its height
    least = max(MIN_DEVIATIONS * deviation, np.finfo(np.float64).tiny)
    peaks, found = scipy.signal.find_peaks(
        upright,
        height=least,
        distance=max(int(SHORTEST_APART_S * sfreq), 1),
        prominence=least,
        width=tuple(width * sfreq for width in BLINK_WIDTH_S),
    )
    there = ~missing[0][peaks]
    kept: Int[np.ndarray, " blinks"] = peaks[there]
    return kept / sfreq, found["prominences"][there]


def eog_in_spans(
    eog: Float[np.ndarray, " times"], sfreq: float, starts_s: Float[np.ndarray, " spans"], span_s: float
) -> Float[np.ndarray, "spans 3"]:
    """`EOG_FEATURES` of spans; NaN for a span that is flat or less than half there.

    The amplitude is the mean of the blinks in the span, 0 where there is none; the last one is the deviation
    of the signal itself. A clipped blink is still one, only lower.

    Parameters
    ----------
    eog : microvolts by custom, one whole stretch
    sfreq : Hz, more than 20
    starts_s : seconds from the first sample
    span_s : seconds
    """
    blinks_s, amplitudes = find_blinks(eog, sfreq)
    first, stop = np.searchsorted(blinks_s, [starts_s, starts_s + span_s])
    count = (stop - first).astype(np.float64)
    raw = cut_spans(eog, sfreq, starts_s, span_s)
    columns = (
        count * 60.0 / span_s,
        sum_between(amplitudes, first, stop) / np.maximum(count, 1.0),
        span_sd(raw),
    )
    unknown = span_is_flat(raw) | ~np.isfinite(span_mean(raw))
    return np.where(unknown[:, None], np.nan, np.stack(columns, axis=1))


def gaze_in_spans(
    gaze: Float[np.ndarray, " times"], sfreq: float, starts_s: Float[np.ndarray, " spans"], span_s: float
) -> Float[np.ndarray, "spans 2"]:
    """`GAZE_FEATURES` of spans: mean and deviation, in the unit of the series (pupil width, gaze speed).

    NaN for a span that is flat or less than half there: a tracker that has lost the eye repeats or leaves out
    its value. A series that clips keeps its mean and loses deviation.

    Parameters
    ----------
    gaze : one series of an eye tracker; NaN or infinite where the eye was lost
    sfreq : Hz
    starts_s : seconds from the first sample
    span_s : seconds
    """
    cut = cut_spans(gaze, sfreq, starts_s, span_s)
    features = np.stack([span_mean(cut), span_sd(cut)], axis=1)
    return np.where(span_is_flat(cut)[:, None], np.nan, features)
