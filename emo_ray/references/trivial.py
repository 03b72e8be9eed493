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
    PR-AUC p.
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
    """Classes drawn by their frequency in train, its median value, and its rate of events.

    The draw is seeded, and stays the same for the same number of rows.
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
            else:
                value = _median(data.targets[head.name][train_rows])
                # no event known in train: NaN, and the rate is said to be 0
                value = value if head.kind == "value" else np.nan_to_num(fitted.positives[head.name])
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
