"""Counts, epochs and spread of a search; and search.json, which holds all that is known of it."""

from collections import Counter
from collections.abc import Sequence
from math import isnan
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from emo_ray.files import shown_uri
from emo_ray.results.search_results import Candidate, SearchResults, pareto_front
from emo_ray.results.statistics import Number


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CandidateCounts(_Part):
    """Candidates by what became of them."""

    complete: int
    pruned: int
    fail: int
    running: int

    @property
    def total(self) -> int:
        """Of all states."""
        return self.complete + self.pruned + self.fail + self.running


class EpochCounts(_Part):
    """What the search took, and what it would have taken."""

    trained: int
    without_stopping: int | None = Field(
        description="estimate: a stopped candidate counts as the mean complete one of its search"
    )


class CandidateRow(_Part):
    """One candidate with all that is known of it."""

    name: str
    number: int
    state: str
    params: dict[str, Any]
    values: tuple[Number, ...] = Field(
        description="objectives, means over inner folds; empty unless complete"
    )
    last_value: Number = Field(None, description="first objective at the last step, also of a stopped one")
    fold_values: tuple[Number, ...] = Field((), description="first objective on each finished inner fold")
    subject_scores: dict[str, Number] = Field(default_factory=dict)
    best_epochs: tuple[int, ...] = Field((), description="on each finished inner fold; from 0")
    n_epochs: int = Field(0, description="that were trained, over all inner folds")
    n_parameters: int | None = None
    error: str = ""
    elapsed_s: Number = None


class OneSearch(_Part):
    """One search with its candidates, by number."""

    counts: CandidateCounts
    epochs: EpochCounts
    best: CandidateRow | None
    front: tuple[int, ...] = Field((), description="candidates of the Pareto front, if several objectives")
    candidates: tuple[CandidateRow, ...]


class SearchSummary(_Part):
    """search.json: the settings of the search and all its candidates."""

    name: str
    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    settings: dict[str, Any] = Field(description="as the header of the study has them")
    counts: CandidateCounts
    epochs: EpochCounts
    searches: dict[str, OneSearch]

    def to_json(self) -> str:
        """Indented JSON; undefined numbers are ``null``."""
        return self.model_dump_json(indent=2) + "\n"


def summarise_search(results: SearchResults) -> SearchSummary:
    """All that is known of the searches of a study by now."""
    return SearchSummary(
        name=results.study.name,
        objectives=results.objectives,
        directions=results.directions,
        settings={**results.header, "storage": shown_uri(str(results.header["storage"]))},
        counts=count_states(all_candidates(results)),
        epochs=count_epochs(results),
        searches={name: _one_search(results, name) for name in results.searches},
    )


def _one_search(results: SearchResults, name: str) -> OneSearch:
    candidates, best = results.searches[name], results.best(name)
    front = pareto_front(candidates, results.directions) if len(results.objectives) > 1 else ()
    return OneSearch(
        counts=count_states(candidates),
        epochs=_epochs_of(candidates),
        best=None if best is None else candidate_row(best),
        front=tuple(one.number for one in front),
        candidates=tuple(map(candidate_row, candidates)),
    )


def candidate_row(one: Candidate) -> CandidateRow:
    """The candidate without its curves."""
    return CandidateRow(
        name=one.name,
        number=one.number,
        state=one.state,
        params=dict(one.params),
        values=one.values,
        last_value=one.values[0] if one.values else one.steps[-1][1] if one.steps else None,
        fold_values=fold_values(one),
        subject_scores=subject_scores(one),
        best_epochs=best_epochs(one),
        n_epochs=one.n_epochs,
        n_parameters=max((record.n_parameters for record in one.folds), default=0) or None,
        error=one.error,
        elapsed_s=one.elapsed_s,
    )


def all_candidates(results: SearchResults) -> tuple[Candidate, ...]:
    """Of all searches, search by search."""
    return tuple(one for found in results.searches.values() for one in found)


def count_states(candidates: Sequence[Candidate]) -> CandidateCounts:
    """How many are complete, pruned, failed and running."""
    found = Counter(one.state for one in candidates)
    return CandidateCounts(
        complete=found["complete"], pruned=found["pruned"], fail=found["fail"], running=found["running"]
    )


def count_epochs(results: SearchResults) -> EpochCounts:
    """Over all searches; the estimate is known where that of every search is."""
    found = [_epochs_of(candidates) for candidates in results.searches.values() if candidates]
    full = [epochs.without_stopping for epochs in found]
    known = [n for n in full if n is not None]
    return EpochCounts(
        trained=sum(epochs.trained for epochs in found),
        without_stopping=sum(known) if len(known) == len(full) else None,
    )


def _epochs_of(candidates: Sequence[Candidate]) -> EpochCounts:
    complete = [one.n_epochs for one in candidates if one.state == "complete"]
    trained = sum(one.n_epochs for one in candidates)
    if not complete:
        return EpochCounts(trained=trained, without_stopping=None)
    mean = fmean(complete)
    more = sum(max(0.0, mean - one.n_epochs) for one in candidates if one.state == "pruned")
    return EpochCounts(trained=trained, without_stopping=round(trained + more))


def fold_values(one: Candidate) -> tuple[float, ...]:
    """The first objective on each finished inner fold."""
    return tuple(record.values[0] for record in one.folds if record.values)


def best_epochs(one: Candidate) -> tuple[int, ...]:
    """Epoch whose weights counted on each finished inner fold; from 0."""
    return tuple(record.best_epoch for record in one.folds if record.status == "finished")


def subject_scores(one: Candidate) -> dict[str, float]:
    """The first objective on each scored subject, the mean where one was scored on several folds."""
    found: dict[str, list[float]] = {}
    for record in one.folds:
        for subject, value in record.subject_scores.items():
            found.setdefault(subject, []).append(value)
    return {subject: fmean(values) for subject, values in found.items()}


def outer_score(results: SearchResults, search: str) -> float | None:
    """What the choice of a search came to on its outer subjects; None before that run has finished."""
    for record in results.study.records.values():
        if record.chosen.get("search") == search and record.status == "finished":
            value = record.scores.get(results.objectives[0])
            return None if value is None or isnan(value) else value
    return None
