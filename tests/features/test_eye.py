"""Blinks that were put in are counted; gaze series have their mean; silence is undefined."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.features.eye import eog_in_spans, find_blinks, gaze_in_spans

SFREQ = 128.0
TIMES_S = np.arange(0, 120, 1 / SFREQ)
BLINKS_S = np.arange(5.0, 116.0, 6.0)  # ten in the first minute, nine in the second


def eog(amplitude=150.0, noise=5.0):
    """Gaussian blinks of 0.16 s at half height in noise."""
    blinks = sum(amplitude * np.exp(-0.5 * ((TIMES_S - at) / 0.07) ** 2) for at in BLINKS_S)
    return blinks + noise * np.random.default_rng(0).normal(size=TIMES_S.size)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_blinks_are_found_whichever_way_the_electrodes_are_wired(sign):
    found_s, sizes = find_blinks(sign * eog(), SFREQ)
    assert_allclose(found_s, BLINKS_S, atol=0.05)
    assert_allclose(sizes, 150, rtol=0.15)


def test_spans_count_the_blinks_in_them():
    rate, size, _ = eog_in_spans(eog(), SFREQ, np.array([0.0, 60.0, 6.0]), 4.5).T
    assert_allclose(rate, [0, 0, 0])
    assert_allclose(eog_in_spans(eog(), SFREQ, np.array([0.0, 60.0]), 60.0)[:, 0], [10, 9])
    assert_allclose(eog_in_spans(eog(), SFREQ, np.array([0.0]), 30.0)[0, 0], 10)  # five in half a minute
    assert_allclose(size, 0)


def test_noise_alone_has_next_to_no_blinks_and_a_slow_drift_none():
    noise = np.random.default_rng(1).normal(size=TIMES_S.size)
    assert find_blinks(noise, SFREQ)[0].size <= 2
    assert find_blinks(100 * np.sin(2 * np.pi * 0.05 * TIMES_S), SFREQ)[0].size == 0


def test_a_clipped_blink_is_still_one():
    assert_allclose(find_blinks(np.clip(eog(), -80, 80), SFREQ)[0], BLINKS_S, atol=0.1)


@pytest.mark.parametrize("signal", [np.full(15360, 4.0), np.full(15360, np.nan), np.zeros(3), np.zeros(0)])
def test_silence_missing_and_too_short_signals_are_undefined(signal):
    starts = np.array([0.0, 30.0])
    assert_array_equal(eog_in_spans(signal, SFREQ, starts, 30.0), np.full((2, 3), np.nan))
    assert_array_equal(gaze_in_spans(signal, SFREQ, starts, 30.0), np.full((2, 2), np.nan))


def test_no_blink_is_found_in_a_hole():
    holed = np.where(np.abs(TIMES_S - BLINKS_S[3]) < 1, np.nan, eog())
    assert find_blinks(holed, SFREQ)[0].size == BLINKS_S.size - 1
    topless = np.where(np.abs(TIMES_S - BLINKS_S[3]) < 0.03, np.nan, eog())  # what is left still rises
    assert find_blinks(topless, SFREQ)[0].size == BLINKS_S.size - 1


def test_gaze_is_described_by_what_is_there():
    pupil = np.array([3.0, 5.0, np.nan, np.inf, 4.0, np.nan, np.nan, np.nan])
    found = gaze_in_spans(pupil, 1.0, np.array([0.0, 4.0]), 4.0)
    assert_array_equal(found, [[4, 1], [np.nan, np.nan]])
