"""Hjorth's parameters on sines and ramps, where they are known, and on broken signals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emo_ray.errors import SignalError
from emo_ray.features.hjorth import hjorth_names, token_hjorth

SFREQ = 1000.0
TIMES = np.arange(5000) / SFREQ


def test_a_sine_has_its_variance_its_angular_frequency_and_complexity_1():
    sine = np.stack([20 * np.sin(2 * np.pi * 10 * TIMES), 5 * np.cos(2 * np.pi * 3 * TIMES)])
    values = token_hjorth(sine, SFREQ, np.arange(5.0)).reshape(5, 2, 3)
    assert_allclose(values[:, 0], np.tile([200.0, 2 * np.pi * 10, 1.0], (5, 1)), rtol=1e-2)
    assert_allclose(values[:, 1], np.tile([12.5, 2 * np.pi * 3, 1.0], (5, 1)), rtol=1e-2)


def test_tokens_equal_the_definition_on_slices():
    noise = np.random.default_rng(0).normal(0, 3, (1, 5000))
    values = token_hjorth(noise, SFREQ, np.array([0.5, 3.0]), token_s=0.7)
    for row, start in zip(values, (500, 3000), strict=True):
        cut = noise[0, start : start + 700]
        slope, bend = np.diff(cut), np.diff(cut, 2)
        mobility = slope.std() / cut.std()
        expected = [cut.var(), mobility * SFREQ, bend.std() / slope.std() / mobility]
        assert_allclose(row, expected, rtol=1e-10)


def test_silence_and_gaps_are_nan_and_a_ramp_has_no_complexity():
    eeg = np.stack([np.full(5000, 3.0), np.random.default_rng(1).normal(size=5000), np.arange(5000.0)])
    eeg[1, 2500] = np.nan
    values = token_hjorth(eeg, SFREQ, np.arange(5.0)).reshape(5, 3, 3)
    assert np.isnan(values[:, 0]).all()
    assert np.isnan(values[:, 1, 0]).tolist() == [False, False, True, False, False]
    assert_allclose(values[:, 2, 1], 0.0)
    assert np.isnan(values[:, 2, 2]).all()


def test_names_run_channel_by_channel():
    assert hjorth_names(("C3",)) == ("C3/activity_uv2", "C3/mobility_per_s", "C3/complexity")


def test_three_samples_are_too_short():
    with pytest.raises(SignalError, match="need 4"):
        token_hjorth(np.zeros((1, 100)), 100.0, np.zeros(1), 0.03)
