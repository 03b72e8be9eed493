from dataclasses import replace

import pytest

from emo_ray.deployment.choice import choice_of_study, median_epochs, median_thresholds
from emo_ray.errors import ConfigError
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study


@pytest.fixture
def study(tmp_path):
    config = FakeStudyConfig(n_subjects=4, n_segments=20, missing=("fake/S04",), task="affect")
    return fake_study(tmp_path / "study", config)


def records_with(study, values, field):
    records = list(study.records.values())[: len(values)]
    return [replace(record, **{field: value}) for record, value in zip(records, values, strict=True)]


def test_epochs_are_the_median_of_what_each_fold_found_best(study):
    # best epochs count from 0: 3, 4 and 10 epochs
    assert median_epochs(records_with(study, [2, 3, 9], "best_epoch")) == 4


def test_at_least_one_epoch_is_trained(study):
    assert median_epochs(records_with(study, [-1, -1, 4], "best_epoch")) == 1


def test_thresholds_are_medians_over_folds(study):
    found = records_with(study, [{"t": 0.2}, {"t": 0.7}, {"t": 0.4}], "thresholds")
    assert median_thresholds(found) == {"t": 0.4}


def test_a_study_hands_on_settings_scores_and_who_was_in_it(study):
    settings, choice = choice_of_study(study, "flat")
    assert settings["model"] == {"kind": "made_up", "dropout": 0.1}
    assert "column" not in settings
    assert choice.scores[0].metric == "ccc"
    assert choice.scores[0].n_subjects == 3
    assert {"fake/S01", "fake/S02", "fake/S03"} <= set(choice.seen)


def test_what_the_score_means_is_said_with_its_gaps(study):
    _, choice = choice_of_study(study, "flat")
    assert "this very model was tested on nobody" in choice.meaning
    assert "1 of 4 folds are missing" in choice.meaning


def test_a_score_of_people_who_chose_the_settings_is_called_optimistic(study):
    (candidate,) = study.header["candidates"].values()
    candidate["selection"] = {"study": "sweep", "subjects": ["fake/S02", "fake/S09"], "as_flat": True}
    _, choice = choice_of_study(study, "flat")
    assert "OPTIMISTIC: sweep sweep chose these settings on the data of 1 of the 3 people" in choice.meaning


def test_a_column_that_the_study_does_not_have_is_refused(study):
    with pytest.raises(ConfigError, match="0 candidates in column transductive"):
        choice_of_study(study, "transductive")


def test_a_nested_study_has_no_one_setting(tmp_path):
    study = fake_study(tmp_path / "nested", FakeStudyConfig(n_subjects=3, n_segments=20, columns=("nested",)))
    with pytest.raises(ConfigError, match="other settings in every fold"):
        choice_of_study(study, "flat")


def test_a_study_without_a_finished_fold_is_refused(study):
    with pytest.raises(ConfigError, match="not one fold of column flat has finished"):
        choice_of_study(replace(study, records={}), "flat")
