"""Segments as the external annotators of AMIGOS cut them, each with the labels that they gave it."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float32

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.signals.segments import external_segments
from emo_ray.tasks.affect import AROUSAL, VALENCE


def annotated_starts(
    signals: Mapping[str, Signal], baseline_s: float, segment_s: float
) -> Float[np.ndarray, " segments"]:
    """`external_segments` of signals that share one clock, in seconds; none where there is no signal.

    Parameters
    ----------
    signals : by name; their own lengths are looked at, not the recording's
    baseline_s, segment_s : seconds before the stimulus, and seconds of every segment
    """
    for signal in signals.values():
        return external_segments(signal.values.shape[1], signal.sfreq, baseline_s, segment_s)
    return np.zeros(0)


def reason_not_annotated(
    recording: Recording,
    signals: Mapping[str, Signal],
    starts_s: Float[np.ndarray, " segments"],
    segment_s: float,
) -> str | None:
    """Why a trial can not be cut as it was annotated, with the numbers; None where it can.

    Parameters
    ----------
    recording : with its annotations
    signals : those that are used
    starts_s : as `annotated_starts` gives them
    segment_s : seconds
    """
    clocks = {
        name: (signal.values.shape[1], signal.sfreq, signal.start_s) for name, signal in signals.items()
    }
    if len(set(clocks.values())) > 1:
        return f"its signals are not on one clock (samples, Hz, start): {clocks}"
    if not starts_s.size:
        return f"it holds no segment of {segment_s:g} s (samples, Hz, start): {clocks}"
    for name, rows in recording.annotations.items():
        if len(rows) != len(starts_s):
            return (
                f"{len(rows)} annotations of {name}, but its length gives {len(starts_s)} segments of "
                f"{segment_s:g} s"
            )
    return None


def annotated_ratings(
    recording: Recording, n_segments: int
) -> Mapping[str, Float32[np.ndarray, " segments"]]:
    """Annotations a segment, NaN where there are none; the subject's own ratings, equal for all segments.

    Parameters
    ----------
    recording : with ratings and annotations
    n_segments : no more than there are annotations; the first of them are taken
    """
    ratings = {name: np.full(n_segments, np.nan, dtype=np.float32) for name in (VALENCE, AROUSAL)}
    for name, rows in recording.annotations.items():
        ratings[name] = rows[:n_segments].astype(np.float32)
    for name, value in recording.ratings.items():
        ratings[name] = np.full(n_segments, value, dtype=np.float32)
    return ratings
