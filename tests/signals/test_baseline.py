"""Relative to the baseline: by hand, and what a baseline that says nothing gives."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.errors import SignalError
from emo_ray.signals.baseline import baseline_correct

# two seconds of baseline at 2 Hz: 1, 3, 1, 3 has mean 2 and standard deviation 1
SIGNAL = np.array([[1.0, 3.0, 1.0, 3.0, 5.0, 8.0]])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("none", [1, 3, 1, 3, 5, 8]),
        ("subtract_mean", [-1, 1, -1, 1, 3, 6]),
        ("zscore", [-1, 1, -1, 1, 3, 6]),
        ("percent", [-50, 50, -50, 50, 150, 300]),
    ],
)
def test_by_hand(how, expected):
    assert_allclose(baseline_correct(SIGNAL, 2.0, 2.0, how), [expected])


def test_a_z_score_does_not_know_the_unit():
    assert_allclose(
        baseline_correct(1000 * SIGNAL, 2.0, 2.0, "zscore"), baseline_correct(SIGNAL, 2.0, 2.0, "zscore")
    )


def test_missing_samples_of_the_baseline_are_left_out():
    gappy = SIGNAL.copy()
    gappy[0, [0, 1]] = [np.nan, np.inf]  # 1 and 3 are left: the same mean
    corrected = baseline_correct(gappy, 2.0, 2.0)
    assert_allclose(corrected[0, 2:], [-1, 1, 3, 6])
    assert np.isnan(corrected[0, 0])


@pytest.mark.parametrize(
    ("baseline", "how"),
    [([np.nan, np.nan], "subtract_mean"), ([2.0, 2.0], "zscore"), ([-1.0, 1.0], "percent")],
)
def test_a_baseline_that_says_nothing_gives_nan(baseline, how):
    signal = np.array([[*baseline, 5.0, 6.0], [1.0, 3.0, 5.0, 6.0]], dtype=np.float32)
    corrected = baseline_correct(signal, 1.0, 2.0, how)
    assert np.isnan(corrected[0]).all()
    assert np.isfinite(corrected[1]).all()
    assert corrected.dtype == np.float32


@pytest.mark.parametrize("baseline_s", [0.0, 3.0, 10.0])
def test_a_baseline_without_samples_or_without_a_stimulus_is_refused(baseline_s):
    with pytest.raises(SignalError, match="how='none'"):
        baseline_correct(SIGNAL, 2.0, baseline_s)
    assert_array_equal(baseline_correct(SIGNAL, 2.0, baseline_s, "none"), SIGNAL)
