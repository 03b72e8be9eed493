"""How the published systems were trained; never a default.

They also watched the test participants while training; this loop has no way to (see `Procedure` for that).
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

from emo_ray.training.augmentation import published_augmentation
from emo_ray.training.config import TrainingConfig
from emo_ray.training.losses import LossConfig, PublishedProcedure, published_loss
from emo_ray.training.optimizer import CosineConfig, OptimizerConfig, PlateauConfig
from emo_ray.training.sampler import SamplingConfig

PublishedTraining = Literal[
    "lightweight",
    "moderate",
    "loso",
    "30-7",
    "loso-all",
    "phy-fusionnet-trial",
    "phy-fusionnet",
    "gru-xnet",
    "res-attentio-net-annex",
    "res-attentio-net",
]

# Optimizer and epochs of the AMIGOS notebooks; of plateau (.5/.6, patience 4-7), stop (8/15), epochs
# (50/30/40) and batch (64/32/48) it is not recorded which went with which run: our reading.
_AMIGOS: Mapping[str, Mapping[str, Any]] = {
    "lightweight": {"max_epochs": 50, "batch_size": 128, "patience": 8},
    "moderate": {
        "max_epochs": 50,
        "batch_size": 80,
        "patience": 8,
        "optimizer": OptimizerConfig(learning_rate=9e-4),
    },
    "loso": {"max_epochs": 30, "batch_size": 64, "patience": 8},
    "30-7": {"max_epochs": 50, "batch_size": 32, "patience": 15},
    "loso-all": {"max_epochs": 40, "batch_size": 48, "patience": 15},
}

# The best of its authors' search. They train in fp16 on CUDA and in float32 elsewhere: here bf16 on CUDA.
_PHY_FUSIONNET: Mapping[str, Any] = {
    "batch_size": 128,  # its log says 256
    "optimizer": OptimizerConfig(kind="adamw", learning_rate=7.15e-5, weight_decay=4.33e-5),
    "loss": LossConfig(balance_classes=False, focal_gamma=2.72),
    "smote": True,
    "monitor": "macro_f1",
    "min_delta": 0.0,
    "clip_norm": 1.0,
}

# Class weights n / (K n_c) are the default; it names no clipping.
_RESATTENTIONET: Mapping[str, Any] = {
    "max_epochs": 100,
    "batch_size": 32,
    "loss": LossConfig(label_smoothing=0.1),
    "clip_norm": None,
    "amp": "off",
}

_OTHERS: Mapping[str, Mapping[str, Any]] = {
    "phy-fusionnet-trial": {
        **_PHY_FUSIONNET,
        "max_epochs": 30,
        "patience": 7,
        "plateau": PlateauConfig(factor=0.2, patience=5, min_learning_rate=0.0),
    },
    "phy-fusionnet": {
        **_PHY_FUSIONNET,
        "max_epochs": 100,
        "patience": 15,
        "plateau": PlateauConfig(factor=0.2, patience=10, min_learning_rate=0.0),
    },
    "gru-xnet": {
        "max_epochs": 30,
        "batch_size": 128,
        "accumulate": 4,
        "optimizer": OptimizerConfig(learning_rate=1e-3, weight_decay=1e-4),
        "schedule": "cosine",
        "cosine": CosineConfig(t_max=30, eta_min=1e-6),
        "loss": LossConfig(balance_classes=False),
        "sampling": SamplingConfig(classes="balanced"),
        "augmentation": published_augmentation(),
        "patience": 10,
        "min_delta": 1e-3,
        "clip_norm": 1.0,
    },
    # the annex declares early stopping and does none: all epochs, and the last weights
    "res-attentio-net-annex": {
        **_RESATTENTIONET,
        "optimizer": OptimizerConfig(kind="adamw", learning_rate=5e-5, weight_decay=1e-4),
        "patience": 100,
        "keep": "last",
    },
    "res-attentio-net": {
        **_RESATTENTIONET,
        "optimizer": OptimizerConfig(kind="adamw", learning_rate=1e-3, weight_decay=1e-4),
        "plateau": PlateauConfig(min_learning_rate=1e-7, monitor="loss"),
        "patience": 10,
        "monitor": "accuracy",
        "min_delta": 0.0,
    },
}


def published_training(name: PublishedTraining) -> TrainingConfig:
    """Settings of a published run; of AMIGOS, Phy-FusionNet, GRU-XNet or ResAttentioNet."""
    if name in _AMIGOS:
        loss = published_loss(cast(PublishedProcedure, name))
        # float32 throughout, as Keras trains unless told otherwise
        return TrainingConfig(loss=loss, clip_norm=None, amp="off", **_AMIGOS[name])
    return TrainingConfig(**_OTHERS[name])
