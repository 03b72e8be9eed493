"""Acceleration by hand: gravity alone, a swing along one axis, a sensor that is off."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.features.motion import acc_in_spans

START = np.array([0.0])
SWING = np.tile([0.5, -0.5], 50)


def test_a_swing_along_gravity_has_the_mean_deviation_and_energy_of_the_swing():
    acc = np.stack([np.zeros(100), np.zeros(100), 1 + SWING])
    # magnitude 1.5 and 0.5 in turn
    assert_allclose(acc_in_spans(acc, 10.0, START, 10.0), [[1.0, 0.5, 0.25]])


def test_turning_the_sensor_changes_nothing():
    acc = np.stack([0.3 * SWING, np.roll(SWING, 7) * np.linspace(0, 1, 100), 1 + SWING])
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    assert_allclose(acc_in_spans(turn @ acc, 10.0, START, 10.0), acc_in_spans(acc, 10.0, START, 10.0))


def test_a_sensor_that_is_off_is_undefined_and_one_quiet_axis_is_not():
    off = np.ones((3, 100))
    assert_array_equal(acc_in_spans(off, 10.0, START, 10.0), np.full((1, 3), np.nan))
    off[1] = SWING
    assert np.isfinite(acc_in_spans(off, 10.0, START, 10.0)).all()


def test_a_moment_without_one_axis_is_missing():
    acc = np.stack([SWING, SWING, SWING])
    acc[0, :60] = np.nan
    assert np.isnan(acc_in_spans(acc, 10.0, START, 10.0)).all()
    assert_allclose(acc_in_spans(acc, 10.0, np.array([5.0]), 5.0), [[np.sqrt(0.75), 0, 0.75]], atol=1e-12)


def test_a_clipped_sensor_shows_less_movement():
    acc = np.stack([np.zeros(100), np.zeros(100), 1 + SWING])
    clipped = acc_in_spans(np.clip(acc, -1.2, 1.2), 10.0, START, 10.0)
    assert (clipped < acc_in_spans(acc, 10.0, START, 10.0)).all()
