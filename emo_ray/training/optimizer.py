"""Optimizers by name, and the learning rate schedule on a plateau."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import nn, optim

from emo_ray.training.metrics import Direction


class OptimizerConfig(BaseModel):
    """Which optimizer, and how fast."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd; the others do not read it")

    def build(self, weights: Iterable[nn.Parameter]) -> optim.Optimizer:
        """Optimizer over these weights."""
        # fused: one kernel for all weights; on CPU it takes a tenth of the default loop over tensors
        if self.kind == "sgd":
            return optim.SGD(
                weights,
                self.learning_rate,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
                fused=True,
            )
        kind = optim.Adam if self.kind == "adam" else optim.AdamW
        return kind(weights, self.learning_rate, weight_decay=self.weight_decay, fused=True)


class PlateauConfig(BaseModel):
    """The learning rate falls when the monitored metric has not improved for a while."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(5, ge=0, description="epochs without improvement that are borne")
    min_learning_rate: float = Field(1e-6, ge=0)

    def build(
        self, optimizer: optim.Optimizer, direction: Direction, min_delta: float
    ) -> optim.lr_scheduler.ReduceLROnPlateau:
        """Schedule that counts the same improvements as early stopping does."""
        return optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode=direction,
            factor=self.factor,
            patience=self.patience,
            threshold=min_delta,
            threshold_mode="abs",  # as `Best.offer` counts; torch's default is relative to the best
            min_lr=self.min_learning_rate,
        )
