"""Where segments start: the 20 s geometry of the AMIGOS annotations, and a plain sliding one."""

import math

import numpy as np
from jaxtyping import Float64

from emo_ray.errors import SignalError

# Durations come from divisions such as 3000 / 128; this much, in segments, is taken as rounding.
ROUNDING = 1e-9


def external_segments(
    n_times: int, sfreq: float, baseline_s: float = 5.0, segment_s: float = 20.0
) -> Float64[np.ndarray, " segments"]:
    """Start of every externally annotated segment, in seconds from the start of the recording.

    With S seconds of stimulus there are ``n = ceil(S / segment_s) + 1`` segments. The first covers the
    start of the recording, baseline included; segments 2 to n-1 follow each other from the start of the
    stimulus; the last covers the end. So 1 and 2 overlap (by 15 s in AMIGOS), and so do n-1 and n,
    unless S is a multiple of `segment_s`.

    Parameters
    ----------
    n_times : samples of the recording, baseline included
    sfreq : Hz
    baseline_s, segment_s : seconds before the stimulus, and seconds of every segment

    Returns
    -------
    Seconds; empty where the recording is shorter than one segment or holds no stimulus.

    Raises
    ------
    SignalError : a length or the sampling rate is not above 0, or the baseline is as long as a segment

    References
    ----------
    Miranda-Correa et al. (2021), "AMIGOS", IEEE Trans. Affective Computing 12(2), 479-493.
    """
    check_above_zero(sfreq=sfreq, segment_s=segment_s)
    if not 0 <= baseline_s < segment_s:
        raise SignalError(
            f"a baseline of {baseline_s:g} s does not fit a first segment of {segment_s:g} s: "
            f"give a baseline from 0 to less than {segment_s:g} s"
        )
    duration_s = n_times / sfreq
    stimulus_s = duration_s - baseline_s
    if stimulus_s <= 0 or duration_s < segment_s:
        return np.empty(0)
    n_segments = math.ceil(stimulus_s / segment_s - ROUNDING) + 1
    # -2: the first and the last are laid by the ends of the recording
    middle = baseline_s + segment_s * np.arange(n_segments - 2)
    return np.concatenate([[0.0], middle, [duration_s - segment_s]])


def sliding_segments(duration_s: float, segment_s: float, hop_s: float) -> Float64[np.ndarray, " segments"]:
    """Start of every whole segment, `hop_s` apart, in seconds; the rest at the end is left out.

    Raises
    ------
    SignalError : segment or hop is not above 0
    """
    check_above_zero(segment_s=segment_s, hop_s=hop_s)
    n_hops = math.floor((duration_s - segment_s) / hop_s + ROUNDING)
    return hop_s * np.arange(max(n_hops + 1, 0), dtype=np.float64)


def check_above_zero(**lengths: float) -> None:
    """Refuse lengths and rates that nothing can be cut by.

    Raises
    ------
    SignalError : a value is 0, negative or not finite; names it
    """
    for name, value in lengths.items():
        if not (math.isfinite(value) and value > 0):
            raise SignalError(f"{name} is {value:g}: give a number above 0")
