"""ECG tokens: the beats of a trial are found once, then each token is told what the heart does around it.

R peaks come from NeuroKit2 (Makowski et al. 2021, Behavior Research Methods 53, 1689-1696) and are refined
here. Compared on ten kinds of synthetic ECG at 128 Hz, 300 s each (clean, noise, 50 Hz hum, wander, amplitude
steps, 42 and 150 beats a minute, upside down and more). Found means within 50 ms; the times are for one hour
of signal on one core (``benchmarks/beat_detectors.py``):

- NeuroKit2 0.2.13, its own method: 100 %, 94 % on amplitude steps in noise; at 42 beats a minute 8 % of what
  it finds are T waves, most of which `clean_rr` rejects; 0.1 s. Its Pan-Tompkins and Hamilton mark the beats
  30 to 90 ms late and lose half of them on amplitude steps.
- MNE 1.13, ``qrs_detector``: 99 %, but 53 % on amplitude steps and 50 % at 150 beats a minute; 0.1 s.
- ``scipy.signal.find_peaks`` on the smoothed squared slope: 100 %, but 91 % on amplitude steps; 0.02 s.

So the kept library is also the most accurate, at no cost that is felt. It marks a wave that points down 34 ms
late, so the lead is turned upright first. It marks to the sample, so each beat is moved to the largest QRS
deflection within 80 ms and a parabola put through it, as the Task Force (1996) asks for below 250 Hz. Where
the true RMSSD is 46.6 ms that gives 47.1 and not 48.4 in noise, 46.7 and not 90.9 upside down.

A detector finds beats in anything, 17 to 33 a minute where there is no heart. So beats count only where the
intervals are those of a heart: at least half of the time of the 21 around must lie in plausible ones
(`clean_rr`). In eegmat this share is 0.61 or more throughout the 68 recordings with a heart, and 0.40 or less
in the four without; in 60 stretches of white, pink and brown noise of 300 s it reaches 0.46. Synthetic hearts
with random intervals keep all beats at a deviation of 15 %, and nine of ten at 25 %, as in fibrillation.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from emo_ray.features.hrv import HRV_FEATURES, PLAUSIBLE_RR_S, clean_rr, hrv_in_spans, sum_between
from emo_ray.features.hrv_spectrum import HRV_SPECTRUM_FEATURES, hrv_spectrum_in_spans
from emo_ray.features.spans import cut_spans, span_is_flat, span_mean
from emo_ray.signals.filters import Band, band_pass, check_bands
from emo_ray.signals.gaps import bridge_gaps, runs
from emo_ray.signals.peaks import parabola_offset
from emo_ray.signals.tokens import silent_tokens, sum_over_tokens, token_samples

ECG_FEATURES = (
    "heart_rate_10s_bpm",
    "rmssd_10s_ms",
    "heart_rate_30s_bpm",
    "sdnn_30s_ms",
    "rmssd_30s_ms",
    "pnn50_30s_percent",
    "heart_rate_slope_30s_bpm_per_s",
    "r_amplitude_sd_10s",
    "rr_ms",
    "rr_change_ms",
    "r_amplitude",
    "qrs_power_share",
)
"""The columns of `ecg_tokens`.

The 10 and 30 s ones describe the beats within that stretch, centred on the token. ``rr_ms`` is the interval
under way at the middle of the token, ``rr_change_ms`` how much longer it is than the one before. R amplitudes
are shares of the trial's median, since leads, gains and (in AMIGOS) even units differ between people.
``qrs_power_share`` is the power of 5-15 Hz over that of 5-40 Hz, low in muscle noise (Li, Mark & Clifford
2008, Physiological Measurement 29(1), 15-32).
"""

ECG_SPAN_FEATURES = (*HRV_FEATURES, *HRV_SPECTRUM_FEATURES)
"""The columns of `ecg_in_spans`."""

SHORT_CONTEXT_S = 10.0
LONG_CONTEXT_S = 30.0
QRS_BAND = Band(5, 15)
HEART_BAND = Band(5, 40)
POWER_FLOOR = 1e-12
SHORTEST_S = 2.0  # NeuroKit2 smooths over 0.75 s and fails on less
MIN_BEATS = 3
MIN_SLOPE_INTERVALS = 3  # what a baseline of 5 s holds at 50 beats a minute
REFINE_S = 0.08  # half a QRS complex, and far less than the distance to P or T
JUDGED_INTERVALS = 21  # about 17 s of a heart; with 9, noise reaches a share of 0.91
MIN_HEART_SHARE = 0.5  # of their time; noise has less
LONGEST_PAUSE_S = 5.0  # that an interval counts for: a sensor that was off says nothing about the heart


@dataclass(frozen=True)
class Beats:
    """The heart beats of one trial.

    Attributes
    ----------
    times_s : of the R peaks, seconds from the first sample
    rr_s : from each beat to the next, NaN where implausible or over a gap
    amplitudes : of the QRS complex, as a share of the trial's median
    """

    times_s: Float[np.ndarray, " beats"]
    rr_s: Float[np.ndarray, " intervals"]
    amplitudes: Float[np.ndarray, " beats"]


def find_beats(ecg: Float[np.ndarray, " times"], sfreq: float) -> Beats:
    """Find the R peaks of a whole trial, upright or upside down.

    A signal that is flat, missing or shorter than 2 s has no beats; that is no error. Nor has a stretch with
    intervals that no heart makes, such as noise of an electrode that fell off; up to ten beats beside it go
    with it. An interval over a missing sample is NaN.

    Parameters
    ----------
    ecg : any unit; NaN where missing
    sfreq : Hz, above 80

    Raises
    ------
    SignalError : the rate is too low for the band of the heart, 5 to 40 Hz
    """
    check_bands({"qrs": QRS_BAND, "heart": HEART_BAND}, sfreq)
    bridged, missing = bridge_gaps(ecg[None])
    if ecg.size < SHORTEST_S * sfreq or np.ptp(bridged) == 0:
        return Beats(np.zeros(0), np.zeros(0), np.zeros(0))
    signed = band_pass(bridged[0], sfreq, QRS_BAND)
    upright = bridged[0] if np.sum(signed**3) >= 0 else -bridged[0]  # the tall side of the QRS up
    qrs = np.abs(signed)
    peaks = _refine(_detect(upright, sfreq), qrs, round(REFINE_S * sfreq))
    # clipped: at the edge of `REFINE_S` a neighbour may be higher than the peak, and the top far away
    times_s = (peaks + np.clip(parabola_offset(qrs, peaks), -0.5, 0.5)) / sfreq
    over_gap = sum_between(missing[0], peaks[:-1], peaks[1:] + 1) > 0
    found_s = np.where(over_gap, np.nan, np.diff(times_s))
    rr_s = clean_rr(found_s)
    kept = np.flatnonzero(_beats_of_a_heart(found_s, rr_s))
    # an interval stays where both its beats do
    rr_s = np.where(np.diff(kept) == 1, rr_s[kept[:-1]], np.nan)
    heights = qrs[peaks[kept]]
    return Beats(times_s[kept], rr_s, heights / np.median(heights) if kept.size else heights)


def ecg_tokens(
    ecg: Float[np.ndarray, " times"],
    sfreq: float,
    token_starts_s: Float[np.ndarray, " tokens"],
    token_s: float = 1.0,
    onset_s: float | None = None,
) -> Float[np.ndarray, "tokens 12"]:
    """Describe the heart around every token of a trial; columns as in `ECG_FEATURES`.

    A context reaches 5 or 15 s to either side of the middle of the token, into neighbouring segments and the
    baseline, but never out of the trial; at its ends it is cut short. NaN stands

    - everywhere in a token that is silent (one value throughout) or more than half missing;
    - everywhere in a trial with less than three beats (flat, missing, too short);
    - in a feature with too few intervals or beats in its context, and in one that would span a gap.

    A clipped signal still has its beats; only its amplitudes lose their meaning.

    Parameters
    ----------
    ecg : one lead of the whole trial, any unit; NaN where missing
    sfreq : Hz, above 80
    token_starts_s : seconds from the first sample, in any order; tokens may overlap
    token_s : seconds
    onset_s : no context reaches across this second, so that baseline and stimulus stay apart; None: all do

    Raises
    ------
    SignalError : the rate is too low, or a token reaches out of the trial
    """
    starts, length = token_samples(token_starts_s, token_s, sfreq, ecg.size)
    beats = find_beats(ecg, sfreq)  # once: a beat that two tokens share is the same for both
    if beats.times_s.size < MIN_BEATS:
        return np.full((starts.size, len(ECG_FEATURES)), np.nan)
    middles_s = (starts + length / 2) / sfreq
    features = np.column_stack(
        [
            _contexts(beats, middles_s, onset_s),
            _interval_under_way(beats, middles_s),
            _qrs_power_share(ecg, sfreq, starts, length),
        ]
    )
    features[_unusable(ecg, starts, length)] = np.nan
    return features


def ecg_in_spans(
    ecg: Float[np.ndarray, " times"], sfreq: float, starts_s: Float[np.ndarray, " spans"], span_s: float
) -> Float[np.ndarray, "spans 8"]:
    """`ECG_SPAN_FEATURES` of spans of 10 s and more, from the beats inside each span alone.

    Heart rate, SDNN, RMSSD and pNN50, then the power of the intervals by frequency, which is NaN below 60 s
    (HF) or 120 s (LF). NaN also stands everywhere in a span that is flat or less than half there, and in a
    feature with too few intervals (`hrv_in_spans`): a span of 1 s has none. A clipped signal keeps its beats.
    Unlike `ecg_tokens` this never looks beyond the span.

    Parameters
    ----------
    ecg : one lead of the whole trial, any unit; NaN where missing
    sfreq : Hz, above 80
    starts_s : seconds from the first sample; may lie outside the signal
    span_s : seconds

    Raises
    ------
    SignalError : the rate is too low
    """
    beats = find_beats(ecg, sfreq)
    raw = cut_spans(ecg, sfreq, starts_s, span_s)
    features = np.column_stack(
        [
            hrv_in_spans(beats.times_s, beats.rr_s, starts_s, starts_s + span_s),
            hrv_spectrum_in_spans(beats.times_s, beats.rr_s, starts_s, span_s),
        ]
    )
    unknown = span_is_flat(raw) | ~np.isfinite(span_mean(raw))
    return np.where(unknown[:, None], np.nan, features)


def _detect(ecg: Float[np.ndarray, " times"], sfreq: float) -> Int[np.ndarray, " beats"]:
    """R peaks as NeuroKit2 finds them, in samples; between stretches in which the sensor was off, by itself.

    NeuroKit2 takes such a stretch for one long QRS complex, beside which all others are too short.
    """
    import neurokit2 as nk  # 0.7 s, and matplotlib: only for those who extract

    least = round(SHORTEST_S * sfreq)
    flat_starts, flat_stops = runs(np.diff(ecg) == 0)
    long = flat_stops - flat_starts >= least
    edges = zip(np.append(0, flat_stops[long]), np.append(flat_starts[long], ecg.size), strict=True)
    found = [np.zeros(0, dtype=np.int64)]
    for start, stop in edges:
        if stop - start >= least:
            cleaned = nk.ecg_clean(ecg[start:stop], sampling_rate=round(sfreq), method="neurokit")
            peaks = nk.ecg_findpeaks(cleaned, sampling_rate=round(sfreq), method="neurokit")["ECG_R_Peaks"]
            found.append(start + np.asarray(peaks, dtype=np.int64))
    return np.concatenate(found)


def _refine(
    peaks: Int[np.ndarray, " found"], qrs: Float[np.ndarray, " times"], reach: int
) -> Int[np.ndarray, " beats"]:
    """Move each beat to the largest QRS deflection within ``reach`` samples; beats that meet become one."""
    around = peaks[:, None] + np.arange(-reach, reach + 1)  # found 2*reach+1
    around = np.clip(around, 0, qrs.size - 1)
    moved = around[np.arange(peaks.size), np.argmax(qrs[around], axis=1)]
    return np.unique(moved)


def _beats_of_a_heart(
    found_s: Float[np.ndarray, " intervals"], rr_s: Float[np.ndarray, " intervals"]
) -> Bool[np.ndarray, " beats"]:
    """True for a beat beside an interval around which most of the time lies in plausible intervals.

    Parameters
    ----------
    found_s : seconds from each beat to the next, NaN over a gap
    rr_s : the same, NaN where implausible, too
    """
    place = np.arange(found_s.size)
    first, stop = np.maximum(place - JUDGED_INTERVALS // 2, 0), place + JUDGED_INTERVALS // 2 + 1
    plausible_s = sum_between(rr_s, first, stop)
    of_heart = (plausible_s > 0) & (
        plausible_s >= MIN_HEART_SHARE * sum_between(np.minimum(found_s, LONGEST_PAUSE_S), first, stop)
    )
    # beats, one more than intervals, have one on either side
    beside: Bool[np.ndarray, " beats"] = np.append(of_heart, False) | np.append(False, of_heart)
    return beside


def _contexts(
    beats: Beats, middles_s: Float[np.ndarray, " tokens"], onset_s: float | None
) -> Float[np.ndarray, "tokens 8"]:
    """The first eight features: heart rate and its variability around each token."""
    short = _around(middles_s, SHORT_CONTEXT_S / 2, onset_s)
    long = _around(middles_s, LONG_CONTEXT_S / 2, onset_s)
    return np.column_stack(
        [
            hrv_in_spans(beats.times_s, beats.rr_s, *short)[:, [0, 2]],  # heart rate, RMSSD
            hrv_in_spans(beats.times_s, beats.rr_s, *long),
            _heart_rate_slope(beats, *long),
            _amplitude_sd(beats, *short),
        ]
    )


def _around(
    middles_s: Float[np.ndarray, " tokens"], half_s: float, onset_s: float | None
) -> tuple[Float[np.ndarray, " tokens"], Float[np.ndarray, " tokens"]]:
    """Start and end of the context of each token, on its own side of the onset."""
    starts_s, ends_s = middles_s - half_s, middles_s + half_s
    if onset_s is None:
        return starts_s, ends_s
    before = middles_s < onset_s
    return (
        np.where(before, starts_s, np.maximum(starts_s, onset_s)),
        np.where(before, np.minimum(ends_s, onset_s), ends_s),
    )


def _heart_rate_slope(
    beats: Beats, starts_s: Float[np.ndarray, " tokens"], ends_s: Float[np.ndarray, " tokens"]
) -> Float[np.ndarray, " tokens"]:
    """Least-squares slope of the momentary heart rate over each span, in beats a minute per second."""
    first = np.searchsorted(beats.times_s, starts_s)
    stop = np.maximum(np.searchsorted(beats.times_s, ends_s) - 1, first)
    valid = np.isfinite(beats.rr_s)
    rate = 60.0 / beats.rr_s
    seconds = np.where(valid, beats.times_s[:-1] + beats.rr_s / 2 - beats.times_s.mean(), np.nan)
    n, sum_t, sum_r, sum_tt, sum_tr = (
        sum_between(column, first, stop) for column in (valid, seconds, rate, seconds**2, seconds * rate)
    )
    spread = n * sum_tt - sum_t**2  # n squared times the variance of time
    enough = n >= MIN_SLOPE_INTERVALS
    return np.where(enough, (n * sum_tr - sum_t * sum_r) / np.where(enough, spread, 1.0), np.nan)


def _amplitude_sd(
    beats: Beats, starts_s: Float[np.ndarray, " tokens"], ends_s: Float[np.ndarray, " tokens"]
) -> Float[np.ndarray, " tokens"]:
    """Standard deviation of the R amplitude over each span: mostly breathing."""
    first, stop = np.searchsorted(beats.times_s, starts_s), np.searchsorted(beats.times_s, ends_s)
    from_typical = beats.amplitudes - 1.0  # the median is 1: small numbers sum exactly
    n = (stop - first).astype(np.float64)
    total, squares = (sum_between(column, first, stop) for column in (from_typical, from_typical**2))
    enough = n >= MIN_BEATS
    n = np.where(enough, n, np.nan)
    sd: Float[np.ndarray, " tokens"] = np.sqrt(np.maximum(squares - total**2 / n, 0.0) / (n - 1))
    return sd


def _interval_under_way(
    beats: Beats, middles_s: Float[np.ndarray, " tokens"]
) -> Float[np.ndarray, "tokens 3"]:
    """The interval at the middle of each token, its change, and the amplitude of the beat that opened it."""
    # NaN before the first beat, after the last, and before the first interval that has one to compare with
    rr_ms = np.concatenate([[np.nan], 1000.0 * beats.rr_s, [np.nan]])
    change_ms = np.concatenate([[np.nan], np.diff(rr_ms)])
    amplitudes = np.concatenate([[np.nan], beats.amplitudes])
    under_way = np.searchsorted(beats.times_s, middles_s, side="right")
    # no beat opened what is longer than an interval can be
    opened_s = np.concatenate([[-np.inf], beats.times_s])[under_way]
    amplitudes = np.where(middles_s - opened_s > PLAUSIBLE_RR_S[1], np.nan, amplitudes[under_way])
    return np.column_stack([rr_ms[under_way], change_ms[under_way], amplitudes])


def _qrs_power_share(
    ecg: Float[np.ndarray, " times"], sfreq: float, starts: Int[np.ndarray, " tokens"], length: int
) -> Float[np.ndarray, " tokens"]:
    """Power of 5-15 Hz over that of 5-40 Hz in each token; NaN over a gap and where there is no power."""
    bridged, missing = bridge_gaps(ecg[None])
    gaps = sum_over_tokens(missing.astype(np.float64), starts, length)[0]
    qrs, heart = (
        sum_over_tokens(band_pass(bridged, sfreq, band) ** 2, starts, length)[0]
        for band in (QRS_BAND, HEART_BAND)
    )
    usable = (gaps == 0) & (heart > POWER_FLOOR)
    return np.where(usable, qrs / np.where(usable, heart, 1.0), np.nan)


def _unusable(
    ecg: Float[np.ndarray, " times"], starts: Int[np.ndarray, " tokens"], length: int
) -> Bool[np.ndarray, " tokens"]:
    """True for a token of a sensor that is off, or that has more than half of its samples missing."""
    missing = sum_over_tokens((~np.isfinite(ecg[None])).astype(np.float64), starts, length)[0]
    unusable: Bool[np.ndarray, " tokens"] = silent_tokens(ecg[None], starts, length)[0] | (
        missing > length / 2
    )
    return unusable
