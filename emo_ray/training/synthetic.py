"""Synthetic rows that fill up the smaller classes of a flat table (SMOTE); made once, of train rows alone."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Int, Int64

from emo_ray.errors import TrainingError
from emo_ray.processes import one_thread
from emo_ray.training.data import Batch, SegmentData
from emo_ray.training.losses import TargetStatistics
from emo_ray.training.neighbours import class_codes
from emo_ray.training.seeding import Streams

logger = logging.getLogger(__name__)

Rows = Int[np.ndarray, " rows"]
N_NEIGHBOURS = 5
"""Nearest rows of the class that a synthetic one may lie towards, as published; fewer in a smaller class."""


@dataclass(frozen=True)
class SyntheticRows:
    """A source of batches, as `SegmentData` is: train rows, and synthetic ones as ``-1 - i``.

    Attributes
    ----------
    values : standardised, by modality
    targets : of class heads; other heads have none for a row that nobody has lived through
    """

    data: SegmentData
    rows: Int64[np.ndarray, " rows"]
    values: Mapping[str, Float32[np.ndarray, "synthetic _"]]
    targets: Mapping[str, Float32[np.ndarray, " synthetic"]]

    @property
    def examples(self) -> Int64[np.ndarray, " examples"]:
        """All originals, then all synthetic rows."""
        n_synthetic = len(next(iter(self.targets.values())))
        return np.concatenate([self.rows, -1 - np.arange(n_synthetic)])

    def batch(self, examples: Int[np.ndarray, " batch"], device: str | torch.device = "cpu") -> Batch:
        """Originals as they are; synthetic rows with all modalities, whose facts are those of no trial."""
        places = np.flatnonzero(examples < 0)
        if len(places) == 0:
            return self.data.batch(examples, device)
        # any row of the table holds the place of a synthetic one until it is filled
        batch = self.data.batch(np.where(examples < 0, self.rows[0], examples), device)
        chosen, on_device = -1 - examples[places], torch.from_numpy(places).to(device)
        for name, x in batch.x.items():
            x[on_device, 0] = torch.from_numpy(self.values[name][chosen]).to(device)
            batch.mask[name][on_device] = True
        for name, target in batch.targets.items():
            target[on_device] = torch.from_numpy(self.targets[name][chosen]).to(device)
        if batch.facts is not None:
            # a number of its own for each: a synthetic row is of nobody's trial
            batch.facts.trial[on_device] = torch.from_numpy(examples[places]).to(batch.facts.trial)
        return batch

    def statistics(self, statistics: TargetStatistics) -> TargetStatistics:
        """Statistics of the train rows, classes counted with the synthetic rows."""
        counts = dict(statistics.class_counts)
        for name, before in counts.items():
            made = self.targets[name][np.isfinite(self.targets[name])].astype(np.int64)
            counts[name] = tuple((np.array(before) + np.bincount(made, minlength=len(before))).tolist())
        return replace(statistics, class_counts=counts)


def synthetic_rows(data: SegmentData, rows: Rows, streams: Streams) -> SyntheticRows | None:
    """Rows that bring every class to the size of the largest; None where a class has no two to lie between.

    Rows that lack a modality are no parents. Distances are between standardised rows.

    Raises
    ------
    TrainingError : these segments are sequences of tokens, or have no classes
    """
    _check_flat(data)
    codes = class_codes(data, rows)
    whole = np.all([data.masks[name][rows].all(axis=1) for name in data.values], axis=0)
    parents, codes = np.asarray(rows, np.int64)[(codes >= 0) & whole], codes[(codes >= 0) & whole]
    present, counts = np.unique(codes, return_counts=True)
    smallest = min(counts.tolist(), default=0)
    n_neighbours = min(N_NEIGHBOURS, smallest - 1)
    if len(present) < 2 or n_neighbours < 1:
        logger.info("no SMOTE: %d classes, the smallest with %d rows", len(present), smallest)
        return None
    points = _points(data, parents)
    made, made_codes = _resampled(points, codes, n_neighbours, streams.integer("smote") % 2**32)
    widths = [values.shape[2] for values in data.values.values()]
    parts = np.split(made, np.cumsum(widths)[:-1], axis=1)
    example = parents[np.unique(codes, return_index=True)[1]]  # a row of each class that is present
    like = example[np.searchsorted(present, made_codes)]
    targets = {
        head.name: data.targets[head.name][like]
        if head.kind == "classes"
        else np.full(len(like), np.nan, np.float32)
        for head in data.heads
    }
    values = dict(zip(data.values, parts, strict=True))
    return SyntheticRows(data, np.asarray(rows, np.int64), values, targets)


def _check_flat(data: SegmentData) -> None:
    shape = data.shape()
    long = {name: n_tokens for name, (n_tokens, _) in shape.tokens.items() if n_tokens != 1}
    if long:
        raise TrainingError(
            f"SMOTE makes rows of a flat table, and {', '.join(long)} has segments of "
            f"{max(long.values())} tokens: set training.sampling.classes=balanced instead, or "
            "training.augmentation"
        )
    if not any(head.kind == "classes" for head in data.heads):
        raise TrainingError("SMOTE fills up classes, and this task has none: set training.smote=false")


def _points(data: SegmentData, rows: Rows) -> Float32[np.ndarray, "rows numbers"]:
    pieces = [data.batch(piece).x.values() for piece in data.pieces(rows)]
    flat = [np.concatenate([part.flatten(1).numpy() for part in piece], axis=1) for piece in pieces]
    return np.concatenate(flat)


def _resampled(
    points: Float32[np.ndarray, "rows numbers"],
    codes: Int64[np.ndarray, " rows"],
    n_neighbours: int,
    seed: int,
) -> tuple[Float32[np.ndarray, "synthetic numbers"], Int64[np.ndarray, " synthetic"]]:
    """The synthetic rows alone, and their codes."""
    from imblearn.over_sampling import SMOTE

    with one_thread():
        made, made_codes = SMOTE(random_state=seed, k_neighbors=n_neighbours).fit_resample(points, codes)
    # the originals come first and are not wanted a second time
    return made[len(points) :].astype(np.float32), made_codes[len(points) :].astype(np.int64)
