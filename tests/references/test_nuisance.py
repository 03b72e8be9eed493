"""The clock alone finds what follows the clock, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from emo_ray.errors import TrainingError
from emo_ray.references.nuisance import Nuisance
from emo_ray.tasks.base import Head
from emo_ray.training.data import Affine, SegmentData

N = 400


def data(target, kind="classes", clock=None):
    """Random features of four subjects; ``clock`` is the only nuisance column."""
    draw = np.random.default_rng(0)
    heads = (Head("label", kind, ("calm", "stress", "fun") if kind == "classes" else ()),)
    return SegmentData(
        values={"eda": draw.standard_normal((N, 1, 3)).astype(np.float32)},
        masks={"eda": np.ones((N, 1), dtype=bool)},
        subject=(np.arange(N) % 4).astype(np.int32),
        targets={"label": target.astype(np.float32)},
        heads=heads,
        affine=Affine.identity({"eda": 3}),
        nuisance=(np.arange(N) / N if clock is None else clock).astype(np.float32)[:, None],
    )


ROWS = np.arange(N)
BLOCKS = (3 * np.arange(N)) // N  # each third of the session is one condition


def test_conditions_in_a_fixed_order_are_told_by_the_clock_alone():
    found = Nuisance().fit_predict(data(BLOCKS), ROWS[::2], ROWS[1::2], 0)["label"]
    assert np.mean(found.argmax(axis=1) == BLOCKS[1::2]) > 0.97


def test_a_label_that_does_not_follow_the_clock_is_not_told():
    label = np.random.default_rng(1).integers(0, 3, N)
    found = Nuisance().fit_predict(data(label), ROWS[::2], ROWS[1::2], 0)["label"]
    assert np.mean(found.argmax(axis=1) == label[1::2]) < 0.45


def test_a_class_without_training_rows_gets_probability_zero():
    found = Nuisance().fit_predict(data(BLOCKS), ROWS[BLOCKS < 2], ROWS[BLOCKS == 2], 0)["label"]
    assert found.shape[1] == 3
    assert (found[:, 2] == 0).all()


@pytest.mark.parametrize("kind", ["value", "event"])
def test_values_and_events_are_one_number_a_row(kind):
    found = Nuisance().fit_predict(data(BLOCKS > 0, kind), ROWS[::2], ROWS[1::2], 0)["label"]
    assert found.shape == (N // 2,)
    assert np.corrcoef(found, (BLOCKS > 0)[1::2])[0, 1] > 0.9


def test_rows_without_a_target_do_not_train():
    target = np.where(ROWS % 4 == 0, np.nan, BLOCKS)
    found = Nuisance().fit_predict(data(target), ROWS[::2], ROWS[1::2], 0)["label"]
    assert np.isfinite(found).all()


def test_data_without_nuisance_columns_are_refused():
    with pytest.raises(TrainingError, match="nuisance columns"):
        Nuisance().fit_predict(replace(data(BLOCKS), nuisance=None), ROWS, ROWS, 0)
