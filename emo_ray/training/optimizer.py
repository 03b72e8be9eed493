"""Optimizers by name, and how the learning rate changes from epoch to epoch."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import nn, optim

from emo_ray.errors import ConfigError
from emo_ray.training.metrics import METRICS, direction_of

ScheduleKind = Literal["plateau", "cosine", "constant"]


def known_metric(name: str, others: tuple[str, ...] = ()) -> str:
    """The name itself, if a run can be steered by such a metric.

    Raises
    ------
    ValueError : no metric, or one that tells about the rows and not about the model
    """
    metric = name.rpartition("/")[2]
    if metric == "rate" or metric not in {"loss", *others, *METRICS}:
        known = sorted(set(METRICS) - {"rate"})
        raise ValueError(f"can not monitor {name!r}: take 'loss', or one of {known}, or '<head>/<metric>'")
    return name


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
    monitor: str | None = Field(
        None, description="metric that it follows; None: the one that chooses the epoch"
    )

    @field_validator("monitor")
    @classmethod
    def _monitor_is_a_metric(cls, monitor: str | None) -> str | None:
        return monitor if monitor is None else known_metric(monitor)

    def build(
        self, optimizer: optim.Optimizer, monitor: str, min_delta: float
    ) -> optim.lr_scheduler.ReduceLROnPlateau:
        """Schedule that counts the same improvements as early stopping does."""
        return optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode=direction_of(monitor),
            factor=self.factor,
            patience=self.patience,
            threshold=min_delta,
            threshold_mode="abs",  # as `Best.offer` counts; torch's default is relative to the best
            min_lr=self.min_learning_rate,
        )


class CosineConfig(BaseModel):
    """The learning rate falls along half a cosine, epoch by epoch, and then stays where it is.

    References
    ----------
    Loshchilov & Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", ICLR; no restarts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    t_max: int | None = Field(None, ge=1, description="epochs until the lowest rate; None: all of the run")
    eta_min: float = Field(0.0, ge=0, description="lowest learning rate")

    def rate(self, highest: float, epoch: int, max_epochs: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        done = min(1.0, epoch / (self.t_max or max_epochs))
        return self.eta_min + (highest - self.eta_min) * (1 + math.cos(math.pi * done)) / 2


class Schedule:
    """The learning rate of every step: that of the epoch, and in the warm-up its growing share.

    Parameters
    ----------
    plateau : what changes the rate after an epoch; None for the schedules that the epoch alone decides
    monitor : metric that the plateau follows
    cosine, max_epochs : None for a rate that no epoch changes
    warmup_epochs : in which the rate grows from step to step; may be a fraction
    """

    def __init__(
        self,
        optimizer: optim.Optimizer,
        plateau: optim.lr_scheduler.ReduceLROnPlateau | None,
        monitor: str,
        cosine: tuple[CosineConfig, int] | None,
        warmup_epochs: float,
    ) -> None:
        self.optimizer, self.plateau, self.monitor = optimizer, plateau, monitor
        self.cosine, self.warmup_epochs = cosine, warmup_epochs
        self.highest = self.rate = float(optimizer.param_groups[0]["lr"])

    def begin_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Set the rate for one step of an epoch of so many."""
        if step == 0 and self.cosine is not None:
            config, max_epochs = self.cosine
            self.rate = config.rate(self.highest, epoch, max_epochs)
        if step > 0 and epoch > self.warmup_epochs:
            return  # nothing changes within such an epoch
        n_warm = self.warmup_epochs * n_steps
        done = epoch * n_steps + step + 1
        self._set(self.rate * min(1.0, done / n_warm) if n_warm else self.rate)

    def end_epoch(self, metrics: Mapping[str, float]) -> None:
        """Hear how the epoch went.

        Raises
        ------
        ConfigError : the metric that a plateau follows is not among those of this task
        """
        if self.plateau is None:
            return
        if self.monitor not in metrics:
            raise ConfigError(f"can not monitor {self.monitor!r}: this task has {sorted(metrics)}")
        self._set(self.rate)  # the plateau must not take a rate of the warm-up for the real one
        self.plateau.step(metrics[self.monitor])
        self.rate = float(self.optimizer.param_groups[0]["lr"])

    def _set(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    @property
    def now(self) -> float:
        """The rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"rate": self.rate, "plateau": None if self.plateau is None else self.plateau.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up where another schedule of the same configuration was."""
        self.rate = state["rate"]
        if self.plateau is not None:
            self.plateau.load_state_dict(state["plateau"])
