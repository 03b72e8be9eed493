"""How alike two channels swing in a band: coherence or phase locking of all pairs of channels of a token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.errors import SignalError
from emo_ray.features.differential_entropy import SJTU_BANDS
from emo_ray.signals.filters import Band, band_pass, check_bands
from emo_ray.signals.gaps import bridge_gaps
from emo_ray.signals.tokens import any_in_tokens, silent_tokens, token_samples

MIN_FRAMES = 4  # of a single frame every coherence is 1; n independent ones of noise have 1 / n

Alike = tuple[int, int, Float[np.ndarray, "channels channels"]]
"""Column of a band, row of a token, and how alike its channels are."""


@dataclass(frozen=True)
class Trial:
    """A signal without gaps and its tokens, in samples."""

    eeg: Float[np.ndarray, "channels times"]
    sfreq: float
    starts: Int[np.ndarray, " tokens"]
    length: int


class ConnectivityConfig(BaseModel):
    """Which measure, of which bands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal["coherence", "phase_locking"] = Field(
        "coherence",
        description="coherence: squared, magnitude, mean over the bins of a band; phase_locking: length of "
        "the mean phase difference",
    )
    bands: dict[str, Band] = Field(
        default_factory=lambda: dict(SJTU_BANDS), min_length=1, description="name to edges in Hz"
    )
    frame_s: float = Field(1.0, gt=0, description="seconds of a frame of coherence, half overlapping")


def token_connectivity(
    eeg: Float[np.ndarray, "channels times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " tokens"],
    token_s: float,
    config: ConnectivityConfig,
) -> Float[np.ndarray, "tokens features"]:
    """Between 0 and 1 for every token, pair of channels and band; columns as in `connectivity_names`.

    NaN stands for the pairs of a channel that is silent in the token or has a missing sample in it.

    Parameters
    ----------
    eeg : microvolts, the whole trial; NaN where missing. Use a common reference with care: what is in it is
        in all channels
    sfreq : Hz
    starts_s : seconds from the first sample to the start of each token, in any order; tokens may overlap
    token_s : seconds; 4 and more, for a short token makes all channels look alike
    config : measure and bands

    Raises
    ------
    SignalError : a band does not fit the rate or holds no bin, a token holds less than four frames, or
        reaches out of the trial

    References
    ----------
    Lachaux, Rodriguez, Martinerie & Varela (1999), "Measuring phase synchrony in brain signals", Human Brain
    Mapping 8(4), 194-208.
    """
    check_bands(config.bands, sfreq)
    starts, length = token_samples(starts_s, token_s, sfreq, eeg.shape[-1])
    bridged, missing = bridge_gaps(eeg)
    undefined = silent_tokens(eeg, starts, length) | any_in_tokens(missing, starts, length)
    one, other = np.triu_indices(len(eeg), 1)
    measured = _coherence if config.measure == "coherence" else _phase_locking
    rows = np.empty((starts.size, one.size, len(config.bands)))
    for column, token, alike in measured(Trial(bridged, sfreq, starts, length), config):
        rows[token, :, column] = alike[one, other]
    rows[(undefined[one] | undefined[other]).T] = np.nan
    return rows.reshape(starts.size, one.size * len(config.bands))


def connectivity_names(channels: Sequence[str], config: ConnectivityConfig) -> tuple[str, ...]:
    """Column names of `token_connectivity`, upper triangle, pair-major: ``"FP1~FPZ/delta"``, ...

    Parameters
    ----------
    channels : in the order of the first axis of the signal
    config : as given to `token_connectivity`
    """
    return tuple(f"{one}~{other}/{band}" for one, other in combinations(channels, 2) for band in config.bands)


def _coherence(trial: Trial, config: ConnectivityConfig) -> Iterator[Alike]:
    """Magnitude-squared coherence by Welch's method, mean over the bins of each band."""
    n_frame = max(round(config.frame_s * trial.sfreq), 2)
    hop = n_frame - n_frame // 2
    n_frames = max((trial.length - n_frame) // hop + 1, 0)
    if n_frames < MIN_FRAMES:
        raise SignalError(
            f"a token of {trial.length} samples at {trial.sfreq:g} Hz holds {n_frames} frames of "
            f"{config.frame_s:g} s, and coherence needs {MIN_FRAMES}: take longer tokens or shorter frames"
        )
    taper, inside = (
        scipy.signal.windows.hann(n_frame, sym=False),
        _bins_of_bands(n_frame, trial.sfreq, config),
    )
    for token, start in enumerate(trial.starts):
        samples = trial.eeg[:, start : start + trial.length]
        frames = sliding_window_view(samples, n_frame, axis=1)[:, ::hop]
        # bins channels frames
        spectra = scipy.fft.rfft((frames - frames.mean(axis=-1, keepdims=True)) * taper).transpose(2, 0, 1)
        for column, bins in enumerate(inside):
            cross = spectra[bins] @ spectra[bins].conj().swapaxes(1, 2)  # bins channels channels
            power = np.einsum("bcc->bc", cross).real
            scale = np.maximum(power[:, :, None] * power[:, None, :], np.finfo(np.float64).tiny)
            yield column, token, (np.abs(cross) ** 2 / scale).mean(axis=0)


def _bins_of_bands(n_frame: int, sfreq: float, config: ConnectivityConfig) -> list[Bool[np.ndarray, " bins"]]:
    """Which bins lie in each band, lower edge included."""
    bins_hz = np.arange(n_frame // 2 + 1) * sfreq / n_frame
    inside = [(bins_hz >= band.low_hz) & (bins_hz < band.high_hz) for band in config.bands.values()]
    for name, bins in zip(config.bands, inside, strict=True):
        if not bins.any():
            raise SignalError(
                f"band {name!r} holds no bin of frames of {config.frame_s:g} s: take longer frames or drop it"
            )
    return inside


def _phase_locking(trial: Trial, config: ConnectivityConfig) -> Iterator[Alike]:
    """Length of the mean of the phase differences; 1 is a constant difference."""
    for column, band in enumerate(config.bands.values()):
        # of the whole trial, so that no token has the ends of a filter; a band at a time for memory
        phases = scipy.signal.hilbert(band_pass(trial.eeg, trial.sfreq, band), axis=-1)
        size = np.abs(phases)
        np.divide(phases, size, out=phases, where=size > 0)
        for token, start in enumerate(trial.starts):
            inside = phases[:, start : start + trial.length]
            yield column, token, np.abs(inside @ inside.conj().T) / trial.length
