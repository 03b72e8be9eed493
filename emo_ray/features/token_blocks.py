"""Band power of all tokens of a trial, a few tokens at a time: memory stays small and in the cache.

What a token holds decides whether a channel has a value there: none for a channel that is silent (one value
from first to last sample) or has a missing sample in the token. Other channels and tokens are not touched.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

BLOCK_BYTES = 2**20  # of samples, so that what is made of them fits into a level-2 cache

Block = Float[np.ndarray, "channels tokens length"]
BlockPower = Callable[[Block], Float[np.ndarray, "channels tokens values"]]


def values_in_blocks(
    eeg: Float[np.ndarray, "channels times"],
    starts: Int[np.ndarray, " tokens"],
    length: int,
    block_values: BlockPower,
    silent_is_missing: bool = True,
) -> Float[np.ndarray, "tokens features"]:
    """Values of every token, channel-major, NaN where a channel is silent or misses a sample.

    Parameters
    ----------
    eeg : microvolts, the whole trial; NaN or infinite where missing
    starts, length : in samples, as `emo_ray.signals.tokens.token_samples` gives them
    block_values : from a block of tokens to values of each channel and token; each value must hang on all
        samples of its own token, and the block must stay as it is
    silent_is_missing : False leaves the value of a silent channel as it comes
    """
    n_channels = eeg.shape[0]
    # places where a token may start, as a view; none in a trial that is shorter than a token
    view = sliding_window_view(eeg, length, axis=1) if starts.size else np.zeros((n_channels, 0, length))
    at_a_time = max(1, BLOCK_BYTES // (n_channels * length * eeg.itemsize))
    parts = []
    # one block at least, so that no tokens at all have the right number of columns
    for first in range(0, max(starts.size, 1), at_a_time):
        block = _cut(view, starts[first : first + at_a_time])
        with np.errstate(invalid="ignore", over="ignore"):  # infinite samples
            values = block_values(block)
        values[~np.isfinite(values)] = np.nan
        if silent_is_missing:
            values[_silent(block)] = np.nan
        parts.append(values.swapaxes(0, 1).reshape(block.shape[1], n_channels * values.shape[-1]))
    return np.concatenate(parts)


def _cut(view: Float[np.ndarray, "channels places length"], starts: Int[np.ndarray, " tokens"]) -> Block:
    """The samples of some tokens; no copy where they follow each other at one hop."""
    hops = np.diff(starts)
    if hops.size and hops[0] > 0 and (hops == hops[0]).all():
        return view[:, starts[0] : starts[-1] + 1 : hops[0]]
    return view[:, starts]


def _silent(block: Block) -> Bool[np.ndarray, "channels tokens"]:
    """True where all samples are equal; only tokens whose ends and middle agree are looked at in full."""
    first = block[..., 0]
    silent: Bool[np.ndarray, "channels tokens"] = (first == block[..., -1]) & (
        first == block[..., block.shape[-1] // 2]
    )
    if silent.any():
        silent[silent] = (block[silent] == first[silent][:, None]).all(axis=-1)
    return silent
