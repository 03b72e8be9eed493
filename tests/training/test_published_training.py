"""Published trainings are those that the papers and repositories tell, and never a default."""

from typing import get_args

import pytest

from emo_ray.training.augmentation import published_augmentation
from emo_ray.training.config import TrainingConfig
from emo_ray.training.published import PublishedTraining, published_training

NAMES = get_args(PublishedTraining)


@pytest.mark.parametrize("name", NAMES)
def test_every_one_survives_json_and_is_no_default(name):
    config = published_training(name)
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
    assert config != TrainingConfig()


def test_phy_fusionnet_searches_short_and_trains_long():
    trial, final = published_training("phy-fusionnet-trial"), published_training("phy-fusionnet")
    assert (trial.max_epochs, trial.patience, trial.plateau.patience) == (30, 7, 5)
    assert (final.max_epochs, final.patience, final.plateau.patience) == (100, 15, 10)
    assert (final.loss.focal_gamma, final.smote, final.monitor, final.plateau.factor) == (
        2.72,
        True,
        "macro_f1",
        0.2,
    )
    assert (final.optimizer.kind, final.optimizer.learning_rate, final.clip_norm) == ("adamw", 7.15e-5, 1.0)


def test_gru_xnet_takes_four_pieces_of_32_rows():
    config = published_training("gru-xnet")
    assert config.batch_size / config.accumulate == 32
    assert (config.schedule, config.cosine.t_max, config.cosine.eta_min) == ("cosine", 30, 1e-6)
    assert (config.sampling.classes, config.min_delta, config.patience) == ("balanced", 1e-3, 10)
    assert config.augmentation == published_augmentation()
    assert config.optimizer.weight_decay == 1e-4


def test_res_attentio_net_keeps_the_last_weights_in_its_annex_alone():
    annex, repository = published_training("res-attentio-net-annex"), published_training("res-attentio-net")
    assert (annex.keep, annex.patience, annex.max_epochs, annex.optimizer.learning_rate) == (
        "last",
        100,
        100,
        5e-5,
    )
    assert (repository.keep, repository.patience, repository.optimizer.learning_rate) == ("best", 10, 1e-3)
    assert (repository.monitor, repository.plateau.monitor) == ("accuracy", "loss")
    assert (annex.plateau.min_learning_rate, repository.plateau.min_learning_rate) == (1e-6, 1e-7)
    assert annex.loss.label_smoothing == repository.loss.label_smoothing == 0.1
    assert annex.loss.balance_classes
