"""The published features against the figures of the specification and a plain loop over windows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emo_ray.errors import SignalError
from emo_ray.features.differential_entropy import SJTU_BANDS
from emo_ray.features.published_entropy import (
    PUBLISHED_CODE_BANDS,
    published_band_power,
    published_entropy,
    published_slices,
)
from emo_ray.signals.filters import Band

SFREQ = 200.0
SINE = 20 * np.sin(2 * np.pi * 10 * np.arange(800) / SFREQ)[None]


def entropy_of(eeg: np.ndarray, n_fft: int = 256) -> np.ndarray:
    power = published_band_power(eeg, SFREQ, np.zeros(1), 4.0, PUBLISHED_CODE_BANDS, n_fft)
    return published_entropy(power)[0]


def test_the_slices_are_those_of_the_published_code():
    slices = [(part.start, part.stop) for part in published_slices(PUBLISHED_CODE_BANDS, SFREQ).values()]
    assert slices == [(0, 5), (4, 10), (9, 17), (16, 39), (38, 62)]
    assert published_slices(SJTU_BANDS, SFREQ)["gamma"] == slice(38, 64)  # the text: up to 50 Hz


def test_a_sine_at_10_hz_is_smeared_into_all_bands():
    assert_allclose(entropy_of(SINE), [13.9, 17.3, 23.2, 17.4, 14.2], atol=0.05)


def test_an_fft_of_the_whole_token_would_keep_the_sine_in_alpha():
    assert_allclose(entropy_of(SINE, n_fft=800), [-9.4, -3.8, 26.5, -8.1, -16.8], atol=0.05)


def test_an_offset_of_5_microvolts_is_power_in_delta():
    assert_allclose(entropy_of(np.full((1, 800), 5.0))[0], 21.6, atol=0.05)


def test_a_channel_of_zeros_is_nan_not_minus_infinity():
    assert np.isnan(entropy_of(np.zeros((1, 800)))).all()


def test_tokens_equal_a_plain_loop():
    eeg = np.random.default_rng(0).normal(3, 10, (2, 2400))
    power = published_band_power(eeg, SFREQ, np.array([0.0, 4.0, 8.0]), 4.0, SJTU_BANDS).reshape(3, 2, 5)
    edges = [(0, 5), (4, 10), (9, 17), (16, 39), (38, 64)]
    for window in range(3):
        for channel in range(2):
            magnitude = np.abs(np.fft.fft(eeg[channel, window * 800 :][:800] * np.hanning(800), 256))
            expected = [np.mean(magnitude[low:high] ** 2) for low, high in edges]
            assert_allclose(power[window, channel], expected)


def test_only_the_samples_that_are_read_can_be_missing():
    eeg = np.tile(SINE, (2, 1))
    eeg[0, 255], eeg[1, 256] = np.nan, np.nan
    power = published_band_power(eeg, SFREQ, np.zeros(1), 4.0, PUBLISHED_CODE_BANDS).reshape(2, 5)
    assert np.isnan(power[0]).all()
    assert np.isfinite(power[1]).all()


def test_a_band_below_the_first_bin_is_refused():
    with pytest.raises(SignalError, match=r"'slow', 0\.5 to 4 Hz, becomes the bins -1 to 5"):
        published_slices({"slow": Band(0.5, 4)}, SFREQ)
