"""Sweeps on a real local cluster: the truth in Optuna, failures as rows, nested searches without leaks."""

import threading
import time
from dataclasses import replace

import optuna
import psutil
import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import ConfigError, SearchError
from emo_ray.experiment import ExperimentConfig
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.orchestration.resources import Resources
from emo_ray.orchestration.study import Study
from emo_ray.orchestration.sweep import Sweep, run_sweep
from emo_ray.orchestration.sweep_plan import SweepRequest
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.results.search_journal import SEARCH_JOURNAL
from emo_ray.search.config import Asha, Budget, KFoldScoring, NoStopping, SearchConfig
from emo_ray.search.desk import STATES
from emo_ray.search.storage import open_storage
from emo_ray.space import parse_space
from emo_ray.training.config import TrainingConfig

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("local_cluster"),
]

SPACE = {
    "training.optimizer.learning_rate": {"log": [1e-4, 1e-1]},
    "model.dropout": {"uniform": [0, 0.6]},
    "training.batch_size": [8, 16],
}


class Listener:
    """Keeps what it hears; says yes to everything unless told otherwise."""

    def __init__(self, approves=True):
        self.approves, self.estimate, self.candidates, self.records = approves, None, [], []

    def approved(self, estimate):
        self.estimate = estimate
        return self.approves

    def opened(self, results):
        self.before = results

    def heard(self, record):
        self.records.append(record)

    def heard_candidate(self, candidate):
        self.candidates.append(candidate)


def base_on(corpus):
    return ExperimentConfig(
        corpus=corpus,
        extraction=RawTokens(),
        task=corpus.tasks()["label"],
        model=MlpConfig(hidden=(4,)),
        training=TrainingConfig(max_epochs=9, batch_size=8, monitor="primary"),
        protocol=LeaveOneSubjectOut(),
        references=("majority",),
    )


def sweep(root, nested=False, corpus=FakeCorpus(n_subjects=4, n_trials=16), **changes):  # noqa: B008
    base = base_on(corpus)
    settings = {"space": parse_space(SPACE, "a test"), "budget": Budget(n_candidates=6), **changes}
    study = Study((base,), corpus.find_subjects(), root, name="s", job="a test", resources=Resources())
    return Sweep(study, SweepRequest((base,), SearchConfig(**settings), nested))


ASHA = Asha(grace_epochs=1, reduction_factor=4)


# All samplers with all rules: tests/search/test_desk.py, without a cluster.
@pytest.mark.parametrize(
    ("sampler", "stopping"), [("gp", "median"), ("cmaes", "hyperband"), ("nsga2", "asha")]
)
def test_a_sampler_goes_with_a_stopping_rule(tmp_path, sampler, stopping):
    numeric = {key: SPACE[key] for key in ("training.optimizer.learning_rate", "model.dropout")}
    request = sweep(
        tmp_path,
        space=parse_space(numeric, "a test"),
        sampler=sampler,
        stopping={"kind": stopping},
        budget=Budget(n_candidates=3),
    )
    results = run_sweep(request, Listener())
    assert [one.state == "running" for one in results.searches[""]] == [False] * 3
    assert results.best("") is not None


@pytest.fixture(scope="module")
def plain(local_cluster, tmp_path_factory):
    return run_sweep(
        sweep(tmp_path_factory.mktemp("plain"), stopping=ASHA, budget=Budget(n_candidates=10)), Listener()
    )


def test_optuna_holds_what_became_of_every_candidate(plain):
    candidates = plain.searches[""]
    assert {"complete", "pruned"} <= {one.state for one in candidates}
    trials = optuna.load_study(study_name="s", storage=open_storage("journal", plain.folder)).trials
    assert [trial.state for trial in trials] == [STATES[one.state] for one in candidates]
    stopped = next(one for one in candidates if one.state == "pruned")
    assert trials[stopped.number].intermediate_values == pytest.approx(dict(stopped.steps))
    assert "below" in trials[stopped.number].user_attrs["reason"]


def test_a_second_start_repeats_nothing_and_a_larger_budget_goes_on(plain):
    root, before = plain.folder.parents[1], (plain.folder / SEARCH_JOURNAL).read_bytes()
    again = Listener()
    run_sweep(sweep(root, stopping=ASHA, budget=Budget(n_candidates=10)), again)
    assert (again.candidates, (plain.folder / SEARCH_JOURNAL).read_bytes()) == ([], before)
    grown = run_sweep(sweep(root, stopping=ASHA, budget=Budget(n_candidates=12)), Listener())
    assert grown.searches[""][:10] == plain.searches[""]
    assert len(grown.searches[""]) == 12


def test_a_study_of_the_same_name_with_another_space_is_refused(plain):
    other = parse_space({"training.batch_size": [8, 16, 32]}, "a test")
    with pytest.raises(ConfigError, match="another experiment"):
        run_sweep(sweep(plain.folder.parents[1], stopping=ASHA, space=other), Listener())


def test_one_candidate_at_a_time_gives_the_same_list_wherever_it_runs(tmp_path):
    found = []
    for share, root in ((1.0, tmp_path / "two slots"), (2.0, tmp_path / "one slot")):
        request = sweep(
            root, at_once=1 if share == 1.0 else None, stopping=ASHA, budget=Budget(n_candidates=5)
        )
        study = replace(request.study, resources=Resources(cpus_per_run=share))
        results = run_sweep(replace(request, study=study), Listener())
        found.append([(one.params, one.state, one.values) for one in results.searches[""]])
    assert found[0] == found[1]


def test_candidates_that_fail_are_rows_and_too_many_of_them_end_the_search(tmp_path):
    space = parse_space({"training.optimizer.learning_rate": {"log": [1e30, 1e38]}}, "a test")
    listener = Listener()
    with pytest.raises(SearchError, match=r"candidates failed.*the commonest reason .*the loss is nan"):
        run_sweep(sweep(tmp_path, space=space, budget=Budget(n_candidates=20)), listener)
    assert len(listener.candidates) < 8
    assert {(one.state, "TrainingError" in one.error) for one in listener.candidates} == {("fail", True)}


def test_a_candidate_that_exceeds_its_time_fails_with_that_reason(tmp_path):
    listener = Listener()
    request = sweep(tmp_path, candidate_limit_s=1e-6, max_failed_share=1.0, budget=Budget(n_candidates=2))
    run_sweep(request, listener)
    assert [one.error for one in listener.candidates] == [
        "TrainingError: not done after 1e-06 s, the time that a run of this search gets"
    ] * 2


def test_the_same_settings_are_never_trained_twice(tmp_path):
    space = parse_space({"training.batch_size": [8, 16]}, "a test")
    request = sweep(tmp_path, space=space, stopping=NoStopping(), scoring=KFoldScoring(n_folds=2), at_once=1)
    results = run_sweep(request, Listener())
    records = [record for one in results.searches[""] for record in one.folds]
    assert len(records) == 12
    assert len({record.started_unix for record in records}) == 4


def test_nothing_starts_without_approval_and_the_estimate_counts_all_trainings(tmp_path):
    listener = Listener(approves=False)
    with pytest.raises(ConfigError, match="not started"):
        run_sweep(sweep(tmp_path, nested=True, scoring=KFoldScoring(n_folds=3)), listener)
    assert listener.estimate.n_trainings == 4 * (6 * 3 + 1)
    assert listener.estimate.most_s > 0


def test_a_worker_that_is_killed_costs_no_candidate_and_repeats_no_finished_fold(tmp_path):
    request = sweep(
        tmp_path, scoring=KFoldScoring(n_folds=3), stopping=NoStopping(), budget=Budget(n_candidates=2)
    )
    long = TrainingConfig(max_epochs=150, batch_size=8, patience=150, monitor="primary")
    base = request.request.experiments[0].model_copy(update={"training": long})
    request = replace(
        request,
        study=replace(request.study, experiments=(base,)),
        request=replace(request.request, experiments=(base,)),
    )
    journal = tmp_path / "studies" / "s" / SEARCH_JOURNAL
    killer = threading.Thread(target=kill_a_worker_after_a_fold, args=(journal,), daemon=True)
    killer.start()
    results = run_sweep(request, Listener())
    killer.join(timeout=1)
    assert [one.state for one in results.searches[""]] == ["complete"] * 2
    assert {record.attempt for one in results.searches[""] for record in one.folds} == {1, 2}
    folds = [line for line in journal.read_text().splitlines() if '"event": "fold"' in line]
    assert len(folds) == 2 * 3


def kill_a_worker_after_a_fold(journal):
    """Wait until a first fold has ended, then kill a process that trains, as the system may."""
    for _ in range(1200):
        if journal.exists() and b'"finished"' in journal.read_bytes():
            trains = [one for one in psutil.Process().children(recursive=True) if is_training(one)]
            trains[0].kill()
            return
        time.sleep(0.02)


def is_training(process):
    try:
        return "ImplicitFunc" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture(scope="module")
def nested(local_cluster, tmp_path_factory):
    return run_sweep(nested_sweep(tmp_path_factory.mktemp("nested")), Listener())


def nested_sweep(root, **changes):
    return sweep(root, nested=True, stopping=ASHA, budget=Budget(n_candidates=4), **changes)


def test_every_subject_is_tested_by_what_the_others_have_chosen(nested):
    records = [nested.study.records[name] for name, _, _ in nested.study.planned]
    assert [record.subjects for record in records] == [(f"fake/S0{number}",) for number in range(1, 5)]
    for record in records:
        assert (record.column, record.status) == ("nested", "finished")
        chosen, best = record.chosen, nested.best(record.subjects[0])
        assert (chosen["params"], chosen["number"]) == (best.params, best.number)
        assert record.subjects[0] not in chosen["subjects"]
        assert record.rows["validation"] == 0


def test_noise_in_place_of_the_test_subject_changes_nothing_that_was_chosen(nested, tmp_path):
    noise = FakeCorpus(n_subjects=4, n_trials=16, noise_subjects=("S02",))
    scrambled = run_sweep(nested_sweep(tmp_path, corpus=noise), Listener())
    one, other = (by_subject(results)["fake/S02"] for results in (nested, scrambled))
    assert (one.chosen, one.weights_digest) == (other.chosen, other.weights_digest)
    assert one.scores != other.scores
    # the others trained on the noise, so the comparison can fail
    assert by_subject(nested)["fake/S01"].weights_digest != by_subject(scrambled)["fake/S01"].weights_digest


def test_a_nested_result_does_not_depend_on_how_many_run_at_a_time(nested, tmp_path):
    request = nested_sweep(tmp_path)
    alone = run_sweep(
        replace(request, study=replace(request.study, resources=Resources(cpus_per_run=2))), Listener()
    )
    for subject, record in by_subject(nested).items():
        other = by_subject(alone)[subject]
        assert (record.chosen, record.weights_digest) == (other.chosen, other.weights_digest)
        assert record.fingerprint == other.fingerprint


def by_subject(results):
    return {record.subjects[0]: record for record in results.study.records.values()}
