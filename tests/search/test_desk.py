"""The desk of a search: killed at any line of its journal, it ends where an undisturbed one ends."""

import itertools
from dataclasses import replace

import numpy as np
import optuna
import pytest

from emo_ray.errors import SearchError
from emo_ray.results.search_journal import SEARCH_JOURNAL, SearchJournal, read_candidates
from emo_ray.results.search_results import InnerRecord
from emo_ray.search.config import Asha, Budget, SearchConfig
from emo_ray.search.desk import STATES, Books, Clock, Desk, Rules
from emo_ray.search.storage import JOURNAL, open_storage
from emo_ray.space import parse_space

SPACE = parse_space(
    {"training.optimizer.learning_rate": {"log": [1e-4, 1e-1]}, "training.batch_size": [16, 32, 64]}, "a test"
)
EPOCHS = 9


class KilledError(Exception):
    """The process is gone."""


class MortalJournal(SearchJournal):
    """A journal whose process dies at a given line, before or after it is written."""

    def __init__(self, folder, dies_at=None, before=True):
        super().__init__(folder)
        self.n_lines, self.dies_at, self.before = 0, dies_at, before

    def _append(self, event, content):
        self.n_lines += 1
        if self.n_lines == self.dies_at and self.before:
            raise KilledError
        super()._append(event, content)
        if self.n_lines == self.dies_at:
            raise KilledError


def config(n=8, **changes):
    settings = {"stopping": Asha(grace_epochs=1, reduction_factor=3), "budget": Budget(n_candidates=n)}
    return SearchConfig(space=SPACE, **(settings | changes))


def open_desk(folder, journal, settings, at_once=1, n_folds=2):
    storage = open_storage("journal", folder)
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize", load_if_exists=True)
    rules = Rules(settings, ("max",), n_folds=n_folds, epochs_a_fold=EPOCHS, at_once=at_once)
    desk = Desk("", "", rules, Books(journal, study, storage), Clock())
    desk.restore(read_candidates(folder / SEARCH_JOURNAL).get("", {}).values())
    return desk


def trained(candidate, fold, n_epochs=EPOCHS):
    """A made-up inner run: the nearer the learning rate to 1e-2, the better; candidate 3 fails."""
    rate = candidate.params["training.optimizer.learning_rate"]
    top = 1 - abs(np.log10(rate) + 2) / 3
    curve = tuple(float(top * (1 - 0.5 ** (epoch + 1))) for epoch in range(n_epochs))
    record = InnerRecord("", candidate.number, fold, f"{candidate.number}-{fold}", ("a",), "finished")
    record = replace(record, curve=curve, standing=curve, best_epoch=n_epochs - 1, values=(curve[-1],))
    return replace(record, status="failed", values=(), error="it broke") if candidate.number == 3 else record


def work_through(desk, candidate):
    """What a worker and the driver do with one candidate."""
    reason = desk.verdict(candidate.number) if candidate.folds else ""
    if reason:
        return desk.stopped(candidate.number, reason)
    has_failed = desk.is_whole(candidate.number)
    for fold in range(len(candidate.folds), 0 if has_failed else desk.rules.n_folds):
        whole = trained(candidate, fold)
        for epoch in (0, 2):
            partial = replace(whole, status="stopped", curve=whole.curve[: epoch + 1])
            reason = desk.reported(replace(partial, standing=whole.standing[: epoch + 1]))
            if reason:
                return desk.stopped(candidate.number, reason)
        reason = desk.heard(whole)
        if whole.status == "failed":
            break
        if reason:
            return desk.stopped(candidate.number, reason)
    return desk.ended(candidate.number)


def run_to_the_end(folder, settings, dies_at=None, before=True):
    with MortalJournal(folder, dies_at, before) as journal:
        desk = open_desk(folder, journal, settings)
        while not desk.is_over:
            work_through(desk, desk.start())
        return desk, journal.n_lines


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "cmaes", "nsga2"])
@pytest.mark.parametrize("stopping", ["asha", "hyperband", "median", "none"])
def test_any_sampler_goes_with_any_stopping_rule(tmp_path, sampler, stopping):
    settings = config(sampler=sampler, stopping={"kind": stopping})
    desk, _ = run_to_the_end(tmp_path, settings)
    assert len(desk.candidates) == 8
    assert all(candidate.state != "running" for candidate in desk.candidates.values())


def told(desk):
    return [(c.number, dict(c.params), c.state, c.values, c.error, c.steps) for c in desk.candidates.values()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return run_to_the_end(tmp_path_factory.mktemp("whole"), config())


def test_the_made_up_search_has_candidates_of_every_kind(undisturbed):
    desk, _ = undisturbed
    assert {candidate.state for candidate in desk.candidates.values()} == {"complete", "pruned", "fail"}


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_line_it_ends_where_an_undisturbed_search_ends(undisturbed, tmp_path, before):
    whole, n_lines = undisturbed
    for line in range(1, n_lines + 1):
        folder = tmp_path / str(line)
        folder.mkdir()
        with pytest.raises(KilledError):
            run_to_the_end(folder, config(), dies_at=line, before=before)
        resumed, _ = run_to_the_end(folder, config())
        assert told(resumed) == told(whole), f"killed at line {line}"


def test_no_finished_fold_is_recorded_twice_after_a_kill(undisturbed, tmp_path):
    _, n_lines = undisturbed
    with pytest.raises(KilledError):
        run_to_the_end(tmp_path, config(), dies_at=n_lines // 2)
    run_to_the_end(tmp_path, config())
    lines = [line for line in (tmp_path / SEARCH_JOURNAL).read_text().splitlines() if '"finished"' in line]
    names = [line.split('"fingerprint": "')[1].split('"')[0] for line in lines]
    assert len(names) == len(set(names))


def test_optuna_tells_the_same_as_the_journal(tmp_path):
    desk, _ = run_to_the_end(tmp_path, config())
    trials = optuna.load_study(study_name="s", storage=open_storage("journal", tmp_path)).trials
    for candidate, trial in zip(desk.candidates.values(), trials, strict=True):
        assert trial.state == STATES[candidate.state]
        assert trial.intermediate_values == pytest.approx(dict(candidate.steps))
        assert trial.user_attrs.get("reason", "") == candidate.error


def test_a_storage_that_was_lost_is_made_again_from_the_journal(undisturbed, tmp_path):
    whole, n_lines = undisturbed
    with pytest.raises(KilledError):
        run_to_the_end(tmp_path, config(), dies_at=n_lines - 4)
    (tmp_path / JOURNAL).unlink()
    resumed, _ = run_to_the_end(tmp_path, config())
    assert told(resumed) == told(whole)


def test_a_study_with_trials_of_somebody_else_is_refused(tmp_path):
    run_to_the_end(tmp_path, config(n=3))
    (tmp_path / SEARCH_JOURNAL).unlink()
    with pytest.raises(SearchError, match="which this search has not made"):
        run_to_the_end(tmp_path, config(n=3))


def test_a_search_that_has_ended_goes_on_where_its_budget_grows(undisturbed, tmp_path):
    run_to_the_end(tmp_path, config(n=4))
    grown, _ = run_to_the_end(tmp_path, config(n=8))
    assert told(grown) == told(undisturbed[0])


def run_in_a_window(folder, order, at_once=3):
    """Several candidates at a time; ``order`` says which of those that run ends next."""
    with SearchJournal(folder) as journal:
        desk = open_desk(folder, journal, config(), at_once=at_once, n_folds=1)
        running = []
        for choice in order:
            while desk.can_start():
                running.append(desk.start())
            if not running:
                return desk
            work_through(desk, running.pop(choice % len(running)))
    raise AssertionError("the order was too short")


def test_in_a_window_the_order_of_arrival_changes_nothing(tmp_path):
    orders = [[0], [1], [2, 0, 1], [2]]
    found = []
    for number, order in enumerate(orders):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(told(run_in_a_window(folder, itertools.islice(itertools.cycle(order), 100))))
    assert found[0] == found[1] == found[2] == found[3]


def test_a_fold_that_a_lost_worker_hands_in_twice_counts_once(tmp_path):
    with SearchJournal(tmp_path) as journal:
        desk = open_desk(tmp_path, journal, config())
        candidate = desk.start()
        for _ in range(2):
            desk.heard(trained(candidate, 0))
        assert [record.fold for record in desk.candidates[0].folds] == [0]
        assert not desk.is_whole(0)


def test_known_good_points_come_first_as_they_were_given(tmp_path):
    point = {"training.optimizer.learning_rate": 0.01, "training.batch_size": 32}
    desk, _ = run_to_the_end(tmp_path, config(n=3, first=(point,)))
    assert desk.candidates[0].params == point


def test_the_best_candidate_hands_on_its_settings_epochs_and_whose_data_chose_them(undisturbed):
    desk, _ = undisturbed
    best, chosen = desk.best(), desk.chosen(["b", "a"])
    assert (chosen.params, chosen.n_epochs, chosen.subjects) == (best.params, EPOCHS, ("a", "b"))
    assert best.values[0] == max(c.values[0] for c in desk.candidates.values() if c.state == "complete")


def test_no_candidate_starts_once_the_time_is_over(tmp_path):
    with SearchJournal(tmp_path) as journal:
        desk = open_desk(tmp_path, journal, config())
        work_through(desk, desk.start())
        desk._clock.limit_s = 0.0
        assert (desk.is_full, desk.can_start(), desk.is_over) == (True, False, True)


@pytest.mark.parametrize("sampler", ["cmaes", "nsga2"])
def test_a_sampler_whose_state_was_lost_with_the_storage_is_not_asked_again(tmp_path, sampler):
    run_to_the_end(tmp_path, config(n=3, sampler=sampler))
    (tmp_path / JOURNAL).unlink()
    with pytest.raises(SearchError, match=f"what {sampler} knew"):
        run_to_the_end(tmp_path, config(n=5, sampler=sampler))


def test_a_candidate_drawn_at_a_kill_that_no_budget_is_left_for_is_a_row(tmp_path):
    run_to_the_end(tmp_path, config(n=3))
    with pytest.raises(KilledError):  # the fourth is drawn, and not in the journal
        run_to_the_end(tmp_path, config(n=8), dies_at=1)
    desk, _ = run_to_the_end(tmp_path, config(n=3))
    assert [desk.candidates[3].state, desk.candidates[3].params] == ["fail", {}]
    trials = optuna.load_study(study_name="s", storage=open_storage("journal", tmp_path)).trials
    assert [trial.state.is_finished() for trial in trials] == [True] * 4


def test_a_search_that_was_closed_asks_for_no_more(tmp_path):
    with SearchJournal(tmp_path) as journal:
        desk = open_desk(tmp_path, journal, config())
        desk.close()
        assert (desk.can_start(), desk.is_over) == (False, True)
