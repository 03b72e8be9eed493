"""TrainingConfig: how a network is trained; the defaults are the clean ones."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.losses import LossConfig, PublishedProcedure, published_loss
from emo_ray.training.metrics import METRICS
from emo_ray.training.optimizer import OptimizerConfig, PlateauConfig

PRIMARY = "primary"


class TrainingConfig(BaseModel):
    """Everything the loop is told, except data, model and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_epochs: int = Field(40, ge=1)
    batch_size: int = Field(64, ge=1, description="segments a step")
    optimizer: OptimizerConfig = OptimizerConfig()
    plateau: PlateauConfig = PlateauConfig()
    loss: LossConfig = LossConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    patience: int = Field(12, ge=1, description="epochs without improvement on validation before the stop")
    min_delta: float = Field(1e-4, ge=0, description="less than this is no improvement")
    monitor: str = Field(
        "loss",
        description="validation metric that chooses the epoch: loss, a score name, or primary: the task's",
    )
    clip_norm: float | None = Field(1.0, gt=0, description="largest norm of the gradient; None: no clipping")
    # bfloat16 has the range of float32: no loss scaling is needed
    amp: Literal["off", "auto"] = Field(
        "auto", description="auto: bfloat16 autocast in training on CUDA, nothing on CPU; off: never"
    )
    checkpoint_every_s: float = Field(60.0, ge=0, description="can not change the result")

    @field_validator("monitor")
    @classmethod
    def _monitor_is_a_metric(cls, monitor: str) -> str:
        metric = monitor.rpartition("/")[2]
        if metric == "rate" or metric not in {"loss", PRIMARY, *METRICS}:
            known = sorted(set(METRICS) - {"rate"})
            raise ValueError(
                f"can not monitor {monitor!r}: take 'loss', or one of {known}, or '<head>/<metric>'"
            )
        return monitor


# Optimizer and epochs of the AMIGOS notebooks; of plateau (.5/.6, patience 4-7), stop (8/15), epochs
# (50/30/40) and batch (64/32/48) it is not recorded which went with which run: our reading.
_PUBLISHED: Mapping[PublishedProcedure, Mapping[str, Any]] = {
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


def published_training(procedure: PublishedProcedure) -> TrainingConfig:
    """Settings of a published AMIGOS run; never a default.

    The published runs also watched the test participants while training; this loop has no way to.
    """
    # float32 throughout, as Keras trains unless told otherwise
    return TrainingConfig(loss=published_loss(procedure), clip_norm=None, amp="off", **_PUBLISHED[procedure])
