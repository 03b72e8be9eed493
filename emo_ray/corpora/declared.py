"""What a corpus is said to hold, and where its files say otherwise."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings

MAX_SHOWN = 3
SAME_RATE_HZ = 1e-3  # rates that are derived from time stamps are not exact


@dataclass(frozen=True)
class DeclaredSignal:
    """One modality as released: its channels in order, its rate or rates in Hz, its unit.

    ``may_lack`` is true where subjects or trials without this modality are nothing odd.
    """

    channels: tuple[str, ...]
    sfreqs: tuple[float, ...]
    unit: str
    may_lack: bool = False


@dataclass(frozen=True)
class DeclaredRating:
    """Least and greatest value of a rating, and what the numbers mean."""

    lowest: float
    highest: float
    meaning: str


@dataclass(frozen=True)
class Declaration:
    """What a corpus holds as released; empty where it is the user's own.

    Attributes
    ----------
    n_subjects : people; None where nobody can say
    sessions : their names, as recordings have them
    n_trials : of one subject, over all sessions; None where subjects differ
    signals, ratings : by name, as recordings have them
    unverified : facts from one source or none, which `disagreements` and the readers look at in the files
    """

    n_subjects: int | None = None
    sessions: tuple[str, ...] = ()
    n_trials: int | None = None
    signals: Mapping[str, DeclaredSignal] = field(default_factory=dict)
    ratings: Mapping[str, DeclaredRating] = field(default_factory=dict)
    unverified: tuple[str, ...] = ()


def disagreements(declaration: Declaration, read: SubjectRecordings) -> tuple[str, ...]:
    """Where the files of one subject differ from what is declared: one line a kind, with how often.

    Nothing is refused here: what makes reading impossible is the reader's to refuse.
    """
    found: dict[str, list[str]] = {}
    for recording in read.recordings:
        for problem in _of_recording(declaration, recording):
            found.setdefault(problem, []).append(recording.trial)
    n_trials = len(read.recordings) + len(read.rejected)
    lines = [_line(problem, trials) for problem, trials in found.items()]
    if declaration.n_trials is not None and read.recordings and n_trials != declaration.n_trials:
        lines.append(f"{n_trials} trials, where the release has {declaration.n_trials}")
    return tuple(lines)


def _line(problem: str, trials: list[str]) -> str:
    more = [f"{len(trials) - MAX_SHOWN} more"] if len(trials) > MAX_SHOWN else []
    unit = "trials" if len(trials) > 1 else "trial"
    return f"{problem}, in {len(trials)} {unit} ({', '.join(trials[:MAX_SHOWN] + more)})"


def _of_recording(declaration: Declaration, recording: Recording) -> Iterator[str]:
    if declaration.sessions and recording.session not in declaration.sessions:
        yield f"session {recording.session}, where the release has {', '.join(declaration.sessions)}"
    for name, declared in declaration.signals.items():
        if name in recording.signals:
            yield from _of_signal(name, declared, recording.signals[name])
        elif not declared.may_lack:
            yield f"no {name}, which the release has"
    for name in sorted(set(recording.signals) - set(declaration.signals)):
        if declaration.signals:
            yield f"{name}, which the release is not known to have"
    for name, rating in declaration.ratings.items():
        value = recording.ratings.get(name)
        if value is not None and not _is_nan(value) and not rating.lowest <= value <= rating.highest:
            yield f"{name} outside {rating.lowest:g} to {rating.highest:g}"


def _of_signal(name: str, declared: DeclaredSignal, signal: Signal) -> Iterator[str]:
    if signal.channels != declared.channels:
        yield f"{name} of {_some(signal.channels)}, where the release has {_some(declared.channels)}"
    if all(abs(signal.sfreq - sfreq) > SAME_RATE_HZ for sfreq in declared.sfreqs):
        rates = " or ".join(f"{sfreq:g}" for sfreq in declared.sfreqs)
        yield f"{name} at {signal.sfreq:g} Hz, where the release has {rates} Hz"
    if signal.unit != declared.unit:
        yield f"{name} in {signal.unit}, where the release has {declared.unit}"


def _some(channels: tuple[str, ...]) -> str:
    shown = " ".join(channels[:MAX_SHOWN])
    return shown if len(channels) <= MAX_SHOWN else f"{shown} ... ({len(channels)})"


def _is_nan(value: float) -> bool:
    return math.isnan(value)
