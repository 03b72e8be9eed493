"""Moments are merged, never recomputed; the naive way stands beside them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.store.moments import Moments, measure, merge


def random_part(seed, n=7):
    draw = np.random.default_rng(seed)
    values = draw.standard_normal((n, 3, 2)).astype(np.float32) * 5 + 100
    return values, draw.random((n, 3)) > 0.3


def test_moments_of_two_by_two_values_worked_by_hand():
    values = np.array([[[1.0, 10.0]], [[3.0, np.nan]]], dtype=np.float32)
    found = measure(values, np.ones((2, 1), dtype=bool))
    assert_array_equal(found.count, [2, 1])
    assert_array_equal(found.mean, [2, 10])
    assert_array_equal(found.m2, [2, 0])


def test_masked_tokens_do_not_count():
    values = np.array([[[1.0], [999.0]], [[3.0], [np.inf]]], dtype=np.float32)
    found = measure(values, np.array([[True, False], [True, False]]))
    assert_array_equal(found.mean, [2])


@pytest.mark.parametrize("n_parts", [1, 2, 5])
def test_merged_moments_equal_those_of_all_values_at_once(n_parts):
    parts = [random_part(seed, n=4 + seed) for seed in range(n_parts)]
    values = np.concatenate([part[0] for part in parts])
    mask = np.concatenate([part[1] for part in parts])
    merged = merge(measure(*part) for part in parts)
    tokens = values[mask].astype(np.float64)
    assert_allclose(merged.mean, tokens.mean(axis=0), rtol=1e-12)
    assert_allclose(merged.std, tokens.std(axis=0), rtol=1e-10)


def test_a_part_without_values_changes_nothing():
    values, mask = random_part(0)
    empty = measure(values, np.zeros_like(mask))
    one = merge([measure(values, mask), empty])
    assert_allclose(one.mean, measure(values, mask).mean)
    assert_array_equal(empty.scale, [0, 0])


def test_a_constant_feature_gets_scale_zero_whatever_its_size():
    constant = np.full((5, 1, 1), 1234.5678, dtype=np.float32)
    assert measure(constant, np.ones((5, 1), dtype=bool)).scale[0] == 0


def test_a_small_but_varying_feature_keeps_its_scale():
    small = Moments(count=np.array([4.0]), mean=np.array([0.0]), m2=np.array([4e-16]))
    assert_allclose(small.scale, [1e8])
