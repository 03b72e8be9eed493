"""Metrics by name, each with its direction, over rows whose target is defined."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from emo_ray.errors import ConfigError
from emo_ray.tasks.base import Head, HeadKind

Direction = Literal["max", "min"]
NAN = float("nan")
Numbers = Float[np.ndarray, " rows"]
Confusion = Int[np.ndarray, "classes classes"]


@dataclass(frozen=True)
class Metric:
    """A score: its name, which way is better, the kind of head it is for, and how it is computed.

    The function of class metrics takes a confusion matrix (targets down, predictions across), that of
    value metrics (prediction, target), that of event metrics (probability, target, threshold).
    """

    name: str
    direction: Direction
    kind: HeadKind
    function: Callable[..., float]


def accuracy(confused: Confusion) -> float:
    """Share of rows that are right."""
    return _ratio(np.trace(confused), confused.sum())


def balanced_accuracy(confused: Confusion) -> float:
    """Mean recall over the classes that the targets hold (as in sklearn); the others do not count.

    NaN where the targets hold one class only: a constant would have 1 or 0 there, whatever it knows.
    """
    present = confused.sum(axis=1) > 0
    if present.sum() < 2:
        return NAN
    return _mean(np.diag(confused)[present] / confused.sum(axis=1)[present])


def macro_f1(confused: Confusion) -> float:
    """Mean F1 over the classes that the targets hold; the others do not count. NaN of one class only."""
    both = confused.sum(axis=1) + confused.sum(axis=0)  # 2 TP + FN + FP of each class
    present = confused.sum(axis=1) > 0
    if present.sum() < 2:
        return NAN
    return _mean(2 * np.diag(confused)[present] / both[present])


def mae(prediction: Numbers, target: Numbers) -> float:
    """Mean absolute error, in the unit of the target."""
    return _mean(np.abs(prediction - target))


def rmse(prediction: Numbers, target: Numbers) -> float:
    """Root of the mean squared error, in the unit of the target."""
    return float(np.sqrt(_mean(np.square(prediction - target))))


def r2(prediction: Numbers, target: Numbers) -> float:
    """1 - squared error / variance; NaN where the target never varies."""
    if len(target) < 2 or np.ptp(target) == 0:
        return NAN
    return 1 - _ratio(np.square(prediction - target).sum(), np.square(target - target.mean()).sum())


def ccc(prediction: Numbers, target: Numbers) -> float:
    """Concordance correlation; NaN where the target never varies.

    References
    ----------
    Lin (1989), "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45(1).
    """
    if len(target) < 2 or np.ptp(target) == 0:
        return NAN
    # moments over n, not n - 1, as Lin has them
    covariance = np.mean((prediction - prediction.mean()) * (target - target.mean()))
    spread = prediction.var() + target.var() + (prediction.mean() - target.mean()) ** 2
    return _ratio(2 * covariance, spread)


def pr_auc(probability: Numbers, target: Numbers, threshold: float) -> float:
    """Average precision; NaN where only one outcome occurs. The threshold is not used."""
    if len(target) == 0 or np.ptp(target) == 0:
        return NAN
    # Late: only event heads need it, and a first training step does not wait for it.
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(target, probability))


def f1(probability: Numbers, target: Numbers, threshold: float) -> float:
    """F1 of the positives at a threshold; NaN where there are none to be found."""
    if not np.any(target == 1):
        return NAN
    called = probability >= threshold
    # 2 TP / (2 TP + FP + FN)
    return _ratio(2 * np.sum(called & (target == 1)), called.sum() + np.sum(target == 1))


def rate(probability: Numbers, target: Numbers, threshold: float) -> float:
    """Share of positives among the rows: tells about the rows, not about the model."""
    return _mean(target)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "max", "classes", accuracy),
        Metric("balanced_accuracy", "max", "classes", balanced_accuracy),
        Metric("macro_f1", "max", "classes", macro_f1),
        Metric("mae", "min", "value", mae),
        Metric("rmse", "min", "value", rmse),
        Metric("r2", "max", "value", r2),
        Metric("ccc", "max", "value", ccc),
        Metric("pr_auc", "max", "event", pr_auc),
        Metric("f1", "max", "event", f1),
        Metric("rate", "max", "event", rate),
    )
}


def direction_of(name: str) -> Direction:
    """Which way is better for ``"loss"``, a metric, or ``"<head>/<metric>"``.

    Raises
    ------
    ConfigError : no metric of that name
    """
    metric = name.rpartition("/")[2]
    if metric == "loss":
        return "min"
    if metric not in METRICS:
        raise ConfigError(f"no metric is called {name!r}: take 'loss' or one of {sorted(METRICS)}")
    return METRICS[metric].direction


def metric_names(heads: tuple[Head, ...]) -> tuple[str, ...]:
    """Names of all scores that `score` gives for these heads."""
    if len(heads) == 1:
        return _metrics_of(heads[0].kind)
    names = tuple(f"{head.name}/{name}" for head in heads for name in _metrics_of(head.kind))
    has_values = any(head.kind == "value" for head in heads)
    return names + (_metrics_of("value") if has_values else ())


def _metrics_of(kind: HeadKind) -> tuple[str, ...]:
    return tuple(metric.name for metric in METRICS.values() if metric.kind == kind)


def score(
    heads: tuple[Head, ...],
    predictions: Mapping[str, Shaped[np.ndarray, "rows ..."]],
    targets: Mapping[str, Shaped[np.ndarray, " rows"]],
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """All metrics of all heads; NaN where one is undefined.

    A task of one head gives bare names (``"macro_f1"``), one of several gives ``"<head>/<metric>"``
    and, under the bare names, the means of the value metrics over the value heads.

    Parameters
    ----------
    predictions : head to class probabilities (rows, classes), or value or probability of the event (rows)
    targets : rows that are NaN are left out
    thresholds : of event heads; 0.5 where not given
    """
    by_head = {
        head.name: _score_head(
            head, predictions[head.name], targets[head.name], (thresholds or {}).get(head.name, 0.5)
        )
        for head in heads
    }
    if len(heads) == 1:
        return by_head[heads[0].name]
    scores = {f"{head}/{name}": value for head, values in by_head.items() for name, value in values.items()}
    values = [by_head[head.name] for head in heads if head.kind == "value"]
    means = {name: float(np.mean([v[name] for v in values])) for name in values[0]} if values else {}
    return scores | means


def _score_head(head: Head, prediction: np.ndarray, target: np.ndarray, threshold: float) -> dict[str, float]:
    defined = np.isfinite(target)
    arguments: tuple[Any, ...]
    if head.kind == "classes":
        arguments = (confusion(prediction, target),)
    else:
        arguments = (prediction[defined].astype(np.float64), target[defined].astype(np.float64))
    if head.kind == "event":
        arguments += (threshold,)
    return {name: METRICS[name].function(*arguments) for name in _metrics_of(head.kind)}


def confusion(
    probability: Float[np.ndarray, "rows classes"], target: Float[np.ndarray, " rows"]
) -> Confusion:
    """Count of each (target, most probable class) over the defined rows; targets down, predictions across."""
    defined = np.isfinite(target)
    n_classes = probability.shape[1]
    # cells numbered row by row, so that one bincount does
    cell = target[defined].astype(np.int64) * n_classes + probability[defined].argmax(axis=1)
    return np.bincount(cell, minlength=n_classes**2).reshape(n_classes, n_classes)


def choose_threshold(probability: Float[np.ndarray, " rows"], target: Float[np.ndarray, " rows"]) -> float:
    """Threshold with the best F1 (the highest of equals); 0.5 where no positive is known.

    Meant for the validation subjects: a threshold chosen on the test subject is a leak.
    """
    defined = np.isfinite(target)
    order = np.argsort(-probability[defined], kind="stable")
    ranked, hits = probability[defined][order], target[defined][order].cumsum()
    if len(hits) == 0 or hits[-1] == 0:
        return 0.5
    # F1 where the first 1, 2, .. n rows are called
    scores = 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])
    # equal probabilities are called together, so only the last of them is a possible cut
    scores[:-1][ranked[:-1] == ranked[1:]] = -1
    return float(ranked[np.argmax(scores)])


def _ratio(part: float | np.number, whole: float | np.number) -> float:
    return float(part / whole) if whole else NAN


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else NAN
