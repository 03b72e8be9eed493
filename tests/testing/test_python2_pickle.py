"""Pickles as Python 2 wrote them: Python 3's own unpickler must open them."""

import io
import pickle

import numpy as np
import pytest

from emo_ray.testing.python2_pickle import write_python2_pickle
from emo_ray.unpickling import load_pickle

VALUE = {
    "subject": "S2",
    "n": -70000,
    "signal": {
        "c": np.arange(600.0).reshape(2, 300),
        "f": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        "big": np.array([1, 2], dtype=">f4"),
        "empty": np.zeros((0, 3)),
    },
}


@pytest.mark.parametrize("protocol", [0, 2])
@pytest.mark.parametrize(
    "load",
    [lambda content: pickle.loads(content, encoding="latin1"), lambda content: load_pickle(content, "x")],
)
def test_both_unpicklers_open_what_python_2_would_have_written(load, protocol):
    target = io.BytesIO()
    write_python2_pickle(VALUE, target, protocol)
    found = load(target.getvalue())
    assert (found["subject"], found["n"]) == ("S2", -70000)
    for name, values in VALUE["signal"].items():
        np.testing.assert_array_equal(found["signal"][name], values)
        assert found["signal"][name].dtype == values.dtype.newbyteorder("=")
    assert b"numpy.core.multiarray" in target.getvalue()
