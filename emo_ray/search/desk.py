"""The desk of one search: asks Optuna for candidates, keeps the journal, tells Optuna how they ended. No Ray.

Ray's own OptunaSearch tells Optuna that every stopped candidate is complete, passes over NaN, and keeps in
memory what a kill then loses; so the desk speaks to Optuna itself, one study a search.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import optuna

from emo_ray.errors import SearchError
from emo_ray.results.search_journal import SearchJournal, steps_of, with_steps
from emo_ray.results.search_results import (
    Candidate,
    CandidateState,
    Chosen,
    Direction,
    InnerRecord,
    best_of,
    commonest,
)
from emo_ray.search.config import SearchConfig
from emo_ray.search.sampling import build_sampler, distributions, encoded, suggest
from emo_ray.search.stopping import Curve, verdict
from emo_ray.training.seeding import Streams

STATES: Mapping[CandidateState, optuna.trial.TrialState] = {
    "complete": optuna.trial.TrialState.COMPLETE,
    "pruned": optuna.trial.TrialState.PRUNED,
    "fail": optuna.trial.TrialState.FAIL,
}
MAX_REASON_CHARS = 2_000
STATEFUL = ("cmaes", "nsga2")
"""Samplers that keep a state of their own in the storage; the others draw from candidates alone."""


@dataclass
class Clock:
    """Seconds that a study has been worked on, over all its starts."""

    before_s: float = 0.0
    limit_s: float | None = None
    started_s: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Up to now."""
        return self.before_s + time.monotonic() - self.started_s

    @property
    def is_over(self) -> bool:
        """Whether no new candidate may start."""
        return self.limit_s is not None and self.elapsed_s >= self.limit_s


@dataclass(frozen=True)
class Books:
    """What a desk writes to: the journal, and Optuna's study of its search, in its storage."""

    journal: SearchJournal
    study: optuna.Study
    storage: optuna.storages.BaseStorage


@dataclass(frozen=True)
class Rules:
    """What all desks of a study share.

    Attributes
    ----------
    at_once : candidates of one search at a time, each drawn with the knowledge of all but the last
        ``at_once - 1`` before it; None: each drawn with what has come by then
    epochs_a_fold : most epochs of an inner run, so a candidate has ``n_folds`` times as many steps
    """

    config: SearchConfig
    directions: tuple[Direction, ...]
    n_folds: int
    epochs_a_fold: int
    at_once: int | None

    @property
    def total_steps(self) -> int:
        """Of a candidate that runs to its end."""
        return self.n_folds * self.epochs_a_fold


class Desk:
    """One search: who is next, who goes on, who is told; everything is in the journal before Optuna hears it.

    With ``at_once`` the sequence of candidates is a function of the configuration and of their results alone,
    whatever the order in which they arrive; with 1 it is sequential.

    Parameters
    ----------
    name : of the search in its study
    stream : what its random draws are named by
    """

    def __init__(self, name: str, stream: str, rules: Rules, books: Books, clock: Clock) -> None:
        self.name, self.stream, self.rules = name, stream, rules
        self.candidates: dict[int, Candidate] = {}
        self._study, self._storage, self._journal = books.study, books.storage, books.journal
        self._clock = clock
        # started or to be resumed, and not ended; to be resumed; ended, and Optuna has not heard of it
        self._open: set[int] = set()
        self._resumable: list[int] = []
        self._untold: set[int] = set()
        # what the running fold of a candidate has reported so far
        self._live: dict[int, InnerRecord] = {}
        self._finished_folds: dict[str, InnerRecord] = {}
        self._trial_ids: dict[int, int] = {}
        self._is_closed = False

    def restore(self, known: Iterable[Candidate]) -> None:
        """Take up what the journal of an earlier start tells; make Optuna's study tell the same.

        Raises
        ------
        SearchError : the Optuna study holds candidates that the journal does not know
        """
        ordered = sorted((_resumable(one) for one in known), key=lambda one: one.number)
        self.candidates = {one.number: with_steps(one, self.rules.epochs_a_fold) for one in ordered}
        self._resumable = [one.number for one in ordered if one.state == "running"]
        self._open = set(self._resumable)
        for record in (record for one in ordered for record in one.folds if record.status == "finished"):
            self._finished_folds.setdefault(record.fingerprint, record)
        trials = self._study.get_trials(deepcopy=False)
        if len(trials) < len(ordered) and self.rules.config.sampler in STATEFUL:
            raise SearchError(
                f"the storage of Optuna study {self._study.study_name!r} has lost candidates, and with them "
                f"what {self.rules.config.sampler} knew: it would draw others than before. Put the storage "
                "back, or start anew under another --study"
            )
        for trial in trials[len(ordered) :]:
            # Asked, and killed before the journal had it: asked again, it comes out the same.
            if trial.state != optuna.trial.TrialState.RUNNING:
                raise SearchError(
                    f"Optuna study {self._study.study_name!r} holds trial {trial.number}, which this search "
                    "has not made: give this one another --study, or another --storage"
                )
        for candidate in ordered[len(trials) :]:
            self._study.add_trial(self._as_trial(candidate))
        trials = self._study.get_trials(deepcopy=False)
        self._trial_ids = {trial.number: trial._trial_id for trial in trials}
        finished = {trial.number for trial in trials if trial.state.is_finished()}
        self._untold = {one.number for one in ordered if one.state != "running"} - finished
        for number in sorted(self._trial_ids)[len(ordered) :]:
            if self.is_full:
                self._drop(number)
        self._commit()

    @property
    def is_full(self) -> bool:
        """Whether no further candidate will be asked for."""
        budget = self.rules.config.budget.n_candidates
        is_spent = budget is not None and len(self.candidates) >= budget
        return self._is_closed or self._clock.is_over or is_spent

    def close(self) -> None:
        """Ask for no further candidate."""
        self._is_closed = True

    @property
    def is_over(self) -> bool:
        """Whether every candidate has ended and none will follow."""
        return self.is_full and not self._open

    def can_start(self) -> bool:
        """Whether a candidate can start now."""
        if self._resumable:
            return True
        if self.is_full:
            return False
        at_once = self.rules.at_once
        # In a fixed window the next one waits until all that it has to know of have ended.
        return (
            at_once is None or min(self._open, default=len(self.candidates)) > len(self.candidates) - at_once
        )

    def start(self) -> Candidate:
        """The next candidate: one that a kill left behind, or a new one."""
        if self._resumable:
            return self.candidates[self._resumable.pop(0)]
        number = len(self.candidates)
        self._commit()
        config = self.rules.config
        first = config.first[number] if number < len(config.first) else None
        seed = Streams(config.seed).child("search", self.stream).integer("sampler", number) % 2**32
        # Afresh for every candidate: what it draws then depends on the study alone, not on this process.
        self._study.sampler = build_sampler(config, seed, first)
        known = self._trial_ids.get(number)
        trial = self._study.ask() if known is None else optuna.trial.Trial(self._study, known)
        self._trial_ids[number] = trial._trial_id
        params = suggest(trial, config.space)
        candidate = Candidate(self.name, number, params, elapsed_s=self._clock.elapsed_s)
        self._journal.asked(candidate)
        self.candidates[number] = candidate
        self._open.add(number)
        return candidate

    def reported(self, partial: InnerRecord) -> str:
        """A running fold has come so far; returns why its candidate should end, or nothing."""
        self._live[partial.number] = partial
        return self.verdict(partial.number)

    def heard(self, record: InnerRecord) -> str:
        """A fold has ended; returns why its candidate should end before its other folds, or nothing."""
        self._journal.fold(record)
        candidate = self.candidates[record.number]
        # A worker that was lost may hand in a second time what it had handed in before.
        others = [one for one in candidate.folds if one.fold != record.fold]
        folds = tuple(sorted((*others, record), key=lambda one: one.fold))
        self.candidates[record.number] = with_steps(replace(candidate, folds=folds), self.rules.epochs_a_fold)
        self._live.pop(record.number, None)
        if record.status == "finished":
            self._finished_folds.setdefault(record.fingerprint, record)
        return self.verdict(record.number)

    def verdict(self, number: int) -> str:
        """Why a candidate should end as it stands now, or nothing; one that has all its folds goes on."""
        rules = self.rules
        if self.is_whole(number):
            return ""
        at_once = rules.at_once
        # In a window a candidate is compared with those that it was drawn from, however late it reports.
        peers = [
            one.number
            for one in self.candidates.values()
            if one.number != number and (at_once is None or one.number <= number - at_once)
        ]
        return verdict(
            rules.config.stopping, rules.total_steps, self._curve(number), [self._curve(n) for n in peers]
        )

    def steps(self, number: int) -> tuple[tuple[int, float], ...]:
        """The first objective of a candidate as it stood at each step, its running fold included."""
        candidate, live = self.candidates[number], self._live.get(number)
        if live is None:
            return candidate.steps
        return steps_of((*candidate.folds, live), self.rules.epochs_a_fold)

    def known_fold(self, fingerprint: str) -> InnerRecord | None:
        """A finished inner run of the same specification, of whichever candidate."""
        return self._finished_folds.get(fingerprint)

    def is_whole(self, number: int) -> bool:
        """Whether a candidate has nothing left to run: all its folds are in, or one of them has failed."""
        folds = self.candidates[number].folds
        return len(folds) == self.rules.n_folds or any(one.status == "failed" for one in folds)

    def stopped(self, number: int, reason: str) -> Candidate:
        """The stopping rule has ended a candidate."""
        partial = self._live.get(number)
        if partial is not None:
            self.heard(replace(partial, status="stopped"))
        return self._end(number, "pruned", reason)

    def ended(self, number: int) -> Candidate:
        """All folds of a candidate have ended: complete, or failed where one of them has."""
        folds = self.candidates[number].folds
        failures = [record.error for record in folds if record.status == "failed"]
        return self._end(number, "fail" if failures else "complete", failures[0] if failures else "")

    def failed(self, number: int, error: str) -> Candidate:
        """A candidate's worker was lost for good."""
        return self._end(number, "fail", error)

    def best(self) -> Candidate | None:
        """The best complete candidate so far."""
        return best_of(tuple(self.candidates.values()), self.rules.directions)

    def chosen(self, subjects: Sequence[str]) -> Chosen:
        """What the search hands on.

        Raises
        ------
        SearchError : no candidate is complete
        """
        best = self.best()
        if best is None:
            raise SearchError(
                f"no candidate of the search for {self.name!r} came to an end: {self._commonest_reason()}"
            )
        return chosen_from(best, subjects)

    def _drop(self, number: int) -> None:
        """A candidate that was drawn when a kill came, and that no budget is left for."""
        self.candidates[number] = Candidate(self.name, number, {})
        self._journal.asked(self.candidates[number])
        self._end(number, "fail", "drawn when the driver was killed, and out of the budget after that")

    def _commonest_reason(self) -> str:
        errors = [one.error for one in self.candidates.values() if one.error]
        return commonest(errors)[0] or "none was started"

    def _end(self, number: int, state: CandidateState, error: str = "") -> Candidate:
        candidate = self.candidates[number]
        values: tuple[float, ...] = ()
        if state == "complete":
            values = tuple(
                float(value) for value in np.mean([fold.values for fold in candidate.folds], axis=0)
            )
        ended = replace(candidate, state=state, values=values, error=error, elapsed_s=self._clock.elapsed_s)
        self._journal.told(ended)
        self._live.pop(number, None)
        self.candidates[number] = ended
        self._open.discard(number)
        self._untold.add(number)
        self._commit()
        return ended

    def _commit(self) -> None:
        """Tell Optuna of candidates that ended: of all, or in a window of those that the next may know."""
        at_once = self.rules.at_once
        horizon = len(self.candidates)
        if at_once is not None and not self.is_over:
            horizon -= at_once - 1
        for number in sorted(number for number in self._untold if number < horizon):
            self._tell(self.candidates[number])
            self._untold.discard(number)

    def _tell(self, candidate: Candidate) -> None:
        trial_id = self._trial_ids[candidate.number]
        if len(self.rules.directions) == 1:  # Optuna takes no intermediate values of several objectives
            for step, value in candidate.steps:
                if np.isfinite(value):  # an epoch without a defined score is a gap in the curve
                    self._storage.set_trial_intermediate_value(trial_id, step, value)
        if candidate.error:
            self._storage.set_trial_user_attr(trial_id, "reason", candidate.error[:MAX_REASON_CHARS])
        values = list(candidate.values) if candidate.state == "complete" else None
        self._study.tell(candidate.number, values, STATES[candidate.state])

    def _as_trial(self, candidate: Candidate) -> optuna.trial.FrozenTrial:
        """A running trial with the settings of a candidate; `_commit` ends it."""
        space = self.rules.config.space
        return optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=encoded(space, candidate.params),
            distributions=distributions(space, candidate.params),
        )

    def _curve(self, number: int) -> Curve:
        sign = 1.0 if self.rules.directions[0] == "max" else -1.0
        return Curve(number, tuple((step, sign * value) for step, value in self.steps(number)))


def _resumable(candidate: Candidate) -> Candidate:
    """Without a fold that was stopped, where the kill came before its candidate was told: it runs again."""
    if candidate.state != "running":
        return candidate
    return replace(candidate, folds=tuple(one for one in candidate.folds if one.status != "stopped"))


def chosen_from(best: Candidate, subjects: Sequence[str]) -> Chosen:
    """Settings, epochs and thresholds of a candidate; medians over its inner folds where they differ."""
    heads = sorted({head for record in best.folds for head in record.thresholds})
    return Chosen(
        search=best.search,
        number=best.number,
        params=dict(best.params),
        n_epochs=max(1, round(float(np.median([record.best_epoch + 1 for record in best.folds])))),
        thresholds={h: float(np.median([record.thresholds[h] for record in best.folds])) for h in heads},
        subjects=tuple(sorted(subjects)),
        value=best.values[0],
    )
