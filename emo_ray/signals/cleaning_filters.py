"""Band-pass and notch in one zero-phase cascade, designed once and run once over all channels."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float64

from emo_ray.errors import SignalError

ORDER = 4  # of one pass, as in `emo_ray.signals.filters`; forward and backward make it 8
NOTCH_WIDTH_HZ = 2.0  # at -3 dB of one pass; mains stay within 0.2 Hz of their rate
PAD_PERIODS = 1.0  # of the slowest part, as in `emo_ray.signals.filters`


class Passband(NamedTuple):
    """What is to be kept of a signal, in Hz; None leaves that side, or the mains, alone."""

    low_hz: float | None = None
    high_hz: float | None = None
    notch_hz: float | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is to be filtered."""
        return self.low_hz is None and self.high_hz is None and self.notch_hz is None


def filter_channels(
    signal: Float64[np.ndarray, "channels times"], sfreq: float, passband: Passband
) -> Float64[np.ndarray, "channels times"]:
    """Band-pass, and take out the mains and their harmonics, without a shift in time.

    A Butterworth filter of order 4 and second-order notches 2 Hz wide, run forward and backward as one
    cascade: the order of linear filters does not matter, and one run is cheaper than two. The gain at
    ``low_hz`` and ``high_hz`` is one half. The ends are continued by odd reflection over one period of the
    slowest part.

    Parameters
    ----------
    signal : any unit, without NaN
    sfreq : Hz
    passband : in Hz

    Raises
    ------
    SignalError : an edge does not fit the rate, or the signal is shorter than one period of ``low_hz``
    """
    if passband.keeps_all:
        return signal
    check_passband(passband, sfreq)
    n_pad = math.ceil(PAD_PERIODS * sfreq / _slowest_hz(passband))
    if signal.shape[-1] <= n_pad:  # the reflected end must lie inside the signal
        raise SignalError(
            f"a signal of {signal.shape[-1]} samples is too short to be filtered at {sfreq:g} Hz: {passband} "
            f"needs {n_pad + 1}; raise low_hz or clean the whole recording before it is cut"
        )
    filtered: Float64[np.ndarray, "channels times"] = scipy.signal.sosfiltfilt(
        _design(passband, float(sfreq)), signal, axis=-1, padlen=n_pad
    )
    return filtered


def check_passband(passband: Passband, sfreq: float) -> None:
    """Refuse edges that are not inside ``0 < low < high < sfreq / 2``, and mains at the Nyquist frequency.

    Raises
    ------
    SignalError : names the edge, the rate and what to do
    """
    low_hz, high_hz, _ = passband
    for name, value in passband._asdict().items():
        if value is not None and not 0 < value < sfreq / 2:
            raise SignalError(
                f"{name} is {value:g} Hz, but sampling at {sfreq:g} Hz holds only what lies between 0 and "
                f"{sfreq / 2:g} Hz: change it or leave it out for this corpus"
            )
    if low_hz is not None and high_hz is not None and low_hz >= high_hz:
        raise SignalError(f"low_hz is {low_hz:g} and high_hz {high_hz:g}: give edges with low < high")


def harmonics(notch_hz: float, sfreq: float) -> tuple[float, ...]:
    """The mains and their multiples that leave room for a notch below the Nyquist frequency, in Hz."""
    n_harmonics = math.ceil((sfreq / 2 - NOTCH_WIDTH_HZ) / notch_hz) - 1
    return tuple(notch_hz * multiple for multiple in range(1, max(n_harmonics, 1) + 1))


def _slowest_hz(passband: Passband) -> float:
    """Rate of the part of the cascade that rings longest: the low edge, a notch, or the high edge."""
    low_hz, high_hz, notch_hz = passband
    # a notch rings as long as a filter with an edge at its width
    candidates = (low_hz, None if notch_hz is None else NOTCH_WIDTH_HZ, high_hz)
    return min(value for value in candidates if value is not None)


@lru_cache(maxsize=64)
def _design(passband: Passband, sfreq: float) -> Float64[np.ndarray, "sections 6"]:
    """Second-order sections of the whole cascade."""
    low_hz, high_hz, notch_hz = passband
    parts = []
    if low_hz is not None and high_hz is not None:
        parts.append(scipy.signal.butter(ORDER, (low_hz, high_hz), btype="bandpass", fs=sfreq, output="sos"))
    elif low_hz is not None:
        parts.append(scipy.signal.butter(ORDER, low_hz, btype="highpass", fs=sfreq, output="sos"))
    elif high_hz is not None:
        parts.append(scipy.signal.butter(ORDER, high_hz, btype="lowpass", fs=sfreq, output="sos"))
    if notch_hz is not None:
        parts += [
            scipy.signal.tf2sos(*scipy.signal.iirnotch(hum_hz, hum_hz / NOTCH_WIDTH_HZ, fs=sfreq))
            for hum_hz in harmonics(notch_hz, sfreq)
        ]
    return np.concatenate(parts)
