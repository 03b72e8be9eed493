"""The work of a sweep: candidates of all its searches, and the tests of what they choose."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from emo_ray.errors import ConfigError, SearchError
from emo_ray.experiment import RunSpec
from emo_ray.orchestration.policy import MAX_RETRIES
from emo_ray.orchestration.sweep_plan import SearchPlan, SweepPlan
from emo_ray.orchestration.work import CandidateRun, Item, TestRun, Work
from emo_ray.results.journal import Journal
from emo_ray.results.run_result import RunRecord, RunResult
from emo_ray.results.search_results import Candidate, InnerRecord, commonest
from emo_ray.run import failed
from emo_ray.search.board import SearchBoard
from emo_ray.search.desk import Desk
from emo_ray.search.stopping import milestones

MAX_KNOWN = 50
"""So many candidates in a row that were all tried before: the space has nothing new to offer."""
MIN_TOLD = 4
"""Failures of fewer candidates than this say nothing about the rest."""


@dataclass(frozen=True)
class Listeners:
    """Who hears what; nothing that they do can cost a result."""

    board: SearchBoard
    candidate: Callable[[Candidate], None]
    record: Callable[[RunRecord], None]


@dataclass
class _Running:
    """A candidate whose work is out."""

    search: SearchPlan
    candidate: Candidate
    specs: tuple[RunSpec, ...]
    reason: str = ""


@dataclass
class SweepSource:
    """Gives out candidates, the search that is furthest behind first, so that all end at about one time."""

    plan: SweepPlan
    desks: Mapping[str, Desk]
    journal: Journal
    listeners: Listeners
    _running: dict[str, _Running] = field(default_factory=dict)
    _tests: dict[str, RunSpec] = field(default_factory=dict)
    _tested: set[str] = field(default_factory=set)
    # searches that lost a worker for good, and what was lost
    _halted: dict[str, str] = field(default_factory=dict)
    _n_known: Counter[str] = field(default_factory=Counter)

    @property
    def n_ahead(self) -> int:
        """One where searches are sequential in themselves: a second one may wait without knowing less."""
        return 1 if self.plan.nested else 0

    def is_over(self) -> bool:
        """Whether every search has ended and every test was given out."""
        return all(self._has_ended(search) for search in self.plan.searches) and not self._untested()

    def next(self) -> Work | None:
        """A test whose search has ended, else the next candidate of the search that is furthest behind."""
        self.listeners.board.tick()
        # Not for ever: candidates that are known already need no worker, and Tune waits meanwhile.
        for _ in range(MAX_KNOWN):
            for search in self._untested():
                work = self._test(search)
                if work is not None:
                    return work
            ready = [one for one in self.plan.searches if self._can_start(one)]
            if not ready:
                return None
            work = self._candidate(min(ready, key=lambda one: len(self.desks[one.key].candidates)))
            if work is not None:
                return work
        return None

    def started(self, name: str) -> None:
        """The board counts candidates when they are drawn."""

    def restarted(self, name: str) -> Work | None:
        """A candidate whose worker was lost goes on with the folds that have ended before."""
        running = self._running.get(name)
        if running is None:
            return None
        candidate = self.desks[running.search.key].candidates[running.candidate.number]
        return self._work(running.search, candidate, running.specs)

    def heard(self, name: str, item: Item) -> bool:
        """A test's result, a fold of a candidate, or how a running fold stands."""
        if isinstance(item, RunResult):
            self._record(item)
            return True
        return self._inner(name, item)

    def ended(self, name: str) -> None:
        """All folds are in, the stopping rule has spoken, or the worker left something out."""
        if name in self._tests:
            self._lost_test(name, "ClusterError: its worker ended without leaving a result")
            return
        running = self._running.pop(name, None)
        if running is None:
            return
        desk, number = self.desks[running.search.key], running.candidate.number
        if running.reason:
            self._tell(desk.stopped(number, running.reason))
        elif desk.is_whole(number):
            self._tell(desk.ended(number))
        else:
            self._tell(desk.failed(number, "ClusterError: its worker ended without leaving a result"))

    def lost(self, name: str, error: str) -> None:
        """A failed row."""
        if name in self._tests:
            self._lost_test(name, f"{error}; the same command tries it again")
            return
        running = self._running.pop(name, None)
        if running is None:
            return
        if self.plan.nested:
            # Not a failed candidate: what a search chooses may not depend on which machine died.
            self._halted[running.search.key] = f"candidate {running.candidate.number} of its search: {error}"
            self.listeners.board.told(running.candidate.name, "fail", None, error)
        else:
            self._tell(self.desks[running.search.key].failed(running.candidate.number, error))

    def _candidate(self, search: SearchPlan) -> Work | None:
        """The next candidate of a search as work; None where all of its folds are known already."""
        desk = self.desks[search.key]
        candidate = desk.start()
        self.listeners.board.asked(candidate.name, candidate.params)
        try:
            specs = self.plan.inner_specs(search, candidate)
        except ConfigError as error:
            # Settings that are right one by one, and not together.
            self._tell(desk.failed(candidate.number, f"ConfigError: {error}"))
            return None
        for number, spec in enumerate(specs):
            # The same settings, drawn again: a finished run is never run twice.
            known = desk.known_fold(spec.fingerprint)
            if known is not None and all(record.fold != number for record in candidate.folds):
                desk.heard(replace(known, number=candidate.number, fold=number))
        candidate = desk.candidates[candidate.number]
        if desk.is_whole(candidate.number):
            self._n_known[search.key] += 1
            if self._n_known[search.key] >= MAX_KNOWN and self.plan.config.budget.n_candidates is None:
                desk.close()
            self._tell(desk.ended(candidate.number))
            return None
        self._n_known[search.key] = 0
        # A kill may have come between its last fold and the rule's word on it.
        reason = desk.verdict(candidate.number) if candidate.folds else ""
        if reason:
            self._tell(desk.stopped(candidate.number, reason))
            return None
        work = self._work(search, candidate, specs)
        self._running[work.name] = _Running(search, candidate, specs)
        return work

    def _work(self, search: SearchPlan, candidate: Candidate, specs: tuple[RunSpec, ...]) -> CandidateRun:
        config, total_steps = self.plan.config, self.desks[search.key].rules.total_steps
        return CandidateRun(
            search=search.key,
            number=candidate.number,
            specs=specs,
            objectives=config.objectives,
            done=candidate.folds,
            milestones=milestones(config.stopping, total_steps, candidate.number),
            epochs_a_fold=self.plan.epochs_a_fold,
            limit_s=config.candidate_limit_s,
        )

    def _inner(self, name: str, record: InnerRecord) -> bool:
        running = self._running[name]
        desk, board = self.desks[running.search.key], self.listeners.board
        is_partial = record.status == "stopped"
        running.reason = desk.reported(record) if is_partial else desk.heard(record)
        candidate = desk.candidates[record.number]
        steps = desk.steps(record.number)
        if steps:
            board.reported(candidate.name, steps[-1][0], desk.rules.total_steps, steps[-1][1])
        return bool(running.reason) or desk.is_whole(record.number)

    def _tell(self, candidate: Candidate) -> None:
        value = candidate.values[0] if candidate.values else None
        self.listeners.board.told(candidate.name, candidate.state, value, candidate.error)
        self.listeners.candidate(candidate)
        self._check_failures()

    def _check_failures(self) -> None:
        """End a search in which most of what is tried fails: the reason is one, and not the settings."""
        told = [c for desk in self.desks.values() for c in desk.candidates.values() if c.state != "running"]
        errors = [candidate.error for candidate in told if candidate.state == "fail"]
        if len(told) >= MIN_TOLD and len(errors) > self.plan.config.max_failed_share * len(told):
            reason, n_times = commonest(errors)
            raise SearchError(
                f"{len(errors)} of {len(told)} candidates failed, more than --max-failed-share "
                f"{self.plan.config.max_failed_share:g} allows; the commonest reason ({n_times} "
                f"times): {reason}"
            )

    def _untested(self) -> Sequence[SearchPlan]:
        """Searches that have ended and whose choice was not tested yet."""
        return [
            search
            for search in self.plan.searches
            if search.outer is not None
            and search.outer.fingerprint not in self._tested
            and not self.journal.is_finished(search.outer.fingerprint)
            and self._has_ended(search)
        ]

    def _can_start(self, search: SearchPlan) -> bool:
        return search.key not in self._halted and self.desks[search.key].can_start()

    def _has_ended(self, search: SearchPlan) -> bool:
        if search.key in self._halted:
            return all(running.search.key != search.key for running in self._running.values())
        return self.desks[search.key].is_over

    def _test(self, search: SearchPlan) -> Work | None:
        assert search.outer is not None, "only nested searches are tested"
        spec = search.outer
        self._tested.add(spec.fingerprint)
        self.listeners.board.search_ended()
        if search.key in self._halted:
            again = f"{self._halted[search.key]}; the same command tries it again"
            self._record(failed(spec, again, MAX_RETRIES + 1))
            return None
        try:
            # Whoever chose points to try first has chosen, too.
            choosers = {*search.subjects, *self.plan.config.prior_subjects}
            chosen = self.desks[search.key].chosen(sorted(choosers))
        except SearchError as error:
            self._record(failed(spec, f"SearchError: {error}"))
            return None
        self._tests[spec.fingerprint] = spec
        return TestRun(spec, chosen)

    def _lost_test(self, name: str, error: str) -> None:
        self._record(failed(self._tests[name], error, MAX_RETRIES + 1))

    def _record(self, result: RunResult) -> None:
        record = self.journal.append(result)
        self._tests.pop(record.fingerprint, None)
        self.listeners.record(record)
