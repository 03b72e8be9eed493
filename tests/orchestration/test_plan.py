"""The plan is pure: what will run, and every reason to refuse before anything starts."""

import dataclasses

import numpy as np
import pytest

from emo_ray.errors import ConfigError, ProtocolError
from emo_ray.extraction.signal_windows import SignalWindows
from emo_ray.models.phy_fusionnet import PhyFusionNetConfig
from emo_ray.orchestration.plan import make_plan
from emo_ray.orchestration.policy import Decision, decide
from emo_ray.protocols.subject_protocols import LeaveOneGroupOut, LeaveOneSubjectOut


def test_every_experiment_and_subject_is_one_run_with_a_name_of_its_own(experiment, table):
    transductive = experiment.model_copy(update={"scaling": "transductive"})
    plan = make_plan([experiment, transductive], table)
    assert [spec.fold.test[0] for spec in plan.specs] == [*table.subjects, *table.subjects]
    assert len({spec.fingerprint for spec in plan.specs}) == 10


def test_a_subject_without_one_label_is_left_out_and_noted(experiment, table):
    labels = np.where(table.subject == 3, np.float32(np.nan), table.ratings["label"])
    plan = make_plan([experiment], dataclasses.replace(table, ratings={**table.ratings, "label": labels}))
    assert "fake/S04" not in {name for spec in plan.specs for name in (*spec.fold.train, *spec.fold.test)}
    assert "left out, for they have no label for this task: fake/S04" in plan.notes


def test_a_class_that_no_training_subject_has_is_refused_by_name(experiment, table):
    labels = np.where(table.subject == 0, table.ratings["label"], np.float32(0))
    lacking = dataclasses.replace(table, ratings={**table.ratings, "label": labels})
    with pytest.raises(ProtocolError, match=r"no training subject has a segment of label = high"):
        make_plan([experiment], lacking)


def test_a_modality_that_the_features_lack_is_refused(experiment, table):
    with pytest.raises(ConfigError, match="eeg not in the features, which have features"):
        make_plan([experiment.model_copy(update={"modalities": ("eeg",)})], table)


def test_a_modality_without_one_valid_value_is_refused(experiment, table):
    silent = dataclasses.replace(table, masks={"features": np.zeros_like(table.masks["features"])})
    with pytest.raises(ConfigError, match="'features' holds not one valid value"):
        make_plan([experiment], silent)


def test_a_subject_without_a_modality_is_noted_and_runs(experiment, table):
    mask = table.masks["features"].copy()
    mask[table.subject == 2] = False
    plan = make_plan([experiment], dataclasses.replace(table, masks={"features": mask}))
    assert "features holds no valid value in fake/S03: masked there" in plan.notes


def test_people_recorded_together_are_noted_unless_groups_are_left_out(experiment, table):
    assert any("4 subjects were recorded in groups" in note for note in make_plan([experiment], table).notes)
    grouped = experiment.model_copy(update={"protocol": LeaveOneGroupOut()})
    assert not make_plan([grouped], table).notes


@pytest.mark.parametrize(
    ("error", "attempt", "decision"),
    [
        (MemoryError(), 1, Decision.RETRY),
        (MemoryError(), 2, Decision.RECORD),
        (ValueError("of the run itself"), 1, Decision.RECORD),
    ],
)
def test_only_memory_that_ran_out_is_worth_a_second_start(error, attempt, decision):
    assert decide(error, attempt) is decision


def twins(table):
    """Rows of S05 are those of S02 again, from another export."""
    values = table.values["features"].copy()
    values[table.subject == 4] = 2 * values[table.subject == 1] + 1
    return dataclasses.replace(table, values={"features": values})


def with_rule(experiment, rule):
    return experiment.model_copy(update={"protocol": LeaveOneSubjectOut(duplicates=rule)})


def test_somebody_who_is_in_the_data_twice_is_refused_by_default(experiment, table):
    with pytest.raises(ProtocolError, match=r"fake/S02 and fake/S05 .*--duplicates group"):
        make_plan([experiment], twins(table))


def test_a_copy_of_somebody_who_takes_no_part_is_no_reason_to_refuse(experiment, table):
    few = experiment.model_copy(update={"protocol": LeaveOneSubjectOut(n_subjects=4)})
    assert len(make_plan([few], twins(table)).specs) == 4


def test_grouped_copies_are_tested_together_and_noted(experiment, table):
    plan = make_plan([with_rule(experiment, "group")], twins(table))
    assert [spec.fold.test for spec in plan.specs] == [
        ("fake/S01",), ("fake/S02", "fake/S05"), ("fake/S03",), ("fake/S04",)
    ]  # fmt: skip
    assert plan.groups["fake/S05"] == plan.groups["fake/S02"]
    assert "tested together as one person: fake/S02 and fake/S05" in plan.notes[0]


def test_ignored_copies_are_told_of_as_a_leak(experiment, table):
    plan = make_plan([with_rule(experiment, "ignore")], twins(table))
    assert len(plan.specs) == 5
    assert plan.notes[0].startswith("LEAK")


def test_a_network_that_is_told_a_wrong_length_of_its_tokens_is_refused(experiment, table):
    parts = {"model": PhyFusionNetConfig(token_s=1.0), "extraction": SignalWindows(token_s=2.0)}
    with pytest.raises(ConfigError, match=r"set model.token_s=2"):
        make_plan([experiment.model_copy(update=parts)], table)
