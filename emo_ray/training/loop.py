"""The one training loop. Test rows are not in scope; whoever listens is an observer."""

import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from emo_ray.errors import ConfigError, TrainingError
from emo_ray.models.base import SegmentModel
from emo_ray.training.checkpoint import Checkpointer
from emo_ray.training.children import AugmentedRows, Augmenter
from emo_ray.training.config import TrainingConfig
from emo_ray.training.data import Batch, SegmentData, shuffled_batches
from emo_ray.training.losses import TargetStatistics, TrainingLoss, fit_targets
from emo_ray.training.metrics import direction_of, score
from emo_ray.training.seeding import Streams

logger = logging.getLogger(__name__)


@runtime_checkable
class Observer(Protocol):
    """Whoever wants to hear of every epoch; it ends the run by raising."""

    def report(self, epoch: int, metrics: Mapping[str, Mapping[str, float]], best_epoch: int) -> None:
        """Metrics of one epoch under ``"train"`` and ``"validation"``, and which epoch is best by now."""


@dataclass(frozen=True)
class Split:
    """Row numbers of the two sides that training may see.

    Without validation rows nothing stops the run: it trains for ``max_epochs`` and keeps its last weights.
    """

    train: Int[np.ndarray, " train_rows"]
    validation: Int[np.ndarray, " validation_rows"]


@dataclass(frozen=True)
class Runtime:
    """What surrounds the loop and is not part of the experiment: the machine, a listener, safety nets."""

    device: str = "cpu"
    observer: Observer | None = None
    checkpointer: Checkpointer | None = None
    limit_s: float | None = None


@dataclass(frozen=True)
class FittedModel:
    """A trained model, weights of its best epoch restored, in eval mode.

    Attributes
    ----------
    history : one entry an epoch: ``{"epoch": 0, "train": {...}, "validation": {...}}``
    statistics : of the train targets; turns outputs back to natural units
    seconds : in the loop, over all attempts
    """

    model: SegmentModel
    best_epoch: int
    history: tuple[dict[str, Any], ...]
    statistics: TargetStatistics
    seconds: float


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


@dataclass
class _Run:
    """What the loop holds between epochs; `state` and `restore` are its checkpoint."""

    model: SegmentModel
    data: SegmentData
    config: TrainingConfig
    statistics: TargetStatistics
    device: torch.device
    limit_s: float | None = None
    augmenter: Augmenter | None = None

    def __post_init__(self) -> None:
        self.model.to(self.device)  # before the optimizer is built: it keeps references to the weights
        self.loss = TrainingLoss(self.config.loss, self.data.heads, self.statistics, self.device)
        self.weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = self.config.optimizer.build(self.weights)
        direction = direction_of(self.config.monitor)
        self.plateau = self.config.plateau.build(self.optimizer, direction, self.config.min_delta)
        self.best = Best(self.config.monitor, self.config.min_delta)
        self.history: list[dict[str, Any]] = []
        # seconds: this attempt from its start, and the sum over earlier ones, which the checkpoint brings
        self.started, self.seconds_before = time.perf_counter(), 0.0

    def seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started

    def check_time(self) -> None:
        if self.limit_s is not None and self.seconds() > self.limit_s:
            raise TrainingError(f"not done after {self.limit_s:g} s, the time that a run of this search gets")

    def state(self) -> dict[str, Any]:
        return {  # no random state: `Streams` draws every epoch anew
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "best": {"epoch": self.best.epoch, "value": self.best.value, "weights": self.best.weights},
            "history": self.history,
            "seconds": self.seconds(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["plateau"])
        weights = {name: tensor.to(self.device) for name, tensor in state["best"]["weights"].items()}
        self.best = Best(**(vars(self.best) | state["best"] | {"weights": weights}))
        self.history = list(state["history"])
        self.seconds_before = state["seconds"]


def train(
    model: SegmentModel,
    data: SegmentData,
    rows: Split,
    config: TrainingConfig,
    streams: Streams,
    runtime: Runtime = Runtime(),
) -> FittedModel:
    """Train on the train rows until the validation rows stop to gain.

    Equal arguments give equal weights, whether the run was interrupted and resumed or not.

    Parameters
    ----------
    streams : an epoch takes ``("shuffle", epoch)`` and ``("dropout", epoch)`` from it, and augmentation
        those under ``"augmentation"``

    Raises
    ------
    TrainingError : a side without targets, a loss that is not finite, or augmentation that has no use here
    ConfigError : a monitored metric that this task does not have
    """
    rows = _defined_rows(data, rows)
    if len(rows.validation) == 0:
        return _train_to_the_end(model, data, rows, config, streams, runtime)
    run = _start(model, data, rows, config, streams, runtime)
    for epoch in range(len(run.history), config.max_epochs):  # a resumed run has its history back
        train_metrics = train_epoch(run, rows.train, epoch, streams)
        validation_metrics = evaluate(run, rows.validation, epoch)
        metrics = {"train": train_metrics, "validation": validation_metrics}
        run.history.append({"epoch": epoch, **metrics})
        run.best.offer(epoch, validation_metrics, model)
        if runtime.observer is not None:
            runtime.observer.report(epoch, metrics, run.best.epoch)
        if run.best.age(epoch) >= config.patience:
            break  # no checkpoint of a finished run: resumed, it comes to this line again
        run.plateau.step(validation_metrics[config.monitor])
        _save(run, runtime.checkpointer)
    model.load_state_dict(run.best.weights)
    return FittedModel(model.eval(), run.best.epoch, tuple(run.history), run.statistics, run.seconds())


def _train_to_the_end(
    model: SegmentModel,
    data: SegmentData,
    rows: Split,
    config: TrainingConfig,
    streams: Streams,
    runtime: Runtime,
) -> FittedModel:
    """Train for all epochs; the plateau follows the training loss, for there is no other."""
    run = _start(model, data, rows, config.model_copy(update={"monitor": "loss"}), streams, runtime)
    for epoch in range(len(run.history), config.max_epochs):
        train_metrics = train_epoch(run, rows.train, epoch, streams)
        run.history.append({"epoch": epoch, "train": train_metrics, "validation": {}})
        if runtime.observer is not None:
            runtime.observer.report(epoch, {"train": train_metrics, "validation": {}}, epoch)
        run.plateau.step(train_metrics["loss"])
        _save(run, runtime.checkpointer)
    last = len(run.history) - 1
    return FittedModel(model.eval(), last, tuple(run.history), run.statistics, run.seconds())


def _start(
    model: SegmentModel,
    data: SegmentData,
    rows: Split,
    config: TrainingConfig,
    streams: Streams,
    runtime: Runtime,
) -> _Run:
    statistics = fit_targets(data.heads, data.targets, rows.train, config.loss.standardise_values)
    run = _Run(model, data, config, statistics, torch.device(runtime.device), runtime.limit_s)
    if config.augmentation.ratio > 0:
        run.augmenter = Augmenter(data, rows.train, config.augmentation, streams)
    _resume(run, runtime.checkpointer)
    return run


def train_epoch(run: _Run, rows: Int[np.ndarray, " rows"], epoch: int, streams: Streams) -> dict[str, float]:
    """One pass over the train rows, and their children where there are any, in the epoch's own random order.

    Raises
    ------
    TrainingError : a loss that is not finite; names epoch and batch
    """
    run.model.train()
    torch.manual_seed(streams.integer("dropout", epoch))  # so a resumed run needs no generator state
    source = run.data if run.augmenter is None else run.augmenter.epoch(epoch)
    examples = source.examples if isinstance(source, AugmentedRows) else rows
    batches = shuffled_batches(examples, run.config.batch_size, streams.generator("shuffle", epoch))
    # losses are read once an epoch: on CUDA every earlier look would wait for the device
    steps = [train_step(run, source.batch(batch, run.device)) for batch in batches]
    losses = torch.stack(steps).double().cpu()
    broken = (~losses.isfinite()).nonzero()
    if len(broken):
        first = int(broken[0])
        raise TrainingError(
            f"the loss is {float(losses[first])} in epoch {epoch}, batch {first} of {len(batches)}: lower "
            f"learning_rate={run.config.optimizer.learning_rate:g} or look for extreme features in the store"
        )
    # a mean over rows: the last batch is smaller, and would count too much in a mean over batches
    sizes = torch.tensor([len(batch) for batch in batches])
    return {"loss": float((losses * sizes).sum() / sizes.sum())}


def train_step(run: _Run, batch: Batch) -> Tensor:
    """One step down the gradient; returns the loss of the batch, penalty left out."""
    run.check_time()
    with _autocast(run):
        outputs = run.model(batch.x, batch.mask)
    loss, _ = run.loss(outputs, batch.targets)  # outside autocast, in float32
    penalty = run.model.penalty()
    run.optimizer.zero_grad()
    (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
    if run.config.clip_norm is not None:
        nn.utils.clip_grad_norm_(run.weights, run.config.clip_norm, foreach=True)
    run.optimizer.step()
    return loss.detach()


def evaluate(run: _Run, rows: Int[np.ndarray, " rows"], epoch: int) -> dict[str, float]:
    """Loss and metrics over the validation rows, all of them at once: no mean of batch means.

    Raises
    ------
    TrainingError : a loss that is not finite
    """
    run.check_time()
    outputs = _outputs(run.model, run.data, rows)  # float32 also where training is autocast
    targets = {head.name: run.data.targets[head.name][rows] for head in run.data.heads}
    on_device = {name: torch.from_numpy(target).to(run.device) for name, target in targets.items()}
    loss = float(run.loss(outputs, on_device)[0])
    if not np.isfinite(loss):
        raise TrainingError(f"the validation loss is {loss} in epoch {epoch}: lower the learning rate")
    predictions = _natural_units(outputs, run.data, run.statistics)
    return {"loss": loss} | score(run.data.heads, predictions, targets)


def predict(fitted: FittedModel, data: SegmentData, rows: Int[np.ndarray, " rows"]) -> dict[str, np.ndarray]:
    """Predictions in natural units, float32: class probabilities, values, probabilities of events.

    Raises
    ------
    TrainingError : no rows
    """
    if len(rows) == 0:
        raise TrainingError("there are no rows to predict: look at the fold and its rejected trials")
    return _natural_units(_outputs(fitted.model, data, rows), data, fitted.statistics)


@torch.no_grad()
def _outputs(model: SegmentModel, data: SegmentData, rows: Int[np.ndarray, " rows"]) -> dict[str, Tensor]:
    """Raw outputs of all heads in eval mode, float32."""
    model.eval()
    device = next(model.parameters()).device
    parts = []
    for chunk in data.pieces(rows):
        batch = data.batch(chunk, device)
        parts.append(model(batch.x, batch.mask))
    return {head.name: torch.cat([part[head.name] for part in parts]).float() for head in data.heads}


def _natural_units(
    outputs: Mapping[str, Tensor], data: SegmentData, statistics: TargetStatistics
) -> dict[str, np.ndarray]:
    predictions = {}
    for head in data.heads:
        output = outputs[head.name]
        if head.kind == "classes":
            output = output.softmax(dim=1)  # rows classes
        elif head.kind == "event":
            output = output.sigmoid()
        else:
            output = output * statistics.sd[head.name] + statistics.mean[head.name]
        predictions[head.name] = output.cpu().numpy()
    return predictions


def _defined_rows(data: SegmentData, rows: Split) -> Split:
    """The rows that have any target; a side that has rows must keep some."""
    kept = Split(train=data.defined(rows.train), validation=data.defined(rows.validation))
    for side, before, after in (
        ("train", rows.train, kept.train),
        ("validation", rows.validation, kept.validation),
    ):
        if len(after) == 0 and not (side == "validation" and len(before) == 0):
            raise TrainingError(
                f"the {side} side has {len(before)} rows, none with a target for "
                f"{[head.name for head in data.heads]}: check the fold and the labels of its subjects"
            )
    return kept


def computes_in_half(config: TrainingConfig, device: torch.device) -> bool:
    """Whether training runs in bfloat16 where it can: only on CUDA, and only if it may."""
    return config.amp == "auto" and device.type == "cuda"


def _autocast(run: _Run) -> AbstractContextManager[Any]:
    enabled = computes_in_half(run.config, run.device)
    return torch.autocast(run.device.type, dtype=torch.bfloat16, enabled=enabled)


def _resume(run: _Run, checkpointer: Checkpointer | None) -> None:
    state = checkpointer.load() if checkpointer is not None else None
    if state is not None:
        run.restore(state)
        logger.info("resumed after epoch %d", len(run.history) - 1)


def _save(run: _Run, checkpointer: Checkpointer | None) -> None:
    if checkpointer is None or not checkpointer.due():
        return
    try:
        checkpointer.save(run.state())
    except OSError as error:
        # a checkpoint only saves time: a full disk must not cost the run itself
        logger.warning("no checkpoint at epoch %d (%s): training goes on", len(run.history), error)
