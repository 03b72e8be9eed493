"""ECG tokens on synthetic hearts whose beats are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.corpora.eegmat import Eegmat
from emo_ray.errors import SignalError
from emo_ray.features.ecg import ECG_FEATURES, ecg_in_spans, ecg_tokens, find_beats

SFREQ = 128.0


def synthetic_ecg(beats_s: np.ndarray, duration_s: float, noise: float = 0.0) -> np.ndarray:
    """P, R and T waves as Gaussian bumps at each beat, in microvolts."""
    times = np.arange(int(duration_s * SFREQ)) / SFREQ
    since = times[:, None] - beats_s
    bump = {"p": (-0.17, 0.025, 120.0), "r": (0.0, 0.012, 1000.0), "t": (0.27, 0.045, 250.0)}
    ecg = sum(a * np.exp(-(((since - at) / sd) ** 2) / 2).sum(axis=1) for at, sd, a in bump.values())
    return ecg + noise * np.random.default_rng(0).normal(size=times.size)


def column(tokens: np.ndarray, name: str) -> np.ndarray:
    return tokens[:, ECG_FEATURES.index(name)]


METRONOME = synthetic_ecg(np.arange(0.5, 60, 0.8), 60)
STARTS = np.arange(60.0)


def test_a_metronome_of_75_beats_has_that_rate_and_no_variability():
    tokens = ecg_tokens(METRONOME, SFREQ, STARTS)[2:57]
    assert_allclose(column(tokens, "heart_rate_10s_bpm"), 75, atol=0.2)
    assert_allclose(column(tokens, "heart_rate_30s_bpm"), 75, atol=0.2)
    assert_allclose(column(tokens, "rr_ms"), 800, atol=4)
    assert_allclose(column(tokens, "sdnn_30s_ms"), 0, atol=2)
    assert_allclose(column(tokens, "rmssd_30s_ms"), 0, atol=3)
    assert_allclose(column(tokens, "pnn50_30s_percent"), 0)
    assert_allclose(column(tokens, "r_amplitude"), 1, atol=0.05)


def test_alternating_intervals_have_their_difference_as_rmssd():
    rr = np.tile([0.76, 0.84], 40)  # every step is 80 ms, so pNN50 is 100; deviations are 40 ms
    tokens = ecg_tokens(synthetic_ecg(0.5 + np.cumsum(rr), 60), SFREQ, STARTS)[20:40]
    assert_allclose(column(tokens, "rmssd_30s_ms"), 80, atol=2)
    assert_allclose(column(tokens, "pnn50_30s_percent"), 100)
    assert_allclose(column(tokens, "sdnn_30s_ms"), 40 * np.sqrt(36 / 35), atol=2)
    assert_allclose(np.abs(column(tokens, "rr_change_ms")), 80, atol=5)


def test_a_heart_that_speeds_up_has_that_slope():
    beats = [0.5]
    while beats[-1] < 59:
        beats.append(beats[-1] + 60 / (60 + 0.5 * beats[-1]))  # half a beat a minute per second
    tokens = ecg_tokens(synthetic_ecg(np.array(beats), 60), SFREQ, STARTS)[15:44]
    assert_allclose(column(tokens, "heart_rate_slope_30s_bpm_per_s"), 0.5, atol=0.03)


def test_amplitudes_are_shares_of_the_median_and_spread_where_they_change():
    ecg = METRONOME.copy()
    ecg[40 * 128 :] *= 0.5  # 50 of 75 beats are of full height, so the median is
    tokens = ecg_tokens(ecg, SFREQ, STARTS)
    assert_allclose(column(tokens, "r_amplitude")[[10, 50]], [1, 0.5], atol=0.05)
    assert column(tokens, "r_amplitude_sd_10s").argmax() in range(37, 43)


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.001])
def test_beats_are_found_in_noise_whatever_the_lead_or_gain(factor):
    truth = np.cumsum(np.random.default_rng(1).normal(0.8, 0.04, 140))
    found = find_beats(factor * synthetic_ecg(truth, truth[-1] + 0.8, noise=60), SFREQ).times_s
    assert len(found) == len(truth)
    assert_allclose(found, truth, atol=0.01)


@pytest.mark.parametrize(
    "ecg",
    [
        np.zeros(7680),
        np.full(7680, 812.0),
        np.full(7680, np.nan),
        METRONOME[:200],
        METRONOME[:128],
        np.zeros(130),
    ],
    ids=["zero", "flat", "missing", "two beats", "one second", "flat second"],
)
def test_a_signal_without_three_beats_is_nan_throughout(ecg):
    tokens = ecg_tokens(ecg, SFREQ, np.array([0.0]))
    assert tokens.shape == (1, len(ECG_FEATURES))
    assert np.isnan(tokens).all()


def test_a_sensor_that_goes_off_takes_its_tokens_and_leaves_the_rest():
    ecg = METRONOME.copy()
    ecg[20 * 128 : 26 * 128] = 0.0
    tokens = ecg_tokens(ecg, SFREQ, STARTS)
    assert_array_equal(np.flatnonzero(np.isnan(tokens).all(axis=1)), np.arange(20, 26))
    assert_allclose(column(tokens, "heart_rate_10s_bpm")[[10, 40]], 75, atol=0.2)


def test_a_gap_takes_its_tokens_and_no_interval_is_measured_across_it():
    ecg = METRONOME.copy()
    ecg[20 * 128 : 21 * 128 + 70] = np.nan  # 1.5 s: the interval across it could be a slow beat
    tokens = ecg_tokens(ecg, SFREQ, STARTS)
    assert_array_equal(np.flatnonzero(np.isnan(tokens).all(axis=1)), [20, 21])
    assert_allclose(column(tokens, "sdnn_30s_ms")[[19, 22]], 0, atol=2)


def test_a_clipped_signal_keeps_its_rate():
    tokens = ecg_tokens(np.clip(METRONOME, -100, 300), SFREQ, STARTS)[2:57]
    assert_allclose(column(tokens, "heart_rate_30s_bpm"), 75, atol=0.5)


def test_noise_lowers_the_share_of_power_in_the_qrs_band():
    noisy = METRONOME + 300 * np.random.default_rng(0).normal(size=METRONOME.size)
    clean = column(ecg_tokens(METRONOME, SFREQ, STARTS), "qrs_power_share")
    assert np.nanmean(column(ecg_tokens(noisy, SFREQ, STARTS), "qrs_power_share")) < np.nanmean(clean) - 0.1


def test_with_an_onset_no_context_reaches_across_it():
    changing = synthetic_ecg(np.concatenate([np.arange(0.5, 30, 1.0), np.arange(30.3, 60, 0.7)]), 60)
    rate = column(ecg_tokens(changing, SFREQ, STARTS, onset_s=30.0), "heart_rate_30s_bpm")
    assert_allclose(rate[:30], 60, atol=0.5)
    assert_allclose(rate[30:], 60 / 0.7, atol=0.5)


def test_tokens_do_not_depend_on_their_neighbours_or_order():
    starts = np.array([33.4, 5.0, 41.0])
    together = ecg_tokens(METRONOME, SFREQ, starts)
    assert_array_equal(together[1:2], ecg_tokens(METRONOME, SFREQ, starts[1:2]))


def test_a_rate_that_can_not_hold_the_heart_band_is_refused():
    with pytest.raises(SignalError, match="'heart' ends at 40 Hz"):
        ecg_tokens(METRONOME, 64.0, STARTS)


def test_spans_have_the_numbers_of_the_beats_inside_them_alone():
    beats = np.concatenate([np.arange(0.5, 60, 1.0), np.arange(60.1, 120, 0.6)])
    found = ecg_in_spans(synthetic_ecg(beats, 120), SFREQ, np.array([0.0, 30.0, 70.0, 110.0]), 10.0)
    assert_allclose(found[:, 0], [60, 60, 100, 100], atol=0.3)
    assert_allclose(found[:, 1:3], 0, atol=4)
    assert np.isnan(found[:, 4:]).all()  # 10 s hold no frequency


def test_alternating_intervals_show_in_spans_too():
    rr = np.tile([0.76, 0.84], 40)
    found = ecg_in_spans(synthetic_ecg(0.5 + np.cumsum(rr), 60), SFREQ, np.array([10.0]), 30.0)[0]
    assert_allclose(found[[0, 2, 3]], [75, 80, 100], atol=2)


def test_spans_of_a_sensor_that_is_off_or_of_one_second_have_no_heart():
    ecg = METRONOME.copy()
    ecg[20 * 128 : 40 * 128] = 3.0
    found = ecg_in_spans(ecg, SFREQ, np.array([5.0, 22.0, 45.0]), 10.0)
    assert_array_equal(np.isnan(found[:, 0]), [False, True, False])
    assert np.isnan(ecg_in_spans(METRONOME, SFREQ, STARTS, 1.0)).all()


def test_a_clipped_lead_keeps_its_heart_rate_in_spans():
    clipped = np.clip(METRONOME, -50, 300)
    assert_allclose(ecg_in_spans(clipped, SFREQ, np.array([10.0, 30.0]), 20.0)[:, 0], 75, atol=0.3)


def coloured_noise(exponent: float, seconds: int, seed: int) -> np.ndarray:
    """Power falls with frequency to the power of ``exponent``."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=round(seconds * SFREQ)))
    hz = np.fft.rfftfreq(round(seconds * SFREQ), 1 / SFREQ)
    return np.fft.irfft(spectrum / np.maximum(hz, 0.1) ** (exponent / 2))


@pytest.mark.parametrize("exponent", [0, 1, 2], ids=["white", "pink", "brown"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_has_no_heart(exponent, seed):
    assert find_beats(coloured_noise(exponent, 120, seed), SFREQ).times_s.size == 0


def test_an_electrode_that_falls_off_takes_its_beats_and_leaves_those_before():
    ecg = synthetic_ecg(np.arange(0.5, 240, 0.8), 240, noise=20)
    ecg[round(120 * SFREQ) :] = 20 * coloured_noise(0, 120, seed=0)
    beats = find_beats(ecg, SFREQ)
    # ten beats beside the noise may go
    assert_allclose(beats.times_s[beats.times_s < 112], np.arange(0.5, 112, 0.8), atol=0.02)
    assert beats.times_s.max() < 121
    tokens = ecg_tokens(ecg, SFREQ, np.arange(136.0, 235.0))  # 30 s hold no beat
    rest = [name for name in ECG_FEATURES if name != "qrs_power_share"]  # it needs no beats
    assert all(np.isnan(column(tokens, name)).all() for name in rest)


def test_an_irregular_heart_keeps_its_beats():
    rr = np.random.default_rng(0).normal(0.7, 0.7 * 0.15, 200)  # far beyond a healthy heart's 5 %
    truth = 0.5 + np.cumsum(rr)
    assert find_beats(synthetic_ecg(truth, truth[-1] + 1), SFREQ).times_s.size == truth.size


@pytest.mark.parametrize("off", [0.0, 7.0, np.nan])
def test_a_sensor_that_is_off_between_two_stretches_takes_no_beats_around_it(off):
    ecg = synthetic_ecg(np.arange(0.5, 240, 0.8), 240)
    ecg[round(20 * SFREQ) : round(220 * SFREQ)] = off  # 25 beats on either side
    found = find_beats(ecg, SFREQ)
    assert 48 <= found.times_s.size <= 51
    assert np.isnan(found.rr_s).sum() <= 3


def test_recordings_without_a_heart_have_no_beats_and_those_of_the_same_people_have(shared_data):
    corpus = Eegmat(path=shared_data / "eegmat")
    without = {"Subject02": "rest", "Subject13": "rest", "Subject20": "arithmetic", "Subject35": "arithmetic"}
    for subject, trial in without.items():
        for recording in corpus.read_subject(f"eegmat/{subject}").recordings:
            ecg = recording.signals["ecg"]
            beats = find_beats(ecg.values[0].astype(np.float64), ecg.sfreq)
            # 62 s: one beat a second at the least
            assert beats.times_s.size == 0 if recording.trial == trial else beats.times_s.size > 55
