"""Shipped feature series as tokens: cut, whole, smoothed, and too short."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.features.smoothing import LdsConfig, lds_smooth


def trial(n_times, annotations=None, **series):
    """A recording of one token every 4 s, with two channels that count."""
    counting = np.stack([np.arange(n_times), 100 + np.arange(n_times)]).astype(np.float32)
    signals = {
        name: Signal(values, 0.25, "nat", ("a", "b")) for name, values in ({"de": counting} | series).items()
    }
    return Recording("x/1", "1", "t", "t", "x/1", signals, {"label": 2.0}, annotations or {})


def test_segments_follow_each_other_and_a_rest_is_left_out():
    rows = RawTokens(n_tokens=3).segments(trial(8))
    assert_array_equal(rows.values["de"][:, :, 0], [[0, 1, 2], [3, 4, 5]])
    assert_array_equal(rows.start_s, [0, 12])
    assert_array_equal(rows.ratings["label"], [2, 2])


def test_a_hop_makes_segments_overlap():
    rows = RawTokens(n_tokens=3, hop=2).segments(trial(8))
    assert_array_equal(rows.values["de"][:, 0, 0], [0, 2, 4])


def test_a_whole_trial_is_padded_and_masked_behind_its_end():
    rows = RawTokens(n_tokens=5, whole=True).segments(trial(3))
    assert_array_equal(rows.values["de"][0, :, 1], [100, 101, 102, np.nan, np.nan])
    assert_array_equal(rows.masks["de"], [[True, True, True, False, False]])


def test_a_longer_whole_trial_is_cropped_to_its_first_tokens():
    rows = RawTokens(n_tokens=5, whole=True).segments(trial(9))
    assert_array_equal(rows.values["de"][:, :, 0], [[0, 1, 2, 3, 4]])


@pytest.mark.parametrize(("config", "n_times"), [(RawTokens(n_tokens=4), 3), (RawTokens(whole=True), 0)])
def test_a_trial_that_is_too_short_is_rejected_with_its_length(config, n_times):
    rows = config.segments(trial(n_times))
    assert rows.start_s.size == 0
    assert f"{n_times} samples, less than" in rows.rejected[0].reason


def test_series_are_smoothed_over_the_trial_before_they_are_cut():
    config = LdsConfig(kind="smooth", m0="mean")
    noise = np.random.default_rng(0).normal(size=(2, 12)).astype(np.float32)
    noise[1, 4] = np.nan
    rows = RawTokens(n_tokens=4, smoothing=config).segments(trial(12, de=noise))
    joined = rows.values["de"].reshape(12, 2)
    assert_allclose(joined[:, 0], lds_smooth(noise.T, config)[:, 0], rtol=1e-6)
    assert_array_equal(np.isnan(joined[:, 1]), np.arange(12) == 4)  # what was missing stays missing


def test_signals_are_cut_to_the_shortest_and_only_those_asked_for():
    eye = np.ones((2, 6), dtype=np.float32)
    assert RawTokens(n_tokens=4).segments(trial(8, eye=eye)).start_s.size == 1
    assert set(RawTokens(n_tokens=4, signals=("de",)).segments(trial(8, eye=eye)).values) == {"de"}
    assert "it has de" in RawTokens(signals=("psd",)).segments(trial(8)).rejected[0].reason


def test_annotations_with_a_clock_are_read_off_at_the_centre_of_a_segment():
    annotations = {
        "start_s": np.array([0.0, 16.0]),
        "stop_s": np.array([16.0, 32.0]),
        "intensity": np.array([0.2, 0.8]),
    }
    rows = RawTokens(n_tokens=3).segments(trial(9, annotations))  # 12 s each: centres 6, 18, 30 s
    assert_allclose(rows.ratings["intensity"], [0.2, 0.8, 0.8])
