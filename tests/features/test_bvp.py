"""Beats of the blood volume pulse, and what is taken from them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.features.bvp import BVP_FEATURES, bvp_in_spans, find_beats

SFREQ = 64.0
STARTS_S = np.array([0.0, 60.0])


def pulses(beats_s, seconds=120.0, size=50.0):
    """A bump of 0.1 s deviation at each beat."""
    times_s = np.arange(round(seconds * SFREQ)) / SFREQ
    return size * np.exp(-0.5 * ((times_s[:, None] - beats_s) / 0.1) ** 2).sum(axis=1)


def features_of(bvp):
    rows = bvp_in_spans(bvp, SFREQ, STARTS_S, 60.0)
    return dict(zip(BVP_FEATURES, rows.T, strict=True))


@pytest.mark.parametrize("rate_bpm", [45, 75, 150])
def test_a_regular_pulse_has_its_rate_and_no_variability(rate_bpm):
    found = features_of(pulses(np.arange(0.3, 120, 60 / rate_bpm)))
    assert_allclose(found["heart_rate_bpm"], rate_bpm, rtol=1e-3)
    assert_allclose(found["rmssd_ms"], 0, atol=2)
    assert_array_equal(found["pnn50_percent"], 0)


def test_beats_are_found_between_samples():
    beats_s = np.arange(0.5, 119, 0.83) + np.random.default_rng(0).uniform(-0.02, 0.02, size=143)
    found = find_beats(pulses(beats_s), SFREQ)
    assert found.size == beats_s.size
    assert_allclose(found[2:-2], beats_s[2:-2], atol=0.004)


def test_a_second_wave_after_each_beat_is_no_beat():
    beats_s = np.arange(0.5, 119, 0.9)
    found = find_beats(pulses(beats_s) + 0.4 * pulses(beats_s + 0.35), SFREQ)
    inner = beats_s < 115  # at the very end the second wave has no beat behind it
    assert_allclose(found[: inner.sum()], beats_s[inner], atol=0.01)


def test_alternating_intervals_have_the_variability_worked_by_hand():
    beats_s = np.cumsum(np.tile([0.8, 0.9], 70))
    found = features_of(pulses(beats_s))
    # Each interval is 50 ms off the mean and 100 ms off its neighbour; the band blurs that a little.
    assert_allclose(found["rmssd_ms"], 100, rtol=0.1)
    assert_allclose(found["sdnn_ms"], 50, rtol=0.1)
    assert_array_equal(found["pnn50_percent"], 100)


def test_the_size_of_the_pulse_scales_with_the_signal_and_the_rate_does_not():
    plain, double = (features_of(pulses(np.arange(0.3, 120, 0.8), size=size)) for size in (10.0, 20.0))
    for name in ("pulse_size", "bvp_sd"):
        assert_allclose(double[name], 2 * plain[name], rtol=1e-9)
    assert_allclose(double["heart_rate_bpm"], plain["heart_rate_bpm"])


def test_the_share_of_plausible_intervals_falls_with_a_hole():
    bvp = pulses(np.arange(0.3, 120, 0.8))
    bvp[round(70 * SFREQ) : round(90 * SFREQ)] = np.nan
    found = features_of(bvp)
    assert found["plausible_share"][0] > 0.97
    assert found["plausible_share"][1] == pytest.approx(40 / 60, abs=0.05)
    assert_allclose(found["heart_rate_bpm"], 75, rtol=0.01)


@pytest.mark.parametrize("level", [0.0, 5.0, np.nan])
def test_a_flat_or_missing_signal_has_no_beats_and_no_features(level):
    bvp = np.full(round(120 * SFREQ), level)
    assert find_beats(bvp, SFREQ).size == 0
    assert np.isnan(bvp_in_spans(bvp, SFREQ, STARTS_S, 60.0)).all()


def test_a_pulse_that_stops_has_no_beats_afterwards():
    bvp = pulses(np.arange(0.3, 58, 0.8))
    assert find_beats(bvp, SFREQ).max() < 59
    assert np.isnan(features_of(bvp)["heart_rate_bpm"][1])


@pytest.mark.parametrize("n_times", [0, 1, 64])
def test_a_signal_too_short_to_filter_has_no_beats(n_times):
    assert find_beats(np.ones(n_times), SFREQ).size == 0
    assert np.isnan(bvp_in_spans(np.ones(n_times), SFREQ, STARTS_S, 60.0)).all()
