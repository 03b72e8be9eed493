import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emo_ray.corpora.amigos import VIDEOS
from emo_ray.errors import SignalError
from emo_ray.signals.segments import external_segments, sliding_segments


def test_a_video_of_90_s_has_six_segments():
    # 5 s + 90 s at 128 Hz: the first from 0, four from 5 on, the last ends with the recording at 95 s
    assert_allclose(external_segments(95 * 128, 128.0), [0, 5, 25, 45, 65, 75])


def test_a_stimulus_of_a_whole_number_of_segments_has_a_last_one_without_overlap():
    assert_allclose(external_segments(65 * 128, 128.0), [0, 5, 25, 45])


def test_one_sample_more_gives_one_segment_more():
    assert len(external_segments(65 * 128 + 1, 128.0)) == 5


@pytest.mark.parametrize("part", [1 / (20 * 128), 0.5, 1.0])
def test_lengths_within_the_published_limits_give_340_segments_a_subject(part):
    # the limits of datasets.md 1.4: (n - 2) * 20 < S <= (n - 1) * 20
    lengths = [round((5 + (n - 2 + part) * 20) * 128) for n in VIDEOS.values()]
    counts = [len(external_segments(length, 128.0)) for length in lengths]
    assert counts == list(VIDEOS.values())
    assert sum(counts[:16]) == 94
    assert sum(counts) == 340


@given(st.integers(20 * 128, 2000 * 128))
def test_segments_stay_inside_the_recording_and_leave_no_sample_out(n_times):
    starts = external_segments(n_times, 128.0)
    assert starts[0] == 0
    assert starts[-1] + 20 == pytest.approx(n_times / 128)
    assert (starts[1:] <= starts[:-1] + 20).all()


def test_a_recording_shorter_than_a_segment_or_than_its_baseline_has_none():
    assert len(external_segments(20 * 128 - 1, 128.0)) == 0
    assert len(external_segments(0, 128.0)) == 0


def test_rates_that_are_no_power_of_two_do_not_add_a_segment_by_rounding():
    # 45 s at 250/3 Hz: 40 s of stimulus are two segments of 20 s, so n = 3
    assert len(external_segments(3750, 250 / 3)) == 3


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_lengths_that_cut_nothing_are_refused_by_name(bad):
    with pytest.raises(SignalError, match="sfreq"):
        external_segments(1000, bad)
    with pytest.raises(SignalError, match="hop_s"):
        sliding_segments(10.0, 2.0, bad)


def test_a_baseline_longer_than_the_first_segment_is_refused():
    with pytest.raises(SignalError, match="baseline of 20 s"):
        external_segments(10000, 128.0, baseline_s=20.0)


def test_sliding_segments_are_whole_and_leave_the_rest_out():
    assert_allclose(sliding_segments(10.9, 4.0, 2.0), [0, 2, 4, 6])
    assert_allclose(sliding_segments(4.0, 4.0, 2.0), [0])
    assert len(sliding_segments(3.9, 4.0, 2.0)) == 0
    assert len(sliding_segments(0.5, 4.0, 10.0)) == 0


def test_sliding_segments_do_not_lose_the_last_one_to_rounding():
    assert len(sliding_segments(0.7, 0.1, 0.1)) == 7
