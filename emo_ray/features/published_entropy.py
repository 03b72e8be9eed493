"""Band power and "differential entropy" as the published four-second features were made, oddities included.

Every token is multiplied by a symmetric Hann taper of its own length, and the FFT is then taken over 256
samples: of a token of 800 only the first 256 are read, under the rising edge of the taper. Band slices begin
one bin early, so that neighbours share a bin and delta holds the offset of the amplifier. The entropy is
``log2(100 P)``. Nothing of this is corrected: it is here to reproduce published numbers, never as a default.
A sine of 10 Hz and 20 microvolts gives 13.9, 17.3, 23.2, 17.4 and 14.2; read in full it would give -9.4,
-3.8, 26.5, -8.1 and -16.8. An offset of 5 microvolts gives 21.6 in delta.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import scipy
from jaxtyping import Float

from emo_ray.errors import SignalError
from emo_ray.features.token_blocks import Block, values_in_blocks
from emo_ray.signals.filters import Band, check_bands
from emo_ray.signals.tokens import token_samples

PUBLISHED_N_FFT = 256

PUBLISHED_CODE_BANDS: Mapping[str, Band] = MappingProxyType(
    {
        "delta": Band(1, 4),
        "theta": Band(4, 8),
        "alpha": Band(8, 14),
        "beta": Band(14, 31),
        "gamma": Band(31, 49),
    }
)
"""As in the published code; the text ends gamma at 50 Hz, as `SJTU_BANDS` does."""


def published_slices(
    bands: Mapping[str, Band], sfreq: float, n_fft: int = PUBLISHED_N_FFT
) -> dict[str, slice]:
    """Bins of each band: from ``floor(low * n_fft / sfreq) - 1`` up to, not with, ``floor(high * ...)``.

    Parameters
    ----------
    bands : name to edges in Hz
    sfreq : Hz
    n_fft : samples

    Raises
    ------
    SignalError : a band reaches the Nyquist frequency, begins below the first bin, or holds no bin
    """
    check_bands(bands, sfreq)
    slices = {}
    for name, band in bands.items():
        first = math.floor(band.low_hz * n_fft / sfreq) - 1
        stop = math.floor(band.high_hz * n_fft / sfreq)
        if not 0 <= first < stop:
            raise SignalError(
                f"band {name!r}, {band.low_hz:g} to {band.high_hz:g} Hz, becomes the bins {first} to {stop} "
                f"of an FFT of {n_fft} samples at {sfreq:g} Hz: the published slices need "
                f"{sfreq / n_fft:g} Hz or more as lower edge"
            )
        slices[name] = slice(first, stop)
    return slices


def published_band_power(
    eeg: Float[np.ndarray, "channels times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " tokens"],
    token_s: float,
    bands: Mapping[str, Band],
    n_fft: int = PUBLISHED_N_FFT,
) -> Float[np.ndarray, "tokens features"]:
    """Mean squared magnitude of the FFT over each band's slice, squared microvolts without normalisation.

    Columns are channel-major. A channel of zeros has power 0, one with an offset the power of the offset.
    NaN stands where a sample that is read, one of the first ``n_fft`` of the token, is missing.

    Parameters
    ----------
    eeg : microvolts, the whole trial; NaN where missing
    sfreq : Hz; 200 in the publication
    starts_s : seconds from the first sample to the start of each token
    token_s : seconds; 4 in the publication
    bands : name to edges in Hz
    n_fft : samples; 256 in the publication

    Raises
    ------
    SignalError : as `published_slices`, or a token reaches out of the trial
    """
    slices = published_slices(bands, sfreq, n_fft)
    starts, length = token_samples(starts_s, token_s, sfreq, eeg.shape[-1])
    n_read = min(length, n_fft)
    taper = scipy.signal.windows.hann(length)[:n_read]  # symmetric, and cut off where the FFT stops reading

    def block_power(block: Block) -> Float[np.ndarray, "channels tokens bands"]:
        spectrum = scipy.fft.rfft(block * taper, n_fft)  # channels tokens bins
        squares = spectrum.real**2 + spectrum.imag**2
        return np.stack([squares[..., bins].mean(axis=-1) for bins in slices.values()], axis=-1)

    return values_in_blocks(eeg, starts, n_read, block_power, silent_is_missing=False)


def published_entropy(power: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """``log2(100 P)``; NaN, where the published code has minus infinity, for a power of 0.

    Parameters
    ----------
    power : as `published_band_power` gives it
    """
    entropy: Float[np.ndarray, "*any"] = np.log2(100.0 * np.where(power > 0, power, np.nan))
    return entropy
