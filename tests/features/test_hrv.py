"""Heart rate variability: numbers worked by hand, and the running sums against the plain function."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.features.hrv import HRV_FEATURES, beat_intervals, clean_rr, hrv_in_spans, hrv_time_domain


def test_a_metronome_has_its_rate_and_no_variability():
    values = hrv_time_domain(np.full(10, 0.75))
    assert values == pytest.approx(
        {"heart_rate_bpm": 80.0, "sdnn_ms": 0.0, "rmssd_ms": 0.0, "pnn50_percent": 0.0}, abs=1e-9
    )


def test_four_intervals_by_hand():
    # steps 40, 60, -100 ms; mean 835 ms, deviations -35, 5, 65, -35 ms
    values = hrv_time_domain(np.array([0.80, 0.84, 0.90, 0.80]))
    assert values["heart_rate_bpm"] == pytest.approx(60_000 / 835)
    assert values["sdnn_ms"] == pytest.approx(np.sqrt((35**2 + 5**2 + 65**2 + 35**2) / 3))
    assert values["rmssd_ms"] == pytest.approx(np.sqrt((40**2 + 60**2 + 100**2) / 3))
    assert values["pnn50_percent"] == pytest.approx(200 / 3)


def test_no_difference_is_taken_across_a_rejected_interval():
    values = hrv_time_domain(np.array([0.80, 0.81, 0.82, np.nan, 1.00, 1.01]))
    assert values["rmssd_ms"] == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("n_intervals", "defined"),
    [(0, 0), (1, 0), (2, 1), (3, 4)],
)
def test_too_few_intervals_give_nan(n_intervals, defined):
    values = hrv_time_domain(np.full(n_intervals, 0.8))
    assert np.isfinite(list(values.values())).sum() == defined


def test_intervals_outside_the_plausible_range_are_rejected():
    rr = np.array([0.8, 0.8, 0.29, 0.8, 2.1, 0.8, np.nan, 0.8])
    assert_array_equal(np.isnan(clean_rr(rr)), [0, 0, 1, 0, 1, 0, 1, 0])


def test_an_early_beat_loses_its_two_intervals_and_no_more():
    rr = np.array([0.8, 0.8, 0.8, 0.5, 1.1, 0.8, 0.8, 0.8])
    assert_array_equal(np.isnan(clean_rr(rr)), [0, 0, 0, 1, 1, 0, 0, 0])


def test_a_slow_change_of_rate_is_kept():
    rr = np.linspace(1.2, 0.5, 60)
    assert_array_equal(clean_rr(rr), rr)


def test_less_than_two_beats_have_no_interval():
    assert beat_intervals(np.array([3.0])).size == 0
    assert beat_intervals(np.array([])).size == 0


def test_spans_agree_with_the_plain_function_on_the_same_intervals():
    rng = np.random.default_rng(0)
    rr = rng.normal(0.8, 0.05, 200)
    beats = np.concatenate([[0.3], 0.3 + np.cumsum(rr)])
    rr[rng.random(200) < 0.1] = np.nan
    starts = rng.uniform(-20, 170, 50)
    ends = starts + rng.uniform(0, 30, 50)
    found = hrv_in_spans(beats, rr, starts, ends)
    for row, start, end in zip(found, starts, ends, strict=True):
        inside = (beats[:-1] >= start) & (beats[1:] < end)
        assert_allclose(row, list(hrv_time_domain(rr[inside]).values()), rtol=1e-8)


def test_spans_without_any_beat_are_nan():
    nothing = np.array([])
    found = hrv_in_spans(nothing, nothing, np.array([0.0, 5.0]), np.array([5.0, 10.0]))
    assert found.shape == (2, len(HRV_FEATURES))
    assert np.isnan(found).all()
