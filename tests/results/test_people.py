"""Whoever is in the data under two names counts once, in means, intervals and tests."""

from dataclasses import replace

import pytest

from emo_ray.results.pooling import NETWORK
from emo_ray.results.summary import summarise
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study

TWICE = {"fake/S01": "fake/S01", "fake/S02": "fake/S01"}


@pytest.fixture
def study(tmp_path):
    return fake_study(tmp_path / "study", FakeStudyConfig(n_subjects=7))


def as_one(study):
    return replace(study, header={**study.header, "people": TWICE})


def test_both_names_of_a_person_are_one_score(study):
    first, second, *others = (record.scores["accuracy"] for record in study.records.values())
    row = summarise(as_one(study)).sections[0].models[NETWORK]["accuracy"]
    assert row.n_subjects == 6
    assert row.mean == pytest.approx(((first + second) / 2 + sum(others)) / 6)


def test_the_verdict_pairs_people_not_names(study):
    # five people can not be told from chance, however many names they have
    six = fake_study(study.folder.parent / "six", FakeStudyConfig(n_subjects=6))
    comparisons = summarise(as_one(six)).sections[0].verdict.comparisons
    assert {comparison.advantage.n_subjects for comparison in comparisons} == {5}
    assert {comparison.outcome for comparison in comparisons} == {"too few subjects to tell"}


def test_every_name_keeps_its_row(study):
    assert len(summarise(as_one(study)).sections[0].subjects) == 7


def test_where_nobody_is_there_twice_nothing_changes(study):
    alone = replace(study, header={**study.header, "people": {}})
    assert summarise(alone).to_json() == summarise(study).to_json()
