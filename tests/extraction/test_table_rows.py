import numpy as np
import pytest

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import ConfigError
from emo_ray.extraction.base import Modality
from emo_ray.extraction.registry import EXTRACTIONS
from emo_ray.extraction.table_rows import TableRows


def recording(values, modality="features", **annotations):
    values = np.asarray(values, dtype=np.float32)
    names = tuple(f"f{i}" for i in range(len(values)))
    return Recording(
        subject="t/a",
        session="1",
        trial="1",
        clip="1",
        group="t/a",
        signals={modality: Signal(values, 1.0, "per column", names)},
        annotations={name: np.asarray(given, dtype=np.float64) for name, given in annotations.items()},
    )


def test_each_row_is_a_segment_of_one_token():
    found = TableRows().segments(recording([[1, 2, 3], [4, 5, 6]], label=[0, 1, np.nan]))
    np.testing.assert_array_equal(found.values["features"], np.float32([[[1, 4]], [[2, 5]], [[3, 6]]]))
    np.testing.assert_array_equal(found.ratings["label"], np.float32([0, 1, np.nan]))
    np.testing.assert_array_equal(found.start_s, [0, 1, 2])


def test_a_token_is_valid_from_half_of_its_features_on():
    values = [[1, np.nan, np.nan], [1, 1, np.nan], [1, 1, 1], [1, np.nan, np.nan]]
    found = TableRows().segments(recording(values))
    np.testing.assert_array_equal(found.masks["features"], [[True], [True], [False]])


def test_a_unix_clock_keeps_its_seconds():
    found = TableRows().segments(
        recording([[1, 2, 3]], start=[1.7e9, 1.7e9 + 1, 1.7e9 + 2.5], label=[0, 0, 0])
    )
    np.testing.assert_array_equal(found.start_s, [0, 1, 2.5])
    assert set(found.ratings) == {"label"}


def test_modalities_carry_the_names_of_the_columns():
    assert TableRows().modalities(recording([[1], [2]])) == (Modality("features", 1, ("f0", "f1")),)


def test_a_recording_of_signals_is_refused():
    with pytest.raises(ConfigError, match=r"needs a feature table.*records bvp"):
        TableRows().segments(recording([[1]], modality="bvp"))


def test_every_extraction_is_registered_under_its_kind():
    assert all(config().kind == kind for kind, config in EXTRACTIONS.items())
