"""FeatureGrid: channels and frequencies, read from the names of features."""

import pytest

from emo_ray.models.feature_grid import FeatureGrid


def test_names_with_frequencies_make_a_grid_in_hertz():
    names = [f"{channel}/{hz}" for channel in ("Fz", "Cz") for hz in ("4", "4.5 Hz", "5Hz")]
    assert FeatureGrid.of(names) == FeatureGrid(2, 3, (4.0, 4.5, 5.0))


def test_names_with_bands_make_a_grid_without_hertz():
    assert FeatureGrid.of(["Fz/theta", "Fz/alpha", "Cz/theta", "Cz/alpha"]) == FeatureGrid(2, 2)


@pytest.mark.parametrize(
    "names", [["rate", "rmssd"], ["Fz/alpha", "Cz/theta"], ["Fz/1", "Cz/1", "Fz/2", "Cz/2"]]
)
def test_other_names_are_a_channel_each(names):
    assert FeatureGrid.of(names) == FeatureGrid(len(names), 1)
