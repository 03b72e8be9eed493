"""The epoch whose weights are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emo_ray.errors import ConfigError
from emo_ray.training.metrics import direction_of


@dataclass
class Best:
    """The best epoch so far, by one metric and that metric's direction."""

    metric: str
    min_delta: float
    epoch: int = -1
    value: float = float("nan")
    weights: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, epoch: int, metrics: Mapping[str, float], model: nn.Module) -> None:
        """Keep a copy of the weights if this epoch is better by at least ``min_delta``.

        An undefined metric never beats a defined one; the first epoch is kept whatever it has.

        Raises
        ------
        ConfigError : the monitored metric is not among those of this task
        """
        if self.metric not in metrics:
            raise ConfigError(f"can not monitor {self.metric!r}: this task has {sorted(metrics)}")
        value = metrics[self.metric]  # may be NaN: comparisons with it are False
        sign = 1.0 if direction_of(self.metric) == "max" else -1.0
        better = sign * (value - self.value) > self.min_delta or (
            np.isnan(self.value) and not np.isnan(value)
        )
        if better or self.epoch < 0:
            self.epoch, self.value = epoch, value
            self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def age(self, epoch: int) -> int:
        """Epochs since the best one."""
        return epoch - self.epoch

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"epoch": self.epoch, "value": self.value, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Take up where another run was."""
        self.epoch, self.value = state["epoch"], state["value"]
        self.weights = {name: tensor.to(device) for name, tensor in state["weights"].items()}
