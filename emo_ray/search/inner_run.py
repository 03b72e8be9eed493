"""One inner run of a candidate: trained on one inner fold, scored on its validation subjects."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from emo_ray.errors import TrainingError
from emo_ray.experiment import RunSpec
from emo_ray.models.blocks import count_weights
from emo_ray.results.search_results import InnerRecord
from emo_ray.run import Fit, HeadPredictions, Rows, fit, labelled_rows
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.loop import Runtime, predict
from emo_ray.training.metrics import score

N_TIMED = 20


@dataclass(frozen=True)
class InnerPlace:
    """Where an inner run stands in a study, and what is asked of it."""

    search: str
    number: int
    fold: int
    objectives: tuple[str, ...]

    @property
    def metric(self) -> str:
        """The first objective, which curves show."""
        return self.objectives[0]


@dataclass
class Progress:
    """Observer of an inner run: keeps its curve, and passes every epoch on to whoever may end it.

    In a flat search a run has no standing before it has ended: its score is of others than its curve.
    """

    metric: str
    has_standing: bool = True
    heard: Callable[[int], None] = lambda epoch: None
    curve: list[float] = field(default_factory=list)
    standing: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    best_epoch: int = -1

    def report(self, epoch: int, metrics: Mapping[str, Mapping[str, float]], best_epoch: int) -> None:
        """One epoch has ended."""
        self.curve.append(metrics["validation"][self.metric])
        if self.has_standing:
            self.standing.append(self.curve[best_epoch])
        self.train_loss.append(metrics["train"]["loss"])
        self.validation_loss.append(metrics["validation"]["loss"])
        self.best_epoch = best_epoch
        self.heard(epoch)

    def curves(self) -> dict[str, Any]:
        """The fields of a record that it knows."""
        return {
            "curve": tuple(self.curve),
            "standing": tuple(self.standing),
            "train_loss": tuple(self.train_loss),
            "validation_loss": tuple(self.validation_loss),
            "best_epoch": self.best_epoch,
        }


def run_inner(
    spec: RunSpec, place: InnerPlace, table: SegmentTable, progress: Progress, runtime: Runtime
) -> InnerRecord:
    """Train on the fold's training subjects; score its validation subjects, or in a flat search the test's.

    Raises
    ------
    TrainingError : the loss became NaN, an objective is undefined, the time was over, or nothing to train on
    """
    started, clock = time.time(), time.perf_counter()
    fitted = fit(spec, table, replace(runtime, observer=progress))
    side = "test" if spec.fold.test else "validation"
    rows = labelled_rows(table, fitted.data, getattr(spec.fold, side), side, spec)
    outputs = predict(fitted.model, fitted.data, rows)
    scores = _scores(fitted, rows, outputs)
    n_parameters = count_weights(fitted.model.model)
    costs = {"n_parameters": float(n_parameters)}
    if "latency_ms" in place.objectives:
        costs["latency_ms"] = latency_ms(fitted, rows)
    return replace(
        begun(spec, place, started),
        status="finished",
        **progress.curves(),
        scores=scores,
        subject_scores=_by_subject(fitted, table, rows, outputs, place.metric),
        values=_values(place.objectives, scores | costs),
        thresholds=dict(fitted.thresholds),
        n_parameters=n_parameters,
        seconds=time.perf_counter() - clock,
    )


def begun(spec: RunSpec, place: InnerPlace, started_unix: float = 0.0) -> InnerRecord:
    """The record of an inner run, as far as it is known before it has trained; ``failed`` until it is."""
    return InnerRecord(
        search=place.search,
        number=place.number,
        fold=place.fold,
        fingerprint=spec.fingerprint,
        subjects=spec.fold.test or spec.fold.validation,
        status="failed",
        started_unix=started_unix or time.time(),
        host=socket.gethostname(),
    )


def latency_ms(fitted: Fit, rows: Rows) -> float:
    """Milliseconds for one segment, the median of several; of this machine, and so never quite the same."""
    seconds = []
    for row in np.resize(rows, N_TIMED + 1):
        clock = time.perf_counter()
        predict(fitted.model, fitted.data, np.array([row]))
        if next(fitted.model.model.parameters()).device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - clock)
    # the first one warms up
    return 1000 * float(np.median(seconds[1:]))


def _scores(fitted: Fit, rows: Rows, outputs: HeadPredictions) -> dict[str, float]:
    targets = {head: values[rows] for head, values in fitted.data.targets.items()}
    return score(fitted.data.heads, outputs, targets, fitted.thresholds)


def _by_subject(
    fitted: Fit, table: SegmentTable, rows: Rows, outputs: HeadPredictions, metric: str
) -> dict[str, float]:
    found = {}
    for subject in sorted(table.subjects_at(rows)):
        own = table.subject[rows] == table.subjects.index(subject)
        alone = {head: predictions[own] for head, predictions in outputs.items()}
        found[subject] = _scores(fitted, rows[own], alone)[metric]
    return found


def _values(objectives: Sequence[str], found: Mapping[str, float]) -> tuple[float, ...]:
    undefined = [name for name in objectives if not np.isfinite(found[name])]
    if undefined:
        raise TrainingError(
            f"{', '.join(undefined)} is undefined on the subjects that score it (a class that none of them "
            "has, or predictions that never vary): use more scoring subjects, or another objective"
        )
    return tuple(float(found[name]) for name in objectives)
