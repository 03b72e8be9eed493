"""Each probe finds what follows its own number, by a lookup that is worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from emo_ray.errors import TrainingError
from emo_ray.references.probes import MAX_CELLS, PROBES, Probe
from emo_ray.store.segment_table import NUISANCE
from emo_ray.tasks.base import Head
from emo_ray.training.data import Affine, SegmentData

KINDS = {"classes": ("calm", "stress", "fun"), "value": (), "event": ()}


def data(column, numbers, target, kind="classes"):
    """Rows of which one nuisance column varies."""
    n = len(target)
    nuisance = np.ones((n, len(NUISANCE)), np.float32)
    nuisance[:, NUISANCE.index(column)] = numbers
    return SegmentData(
        values={"eda": np.zeros((n, 1, 1), np.float32)},
        masks={"eda": np.ones((n, 1), bool)},
        subject=np.zeros(n, np.int32),
        targets={"label": np.asarray(target, np.float32)},
        heads=(Head("label", kind, KINDS[kind]),),
        affine=Affine.identity({"eda": 1}),
        nuisance=nuisance,
    )


def answers(column, numbers, target, n_train, kind="classes"):
    rows = np.arange(len(target))
    table = data(column, numbers, target, kind)
    return Probe(column).fit_predict(table, rows[:n_train], rows[n_train:], 0)["label"]


@pytest.mark.parametrize("column", [name.removeprefix("probe_") for name in PROBES])
def test_each_probe_looks_at_its_own_column(column):
    numbers, label = np.tile([3.0, 7.0, 9.0], 20), np.tile([2.0, 0.0, 1.0], 20)
    assert np.array_equal(answers(column, numbers, label, 30).argmax(axis=1), label[30:])


def test_shares_of_a_cell_by_hand():
    # weights n / (K n_c): 4 / (3 * 2), 4 / (3 * 1), 4 / (3 * 1); shares of all: 1/2, 1/4, 1/4
    found = answers("clock", [1.0, 1, 2, 2, 1], [0.0, 1, 0, 2, 0], 4)
    cell = np.array([2 / 3 + 1 / 2, 4 / 3 + 1 / 4, 1 / 4])
    np.testing.assert_allclose(found, [cell / cell.sum()], rtol=1e-6)


def test_the_mean_of_a_cell_counts_the_mean_of_all_as_one_row():
    assert answers("place", [1.0, 1, 2, 1], [1.0, 3, 8, 0], 3, "value") == pytest.approx((1 + 3 + 4) / 3)


def test_an_unknown_clip_is_answered_by_the_most_frequent_class():
    found = answers("clip", [1.0, 1, 3, 2, 9, 0], [1.0, 1, 0, 0, 0, 0], 3)
    np.testing.assert_allclose(found, np.tile([1 / 3, 2 / 3, 0], (3, 1)), rtol=1e-6)


def test_numbers_between_two_of_train_belong_to_the_lower_one():
    found = answers("length", [10.0, 20, 10, 20, 19, 25, 3], [0.0, 1, 0, 1, 0, 1, 0], 4)
    assert found.argmax(axis=1).tolist() == [0, 1, 0]


@pytest.mark.parametrize(("kind", "expected"), [("classes", [0, 1, 0]), ("event", 1.0), ("value", 0.75)])
def test_a_column_that_does_not_vary_gives_the_answer_of_majority(kind, expected):
    found = answers("dataset", [4.0, 4, 4, 4, 5], [1.0, 1, 0, 1, 0], 4, kind)
    assert found.tolist() == [expected]


def test_many_numbers_are_cut_at_quantiles():
    clock = np.arange(1000.0)
    found = answers("clock", np.tile(clock, 2), np.tile(clock >= 500, 2), 1000, "event")
    assert np.mean((found >= 0.5) == (clock >= 500)) > 0.97
    assert np.unique(found).size <= MAX_CELLS


def test_a_number_that_tells_nothing_scores_as_chance():
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=2000).astype(float)
    found = answers("clock", rng.random(2000), label, 1000)
    assert np.mean(found.argmax(axis=1) == label[1000:]) < 0.4


def test_data_without_nuisance_columns_are_refused():
    table = replace(data("clip", [1.0, 2.0], [0.0, 1.0]), nuisance=None)
    with pytest.raises(TrainingError, match="the clip probe needs the nuisance columns"):
        Probe("clip").fit_predict(table, np.arange(2), np.arange(2), 0)
