"""Which examples an epoch shows: each once in random order, or as many drawn by odds, with replacement."""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.training.data import SegmentData
from emo_ray.training.losses import TargetStatistics
from emo_ray.training.neighbours import class_codes

Rows = Int[np.ndarray, " rows"]


class SamplingConfig(BaseModel):
    """How often rows of a class or of a corpus are shown; both ``none``: every row once an epoch.

    Otherwise an epoch draws as many rows as there are, with replacement. Losses are weighted for the
    classes as they are drawn, so balanced classes weigh the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: Literal["none", "balanced"] = Field("none", description="balanced: every class as often")
    datasets: Literal["none", "sqrt", "equal"] = Field(
        "none", description="a corpus of n rows is shown in proportion to n, to its root, or as any other"
    )

    @property
    def is_off(self) -> bool:
        """Whether every row is shown once."""
        return self.classes == self.datasets == "none"


def row_odds(config: SamplingConfig, data: SegmentData, rows: Rows) -> Float64[np.ndarray, " rows"]:
    """Probability of each row to be the next one drawn; they sum to 1.

    Classes are balanced within a corpus where corpora are weighed, else over all rows. Rows without a class
    count as one class more.
    """
    is_split = config.datasets != "none" and len(data.dataset) > 0
    datasets = data.dataset[rows] if is_split else np.zeros(len(rows), np.int32)
    classes = class_codes(data, rows) if config.classes == "balanced" else np.zeros(len(rows), np.int64)
    odds = np.zeros(len(rows))
    power = {"none": 1.0, "sqrt": 0.5, "equal": 0.0}[config.datasets]
    for dataset in np.unique(datasets):
        own = np.flatnonzero(datasets == dataset)
        _, group, sizes = np.unique(classes[own], return_inverse=True, return_counts=True)
        odds[own] = len(own) ** power / (len(sizes) * sizes[group])
    weighed: Float64[np.ndarray, " rows"] = odds / odds.sum()
    return weighed


def as_drawn(
    statistics: TargetStatistics, data: SegmentData, rows: Rows, odds: Float64[np.ndarray, " rows"]
) -> TargetStatistics:
    """Statistics whose classes and events are as frequent as they are drawn, for the weights of the loss."""
    counts, positives = dict(statistics.class_counts), dict(statistics.positives)
    for head in data.heads:
        target = data.targets[head.name][rows]
        defined = np.isfinite(target)
        if head.kind == "classes":
            shares = np.bincount(target[defined].astype(np.int64), odds[defined], minlength=head.n_outputs)
            counts[head.name] = tuple(np.rint(len(rows) * shares).astype(int).tolist())
        elif head.kind == "event" and defined.any():
            positives[head.name] = float((target * odds)[defined].sum() / odds[defined].sum())
    return replace(statistics, class_counts=counts, positives=positives)
