"""Physiology made on the spot: EEG, ECG and skin conductance that follow given slow courses.

Courses are given at `KNOT_HZ` ("knots") and interpolated to the sampling rate. Nothing here knows of
emotions: `testing/amigos_latents.py` says what the courses are.
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Float32, Float64
from scipy import fft

SFREQ = 128
KNOT_HZ = 2
TIMES_PER_KNOT = SFREQ // KNOT_HZ

# Hz; together the 4-45 Hz pass band of the preprocessed release.
EEG_BANDS = {"theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}
# Root mean square of each band, uV: power falls about as 1/f, with an alpha peak.
BAND_RMS = np.array([4.0, 5.0, 3.5, 1.8], dtype=np.float32)


class Wave(NamedTuple):
    """One Gaussian of a heart beat: height (R = 1), centre and width in parts of a beat (R at 0.35)."""

    height: float
    centre: float
    width: float


# Two leads of one heart: same waves, other heights.
LEADS = {
    "right": (
        Wave(0.12, 0.16, 0.025),
        Wave(-0.10, 0.32, 0.010),
        Wave(1.0, 0.35, 0.011),
        Wave(-0.25, 0.38, 0.010),
        Wave(0.30, 0.65, 0.045),
    ),
    "left": (
        Wave(0.16, 0.16, 0.025),
        Wave(-0.06, 0.32, 0.010),
        Wave(1.3, 0.35, 0.011),
        Wave(-0.10, 0.38, 0.010),
        Wave(0.38, 0.65, 0.045),
    ),
}
ECG_UNITS = 500.0  # height of R in the file's arbitrary unit
BEAT_STEPS = 4096

# Rise and decay of a skin conductance response, seconds; the usual biexponential shape.
SCR_RISE_S = 0.75
SCR_DECAY_S = 3.0


def n_knots(n_times: int) -> int:
    """Knots that a recording of `n_times` samples needs, the one after its end included."""
    return n_times // TIMES_PER_KNOT + 2


def smooth_noise(
    rng: np.random.Generator, n_rows: int, n_points: int, timescale_s: float
) -> Float64[np.ndarray, "rows knots"]:
    """Stationary Gaussian noise of unit variance at the knots, smoothed by a Gaussian of that width."""
    sigma = timescale_s * KNOT_HZ
    margin = int(4 * sigma) + 1
    white = rng.standard_normal((n_rows, n_points + 2 * margin))
    # 1 / (2 sigma sqrt(pi)) is the variance that a Gaussian kernel leaves of white noise
    smooth = scipy.ndimage.gaussian_filter1d(white, sigma, axis=1, mode="wrap")[:, margin : margin + n_points]
    scaled: Float64[np.ndarray, "rows knots"] = smooth * np.sqrt(2 * sigma * np.sqrt(np.pi))
    return scaled


def at_samples(knots: Float[np.ndarray, "*rows knots"], n_times: int) -> Float32[np.ndarray, "*rows times"]:
    """Linear interpolation from the knots to the samples."""
    left = knots.astype(np.float32)
    weight = np.arange(TIMES_PER_KNOT, dtype=np.float32) / TIMES_PER_KNOT
    steps = left[..., :-1, None] + np.diff(left)[..., None] * weight  # *rows knots samples-a-knot
    return steps.reshape(*knots.shape[:-1], -1)[..., :n_times]


def band_noise(
    rng: np.random.Generator, mixing: Float32[np.ndarray, "channels channels"], n_times: int
) -> Float32[np.ndarray, "bands channels times"]:
    """Noise in each EEG band with unit root mean square, correlated over channels by `mixing`."""
    length = fft.next_fast_len(n_times, real=True)
    white = rng.standard_normal((len(mixing), length), dtype=np.float32)
    spectrum = fft.rfft(mixing @ white)  # channels frequencies; the bands share it, being disjoint
    frequencies = fft.rfftfreq(length, 1 / SFREQ)
    # amplitude falls within a band too, so that neighbouring bands meet without a step
    shape = 1 / np.sqrt(np.maximum(frequencies, 1.0))
    bands = np.empty((len(EEG_BANDS), len(mixing), n_times), dtype=np.float32)
    for row, (low_hz, high_hz) in enumerate(EEG_BANDS.values()):
        gain = shape * ((frequencies >= low_hz) & (frequencies < high_hz))
        gain *= np.sqrt(len(frequencies) / (gain**2).sum())
        bands[row] = fft.irfft(spectrum * gain.astype(np.float32), length)[:, :n_times]
    return bands


def eeg(
    rng: np.random.Generator,
    log_amplitude: Float[np.ndarray, "bands channels knots"],
    mixing: Float32[np.ndarray, "channels channels"],
    n_times: int,
) -> Float32[np.ndarray, "channels times"]:
    """EEG in uV to the common average, the amplitude of each band following its course (log, 0 = usual)."""
    noise = band_noise(rng, mixing, n_times)
    # noise: bands channels times
    noise *= at_samples(np.exp(log_amplitude), n_times)
    signal = np.tensordot(BAND_RMS, noise, axes=1)
    referenced: Float32[np.ndarray, "channels times"] = signal - signal.mean(axis=0)
    return referenced


def ecg(
    rng: np.random.Generator, rate_bpm: Float[np.ndarray, " knots"], n_times: int
) -> Float32[np.ndarray, "2 times"]:
    """Right and left lead; the rate varies with breathing (0.25 Hz) and slowly (0.1 Hz) around its course.

    Breathing moves the rate less when the heart is fast, as vagal tone is then low.
    """
    seconds = np.arange(n_times) / SFREQ
    rate = at_samples(rate_bpm, n_times).astype(np.float64)
    drift, lead_drift = at_samples(smooth_noise(rng, 2, len(rate_bpm), 4.0), n_times)
    phases = rng.uniform(0, 2 * np.pi, 2)
    breathing = np.sin(2 * np.pi * 0.25 * seconds + phases[0] + drift)
    slow = np.sin(2 * np.pi * 0.1 * seconds + phases[1] + lead_drift)
    rate += 2.5 * np.exp((70 - rate) / 15) * breathing + 1.5 * slow
    # beats since the start, as a real number: its fraction is the place within the beat
    beat = np.cumsum(rate) / (60 * SFREQ) + rng.uniform()
    place = ((beat % 1) * BEAT_STEPS).astype(np.int64)
    leads = np.stack([beat_shape(waves)[place] for waves in LEADS.values()])
    leads += np.stack([drift, lead_drift]) * 0.05
    leads += 0.01 * rng.standard_normal(leads.shape, dtype=np.float32)
    return leads * np.float32(ECG_UNITS)


def beat_shape(waves: tuple[Wave, ...]) -> Float32[np.ndarray, " steps"]:
    """One heart beat as a sum of Gaussians (McSharry et al. 2003), R = 1."""
    place = np.arange(BEAT_STEPS) / BEAT_STEPS
    shape = np.zeros(BEAT_STEPS)
    for wave in waves:
        shape += wave.height * np.exp(-0.5 * ((place - wave.centre) / wave.width) ** 2)
    return shape.astype(np.float32)


def skin_conductance(
    rng: np.random.Generator,
    rate_hz: Float[np.ndarray, " knots"],
    tonic: Float[np.ndarray, " knots"],
    n_times: int,
) -> Float32[np.ndarray, " times"]:
    """Tonic level plus responses at random moments of the given rate, in uS."""
    # responses to moments before the recording are there from its first sample on
    before = int(6 * SCR_DECAY_S * SFREQ)
    rate = np.concatenate([np.full(before, rate_hz[0]), at_samples(rate_hz, n_times)])
    happens = rng.random(len(rate)) < rate / SFREQ
    impulses = happens * 0.25 * rng.lognormal(0.0, 0.4, len(rate))
    decay, rise = (np.exp(-1 / (tau * SFREQ)) for tau in (SCR_DECAY_S, SCR_RISE_S))
    responses = scipy.signal.lfilter([1.0], [1.0, -decay], impulses) - scipy.signal.lfilter(
        [1.0], [1.0, -rise], impulses
    )
    # the highest point of exp(-t / 3) - exp(-t / 0.75) is 0.4725: divide, so impulses give heights in uS
    conductance = at_samples(tonic, n_times)
    conductance += responses[before:] / 0.4725
    return conductance
