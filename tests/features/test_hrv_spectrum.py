"""Power of the intervals between beats: sines of known amplitude, and the shortest spans."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emo_ray.features.hrv_spectrum import HRV_SPECTRUM_FEATURES, hrv_spectrum_in_spans

START = np.array([0.0])


def beats(seconds=400.0, hf_ms=0.0, lf_ms=0.0):
    """Beats about 0.8 s apart, their intervals swinging at 0.25 and at 0.1 Hz."""
    times = [0.0]
    while times[-1] < seconds:
        phase = 2 * np.pi * times[-1]
        times.append(times[-1] + 0.8 + 1e-3 * (hf_ms * np.sin(0.25 * phase) + lf_ms * np.sin(0.1 * phase)))
    return np.array(times)


def powers(times, start_s=0.0, span_s=300.0, intervals=None):
    intervals = np.diff(times) if intervals is None else intervals
    row = hrv_spectrum_in_spans(times, intervals, np.array([start_s]), span_s)[0]
    return dict(zip(HRV_SPECTRUM_FEATURES, row, strict=True))


def test_a_sine_has_half_its_squared_amplitude_in_its_band():
    found = powers(beats(hf_ms=30.0, lf_ms=20.0))
    assert found["hf_ms2"] == pytest.approx(30**2 / 2, rel=0.03)
    assert found["lf_ms2"] == pytest.approx(20**2 / 2, rel=0.03)
    assert found["lf_hf_ratio"] == pytest.approx(200 / 450, rel=0.05)
    assert found["total_ms2"] == pytest.approx(650, rel=0.03)


@pytest.mark.parametrize(("span_s", "defined"), [(59.0, 0), (60.0, 1), (119.0, 1), (120.0, 4)])
def test_hf_needs_a_minute_and_lf_two(span_s, defined):
    found = powers(beats(hf_ms=30.0, lf_ms=20.0), span_s=span_s)
    assert np.isfinite(list(found.values())).sum() == defined


def test_a_span_of_which_a_quarter_is_unknown_has_no_power():
    times = beats(hf_ms=30.0)
    intervals = np.diff(times)
    intervals[50:150] = np.nan  # 80 s of the 300
    assert np.isnan(list(powers(times, intervals=intervals).values())).all()


def test_a_single_rejected_interval_changes_next_to_nothing():
    times = beats(hf_ms=30.0, lf_ms=20.0)
    intervals = np.diff(times)
    intervals[100] = np.nan
    whole, holed = powers(times), powers(times, intervals=intervals)
    assert_allclose(list(holed.values()), list(whole.values()), rtol=0.03)


def test_spans_without_beats_and_a_metronome_do_not_complain():
    nothing = np.zeros(0)
    assert np.isnan(hrv_spectrum_in_spans(nothing, nothing, START, 300.0)).all()
    assert np.isnan(powers(beats(), start_s=1000.0)["hf_ms2"])
    assert powers(beats())["total_ms2"] == pytest.approx(0, abs=1e-9)
