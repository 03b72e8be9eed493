"""Differential entropy against sines, whose variance is known, and against one segment at a time."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.errors import SignalError
from emo_ray.features.differential_entropy import (
    EEG_BANDS,
    differential_entropy,
    differential_entropy_names,
    token_differential_entropy,
)
from emo_ray.signals.filters import Band, band_pass

SFREQ = 128.0
SECONDS = np.arange(0.0, 30.0)
ALPHA = list(EEG_BANDS).index("alpha")


def noise(n_channels: int = 2, seconds: int = 30) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 10, (n_channels, int(seconds * SFREQ)))


def test_a_sine_of_20_microvolts_has_the_entropy_of_variance_200_in_alpha():
    sine = 20 * np.sin(2 * np.pi * 10 * np.arange(30 * 128) / SFREQ)[None]
    tokens = token_differential_entropy(sine, SFREQ, SECONDS)
    assert_allclose(tokens[5:25, ALPHA], 0.5 * np.log(2 * np.pi * np.e * 200), atol=0.01)
    assert tokens[5:25, [0, 3, 4]].max() < tokens[5:25, ALPHA].min() - 4


def test_columns_run_channel_by_channel():
    assert differential_entropy_names(("AF3", "F7"), {"theta": Band(4, 8), "alpha": Band(8, 13)}) == (
        "AF3/theta", "AF3/alpha", "F7/theta", "F7/alpha",
    )  # fmt: skip
    tokens = token_differential_entropy(noise(3) * np.array([[1], [1], [100]]), SFREQ, SECONDS)
    assert tokens.shape == (30, 15)
    assert tokens[:, 10:].min() > tokens[:, :10].max()


def test_tokens_equal_the_variance_of_slices_of_the_filtered_trial():
    eeg = noise()
    starts = np.array([0.0, 0.5, 7.25, 29.0])
    tokens = token_differential_entropy(eeg, SFREQ, starts)
    filtered = band_pass(eeg, SFREQ, EEG_BANDS["theta"])
    cut = np.stack([filtered[:, int(s * 128) : int(s * 128) + 128] for s in starts])
    assert_allclose(tokens[:, [0, 5]], 0.5 * np.log(2 * np.pi * np.e * cut.var(axis=2)))


def test_one_token_as_long_as_the_trial_is_the_entropy_of_the_segment():
    eeg = noise(seconds=4)
    tokens = token_differential_entropy(eeg, SFREQ, np.array([0.0]), token_s=4.0)
    assert_allclose(tokens.reshape(2, 5), differential_entropy(eeg, SFREQ))


def test_a_silent_channel_is_nan_and_leaves_the_others():
    eeg = noise()
    eeg[0] = 7.0
    tokens = token_differential_entropy(eeg, SFREQ, SECONDS)
    assert np.isnan(tokens[:, :5]).all()
    assert np.isfinite(tokens[:, 5:]).all()


def test_the_entropy_of_a_silent_segment_is_that_of_the_floor():
    entropy = differential_entropy(np.zeros((1, 256)), SFREQ)
    assert_allclose(entropy, 0.5 * np.log(2 * np.pi * np.e * 1e-12))


def test_a_missing_sample_takes_its_token_and_those_within_the_filters_reach():
    eeg, whole = noise(), noise()
    eeg[0, 15 * 128 + 64] = np.nan
    tokens = token_differential_entropy(eeg, SFREQ, SECONDS)
    assert_array_equal(np.flatnonzero(np.isnan(tokens[:, 4])), [15])  # gamma: a fifth of a second
    assert_array_equal(np.flatnonzero(np.isnan(tokens[:, 0])), [14, 15, 16])  # theta: a second
    clean = token_differential_entropy(whole, SFREQ, SECONDS)
    kept = np.isfinite(tokens)
    assert_allclose(tokens[kept], clean[kept], atol=0.02)


def test_a_trial_without_a_finite_sample_is_nan_throughout():
    tokens = token_differential_entropy(np.full((1, 1280), np.nan), SFREQ, np.arange(5.0))
    assert np.isnan(tokens).all()


def test_a_band_above_the_nyquist_frequency_is_refused():
    with pytest.raises(SignalError, match="'high_gamma' ends at 80 Hz"):
        token_differential_entropy(noise(), SFREQ, SECONDS, bands={"high_gamma": Band(45, 80)})
