"""No subject is ever on two sides; a naive splitter stands beside the real one."""

import numpy as np
import pytest

from emo_ray.errors import ProtocolError
from emo_ray.protocols.fold import Fold
from emo_ray.protocols.subject_protocols import HoldOut, LeaveOneGroupOut, LeaveOneSubjectOut

SUBJECTS = [f"x/S{number:02d}" for number in range(1, 38)]
ALONE = {subject: subject for subject in SUBJECTS}
PAIRED = {subject: f"pair{i // 2}" for i, subject in enumerate(SUBJECTS)}
PROTOCOLS = [
    LeaveOneSubjectOut(),
    LeaveOneSubjectOut(n_subjects=10),
    LeaveOneSubjectOut(n_subjects=25, choice="seeded"),
    LeaveOneGroupOut(),
    HoldOut(n_test=7),
]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=repr)
@pytest.mark.parametrize("groups", [ALONE, PAIRED], ids=["alone", "paired"])
def test_no_subject_is_on_two_sides_of_a_fold(protocol, groups):
    for fold in protocol.folds(groups, seed=0):
        train, validation, test = set(fold.train), set(fold.validation), set(fold.test)
        assert not train & validation
        assert not test & (train | validation)


def test_loso_tests_every_subject_once_and_uses_all_others():
    folds = LeaveOneSubjectOut().folds(ALONE, seed=0)
    assert [fold.test for fold in folds] == [(subject,) for subject in SUBJECTS]
    for fold in folds:
        assert {*fold.train, *fold.validation} == set(SUBJECTS) - set(fold.test)


def test_the_published_loso_10_uses_the_first_ten_subjects_only():
    folds = LeaveOneSubjectOut(n_subjects=10).folds(ALONE, seed=0)
    assert len(folds) == 10
    assert {s for fold in folds for s in (*fold.train, *fold.validation, *fold.test)} == set(SUBJECTS[:10])


def test_the_published_30_7_split_has_thirty_to_train_and_seven_to_test():
    (fold,) = HoldOut(n_test=7).folds(ALONE, seed=3)
    assert len(fold.test) == 7
    assert len(fold.train) + len(fold.validation) == 30


def test_one_in_five_of_the_training_side_validates():
    fold = LeaveOneSubjectOut().folds(ALONE, seed=0)[0]
    assert len(fold.validation) == round(0.2 * 36)


def test_group_mates_never_stand_on_two_sides_of_a_group_fold():
    for fold in LeaveOneGroupOut().folds(PAIRED, seed=0):
        sides = [{PAIRED[s] for s in side} for side in (fold.train, fold.validation, fold.test)]
        assert sum(map(len, sides)) == len(set.union(*sides))


def test_people_recorded_alone_are_groups_of_one():
    groups = {"a": "g1", "b": "g1", "c": "c", "d": "d"}
    assert [fold.test for fold in LeaveOneGroupOut().folds(groups, seed=0)] == [("a", "b"), ("c",), ("d",)]


def test_folds_are_the_same_for_the_same_seed_and_differ_for_another():
    one, again, other = (LeaveOneSubjectOut().folds(ALONE, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert [fold.validation for fold in one] != [fold.validation for fold in other]


def test_a_seeded_choice_is_not_the_first_subjects():
    folds = LeaveOneSubjectOut(n_subjects=10, choice="seeded").folds(ALONE, seed=0)
    assert [fold.test[0] for fold in folds] != SUBJECTS[:10]


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_subjects_are_refused_with_their_names(n):
    with pytest.raises(ProtocolError, match=f"at least 3 subjects.*{SUBJECTS[0]}"):
        LeaveOneSubjectOut().folds({s: s for s in SUBJECTS[:n]}, seed=0)


def test_more_subjects_than_there_are_is_refused():
    with pytest.raises(ProtocolError, match="50 subjects are asked for, but there are 37"):
        LeaveOneSubjectOut(n_subjects=50).folds(ALONE, seed=0)


def test_a_hold_out_that_leaves_nobody_to_train_on_is_refused():
    with pytest.raises(ProtocolError, match="n_test to 35 or less"):
        HoldOut(n_test=36).folds(ALONE, seed=0)


def test_one_group_of_everybody_can_not_be_left_out():
    with pytest.raises(ProtocolError, match="leaves 0 subjects in 0 groups"):
        LeaveOneGroupOut().folds(dict.fromkeys(SUBJECTS, "all"), seed=0)


def test_a_fold_with_a_subject_on_two_sides_can_not_be_made():
    with pytest.raises(ProtocolError, match="b in train and in test"):
        Fold("f", train=("a", "b"), validation=("c",), test=("b",))


@pytest.mark.parametrize(
    ("train", "test", "side"), [((), ("b",), "train"), (("a",), (), "validation or test")]
)
def test_a_fold_that_trains_on_nobody_or_scores_nobody_can_not_be_made(train, test, side):
    with pytest.raises(ProtocolError, match=f"no {side} subject"):
        Fold("f", train=train, validation=(), test=test)


def test_the_order_of_folds_does_not_depend_on_hashing():
    assert np.array_equal(
        [fold.name for fold in LeaveOneGroupOut().folds(PAIRED, seed=0)], list(dict.fromkeys(PAIRED.values()))
    )
