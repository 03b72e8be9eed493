"""Where tokens lie: by hand, at the ends of trials, and shared between overlapping segments."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.extraction.token_grid import sliding_grid, whole_grid


def test_sliding_segments_start_at_the_onset_and_hold_whole_tokens():
    grid = sliding_grid((3.0, 24.9), segment_s=10.0, hop_s=5.0, token_s=5.0)
    assert_allclose(grid.starts_s, [[3, 8], [8, 13], [13, 18]])
    assert_allclose(grid.centres_s, [8, 13, 18])


def test_overlapping_segments_share_their_tokens():
    starts_s, index = sliding_grid((3.0, 24.0), segment_s=10.0, hop_s=5.0, token_s=5.0).distinct()
    assert_allclose(starts_s, [3, 8, 13, 18])
    assert_array_equal(index, [[0, 1], [1, 2], [2, 3]])


def test_a_whole_trial_is_one_segment_padded_behind_its_end():
    grid = whole_grid((3.0, 16.9), token_s=4.0, max_tokens=5, longer="crop")
    assert_allclose(grid.starts_s, [[3, 7, 11, np.nan, np.nan]])
    assert_allclose(grid.centres_s, [9])  # 3 to 15 s
    assert_array_equal(grid.distinct()[1], [[0, 1, 2, -1, -1]])


def test_a_longer_trial_is_cropped_or_cut():
    cropped = whole_grid((0.0, 7.0), token_s=1.0, max_tokens=3, longer="crop")
    cut = whole_grid((0.0, 7.0), token_s=1.0, max_tokens=3, longer="cut")
    assert_allclose(cropped.starts_s, [[0, 1, 2]])
    assert_allclose(cut.starts_s, [[0, 1, 2], [3, 4, 5], [6, np.nan, np.nan]])


def test_a_trial_without_a_token_has_no_segment():
    assert whole_grid((3.0, 3.9), token_s=1.0, max_tokens=3, longer="cut").starts_s.shape == (0, 3)
    assert sliding_grid((3.0, 12.9), 10.0, 5.0, 10.0).distinct()[0].size == 0


@given(st.floats(0, 10), st.floats(0, 400), st.sampled_from([0.5, 1.0, 4.0]), st.integers(1, 70))
def test_no_token_begins_before_the_onset_or_ends_after_the_trial(onset_s, length_s, token_s, max_tokens):
    for longer in ("crop", "cut"):
        starts_s = whole_grid((onset_s, onset_s + length_s), token_s, max_tokens, longer).distinct()[0]
        assert np.all(starts_s >= onset_s - 1e-5)
        assert np.all(starts_s + token_s <= onset_s + length_s + 1e-5)
        assert np.allclose(np.diff(starts_s), token_s)
