"""Cutting a signal into spans, and statistics of spans with holes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.features.spans import cut_spans, span_is_flat, span_max, span_mean, span_sd, span_slope

NAN = float("nan")


def test_spans_hold_the_samples_from_their_start_and_nan_outside_the_signal():
    cut = cut_spans(np.array([0.0, 1.0, 2.0, np.inf]), 2.0, np.array([-0.5, 0.5, 1.0, 9.0]), 1.0)
    assert_array_equal(cut, [[NAN, 0], [1, 2], [2, NAN], [NAN, NAN]])


def test_statistics_are_of_what_is_there_and_undefined_for_less_than_half():
    cut = np.array([[1.0, 2.0, 3.0, 6.0], [NAN, 2.0, 4.0, NAN], [NAN, NAN, NAN, 1.0]])
    assert_allclose(span_mean(cut), [3, 3, NAN])
    assert_allclose(span_sd(cut), [np.sqrt(3.5), 1, NAN])
    assert_allclose(span_max(cut), [6, 4, NAN])


def test_the_slope_is_that_of_a_straight_line_also_with_a_hole():
    line = 2.0 - 0.5 * np.arange(8) / 4.0
    holed = np.where(np.isin(np.arange(8), [2, 5]), NAN, line)
    assert_allclose(span_slope(np.stack([line, holed]), 4.0), [-0.5, -0.5])


def test_the_slope_of_noise_is_that_of_polyfit():
    noise = np.random.default_rng(0).normal(size=(3, 20))
    assert_allclose(span_slope(noise, 10.0), [np.polyfit(np.arange(20) / 10, row, 1)[0] for row in noise])


def test_a_span_of_one_sample_has_a_mean_and_no_slope():
    assert_array_equal(span_slope(np.array([[3.0]]), 4.0), [NAN])
    assert_array_equal(span_mean(np.array([[3.0]])), [3.0])


@pytest.mark.parametrize(
    ("row", "flat"), [([1, 1, 1], True), ([1, NAN, 1], True), ([NAN, NAN, NAN], True), ([1, 1, 2], False)]
)
def test_a_flat_span_has_one_value_or_none(row, flat):
    assert span_is_flat(np.array([row], dtype=np.float64))[0] == flat
