"""The plan of a sweep is pure: who chooses, who is never asked, and every reason to refuse."""

import dataclasses

import pytest

from emo_ray.errors import ConfigError, ProtocolError
from emo_ray.orchestration.sweep_plan import SweepRequest, extractions, plan_sweep
from emo_ray.protocols.subject_protocols import LeaveOneGroupOut
from emo_ray.results.search_results import Candidate
from emo_ray.search.config import Budget, FlatScoring, HoldOutScoring, KFoldScoring, SearchConfig
from emo_ray.space import parse_space

SPACE = parse_space({"model.dropout": {"uniform": [0, 0.6]}, "training.batch_size": [8, 16]}, "a test")
S1, S5 = "fake/S01", "fake/S05"


def search(**fields):
    return SearchConfig(**{"space": SPACE, "scoring": KFoldScoring(n_folds=2), **fields})


@pytest.fixture
def plan_of(experiment, table):
    """The plan of a sweep over the small experiment."""

    def plan(*experiments, nested=False, set_aside=(), **fields):
        chosen = experiments or (experiment,)
        tables = {one.features: table for one in chosen}
        return plan_sweep(SweepRequest(chosen, search(**fields), nested, set_aside), tables)

    return plan


def members(fold):
    return {*fold.train, *fold.validation, *fold.test}


def refused(plan_of, *experiments, kind=ConfigError, **fields):
    with pytest.raises(kind) as error:
        plan_of(*experiments, **fields)
    return str(error.value)


def test_a_nested_plan_has_one_search_for_every_subject_that_is_tested(plan_of, table):
    plan = plan_of(nested=True)
    assert [one.key for one in plan.searches] == [one.stream for one in plan.searches] == list(table.subjects)
    assert [spec.fold.test for spec in plan.specs] == [(name,) for name in table.subjects]
    assert {spec.column for spec in plan.specs} == {"nested"}
    assert len({spec.candidate for spec in plan.specs}) == 1


def test_nobody_of_the_outer_test_subject_is_in_any_inner_fold(plan_of, table):
    for one in plan_of(nested=True).searches:
        (tested,) = one.outer.fold.test
        assert {tested, *one.subjects} == set(table.subjects)
        assert len(one.folds) == 2
        for fold in one.folds:
            assert tested not in members(fold)
            assert members(fold) == set(one.subjects)


def test_inner_folds_of_a_nested_plan_keep_people_recorded_together_together(plan_of, table):
    for one in plan_of(nested=True).searches:
        for fold in one.folds:
            sides = [{table.groups[name] for name in side} for side in (fold.train, fold.validation)]
            assert not sides[0] & sides[1]


def test_a_whole_group_that_is_tested_is_in_no_inner_fold(plan_of, experiment, table):
    grouped = experiment.model_copy(update={"protocol": LeaveOneGroupOut()})
    plan = plan_of(grouped, nested=True)
    assert len(plan.searches) == 3
    for one in plan.searches:
        assert not set(one.subjects) & set(one.outer.fold.test)


def test_the_outer_run_trains_on_all_others_and_validates_on_nobody(plan_of, table):
    for spec in plan_of(nested=True).specs:
        assert spec.fold.validation == ()
        assert set(spec.fold.train) == set(table.subjects) - set(spec.fold.test)


def test_two_columns_share_inner_folds_and_streams_and_have_names_of_their_own(plan_of, experiment):
    other = experiment.changed({"scaling": "transductive"})
    plan = plan_of(experiment, other, nested=True)
    ours, theirs = plan.searches[:5], plan.searches[5:]
    assert [one.folds for one in ours] == [one.folds for one in theirs]
    assert [one.stream for one in ours] == [one.stream for one in theirs]
    assert (ours[0].key, theirs[0].key) == (f"nested/{S1}", f"transductive/{S1}")
    assert len({one.key for one in plan.searches}) == 10
    assert {spec.column for spec in plan.specs} == {"nested", "transductive"}


def test_a_plain_plan_is_one_search_over_everybody(plan_of, table):
    plan = plan_of()
    (one,) = plan.searches
    assert (one.key, one.stream, one.outer, plan.specs) == ("", "", None, ())
    assert one.subjects == plan.subjects == tuple(table.subjects)


@pytest.mark.parametrize("scoring", [KFoldScoring(n_folds=2), FlatScoring()], ids=["kfold", "flat"])
def test_a_plain_sweep_never_uses_whom_it_sets_aside(plan_of, scoring):
    plan = plan_of(set_aside=(S1, S5), scoring=scoring)
    (one,) = plan.searches
    assert not {S1, S5} & {name for fold in one.folds for name in members(fold)}
    assert len(one.subjects) == len(plan.subjects) == 3


def test_a_flat_sweep_is_called_optimistic(plan_of, experiment, table):
    plan = plan_of(scoring=FlatScoring())
    assert any(note.startswith("FLAT:") and "optimistic" in note for note in plan.notes)
    assert plan.searches[0].folds == experiment.protocol.folds(table.groups, experiment.seed)
    assert not any("FLAT" in note for note in plan_of().notes)


def test_the_runs_of_a_candidate_are_its_settings_on_every_inner_fold(plan_of):
    plan = plan_of()
    (one,) = plan.searches
    specs = plan.inner_specs(one, Candidate("", 0, {"training.batch_size": 16}))
    assert [spec.fold for spec in specs] == list(one.folds)
    assert {spec.experiment.training.batch_size for spec in specs} == {16}
    assert all(spec.search is None and not spec.fold.test for spec in specs)


def test_objectives_are_called_by_their_own_names(plan_of, experiment):
    plan = plan_of(objectives=("primary", "n_parameters"), stopping={"kind": "none"})
    assert plan.config.objectives == (experiment.task.primary_metric, "n_parameters")
    assert any("the best by the first objective" in note for note in plan.notes)


def test_a_grid_is_its_points_in_order(plan_of):
    grid = parse_space({"training.batch_size": [8, 16], "model.dropout": [0.0, 0.5]}, "a test")
    first = plan_of(space=grid, sampler="grid").config.first
    assert [tuple(point.values()) for point in first] == [(0.0, 8), (0.0, 16), (0.5, 8), (0.5, 16)]


def test_a_nested_search_goes_one_candidate_at_a_time_however_large_the_cluster(plan_of):
    assert (plan_of(nested=True).at_once, plan_of(nested=True, at_once=3).at_once) == (1, 3)
    assert (plan_of().at_once, plan_of(at_once=3).at_once) == (None, 3)


def test_two_columns_of_a_plain_sweep_are_refused(plan_of, experiment):
    other = experiment.changed({"scaling": "transductive"})
    assert "a plain sweep searches one column" in refused(plan_of, experiment, other)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scoring": FlatScoring()}, "--nested and --scoring flat exclude each other"),
        ({"budget": Budget(hours=1.0)}, "--nested and a budget of hours exclude"),
        ({"budget": Budget(n_candidates=None, hours=1.0)}, "--nested and a budget of hours exclude"),
        ({"objectives": ("primary", "latency_ms")}, "latency differs between machines"),
        ({"set_aside": (S1,)}, "--nested and --set-aside exclude each other"),
    ],
    ids=["flat", "hours", "hours alone", "latency", "set_aside"],
)
def test_what_a_nested_search_can_not_mean_is_refused(plan_of, fields, words):
    assert words in refused(plan_of, nested=True, **fields)


def test_all_that_a_nested_search_can_not_mean_is_told_at_once(plan_of):
    told = refused(plan_of, nested=True, scoring=FlatScoring(), budget=Budget(hours=1.0), set_aside=(S1,))
    assert told.startswith("the sweep: 3 problems")
    assert len(told.splitlines()) == 4


def test_somebody_unknown_can_not_be_set_aside(plan_of):
    told = refused(plan_of, kind=ProtocolError, set_aside=("fake/S09", S1))
    assert "fake/S09 not among the subjects" in told
    assert S1 not in told


def test_setting_aside_too_many_is_refused(plan_of, table):
    told = refused(plan_of, kind=ProtocolError, set_aside=tuple(table.subjects[:4]))
    assert "1 subjects in 1 groups" in told


def test_points_that_a_tested_subject_has_chosen_are_refused_where_it_is_nested(plan_of):
    prior = {"prior_subjects": (S1, "other/S9"), "first": ({"model.dropout": 0.1, "training.batch_size": 8},)}
    told = refused(plan_of, kind=ProtocolError, nested=True, **prior)
    assert f"chosen on {S1}, whom this nested study tests" in told
    assert plan_of(**prior).searches
    assert plan_of(nested=True, **{**prior, "prior_subjects": ("other/S9",)}).searches


@pytest.mark.parametrize(("n", "is_refused"), [(16, False), (17, True)])
def test_more_ways_to_make_features_than_sixteen_are_refused(experiment, n, is_refused):
    space = parse_space({"extraction.n_tokens": list(range(1, n + 1))}, "a test")
    request = SweepRequest((experiment,), search(space=space))
    if not is_refused:
        assert len(extractions(request)) == n
        return
    with pytest.raises(ConfigError, match=r"17 ways to make features \(extraction.n_tokens\).*keep it to 16"):
        extractions(request)


def test_every_choice_of_features_is_computed_once_and_the_base_with_them(experiment):
    space = parse_space({"extraction.n_tokens": [1, 2], "training.batch_size": [8, 16]}, "a test")
    found = extractions(SweepRequest((experiment,), search(space=space)))
    assert sorted(one.extraction.n_tokens for one in found.values()) == [1, 2, 4]
    assert all(one.features == name for name, one in found.items())


def test_choices_of_features_that_have_other_subjects_are_refused(experiment, table):
    names = tuple("fake/S06" if name == S5 else name for name in table.subjects)
    other = experiment.changed({"extraction.n_tokens": 2})
    tables = {experiment.features: table, other.features: dataclasses.replace(table, subjects=names)}
    space = parse_space({"extraction.n_tokens": [2, 4]}, "a test")
    with pytest.raises(ConfigError, match=r"different subjects: fake/S05, fake/S06 are not in all"):
        plan_sweep(SweepRequest((experiment,), search(space=space)), tables)


@pytest.mark.parametrize("nested", [False, True], ids=["plain", "nested"])
@pytest.mark.parametrize(
    "change",
    [
        {"space": parse_space({"model.dropout": {"uniform": [0, 0.5]}}, "a test")},
        {"seed": 1},
        {"scoring": HoldOutScoring()},
        {"sampler": "random"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_can_change_which_candidate_comes_next_changes_the_digest(plan_of, nested, change):
    assert plan_of(nested=nested, **change).digest != plan_of(nested=nested).digest


def test_other_inner_folds_change_the_digest(plan_of, experiment):
    other = experiment.changed({"seed": 1})
    for nested in (False, True):
        one, two = plan_of(nested=nested), plan_of(other, nested=nested)
        assert [search.folds for search in one.searches] != [search.folds for search in two.searches]
        assert one.digest != two.digest


def test_changed_features_change_the_digest(experiment, table):
    changed = dataclasses.replace(table, keys={**table.keys, S5: "changed"})
    one, two = (
        plan_sweep(SweepRequest((experiment,), search()), {experiment.features: t}) for t in (table, changed)
    )
    assert one.digest != two.digest


def test_a_plain_sweep_can_go_on_with_more_candidates_and_a_nested_one_can_not(plan_of):
    few, many = Budget(n_candidates=3), Budget(n_candidates=30)
    assert plan_of(budget=few).digest == plan_of(budget=many).digest
    assert plan_of(budget=few).digest == plan_of(budget=Budget(n_candidates=3, hours=1.0)).digest
    assert plan_of(budget=few, nested=True).digest != plan_of(budget=many, nested=True).digest


def test_how_many_failures_are_borne_changes_no_digest(plan_of):
    for nested in (False, True):
        one, two = (plan_of(nested=nested, max_failed_share=share) for share in (0.1, 0.9))
        assert one.digest == two.digest
        assert [spec.fingerprint for spec in one.specs] == [spec.fingerprint for spec in two.specs]


def test_a_flat_sweep_over_some_subjects_can_set_one_aside(plan_of, experiment):
    some = experiment.changed({"protocol.n_subjects": 4})
    plan = plan_of(some, scoring=FlatScoring(), set_aside=(S1,))
    assert plan.subjects == ("fake/S02", "fake/S03", "fake/S04")


def test_features_that_are_searched_on_a_condition_are_computed_too(experiment):
    conditional = {"choice": [1, 2], "when": {"model.kind": ["mlp"]}}
    space = parse_space({"extraction.n_tokens": conditional, "model.kind": ["mlp", "amigos_lstm"]}, "a test")
    found = extractions(SweepRequest((experiment,), search(space=space)))
    assert sorted(one.extraction.n_tokens for one in found.values()) == [1, 2, 4]


def test_a_sensor_that_the_features_lack_is_refused_also_where_it_is_searched(plan_of):
    space = parse_space({"modalities": [["features"], ["eeg"]]}, "a test")
    assert "eeg not in the features" in refused(plan_of, space=space)
