"""Metrics against sklearn or by hand, and where they are undefined."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from emo_ray.errors import ConfigError
from emo_ray.tasks.base import Head
from emo_ray.training.metrics import (
    METRICS,
    accuracy,
    balanced_accuracy,
    calls,
    ccc,
    choose_threshold,
    confusion,
    direction_of,
    f1,
    kappa,
    macro_auroc,
    macro_f1,
    macro_pr_auc,
    macro_precision,
    mae,
    metric_names,
    pearson,
    precision,
    r2,
    recall,
    rmse,
    score,
    weighted_f1,
)
from emo_ray.training.ranking import auroc, average_precision, ranked

EMOTION = Head("emotion", "classes", ("calm", "glad", "sad"))
HEADS = (Head("valence", "value"), Head("arousal", "value"), Head("transition", "event"))
NAN = math.nan


@pytest.fixture
def classes():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.ones(4), 200), rng.integers(0, 4, 200).astype(np.float32)


@pytest.fixture
def values():
    rng = np.random.default_rng(1)
    target = rng.normal(size=100)
    return 0.5 * target + rng.normal(size=100), target


def test_class_metrics_equal_sklearn(classes):
    probability, target = classes
    called, confused = probability.argmax(axis=1), confusion(probability, target)
    np.testing.assert_array_equal(confused, sk.confusion_matrix(target, called))
    assert accuracy(confused) == pytest.approx(sk.accuracy_score(target, called))
    assert balanced_accuracy(confused) == pytest.approx(sk.balanced_accuracy_score(target, called))
    assert macro_f1(confused) == pytest.approx(sk.f1_score(target, called, average="macro"))
    assert weighted_f1(confused) == pytest.approx(sk.f1_score(target, called, average="weighted"))
    assert macro_precision(confused) == pytest.approx(sk.precision_score(target, called, average="macro"))
    assert kappa(confused) == pytest.approx(sk.cohen_kappa_score(target, called))


def test_rankings_of_classes_equal_sklearn(classes):
    probability, target = classes
    scores = score(
        (Head("emotion", "classes", tuple("abcd")),), {"emotion": probability}, {"emotion": target}
    )
    assert scores["auroc"] == pytest.approx(sk.roc_auc_score(target, probability, multi_class="ovr"))
    each = [sk.average_precision_score(target == code, probability[:, code]) for code in range(4)]
    assert scores["pr_auc"] == pytest.approx(np.mean(each))


def test_rankings_with_ties_equal_sklearn():
    rng = np.random.default_rng(5)
    given, target = rng.integers(0, 6, 70) / 6, rng.random(70) < 0.4
    ranking = ranked(given, target)
    assert auroc(ranking) == pytest.approx(sk.roc_auc_score(target, given))
    assert average_precision(ranking) == pytest.approx(sk.average_precision_score(target, given))


def test_a_class_that_the_targets_lack_is_left_out_of_the_rankings():
    # of classes 0 and 2, which are told apart without error; class 1 has no rows to rank
    probability = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.6, 0.3]], np.float32)
    scores = score((EMOTION,), {"emotion": probability}, {"emotion": np.array([0.0, 0.0, 2.0])})
    assert scores["auroc"] == scores["pr_auc"] == 1.0


def test_a_class_that_is_never_called_has_precision_zero():
    assert macro_precision(np.array([[4, 0], [4, 0]])) == pytest.approx((4 / 8 + 0) / 2)


def test_classes_that_the_targets_lack_do_not_count():
    confused = np.array([[3, 1, 0], [0, 0, 0], [1, 0, 3]])  # nobody was glad
    assert balanced_accuracy(confused) == 0.75
    assert macro_f1(confused) == pytest.approx((6 / 8 + 6 / 7) / 2)


@pytest.mark.parametrize("called", [0, 1])
def test_class_metrics_of_targets_of_one_class_are_undefined_but_for_accuracy(called):
    confused = np.zeros((2, 2), dtype=np.int64)
    confused[0, called] = 5  # a constant would be all right or all wrong, whatever it knows
    assert math.isnan(balanced_accuracy(confused))
    assert all(math.isnan(metric(confused)) for metric in (macro_f1, weighted_f1, macro_precision, kappa))
    assert accuracy(confused) == 1 - called


def test_confusion_has_targets_down_and_leaves_undefined_rows_out():
    probability = np.eye(2)[[0, 1, 1, 1]]
    assert confusion(probability, np.array([0.0, 0.0, 1.0, NAN])).tolist() == [[1, 1], [0, 1]]


def test_value_metrics_equal_sklearn(values):
    assert mae(*values) == pytest.approx(sk.mean_absolute_error(values[1], values[0]))
    assert rmse(*values) == pytest.approx(sk.root_mean_squared_error(values[1], values[0]))
    assert r2(*values) == pytest.approx(sk.r2_score(values[1], values[0]))
    assert pearson(*values) == pytest.approx(np.corrcoef(*values)[0, 1])


def test_ccc_by_hand():
    # means 2 and 3, both variances 2/3, covariance 2/3: 2 * 2/3 / (4/3 + 1) = 4/7
    assert ccc(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])) == pytest.approx(4 / 7)


def test_a_constant_prediction_agrees_with_nothing(values):
    assert ccc(np.full(100, 0.3), values[1]) == pytest.approx(0, abs=1e-12)


def test_event_metrics_equal_sklearn():
    rng = np.random.default_rng(2)
    probability, target = rng.random(80), (rng.random(80) < 0.3).astype(float)
    called = probability >= 0.4
    scores = score(HEADS[2:], {"transition": probability}, {"transition": target}, {"transition": 0.4})
    assert scores["pr_auc"] == pytest.approx(sk.average_precision_score(target, probability))
    assert scores["auroc"] == pytest.approx(sk.roc_auc_score(target, probability))
    for name in ("f1", "accuracy", "precision", "recall"):
        expected = getattr(sk, f"{name}_score")(target, called)
        assert scores[name] == pytest.approx(expected), name


def test_an_all_positive_predictor_scores_2p_over_1_plus_p():
    target = np.array([1.0] * 401 + [0.0] * 1871)  # the published test set
    assert f1(calls(np.ones(2272, bool), target)) == pytest.approx(0.300037, abs=5e-7)
    assert macro_pr_auc([ranked(np.ones(2272), target == 1)]) == pytest.approx(401 / 2272)
    assert macro_auroc([ranked(np.ones(2272), target == 1)]) == 0.5


@pytest.mark.parametrize("target", [[], [1.0], [2.0, 2.0]], ids=["no-rows", "one-row", "constant"])
def test_r2_and_ccc_of_a_target_without_spread_are_undefined(target):
    assert math.isnan(r2(np.zeros(len(target)), np.array(target)))
    assert math.isnan(ccc(np.zeros(len(target)), np.array(target)))


def test_event_metrics_without_positives_are_undefined():
    confused = calls(np.ones(3, bool), np.zeros(3))
    assert all(math.isnan(metric(confused)) for metric in (f1, precision, recall))
    for target in (np.zeros(3, bool), np.ones(3, bool)):
        assert math.isnan(macro_pr_auc([ranked(np.ones(3), target)]))
        assert math.isnan(macro_auroc([ranked(np.ones(3), target)]))


def test_no_correlation_is_defined_with_a_constant(values):
    assert math.isnan(pearson(np.full(100, 0.3), values[1]))
    assert math.isnan(pearson(values[1], np.full(100, 0.3)))


@pytest.mark.parametrize("head", [EMOTION, *HEADS], ids=lambda head: head.name)
def test_scores_of_undefined_targets_are_nan_without_a_warning(head):
    prediction = np.full((3, 3), 1 / 3, np.float32) if head is EMOTION else np.zeros(3, np.float32)
    scores = score((head,), {head.name: prediction}, {head.name: np.full(3, NAN, np.float32)})
    assert scores
    assert all(math.isnan(value) for value in scores.values())


def test_one_head_gives_bare_names():
    scores = score((EMOTION,), {"emotion": np.eye(3)}, {"emotion": np.array([0.0, 1.0, 1.0])})
    assert (scores["accuracy"], scores["balanced_accuracy"]) == (2 / 3, 0.75)
    assert scores["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert tuple(scores) == metric_names((EMOTION,))


def test_several_heads_give_prefixed_names_and_means_over_the_values():
    predictions = {
        "valence": np.array([0.0, 1.0]),
        "arousal": np.zeros(2),
        "transition": np.array([0.6, 0.2]),
    }
    targets = {
        "valence": np.array([0.0, 2.0]),
        "arousal": np.array([3.0, 1.0]),
        "transition": np.array([1.0, 0.0]),
    }
    scores = score(HEADS, predictions, targets)
    assert (scores["valence/mae"], scores["arousal/mae"], scores["mae"]) == (0.5, 2.0, 1.25)
    assert (scores["transition/f1"], scores["transition/pr_auc"], scores["transition/rate"]) == (
        1.0,
        1.0,
        0.5,
    )


def test_the_threshold_of_a_head_is_used():
    arguments = (HEADS[2:], {"transition": np.array([0.3, 0.2])}, {"transition": np.array([1.0, 0.0])})
    assert score(*arguments)["f1"] == 0.0
    assert score(*arguments, {"transition": 0.25})["f1"] == 1.0


def test_chosen_threshold_is_the_best_of_all_by_trying_each():
    rng = np.random.default_rng(3)
    probability = rng.integers(0, 10, 60).astype(np.float32) / 10  # many ties
    target = (rng.random(60) < probability).astype(np.float32)
    tried = [f1(calls(probability >= cut, target)) for cut in probability]
    assert f1(calls(probability >= choose_threshold(probability, target), target)) == max(tried)


def test_a_cut_between_equal_probabilities_is_not_possible():
    probability, target = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.5]), np.array([1.0, 1, 0, 0, 0, 0])
    assert choose_threshold(probability, target) == 0.9  # F1 2/3; all six called: 1/2


def test_chosen_threshold_ignores_undefined_rows():
    probability, target = np.array([0.9, 0.7, 0.2]), np.array([NAN, 1.0, 0.0])
    assert choose_threshold(probability, target) == 0.7


@pytest.mark.parametrize("target", [[], [0.0, 0.0], [NAN, NAN]])
def test_threshold_without_positives_is_one_half(target):
    assert choose_threshold(np.full(len(target), 0.9), np.array(target)) == 0.5


def test_directions():
    assert direction_of("valence/mae") == direction_of("loss") == "min"
    assert direction_of("balanced_accuracy") == direction_of("transition/f1") == "max"
    with pytest.raises(ConfigError, match="no metric is called 'acuracy'"):
        direction_of("acuracy")


def test_every_metric_is_listed_under_its_name():
    assert all(name == metric.name for name, metric in METRICS.items())


def test_metrics_of_one_name_have_one_direction():
    heads = (EMOTION, *HEADS[1:])
    assert {direction_of(name) for name in metric_names(heads) if name.endswith(("pr_auc", "accuracy"))} == {
        "max"
    }
