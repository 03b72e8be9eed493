"""Short-time spectra of a clip, pictures over frequency and time: as published, and on one clean grid."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import scipy
from jaxtyping import Float

from emo_ray.errors import SignalError
from emo_ray.signals.tokens import silent_tokens

PUBLISHED_SAMPLES: Mapping[str, int] = MappingProxyType({"deap": 256, "gameemo": 128, "seed_iv": 400})
"""Samples a frame in the published code, by corpus: 2, 1 and 2 s."""

PUBLISHED_RANGE_HZ = (0.5, 50.0)
PUBLISHED_GRID = (129, 126)  # frequencies, times

LOWEST_HZ, HIGHEST_HZ = 1, 45  # of the clean grid, 1 Hz apart
MAX_GRID_ERROR = 0.01  # share of a frequency by which a rate that is no whole number may move it
MIN_DEVIATION = 1e-6


def published_stft(
    clip: Float[np.ndarray, "channels times"], sfreq: float, frame_samples: int
) -> Float[np.ndarray, "channels 129 126"]:
    """Magnitudes from 0.5 to 50 Hz, stretched to 129 frequencies and 126 times by straight lines.

    As published: nothing is filtered, scaled or taken the logarithm of, and where the bins are 1 Hz apart,
    bin 0, the offset, is kept. A silent channel gives zeros but for that bin; a missing sample spreads NaN
    over its frames and their neighbours on the grid.

    Parameters
    ----------
    clip : signal units; one shorter than a frame is filled up with zeros
    sfreq : Hz
    frame_samples : samples a frame, half of which overlap; `PUBLISHED_SAMPLES` has the published ones

    Raises
    ------
    SignalError : the rate holds nothing up to 50 Hz
    """
    magnitudes = published_bins(clip, sfreq, frame_samples)
    stretch = [wanted / given for wanted, given in zip(PUBLISHED_GRID, magnitudes.shape[1:], strict=True)]
    stretched: Float[np.ndarray, "channels 129 126"] = scipy.ndimage.zoom(magnitudes, (1, *stretch), order=1)
    return stretched


def published_bins(
    clip: Float[np.ndarray, "channels times"], sfreq: float, frame_samples: int
) -> Float[np.ndarray, "channels bins frames"]:
    """Magnitudes of `published_stft` before they are stretched, bins ``int(0.5 / df)`` to ``int(50 / df)``.

    Parameters and errors as there.
    """
    low, high = (int(edge_hz / (sfreq / frame_samples)) for edge_hz in PUBLISHED_RANGE_HZ)
    if high > frame_samples // 2:
        raise SignalError(
            f"the published spectra reach {PUBLISHED_RANGE_HZ[1]:g} Hz, but sampling at {sfreq:g} Hz holds "
            f"nothing above {sfreq / 2:g} Hz: take the clean mode"
        )
    # scipy's defaults: half overlap, periodic Hann, zeros added at both ends
    _, _, spectrum = scipy.signal.stft(_at_least(clip, frame_samples), sfreq, nperseg=frame_samples)
    magnitudes: Float[np.ndarray, "channels bins frames"] = np.abs(spectrum[:, low : high + 1])
    return magnitudes


def clean_stft(
    clip: Float[np.ndarray, "channels times"], sfreq: float
) -> Float[np.ndarray, "channels 45 frames"]:
    """Log power on a grid of 1 to 45 Hz by 0.5 s, each channel with mean 0 and deviation 1.

    Frames of 1 s, half overlapping, tapered by Hann, their means taken off; ``log(1 + power)`` of squared
    microvolts. No frame reaches out of the clip, so n seconds have ``2 n - 1`` frames. The deviation is at
    least 1e-6. A silent channel is NaN throughout; a missing sample makes its frames NaN, and the scaling
    leaves them out.

    Parameters
    ----------
    clip : microvolts; NaN where missing; one shorter than a frame is filled up with zeros
    sfreq : Hz, more than 90, a whole number to within 1 %

    Raises
    ------
    SignalError : the rate does not carry the grid
    """
    frame_samples = round(sfreq)
    if sfreq <= 2 * HIGHEST_HZ or abs(sfreq / frame_samples - 1) > MAX_GRID_ERROR:
        raise SignalError(
            f"a grid of {LOWEST_HZ} to {HIGHEST_HZ} Hz, 1 Hz apart, does not fit a rate of {sfreq:g} Hz: "
            f"resample to a whole number above {2 * HIGHEST_HZ}"
        )
    silent = silent_tokens(clip, np.zeros(1, dtype=np.int64), clip.shape[-1])  # channels 1
    # infinity would make the mean of its frame NaN with a warning
    finite = np.where(np.isfinite(clip), clip, np.nan)
    framing = {"nperseg": frame_samples, "detrend": "constant", "boundary": None, "padded": False}
    _, _, spectrum = scipy.signal.stft(_at_least(finite, frame_samples), sfreq, **framing)
    power = np.log1p(np.abs(spectrum[:, LOWEST_HZ : HIGHEST_HZ + 1]) ** 2)
    return _standardised(np.where(silent[..., None], np.nan, power))


def _at_least(
    clip: Float[np.ndarray, "channels times"], n_times: int
) -> Float[np.ndarray, "channels longer"]:
    """The clip, filled up with zeros behind: scipy would shrink the frame instead."""
    return np.pad(clip, ((0, 0), (0, max(n_times - clip.shape[-1], 0))))


def _standardised(
    power: Float[np.ndarray, "channels bins frames"],
) -> Float[np.ndarray, "channels bins frames"]:
    """Mean 0 and deviation 1 over what is defined of each channel."""
    count = np.isfinite(power).sum(axis=(1, 2), keepdims=True)
    mean = np.nansum(power, axis=(1, 2), keepdims=True) / np.maximum(count, 1)
    square = np.nansum((power - mean) ** 2, axis=(1, 2), keepdims=True) / np.maximum(count, 1)
    scaled: Float[np.ndarray, "channels bins frames"] = (power - mean) / np.maximum(
        np.sqrt(square), MIN_DEVIATION
    )
    return scaled
