"""The one training loop. Test rows are not in scope; whoever listens is an observer."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int

from emo_ray.errors import TrainingError
from emo_ray.models.base import SegmentModel
from emo_ray.training.checkpoint import Checkpointer
from emo_ray.training.config import TrainingConfig
from emo_ray.training.data import SegmentData
from emo_ray.training.feed import batches_of
from emo_ray.training.losses import TargetStatistics, fit_targets
from emo_ray.training.metrics import score
from emo_ray.training.outputs import joined_outputs, natural_units, outputs_of
from emo_ray.training.seeding import Streams
from emo_ray.training.state import Examples, RunState
from emo_ray.training.step import train_step
from emo_ray.training.tally import Tally
from emo_ray.training.team import Alone, Team

logger = logging.getLogger(__name__)

Metrics = Mapping[str, Mapping[str, float]]


@runtime_checkable
class Observer(Protocol):
    """Whoever wants to hear of every epoch; it ends the run by raising."""

    def report(self, epoch: int, metrics: Metrics, best_epoch: int) -> None:
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
    """What surrounds the loop and is not part of the experiment: the machine, a listener, safety nets.

    In a team only member 0 saves and is heard.
    """

    device: str = "cpu"
    observer: Observer | None = None
    checkpointer: Checkpointer | None = None
    limit_s: float | None = None
    team: Team = field(default_factory=Alone)


@dataclass(frozen=True)
class FittedModel:
    """A trained model, weights of its best epoch restored (or of its last, where that is kept), in eval mode.

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


def train(
    model: SegmentModel,
    data: SegmentData,
    rows: Split,
    config: TrainingConfig,
    streams: Streams,
    runtime: Runtime = Runtime(),
) -> FittedModel:
    """Train on the train rows until the validation rows stop to gain.

    Equal arguments give equal weights, whether the run was interrupted and resumed or not. Members of a team
    call this with equal arguments, and all get the same weights.

    Parameters
    ----------
    streams : an epoch takes ``("shuffle", epoch)`` and ``("dropout", epoch)`` from it, augmentation those
        under ``"augmentation"``, SMOTE ``("smote",)``

    Raises
    ------
    TrainingError : a side without targets, a loss that is not finite, or augmentation that has no use here
    ConfigError : a monitored metric that this task does not have, or numbers that the device does not have
    """
    rows = _defined_rows(data, rows)
    if len(rows.validation) == 0:
        # epochs are told apart by the training loss alone, and the last one is kept
        plateau = config.plateau.model_copy(update={"monitor": None})
        config = config.model_copy(update={"monitor": "loss", "keep": "last", "plateau": plateau})
    run = _start(model, data, rows.train, config, streams, runtime)
    for epoch in range(len(run.history), config.max_epochs):  # a resumed run has its history back
        metrics = _epoch(run, rows, epoch, streams)
        watched = metrics["validation"] or metrics["train"]
        if len(rows.validation):
            run.best.offer(epoch, watched, run.evaluated)
        _report(run, runtime, epoch, metrics)
        if len(rows.validation) and run.best.age(epoch) >= config.patience:
            break  # no checkpoint of a finished run: resumed, it comes to this line again
        run.schedule.end_epoch(watched)
        _save(run, runtime)
    return _finished(run)


def _start(
    model: SegmentModel,
    data: SegmentData,
    rows: Int[np.ndarray, " rows"],
    config: TrainingConfig,
    streams: Streams,
    runtime: Runtime,
) -> RunState:
    statistics = fit_targets(data.heads, data.targets, rows, config.loss.standardise_values)
    examples = Examples(data, rows, config, streams)
    device = torch.device(runtime.device)
    run = RunState(model, examples, config, statistics, device, runtime.team, runtime.limit_s)
    state = runtime.checkpointer.load() if runtime.checkpointer is not None else None
    if state is not None:
        run.load_state_dict(state)
        logger.info("resumed after epoch %d", len(run.history) - 1)
    return run


def _epoch(run: RunState, rows: Split, epoch: int, streams: Streams) -> dict[str, dict[str, float]]:
    """Train, then validate where there is somebody to validate on; enters the history."""
    train_metrics = train_epoch(run, epoch, streams)
    validation_metrics = evaluate(run, rows.validation, epoch) if len(rows.validation) else {}
    run.check_time(together=True)
    metrics = {"train": train_metrics, "validation": validation_metrics}
    run.history.append({"epoch": epoch, **metrics})
    return metrics


def _report(run: RunState, runtime: Runtime, epoch: int, metrics: Metrics) -> None:
    if runtime.observer is not None and run.team.rank == 0:
        runtime.observer.report(epoch, metrics, epoch if run.config.keep == "last" else run.best.epoch)


def _finished(run: RunState) -> FittedModel:
    """The model with the weights that are kept."""
    is_last = run.config.keep == "last"
    best_epoch = len(run.history) - 1 if is_last else run.best.epoch
    run.model.load_state_dict(run.evaluated.state_dict() if is_last else run.best.weights)
    return FittedModel(run.model.eval(), best_epoch, tuple(run.history), run.statistics, run.seconds())


def train_epoch(run: RunState, epoch: int, streams: Streams) -> dict[str, float]:
    """One pass over the train rows, and their children where there are any, in the epoch's own random order.

    Raises
    ------
    TrainingError : a loss or a gradient that is not finite; names epoch and batch
    """
    run.model.train()
    # so a resumed run needs no generator state; members of a team must not drop the same units
    torch.manual_seed(streams.integer("dropout", epoch, *([run.team.rank] if run.team.rank else [])))
    source = run.examples.source(epoch)
    steps = run.examples.steps(run.feed, source, epoch, streams=run.model.streams)
    tally = Tally()
    for step, batches in batches_of(source, steps, run.device, run.examples.data.row_bytes):
        run.schedule.begin_step(epoch, step.number, len(steps))
        train_step(run, step, batches, tally)
    skips = run.precision.scaler is not None
    metrics, n_skipped = tally.summary(run.team, epoch, run.schedule.now, skips)
    run.precision.check_scale(epoch)
    if n_skipped:
        logger.info("epoch %d: %d steps left out, their gradients overflow float16", epoch, n_skipped)
        metrics["skipped_steps"] = float(n_skipped)
    scores = _train_scores(run, tally) if run.config.score_train else {}
    return metrics | {"learning_rate": run.schedule.now} | scores


def _train_scores(run: RunState, tally: Tally) -> dict[str, float]:
    """Scores of the train rows as the epoch saw them: weights changing from step to step, dropout on."""
    outputs, targets = tally.seen(run.team)
    predictions = natural_units(outputs, run.examples.data, run.statistics)
    found = {name: target.cpu().numpy() for name, target in targets.items()}
    return score(run.examples.data.heads, predictions, found)


def evaluate(run: RunState, rows: Int[np.ndarray, " rows"], epoch: int) -> dict[str, float]:
    """Loss and metrics over the validation rows, all of them at once: no mean of batch means.

    Raises
    ------
    TrainingError : a loss that is not finite
    """
    run.check_time()
    data = run.examples.data
    outputs = joined_outputs(run.evaluated, data, rows, run.team)  # float32 also where training is not
    targets = {head.name: data.targets[head.name][rows] for head in data.heads}
    on_device = {name: torch.from_numpy(target).to(run.device) for name, target in targets.items()}
    total, heads = run.loss(outputs, on_device)
    loss = float(total)
    if not np.isfinite(loss):
        broken = ", ".join(name for name, part in heads.items() if not part.isfinite())
        raise TrainingError(
            f"the validation loss is {loss} in epoch {epoch} ({broken}): lower "
            f"learning_rate={run.schedule.now:g} or look for extreme features in the store"
        )
    predictions = natural_units(outputs, data, run.statistics)
    return {"loss": loss} | score(data.heads, predictions, targets)


def predict(fitted: FittedModel, data: SegmentData, rows: Int[np.ndarray, " rows"]) -> dict[str, np.ndarray]:
    """Predictions in natural units, float32: class probabilities, values, probabilities of events.

    Raises
    ------
    TrainingError : no rows
    """
    if len(rows) == 0:
        raise TrainingError("there are no rows to predict: look at the fold and its rejected trials")
    return natural_units(outputs_of(fitted.model, data, rows), data, fitted.statistics)


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


def _save(run: RunState, runtime: Runtime) -> None:
    checkpointer = runtime.checkpointer
    if checkpointer is None or run.team.rank != 0 or not checkpointer.due():
        return
    try:
        checkpointer.save(run.state_dict())
    except OSError as error:
        # a checkpoint only saves time: a full disk must not cost the run itself
        logger.warning("no checkpoint at epoch %d (%s): training goes on", len(run.history), error)
