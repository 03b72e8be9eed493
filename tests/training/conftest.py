"""Small segment data whose targets can be learnt from the features."""

import numpy as np
import pytest

from emo_ray.tasks.base import Head
from emo_ray.training.data import Affine, SegmentData

EMOTION = Head("emotion", "classes", ("calm", "glad", "sad"))
VALENCE = Head("valence", "value")
AROUSAL = Head("arousal", "value")
TRANSITION = Head("transition", "event")


def make_data(n=60, heads=(EMOTION,), seed=0):
    """Two modalities; the first two EEG features carry every target, four subjects take turns."""
    rng = np.random.default_rng(seed)
    values = {
        "eeg": rng.normal(size=(n, 4, 5)).astype(np.float32),
        "gsr": rng.normal(size=(n, 3, 2)).astype(np.float32),
    }
    signal = rng.normal(size=n)
    values["eeg"][:, :, 0] += 2 * signal[:, None]
    by_kind = {
        "classes": np.digitize(signal, [-0.5, 0.5]),
        "value": 3 + 0.5 * signal,
        "event": signal > 0.8,
    }
    for array in values.values():
        array.flags.writeable = False  # as the object store hands them out
    return SegmentData(
        values=values,
        masks={name: np.ones(array.shape[:2], bool) for name, array in values.items()},
        subject=np.arange(n, dtype=np.int32) % 4,
        targets={head.name: by_kind[head.kind].astype(np.float32) for head in heads},
        heads=heads,
        affine=Affine.identity({"eeg": 5, "gsr": 2}),
    )


@pytest.fixture
def single_head():
    return make_data()


@pytest.fixture
def many_segments():
    return make_data(n=300)


@pytest.fixture
def three_heads():
    return make_data(heads=(VALENCE, AROUSAL, TRANSITION))
