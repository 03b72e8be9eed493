"""The cascade of band-pass and notch: what passes, what does not, and what it refuses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.errors import SignalError
from emo_ray.signals.cleaning_filters import Passband, filter_channels, harmonics
from emo_ray.signals.filters import Band, band_pass

SFREQ = 200.0
TIMES_S = np.arange(int(20 * SFREQ)) / SFREQ
MIDDLE = slice(1000, 3000)


def sine(hz):
    return np.sin(2 * np.pi * hz * TIMES_S)[None]


def gain(passband, hz):
    # of the power, since the top of a fast sine falls between samples
    return np.sqrt(2) * filter_channels(sine(hz), SFREQ, passband)[0, MIDDLE].std()


def test_a_band_pass_equals_the_one_of_the_features():
    signal = np.random.default_rng(0).normal(size=(2, 2000))
    expected = band_pass(signal, SFREQ, Band(4, 40))
    assert_allclose(filter_channels(signal, SFREQ, Passband(4.0, 40.0)), expected, atol=1e-12)


@pytest.mark.parametrize("passband", [Passband(low_hz=5.0), Passband(high_hz=5.0), Passband(5.0, 40.0)])
def test_the_gain_at_an_edge_is_one_half(passband):
    assert gain(passband, 5.0) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("hz", "expected"), [(50.0, 0.0), (49.0, 0.5), (51.0, 0.5), (40.0, 1.0), (60.0, 1.0)]
)
def test_a_notch_is_two_hertz_wide_and_no_wider(hz, expected):
    # -3 dB of one pass at 49 and 51 Hz: 1/sqrt(2) twice is one half
    assert gain(Passband(notch_hz=50.0), hz) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("notch_hz", "sfreq", "expected"),
    [
        (50.0, 200.0, (50.0,)),  # 100 is the Nyquist frequency
        (50.0, 1000.0, tuple(50.0 * k for k in range(1, 10))),
        (60.0, 128.0, (60.0,)),
        (60.0, 512.0, (60.0, 120.0, 180.0, 240.0)),
    ],
)
def test_harmonics_end_below_the_nyquist_frequency(notch_hz, sfreq, expected):
    assert harmonics(notch_hz, sfreq) == expected


def test_nothing_asked_for_is_nothing_done():
    signal = sine(10)
    assert_array_equal(filter_channels(signal, SFREQ, Passband()), signal)


def test_an_offset_of_the_amplifier_leaves_no_ringing():
    filtered = filter_channels(sine(10) + 250_000.0, SFREQ, Passband(low_hz=1.0))
    assert_allclose(filtered[0, 200:-200], sine(10)[0, 200:-200], atol=0.02)


@pytest.mark.parametrize(
    ("passband", "match"),
    [
        (Passband(high_hz=100.0), "high_hz is 100 Hz, but sampling at 200 Hz"),
        (Passband(notch_hz=120.0), "notch_hz is 120 Hz"),
        (Passband(low_hz=30.0, high_hz=8.0), "low_hz is 30 and high_hz 8"),
        (Passband(low_hz=0.01), "4000 samples is too short .* needs 20001"),
    ],
)
def test_what_the_rate_or_the_length_can_not_hold_is_refused(passband, match):
    with pytest.raises(SignalError, match=match):
        filter_channels(sine(10), SFREQ, passband)
