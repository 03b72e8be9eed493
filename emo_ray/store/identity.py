"""Identity: what tells one subject's recordings from another's, taken while they are in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.recording import Recording
from emo_ray.corpora.survey import SubjectSurvey, survey_subject
from emo_ray.signals.signature import Signature, bands_of, make_signature
from emo_ray.tasks.base import TaskConfig

STRIDE = 16  # samples between those that are looked at to see whether a channel lives
LIVES = 0.9  # of what the best channel has
MOST_ROWS = 2000  # of features, kept for comparison


@dataclass(frozen=True)
class Identity:
    """One subject's signatures, and the rows of its features where it has no sensor that is known."""

    signatures: tuple[Signature, ...]
    rows: Float32[np.ndarray, "rows features"]


def survey_and_identify(
    corpus: CorpusConfig, tasks: Mapping[str, TaskConfig], subject: str
) -> tuple[SubjectSurvey, Identity]:
    """Count what a subject has, and keep what tells it from others; for a process of its own."""
    survey, read = survey_subject(corpus, tasks, subject)
    signatures = signatures_of(read.recordings)
    return survey, Identity(
        signatures, np.zeros((0, 0), np.float32) if signatures else rows_of(read.recordings)
    )


def rows_of(recordings: Sequence[Recording]) -> Float32[np.ndarray, "rows features"]:
    """Samples of the first series of features, trial after trial."""
    ordered = sorted(recordings, key=lambda recording: (recording.session, recording.trial))
    names = sorted({name for recording in ordered for name in recording.signals if not bands_of(name)})
    parts = [one.signals[names[0]].values.T for one in ordered if names and names[0] in one.signals]
    return np.concatenate(parts)[:MOST_ROWS] if parts else np.zeros((0, 0), np.float32)


def signatures_of(recordings: Sequence[Recording]) -> tuple[Signature, ...]:
    """Signatures of every sensor that is known, in each of its bands; none for features."""
    # Sorted, so that a copy has its trials at about the same places.
    ordered = sorted(recordings, key=lambda recording: (recording.session, recording.trial))
    modalities = sorted({name for recording in ordered for name in recording.signals})
    found = [
        make_signature(name, place, trials)
        for name in modalities
        if bands_of(name) and (trials := _living_channel(name, ordered))
        for place in bands_of(name)
    ]
    return tuple(signature for signature in found if signature is not None)


def _living_channel(
    modality: str, recordings: Sequence[Recording]
) -> list[tuple[Float[np.ndarray, " times"], float]]:
    """One channel over all trials, with its rate: the first by name of those that live about longest."""
    signals = [recording.signals[modality] for recording in recordings if modality in recording.signals]
    lives: dict[str, float] = {}
    for signal in signals:
        alive = _living_share(signal.values) * signal.values.shape[1] / signal.sfreq  # seconds
        for channel, seconds in zip(signal.channels, alive, strict=True):
            lives[channel] = lives.get(channel, 0.0) + float(seconds)
    best = max(lives.values(), default=0.0)
    if best == 0:
        return []
    chosen = min(channel for channel, seconds in lives.items() if seconds >= LIVES * best)
    return [
        (signal.values[signal.channels.index(chosen)], signal.sfreq)
        for signal in signals
        if chosen in signal.channels
    ]


def _living_share(values: Float32[np.ndarray, "channels times"]) -> Float[np.ndarray, " channels"]:
    """Share of samples that are finite; 0 for a channel that never changes."""
    some = values[:, ::STRIDE] if values.shape[1] > STRIDE**2 else values
    finite = np.isfinite(some)
    high, low = np.where(finite, some, -np.inf).max(axis=1), np.where(finite, some, np.inf).min(axis=1)
    share: Float[np.ndarray, " channels"] = np.where(high > low, finite.mean(axis=1), 0.0)
    return share
