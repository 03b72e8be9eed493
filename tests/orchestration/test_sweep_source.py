"""The work of a sweep, without a cluster: lost workers, candidates known before, impossible ones."""

import optuna
import pytest

from emo_ray.orchestration.sweep_plan import SweepRequest, plan_sweep
from emo_ray.orchestration.sweep_source import MAX_KNOWN, Listeners, SweepSource
from emo_ray.orchestration.work import CandidateRun, TestRun
from emo_ray.results.journal import Journal
from emo_ray.results.search_journal import SearchJournal, read_candidates
from emo_ray.results.search_results import InnerRecord
from emo_ray.search.board import SearchBoard
from emo_ray.search.config import Budget, NoStopping, SearchConfig
from emo_ray.search.desk import Books, Clock, Desk, Rules
from emo_ray.space import parse_space


class Quiet:
    """A stream that nobody reads."""

    def write(self, text):
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False


@pytest.fixture
def source_of(experiment, table, tmp_path):
    """A source over the small experiment, with its own journals."""
    with Journal(tmp_path) as journal, SearchJournal(tmp_path) as search_journal:

        def make(space, nested=False, **fields):
            config = SearchConfig(space=parse_space(space, "a test"), stopping=NoStopping(), **fields)
            plan = plan_sweep(SweepRequest((experiment,), config, nested), {experiment.features: table})
            storage = optuna.storages.InMemoryStorage()
            rules = Rules(plan.config, ("max",), 1, plan.epochs_a_fold, plan.at_once)
            known, desks = read_candidates(search_journal.path), {}
            for one in plan.searches:
                study = optuna.create_study(study_name=one.key or "s", storage=storage, direction="maximize")
                desks[one.key] = Desk(
                    one.key, one.stream, rules, Books(search_journal, study, storage), Clock()
                )
                desks[one.key].restore(known.get(one.key, {}).values())
            board = SearchBoard(None, "f1", "max", len(desks), stream=Quiet())
            heard = Listeners(board, lambda candidate: None, lambda record: None)
            return SweepSource(plan, desks, journal, heard)

        yield make


def finish(source, work):
    """What a worker would hand in."""
    for number, spec in enumerate(work.specs):
        record = InnerRecord(work.search, work.number, number, spec.fingerprint, ("a",), "finished")
        source.heard(work.name, record.__class__(**{**vars(record), "values": (0.5,), "best_epoch": 0}))
    source.ended(work.name)


SPACE = {"training.batch_size": [4, 8]}


def test_a_nested_search_that_loses_its_worker_chooses_nothing_and_its_test_is_a_failed_row(source_of):
    source = source_of(SPACE, nested=True, budget=Budget(n_candidates=1))
    work = source.next()
    source.lost(work.name, "its worker was lost")
    finish_all(source)
    failed = [one for one in source.journal.records.values() if "candidate 0 of its search" in one.error]
    assert [one.subjects for one in failed] == [(work.search,)]
    assert "the same command tries it again" in failed[0].error
    # no row of the search: which machine died must not change what it chooses
    assert source.desks[work.search].candidates[0].state == "running"


def finish_all(source):
    while not source.is_over():
        work = source.next()
        if isinstance(work, CandidateRun):
            finish(source, work)
        elif isinstance(work, TestRun):
            source.lost(work.name, "not run in this test")
        else:
            assert source.is_over(), "nothing to do, and not over"


def test_a_plain_search_that_loses_a_worker_has_a_failed_candidate_and_goes_on(source_of):
    source = source_of(SPACE, budget=Budget(n_candidates=2), sampler="grid")
    source.lost(source.next().name, "its worker was lost")
    finish(source, source.next())
    assert [one.state for one in source.desks[""].candidates.values()] == ["fail", "complete"]


def test_settings_that_are_not_right_together_are_a_failed_candidate(source_of):
    point = {"model.kind": "mlp", "model.variant": "light"}
    space = {"model.kind": ["mlp"], "model.variant": ["light"]}
    source = source_of(space, budget=Budget(n_candidates=1), first=(point,))
    assert source.next() is None
    candidate = source.desks[""].candidates[0]
    assert (candidate.state, "unknown key" in candidate.error) == ("fail", True)


def test_a_search_by_time_ends_where_its_space_has_nothing_new(source_of):
    source = source_of(SPACE, budget=Budget(n_candidates=None, hours=1.0))
    for _ in range(4 * MAX_KNOWN):
        work = source.next()
        if work is not None:
            finish(source, work)
        if source.is_over():
            break
    assert source.is_over()
    trained = {fold.fingerprint for one in source.desks[""].candidates.values() for fold in one.folds}
    assert len(trained) == 2


def test_what_a_nested_search_chooses_counts_those_who_chose_its_first_points(source_of):
    source = source_of(SPACE, nested=True, budget=Budget(n_candidates=1), prior_subjects=("old/P77",))
    finish(source, source.next())
    test = source.next()
    while not isinstance(test, TestRun):
        finish(source, test)
        test = source.next()
    assert "old/P77" in test.chosen.subjects
