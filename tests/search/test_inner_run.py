"""One inner run: its scores are what its predictions say, on the people who are to score it."""

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import TrainingError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.fold import Fold
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.run import execute, fit
from emo_ray.search import inner_run
from emo_ray.search.inner_run import InnerPlace, Progress, run_inner
from emo_ray.store.local import load_corpus
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, predict

CORPUS = FakeCorpus(n_subjects=5, n_trials=12, seed=3, strength=0.4)
S1, S2, S3, S4, S5 = CORPUS.find_subjects()
INNER = Fold("inner-1", (S1, S2, S3), (S4, S5), ())


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return load_corpus(CORPUS, RawTokens(), tmp_path_factory.mktemp("store"))


def spec_of(table, fold=INNER, task="label", **training):
    config = ExperimentConfig(
        corpus=CORPUS,
        extraction=RawTokens(),
        task=CORPUS.tasks()[task],
        model=MlpConfig(hidden=(4,)),
        training=TrainingConfig(**{"max_epochs": 6, "batch_size": 8, "min_delta": 0.0, **training}),
        protocol=LeaveOneSubjectOut(),
    )
    return RunSpec(config, fold, table.keys)


def run(spec, table, *objectives, runtime=Runtime()):  # noqa: B008
    place = InnerPlace("P1", 7, 2, objectives or ("macro_f1",))
    return run_inner(spec, place, table, Progress(place.metric), runtime)


def called_and_true(spec, table, subject):
    """Classes of one subject's rows, as the model says and as the table has them."""
    fitted, rows = fit(spec, table, Runtime()), table.rows_of([subject])
    return predict(fitted.model, fitted.data, rows)["label"].argmax(axis=1), table.ratings["label"][rows]


def test_scores_are_what_the_predictions_on_all_scored_rows_give(table):
    record, spec = run(spec_of(table), table), spec_of(table)
    pairs = [called_and_true(spec, table, subject) for subject in (S4, S5)]
    called, true = (np.concatenate(part) for part in zip(*pairs, strict=True))
    assert record.scores["macro_f1"] == pytest.approx(f1_score(true, called, average="macro"))
    assert record.scores["accuracy"] == pytest.approx(accuracy_score(true, called))
    assert record.values == (record.scores["macro_f1"],)
    assert (record.status, record.subjects) == ("finished", (S4, S5))
    assert record.scores["accuracy"] < 1  # else everything above would hold of a constant


def test_every_scored_subject_has_the_first_objective_of_its_own_rows(table):
    record, spec = run(spec_of(table), table, "accuracy", "macro_f1"), spec_of(table)
    naive = {}
    for subject in (S4, S5):
        called, true = called_and_true(spec, table, subject)
        naive[subject] = accuracy_score(true, called)
    assert record.subject_scores == pytest.approx(naive)
    assert record.values == (record.scores["accuracy"], record.scores["macro_f1"])


def test_a_record_knows_where_it_belongs(table):
    record = run(spec_of(table), table)
    assert (record.search, record.number, record.fold) == ("P1", 7, 2)
    assert record.fingerprint == spec_of(table).fingerprint


def test_an_objective_that_is_undefined_is_an_error_in_words(table):
    labels = np.where(np.isin(table.subject, [3, 4]), np.float32(1), table.ratings["label"])
    one_class = replace(table, ratings={**table.ratings, "label": labels})
    with pytest.raises(TrainingError, match=r"^macro_f1 is undefined on the subjects.*more scoring subjects"):
        run(spec_of(one_class), one_class, "macro_f1", "accuracy")
    assert run(spec_of(one_class), one_class, "accuracy").status == "finished"


def test_a_subject_of_one_class_is_undefined_by_itself_and_scored_with_the_others(table):
    labels = np.where(table.subject == 3, np.float32(1), table.ratings["label"])
    one_class = replace(table, ratings={**table.ratings, "label": labels})
    record = run(spec_of(one_class), one_class)
    assert np.isnan(record.subject_scores[S4])
    assert np.isfinite([record.subject_scores[S5], *record.values]).all()


def test_costs_are_the_weights_counted_by_hand_and_a_time(table):
    record = run(spec_of(table), table, "macro_f1", "n_parameters", "latency_ms")
    # 5 features to 4 units to 2 classes, each with a bias
    assert record.n_parameters == 5 * 4 + 4 + 4 * 2 + 2
    assert record.values[1] == record.n_parameters
    assert record.values[2] > 0


def test_latency_is_in_milliseconds_for_one_segment(table, monkeypatch):
    n_rows = []

    def slow(fitted, data, rows):
        n_rows.append(len(rows))
        time.sleep(0.005)
        return predict(fitted, data, rows)

    monkeypatch.setattr(inner_run, "predict", slow)
    assert 5 <= run(spec_of(table), table, "macro_f1", "latency_ms").values[1] < 500
    assert set(n_rows[1:]) == {1}


@pytest.mark.parametrize(("task", "metric"), [("label", "macro_f1"), ("score", "ccc")])
def test_the_standing_is_the_value_of_the_best_epoch_so_far(table, task, metric):
    record = run(spec_of(table, task=task, max_epochs=12), table, metric)
    best = [int(np.argmin(record.validation_loss[: epoch + 1])) for epoch in range(len(record.curve))]
    assert record.standing == tuple(record.curve[epoch] for epoch in best)
    assert record.best_epoch == best[-1]
    assert len(record.train_loss) == len(record.curve)
    # restored weights score as they did in that epoch
    assert record.values[0] == pytest.approx(record.standing[-1])


def test_progress_hands_every_epoch_on_after_it_has_noted_it():
    heard = []
    progress = Progress("f1", heard=lambda epoch: heard.append((epoch, tuple(progress.standing))))
    for epoch, (value, best) in enumerate([(0.3, 0), (0.1, 0), (0.5, 2)]):
        metrics = {"train": {"loss": 1.0}, "validation": {"loss": 2.0, "f1": value}}
        progress.report(epoch, metrics, best)
    assert heard == [(0, (0.3,)), (1, (0.3, 0.3)), (2, (0.3, 0.3, 0.5))]
    assert progress.curves()["curve"] == (0.3, 0.1, 0.5)


def test_a_run_that_takes_longer_than_it_may_ends_with_the_reason(table):
    with pytest.raises(TrainingError, match=r"not done after 1e-06 s, the time that a run"):
        run(spec_of(table), table, runtime=Runtime(limit_s=1e-6))
    assert run(spec_of(table), table, runtime=Runtime(limit_s=600.0)).status == "finished"


def test_a_flat_search_scores_the_test_subjects_as_the_run_itself_would(table):
    spec = spec_of(table, Fold("outer", (S1, S2), (S3,), (S4, S5)))
    record, tested = run(spec, table), execute(spec, table).record
    assert record.subjects == (S4, S5)
    assert set(record.subject_scores) == {S4, S5}
    assert record.scores == tested.scores
    assert record.best_epoch == tested.best_epoch


def test_rows_of_the_scoring_subjects_do_not_train(table):
    loud = replace(table, values={"features": table.values["features"].copy()})
    loud.values["features"][table.rows_of([S4])] = 1e3
    quiet_loss, loud_loss = (run(spec_of(t, patience=6), t).train_loss for t in (table, loud))
    assert quiet_loss == loud_loss
