"""Tokens: short stretches of a trial of one length that begin anywhere, and sums over all of them at once."""

import numpy as np
from jaxtyping import Bool, Float, Int

from emo_ray.errors import SignalError


def token_samples(
    starts_s: Float[np.ndarray, " tokens"], token_s: float, sfreq: float, n_times: int
) -> tuple[Int[np.ndarray, " tokens"], int]:
    """First sample of every token, and the number of samples that each has.

    Parameters
    ----------
    starts_s : seconds from the first sample, in any order; rounded to samples
    token_s : seconds
    sfreq : Hz
    n_times : samples of the trial

    Raises
    ------
    SignalError : a token is shorter than two samples, or reaches out of the trial
    """
    length = round(token_s * sfreq)
    if length < 2:
        raise SignalError(f"a token of {token_s:g} s has {length} samples at {sfreq:g} Hz: make it longer")
    starts = np.rint(starts_s * sfreq).astype(np.int64)
    outside = (starts < 0) | (starts + length > n_times)
    if outside.any():
        raise SignalError(
            f"{int(outside.sum())} of {starts.size} tokens reach out of the trial, the first at "
            f"{starts_s[outside][0]:g} s: a trial of {n_times} samples ends at {n_times / sfreq:g} s"
        )
    return starts, length


def sum_over_tokens(
    signal: Float[np.ndarray, "channels times"], starts: Int[np.ndarray, " tokens"], length: int
) -> Float[np.ndarray, "channels tokens"]:
    """Sum of each channel over each token; tokens may overlap.

    Each sum is taken on its own samples, not as a difference of running sums, which loses digits once a trial
    holds one large artefact.

    Parameters
    ----------
    signal : float64, without NaN
    starts, length : in samples, as `token_samples` gives them
    """
    if starts.size == 0:
        return np.zeros((signal.shape[0], 0))
    padded = np.pad(signal, ((0, 0), (0, 1)))  # reduceat wants every edge inside
    edges = np.stack([starts, starts + length], axis=1).ravel()
    return np.add.reduceat(padded, edges, axis=1)[:, ::2]  # odd entries are the stretches between tokens


def count_in_tokens(
    flags: Bool[np.ndarray, "channels times"], starts: Int[np.ndarray, " tokens"], length: int
) -> Int[np.ndarray, "channels tokens"]:
    """How many True each token holds.

    Parameters
    ----------
    flags : one a sample
    starts, length : in samples, as `token_samples` gives them
    """
    running = np.zeros((flags.shape[0], flags.shape[1] + 1), dtype=np.int32)  # half the memory to touch
    np.cumsum(flags, axis=1, out=running[:, 1:])
    counts: Int[np.ndarray, "channels tokens"] = running[:, starts + length] - running[:, starts]
    return counts


def any_in_tokens(
    flags: Bool[np.ndarray, "channels times"], starts: Int[np.ndarray, " tokens"], length: int
) -> Bool[np.ndarray, "channels tokens"]:
    """True for a token that holds at least one True.

    Parameters
    ----------
    flags : one a sample
    starts, length : in samples, as `token_samples` gives them
    """
    return count_in_tokens(flags, starts, length) > 0


def silent_tokens(
    signal: Float[np.ndarray, "channels times"], starts: Int[np.ndarray, " tokens"], length: int
) -> Bool[np.ndarray, "channels tokens"]:
    """True for a token in which the channel holds one value from first to last sample: a sensor that is off.

    Parameters
    ----------
    signal : as recorded, before any filter; NaN counts as a change
    starts, length : in samples, as `token_samples` gives them
    """
    # length samples have length - 1 changes between them
    return ~any_in_tokens(signal[:, 1:] != signal[:, :-1], starts, length - 1)
