"""Band power of tokens against scipy's Welch, against Parseval's sum, and on broken signals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.signal import welch

from emo_ray.errors import SignalError
from emo_ray.features.differential_entropy import SJTU_BANDS
from emo_ray.features.spectral import token_band_power, welch_density
from emo_ray.signals.filters import Band

SFREQ = 200.0


def noise(n_channels: int = 3, seconds: int = 20, offset: float = 0.0) -> np.ndarray:
    return np.random.default_rng(1).normal(offset, 10, (n_channels, int(seconds * SFREQ)))


@pytest.mark.parametrize(("token_s", "n_fft"), [(4.0, 1024), (1.0, 256), (1.28, 256)])
def test_the_power_of_a_token_is_the_sum_of_welchs_density_over_half_open_bands(token_s, n_fft):
    eeg = noise(offset=50.0)
    starts = np.array([0.0, 2.5, 12.0])
    power = token_band_power(eeg, SFREQ, starts, token_s, SJTU_BANDS).reshape(3, 3, 5)
    for token, start in enumerate(starts):
        cut = eeg[:, round(start * SFREQ) : round((start + token_s) * SFREQ)]
        hz, density = welch(cut, SFREQ, window="hann", nperseg=cut.shape[1], nfft=n_fft)
        for band, (low, high) in enumerate(SJTU_BANDS.values()):
            expected = density[:, (hz >= low) & (hz < high)].sum(axis=1) * SFREQ / n_fft
            assert_allclose(power[token, :, band], expected, rtol=1e-12)


def test_a_sine_of_20_microvolts_has_power_200_in_its_band_and_next_to_none_elsewhere():
    sine = 20 * np.sin(2 * np.pi * 10 * np.arange(800) / SFREQ)[None]
    power = token_band_power(sine, SFREQ, np.zeros(1), 4.0, SJTU_BANDS)[0]
    assert_allclose(power[2], 200.0, rtol=1e-4)
    assert power[[0, 1, 3, 4]].max() < 0.01


def test_an_offset_leaves_no_power():
    eeg = noise()
    moved = token_band_power(eeg + 1000.0, SFREQ, np.arange(20.0), 1.0, SJTU_BANDS)
    assert_allclose(moved, token_band_power(eeg, SFREQ, np.arange(20.0), 1.0, SJTU_BANDS), rtol=1e-9)


def test_single_precision_keeps_the_entropy_to_a_thousandth():
    rng = np.random.default_rng(2)
    slow = np.cumsum(rng.normal(0, 5, (2, 4000)), axis=1)  # gamma is about a millionth of all power
    exact = token_band_power(
        slow.astype(np.float32).astype(np.float64), SFREQ, np.arange(20.0), 1.0, SJTU_BANDS
    )
    single = token_band_power(slow.astype(np.float32), SFREQ, np.arange(20.0), 1.0, SJTU_BANDS)
    assert single.dtype == np.float32
    assert_allclose(np.log(single), np.log(exact), atol=1e-3)


def test_tokens_in_any_order_and_at_any_distance_equal_tokens_one_by_one():
    eeg = noise()
    starts = np.array([15.0, 0.3, 0.3, 7.77, 3.0])
    together = token_band_power(eeg, SFREQ, starts, 1.0, SJTU_BANDS)
    for token, start in enumerate(starts):
        alone = token_band_power(eeg, SFREQ, np.array([start]), 1.0, SJTU_BANDS)
        assert_allclose(together[token], alone[0], rtol=1e-12)


def test_many_blocks_equal_one_block(monkeypatch):
    eeg = noise()
    one = token_band_power(eeg, SFREQ, np.arange(20.0), 1.0, SJTU_BANDS)
    monkeypatch.setattr(
        "emo_ray.features.token_blocks.BLOCK_BYTES", 3 * 200 * 8 * 3
    )  # three tokens at a time
    assert_allclose(token_band_power(eeg, SFREQ, np.arange(20.0), 1.0, SJTU_BANDS), one, rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gap_takes_its_channel_and_token_only(bad):
    eeg = noise(seconds=60)
    eeg[1, 7 * 200 + 3 : 7 * 200 + 14] = bad  # 55 ms
    power = token_band_power(eeg, SFREQ, np.arange(0, 60, 1.0), 1.0, SJTU_BANDS).reshape(60, 3, 5)
    assert np.isnan(power[7, 1]).all()
    power[7, 1] = 0.0
    assert np.isfinite(power).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_lost_sample_counts_as_lying_on_the_line_between_its_neighbours(bad):
    lost, mended = noise(), noise()
    lost[1, 1403] = bad
    mended[1, 1403] = (mended[1, 1402] + mended[1, 1404]) / 2
    starts = np.arange(20.0)
    found, expected = (token_band_power(eeg, SFREQ, starts, 1.0, SJTU_BANDS) for eeg in (lost, mended))
    assert_allclose(found, expected, rtol=1e-12)
    assert np.isnan(lost[1, 1403]) == np.isnan(bad)  # what was given stays as it is


@pytest.mark.parametrize(("places", "defined"), [((20, 30), True), ((20, 31), False), ((0, 1), False)])
def test_a_gap_of_50_ms_is_bridged_but_no_longer_one_and_none_at_the_end(places, defined):
    eeg = noise(1)
    eeg[0, slice(*places)] = np.nan
    power = token_band_power(eeg, SFREQ, np.array([0.0]), 10.0, SJTU_BANDS)
    assert np.isfinite(power).all() == defined


@pytest.mark.parametrize(("n_lost", "defined"), [(10, True), (11, False)])
def test_a_token_may_lack_a_twentieth_of_its_samples(n_lost, defined):
    eeg = noise(1)
    eeg[0, 5 : 5 + 15 * n_lost : 15] = np.nan  # 10 of the 200 samples of the first second
    power = token_band_power(eeg, SFREQ, np.array([0.0, 3.0]), 1.0, SJTU_BANDS)
    assert np.isfinite(power).all(axis=1).tolist() == [defined, True]


def test_the_worst_gaps_that_are_bridged_move_entropy_less_than_it_scatters():
    rng = np.random.default_rng(0)
    hz = np.fft.rfftfreq(80_000, 1 / SFREQ)
    whole = 60 * np.fft.irfft(np.fft.rfft(rng.normal(size=(4, 80_000))) / np.sqrt(np.maximum(hz, 0.5)))
    gappy, starts = whole.copy(), np.arange(0, 400, 10.0)
    for slot in np.flatnonzero(rng.random(400) < 0.99):  # a gap of 50 ms in each second: 5 %
        at = slot * 200 + rng.integers(10, 180)
        gappy[:, at : at + 10] = np.nan
    power = [token_band_power(eeg, SFREQ, starts, 10.0, SJTU_BANDS) for eeg in (whole, gappy)]
    error = 0.5 * np.log(power[1] / power[0]).reshape(40, 4, 5)
    scatter = 0.5 * np.log(power[0]).reshape(40, 4, 5).std(axis=0).mean(axis=0)
    moved = np.sqrt(np.square(error).mean(axis=(0, 1)))  # NaN, and so failing, where a token is lost
    assert (moved < 0.75 * scatter).all()
    assert moved.max() < 0.05


def test_a_silent_channel_is_nan_and_one_that_moves_once_is_not():
    eeg = noise()
    eeg[0] = 7.1
    eeg[1, :200] = 7.1
    eeg[1, 50] = 7.2  # ends and middle agree, this one does not
    power = token_band_power(eeg, SFREQ, np.arange(20.0), 1.0, SJTU_BANDS).reshape(20, 3, 5)
    assert np.isnan(power[:, 0]).all()
    assert np.isfinite(power[:, 1:]).all()


def test_no_tokens_give_no_rows_and_all_columns():
    assert token_band_power(noise(), SFREQ, np.zeros(0), 1.0, SJTU_BANDS).shape == (0, 15)
    assert token_band_power(noise(seconds=2), SFREQ, np.zeros(0), 4.0, SJTU_BANDS).shape == (0, 15)


def test_a_band_between_two_bins_is_refused():
    with pytest.raises(SignalError, match=r"\['narrow'\].*0.78125 Hz apart"):
        token_band_power(noise(), SFREQ, np.zeros(1), 1.0, {"narrow": Band(4.0, 4.5)})


def test_welchs_density_of_white_noise_is_its_variance_over_half_the_rate():
    hz, density = welch_density(noise(seconds=400), SFREQ)
    assert_allclose(np.diff(hz), 0.5)
    assert_allclose(density[:, 2:-2].mean(axis=1), 100 / (SFREQ / 2), rtol=0.03)


def test_welchs_density_is_nan_for_silence_and_gaps_and_refuses_a_short_segment():
    segment = noise(seconds=4)
    segment[0], segment[1, 5] = 3.0, np.nan
    _, density = welch_density(segment, SFREQ)
    assert np.isnan(density[:2]).all()
    assert np.isfinite(density[2]).all()
    with pytest.raises(SignalError, match="holds no frame of 2 s"):
        welch_density(noise(seconds=1), SFREQ)
