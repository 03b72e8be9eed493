"""Survey: what the files of a subject hold, counted, for whoever wants to know a corpus before using it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.recording import Recording, RejectedTrial, SubjectRecordings
from emo_ray.errors import EmoRayError
from emo_ray.tasks.base import Head, SegmentColumns, TaskConfig

UNLABELLED = "no label"


@dataclass(frozen=True)
class SignalSurvey:
    """One modality over all trials of a subject.

    Attributes
    ----------
    n_channels, sfreq, unit : of the first trial that has it; sfreq in Hz
    seconds : of all trials together
    n_trials : that have it
    missing : share of samples that are NaN
    missing_in : their number by channel, where there are any
    """

    n_channels: int
    sfreq: float
    unit: str
    seconds: float
    n_trials: int
    missing: float
    missing_in: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SubjectSurvey:
    """One subject, counted.

    Attributes
    ----------
    signals : by modality
    labels : by task and head, how many trials (or annotated stretches) each class has; values count as one
    problem : why nothing of the subject could be read; empty otherwise
    """

    subject: str
    sessions: tuple[str, ...] = ()
    n_trials: int = 0
    signals: Mapping[str, SignalSurvey] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rejected: tuple[RejectedTrial, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""


def survey_subject(
    corpus: CorpusConfig, tasks: Mapping[str, TaskConfig], subject: str
) -> tuple[SubjectSurvey, SubjectRecordings]:
    """Read and count one subject; a subject that can not be read is a survey with its problem."""
    try:
        read = corpus.read_subject(subject)
    except EmoRayError as error:
        return SubjectSurvey(subject, problem=str(error)), SubjectRecordings(())
    return count(subject, corpus, tasks, read), read


def count(
    subject: str, corpus: CorpusConfig, tasks: Mapping[str, TaskConfig], read: SubjectRecordings
) -> SubjectSurvey:
    """Count what was read of one subject."""
    names = dict.fromkeys(name for recording in read.recordings for name in recording.signals)
    trials, stretches = (trial_columns(read.recordings, annotated) for annotated in (False, True))
    labels: dict[str, Mapping[str, int]] = {}
    for task_name, task in tasks.items():
        # What a trial is rated as counts once; only labels that change inside a trial count by stretch.
        labels |= _balance(task_name, task, trials) or _balance(task_name, task, stretches) or {}
    return SubjectSurvey(
        subject=subject,
        sessions=tuple(dict.fromkeys(recording.session for recording in read.recordings)),
        n_trials=len(read.recordings),
        signals={name: _signal(name, read.recordings) for name in names},
        labels=labels,
        rejected=read.rejected,
        notes=(*read.notes, *disagreements(corpus.declaration, read)),
    )


def trial_columns(recordings: tuple[Recording, ...], annotated: bool) -> SegmentColumns:
    """The columns that a label rule looks at, before anything is cut: a row a trial, or one an annotation."""
    annotations = [recording.annotations if annotated else {} for recording in recordings]
    sizes = [max([1, *map(len, rows.values())]) for rows in annotations]
    names = {name for one in recordings for name in one.ratings} | {
        name for rows in annotations for name in rows
    }
    ratings = {
        name: np.concatenate(
            [_rating(one, name, size) for one, size in zip(recordings, sizes, strict=True)] or [np.zeros(0)]
        ).astype(np.float32)
        for name in names
    }
    index = [np.arange(1, size + 1) for size in sizes] or [np.zeros(0, np.int64)]
    return SegmentColumns(
        subject=np.zeros(sum(sizes), np.int32),
        trial=np.repeat(np.arange(len(sizes)), sizes).astype(np.int32),
        index=np.concatenate(index).astype(np.int32),
        ratings=ratings,
    )


def _rating(recording: Recording, name: str, size: int) -> np.ndarray:
    if len(recording.annotations.get(name, ())) == size:
        return np.asarray(recording.annotations[name], np.float64)
    return np.full(size, recording.ratings.get(name, np.nan))


def _balance(name: str, task: TaskConfig, columns: SegmentColumns) -> dict[str, Mapping[str, int]]:
    """Rows of each class, by head; nothing where the columns lack the rating."""
    try:
        targets = task.targets(columns)
    except EmoRayError:
        return {}
    several = len(task.heads) > 1
    return {
        f"{name}: {head.name}" if several else name: _classes(head, targets[head.name]) for head in task.heads
    }


def _classes(head: Head, target: np.ndarray) -> Mapping[str, int]:
    shown = {"classes": head.classes, "event": ("no", "yes")}.get(head.kind, ())
    known = target[np.isfinite(target)]
    counts = Counter(int(code) for code in known) if shown else Counter()
    found = {name: counts[code] for code, name in enumerate(shown)} if shown else {"values": known.size}
    return found | ({UNLABELLED: target.size - known.size} if known.size < target.size else {})


def _signal(name: str, recordings: tuple[Recording, ...]) -> SignalSurvey:
    found = [recording.signals[name] for recording in recordings if name in recording.signals]
    n_values = sum(signal.values.size for signal in found)
    missing_in: Counter[str] = Counter()
    for signal in found:
        counts = np.isnan(signal.values).sum(axis=1)
        missing_in.update({signal.channels[row]: int(counts[row]) for row in np.flatnonzero(counts)})
    return SignalSurvey(
        n_channels=len(found[0].channels),
        sfreq=found[0].sfreq,
        unit=found[0].unit,
        seconds=sum(signal.values.shape[1] / signal.sfreq for signal in found),
        n_trials=len(found),
        missing=missing_in.total() / max(1, n_values),
        missing_in=dict(missing_in),
    )
