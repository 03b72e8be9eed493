"""Zero-phase Butterworth band-pass filters: designed once per band and rate, applied to whole stacks.

Filters here take no NaN: bridge gaps first (`emo_ray.signals.gaps`) and drop what lies within
`filter_reach` of a gap afterwards.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, NamedTuple

import numpy as np
import scipy
from jaxtyping import Float
from pydantic import AfterValidator

from emo_ray.errors import SignalError

ORDER = 4  # of one pass; forward and backward make it 8
REACH_LEVEL = 0.01  # share of a wrong sample that is taken as no longer felt
PAD_PERIODS = 1.0  # two or four leave the same error in the first second


class Band(NamedTuple):
    """A frequency band, edges in Hz; written ``[4, 8]`` in a configuration file."""

    low_hz: float
    high_hz: float


def _in_order(bands: dict[str, Band]) -> dict[str, Band]:
    wrong = [name for name, band in bands.items() if not 0 < band.low_hz < band.high_hz]
    if wrong or not bands:
        raise ValueError(
            f"give at least one band, each with edges 0 < low < high in Hz; wrong: {wrong or 'none given'}"
        )
    return dict(sorted(bands.items(), key=lambda item: item[1]))


Bands = Annotated[dict[str, Band], AfterValidator(_in_order)]
"""Bands by name in a configuration, sorted by their edges: their order is that of the stored features."""


def check_below_nyquist(name: str, band: Band, sfreq: float) -> None:
    """Refuse a band that is not inside ``0 < low < high < sfreq / 2``.

    Parameters
    ----------
    name : of the band, for the message
    band : edges in Hz
    sfreq : Hz

    Raises
    ------
    SignalError : the band reaches the Nyquist frequency, or its edges are not ``0 < low < high``
    """
    if not 0 < band.low_hz < band.high_hz:
        raise SignalError(
            f"band {name!r} runs from {band.low_hz:g} to {band.high_hz:g} Hz: give edges with 0 < low < high"
        )
    if band.high_hz >= sfreq / 2:
        raise SignalError(
            f"band {name!r} ends at {band.high_hz:g} Hz, but sampling at {sfreq:g} Hz holds nothing above "
            f"{sfreq / 2:g} Hz: drop the band or resample to more than {2 * band.high_hz:g} Hz"
        )


def check_bands(bands: Mapping[str, Band], sfreq: float) -> None:
    """`check_below_nyquist` of every band.

    Parameters
    ----------
    bands : by name, edges in Hz
    sfreq : Hz

    Raises
    ------
    SignalError : as `check_below_nyquist`, for the first band that is wrong
    """
    for name, band in bands.items():
        check_below_nyquist(name, band, sfreq)


def band_pass(
    signal: Float[np.ndarray, "*stack times"], sfreq: float, band: Band, order: int = ORDER
) -> Float[np.ndarray, "*stack times"]:
    """Band-pass the last axis forward and backward, so that nothing is shifted in time.

    The ends are continued by odd reflection over one period of the lower edge. Running both ways doubles the
    order and puts the gain at the edges at one half (-6 dB).

    Parameters
    ----------
    signal : any unit, without NaN, any stack of channels or segments in front
    sfreq : Hz
    band : edges in Hz
    order : of the Butterworth design, for one pass

    Raises
    ------
    SignalError : the band does not fit the rate, the signal holds NaN, or is too short (`shortest_signal`)
    """
    check_below_nyquist("band", band, sfreq)
    n_times = signal.shape[-1]
    needed = shortest_signal(sfreq, band)  # the reflected end must lie inside the signal
    if n_times < needed:
        raise SignalError(
            f"a signal of {n_times} samples is too short for the band {band.low_hz:g} to {band.high_hz:g} Hz "
            f"at {sfreq:g} Hz, which needs {needed}: leave the recording out or drop the band"
        )
    if not np.isfinite(signal).all():
        raise SignalError(
            f"{int((~np.isfinite(signal)).sum())} samples are NaN or infinite, and a filter would spread "
            "them over the whole signal: bridge them first (emo_ray.signals.gaps.bridge_gaps)"
        )
    sections, _ = _design(band, float(sfreq), order)
    filtered: Float[np.ndarray, "*stack times"] = scipy.signal.sosfiltfilt(
        sections, signal, axis=-1, padlen=needed - 1
    )
    return filtered


def shortest_signal(sfreq: float, band: Band) -> int:
    """Least number of samples that `band_pass` takes: one period of the lower edge, and one.

    Parameters
    ----------
    sfreq : Hz
    band : edges in Hz
    """
    return math.ceil(PAD_PERIODS * sfreq / band.low_hz) + 1


def filter_reach(sfreq: float, band: Band, order: int = ORDER) -> int:
    """Samples to either side over which a wrong sample still counts: until its echo is below 1 %.

    The echo of the slowest pole p falls as ``abs(p) ** n``.

    Parameters
    ----------
    sfreq : Hz
    band : edges in Hz
    order : as given to `band_pass`
    """
    return _design(band, float(sfreq), order)[1]


@lru_cache(maxsize=128)
def _design(band: Band, sfreq: float, order: int) -> tuple[Float[np.ndarray, "sections 6"], int]:
    """Second-order sections and reach of one filter."""
    # second-order sections: one high-order polynomial loses digits in a narrow band
    _, poles, _ = scipy.signal.butter(order, band, btype="bandpass", fs=sfreq, output="zpk")
    sections = scipy.signal.butter(order, band, btype="bandpass", fs=sfreq, output="sos")
    return sections, math.ceil(math.log(REACH_LEVEL) / math.log(np.abs(poles).max()))
