import numpy as np
import pytest

from emo_ray.errors import ConfigError
from emo_ray.tasks.base import Head, SegmentColumns
from emo_ray.tasks.registry import TASKS
from emo_ray.tasks.value import ValueTask


def columns(**ratings):
    nothing = np.zeros(3, dtype=np.int32)
    return SegmentColumns(nothing, nothing, nothing, {n: np.float32(r) for n, r in ratings.items()})


def test_the_target_is_the_rating_as_it_stands():
    targets = ValueTask(column="valence").targets(columns(valence=[1.5, np.nan, -2]))
    np.testing.assert_array_equal(targets["value"], np.float32([1.5, np.nan, -2]))
    assert ValueTask().heads == (Head("value", "value"),)


def test_a_missing_rating_is_named():
    with pytest.raises(ConfigError, match=r"'label'; it has: valence"):
        ValueTask().targets(columns(valence=[1, 2, 3]))


def test_every_task_is_registered_under_its_kind():
    assert all(task.model_fields["kind"].default == kind for kind, task in TASKS.items())
