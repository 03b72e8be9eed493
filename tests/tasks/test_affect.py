from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from emo_ray.errors import ConfigError
from emo_ray.tasks.affect import AffectTask
from emo_ray.tasks.base import SegmentColumns

NAN = np.nan


def columns(valence, arousal=None, trial=None, index=None, subject=None):
    n = len(valence)
    arousal = [0.0] * n if arousal is None else arousal
    return SegmentColumns(
        subject=np.array(subject or [0] * n, dtype=np.int32),
        trial=np.array(trial or [0] * n, dtype=np.int32),
        index=np.array(index or range(1, n + 1), dtype=np.int32),
        ratings={
            "external_valence": np.array(valence, dtype=np.float32),
            "external_arousal": np.array(arousal, dtype=np.float32),
        },
    )


def transition(task, *args, **kwargs):
    return task.targets(columns(*args, **kwargs))["transition"]


def test_all_pairs_are_labelled_from_the_second_segment_on():
    task = AffectTask(pairs="all")
    # changes in valence: 0.2, 0.05, 0.05; in arousal the third is 0.15
    got = transition(task, [0.0, 0.2, 0.25, 0.3], [0.0, 0.0, 0.0, -0.15])
    assert_array_equal(got, [NAN, 1, 0, 1])


def test_disjoint_pairs_leave_out_the_overlapping_ones_at_both_ends():
    # n = 6: k = 3, 4, 5 remain; changes are 0.2, 0, 0.2, 0, 0.2
    got = transition(AffectTask(), [0.0, 0.2, 0.2, 0.4, 0.4, 0.6])
    assert_array_equal(got, [NAN, NAN, 0, 1, 0, NAN])


def test_a_trial_of_four_segments_has_one_disjoint_pair_and_one_of_three_none():
    assert_array_equal(transition(AffectTask(), [0.0, 0.2, 0.4, 0.6]), [NAN, NAN, 1, NAN])
    assert np.isnan(transition(AffectTask(), [0.0, 0.2, 0.4])).all()


def test_a_pair_never_crosses_from_one_video_to_the_next():
    got = transition(AffectTask(pairs="all"), [0, 0, 0.4, 0.4], trial=[0, 0, 1, 1], index=[1, 2, 1, 2])
    assert_array_equal(got, [NAN, 0, NAN, 0])


def test_a_pair_never_crosses_trials_even_when_the_indices_follow_each_other():
    got = transition(AffectTask(pairs="all"), [0, 0, 0.4, 0.4], trial=[0, 0, 1, 1], index=[1, 2, 3, 4])
    assert_array_equal(got, [NAN, 0, NAN, 0])


def test_a_missing_segment_is_not_bridged():
    got = transition(AffectTask(pairs="all"), [0, 0, 0.4, 0.4], index=[1, 2, 4, 5])
    assert_array_equal(got, [NAN, 0, NAN, 0])


def test_a_missing_label_makes_both_of_its_pairs_undefined():
    got = transition(AffectTask(pairs="all"), [0, 0.4, NAN, 0.4, 0.4])
    assert_array_equal(got, [NAN, 1, NAN, NAN, 0])
    got = transition(AffectTask(pairs="all"), [0, 0.4, 0.4], [0, NAN, 0])
    assert_array_equal(got, [NAN, NAN, NAN])


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.3), (0.3, 0.4), (-0.05, 0.05), (0.1, 0.2), (-0.4, -0.3)])
def test_a_change_of_exactly_theta_is_no_transition_whatever_float32_makes_of_it(low, high):
    assert_array_equal(transition(AffectTask(pairs="all"), [low, high]), [NAN, 0])
    assert_array_equal(transition(AffectTask(pairs="all"), [low, high + 1e-5]), [NAN, 1])


def test_theta_is_the_change_that_counts():
    assert_array_equal(transition(AffectTask(theta=0.05, pairs="all"), [0.0, 0.07]), [NAN, 1])
    with pytest.raises(ValidationError):
        AffectTask(theta=0.0)


def test_disjoint_pairs_of_all_videos_number_280_and_all_pairs_320():
    counts = [6, 7, 5, 6, 4, 5, 8, 5, 7, 5, 9, 5, 5, 4, 6, 7, 72, 58, 72, 44]
    index = [k for n in counts for k in range(1, n + 1)]
    trial = [i for i, n in enumerate(counts) for _ in range(n)]
    for pairs, expected in (("disjoint", 280), ("all", 320)):
        got = transition(AffectTask(pairs=pairs), [0.0] * 340, trial=trial, index=index)
        assert np.isfinite(got).sum() == expected


def test_the_change_itself_is_the_larger_of_both_changes():
    task = AffectTask(transition="change", pairs="all")
    got = task.targets(columns([0.0, 0.2, 0.25, NAN], [0.0, 0.1, -0.2, 0.0]))["change"]
    np.testing.assert_allclose(got, [NAN, 0.2, 0.3, NAN], rtol=1e-6)
    assert [(head.name, head.kind) for head in task.heads][2] == ("change", "value")


def in_file(place, *args, **kwargs):
    """Columns with the rank of each trial in its file."""
    made = columns(*args, **kwargs)
    return replace(made, ratings={**made.ratings, "place_in_file": np.array(place, dtype=np.float32)})


def test_published_transitions_cross_videos_and_gaps_in_the_order_of_the_file():
    table = in_file(
        [7, 7, 7, 2, 2],  # the second trial of the table is the first of the file
        [0.0, NAN, 0.3, 0.3, 0.35],
        trial=[0, 0, 0, 1, 1],
        index=[1, 2, 3, 1, 2],
    )
    got = AffectTask(pairs="published").targets(table)["transition"]
    # in the file: 0.3, 0.35 (0.05), 0.0 (0.35, another video), 0.3 (0.3, over the gap)
    assert_array_equal(got, [1, NAN, 1, 0, 0])


def test_every_subject_starts_without_a_published_transition():
    table = in_file([0, 0, 0, 0], [0.0, 0.5, 0.0, 0.0], subject=[0, 0, 1, 1], trial=[0, 0, 1, 1])
    assert_array_equal(AffectTask(pairs="published").targets(table)["transition"], [0, 1, 0, 0])


def test_published_transitions_need_the_order_of_the_file():
    with pytest.raises(ConfigError, match="place_in_file"):
        AffectTask(pairs="published").targets(columns([0.0, 0.1]))


def test_a_published_change_is_refused():
    with pytest.raises(ValidationError, match="published transitions are events"):
        AffectTask(pairs="published", transition="change")


def test_the_caveat_is_of_models_that_are_shown_no_earlier_segment():
    assert "guessed but not seen" in AffectTask().caveat(0)
    assert AffectTask().caveat(1) == ""
    assert AffectTask(pairs="published").caveat(2).endswith("not a result")


def test_values_are_handed_on_as_they_are():
    targets = AffectTask().targets(columns([0.1, NAN], [-0.2, 0.3]))
    assert_array_equal(targets["valence"], np.float32([0.1, NAN]))
    assert_array_equal(targets["arousal"], np.float32([-0.2, 0.3]))
    assert list(targets) == [head.name for head in AffectTask().heads]


def test_an_empty_table_has_empty_targets():
    assert all(len(target) == 0 for target in AffectTask().targets(columns([])).values())


def test_a_table_without_external_annotations_is_refused_by_name():
    table = columns([0.0])
    bare = SegmentColumns(
        table.subject, table.trial, table.index, {"self_valence": table.ratings["external_valence"]}
    )
    with pytest.raises(ConfigError, match=r"external_valence.*self_valence"):
        AffectTask().targets(bare)
