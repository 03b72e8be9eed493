"""Another rate: same signal, no folding, no gap lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.errors import SignalError
from emo_ray.signals.resampling import rate_ratio, resample, resample_missing


@pytest.mark.parametrize("to_sfreq", [128.0, 200.0, 250.0, 1000.0])
def test_a_slow_sine_is_the_same_sine_at_another_rate(to_sfreq):
    times_s = np.arange(5120) / 512.0
    resampled = resample(np.sin(2 * np.pi * 9 * times_s)[None], 512.0, to_sfreq)
    expected = np.sin(2 * np.pi * 9 * np.arange(10 * int(to_sfreq)) / to_sfreq)
    assert resampled.shape == (1, 10 * int(to_sfreq))
    inner = slice(int(to_sfreq), -int(to_sfreq))
    assert_allclose(resampled[0, inner], expected[inner], atol=0.002)


def test_what_is_above_the_new_nyquist_frequency_does_not_fold_back():
    times_s = np.arange(10_000) / 1000.0
    resampled = resample(np.sin(2 * np.pi * 180 * times_s)[None], 1000.0, 200.0)
    assert np.abs(resampled[0, 200:-200]).max() < 0.01  # it would show at 20 Hz


@pytest.mark.parametrize(("old", "new"), [(512.0, 128.0), (4.0, 64.0), (128.0, 200.0)])
def test_an_offset_leaves_no_step_at_the_ends_and_no_ripple(old, new):
    assert_allclose(resample(np.full((1, 1000), 5000.0), old, new), 5000.0, rtol=1e-9)


@pytest.mark.parametrize(("old", "new"), [(512.0, 200.0), (500.0, 128.0), (128.0, 200.0), (200.0, 200.0)])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_every_gap_is_felt_and_only_next_to_it(old, new, data):
    missing = np.array([data.draw(st.lists(st.booleans(), min_size=3, max_size=40))])
    felt = resample_missing(missing, old, new)
    n_old, n_new = missing.shape[1], felt.shape[1]
    assert n_new == resample(np.zeros(missing.shape), old, new).shape[1]
    step = max(old / new, 1.0)  # in old samples
    for k in range(n_new):
        near = [j for j in range(n_old) if abs(j - k * old / new) < step]
        assert felt[0, k] == missing[0, near].any()
    assert felt.any() == missing.any()


def test_an_equal_rate_changes_nothing():
    signal = np.random.default_rng(0).normal(size=(2, 50))
    assert_array_equal(resample(signal, 128.0, 128.0), signal)


@pytest.mark.parametrize(("old", "new", "ratio"), [(512.0, 200.0, (25, 64)), (1000.0, 128.0, (16, 125))])
def test_rates_become_a_ratio_in_lowest_terms(old, new, ratio):
    assert rate_ratio(old, new) == ratio


@pytest.mark.parametrize(("old", "new"), [(0.0, 128.0), (128.0, float("nan")), (128.0, -1.0)])
def test_a_rate_that_is_none_is_refused(old, new):
    with pytest.raises(SignalError, match="give a number above 0"):
        rate_ratio(old, new)


def test_rates_without_a_ratio_are_refused_with_both_named():
    with pytest.raises(SignalError, match=r"128\.0 Hz to 99\.98765431 Hz"):
        rate_ratio(128.0, 99.98765431)
