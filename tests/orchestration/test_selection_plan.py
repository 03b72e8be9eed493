"""Settings that a sweep chose are tested on whom the sweep has not seen, or said to be optimistic."""

import pytest

from emo_ray.errors import ProtocolError
from emo_ray.experiment import RunSpec, Selection
from emo_ray.orchestration.plan import make_plan
from emo_ray.run import execute

S1, S2, S3, S4, S5 = (f"fake/S{number:02d}" for number in range(1, 6))
SEEN = Selection("night", (S1, S2, S3))


def test_folds_that_test_somebody_whom_the_sweep_has_seen_are_dropped(experiment, table):
    plan = make_plan([experiment], table, SEEN)
    assert [spec.fold.test for spec in plan.specs] == [(S4,), (S5,)]
    assert all(spec.selection == SEEN for spec in plan.specs)
    # the others may train still: the sweep has trained on them, too
    assert set(plan.subjects) == {S1, S2, S3, S4, S5}


def test_the_plan_says_whose_data_chose_and_that_they_are_not_tested(experiment, table):
    (note,) = (note for note in make_plan([experiment], table, SEEN).notes if "sweep night" in note)
    assert f"{S1}, {S2}, {S3}" in note
    assert "none of them is tested" in note
    assert "OPTIMISTIC" not in note


def test_without_anybody_unseen_the_error_names_the_ways_out(experiment, table):
    with pytest.raises(ProtocolError) as error:
        make_plan([experiment], table, Selection("night", table.subjects))
    for way in ("'night'", "--set-aside", "--nested", "--as-flat", "optimistic"):
        assert way in str(error.value)


def test_as_flat_tests_them_all_and_says_first_that_it_is_optimistic(experiment, table):
    plan = make_plan([experiment], table, Selection("night", (S1, S2, S3), as_flat=True))
    assert [spec.fold.test[0] for spec in plan.specs] == list(table.subjects)
    assert plan.notes[0].startswith("OPTIMISTIC: settings chosen by sweep night")
    assert "3 of the 5 tested subjects" in plan.notes[0]


def test_as_flat_on_other_people_is_not_called_optimistic(experiment, table):
    plan = make_plan([experiment], table, Selection("night", ("other/S1",), as_flat=True))
    assert len(plan.specs) == 5
    assert not any("OPTIMISTIC" in note for note in plan.notes)


def seen_spec(experiment, table, **fields):
    """A run that tests a subject whom the sweep has seen, whatever the plan would have said."""
    spec = make_plan([experiment], table).specs[0]
    return RunSpec(experiment, spec.fold, table.keys, selection=Selection("night", (S1, S2), **fields))


def test_a_run_refuses_a_test_subject_that_chose_its_settings(experiment, table):
    with pytest.raises(ProtocolError, match=f"settings has seen {S1}"):
        execute(seen_spec(experiment, table), table)


def test_a_run_that_is_declared_flat_tests_it_and_records_who_chose(experiment, table):
    record = execute(seen_spec(experiment, table, as_flat=True), table).record
    assert (record.status, record.column) == ("finished", "flat")
    assert record.lineage["settings"] == (S1, S2)
    assert S1 not in record.lineage["weights"]


def test_a_run_on_somebody_unseen_records_who_chose_its_settings(experiment, table):
    record = execute(make_plan([experiment], table, SEEN).specs[0], table).record
    assert record.subjects == (S4,)
    assert record.lineage["settings"] == (S1, S2, S3)


def test_who_chose_the_settings_is_part_of_the_identity_of_a_run(experiment, table):
    plain, seen, flat = (
        make_plan([experiment], table, selection).specs[-1]
        for selection in (None, SEEN, Selection("night", (S1, S2, S3), as_flat=True))
    )
    assert plain.fold == seen.fold == flat.fold
    assert len({plain.fingerprint, seen.fingerprint, flat.fingerprint}) == 3
    assert "selection" not in plain.content
