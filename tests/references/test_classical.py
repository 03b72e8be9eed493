"""Support vectors and forests: they find what no line can, and learn from so many rows at most."""

import numpy as np
import pytest
from sklearn.svm import SVC

from emo_ray.references.base import token_means
from emo_ray.references.classical import Forest, SupportVectors
from emo_ray.tasks.base import Head
from emo_ray.training.data import Affine, SegmentData

N = 400
TRAIN, TEST = np.arange(300), np.arange(300, N)
each_model = pytest.mark.parametrize("model", [SupportVectors(), Forest(n_trees=20)], ids=["svm", "forest"])


@pytest.fixture
def data():
    """The label is 1 where two features have the same sign, so neither of them tells it alone."""
    values = np.random.default_rng(0).normal(size=(N, 1, 2)).astype(np.float32)
    same = (values[:, 0] > 0).all(axis=1) | (values[:, 0] < 0).all(axis=1)
    heads = (Head("sign", "classes", ("no", "yes")), Head("level", "value"), Head("event", "event"))
    return SegmentData(
        values={"eda": values},
        masks={"eda": np.ones((N, 1), bool)},
        subject=np.zeros(N, np.int32),
        targets={head.name: same.astype(np.float32) for head in heads},
        heads=heads,
        affine=Affine.identity({"eda": 2}),
    )


@each_model
def test_what_no_line_tells_is_told(model, data):
    found, truth = model.fit_predict(data, TRAIN, TEST, 0), data.targets["sign"][TEST]
    assert np.mean(found["sign"].argmax(axis=1) == truth) > 0.85
    assert np.mean((found["event"] >= 0.5) == truth) > 0.85
    assert np.corrcoef(found["level"], truth)[0, 1] > 0.75


@each_model
def test_the_seed_decides_and_nothing_else(model, data):
    first, again = (model.fit_predict(data, TRAIN, TEST, 3)["sign"] for _ in range(2))
    assert np.array_equal(first, again)


def test_a_seeded_draw_stands_for_many_rows(data):
    few = SupportVectors(max_rows=40)
    drawn = np.sort(np.random.default_rng(3).choice(TRAIN, 40, replace=False))
    x = token_means(data, drawn)
    naive = SVC(class_weight="balanced").fit(x, data.targets["sign"][drawn])
    found = few.fit_predict(data, TRAIN, TEST, 3)["sign"].argmax(axis=1)
    assert np.array_equal(found, naive.predict(token_means(data, TEST)))
