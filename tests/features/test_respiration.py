"""Breaths of made-up belts: their number, depth and shape, and what silence, holes and clipping give."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.features.respiration import RESPIRATION_FEATURES, find_breaths, respiration_in_spans

SFREQ = 32.0
TIMES_S = np.arange(0, 120, 1 / SFREQ)
SINE = 3 * np.sin(2 * np.pi * 0.25 * TIMES_S)  # 15 breaths a minute, 6 from foot to peak


def features(signal, start_s=30.0, span_s=60.0):
    row = respiration_in_spans(signal, SFREQ, np.array([start_s]), span_s)[0]
    return dict(zip(RESPIRATION_FEATURES, row, strict=True))


def test_a_sine_has_its_rate_depth_and_equal_parts():
    found = features(SINE)
    assert found["breaths_per_minute"] == pytest.approx(15, abs=0.01)
    assert found["breath_interval_sd_s"] == pytest.approx(0, abs=0.02)
    assert found["breath_depth"] == pytest.approx(6, rel=0.01)
    assert found["inspiration_expiration_ratio"] == pytest.approx(1, abs=0.03)
    assert found["respiration_sd"] == pytest.approx(3 / np.sqrt(2), rel=1e-3)


def test_breathing_in_slowly_and_out_fast_turns_the_ratio_around():
    fast_in = np.interp(TIMES_S % 4, [0, 1, 4], [0.0, 2, 0])
    # 1 s to 3 s is a third; the filter rounds the corners of the triangle
    assert 0.3 < features(fast_in)["inspiration_expiration_ratio"] < 0.55
    assert 1 / 0.55 < features(-fast_in)["inspiration_expiration_ratio"] < 1 / 0.3


def test_an_offset_changes_nothing_and_a_gain_only_the_depths():
    plain, scaled = (np.array(list(features(x).values())) for x in (SINE, 1e4 + 10 * SINE))
    assert_allclose(scaled, plain * [1, 1, 10, 10, 1, 10], rtol=1e-6, atol=1e-6)


def test_breaths_lie_where_they_were_made():
    breaths = find_breaths(SINE, SFREQ)
    # peaks of the sine at 1, 5, 9, ... s; the first and the last have no foot on both sides
    assert_allclose(breaths.peaks_s[1:-1], 1 + 4 * np.arange(2, 28), atol=0.05)
    assert breaths.feet_s.size == breaths.peaks_s.size + 1


@pytest.mark.parametrize("signal", [np.full(3840, 2.5), np.full(3840, np.nan), np.zeros(10), np.zeros(0)])
def test_silence_missing_and_too_short_signals_are_undefined(signal):
    assert_array_equal(list(features(signal).values()), np.full(6, np.nan))
    assert find_breaths(signal, SFREQ).peaks_s.size == 0


def test_no_breath_lies_in_a_hole_and_half_a_span_is_enough():
    holed = np.where((TIMES_S >= 60) & (TIMES_S < 75), np.nan, SINE)
    peaks_s = find_breaths(holed, SFREQ).peaks_s
    assert not np.any((peaks_s >= 60) & (peaks_s < 75))
    assert features(holed)["breaths_per_minute"] == pytest.approx(15, rel=0.05)
    assert np.isnan(features(holed, 60.0, 20.0)["breaths_per_minute"])


def test_a_clipped_belt_keeps_its_rate_and_loses_depth():
    found = features(np.clip(SINE, -1.5, 1.5))
    assert found["breaths_per_minute"] == pytest.approx(15, abs=0.05)
    assert found["breath_depth"] < 5
