"""One function for all modes: what it hands to whom, the quantities, the order and names of columns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from emo_ray.errors import SignalError
from emo_ray.features.band_features import POWER, BandFeatures, band_feature_names, token_band_features
from emo_ray.features.differential_entropy import SJTU_BANDS, token_differential_entropy
from emo_ray.signals.filters import Band

SFREQ = 200.0
STARTS = np.arange(5.0) * 4


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 10, (3, 4000))


@pytest.mark.parametrize("mode", ["clean", "filtered", "windowed"])
def test_entropy_is_that_of_a_gaussian_of_the_power(mode):
    power = token_band_features(noise(), SFREQ, STARTS, 4.0, BandFeatures(mode=mode, quantity="power"))
    entropy = token_band_features(noise(), SFREQ, STARTS, 4.0, BandFeatures(mode=mode))
    assert power.shape == (5, 15)
    assert_allclose(entropy, 0.5 * np.log(2 * np.pi * np.e * power), rtol=1e-12)


def test_published_entropy_is_the_binary_logarithm_of_a_hundred_powers():
    config = BandFeatures(mode="published", quantity="power")
    power = token_band_features(noise(), SFREQ, STARTS, 4.0, config)
    entropy = token_band_features(noise(), SFREQ, STARTS, 4.0, BandFeatures(mode="published"))
    assert_allclose(2**entropy, 100 * power)


def test_clean_filtered_and_windowed_agree_on_white_noise():
    modes = ("clean", "filtered", "windowed")
    values = [token_band_features(noise(), SFREQ, STARTS, 4.0, BandFeatures(mode=mode)) for mode in modes]
    wide = [one.reshape(5, 3, 5)[1:-1, :, 3:].mean() for one in values]  # beta and gamma, away from the ends
    assert np.ptp(wide) < 0.1


def test_the_filtered_mode_is_the_differential_entropy_of_the_trial():
    ours = token_band_features(noise(), SFREQ, STARTS, 4.0, BandFeatures(mode="filtered"))
    assert_array_equal(ours, token_differential_entropy(noise(), SFREQ, STARTS, 4.0, SJTU_BANDS))


@pytest.mark.parametrize("quantity", ["entropy", "log_power"])
@pytest.mark.parametrize("mode", sorted(POWER))
def test_silence_is_nan_and_nothing_is_infinite(mode, quantity):
    eeg = noise()
    eeg[0], eeg[1] = 0.0, eeg[1] * 1e-30
    config = BandFeatures(mode=mode, quantity=quantity)
    values = token_band_features(eeg, SFREQ, STARTS, 4.0, config).reshape(5, 3, 5)
    expected_silent = np.isnan(values[:, 0]) if mode != "published" or quantity == "entropy" else True
    assert np.all(expected_silent)
    assert not np.isinf(values).any()
    assert np.isfinite(values[:, 1:]).all()


def test_log_power_is_the_natural_logarithm_and_has_a_floor():
    config = BandFeatures(quantity="log_power")
    power = token_band_features(noise(), SFREQ, STARTS, 4.0, BandFeatures(quantity="power"))
    assert_allclose(np.exp(token_band_features(noise(), SFREQ, STARTS, 4.0, config)), power)
    assert_allclose(token_band_features(noise() * 1e-9, SFREQ, STARTS, 4.0, config), np.log(1e-12))


def test_names_and_bands_are_in_the_order_of_the_edges():
    config = BandFeatures(bands={"gamma": Band(30, 45), "theta": Band(4, 8)})
    assert band_feature_names(("C3", "C4"), config) == ("C3/theta", "C3/gamma", "C4/theta", "C4/gamma")
    slow = 10 * np.sin(2 * np.pi * 6 * np.arange(4000) / SFREQ) * np.ones((2, 1))
    values = token_band_features(slow, SFREQ, STARTS, 4.0, config)
    assert (values[:, [0, 2]] > values[:, [1, 3]] + 5).all()


def test_a_wrong_band_is_refused_when_the_config_is_made_and_a_high_one_with_its_rate():
    with pytest.raises(ValidationError, match="wrong: \\['back'\\]"):
        BandFeatures(bands={"back": Band(8, 4)})
    with pytest.raises(SignalError, match="'gamma' ends at 50 Hz"):
        token_band_features(noise(), 90.0, STARTS, 4.0, BandFeatures())
