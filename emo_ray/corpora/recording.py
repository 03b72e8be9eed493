"""Recording: what every corpus reader hands on, one subject, session and trial at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32


@dataclass(frozen=True)
class Signal:
    """One modality of a recording, in the unit it declares.

    Attributes
    ----------
    values : as read: never filtered, resampled, scaled or filled in by a reader; NaN where the file has it
    sfreq : Hz
    unit : for instance ``"uV"``, ``"uS"``, ``"degC"``, ``"arbitrary"``
    channels : their names, in the order of the first axis
    start_s : seconds from the start of the recording to the first sample
    """

    values: Float32[np.ndarray, "channels times"]
    sfreq: float
    unit: str
    channels: tuple[str, ...]
    start_s: float = 0.0


@dataclass(frozen=True)
class Recording:
    """One trial of one subject: its signals, what the subject reported, what others annotated.

    Attributes
    ----------
    subject : unique across corpora, ``"amigos/P01"``
    session, trial : one sitting; one stimulus shown
    clip : identity of the stimulus, equal across subjects who saw the same one
    group : people who were recorded together share it; otherwise it equals ``subject``
    signals : by modality name
    ratings : one value a trial, NaN where not answered
    annotations : one value a row of the trial (segment, window), all of one length
    baseline_s : seconds before the stimulus at the start of every signal
    start_s : on the clock of its session, where the files tell it; a nuisance, never a feature
    """

    subject: str
    session: str
    trial: str
    clip: str
    group: str
    signals: Mapping[str, Signal]
    ratings: Mapping[str, float] = field(default_factory=dict)
    annotations: Mapping[str, Float[np.ndarray, " rows"]] = field(default_factory=dict)
    baseline_s: float = 0.0
    start_s: float = 0.0


@dataclass(frozen=True)
class RejectedTrial:
    """A trial that was left out, and why; the report of every run prints these."""

    subject: str
    trial: str
    reason: str


@dataclass(frozen=True)
class SubjectRecordings:
    """All that one subject's files hold."""

    recordings: tuple[Recording, ...]
    rejected: tuple[RejectedTrial, ...] = ()
    notes: tuple[str, ...] = ()
    """Facts about the files that a reader of the report should know (for instance ratings clipped at 9)."""
