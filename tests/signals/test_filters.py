"""Filters, gaps and tokens: what passes, what is refused, and what a gap leaves behind."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.errors import SignalError
from emo_ray.signals.filters import Band, band_pass, check_below_nyquist, filter_reach, shortest_signal
from emo_ray.signals.gaps import bridge_gaps, widen
from emo_ray.signals.tokens import any_in_tokens, silent_tokens, sum_over_tokens, token_samples

SFREQ = 128.0
TIMES = np.arange(20 * 128) / SFREQ
MIDDLE = slice(5 * 128, 15 * 128)


def test_a_sine_in_the_band_passes_without_shift_and_one_outside_does_not():
    inside, outside = np.sin(2 * np.pi * 10 * TIMES), np.sin(2 * np.pi * 25 * TIMES)
    filtered = band_pass(np.stack([inside, outside]), SFREQ, Band(8, 13))
    assert_allclose(filtered[0, MIDDLE], inside[MIDDLE], atol=0.01)
    assert np.abs(filtered[1, MIDDLE]).max() < 1e-3


def test_the_gain_at_an_edge_is_one_half():
    filtered = band_pass(np.sin(2 * np.pi * 8 * TIMES), SFREQ, Band(8, 13))
    assert np.abs(filtered[MIDDLE]).max() == pytest.approx(0.5, abs=0.02)


def test_a_stack_is_filtered_like_its_rows():
    stack = np.random.default_rng(0).normal(size=(2, 3, 400))
    whole = band_pass(stack, SFREQ, Band(4, 8))
    assert_array_equal(whole[1, 2], band_pass(stack[1, 2], SFREQ, Band(4, 8)))


@pytest.mark.parametrize("band", [Band(30, 64), Band(0, 4), Band(8, 8), Band(13, 8)])
def test_a_band_that_the_rate_can_not_hold_is_refused(band):
    with pytest.raises(SignalError, match="gamma"):
        check_below_nyquist("gamma", band, SFREQ)


def test_the_shortest_signal_passes_and_a_shorter_one_is_refused_by_name():
    band = Band(4, 8)
    assert shortest_signal(SFREQ, band) == 33  # one period of 4 Hz at 128 Hz, and one
    assert band_pass(np.ones(33), SFREQ, band).shape == (33,)
    with pytest.raises(SignalError, match="32 samples is too short"):
        band_pass(np.ones(32), SFREQ, band)


def test_nan_is_refused_with_its_count():
    signal = np.zeros(400)
    signal[[3, 7]] = np.nan
    with pytest.raises(SignalError, match="2 samples are NaN"):
        band_pass(signal, SFREQ, Band(4, 8))


@pytest.mark.parametrize("band", [Band(4, 8), Band(30, 45)])
def test_an_impulse_is_below_one_percent_of_its_peak_beyond_the_reach(band):
    impulse = np.zeros(2001)
    impulse[1000] = 1.0
    answer = np.abs(band_pass(impulse, SFREQ, band))
    assert answer[1000 + filter_reach(SFREQ, band) :].max() < 0.01 * answer.max()


def test_gaps_are_bridged_by_lines_and_ends_by_the_nearest_value():
    nan, inf = np.nan, np.inf
    signal = np.array([[nan, 1.0, nan, inf, 4.0, nan], [nan] * 6, [2.0] * 6])
    bridged, missing = bridge_gaps(signal)
    assert_array_equal(bridged, [[1, 1, 2, 3, 4, 4], [0] * 6, [2] * 6])
    assert_array_equal(missing, [[1, 0, 1, 1, 0, 1], [1] * 6, [0] * 6])


def test_a_gap_widens_on_both_sides_of_its_own_channel():
    missing = np.zeros((2, 7), dtype=bool)
    missing[0, 3] = True
    assert_array_equal(widen(missing, 2), [[0, 1, 1, 1, 1, 1, 0], [0] * 7])


def test_sums_over_overlapping_tokens_in_any_order_equal_plain_sums():
    signal = np.random.default_rng(0).normal(size=(3, 50))
    starts = np.array([40, 0, 3, 10, 20])
    expected = np.stack([signal[:, start : start + 10].sum(axis=1) for start in starts], axis=1)
    assert_allclose(sum_over_tokens(signal, starts, 10), expected, atol=1e-12)


def test_a_small_token_keeps_its_digits_beside_a_huge_artefact():
    signal = np.full((1, 100), 1e-6)
    signal[0, 10] = 1e12
    assert_allclose(sum_over_tokens(signal, np.array([50]), 10), [[1e-5]], rtol=1e-9)


def test_a_flag_counts_for_the_tokens_that_hold_it():
    flags = np.zeros((1, 30), dtype=bool)
    flags[0, 10] = True
    assert_array_equal(any_in_tokens(flags, np.array([0, 1, 10, 11]), 10), [[False, True, True, False]])


def test_a_token_is_silent_when_all_its_samples_are_equal():
    signal = np.array([[5.0, 5, 5, 5, 6, 6, 6, 6]])
    assert_array_equal(silent_tokens(signal, np.array([0, 1, 4]), 4), [[True, False, True]])


def test_tokens_start_on_the_nearest_sample_and_may_not_leave_the_trial():
    starts, length = token_samples(np.array([0.0, 0.503]), 1.0, 10.0, 15)
    assert_array_equal(starts, [0, 5])
    assert length == 10
    with pytest.raises(SignalError, match="reach out of the trial"):
        token_samples(np.array([0.6]), 1.0, 10.0, 15)
