"""Hjorth's three parameters of the tokens of a trial: size, speed and shape of a signal in its own time."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from emo_ray.errors import SignalError
from emo_ray.features.token_blocks import Block, values_in_blocks
from emo_ray.signals.tokens import token_samples

HJORTH_FEATURES = ("activity_uv2", "mobility_per_s", "complexity")
MIN_SAMPLES = 4  # two differences of differences


def token_hjorth(
    eeg: Float[np.ndarray, "channels times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " tokens"],
    token_s: float = 1.0,
) -> Float[np.ndarray, "tokens features"]:
    """`HJORTH_FEATURES` of every token and channel; columns as in `hjorth_names`.

    Activity is the variance; mobility the deviation of the slope over that of the signal, near
    ``2 pi f`` for a sine; complexity the mobility of the slope over that of the signal, 1 for a sine.

    NaN stands where a channel is silent in the token or has a missing sample in it; complexity is NaN where
    the slope is constant.

    Parameters
    ----------
    eeg : microvolts, the whole trial, filtered to the band of interest; NaN where missing
    sfreq : Hz
    starts_s : seconds from the first sample to the start of each token, in any order; tokens may overlap
    token_s : seconds

    Raises
    ------
    SignalError : a token is shorter than four samples or reaches out of the trial

    References
    ----------
    Hjorth (1970), "EEG analysis based on time domain properties", Electroencephalography and Clinical
    Neurophysiology 29(3), 306-310.
    """
    starts, length = token_samples(starts_s, token_s, sfreq, eeg.shape[-1])
    if length < MIN_SAMPLES:
        raise SignalError(
            f"a token of {token_s:g} s has {length} samples at {sfreq:g} Hz, and Hjorth's parameters need "
            f"{MIN_SAMPLES}: make it longer"
        )

    # double precision: differences of a float32 signal lose digits
    def block_values(block: Block) -> Float[np.ndarray, "channels tokens 3"]:
        slope = np.diff(block.astype(np.float64), axis=-1) * sfreq
        # one sample shorter each time, as differences of a sampled signal are
        bend = np.diff(slope, axis=-1) * sfreq
        activity = block.var(axis=-1, dtype=np.float64)
        slope_variance, bend_variance = slope.var(axis=-1), bend.var(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            mobility = np.sqrt(slope_variance / activity)
            complexity = (
                np.sqrt(bend_variance / np.where(slope_variance > 0, slope_variance, np.nan)) / mobility
            )
        return np.stack([activity, mobility, complexity], axis=-1)

    return values_in_blocks(eeg, starts, length, block_values)


def hjorth_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Column names of `token_hjorth`, channel-major: ``"FP1/activity_uv2"``, ``"FP1/mobility_per_s"``, ...

    Parameters
    ----------
    channels : in the order of the first axis of the signal
    """
    return tuple(f"{channel}/{feature}" for channel in channels for feature in HJORTH_FEATURES)
