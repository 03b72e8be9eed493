"""Band variance of tokens that are each filtered by themselves, forward only and from rest.

This is the usual way of public toolboxes. A filter from rest over a fixed number of samples is a linear map,
a triangular matrix of its impulse response, so all tokens, channels and bands are one matrix product, and
the filters are designed once.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import scipy
from jaxtyping import Float

from emo_ray.features.token_blocks import Block, values_in_blocks
from emo_ray.signals.filters import Band, check_bands
from emo_ray.signals.tokens import token_samples

WINDOWED_ORDER = 5  # that of TorchEEG's transform


def windowed_band_variance(
    eeg: Float[np.ndarray, "channels times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " tokens"],
    token_s: float,
    bands: Mapping[str, Band],
) -> Float[np.ndarray, "tokens features"]:
    """Variance of every token after a Butterworth band-pass from rest, squared microvolts, channel-major.

    The start of the filter rings through a short token, and an offset with it: `token_band_power` and
    `token_band_variance` are better measures, this one is for comparison with published features.

    NaN stands where a channel is silent in the token or has a missing sample in it.

    Parameters
    ----------
    eeg : microvolts, the whole trial; NaN where missing
    sfreq : Hz
    starts_s : seconds from the first sample to the start of each token, in any order; tokens may overlap
    token_s : seconds
    bands : name to edges in Hz

    Raises
    ------
    SignalError : a band does not fit the rate, or a token reaches out of the trial
    """
    check_bands(bands, sfreq)
    starts, length = token_samples(starts_s, token_s, sfreq, eeg.shape[-1])
    filters = _centred_filters(tuple(bands.values()), float(sfreq), length)

    def block_variance(block: Block) -> Float[np.ndarray, "channels tokens bands"]:
        filtered = block.reshape(-1, length).astype(np.float64, copy=False) @ filters
        # channels tokens bands times; means are off already
        by_band = filtered.reshape(*block.shape[:2], len(bands), length)
        variance: Float[np.ndarray, "channels tokens bands"] = (
            np.einsum("...t,...t->...", by_band, by_band) / length
        )
        return variance

    return values_in_blocks(eeg, starts, length, block_variance)


@lru_cache(maxsize=8)
def _centred_filters(
    bands: tuple[Band, ...], sfreq: float, length: int
) -> Float[np.ndarray, "length band_times"]:
    """Matrices of all bands side by side; a row of samples times these is filtered and without its mean."""
    impulse = np.zeros(length)
    impulse[0] = 1.0
    matrices = []
    for band in bands:
        # second-order sections: a polynomial of order 10 loses digits in a narrow low band
        sections = scipy.signal.butter(WINDOWED_ORDER, band, btype="bandpass", fs=sfreq, output="sos")
        response = scipy.signal.sosfilt(sections, impulse)
        # row: the sample that goes in; column: the time that it comes out
        matrix = scipy.linalg.toeplitz(response[0] * impulse, response)
        matrices.append(matrix - matrix.mean(axis=1, keepdims=True))
    return np.concatenate(matrices, axis=1)
