"""Majority and Prior: what can be scored without a look at the signals."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int

from emo_ray.tasks.base import Head
from emo_ray.training.data import SegmentData
from emo_ray.training.losses import TargetStatistics, fit_targets


@dataclass(frozen=True)
class Majority:
    """The most frequent class of train, its mean value, and every event called.

    Its scores are known beforehand: balanced accuracy 1 / K, R2 at most 0, F1 of events 2p / (1 + p),
    PR-AUC p (of few rows, a ranking by chance has more: see `Prior`).
    """

    def fit_predict(
        self,
        data: SegmentData,
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        seed: int,
    ) -> dict[str, np.ndarray]:
        """The same answer for every test row; the seed is not used."""
        fitted = fit_targets(data.heads, data.targets, train_rows)
        return {head.name: self._constant(head, fitted, len(test_rows)) for head in data.heads}

    @staticmethod
    def _constant(head: Head, fitted: TargetStatistics, n_rows: int) -> np.ndarray:
        if head.kind == "classes":
            codes = np.full(n_rows, np.argmax(fitted.class_counts[head.name]))
            return one_hot(codes, head.n_outputs)
        value = fitted.mean[head.name] if head.kind == "value" else 1.0  # every event is called
        return np.full(n_rows, value, np.float32)


@dataclass(frozen=True)
class Prior:
    """Classes drawn by their frequency in train, its median value, and events ranked by chance.

    The score of an event is uniform on [0, 1), so its average precision is what a worthless ranking gets.
    That is above the rate p, by more the fewer the rows: a random ranking of 46 rows with 15 events (p =
    0.33) has 0.38 on average. A constant has exactly p (all rows are tied), and would flatter a network that
    knows nothing. An event is called where the score reaches the threshold: half of the rows at 0.5.

    The draw is seeded, and stays the same for the same number of rows.

    References
    ----------
    Bestgen (2015), "Exact expected average precision of the random baseline for system evaluation", Prague
    Bulletin of Mathematical Linguistics 103, 131-138.
    """

    def fit_predict(
        self,
        data: SegmentData,
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        seed: int,
    ) -> dict[str, np.ndarray]:
        """Predictions that know the train targets only."""
        rng = np.random.default_rng(seed)
        fitted = fit_targets(data.heads, data.targets, train_rows)
        predictions = {}
        for head in data.heads:
            if head.kind == "classes":
                codes = rng.choice(
                    head.n_outputs, size=len(test_rows), p=class_shares(fitted.class_counts[head.name])
                )
                predictions[head.name] = one_hot(codes, head.n_outputs)
            elif head.kind == "event":
                predictions[head.name] = rng.random(len(test_rows), dtype=np.float32)
            else:
                value = _median(data.targets[head.name][train_rows])
                predictions[head.name] = np.full(len(test_rows), value, np.float32)
        return predictions


def class_shares(counts: tuple[int, ...]) -> Float64[np.ndarray, " classes"]:
    """Share of each class in train; equal shares where train has no class at all."""
    filled = np.array(counts if sum(counts) else [1] * len(counts), np.float64)
    shares: np.ndarray = filled / filled.sum()
    return shares


def one_hot(codes: Int[np.ndarray, " rows"], n_classes: int) -> Float32[np.ndarray, "rows classes"]:
    """Probability 1 for the class of each row."""
    rows: np.ndarray = np.eye(n_classes, dtype=np.float32)[codes]
    return rows


def _median(target: Float32[np.ndarray, " rows"]) -> float:
    defined = target[np.isfinite(target)]
    return float(np.median(defined)) if len(defined) else 0.0
