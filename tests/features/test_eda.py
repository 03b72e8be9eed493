"""The split of skin conductance, its responses, and their features by token and by segment."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import butter, sosfiltfilt

from emo_ray.errors import SignalError
from emo_ray.features.eda import (
    EDA_FEATURES,
    GSR_FEATURES,
    decompose,
    eda_in_spans,
    gsr_in_spans,
    gsr_tokens,
    responses,
    without_spikes,
)


def bumps(times_s, peaks_s, amplitude=1.0):
    """Triangular responses: 1 s up, 2 s down."""
    rise = sum(np.interp(times_s, [p - 1, p, p + 2], [0, amplitude, 0]) for p in peaks_s)
    return np.asarray(rise, dtype=np.float64)


def column(features, name):
    return features[:, GSR_FEATURES.index(name)]


def test_tonic_and_phasic_add_up_to_the_signal_with_a_huge_offset():
    eda = 1e6 + np.random.default_rng(0).normal(size=2000).cumsum()
    tonic, phasic = decompose(eda, 8.0)
    assert_allclose(tonic + phasic, eda, rtol=0, atol=1e-9)


def test_the_phasic_part_is_the_high_pass_of_the_same_corner():
    eda = np.random.default_rng(1).normal(size=4000).cumsum()
    high = sosfiltfilt(butter(2, 0.05, "highpass", fs=4.0, output="sos"), eda)
    assert_allclose(decompose(eda, 4.0)[1][1000:3000], high[1000:3000], atol=1e-4 * eda.std())


def test_a_slow_wave_is_tonic_and_a_fast_one_is_phasic():
    times_s = np.arange(4000) / 4
    slow, fast = np.sin(2 * np.pi * 0.005 * times_s), np.sin(2 * np.pi * 0.5 * times_s)
    tonic, phasic = decompose(slow + fast, 4.0)
    assert_allclose(tonic[400:-400], slow[400:-400], atol=0.01)
    assert_allclose(phasic[400:-400], fast[400:-400], atol=0.01)


def test_holes_stay_holes_and_do_not_spread():
    eda = np.linspace(1, 2, 400)
    eda[100:110] = np.nan
    eda[300] = np.inf
    tonic, phasic = decompose(eda, 4.0)
    expected = np.isin(np.arange(400), [*range(100, 110), 300])
    assert_array_equal(np.isnan(tonic), expected)
    assert_array_equal(np.isnan(phasic), expected)


@pytest.mark.parametrize("n_times", [0, 1, 2, 5])
def test_very_short_and_all_missing_signals_are_split_without_a_complaint(n_times):
    assert decompose(np.ones(n_times), 4.0)[0].shape == (n_times,)
    assert np.isnan(decompose(np.full(n_times, np.nan), 4.0)[1]).all()


def test_a_rate_that_can_not_hold_the_split_is_refused():
    with pytest.raises(SignalError, match=r"0\.1 Hz can not be split at 0\.05 Hz"):
        decompose(np.ones(10), 0.1)


def test_responses_have_the_onset_peak_and_amplitude_they_were_made_with():
    times_s = np.arange(400) / 4
    found = responses(bumps(times_s, [20, 50], 2.0) + bumps(times_s, [70], 0.1), 4.0, min_amplitude=0.5)
    assert_array_equal(found.peaks, [80, 200])
    assert_array_equal(found.onsets, [76, 196])
    assert_allclose(found.amplitudes, [2.0, 2.0])


def test_without_a_threshold_a_tenth_of_the_largest_response_is_needed():
    times_s = np.arange(400) / 4
    phasic = bumps(times_s, [20], 50.0) + bumps(times_s, [40], 6.0) + bumps(times_s, [60], 4.0)
    assert_array_equal(responses(phasic, 4.0).peaks, [80, 160])


def test_one_short_artefact_changes_no_response():
    gsr = bumps(np.arange(300 * 128) / 128, range(15, 300, 15)) + 1e-3 * np.random.default_rng(5).normal(
        size=300 * 128
    )
    knocked = gsr.copy()
    knocked[128 * 100 : 128 * 100 + 10] += 100.0  # 80 ms
    plain, other = (gsr_tokens(x, 128.0, np.arange(300.0), 1.0) for x in (gsr, knocked))
    assert column(plain, "responses_10s").mean() == pytest.approx(19 * 10 / 300, abs=0.05)
    for name in ("responses_10s", "response_amplitude_10s", "since_response_s"):
        assert_allclose(column(other, name), column(plain, name), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("sfreq", [8.0, 16.0])
def test_what_lasts_less_than_half_a_second_is_a_spike_and_a_step_is_none(sfreq):
    signal = np.where(np.arange(400) < 200, 0.0, 3.0)
    spiked = signal.copy()
    spiked[100 : 100 + int(0.5 * sfreq)] = 50.0
    assert_array_equal(without_spikes(spiked, sfreq), signal)


def test_a_signal_that_is_too_slow_to_tell_spikes_keeps_its_samples():
    signal = np.random.default_rng(6).normal(size=50)
    assert_array_equal(without_spikes(signal, 2.0), signal)


def test_less_than_one_period_of_the_split_has_a_straight_line_as_its_level():
    x = np.random.default_rng(7).normal(size=40).cumsum()
    line = np.polyval(np.polyfit(np.arange(40), x, 1), np.arange(40))
    tonic, phasic = decompose(x, 8.0)
    assert_allclose(tonic, line, atol=1e-9)
    assert_allclose(phasic, x - line, atol=1e-9)


def test_tokens_on_one_side_of_the_onset_know_nothing_of_the_signal_on_the_other():
    rng = np.random.default_rng(8)
    gsr, starts_s = 5 + rng.normal(size=60 * 128).cumsum() / 500, np.arange(59.0)
    gsr[128 * 30 :] += bumps(np.arange(30 * 128) / 128, [10], 5.0)  # sets the threshold of responses
    stepped = gsr + np.where((np.arange(gsr.size) >= 640) & (np.arange(gsr.size) < 128 * 25), 3.0, 0.0)
    plain, other = (gsr_tokens(x, 128.0, starts_s, 1.0, onset_s=5.0) for x in (gsr, stepped))
    assert_array_equal(other[:5], plain[:5])
    assert_allclose(column(plain, "tonic_level")[:5].mean(), gsr[:640].mean(), rtol=1e-9)
    mirrored = np.concatenate([100 - gsr[:640], gsr[640:]])
    assert_array_equal(gsr_tokens(mirrored, 128.0, starts_s, 1.0, onset_s=5.0)[5:], plain[5:])


def test_a_flat_signal_has_no_response():
    assert responses(np.zeros(100), 4.0).peaks.size == 0


def test_tokens_count_the_responses_of_the_ten_seconds_up_to_their_end():
    times_s = np.arange(60 * 128) / 128
    features = gsr_tokens(500 + bumps(times_s, [20, 26]), 128.0, np.arange(60.0), 1.0)
    # The token at k s ends at k + 1; the peak at 20 s is in [k - 9, k + 1) for k = 20 .. 29.
    expected = [(20 <= k <= 29) + (26 <= k <= 35) for k in range(60)]
    assert_array_equal(column(features, "responses_10s"), expected)
    assert_array_equal(column(features, "response_amplitude_10s") > 0, np.array(expected) > 0)


def test_time_since_the_last_response_grows_to_thirty_seconds():
    times_s = np.arange(80 * 128) / 128
    since = column(
        gsr_tokens(bumps(times_s, [20]), 128.0, np.array([5.0, 20.0, 30.0, 70.0]), 1.0), "since_response_s"
    )
    assert_allclose(since, [30, 1, 11, 30], atol=0.15)


def test_tokens_in_another_unit_differ_by_that_unit_only():
    rng = np.random.default_rng(2)
    gsr = rng.normal(size=7680).cumsum() / 50
    plain, scaled = (gsr_tokens(x, 128.0, np.arange(59.0), 1.0) for x in (gsr, 1e4 + 7 * gsr))
    free = [GSR_FEATURES.index(name) for name in ("responses_10s", "since_response_s")]
    factor, offset = np.full(10, 7.0), np.zeros(10)
    factor[free], offset[0] = 1.0, 1e4
    assert_allclose(scaled, factor * plain + offset, rtol=1e-6, atol=1e-6)


def test_a_ramp_has_its_slope_and_no_phasic_part_away_from_the_edges():
    features = gsr_tokens(3 + 0.5 * np.arange(120 * 128) / 128, 128.0, np.arange(40.0, 80.0), 1.0)
    assert_allclose(column(features, "tonic_slope"), 0.5, atol=0.01)
    assert_allclose(column(features, "derivative_mean"), 0.5, atol=1e-6)
    assert_allclose(column(features, "phasic_mean"), 0, atol=0.02)


def test_tokens_outside_the_signal_or_in_a_hole_are_undefined_and_others_are_not():
    gsr = np.random.default_rng(3).normal(size=1280)
    gsr[256:512] = np.nan
    features = gsr_tokens(gsr, 128.0, np.array([-5.0, 0.0, 2.5, 6.0, 20.0]), 1.0)
    assert_array_equal(np.isnan(features).all(axis=1), [True, False, True, False, True])
    assert np.isfinite(features[[1, 3]]).all()


@pytest.mark.parametrize("gsr", [np.zeros(0), np.zeros(3), np.full(1280, np.nan), np.full(1280, 5.0)])
def test_degenerate_signals_give_features_without_a_warning(gsr):
    assert gsr_tokens(gsr, 128.0, np.arange(4.0), 1.0).shape == (4, 10)


def test_minute_features_have_the_level_slope_and_responses_of_the_signal():
    times_s = np.arange(240 * 4) / 4
    eda = 2 + 0.001 * times_s + bumps(times_s, [70, 90, 110, 150], 0.5)
    second = dict(zip(EDA_FEATURES, eda_in_spans(eda, 4.0, np.array([0.0, 60.0]), 60.0)[1], strict=True))
    # A bump covers 0.5 * 0.5 * 3 uS s; three lie in 60-120 s, where the ramp has its mean at 89.875 s.
    assert second["eda_level_us"] == pytest.approx(2 + 0.089875 + 3 * 0.75 / 60, abs=1e-9)
    assert second["scr_per_minute"] == 3
    assert second["scr_amplitude_us"] == pytest.approx(0.5, abs=0.05)


def test_a_flat_or_missing_minute_is_undefined():
    eda = np.concatenate([np.zeros(240), np.full(240, np.nan), np.random.default_rng(4).normal(size=240)])
    features = eda_in_spans(eda, 4.0, np.array([0.0, 60.0, 120.0]), 60.0)
    assert_array_equal(np.isnan(features).all(axis=1), [True, True, False])
    assert np.isfinite(features[2]).all()


def test_a_sensor_of_unknown_unit_has_the_same_responses_at_any_gain():
    times_s = np.arange(0, 120, 1 / 32)
    signal = 5 + bumps(times_s, [20, 35, 80], 0.5)
    plain, huge = (gsr_in_spans(gain * signal, 32.0, np.array([0.0, 60.0]), 60.0) for gain in (1.0, 1e4))
    assert_allclose(plain[:, 3], [2, 1])
    assert_allclose(huge / plain, np.tile([1e4, 1e4, 1e4, 1, 1e4, 1e4, 1e4], (2, 1)), rtol=1e-6)


def test_a_fast_sensor_in_microsiemens_has_the_responses_it_was_made_with():
    times_s = np.arange(0, 60, 1 / 128)
    noisy = 2 + bumps(times_s, [20, 40], 0.5) + 0.005 * np.random.default_rng(0).normal(size=times_s.size)
    found = eda_in_spans(noisy, 128.0, np.array([0.0]), 60.0)[0]
    assert found[3] == 2  # two in a minute
    assert_allclose(found[4], 0.5, atol=0.03)
