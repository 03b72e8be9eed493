"""A search in MLflow: sweep above candidates above folds, told once, completed after a crash."""

import json
import math
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from emo_ray.errors import TrackingError
from emo_ray.results.summary import summarise
from emo_ray.testing.fake_search import FakeSearchConfig, fake_search
from emo_ray.tracking.search import SearchTracker
from emo_ray.tracking.search_entries import candidate_metrics, dimension_text, subjects_table

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
CURVE = "curve/balanced_accuracy"
RATE = "training.optimizer.learning_rate"
KINDS = ("study", "search", "candidate", "inner_fold", "run")
SMALL = FakeSearchConfig(n_candidates=6, n_subjects=4, n_folds=2, failed=(5,), stopping=True)


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def make(tmp_path, request):
    name = request.node.name[:80].replace("[", "-").replace("]", "")
    return lambda config=SMALL: fake_search(tmp_path / name, config)


@pytest.fixture
def results(make):
    return make()


@pytest.fixture
def tracker(uri, results):
    return opened(uri, results)


def opened(uri, results):
    tracker = SearchTracker(uri, "sweeps")
    tracker.check()
    tracker.open_search(results)
    return tracker


def deliver_all(tracker, results):
    for candidates in results.searches.values():
        for candidate in candidates:
            tracker.deliver(candidate)


def finish(tracker, results, summary=None):
    report = results.folder / "sweep"
    report.mkdir(exist_ok=True)
    (report / "history.svg").write_text("<svg/>")
    tracker.finish(results, report, summary)


def runs(tracker, results, kind, **tags):
    wanted = {"emo.study": results.study.name, "emo.kind": kind} | {f"emo.{k}": v for k, v in tags.items()}
    return tracker._store.find(wanted)


def below(run):
    return run.data.tags["mlflow.parentRunId"]


def history(tracker, run, key):
    return [(p.step, p.value) for p in tracker._store.client.get_metric_history(run.info.run_id, key)]


def state_of(results, state):
    return next(one for one in results.searches[""] if one.state == state)


def test_folds_lie_below_their_candidate_and_candidates_below_the_study(tracker, results):
    deliver_all(tracker, results)
    (study,) = runs(tracker, results, "study")
    candidates = {run.info.run_id: run for run in runs(tracker, results, "candidate")}
    folds = runs(tracker, results, "inner_fold")
    assert {below(run) for run in candidates.values()} == {study.info.run_id}
    assert len(folds) == sum(len(one.folds) for one in results.searches[""])
    assert all(
        candidates[below(fold)].data.tags["emo.number"] == fold.data.tags["emo.number"] for fold in folds
    )


def test_nested_candidates_lie_below_a_run_of_their_outer_subject(make, uri):
    results = make(replace(SMALL, nested=True, n_subjects=3, n_candidates=2, failed=()))
    tracker = opened(uri, results)
    deliver_all(tracker, results)
    (study,) = runs(tracker, results, "study")
    searches = {run.info.run_id: run for run in runs(tracker, results, "search")}
    assert {run.info.run_name for run in searches.values()} == {f"search fake/S0{n}" for n in (1, 2, 3)}
    assert {below(run) for run in searches.values()} == {study.info.run_id}
    candidates = runs(tracker, results, "candidate")
    assert len(candidates) == 6
    assert all(
        searches[below(run)].data.tags["emo.search"] == run.data.tags["emo.search"] for run in candidates
    )
    assert "fake/S02 candidate 1" in {run.info.run_name for run in candidates}


def test_a_candidate_delivered_twice_is_one_run_with_one_run_a_fold(tracker, results, uri):
    candidate = results.searches[""][0]
    tracker.deliver(candidate)
    tracker.deliver(candidate)
    after_restart = opened(uri, results)
    assert candidate.name not in after_restart.missing(results.searches[""])
    after_restart.deliver(candidate)
    assert len(runs(tracker, results, "candidate")) == 1
    assert len(runs(tracker, results, "inner_fold")) == len(candidate.folds)
    assert len(runs(tracker, results, "study")) == 1


def break_off(monkeypatch, client, call, is_made):
    """The so-manyth write of a delivery fails; before it was made, or after, its answer lost."""
    left = [call]

    def breaking(write):
        def wrapped(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0 and not is_made:
                raise OSError("disk full")
            answer = write(*args, **kwargs)
            if left[0] < 0:
                raise OSError("disk full")
            return answer

        return wrapped

    for name in ("create_run", "log_batch", "log_text", "set_terminated"):
        monkeypatch.setattr(client, name, breaking(getattr(client, name)))


# ten writes in all: the candidate is made, two folds of three writes each, then its values, table and ending
@pytest.mark.parametrize("call", range(10))
def test_a_delivery_that_broke_off_anywhere_is_completed_and_nothing_doubled(
    tracker, results, uri, monkeypatch, call
):
    candidate = state_of(results, "complete")
    break_off(monkeypatch, tracker._store.client, call, is_made=call < 9 and call % 2 == 0)
    with pytest.raises(TrackingError, match="disk full"):
        tracker.deliver(candidate)
    after_crash = opened(uri, results)
    assert after_crash.missing([candidate]) == (candidate.name,)
    after_crash.deliver(candidate)
    (run,), folds = runs(after_crash, results, "candidate"), runs(after_crash, results, "inner_fold")
    assert [one.info.status for one in (run, *folds)] == ["FINISHED"] * 3
    assert sorted(fold.data.tags["emo.fold"] for fold in folds) == ["0", "1"]
    assert [step for step, _ in history(after_crash, run, CURVE)] == [step for step, _ in candidate.steps]


def test_the_same_tracker_goes_on_after_an_answer_was_lost(tracker, results, monkeypatch):
    candidate = state_of(results, "complete")
    with monkeypatch.context() as patch:
        break_off(patch, tracker._store.client, 1, is_made=True)
        with pytest.raises(TrackingError, match="disk full"):
            tracker.deliver(candidate)
    tracker.deliver(candidate)
    assert len(runs(tracker, results, "candidate")) == 1
    assert len(runs(tracker, results, "inner_fold")) == 2


@pytest.mark.parametrize(
    ("state", "status", "fold_status"),
    [("complete", "FINISHED", "FINISHED"), ("pruned", "KILLED", "KILLED"), ("fail", "FAILED", "FAILED")],
)
def test_states_are_told_apart(tracker, make, uri, state, status, fold_status):
    results = make(replace(SMALL, n_candidates=12, failed=(3,)))
    tracker = opened(uri, results)
    candidate = state_of(results, state)
    tracker.deliver(candidate)
    (run,), folds = runs(tracker, results, "candidate"), runs(tracker, results, "inner_fold")
    assert (run.info.status, run.data.tags["emo.state"]) == (status, state)
    assert {fold.info.status for fold in folds} == {fold_status}
    assert run.data.tags.get("emo.error", "") == candidate.error
    assert ("objective/balanced_accuracy" in run.data.metrics) == (state == "complete")


def test_a_candidate_shows_its_settings_scores_and_costs(tracker, results):
    candidate = results.searches[""][0]
    tracker.deliver(candidate)
    (run,) = runs(tracker, results, "candidate")
    assert run.info.run_name == "candidate 0"
    assert float(run.data.params["training.optimizer.learning_rate"]) == candidate.params[RATE]
    assert run.data.metrics["objective/balanced_accuracy"] == candidate.values[0]
    assert run.data.metrics["epochs"] == candidate.n_epochs
    assert run.data.metrics["seconds"] == pytest.approx(sum(record.seconds for record in candidate.folds))
    assert history(tracker, run, CURVE) == [(step, value) for step, value in candidate.steps]
    assert run.data.tags["mlflow.source.git.commit"] == "a" * 40


def test_a_fold_shows_losses_scores_and_whom_it_scored(tracker, results):
    candidate = results.searches[""][0]
    tracker.deliver(candidate)
    fold = next(run for run in runs(tracker, results, "inner_fold") if run.data.tags["emo.fold"] == "1")
    record = candidate.folds[1]
    assert history(tracker, fold, "train/loss") == list(enumerate(record.train_loss))
    assert history(tracker, fold, "validation/loss") == list(enumerate(record.validation_loss))
    assert fold.data.tags["emo.fingerprint"] == record.fingerprint
    assert fold.data.tags["emo.subjects"] == ", ".join(record.subjects)
    assert tracker._store.client.list_artifacts(fold.info.run_id) == []


def test_scores_of_subjects_are_the_one_artifact_and_a_table(tracker, results, tmp_path):
    candidate = results.searches[""][0]
    tracker.deliver(candidate)
    (run,) = runs(tracker, results, "candidate")
    (artifact,) = tracker._store.client.list_artifacts(run.info.run_id)
    path = tracker._store.client.download_artifacts(run.info.run_id, artifact.path, tmp_path)
    table = json.loads(Path(path).read_text())
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "subjects.json", "type": "table"}]
    assert table["columns"] == ["subject", "inner_fold", "balanced_accuracy"]
    expected = [[s, r.fold, v] for r in candidate.folds for s, v in r.subject_scores.items()]
    assert table["data"] == expected


def test_undefined_scores_are_null_in_the_table_and_no_metric(results):
    candidate = results.searches[""][0]
    first = replace(candidate.folds[0], scores={"ccc": math.nan}, subject_scores={"fake/S01": math.nan})
    undefined = replace(candidate, folds=(first,))
    assert json.loads(subjects_table(results, undefined))["data"] == [["fake/S01", 0, None]]
    assert "ccc" not in {point.key for point in candidate_metrics(results, undefined)}


def test_exactly_one_candidate_is_the_best_and_the_tag_moves(tracker, results):
    deliver_all(tracker, results)
    finish(tracker, results)
    first = results.best("")
    assert [run.data.tags["emo.number"] for run in runs(tracker, results, "candidate", best="true")] == [
        str(first.number)
    ]
    better = replace(results.searches[""][0], number=6, values=(first.values[0] + 0.1,), state="complete")
    grown = replace(results, searches={"": (*results.searches[""], better)})
    tracker.open_search(grown)
    tracker.deliver(better)
    finish(tracker, grown)
    assert [run.data.tags["emo.number"] for run in runs(tracker, grown, "candidate", best="true")] == ["6"]


def test_each_search_of_a_nested_study_has_its_best_and_the_study_its_outer_scores(make, uri):
    results = make(replace(SMALL, nested=True, n_subjects=3, n_candidates=2, failed=()))
    tracker = opened(uri, results)
    deliver_all(tracker, results)
    for record in results.study.records.values():
        tracker.deliver_run(record, None, None)
    summary = summarise(results.study)
    finish(tracker, results, summary)
    best = {run.data.tags["emo.search"]: run for run in runs(tracker, results, "candidate", best="true")}
    assert {name: int(run.data.tags["emo.number"]) for name, run in best.items()} == {
        name: results.best(name).number for name in results.searches
    }
    (study,), outer = runs(tracker, results, "study"), runs(tracker, results, "run")
    assert {below(run) for run in outer} == {study.info.run_id}
    assert study.data.metrics["nested/accuracy"] == summary.sections[0].models["network"]["accuracy"].mean
    everything = [run for kind in KINDS for run in runs(tracker, results, kind)]
    assert len(everything) == 1 + 3 + 6 + 12 + 3
    assert "RUNNING" not in {run.info.status for run in everything}


def test_finishing_delivers_what_is_still_missing(tracker, results):
    finish(tracker, results)
    assert len(runs(tracker, results, "candidate")) == 6
    assert len(runs(tracker, results, "candidate", best="true")) == 1


def test_several_objectives_mark_the_pareto_front(make, uri):
    results = make(replace(SMALL, objectives=("balanced_accuracy", "n_parameters"), stopping=False))
    tracker = opened(uri, results)
    deliver_all(tracker, results)
    finish(tracker, results)
    marked = {int(run.data.tags["emo.number"]) for run in runs(tracker, results, "candidate", pareto="true")}
    expected = {
        one.number
        for one in results.searches[""]
        if one.values
        and not any(beats(other.values, one.values) for other in results.searches[""] if other.values)
    }
    assert marked == expected


def beats(one, other):
    """Higher score and fewer parameters; one of them strictly."""
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def test_the_study_tells_space_sampler_and_budget_and_ends_with_the_figures(tracker, results):
    deliver_all(tracker, results)
    finish(tracker, results)
    (study,) = runs(tracker, results, "study")
    params, client = study.data.params, tracker._store.client
    assert params["space/training.optimizer.learning_rate"] == "log 0.0001..0.01"
    assert params["space/model.n_layers"] == "int 1..8 if model.kind in made_deep"
    assert (params["sampler"], params["stopping.kind"], params["scoring.kind"]) == ("tpe", "asha", "kfold")
    assert params["objectives"] == "max balanced_accuracy"
    assert study.data.tags["emo.budget"] == "6 candidates"
    assert study.info.status == "FINISHED"
    assert study.data.metrics["candidates/fail"] == 1
    assert study.data.metrics["best/balanced_accuracy"] == results.best("").values[0]
    assert [item.path for item in client.list_artifacts(study.info.run_id, "sweep")] == ["sweep/history.svg"]


def test_candidates_show_what_the_search_left_as_it_was(make, uri):
    results = make()
    base = {
        "corpus": {"kind": "wesad"},
        "model": {"kind": "mlp"},
        "training": {"max_epochs": 30, "patience": 5},
    }
    header = {
        **results.study.header,
        "search": {**results.header, "bases": [base], "inner_folds": {"": [[]]}},
    }
    results = replace(results, study=replace(results.study, header=header))
    tracker = opened(uri, results)
    tracker.deliver(results.searches[""][0])
    (study,), (run,) = runs(tracker, results, "study"), runs(tracker, results, "candidate")
    assert study.data.params["base.training.patience"] == "5"
    assert "inner_folds" not in " ".join(study.data.params)
    assert (run.data.params["corpus.kind"], run.data.params["training.max_epochs"]) == ("wesad", "30")
    assert run.data.params["model.kind"] == results.searches[""][0].params["model.kind"]


def test_the_page_of_candidates_asks_for_them_best_first(tracker, results):
    address, _, question = tracker.page().partition("?")
    asked = parse_qs(question)
    assert address == f"#/experiments/{tracker._store.experiment_id}/runs"
    (condition,) = asked["searchFilter"]
    tracker.deliver(results.searches[""][0])
    (found,) = tracker._store.client.search_runs([tracker._store.experiment_id], condition)
    assert found.info.run_name == "candidate 0"
    assert asked["orderByKey"] == ["metrics.`objective/balanced_accuracy`"]
    assert asked["orderByAsc"] == ["false"]


def test_a_search_continued_with_a_larger_budget_is_the_same_run(tracker, results, uri):
    header = results.study.header
    more = {**header, "search": {**header["search"], "budget": {"n_candidates": 50, "hours": 2.0}}}
    opened(uri, replace(results, study=replace(results.study, header=more)))
    (study,) = runs(tracker, results, "study")
    assert study.data.tags["emo.budget"] == "50 candidates or 2 hours"


def test_a_study_begun_anew_under_an_old_name_is_another_study(tracker, results, uri):
    tracker.deliver(results.searches[""][0])
    anew = replace(
        results, study=replace(results.study, header={**results.study.header, "created_unix": 1.8e9})
    )
    second = opened(uri, anew)
    assert "0" in second.missing(anew.searches[""])
    assert len(runs(second, anew, "study")) == 2


def test_candidates_whose_study_was_deleted_are_adopted(tracker, results, uri):
    tracker.deliver(results.searches[""][0])
    (old,) = runs(tracker, results, "study")
    tracker._store.client.delete_run(old.info.run_id)
    opened(uri, results)
    (study,), (candidate,) = runs(tracker, results, "study"), runs(tracker, results, "candidate")
    assert below(candidate) == study.info.run_id != old.info.run_id


def test_a_flat_search_is_labelled_before_and_after(make, uri):
    results = make(replace(SMALL, flat=True))
    tracker = opened(uri, results)
    deliver_all(tracker, results)
    (before,) = runs(tracker, results, "study")
    finish(tracker, results)
    (after,) = runs(tracker, results, "study")
    for study in (before, after):
        assert study.data.tags["emo.scoring"] == "flat"
        assert study.data.tags["mlflow.note.content"].startswith("OPTIMISTIC: a flat search.")
    assert {run.data.tags["emo.optimistic"] for run in runs(tracker, results, "candidate")} == {"true"}


def test_an_honest_search_is_not_labelled_optimistic(tracker, results):
    finish(tracker, replace(results, searches={"": ()}))
    (study,) = runs(tracker, results, "study")
    assert "emo.optimistic" not in study.data.tags
    assert "OPTIMISTIC" not in study.data.tags["mlflow.note.content"]


def test_passwords_are_hidden(make, uri):
    results = make()
    address = "postgresql://me:secret@db/optuna"
    header = {**results.study.header, "search": {**results.header, "storage": address}}
    results = replace(results, study=replace(results.study, header=header))
    tracker = opened(uri, results)
    failed = state_of(results, "fail")
    folds = tuple(replace(record, error=f"no answer from {address}") for record in failed.folds)
    tracker.deliver(replace(failed, error=f"no answer from {address}", folds=folds))
    told = [run for kind in KINDS for run in runs(tracker, results, kind)]
    assert "postgresql://me:***@db/optuna" in told[0].data.params.values()
    assert not any(
        "secret" in text for run in told for text in (*run.data.params.values(), *run.data.tags.values())
    )


def test_candidates_that_run_are_not_missing(tracker, make):
    results = make(replace(SMALL, running=(4,)))
    assert "4" not in tracker.missing(results.searches[""])


@pytest.mark.parametrize(
    ("dimension", "text"),
    [
        ({"kind": "log", "low": 1e-4, "high": 3e-3, "when": {}}, "log 0.0001..0.003"),
        ({"kind": "int", "low": 1, "high": 9, "step": 2, "when": {}}, "int 1..9 by 2"),
        ({"kind": "choice", "choices": [[32], [64, 32]], "when": {}}, "choice [32], [64, 32]"),
        (
            {"kind": "uniform", "low": 0.0, "high": 0.5, "when": {"a": ["x", "y"], "b": [1]}},
            "uniform 0..0.5 if a in x, y and b in 1",
        ),
    ],
)
def test_dimensions_read_as_short_texts(dimension, text):
    assert dimension_text(dimension) == text
