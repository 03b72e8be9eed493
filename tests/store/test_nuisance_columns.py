"""What must not tell an emotion, counted by hand on six segments."""

import pickle

import numpy as np
import pytest

from emo_ray.extraction.base import Modality
from emo_ray.store.segment_table import NUISANCE, SegmentTable

EEG = Modality("eeg", 2, ("FP1/theta", "FP1/alpha", "C3/theta", "C3/alpha"))
HEART = Modality("ecg", 2, ("rate", "rmssd"))


@pytest.fixture
def table():
    """Trials of three, one and two segments; in the second segment C3 is dead, in the last one the heart."""
    codes = {
        "subject": [0, 0, 0, 0, 1, 1],
        "session": [0, 0, 0, 0, 1, 1],
        "trial": [0, 0, 0, 1, 2, 2],
        "clip": [1, 1, 1, 0, 1, 1],
        "index": [1, 2, 3, 1, 1, 2],
    }
    values = {m.name: np.ones((6, 2, m.n_features), np.float32) for m in (EEG, HEART)}
    masks = {name: np.ones((6, 2), bool) for name in values}
    values["eeg"][1, :, 2:] = np.nan
    values["eeg"][4, 0, 0] = np.nan  # FP1 lives by its other band and token
    masks["ecg"][5] = False
    masks["eeg"][2, 1] = False
    return SegmentTable(
        modalities=(EEG, HEART),
        subjects=("deap/s01", "seed/1"),
        sessions=("1", "2"),
        trials=("a", "b", "c"),
        clips=("calm", "joy"),
        **{name: np.array(found, np.int32) for name, found in codes.items()},
        start_s=np.arange(6, dtype=np.float32),
        session_s=np.array([0, 4, 8, 60, 0, 4], np.float32),
        ratings={},
        values=values,
        masks=masks,
        moments={},
        groups={},
        keys={},
    )


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("clock", [0, 4, 8, 60, 0, 4]),
        ("place", [1, 2, 3, 1, 1, 2]),
        ("tokens", [4, 4, 3, 4, 4, 2]),
        ("modalities", [2, 2, 2, 2, 2, 1]),
        ("channels", [3, 2, 3, 3, 3, 2]),  # two electrodes, and the heart as one
        ("length", [11, 11, 11, 4, 6, 6]),
        ("dataset", [0, 0, 0, 0, 1, 1]),
        ("clip", [1, 1, 1, 0, 1, 1]),
    ],
)
def test_each_column_by_hand(table, column, expected):
    assert table.nuisance[:, NUISANCE.index(column)].tolist() == expected


def test_a_masked_token_does_not_make_a_channel_live(table):
    table.masks["eeg"][4, 1] = False
    table.values["eeg"][4, 0, :2] = np.nan  # now FP1 has values only where the mask says no
    assert table.nuisance[4, NUISANCE.index("channels")] == 2


def test_workers_are_sent_the_columns_and_do_not_compute_them(table):
    sent = pickle.loads(pickle.dumps(table.without_signatures()))
    sent.masks["eeg"][:] = False
    assert np.array_equal(sent.nuisance, table.nuisance)
