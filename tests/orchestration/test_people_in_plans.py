"""Plans tell results who is one person under several names."""

import dataclasses

import pytest

from emo_ray.orchestration.plan import make_plan
from emo_ray.orchestration.study import Study, describe
from emo_ray.orchestration.sweep_plan import SweepRequest, plan_sweep
from emo_ray.protocols.duplicates import DuplicatePair
from emo_ray.protocols.subject_protocols import LeaveOneGroupOut, LeaveOneSubjectOut
from emo_ray.search.config import KFoldScoring, SearchConfig
from emo_ray.space import parse_space

SPACE = parse_space({"model.dropout": {"uniform": [0, 0.6]}}, "a test")
PAIR = DuplicatePair("fake/S02", "fake/S05", 1.0, "told")
ONE = {"fake/S02": "fake/S02", "fake/S05": "fake/S02"}


def with_protocol(experiment, protocol):
    return experiment.model_copy(update={"protocol": protocol})


@pytest.mark.parametrize(("rule", "people"), [("group", ONE), ("ignore", {})])
def test_grouped_copies_are_one_person_and_ignored_ones_two(experiment, table, tmp_path, rule, people):
    asked = with_protocol(experiment, LeaveOneSubjectOut(duplicates=rule))
    plan = make_plan([asked], table, duplicates=[PAIR])
    assert plan.people == people
    described = describe(Study((asked,), {}, tmp_path), plan, table, plan.subjects)
    assert described.people == people


def test_people_who_were_only_recorded_together_are_not_one(experiment, table):
    plan = make_plan([with_protocol(experiment, LeaveOneGroupOut(duplicates="group"))], table, duplicates=[])
    assert len(set(plan.groups.values())) < len(plan.groups)
    assert plan.people == {}


def test_a_nested_study_knows_them_too(experiment, table):
    asked = with_protocol(experiment, LeaveOneSubjectOut(duplicates="group"))
    alone = dataclasses.replace(table, groups={name: name for name in table.subjects})
    search = SearchConfig(space=SPACE, scoring=KFoldScoring(n_folds=2))
    request = SweepRequest((asked,), search, nested=True)
    assert plan_sweep(request, {asked.features: alone}, [PAIR]).people == ONE
