"""Level, slope and spread of skin temperature."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.features.temperature import (
    TEMPERATURE_FEATURES,
    level_in_spans,
    temperature_in_spans,
)

STARTS_S = np.array([0.0, 60.0])


def test_a_warming_wrist_has_its_level_slope_and_spread():
    times_s = np.arange(480) / 4
    features = temperature_in_spans(30 + 0.01 * times_s, 4.0, STARTS_S, 60.0)
    # 240 samples 0.0025 degC apart: mean 119.5 steps on, deviation sqrt((240**2 - 1) / 12) steps.
    spread = 0.0025 * np.sqrt((240**2 - 1) / 12)
    assert features.shape == (2, len(TEMPERATURE_FEATURES))
    middle = 30 + 0.0025 * 119.5
    assert_allclose(features, [[middle, 0.01, spread], [middle + 0.6, 0.01, spread]])


def test_a_constant_temperature_is_no_silent_sensor():
    assert_allclose(
        temperature_in_spans(np.full(480, 33.0), 4.0, STARTS_S, 60.0), [[33, 0, 0]] * 2, atol=1e-12
    )


def test_what_is_no_skin_counts_as_missing():
    temperature = np.full(480, 33.0)
    temperature[:30] = 382.18  # what the device writes before its first measurement
    temperature[240:400] = 0.0
    features = temperature_in_spans(temperature, 4.0, STARTS_S, 60.0)
    assert_allclose(features[0], [33, 0, 0], atol=1e-12)
    assert_array_equal(features[1], [np.nan] * 3)


def test_a_series_of_unknown_unit_has_level_slope_and_deviation_wherever_it_lies():
    found = level_in_spans(-500 + 2.0 * np.arange(40) / 4, 4.0, np.array([0.0, 5.0]), 5.0)
    # 20 samples of a ramp of 0.5 a sample: mean at 4.75, deviation 0.5 * sqrt((20**2 - 1) / 12)
    assert_allclose(found[0], [-500 + 4.75, 2.0, 0.5 * np.sqrt(399 / 12)])
    assert_allclose(found[1] - found[0], [10, 0, 0], atol=1e-9)


def test_a_series_of_unknown_unit_that_stands_still_is_a_sensor_that_is_off():
    assert np.isnan(level_in_spans(np.full(40, 33.0), 4.0, np.array([0.0]), 5.0)).all()
