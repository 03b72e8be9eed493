"""The table of families: names match columns, and nothing fails on a sensor that is off or too short."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from emo_ray.features.bvp import bvp_in_spans
from emo_ray.features.families import FAMILIES, OTHER_UNIT, find_family, upright

ALL = {**FAMILIES, **{f"{name} of another unit": family for name, (_, family) in OTHER_UNIT.items()}}
STARTS = np.array([0.0, 10.0, 50.0, 500.0, -30.0])
BAD = {
    "silent": np.full((3, 7680), 20.0),
    "zero": np.zeros((3, 7680)),
    "missing": np.full((3, 7680), np.nan),
    "infinite": np.full((3, 7680), np.inf),
    "short": np.ones((3, 5)),
    "empty": np.zeros((3, 0)),
}


@pytest.mark.parametrize("span_s", [1.0, 10.0, 60.0, 120.0])
@pytest.mark.parametrize("name", ALL)
def test_names_match_columns_for_one_channel_and_for_three(name, span_s):
    noise = 20 + np.random.default_rng(0).normal(size=(3, 7680))
    for channels in (("x",), ("x", "y", "z")):
        values = noise[: len(channels)]
        found = ALL[name].compute(values, 128.0, STARTS, span_s)
        assert found.shape == (STARTS.size, len(ALL[name].names(channels, span_s)))
        assert len(set(ALL[name].names(channels, span_s))) == found.shape[1]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", ALL)
def test_a_sensor_that_is_off_or_too_short_has_no_features(name, bad):
    found = ALL[name].compute(BAD[bad], 128.0, STARTS, 10.0)
    if name == "temp" and bad == "silent":  # one temperature throughout is a fact
        assert np.isfinite(found[:2]).all()
    else:
        assert np.isnan(found).all()


@pytest.mark.parametrize("name", ALL)
def test_spans_outside_the_signal_are_undefined(name):
    noise = 20 + np.random.default_rng(0).normal(size=(2, 7680))
    assert np.isnan(ALL[name].compute(noise, 128.0, STARTS, 10.0)[3:]).all()


def test_channels_come_one_after_the_other_under_their_names():
    waves = np.sin(np.arange(64 * 60) / 64 * 2 * np.pi * np.array([[1.0], [1.5]]))
    both = FAMILIES["bvp"].compute(waves, 64.0, np.array([0.0]), 60.0)
    second = bvp_in_spans(waves[1], 64.0, np.array([0.0]), 60.0)
    assert_array_equal(both[:, 8:], second)
    assert FAMILIES["bvp"].names(("left", "right"), 60.0)[8] == "right/heart_rate_bpm"


def test_frequencies_of_the_heart_are_left_out_of_spans_that_can_not_hold_them():
    ends = [FAMILIES["ecg"].names(("ecg",), span_s)[-1] for span_s in (10.0, 60.0, 120.0)]
    assert ends == ["pnn50_percent", "hf_ms2", "total_ms2"]


def test_the_unit_tells_which_thresholds_apply():
    assert find_family("eda", "uS") is FAMILIES["eda"]
    assert find_family("eda", "arbitrary") is FAMILIES["gsr"]
    assert find_family("temp", "arbitrary") is not FAMILIES["temp"]
    assert find_family("de", "nat") is None


def test_a_second_sensor_of_a_kind_has_the_features_of_the_first():
    assert find_family("wrist_eda", "uS") is find_family("chest_eda", "uS") is FAMILIES["eda"]
    assert find_family("wrist_eda", "arbitrary") is FAMILIES["gsr"]


def test_a_resistance_is_turned_around_and_nothing_else():
    assert_array_equal(upright(np.array([[1.0, -2.0]]), "ohm"), [[-1.0, 2.0]])
    assert_array_equal(upright(np.array([[1.0, -2.0]]), "uS"), [[1.0, -2.0]])
