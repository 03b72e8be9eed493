"""One run: leaves nothing of the test subject in what was trained, and depends on its specification alone."""

import dataclasses

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from emo_ray import run as run_module
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import ProtocolError, TrainingError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.run import execute, failed
from emo_ray.store.local import load_corpus
from emo_ray.training.config import TrainingConfig

CORPUS = FakeCorpus(n_subjects=5, n_trials=12, seed=3)
TRAINED = ("weights_digest", "best_epoch", "history", "thresholds", "n_parameters")


def experiment(**fields):
    known = {
        "corpus": CORPUS,
        "extraction": RawTokens(),
        "task": CORPUS.tasks()["label"],
        "model": AmigosLstmConfig(variant="lightweight"),
        "training": TrainingConfig(max_epochs=3, batch_size=8),
        "protocol": LeaveOneSubjectOut(),
    }
    return ExperimentConfig(**{**known, **fields})


def stored_table(folder, corpus=CORPUS):
    return load_corpus(corpus, RawTokens(), folder)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return stored_table(tmp_path_factory.mktemp("store"))


def spec_of(table, fold=1, **fields):
    config = experiment(**fields)
    folds = config.protocol.folds({subject: table.groups[subject] for subject in table.subjects}, config.seed)
    return RunSpec(config, folds[fold], table.keys)


def prediction_of(result):
    return [
        list(values) for name, values in result.predictions.columns.items() if name.startswith("prediction/")
    ]


@pytest.mark.parametrize("scaling", ["train", "transductive"])
@pytest.mark.parametrize("task", ["label", "score"])
def test_scrambling_the_test_subject_leaves_everything_trained_bit_identical(table, tmp_path, scaling, task):
    loud = stored_table(tmp_path, CORPUS.model_copy(update={"noise_subjects": ("S02",)}))
    fields = {"scaling": scaling, "task": CORPUS.tasks()[task]}
    clean, scrambled = (execute(spec_of(t, **fields), t) for t in (table, loud))
    assert clean.record.subjects == ("fake/S02",)
    for name in TRAINED:
        assert getattr(clean.record, name) == getattr(scrambled.record, name), name
    assert clean.weights == scrambled.weights
    assert prediction_of(clean) != prediction_of(scrambled)


def test_scrambling_a_training_subject_does_change_what_is_trained(table, tmp_path):
    loud = stored_table(tmp_path, CORPUS.model_copy(update={"noise_subjects": ("S02",)}))
    one, other = (execute(spec_of(t, fold=0), t) for t in (table, loud))
    assert one.record.weights_digest != other.record.weights_digest


def test_nothing_fitted_has_seen_the_test_subject(table):
    record = execute(spec_of(table), table).record
    assert set(record.lineage) >= {"scaler", "weights", "epoch", "thresholds", "references"}
    for thing, seen in record.lineage.items():
        assert "fake/S02" not in seen, thing
        assert seen, thing


def test_rows_of_the_test_subject_among_the_training_rows_are_refused(table, monkeypatch):
    honest = run_module.labelled_rows

    def leaky(table, data, subjects, side, spec):
        rows = honest(table, data, subjects, side, spec)
        return np.append(rows, table.rows_of(["fake/S02"])[:1]) if side == "training" else rows

    monkeypatch.setattr(run_module, "labelled_rows", leaky)
    with pytest.raises(ProtocolError, match="weights has seen fake/S02"):
        execute(spec_of(table), table)


def test_a_scaler_fitted_with_the_test_subject_is_refused(table, monkeypatch):
    honest = run_module.fit_scaler
    monkeypatch.setattr(
        run_module, "fit_scaler", lambda t, subjects, s: honest(t, [*subjects, "fake/S02"], s)
    )
    with pytest.raises(ProtocolError, match="scaler has seen fake/S02"):
        execute(spec_of(table), table)


def test_a_run_is_the_same_whatever_ran_before_in_the_process(table):
    first = execute(spec_of(table), table)
    torch.set_num_threads(2)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(99)
    execute(spec_of(table, fold=3, model=MlpConfig()), table)
    torch.set_grad_enabled(False)
    again = execute(spec_of(table), table)
    assert first.weights == again.weights
    assert first.record.scores == again.record.scores
    for name, values in first.predictions.columns.items():
        assert_array_equal(values, again.predictions.columns[name])


def test_the_same_specification_has_the_same_fingerprint_wherever_the_data_lie(table):
    moved = CORPUS.model_copy(update={"path": CORPUS.path / "elsewhere"})
    assert spec_of(table).fingerprint == spec_of(table, corpus=moved).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"scaling": "transductive"},
        {"training": TrainingConfig(max_epochs=4, batch_size=8)},
        {"fold": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_can_change_a_result_changes_the_fingerprint(table, change):
    assert spec_of(table, **change).fingerprint != spec_of(table).fingerprint


def test_how_often_state_is_saved_does_not_change_the_fingerprint(table):
    often = TrainingConfig(max_epochs=3, batch_size=8, checkpoint_every_s=1)
    assert spec_of(table, training=often).fingerprint == spec_of(table).fingerprint


def test_changed_features_change_the_fingerprint(table):
    keys = {**table.keys, "fake/S05": "changed"}
    assert dataclasses.replace(spec_of(table), keys=keys).fingerprint != spec_of(table).fingerprint


def test_predictions_hold_every_test_segment_with_its_identity(table):
    columns = execute(spec_of(table), table).predictions.columns
    assert set(columns["subject"]) == {"fake/S02"}
    assert list(columns["trial"]) == [f"{number:03d}" for number in range(1, 13)]
    total = columns["prediction/label/low"] + columns["prediction/label/high"]
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_transductive_results_stand_in_a_column_of_their_own(table):
    assert execute(spec_of(table), table).record.column == "flat"
    assert execute(spec_of(table, scaling="transductive"), table).record.column == "transductive"


def test_a_subject_without_a_single_label_is_an_error_that_names_it(table):
    ratings = {**table.ratings, "label": np.where(table.subject == 1, np.nan, table.ratings["label"])}
    unlabelled = dataclasses.replace(table, ratings=ratings)
    with pytest.raises(TrainingError, match=r"test subjects of fold 'fake/S02'.*not one\s+has a label"):
        execute(spec_of(unlabelled), unlabelled)


def test_a_failed_run_is_a_record_with_its_error(table):
    record = failed(spec_of(table), "TrainingError: the loss became NaN").record
    assert (record.status, record.fingerprint) == ("failed", spec_of(table).fingerprint)
    assert record.scores == {}
