"""Which signals of a recording an extraction for all corpora takes, in one order, and when they end."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.features.families import FAMILIES, sensor_of

EEG = "eeg"
KNOWN_SIGNALS = (EEG, *FAMILIES)  # in the order of the store


def _are_known(signals: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a sensor that nothing is known of."""
    unknown = [name for name in signals if sensor_of(name) not in KNOWN_SIGNALS]
    if unknown:
        raise ValueError(f"nothing is known of {', '.join(unknown)}: name some of {', '.join(KNOWN_SIGNALS)}")
    return signals


SignalNames = Annotated[tuple[str, ...], AfterValidator(_are_known)]
"""Sensors in a configuration, of `KNOWN_SIGNALS`, or one of several of a kind (``wrist_eda``)."""


def used_signals(recording: Recording, asked: Sequence[str]) -> dict[str, Signal]:
    """The known signals of a recording that are asked for, in one order for all recordings.

    Parameters
    ----------
    recording : a shipped feature series among its signals is passed over
    asked : none named: all
    """
    wanted = asked or KNOWN_SIGNALS
    names = [name for name in recording.signals if name in wanted or sensor_of(name) in wanted]
    names.sort(key=lambda name: (KNOWN_SIGNALS.index(sensor_of(name)), name))
    return {name: recording.signals[name] for name in names}


def end_s(used: Mapping[str, Signal]) -> float:
    """Seconds from the start of the recording to the end of its EEG, or of its longest signal.

    Parameters
    ----------
    used : by name
    """
    # a watch that ran on after the experiment does not make a trial longer
    eegs = [signal for name, signal in used.items() if sensor_of(name) == EEG]
    ends_s = [signal.start_s + signal.values.shape[1] / signal.sfreq for signal in eegs or used.values()]
    return float(max(ends_s, default=0.0))
