"""TrainingConfig: how a network is trained; the defaults are the clean ones."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.losses import LossConfig
from emo_ray.training.optimizer import (
    CosineConfig,
    OptimizerConfig,
    PlateauConfig,
    ScheduleKind,
    known_metric,
)
from emo_ray.training.precision import Amp
from emo_ray.training.sampler import SamplingConfig

PRIMARY = "primary"


class TrainingConfig(BaseModel):
    """Everything the loop is told, except data, model and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_epochs: int = Field(40, ge=1)
    batch_size: int = Field(64, ge=1, description="segments a step; recordings side by side with a memory")
    accumulate: int = Field(
        1, ge=1, description="pieces that the gradient of a step is computed in, to need less memory"
    )
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleKind = Field("plateau", description="of the learning rate: plateau, cosine or constant")
    plateau: PlateauConfig = PlateauConfig()
    cosine: CosineConfig = CosineConfig()
    warmup_epochs: float = Field(
        0.0, ge=0, description="in which the learning rate grows from step to step, with any schedule"
    )
    loss: LossConfig = LossConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    sampling: SamplingConfig = SamplingConfig()
    smote: bool = Field(
        False, description="synthetic train rows bring all classes to one size; flat tables only"
    )
    patience: int = Field(12, ge=1, description="epochs without improvement on validation before the stop")
    min_delta: float = Field(1e-4, ge=0, description="less than this is no improvement")
    monitor: str = Field(
        "loss",
        description="validation metric that chooses the epoch: loss, a score name, or primary: the task's",
    )
    keep: Literal["best", "last"] = Field("best", description="weights of the best epoch, or of the last")
    ema_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="the mean of the weights over steps (each counts so much more than the one before it) "
        "is evaluated and kept; None: the weights themselves",
    )
    clip_norm: float | None = Field(1.0, gt=0, description="largest norm of the gradient; None: no clipping")
    amp: Amp = Field(
        "auto",
        description="numbers of training: float32 (off), bf16, fp16 (CUDA only); auto: bf16 on CUDA",
    )
    compile: bool = Field(False, description="compile the network for training; needs a C++ compiler")
    deterministic: bool = Field(True, description="no operation whose result may differ from call to call")
    score_train: bool = Field(
        False,
        description="scores of the train rows, too, as they were seen: weights changing, dropout on",
    )
    checkpoint_every_s: float = Field(60.0, ge=0, description="can not change the result")

    @field_validator("monitor")
    @classmethod
    def _monitor_is_a_metric(cls, monitor: str) -> str:
        return known_metric(monitor, others=(PRIMARY,))

    @model_validator(mode="after")
    def _rows_come_from_one_place(self) -> "TrainingConfig":
        if self.smote and (self.augmentation.ratio > 0 or not self.sampling.is_off):
            raise ValueError(
                "smote fills up the classes itself: set augmentation.ratio to 0 and sampling to none, or "
                "smote to false and let augmentation.contributions.smote make such rows"
            )
        return self
