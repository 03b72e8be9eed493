"""SearchTracker: tells MLflow of a search as sweep > candidate > fold. One writer, idempotent."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_results import Candidate, CandidateState, InnerRecord, SearchResults
from emo_ray.results.summary import Summary
from emo_ray.tracking.mlflow import MlflowTracker
from emo_ray.tracking.search_entries import (
    ENDINGS,
    FOLD_ENDINGS,
    SUBJECTS_FILE,
    candidate_metrics,
    candidate_name,
    candidate_parameters,
    candidate_tags,
    candidate_times_ms,
    candidates_page,
    chosen,
    created,
    finish_metrics,
    finish_tags,
    fold_metrics,
    fold_tags,
    fold_times_ms,
    search_entry,
    search_metrics,
    search_tags,
    subjects_table,
)
from emo_ray.tracking.store import ENDED

if TYPE_CHECKING:
    from mlflow.entities import Run

_STATES: Mapping[str, CandidateState] = {"FINISHED": "complete", "KILLED": "pruned", "FAILED": "fail"}


@dataclass
class _Known:
    """A candidate's run in the store, and how it ended; None while it is half delivered."""

    run_id: str
    state: CandidateState | None


class SearchTracker:
    """An observer of a search: one run a candidate below the study's run, one run a fold below that.

    In a nested study the candidates of each outer subject lie below a run of their own. A candidate is told
    when it has ended, its own ending last, so what a crash leaves half told is seen and completed; a second
    delivery is no work. Runs on outer folds go through `runs`. Use it in one thread at a time; every method
    raises `TrackingError` when the store does not answer, and no result is lost by that.

    Parameters
    ----------
    uri, experiment, artifact_root : as `MlflowTracker` takes them

    Attributes
    ----------
    runs : tracker of the planned runs of the same study
    """

    def __init__(self, uri: str, experiment: str, artifact_root: Path | None = None) -> None:
        self.runs = MlflowTracker(uri, experiment, artifact_root)
        self._store = self.runs.store
        self._results: SearchResults | None = None
        self._parent_id = ""
        self._searches: dict[str, str] = {}
        self._known: dict[str, _Known] = {}
        self._sure_at = -1  # the store's count of mishaps at which _known was what it holds

    def check(self) -> None:
        """Make sure that the store answers, as `MlflowTracker.check` does."""
        self.runs.check()

    def open_search(self, results: SearchResults) -> str:
        """Find or make the study's run, learn which candidates the store holds; returns its run id."""
        self._results = results
        self._parent_id = self.runs.open_study(results.study, search_entry(results))
        with self._store.telling(f"open the search of {results.study.name}"):
            self._learn()
        return self._parent_id

    def missing(self, candidates: Iterable[Candidate]) -> tuple[str, ...]:
        """Names of the ended candidates that the store lacks, or holds with another ending."""
        with self._store.telling("read which candidates were delivered"):
            self._learn()
        return tuple(
            candidate.name
            for candidate in candidates
            if candidate.state in ENDINGS and not self._is_told(candidate)
        )

    def missing_runs(self, records: Mapping[str, RunRecord]) -> tuple[str, ...]:
        """Fingerprints of the records of outer folds that the store lacks, or holds with another ending."""
        return self.runs.missing(records)

    def deliver_run(self, record: RunRecord, predictions: Path | None, weights: Path | None) -> None:
        """Tell the store of the run on one outer fold."""
        self.runs.deliver(record, predictions, weights)

    def deliver(self, candidate: Candidate) -> None:
        """Tell the store of an ended candidate and its folds; again is no work, or completes it."""
        assert candidate.state in ENDINGS, f"candidate {candidate.name} has not ended"
        with self._store.telling(f"deliver candidate {candidate.name}"):
            if self._sure_at != self._store.mishaps:
                self._learn()
            if self._is_told(candidate):
                return
            known = self._known.get(candidate.name)
            told: dict[str, Run] = {}
            if known is None:
                known = self._create(candidate)
            else:
                told = self._folds_below(known.run_id)
                self._reopen(known, candidate)
            for record in candidate.folds:
                self._deliver_fold(known.run_id, record, told.get(str(record.fold)))
            self._fill(known.run_id, candidate)
            # The ending last: what a crash leaves half told still counts as missing.
            self._store.end(
                known.run_id, ENDINGS[candidate.state], candidate_times_ms(self._opened, candidate)[1]
            )
            known.state = candidate.state

    def finish(self, results: SearchResults, report: Path, summary: Summary | None = None) -> None:
        """Mark the best candidate of each search, attach figures and report, end the study's run.

        Candidates that the store still lacks are delivered first: a mark needs its run.

        Parameters
        ----------
        report : folder with the figures and the report of the search, attached as ``sweep``
        summary : of the runs on outer folds; their scores and verdicts then stand in the study's run as well
        """
        self._results = results
        self._deliver_missing([one for candidates in results.searches.values() for one in candidates])
        now_ms = int(1000 * time.time())
        with self._store.telling(f"finish the search of {results.study.name}"):
            for tag, names in chosen(results).items():
                self._mark(tag, names)
            for search, run_id in self._searches.items():
                self._store.log(run_id, search_metrics(results, search, now_ms))
                self._store.end(run_id, "FINISHED", now_ms)
        metrics, tags = finish_metrics(results, summary, now_ms), finish_tags(results, summary)
        self.runs.finish_parent(metrics, tags, {"sweep": report}, now_ms)

    def page(self) -> str:
        """Where MLflow's pages list the candidates, best first: what follows their address."""
        return candidates_page(self._opened, self._store.experiment_id)

    def _deliver_missing(self, candidates: Sequence[Candidate]) -> None:
        missing = set(self.missing(candidates))
        for candidate in candidates:
            if candidate.name in missing:
                self.deliver(candidate)

    @property
    def _opened(self) -> SearchResults:
        assert self._results is not None, "open_search comes first"
        return self._results

    def _is_told(self, candidate: Candidate) -> bool:
        known = self._known.get(candidate.name)
        return known is not None and known.state == candidate.state

    def _learn(self) -> None:
        mishaps = self._store.mishaps
        mine = {"emo.study": self._opened.study.name, "emo.created": created(self._opened)}
        above = self._store.find(mine | {"emo.kind": "search"}) if self._opened.is_nested else []
        self._searches = {run.data.tags["emo.search"]: run.info.run_id for run in above}
        for run in above:
            self._adopt(run, self._parent_id)
        self._known = {}
        for run in self._store.find(mine | {"emo.kind": "candidate"}):
            tags = run.data.tags
            search = tags.get("emo.search", "")
            name = Candidate(search, int(tags["emo.number"]), {}).name
            self._known[name] = _Known(run.info.run_id, _STATES.get(run.info.status))
            self._adopt(run, self._above(search))
        self._sure_at = mishaps

    def _adopt(self, run: "Run", parent_id: str) -> None:
        # somebody deleted the run above it
        if run.data.tags.get("mlflow.parentRunId") != parent_id:
            self._store.log(run.info.run_id, tags={"mlflow.parentRunId": parent_id})

    def _above(self, search: str) -> str:
        """The run below which the candidates of a search lie; made when first asked for."""
        if not self._opened.is_nested:
            return self._parent_id
        if search not in self._searches:
            tags = search_tags(self._opened, search) | {"mlflow.parentRunId": self._parent_id}
            self._searches[search] = self._store.create(f"search {search}", int(created(self._opened)), tags)
        return self._searches[search]

    def _create(self, candidate: Candidate) -> _Known:
        tags = candidate_tags(self._opened, candidate)
        tags["mlflow.parentRunId"] = self._above(candidate.search)
        start_ms = candidate_times_ms(self._opened, candidate)[0]
        run_id = self._store.create(candidate_name(candidate), start_ms, tags)
        return self._known.setdefault(candidate.name, _Known(run_id, None))

    def _reopen(self, known: _Known, candidate: Candidate) -> None:
        if known.state is not None:
            # Half delivered from here on, should any of the calls below fail.
            known.state = None
            self._store.client.update_run(known.run_id, status="RUNNING")
        self._store.log(known.run_id, tags=candidate_tags(self._opened, candidate))

    def _folds_below(self, candidate_id: str) -> "dict[str, Run]":
        runs = self._store.find({"mlflow.parentRunId": candidate_id, "emo.kind": "inner_fold"})
        return {run.data.tags["emo.fold"]: run for run in runs}

    def _deliver_fold(self, candidate_id: str, record: InnerRecord, told: "Run | None") -> None:
        # Three calls a fold, the least that MLflow takes: folds are most of what a search delivers.
        tags = fold_tags(self._opened, record)
        start_ms, end_ms = fold_times_ms(record)
        if told is None:
            tags["mlflow.parentRunId"] = candidate_id
            run_id = self._store.create(f"fold {record.fold}", start_ms, tags)
        elif told.info.status in ENDED and tags.items() <= told.data.tags.items():
            return
        else:
            run_id = told.info.run_id
            self._store.log(run_id, tags=tags)
        self._store.log(run_id, fold_metrics(self._opened, record))
        self._store.end(run_id, FOLD_ENDINGS[record.status], end_ms)

    def _fill(self, run_id: str, candidate: Candidate) -> None:
        settings = candidate_parameters(self._opened, candidate)
        self._store.log(run_id, candidate_metrics(self._opened, candidate), settings)
        table = subjects_table(self._opened, candidate)
        if table:
            self._store.client.log_text(run_id, table, SUBJECTS_FILE)

    def _mark(self, tag: str, names: set[str]) -> None:
        """Give these candidates a tag and take it from all others."""
        mine = {"emo.study": self._opened.study.name, "emo.created": created(self._opened)}
        marked = {run.info.run_id for run in self._store.find(mine | {"emo.kind": "candidate", tag: "true"})}
        wanted = {self._known[name].run_id for name in sorted(names)}
        # Old marks first: a crash in between leaves too few, never two.
        for run_id in marked - wanted:
            self._store.client.delete_tag(run_id, tag)
        for run_id in wanted - marked:
            self._store.log(run_id, tags={tag: "true"})
