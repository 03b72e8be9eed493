"""Configurations refuse what can not work, and the published ones are never a default."""

import pytest
from pydantic import ValidationError

from emo_ray.training.config import TrainingConfig
from emo_ray.training.losses import LossConfig
from emo_ray.training.published import published_training


@pytest.mark.parametrize("monitor", ["loss", "macro_f1", "ccc", "transition/pr_auc"])
def test_known_metrics_can_be_monitored(monitor):
    assert TrainingConfig(monitor=monitor).monitor == monitor


@pytest.mark.parametrize("monitor", ["acc", "rate", "transition/rate"])
def test_unknown_metrics_and_facts_about_rows_can_not(monitor):
    with pytest.raises(ValidationError, match="can not monitor"):
        TrainingConfig(monitor=monitor)


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="learning_rate"):
        TrainingConfig(learning_rate=1e-3)


def test_defaults_are_the_clean_ones():
    assert TrainingConfig().loss == LossConfig(event_weight=1, event_row_weight=1, standardise_values=True)


def test_autocast_is_on_by_default_and_off_for_the_published_runs():
    assert TrainingConfig().amp == "auto"
    assert published_training("loso").amp == "off"


def test_published_weights_are_those_of_the_notebooks():
    procedures = ("lightweight", "moderate", "loso", "30-7", "loso-all")
    weights = [published_training(procedure).loss.event_weight for procedure in procedures]
    assert weights == [12, 15, 20, 25, 30]
    assert published_training("moderate").optimizer.learning_rate == 9e-4
    assert published_training("lightweight").batch_size == 128


def test_config_survives_json():
    config = published_training("moderate")
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
