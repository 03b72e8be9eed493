"""Power spectra of EEG: band power of tokens from one tapered FFT each, and Welch's density of a segment."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import scipy
from jaxtyping import Float

from emo_ray.errors import SignalError
from emo_ray.features.token_blocks import Block, values_in_blocks
from emo_ray.signals.filters import Band, check_bands
from emo_ray.signals.gaps import bridge_short_gaps
from emo_ray.signals.tokens import count_in_tokens, silent_tokens, token_samples

SINGLE = np.dtype(np.float32)
LONGEST_BRIDGE_S = 0.05  # of a gap; in a longer one a line would replace whole periods of beta
MAX_MISSING_SHARE = 0.05  # of the samples of a token


def token_band_power(
    eeg: Float[np.ndarray, "channels times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " tokens"],
    token_s: float,
    bands: Mapping[str, Band],
) -> Float[np.ndarray, "tokens features"]:
    """Power of every token in each band, squared microvolts; columns channel-major, bands inside.

    The mean is taken off a token, a Hann taper laid on, and the FFT taken over the next power of two samples.
    The one-sided density, divided by ``sfreq * sum(taper ** 2)``, is summed over the bins of
    ``low <= f < high`` and multiplied by the width of a bin. A float32 signal is transformed in float32:
    the logarithm of a power that is 1e-6 of the token's own is then still right to 1e-3.

    A gap of at most 50 ms is bridged by a straight line, so that one lost sample does not cost a token of
    10 s. At worst, with 5 % of the samples in such gaps, this moves the entropy of pink noise by 0.03 nats
    (root mean square) in tokens of 10 s, whose own scatter is 0.05 to 0.14, and by up to 0.12 in tokens of
    1 s (0.16 to 0.37).

    NaN stands where a channel is silent in the token (one value from first to last sample), where more than
    5 % of its samples are missing, and where it holds a part of a longer gap, or of one at an end of the
    trial; other channels and tokens are not touched.

    Parameters
    ----------
    eeg : microvolts, the whole trial; NaN where missing
    sfreq : Hz
    starts_s : seconds from the first sample to the start of each token, in any order; tokens may overlap
    token_s : seconds
    bands : name to edges in Hz

    Raises
    ------
    SignalError : a band does not fit the rate or holds no bin, or a token reaches out of the trial

    References
    ----------
    Shi, Jiao & Lu (2013), "Differential entropy feature for EEG-based vigilance estimation", EMBC, 6627-6630.
    """
    check_bands(bands, sfreq)
    starts, length = token_samples(starts_s, token_s, sfreq, eeg.shape[-1])
    n_fft = 1 << (length - 1).bit_length()  # the next power of two
    dtype = SINGLE if eeg.dtype == SINGLE else np.dtype(np.float64)
    taper = _taper(length, dtype)
    low, weights = _band_weights(tuple(bands.items()), float(sfreq), length, n_fft)
    weights = weights.astype(dtype)

    buffers: dict[tuple[int, ...], Float[np.ndarray, "channels tokens n_fft"]] = {}

    def block_power(block: Block) -> Float[np.ndarray, "channels tokens bands"]:
        shape = (*block.shape[:2], n_fft)
        if shape not in buffers:  # used again for every block: new memory is slow to touch
            buffers[shape] = np.zeros(shape, dtype)
        padded = buffers[shape]
        tapered = padded[..., :length]
        np.subtract(block, block.mean(axis=-1, keepdims=True, dtype=dtype), out=tapered)
        tapered *= taper
        spectrum = scipy.fft.rfft(padded)
        # real and imaginary parts side by side: their squares times the weights are the band powers
        parts = spectrum.view(dtype)[..., 2 * low : 2 * low + len(weights)]
        powers: Float[np.ndarray, "channels tokens bands"] = (
            np.square(parts).reshape(-1, len(weights)) @ weights
        ).reshape(*block.shape[:2], weights.shape[1])
        return powers

    bridged = bridge_short_gaps(eeg, int(LONGEST_BRIDGE_S * sfreq))
    features = values_in_blocks(bridged, starts, length, block_power)
    if bridged is not eeg:
        n_missing = count_in_tokens(~np.isfinite(eeg), starts, length)
        too_many = n_missing > MAX_MISSING_SHARE * length  # channels tokens
        features[np.repeat(too_many.T, len(bands), axis=1)] = np.nan
    return features


def welch_density(
    segment: Float[np.ndarray, "channels times"], sfreq: float, frame_s: float = 2.0
) -> tuple[Float[np.ndarray, " bins"], Float[np.ndarray, "channels bins"]]:
    """Frequencies in Hz and power density of each channel in squared microvolts a hertz, Welch's method.

    Frames are tapered by Hann and overlap by half; their means are taken off. A silent channel and one that
    misses a sample are NaN throughout.

    Parameters
    ----------
    segment : microvolts; NaN where missing
    sfreq : Hz
    frame_s : seconds; the bins are ``1 / frame_s`` apart

    Raises
    ------
    SignalError : the segment is shorter than a frame, or a frame has less than two samples

    References
    ----------
    Welch (1967), "The use of fast Fourier transform for the estimation of power spectra", IEEE Trans. Audio
    and Electroacoustics 15(2), 70-73.
    """
    n_frame, n_times = round(frame_s * sfreq), segment.shape[-1]
    if not 2 <= n_frame <= n_times:
        raise SignalError(
            f"a segment of {n_times} samples at {sfreq:g} Hz holds no frame of {frame_s:g} s ({n_frame} "
            "samples): take a longer segment or another frame"
        )
    unknown = (
        ~np.isfinite(segment).all(axis=-1) | silent_tokens(segment, np.zeros(1, np.int64), n_times)[:, 0]
    )
    frequencies, density = scipy.signal.welch(
        np.where(unknown[:, None], 0.0, segment), sfreq, nperseg=n_frame
    )
    return frequencies, np.where(unknown[:, None], np.nan, density)


@lru_cache(maxsize=16)
def _taper(length: int, dtype: np.dtype) -> Float[np.ndarray, " length"]:
    """Hann, periodic: its spectrum has three lines and no more."""
    taper: Float[np.ndarray, " length"] = scipy.signal.windows.hann(length, sym=False).astype(dtype)
    return taper


@lru_cache(maxsize=16)
def _band_weights(
    bands: tuple[tuple[str, Band], ...], sfreq: float, length: int, n_fft: int
) -> tuple[int, Float[np.ndarray, "parts bands"]]:
    """First bin of the lowest band, and what the square of each real and imaginary part adds to each band."""
    bins_hz = np.arange(n_fft // 2 + 1) * sfreq / n_fft
    inside = np.stack([(bins_hz >= band.low_hz) & (bins_hz < band.high_hz) for _, band in bands], axis=1)
    empty = [name for column, (name, _) in enumerate(bands) if not inside[:, column].any()]
    if empty:
        raise SignalError(
            f"no bin of an FFT of {n_fft} samples at {sfreq:g} Hz lies in the bands {empty}: bins are "
            f"{sfreq / n_fft:g} Hz apart, so take longer tokens or wider bands"
        )
    used = np.flatnonzero(inside.any(axis=1))
    # 2: one-sided; neither 0 nor the Nyquist frequency lies in a band
    scale = 2.0 / (sfreq * np.square(_taper(length, np.dtype(np.float64))).sum()) * sfreq / n_fft
    weights = scale * np.repeat(inside[used[0] : used[-1] + 1], 2, axis=0)
    return int(used[0]), weights
