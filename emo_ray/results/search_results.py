"""What a search leaves behind: its candidates, their runs on inner folds, and which of them is best."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from emo_ray.results.study_results import StudyResults

InnerStatus = Literal["finished", "stopped", "failed"]
CandidateState = Literal["running", "complete", "pruned", "fail"]
Direction = Literal["max", "min"]


@dataclass(frozen=True)
class InnerRecord:
    """One run of a candidate on one inner fold: one line of ``search.jsonl``; plain JSON values throughout.

    Attributes
    ----------
    search, number, fold : which search of the study, which candidate of it, which inner fold (from 0)
    fingerprint : of the run's specification
    subjects : who was scored: the fold's validation subjects; in a flat search its test subjects
    status : ``"stopped"`` ran until the stopping rule ended it; ``"failed"`` has ``error`` and no scores
    curve : validation value of the first objective, one an epoch
    standing : what the first objective would be if the run ended there: that of its best epoch so far
    train_loss, validation_loss : one an epoch
    best_epoch : epoch whose weights count; from 0
    scores : every metric on the scored subjects taken together
    subject_scores : the first objective on each scored subject by itself; NaN where undefined
    values : all objectives, in their order; empty unless finished
    thresholds : decision threshold of each event head
    """

    search: str
    number: int
    fold: int
    fingerprint: str
    subjects: tuple[str, ...]
    status: InnerStatus
    error: str = ""
    curve: tuple[float, ...] = ()
    standing: tuple[float, ...] = ()
    train_loss: tuple[float, ...] = ()
    validation_loss: tuple[float, ...] = ()
    best_epoch: int = -1
    scores: Mapping[str, float] = field(default_factory=dict)
    subject_scores: Mapping[str, float] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    n_parameters: int = 0
    seconds: float = 0.0
    started_unix: float = 0.0
    host: str = ""
    attempt: int = 1


@dataclass(frozen=True)
class Candidate:
    """One set of settings, and what became of it.

    Attributes
    ----------
    params : dotted key of the experiment to value, only those that were searched
    values : objectives, means over the inner folds; empty unless complete
    steps : step to the first objective as it stood then; a step is an epoch, counted over all inner folds
    error : why it failed, or why it was stopped
    folds : its runs, by inner fold
    elapsed_s : on the clock of the search, when it was told
    """

    search: str
    number: int
    params: Mapping[str, Any]
    state: CandidateState = "running"
    values: tuple[float, ...] = ()
    steps: tuple[tuple[int, float], ...] = ()
    error: str = ""
    folds: tuple[InnerRecord, ...] = ()
    elapsed_s: float = 0.0

    @property
    def name(self) -> str:
        """``P03/7``, or ``7`` in a study of one search."""
        return f"{self.search}/{self.number}" if self.search else str(self.number)

    @property
    def n_epochs(self) -> int:
        """Epochs that were trained, over all inner folds."""
        return sum(len(record.curve) for record in self.folds)


@dataclass(frozen=True)
class Chosen:
    """What a search hands to the run that tests it.

    Attributes
    ----------
    params : dotted key of the experiment to value
    n_epochs : epochs to train for, now that no validation subjects tell when to stop
    thresholds : decision threshold of each event head
    subjects : whose data chose all this
    value : the score that it was chosen by
    """

    search: str
    number: int
    params: Mapping[str, Any]
    n_epochs: int
    thresholds: Mapping[str, float]
    subjects: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class SearchResults:
    """A study with a search in it.

    Attributes
    ----------
    study : folder, header, notes; of a nested study also the planned runs on outer folds and their records
    objectives : metric names; scores, or ``n_parameters``, ``latency_ms``
    directions : of each objective
    searches : name of each search to its candidates by number; a plain sweep has one, named ``""``
    """

    study: StudyResults
    objectives: tuple[str, ...]
    directions: tuple[Direction, ...]
    searches: Mapping[str, tuple[Candidate, ...]]

    @property
    def header(self) -> Mapping[str, Any]:
        """``search`` of the study's header: nested, space, sampler, stopping, scoring, budget, subjects."""
        header: Mapping[str, Any] = self.study.header["search"]
        return header

    @property
    def folder(self) -> Path:
        """Of the study."""
        return self.study.folder

    @property
    def is_nested(self) -> bool:
        """Whether every outer subject has a search of its own."""
        return bool(self.header["nested"])

    def best(self, search: str) -> Candidate | None:
        """The candidate that a search has chosen so far."""
        return best_of(self.searches[search], self.directions)


def best_of(candidates: Sequence[Candidate], directions: Sequence[Direction]) -> Candidate | None:
    """The complete candidate with the best first objective, the earlier of two equals; None without one."""
    sign = 1.0 if directions[0] == "max" else -1.0
    complete = [candidate for candidate in candidates if candidate.state == "complete"]
    return max(complete, key=lambda one: (sign * one.values[0], -one.number), default=None)


def commonest(errors: Sequence[str]) -> tuple[str, int]:
    """The error that comes most often, and how often; numbers in it may differ."""
    if not errors:
        return "", 0
    kinds = [re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", error) for error in errors]
    kind = max(kinds, key=kinds.count)
    return errors[kinds.index(kind)], kinds.count(kind)


def pareto_front(candidates: Sequence[Candidate], directions: Sequence[Direction]) -> tuple[Candidate, ...]:
    """Complete candidates that no other beats in one objective without losing in another."""
    signs = [1.0 if direction == "max" else -1.0 for direction in directions]
    complete = [candidate for candidate in candidates if candidate.state == "complete"]
    gains = {c.number: [s * v for s, v in zip(signs, c.values, strict=True)] for c in complete}
    return tuple(
        c for c in complete if not any(_dominates(gains[o.number], gains[c.number]) for o in complete)
    )


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
