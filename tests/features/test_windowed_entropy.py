"""Tokens filtered from rest against a filter that runs over each of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.signal import butter, lfilter, sosfilt

from emo_ray.features.differential_entropy import EEG_BANDS, SJTU_BANDS
from emo_ray.features.windowed_entropy import windowed_band_variance


@pytest.mark.parametrize(("sfreq", "token_s"), [(128.0, 1.0), (200.0, 1.0), (200.0, 4.0)])
def test_variances_equal_those_of_a_filter_from_rest_over_each_token(sfreq, token_s):
    eeg = np.random.default_rng(0).normal(20, 10, (2, int(12 * sfreq)))
    starts = np.array([0.0, 1.5, 7.0])
    ours = windowed_band_variance(eeg, sfreq, starts, token_s, SJTU_BANDS).reshape(3, 2, 5)
    for token, start in enumerate(starts):
        cut = eeg[:, int(start * sfreq) : int((start + token_s) * sfreq)]
        for band, edges in enumerate(SJTU_BANDS.values()):
            filtered = sosfilt(butter(5, edges, "bandpass", fs=sfreq, output="sos"), cut)
            assert_allclose(ours[token, :, band], filtered.var(axis=1), rtol=1e-9)


def test_a_polynomial_filter_gives_the_same_as_far_as_it_keeps_its_digits():
    eeg = np.random.default_rng(1).normal(0, 10, (1, 128))
    ours = windowed_band_variance(eeg, 128.0, np.zeros(1), 1.0, EEG_BANDS)[0]
    theirs = [lfilter(*butter(5, edges, "bandpass", fs=128.0), eeg[0]).var() for edges in EEG_BANDS.values()]
    assert_allclose(ours[3:], theirs[3:], rtol=1e-10)
    assert_allclose(ours, theirs, rtol=1e-6)  # its order of 10 costs the narrow low bands half of them


def test_missing_and_silent_tokens_are_nan():
    eeg = np.random.default_rng(2).normal(0, 10, (2, 1280))
    eeg[0, 128:256], eeg[1, 300] = 4.0, np.inf
    power = windowed_band_variance(eeg, 128.0, np.arange(10.0), 1.0, EEG_BANDS).reshape(10, 2, 5)
    assert np.argwhere(np.isnan(power).all(axis=2)).tolist() == [[1, 0], [2, 1]]
    assert np.isnan(power).sum() == 10
