"""EMG features of sines, whose numbers are known by hand, and of what is no muscle."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.features.emg import EMG_FEATURES, emg_in_spans

SFREQ = 128.0
TIMES_S = np.arange(0, 40, 1 / SFREQ)
SINE = 10 * np.sin(2 * np.pi * 40 * TIMES_S + 0.3)
STARTS = np.array([10.0, 20.0])


def test_a_sine_of_40_hz_has_the_numbers_of_a_sine():
    # amplitude 10: rms 10/sqrt(2), mean absolute 20/pi, 80 crossings a second, variance 50
    expected = [10 / np.sqrt(2), 20 / np.pi, 80, 40, np.log(50)]
    assert_allclose(emg_in_spans(SINE, SFREQ, STARTS, 10.0), [expected, expected], rtol=0.02)


def test_what_is_slower_than_a_muscle_changes_nothing():
    slow = 200 * np.sin(2 * np.pi * 2 * TIMES_S) + 5000
    assert_allclose(
        emg_in_spans(SINE + slow, SFREQ, STARTS, 10.0), emg_in_spans(SINE, SFREQ, STARTS, 10.0), rtol=1e-4
    )


def test_the_median_frequency_of_two_sines_lies_at_the_stronger_one():
    two = 3 * np.sin(2 * np.pi * 30 * TIMES_S) + 5 * np.sin(2 * np.pi * 50 * TIMES_S)
    median_hz = emg_in_spans(two, SFREQ, STARTS, 10.0)[:, EMG_FEATURES.index("emg_median_frequency_hz")]
    assert_allclose(median_hz, 50, atol=0.1)


@pytest.mark.parametrize("rate", [4.0, 32.0, 44.0])
def test_a_rate_that_holds_no_muscle_gives_nan(rate):
    noise = np.random.default_rng(0).normal(size=400)
    assert np.isnan(emg_in_spans(noise, rate, np.array([0.0]), 2.0)).all()


@pytest.mark.parametrize("signal", [np.full(5120, 7.0), np.full(5120, np.nan), np.zeros(3), np.zeros(0)])
def test_silence_missing_and_too_short_signals_are_undefined(signal):
    assert_array_equal(emg_in_spans(signal, SFREQ, STARTS, 10.0), np.full((2, 5), np.nan))


def test_a_span_with_a_short_hole_is_taken_from_the_rest():
    holed = SINE.copy()
    holed[round(12 * SFREQ) : round(13 * SFREQ)] = np.nan
    found = emg_in_spans(holed, SFREQ, STARTS, 10.0)
    assert_allclose(found[0], found[1], rtol=0.02)
    assert np.isnan(emg_in_spans(holed, SFREQ, np.array([12.0]), 1.5)).all()
