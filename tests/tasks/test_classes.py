"""Classes made from the codes of one rating column."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from emo_ray.errors import ConfigError
from emo_ray.tasks.base import SegmentColumns
from emo_ray.tasks.classes import ClassTask

STRESS = ClassTask(classes=(("calm", (1.0, 3.0)), ("stress", (2.0,))))


def columns_with(rating: str, codes: list[float]) -> SegmentColumns:
    zeros = np.zeros(len(codes), dtype=np.int32)
    return SegmentColumns(zeros, zeros, zeros, {rating: np.array(codes, dtype=np.float32)})


def test_a_class_gathers_all_of_its_codes_and_other_codes_are_undefined():
    targets = STRESS.targets(columns_with("label", [1.0, 2.0, 3.0, 4.0, np.nan]))
    assert_array_equal(targets["label"], np.array([0, 1, 0, np.nan, np.nan], dtype=np.float32))


def test_codes_that_are_no_whole_numbers_survive_single_precision():
    task = ClassTask(column="level", classes=(("low", (0.1,)), ("high", (0.3,))))
    assert_array_equal(task.targets(columns_with("level", [0.3, 0.1]))["label"], [1, 0])


def test_the_head_lists_the_class_names_in_order():
    (head,) = STRESS.heads
    assert (head.name, head.kind, head.classes, head.n_outputs) == ("label", "classes", ("calm", "stress"), 2)
    assert STRESS.primary_metric == "balanced_accuracy"


def test_a_missing_rating_column_is_named_beside_those_that_are_there():
    with pytest.raises(ConfigError, match=r"no rating 'label'.*it has: valence"):
        STRESS.targets(columns_with("valence", [1.0]))


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        ((("only", (1.0,)),), "two classes or more"),
        ((("a", (1.0,)), ("b", ())), "class 'b' has no code"),
        ((("a", (1.0,)), ("a", (2.0,))), "two classes are called 'a'"),
        ((("a", (1.0,)), ("b", (1.0,))), "code 1 is listed twice"),
    ],
)
def test_classes_that_can_not_be_told_apart_are_refused(classes, problem):
    with pytest.raises(ValidationError, match=problem):
        ClassTask(classes=classes)
