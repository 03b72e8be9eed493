"""Leave one data set out: all of its people together, and validation from every one that trains."""

import pytest

from emo_ray.errors import ProtocolError
from emo_ray.protocols.duplicates import DuplicatePair
from emo_ray.protocols.subject_protocols import LeaveOneDatasetOut

SIZES = {"deap": 32, "gameemo": 28, "seed_iv": 15}
SUBJECTS = [f"{name}/s{i:02d}" for name, size in SIZES.items() for i in range(size)]


def folds(subjects=SUBJECTS, seed=0, duplicates=()):
    return LeaveOneDatasetOut().folds({name: name for name in subjects}, seed, duplicates)


def dataset_of(subject):
    return subject.split("/")[0]


def test_each_data_set_is_tested_once_and_all_others_are_used():
    made = folds()
    assert [fold.name for fold in made] == list(SIZES)
    for fold in made:
        assert set(fold.test) == {s for s in SUBJECTS if dataset_of(s) == fold.name}
        assert {*fold.train, *fold.validation} == set(SUBJECTS) - set(fold.test)


def test_one_in_five_of_every_data_set_validates():
    for fold in folds():
        validating = [dataset_of(subject) for subject in fold.validation]
        expected = {"deap": 6, "gameemo": 6, "seed_iv": 3}  # of 32, 28 and 15
        del expected[fold.name]
        assert {name: validating.count(name) for name in set(validating)} == expected


def test_the_same_seed_gives_the_same_folds_and_another_one_others():
    assert folds(seed=1) == folds(seed=1)
    assert [fold.validation for fold in folds(seed=1)] != [fold.validation for fold in folds(seed=2)]


def test_a_copy_in_another_data_set_is_tested_with_its_original():
    made = folds(duplicates=[DuplicatePair("deap/s03", "seed_iv/s07", 1.0, "EEG")])
    for fold in made:
        side = {name: s for s in ("train", "validation", "test") for name in getattr(fold, s)}
        assert side["deap/s03"] == side["seed_iv/s07"]
    assert "seed_iv/s07" in made[0].test
    assert "deap/s03" in made[2].test


def test_data_sets_of_one_person_each_still_have_both_sides():
    for fold in folds(["a/1", "b/1", "c/1"]):
        assert len(fold.train) == len(fold.validation) == len(fold.test) == 1


def test_a_data_set_of_one_person_trains():
    first = folds(["a/1", "b/1", "c/1", "c/2", "c/3"])[0]
    assert "b/1" in first.train
    assert len(first.validation) == 1


def test_one_data_set_alone_is_refused_with_the_next_step():
    with pytest.raises(ProtocolError, match="all 4 subjects are of deap: take corpus multi"):
        folds([f"deap/s{i}" for i in range(4)])


def test_two_data_sets_of_which_one_has_one_person_are_refused():
    with pytest.raises(ProtocolError, match="testing a leaves 1 others"):
        folds(["a/1", "a/2", "b/1"])
