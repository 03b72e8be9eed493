import numpy as np
import pytest
from numpy.testing import assert_array_equal

from emo_ray.errors import ConfigError
from emo_ray.tasks.base import SegmentColumns
from emo_ray.tasks.rating import RatingTask

NAN = np.nan


def columns(values, trial=None, subject=None, name="self_valence"):
    n = len(values)
    return SegmentColumns(
        subject=np.array(subject or [0] * n, dtype=np.int32),
        trial=np.array(trial or range(n), dtype=np.int32),
        index=np.ones(n, dtype=np.int32),
        ratings={name: np.array(values, dtype=np.float32)},
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("ge_5", [0, 0, 0, 1, 1]), ("gt_4.5", [0, 0, 1, 1, 1]), ("gt_0", [0, 1, 1, 1, 1])],
)
def test_fixed_rules_put_their_edge_on_the_documented_side(rule, expected):
    target = RatingTask(rule=rule).targets(columns([0.0, 4.5, 4.75, 5.0, 9.0]))["valence"]
    assert_array_equal(target, expected)


@pytest.mark.parametrize("rule", ["ge_5", "gt_4.5", "gt_0", "subject_mean", "subject_median"])
def test_a_missing_rating_is_never_a_class(rule):
    target = RatingTask(rule=rule).targets(columns([NAN, -1.0, 9.0, NAN]))["valence"]
    assert_array_equal(target, [NAN, 0, 1, NAN])


def test_the_subject_mean_counts_each_trial_once():
    # trials of 1, 4 and 7: mean 4, so 4 is low; counted by segment the mean would be 2.5 and 4 high
    values, trial = [1, 1, 1, 1, 4, 7], [0, 0, 0, 0, 1, 2]
    target = RatingTask(rule="subject_mean").targets(columns(values, trial))["valence"]
    assert_array_equal(target, [0, 0, 0, 0, 0, 1])


def test_mean_and_median_differ_where_ratings_are_skewed():
    values = columns([1.0, 2.0, 3.0, 9.0, 1.5])  # mean 3.3, median 2: 3 is high for the median only
    assert_array_equal(RatingTask(rule="subject_mean").targets(values)["valence"], [0, 0, 0, 1, 0])
    assert_array_equal(RatingTask(rule="subject_median").targets(values)["valence"], [0, 0, 1, 1, 0])


def test_the_threshold_of_one_subject_ignores_the_others():
    target = RatingTask(rule="subject_mean").targets(columns([1, 3, 7, 9], subject=[0, 0, 1, 1]))
    assert_array_equal(target["valence"], [0, 1, 0, 1])


def test_equal_ratings_are_all_low_whatever_rounding_does():
    for value in (5.3, 1.1, 8.7, 6.6):
        target = RatingTask(rule="subject_mean").targets(columns([value] * 7))["valence"]
        assert_array_equal(target, [0] * 7)


def test_a_subject_without_ratings_has_no_targets():
    target = RatingTask(rule="subject_median").targets(columns([NAN, NAN]))["valence"]
    assert np.isnan(target).all()


def test_the_head_is_named_without_self_and_keeps_external():
    assert RatingTask(rating="self_arousal").heads[0].name == "arousal"
    assert RatingTask(rating="external_valence", rule="gt_0").heads[0].name == "external_valence"
    assert RatingTask().heads[0].classes == ("low", "high")


def test_an_unknown_rating_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"self_mood.*self_valence"):
        RatingTask(rating="self_mood").targets(columns([1.0]))
