"""Probes: each nuisance by itself, a lookup of what train rows of about the same number were.

No probe has seen a signal. A network that does not beat the best of them may have learnt the protocol of
the experiment: how long a stimulus is, when it came, or which one it was. The clip probe is apart: where the
label belongs to the stimulus, it is right by definition, and says how far knowing the stimulus would go.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from emo_ray.errors import TrainingError
from emo_ray.references.trivial import Majority
from emo_ray.store.segment_table import NUISANCE
from emo_ray.tasks.base import Head
from emo_ray.training.data import SegmentData
from emo_ray.training.losses import balanced_class_weights

MAX_CELLS = 64
"""Numbers of more distinct values are cut where these quantiles of train lie; clips are never cut."""

PREFIX = "probe_"


@dataclass(frozen=True)
class Probe:
    """What the train rows in a test row's cell were, each class weighing the same.

    One row of the train side as a whole is added to every cell, so a cell without any is answered by the
    shares of the classes. Where the column does not vary in train, it is the answer of `Majority`.
    """

    column: str

    def fit_predict(
        self,
        data: SegmentData,
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        seed: int,
    ) -> dict[str, np.ndarray]:
        """Predictions from one column; nothing is drawn, the seed is not used.

        Raises
        ------
        TrainingError : the data come without this nuisance column
        """
        place = NUISANCE.index(self.column)
        if data.nuisance is None or data.nuisance.shape[1] <= place:
            raise TrainingError(f"the {self.column} probe needs the nuisance columns of the segment table")
        known, asked = data.nuisance[train_rows, place], data.nuisance[test_rows, place]
        if (known == known[0]).all():
            return Majority().fit_predict(data, train_rows, test_rows, seed)
        cells, asked_cells, n_cells = _by_cell(known, asked, is_named=self.column == "clip")
        targets = {head: data.targets[head.name][train_rows] for head in data.heads}
        return {
            head.name: _answers(head, cells, target, n_cells)[asked_cells] for head, target in targets.items()
        }


def _by_cell(
    known: Float32[np.ndarray, " train"], asked: Float32[np.ndarray, " test"], *, is_named: bool
) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"], int]:
    """The cell of each row of both sides, and how many cells there are.

    A number is in the cell of the next lower one of train. A name is in its own cell; those that train
    lacks share one more, which no train row is in.
    """
    values = np.unique(known)
    if not is_named and len(values) > MAX_CELLS:
        values = np.unique(np.quantile(known, np.arange(MAX_CELLS) / MAX_CELLS))
    cells, found = ((np.searchsorted(values, side, side="right") - 1).clip(0) for side in (known, asked))
    if is_named:
        found = np.where(values[found] == asked, found, len(values))
    return cells, found, len(values) + is_named


def _answers(
    head: Head, cells: Int[np.ndarray, " train"], target: Float32[np.ndarray, " train"], n_cells: int
) -> Float32[np.ndarray, "cells ..."]:
    """The prediction of each cell: a mean, or shares of classes of equal weight."""
    defined = np.isfinite(target)
    cells, target = cells[defined], target[defined].astype(np.float64)
    if head.kind == "value":
        mean = target.mean() if len(target) else 0.0
        sums = np.bincount(cells, target, n_cells) + mean
        return (sums / (np.bincount(cells, minlength=n_cells) + 1)).astype(np.float32)
    n_classes = max(2, head.n_outputs)  # an event has two outcomes
    counts = np.bincount(target.astype(np.int64), minlength=n_classes)
    prior = counts / len(target) if len(target) else np.full(n_classes, 1 / n_classes)
    weights = np.array(balanced_class_weights(tuple(counts.tolist())))[target.astype(np.int64)]
    pairs = cells * n_classes + target.astype(np.int64)
    shares = np.bincount(pairs, weights, n_cells * n_classes).reshape(n_cells, n_classes) + prior
    shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    answers: np.ndarray = shares if head.kind == "classes" else shares[:, 1]
    return answers


_PROBED = ("length", "clock", "place", "dataset", "channels", "clip")
PROBES: Mapping[str, Probe] = {f"{PREFIX}{column}": Probe(column) for column in _PROBED}
"""By name of the reference; length is that of the trial, in tokens."""
