"""Gaps in signals: bridged so that a filter can run, and remembered so that nothing is read from them."""

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int


def bridge_gaps(
    signal: Float[np.ndarray, "channels times"],
) -> tuple[Float[np.ndarray, "channels times"], Bool[np.ndarray, "channels times"]]:
    """Fill what is NaN or infinite by straight lines, and say where that was.

    The ends take the nearest finite value; a channel without any becomes 0. The result is float64 and only
    fit for filtering: what lies in a gap or within the reach of the filter is to be set back to NaN.

    Parameters
    ----------
    signal : any unit

    Returns
    -------
    The bridged signal, and True where a sample was made up.
    """
    missing = ~np.isfinite(signal)
    bridged = np.where(missing, 0.0, signal).astype(np.float64)
    times = np.arange(signal.shape[-1])
    for channel in np.flatnonzero(missing.any(axis=-1) & ~missing.all(axis=-1)):
        gap = missing[channel]
        bridged[channel, gap] = np.interp(times[gap], times[~gap], bridged[channel, ~gap])
    return bridged, missing


def bridge_short_gaps(
    signal: Float[np.ndarray, "channels times"], longest: int
) -> Float[np.ndarray, "channels times"]:
    """Fill gaps of a few samples by straight lines, and leave longer ones and those at the ends as they are.

    The result is of the type given; it is the very signal where no sample is missing.

    Parameters
    ----------
    signal : any unit; NaN or infinite where missing
    longest : samples of a gap
    """
    # a sum is finite only where all samples are, and costs less than a look at each
    with np.errstate(invalid="ignore", over="ignore"):
        suspect = np.flatnonzero(~np.isfinite(signal.sum(axis=-1)))
    if not suspect.size:
        return signal
    filled = signal.copy()
    for channel in suspect:
        gap = ~np.isfinite(signal[channel])
        starts, stops = runs(gap)
        short = (stops - starts <= longest) & (starts > 0) & (stops < gap.size)
        if short.any():
            places = np.flatnonzero(gap)[np.repeat(short, stops - starts)]
            filled[channel, places] = np.interp(places, np.flatnonzero(~gap), signal[channel, ~gap])
    return filled


def widen(missing: Bool[np.ndarray, "channels times"], reach: int) -> Bool[np.ndarray, "channels times"]:
    """True also for the ``reach`` samples before and after every True.

    Parameters
    ----------
    missing : for instance as `bridge_gaps` gives it
    reach : samples, for instance `emo_ray.signals.filters.filter_reach`
    """
    if reach == 0 or not missing.any():
        return missing
    widened: Bool[np.ndarray, "channels times"] = missing.copy()
    some = missing.any(axis=-1)
    # along time only: a channel's gap says nothing about its neighbours
    widened[some] = scipy.ndimage.binary_dilation(
        missing[some], structure=np.ones((1, 2 * reach + 1), dtype=bool)
    )
    return widened


def runs(flags: Bool[np.ndarray, " times"]) -> tuple[Int[np.ndarray, " runs"], Int[np.ndarray, " runs"]]:
    """First sample of every run of True, and the first one behind it.

    Parameters
    ----------
    flags : one a sample
    """
    edges = np.flatnonzero(np.diff(np.pad(flags, 1).astype(np.int8)))
    return edges[::2], edges[1::2]
