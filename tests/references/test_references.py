"""References: constants known beforehand, seeded draws, and a linear model that is a real competitor."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from emo_ray.references.base import token_means
from emo_ray.references.linear import ALPHAS, Linear, ridge
from emo_ray.references.registry import REFERENCES
from emo_ray.references.trivial import Majority, Prior
from emo_ray.store.segment_table import NUISANCE
from emo_ray.tasks.base import Head
from emo_ray.training.data import Affine, SegmentData
from emo_ray.training.metrics import score
from emo_ray.training.ranking import average_precision, ranked

HEADS = (
    Head("emotion", "classes", ("calm", "glad", "sad")),
    Head("valence", "value"),
    Head("event", "event"),
)
TRAIN, TEST = np.arange(0, 90), np.arange(90, 120)

each_reference = pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES.keys())


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 3, 4)).astype(np.float32)
    signal = values[:, :, 0].mean(axis=1)
    values.flags.writeable = False
    targets = {
        "emotion": np.digitize(signal, [-0.2, 0.6]),
        "valence": 5 + signal + 0.1 * rng.normal(size=120),
        "event": signal > 0.4,
    }
    return SegmentData(
        values={"eeg": values},
        masks={"eeg": np.ones((120, 3), bool)},
        subject=np.arange(120, dtype=np.int32) % 6,
        targets={name: target.astype(np.float32) for name, target in targets.items()},
        heads=HEADS,
        affine=Affine.identity({"eeg": 4}),
        nuisance=rng.integers(5, size=(120, len(NUISANCE))).astype(np.float32),
    )


def scores(reference, data, head):
    predictions = reference.fit_predict(data, TRAIN, TEST, 0)
    return score((head,), predictions, {head.name: data.targets[head.name][TEST]})


def test_the_registry_names_the_models_to_beat():
    probes = [f"probe_{name}" for name in ("length", "clock", "place", "dataset", "channels", "clip")]
    assert list(REFERENCES) == ["majority", "prior", "linear", "svm", "forest", "nuisance", *probes]


@each_reference
def test_predictions_have_the_form_of_a_models(reference, data):
    predictions = reference.fit_predict(data, TRAIN, TEST, 0)
    shapes = {name: array.shape for name, array in predictions.items()}
    assert shapes == {"emotion": (30, 3), "valence": (30,), "event": (30,)}
    assert all(array.dtype == np.float32 for array in predictions.values())
    np.testing.assert_allclose(predictions["emotion"].sum(axis=1), 1, rtol=1e-5)


@each_reference
def test_test_targets_are_never_read(reference, data):
    before = reference.fit_predict(data, TRAIN, TEST, 0)
    for target in data.targets.values():
        target[TEST] = 0
    after = reference.fit_predict(data, TRAIN, TEST, 0)
    assert all(np.array_equal(before[name], after[name]) for name in before)


@each_reference
def test_train_rows_without_targets_are_borne(reference, data):
    data.targets["emotion"][TRAIN[:30]] = np.nan
    data.targets["valence"][TRAIN] = np.nan
    data.targets["event"][TRAIN] = np.nan
    predictions = reference.fit_predict(data, TRAIN, TEST, 0)
    assert all(np.isfinite(array).all() for array in predictions.values())


@each_reference
def test_a_class_that_train_lacks_is_never_called(reference, data):
    emotion = data.targets["emotion"]
    emotion[TRAIN] = np.where(emotion[TRAIN] == 1, 0, emotion[TRAIN])
    assert not (reference.fit_predict(data, TRAIN, TEST, 0)["emotion"].argmax(axis=1) == 1).any()


@each_reference
def test_a_train_side_of_one_class_is_borne(reference, data):
    data.targets["emotion"][TRAIN] = 2
    data.targets["event"][TRAIN] = 0
    predictions = reference.fit_predict(data, TRAIN, TEST, 0)
    assert (predictions["emotion"].argmax(axis=1) == 2).all()


def test_majority_scores_what_it_must(data):
    classes, event = scores(Majority(), data, HEADS[0]), scores(Majority(), data, HEADS[2])
    p = event["rate"]
    assert classes["balanced_accuracy"] == pytest.approx(1 / 3)
    assert scores(Majority(), data, HEADS[1])["r2"] <= 0
    assert (event["f1"], event["pr_auc"]) == (pytest.approx(2 * p / (1 + p)), pytest.approx(p))


def test_majority_is_the_class_and_the_mean_of_train(data):
    data.targets["emotion"][TRAIN[:60]] = 1
    predictions = Majority().fit_predict(data, TRAIN, TEST, 0)
    assert (predictions["emotion"] == [0, 1, 0]).all()
    np.testing.assert_allclose(predictions["valence"], data.targets["valence"][TRAIN].mean(), rtol=1e-6)


def test_prior_draws_by_the_frequencies_of_train(data):
    data.targets["emotion"][TRAIN] = np.repeat([0, 1, 2], [45, 30, 15])
    many = np.tile(TEST, 400)
    share = Prior().fit_predict(data, TRAIN, many, 0)["emotion"].mean(axis=0)
    np.testing.assert_allclose(share, [1 / 2, 1 / 3, 1 / 6], atol=0.02)


def test_prior_depends_on_its_seed_and_on_nothing_else(data):
    draws = [Prior().fit_predict(data, TRAIN, TEST, seed)["emotion"] for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_prior_takes_the_median_of_train(data):
    predictions = Prior().fit_predict(data, TRAIN, TEST, 0)
    assert (predictions["valence"] == np.median(data.targets["valence"][TRAIN])).all()


def test_prior_ranks_events_as_a_worthless_ranking_does(data):
    # two events in four rows, the six rankings worked out by hand: the mean of their average precisions
    # is (1 + 5/6 + 3/4 + 7/12 + 1/2 + 5/12) / 6 = 49/72, where a constant has 1/2
    rows, target = np.arange(4), np.array([True, True, False, False])
    draws = [Prior().fit_predict(data, TRAIN, rows, seed)["event"] for seed in range(2000)]
    assert np.mean([average_precision(ranked(draw, target)) for draw in draws]) == pytest.approx(
        49 / 72, abs=0.015
    )
    assert 0.45 < np.mean(np.array(draws) >= 0.5) < 0.55


def test_linear_finds_a_linear_signal(data):
    assert scores(Linear(), data, HEADS[0])["balanced_accuracy"] > 0.8
    assert scores(Linear(), data, HEADS[1])["r2"] > 0.8
    assert scores(Linear(), data, HEADS[2])["f1"] > 0.6


def test_linear_classes_equal_sklearn_on_the_means(data):
    x = data.values["eeg"].mean(axis=1)
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=5000)
    model.fit(x[TRAIN].astype(float), data.targets["emotion"][TRAIN])
    ours = Linear().fit_predict(data, TRAIN, TEST, 0)["emotion"]
    np.testing.assert_allclose(ours, model.predict_proba(x[TEST]), atol=1e-4)


def left_out_error(alpha, x, y, group):
    """Squared error of sklearn's ridge over five groups, each left out once."""
    fitted = [Ridge(alpha).fit(x[group != k], y[group != k]) for k in range(5)]
    return sum(np.square(fitted[k].predict(x[group == k]) - y[group == k]).sum() for k in range(5))


def test_ridge_equals_sklearn_at_the_penalty_that_naive_cross_validation_chooses():
    rng = np.random.default_rng(1)
    x, subject = rng.normal(size=(50, 40)).astype(np.float32), np.arange(50) // 5  # ten subjects
    y = (x[:, :3].sum(axis=1) + 2 * rng.normal(size=50)).astype(np.float32)
    best = int(np.argmin([left_out_error(alpha, x, y, subject % 5) for alpha in ALPHAS]))
    assert 0 < best < len(ALPHAS) - 1
    np.testing.assert_allclose(
        ridge(x, y, subject, x[:7]), Ridge(ALPHAS[best]).fit(x, y).predict(x[:7]), atol=1e-3
    )


def test_ridge_on_noise_falls_back_to_the_mean():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(100, 60)).astype(np.float32), rng.normal(size=100).astype(np.float32)
    assert np.ptp(ridge(x, y, np.arange(100) // 10, x)) < 0.1 * np.ptp(y)


def test_a_solver_that_does_not_converge_is_logged_not_raised(data, caplog):
    Linear(max_iterations=1).fit_predict(data, TRAIN, TEST, 0)
    assert "did not converge in 1 iterations" in caplog.text


def test_token_means_leave_masked_and_undefined_tokens_out(data):
    values, mask = data.values["eeg"].copy(), np.ones((120, 3), bool)
    values[0, 0], values[0, 1], values[0, 2], mask[0, 2] = 2, 4, np.nan, False
    changed = replace(data, values={"eeg": values}, masks={"eeg": mask})
    assert token_means(changed, np.array([0])).tolist() == [[3.0] * 4]


def test_earlier_segments_of_a_context_are_means_of_their_own(data):
    one_trial = {"trial": np.zeros(120, np.int32), "index": np.arange(120, dtype=np.int32)}
    means = token_means(replace(data, n_context=1, **one_trial), np.array([0, 5]))
    values = data.values["eeg"]
    np.testing.assert_allclose(means[1], np.concatenate([values[4].mean(0), values[5].mean(0)]), rtol=1e-5)
    np.testing.assert_allclose(means[0], np.concatenate([np.zeros(4), values[0].mean(0)]), rtol=1e-5)
