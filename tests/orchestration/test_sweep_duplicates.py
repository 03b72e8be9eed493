"""Whoever is in the data twice is one person in a sweep, too."""

import dataclasses

import pytest

from emo_ray.errors import ProtocolError
from emo_ray.orchestration.sweep_plan import SweepRequest, plan_sweep
from emo_ray.protocols.duplicates import DuplicatePair
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.search.config import FlatScoring, KFoldScoring, SearchConfig
from emo_ray.space import parse_space

SPACE = parse_space({"model.dropout": {"uniform": [0, 0.6]}}, "a test")
TWINS = {"fake/S02", "fake/S05"}
PAIR = DuplicatePair("fake/S02", "fake/S05", 1.0, "told")


@pytest.fixture
def plan_of(experiment, table):
    """The plan of a sweep over five people, two of whom are one."""
    alone = dataclasses.replace(table, groups={name: name for name in table.subjects})

    def plan(rule="group", scoring=None, **request):
        changed = experiment.model_copy(update={"protocol": LeaveOneSubjectOut(duplicates=rule)})
        search = SearchConfig(space=SPACE, scoring=scoring or KFoldScoring(n_folds=2))
        return plan_sweep(SweepRequest((changed,), search, **request), {changed.features: alone}, [PAIR])

    return plan


def sides(fold):
    return [set(side) for side in (fold.train, fold.validation, fold.test)]


def test_a_sweep_refuses_them_by_default(plan_of):
    with pytest.raises(ProtocolError, match="fake/S02 and fake/S05"):
        plan_of("refuse")


@pytest.mark.parametrize("scoring", [KFoldScoring(n_folds=2), FlatScoring()], ids=lambda one: one.kind)
def test_no_inner_fold_of_a_plain_sweep_parts_them(plan_of, scoring):
    (search,) = plan_of(scoring=scoring).searches
    assert all(any(side >= TWINS for side in sides(fold)) for fold in search.folds)


def test_nested_searches_test_them_together_and_part_them_nowhere(plan_of):
    plan = plan_of(nested=True)
    assert [set(one.outer.fold.test) for one in plan.searches].count(TWINS) == 1
    for one in plan.searches:
        assert not TWINS & set(one.subjects) or all(
            any(side >= TWINS for side in sides(fold)) for fold in one.folds
        )


def test_setting_one_aside_sets_the_copy_aside(plan_of):
    (search,) = plan_of(set_aside=("fake/S05",)).searches
    assert set(search.subjects) == {"fake/S01", "fake/S03", "fake/S04"}
