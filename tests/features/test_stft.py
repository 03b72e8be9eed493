"""Short-time spectra: the published grids, the clean scale, and broken clips."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emo_ray.errors import SignalError
from emo_ray.features.stft import PUBLISHED_SAMPLES, clean_stft, published_bins, published_stft


def noise(n_times: int, n_channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 10, (n_channels, n_times))


@pytest.mark.parametrize(
    ("corpus", "sfreq", "n_times", "grid"),
    [
        ("deap", 128.0, 8064, (100, 64)),
        ("gameemo", 128.0, 640, (51, 11)),
        ("seed_iv", 200.0, 28000, (100, 141)),
    ],
)
def test_the_kept_and_the_stretched_grids_are_the_published_ones(corpus, sfreq, n_times, grid):
    clip = noise(n_times)
    assert published_bins(clip, sfreq, PUBLISHED_SAMPLES[corpus]).shape == (2, *grid)
    assert published_stft(clip, sfreq, PUBLISHED_SAMPLES[corpus]).shape == (2, 129, 126)


def test_a_sine_has_half_its_amplitude_in_its_bin():
    sine = 20 * np.sin(2 * np.pi * 10 * np.arange(8064) / 128)[None]
    bins = published_bins(sine, 128.0, 256)[0]
    assert_allclose(bins[19, 2:-2], 10.0, rtol=1e-6)  # 0.5 Hz first: 10 Hz is the 20th


def test_the_stretching_is_by_straight_lines_with_the_corners_kept():
    clip = noise(640)
    bins, stretched = published_bins(clip, 128.0, 128), published_stft(clip, 128.0, 128)
    rows = np.linspace(0, bins.shape[1] - 1, 129)
    columns = np.linspace(0, bins.shape[2] - 1, 126)
    by_row = np.stack([np.interp(rows, np.arange(51), column) for column in bins[1].T], axis=1)
    both = np.stack([np.interp(columns, np.arange(11), row) for row in by_row])
    assert_allclose(stretched[1], both, rtol=1e-9)


def test_a_clip_shorter_than_a_frame_is_filled_up():
    short = noise(100)
    assert published_stft(short, 128.0, 256).shape == (2, 129, 126)
    filled = np.pad(short, ((0, 0), (0, 156)))
    assert_allclose(published_bins(short, 128.0, 256), published_bins(filled, 128.0, 256))
    assert clean_stft(short, 128.0).shape == (2, 45, 1)


@pytest.mark.parametrize(("sfreq", "seconds", "n_frames"), [(128.0, 10, 19), (200.0, 10, 19), (200.0, 4, 7)])
def test_the_clean_grid_is_the_same_for_every_rate(sfreq, seconds, n_frames):
    assert clean_stft(noise(int(sfreq * seconds)), sfreq).shape == (2, 45, n_frames)


def test_the_clean_spectrum_is_log_power_of_frames_with_mean_0_and_deviation_1():
    clip = noise(1280) + 500.0
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(128) / 128)
    frames = [clip[1, at : at + 128] for at in range(0, 1280 - 127, 64)]
    spectra = [np.fft.rfft((frame - frame.mean()) * taper)[1:46] / taper.sum() for frame in frames]
    power = np.log1p(np.abs(spectra).T ** 2)
    assert_allclose(clean_stft(clip, 128.0)[1], (power - power.mean()) / power.std(), rtol=1e-6, atol=1e-9)


def test_a_sine_stands_out_at_its_frequency_at_any_rate():
    for sfreq in (128.0, 200.0, 256.0):
        clip = noise(int(10 * sfreq)) + 30 * np.sin(2 * np.pi * 23 * np.arange(int(10 * sfreq)) / sfreq)
        assert (clean_stft(clip, sfreq).mean(axis=2).argmax(axis=1) == 22).all()  # 1 Hz first


def test_silence_is_nan_and_a_missing_sample_takes_its_frames():
    clip = noise(1280, 3)
    clip[0], clip[1, 5] = 12.5, np.nan
    spectrum = clean_stft(clip, 128.0)
    assert np.isnan(spectrum[0]).all()
    assert np.isnan(spectrum[1, :, 0]).all()
    assert_allclose(np.mean(spectrum[1, :, 1:]), 0.0, atol=1e-9)
    assert np.isfinite(spectrum[2]).all()


def test_a_rate_that_does_not_carry_the_grid_is_refused():
    with pytest.raises(SignalError, match="does not fit a rate of 90 Hz"):
        clean_stft(noise(900), 90.0)
    with pytest.raises(SignalError, match="reach 50 Hz"):
        published_stft(noise(900), 90.0, 90)
