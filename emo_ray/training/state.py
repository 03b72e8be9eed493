"""What a run holds between its epochs, and how it comes back from a checkpoint."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emo_ray.errors import TrainingError
from emo_ray.models.base import SegmentModel
from emo_ray.training.best import Best
from emo_ray.training.children import AugmentedRows, Augmenter
from emo_ray.training.compilation import compiled_forward
from emo_ray.training.config import TrainingConfig
from emo_ray.training.data import SegmentData
from emo_ray.training.feed import Feed, Odds, Step, StreamedSteps
from emo_ray.training.losses import TargetStatistics, TrainingLoss
from emo_ray.training.optimizer import Schedule
from emo_ray.training.precision import Precision
from emo_ray.training.sampler import as_drawn, row_odds
from emo_ray.training.seeding import Streams
from emo_ray.training.synthetic import SyntheticRows, synthetic_rows
from emo_ray.training.team import Team
from emo_ray.training.team_norm import share_statistics

Rows = Int[np.ndarray, " rows"]
Source = SegmentData | AugmentedRows | SyntheticRows


@dataclass
class Examples:
    """What an epoch is drawn from: train rows, and what is made of them."""

    data: SegmentData
    rows: Rows
    config: TrainingConfig
    streams: Streams
    made: Augmenter | SyntheticRows | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.config.augmentation.ratio > 0:
            self.made = Augmenter(self.data, self.rows, self.config.augmentation, self.streams)
        elif self.config.smote:
            self.made = synthetic_rows(self.data, self.rows, self.streams)

    def source(self, epoch: int) -> Source:
        """Who makes the batches of this epoch."""
        if self.made is None:
            return self.data
        return self.made.epoch(epoch) if isinstance(self.made, Augmenter) else self.made

    def steps(self, feed: Feed, source: Source, epoch: int, streams: bool) -> Sequence[Step] | StreamedSteps:
        """The steps of an epoch, in its own random order.

        Raises
        ------
        TrainingError : children have no place in a recording that is read in order
        """
        generator = self.streams.generator("shuffle", epoch)
        if streams:
            if not isinstance(source, SegmentData):
                raise TrainingError(
                    "a model with a memory reads recordings in order, where children have no place: set "
                    "training.augmentation.ratio=0, or turn the memory off"
                )
            return feed.streamed(source, self.rows, self._odds(self.rows), generator)
        examples = self.rows if isinstance(source, SegmentData) else source.examples
        parents = examples
        if isinstance(source, AugmentedRows):
            parents = examples.copy()
            parents[examples < 0] = source.plan.parent[-1 - examples[examples < 0]]
        return feed.shuffled(examples, self._odds(parents), generator)

    def _odds(self, rows: Rows) -> Odds | None:
        return None if self.config.sampling.is_off else row_odds(self.config.sampling, self.data, rows)

    def shown(self, statistics: TargetStatistics) -> TargetStatistics:
        """Statistics of the targets as often as an epoch shows them: they weigh the loss."""
        if isinstance(self.made, SyntheticRows):
            return self.made.statistics(statistics)
        odds = self._odds(self.rows)
        return statistics if odds is None else as_drawn(statistics, self.data, self.rows, odds)


@dataclass
class RunState:
    """Everything that changes while a run trains; `state_dict` is its checkpoint."""

    model: SegmentModel
    examples: Examples
    config: TrainingConfig
    statistics: TargetStatistics
    device: torch.device
    team: Team
    limit_s: float | None = None

    def __post_init__(self) -> None:
        config, data = self.config, self.examples.data
        self.precision = Precision(config.amp, self.device)
        self.model.to(self.device)  # before the optimizer is built: it keeps references to the weights
        share_statistics(self.model, self.team)
        self.forward = compiled_forward(self.model, self.device) if config.compile else self.model
        shown = self.examples.shown(self.statistics)
        self.loss = TrainingLoss(config.loss, data.heads, shown, self.device)
        self.weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = config.optimizer.build(self.weights)
        self.schedule = _schedule(config, self.optimizer)
        self.average = _average(self.model, config.ema_decay)
        self.feed = Feed(config.batch_size, config.accumulate, self.team)
        self.best = Best(config.monitor, config.min_delta)
        self.history: list[dict[str, Any]] = []
        # seconds: this attempt from its start, and the sum over earlier ones, which the checkpoint brings
        self.started, self.seconds_before = time.perf_counter(), 0.0

    @property
    def evaluated(self) -> SegmentModel:
        """The model whose weights are judged and kept: the average where there is one."""
        if self.average is None:
            return self.model
        model = self.average.module
        assert isinstance(model, SegmentModel)
        return model

    def descend(self) -> Tensor:
        """One step down the gradient that has been added up; returns its norm."""
        self.team.add_up_gradients(self.weights)
        norm = self.precision.step_down(self.optimizer, self.weights, self.config.clip_norm)
        if self.average is not None:
            self.average.update_parameters(self.model)
        return norm

    def seconds(self) -> float:
        """In the loop, over all attempts."""
        return self.seconds_before + time.perf_counter() - self.started

    def check_time(self, together: bool = False) -> None:
        """Stop a run that takes longer than it may; members of a team decide together, once an epoch.

        Raises
        ------
        TrainingError : the time is over
        """
        if self.limit_s is None or together != (self.team.size > 1):
            return
        over = self.seconds() > self.limit_s
        if together:
            over = bool(self.team.total(torch.tensor(float(over), device=self.device)) > 0)
        if over:
            raise TrainingError(f"not done after {self.limit_s:g} s, the time that a run of this search gets")

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs; no random state, for `Streams` draws every epoch anew."""
        return {
            "model": self.model.state_dict(),
            # all of them: what is not saved with the weights (a full memory) may matter to the next step
            "buffers": dict(self.model.named_buffers()),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.precision.state_dict(),
            "best": self.best.state_dict(),
            "history": self.history,
            "seconds": self.seconds(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up where another attempt of this run was."""
        self.model.load_state_dict(state["model"])
        for name, buffer in self.model.named_buffers():
            buffer.copy_(state["buffers"][name])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.precision.load_state_dict(state["scaler"])
        self.best.load_state_dict(state["best"], self.device)
        self.history = list(state["history"])
        self.seconds_before = state["seconds"]


def _schedule(config: TrainingConfig, optimizer: torch.optim.Optimizer) -> Schedule:
    monitor = config.plateau.monitor or config.monitor
    plateau = config.plateau.build(optimizer, monitor, config.min_delta)
    return Schedule(
        optimizer,
        plateau if config.schedule == "plateau" else None,
        monitor,
        (config.cosine, config.max_epochs) if config.schedule == "cosine" else None,
        config.warmup_epochs,
    )


def _average(model: nn.Module, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    # buffers (moments of batch norm) are copied, not averaged: they are means already
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]
