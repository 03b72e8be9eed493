"""Coherence against scipy's, phase locking against its definition, and both on signals made to be alike."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydantic import ValidationError
from scipy.signal import coherence, hilbert

from emo_ray.errors import SignalError
from emo_ray.features.connectivity import ConnectivityConfig, connectivity_names, token_connectivity
from emo_ray.signals.filters import Band, band_pass

SFREQ = 128.0
BANDS = {"theta": Band(4, 8), "alpha": Band(8, 13)}
COHERENCE = ConnectivityConfig(bands=BANDS)
LOCKING = ConnectivityConfig(measure="phase_locking", bands=BANDS)


def noise(n_channels: int = 3, seconds: int = 40) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 10, (n_channels, int(seconds * SFREQ)))


def test_coherence_is_scipys_mean_over_the_bins_of_a_band():
    eeg = noise()
    eeg[1] += eeg[0]
    ours = token_connectivity(eeg, SFREQ, np.array([3.0, 20.0]), 10.0, COHERENCE).reshape(2, 3, 2)
    for token, start in enumerate((384, 2560)):
        cut = eeg[:, start : start + 1280]
        for pair, (one, other) in enumerate([(0, 1), (0, 2), (1, 2)]):
            hz, value = coherence(cut[one], cut[other], SFREQ, nperseg=128)
            expected = [value[(hz >= low) & (hz < high)].mean() for low, high in BANDS.values()]
            assert_allclose(ours[token, pair], expected, rtol=1e-9)


def test_phase_locking_is_the_length_of_the_mean_phase_difference():
    eeg = noise()
    ours = token_connectivity(eeg, SFREQ, np.array([10.0]), 10.0, LOCKING).reshape(3, 2)
    phase = np.angle(hilbert(band_pass(eeg, SFREQ, BANDS["alpha"])))[:, 1280:2560]
    expected = [abs(np.exp(1j * (phase[a] - phase[b])).mean()) for a, b in [(0, 1), (0, 2), (1, 2)]]
    assert_allclose(ours[:, 1], expected, rtol=1e-9)


@pytest.mark.parametrize("config", [COHERENCE, LOCKING], ids=lambda config: config.measure)
def test_a_delayed_sine_is_locked_in_its_band_and_noise_is_not(config):
    times = np.arange(40 * 128) / SFREQ
    eeg = noise(3)
    eeg[0] += 100 * np.sin(2 * np.pi * 10 * times)
    eeg[1] += 100 * np.sin(2 * np.pi * 10 * times - 1.0)
    values = token_connectivity(eeg, SFREQ, np.array([10.0]), 20.0, config).reshape(3, 2)
    assert values[0, 1] > 0.5
    assert values[[1, 2]].max() < 0.4
    assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("config", [COHERENCE, LOCKING], ids=lambda config: config.measure)
def test_pairs_of_a_silent_channel_or_a_gap_are_nan(config):
    eeg = noise()
    eeg[0] = 5.0
    eeg[1, 12 * 128] = np.nan
    values = token_connectivity(eeg, SFREQ, np.array([0.0, 10.0]), 10.0, config).reshape(2, 3, 2)
    assert np.isnan(values[:, :2]).all()  # pairs of channel 0
    assert np.isfinite(values[0, 2]).all()
    assert np.isnan(values[1, 2]).all()


def test_names_are_the_upper_triangle_pair_by_pair():
    names = connectivity_names(("C3", "C4", "CZ"), COHERENCE)
    assert names[:3] == ("C3~C4/theta", "C3~C4/alpha", "C3~CZ/theta")
    assert len(names) == 6


def test_too_few_frames_no_bands_and_empty_bands_are_refused():
    with pytest.raises(SignalError, match="holds 3 frames of 1 s, and coherence needs 4"):
        token_connectivity(noise(), SFREQ, np.zeros(1), 2.0, COHERENCE)
    with pytest.raises(ValidationError, match="at least 1"):
        ConnectivityConfig(bands={})
    narrow = ConnectivityConfig(bands={"narrow": Band(8.2, 8.9)})
    with pytest.raises(SignalError, match="'narrow' holds no bin"):
        token_connectivity(noise(), SFREQ, np.zeros(1), 10.0, narrow)
