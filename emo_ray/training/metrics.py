"""Metrics by name, each with its direction, over rows whose target is defined."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from emo_ray.errors import ConfigError
from emo_ray.tasks.base import Head, HeadKind
from emo_ray.training.ranking import Ranking, auroc, average_precision, ranked

Direction = Literal["max", "min"]
NAN = float("nan")
Numbers = Float[np.ndarray, " rows"]
Confusion = Int[np.ndarray, "classes classes"]


@dataclass(frozen=True)
class Metric:
    """A score: its name, which way is better, the kind of head it is for, and how it is computed.

    The function of value metrics takes (prediction, target); of classes and events it takes a confusion
    matrix (targets down, predictions across; an event is class 1 of 2), or one ranking a class where
    ``ranks``: such a score does not depend on what is called.
    """

    name: str
    direction: Direction
    kind: HeadKind
    function: Callable[..., float]
    ranks: bool = False


def accuracy(confused: Confusion) -> float:
    """Share of rows that are right."""
    return _ratio(np.trace(confused), confused.sum())


def recalls(confused: Confusion) -> Float[np.ndarray, " classes"]:
    """Share of each class that is called by its name; NaN for a class that the targets lack."""
    return _shares(np.diag(confused), confused.sum(axis=1))


def precisions(confused: Confusion) -> Float[np.ndarray, " classes"]:
    """Share of right ones among those called by each name.

    0 for a class that is there and never called, so that silence about a class is no gain; NaN for a class
    that the targets lack.
    """
    held, called = confused.sum(axis=1), confused.sum(axis=0)
    return np.where(held > 0, np.diag(confused) / np.maximum(called, 1), NAN)


def f1s(confused: Confusion) -> Float[np.ndarray, " classes"]:
    """F1 of each class; NaN for a class that the targets lack."""
    both = confused.sum(axis=1) + confused.sum(axis=0)  # 2 TP + FN + FP of each class
    return np.where(confused.sum(axis=1) > 0, 2 * np.diag(confused) / np.maximum(both, 1), NAN)


def balanced_accuracy(confused: Confusion) -> float:
    """Mean recall over the classes that the targets hold (as in sklearn); it is also called macro recall.

    NaN where the targets hold one class only: a constant would have 1 or 0 there, whatever it knows.
    """
    return _macro(recalls(confused))


def macro_precision(confused: Confusion) -> float:
    """Mean precision over the classes that the targets hold. NaN of one class only."""
    return _macro(precisions(confused))


def macro_f1(confused: Confusion) -> float:
    """Mean F1 over the classes that the targets hold; the others do not count. NaN of one class only."""
    return _macro(f1s(confused))


def weighted_f1(confused: Confusion) -> float:
    """Mean F1 over the rows, each with that of its class. NaN of one class only."""
    held = confused.sum(axis=1)
    return _ratio(np.nansum(f1s(confused) * held), held.sum()) if np.sum(held > 0) > 1 else NAN


def kappa(confused: Confusion) -> float:
    """How far agreement goes beyond chance, 1 at most. NaN of one class only.

    References
    ----------
    Cohen (1960), "A coefficient of agreement for nominal scales", Educ. Psychol. Meas. 20(1), 37-46.
    """
    held, called, total = confused.sum(axis=1), confused.sum(axis=0), confused.sum()
    if np.sum(held > 0) < 2:
        return NAN
    by_chance = held @ called / total**2  # below 1, for two classes are held
    return float((np.trace(confused) / total - by_chance) / (1 - by_chance))


def macro_auroc(rankings: Sequence[Ranking]) -> float:
    """Mean over classes of each against the rest, those that the targets lack left out."""
    return _mean(_defined([auroc(ranking) for ranking in rankings]))


def macro_pr_auc(rankings: Sequence[Ranking]) -> float:
    """Mean over classes of the average precision of each, those that the targets lack left out."""
    return _mean(_defined([average_precision(ranking) for ranking in rankings]))


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


def pearson(prediction: Numbers, target: Numbers) -> float:
    """Correlation; NaN where target or prediction never vary."""
    if len(target) < 2 or np.ptp(target) == 0 or np.ptp(prediction) == 0:
        return NAN
    off, wanted = prediction - prediction.mean(), target - target.mean()
    return _ratio(off @ wanted, np.sqrt((off @ off) * (wanted @ wanted)))


def precision(confused: Confusion) -> float:
    """Share of right ones among the events that are called; NaN where there are none to be found."""
    return float(precisions(confused)[1])


def recall(confused: Confusion) -> float:
    """Share of the events that are called; NaN where there are none to be found."""
    return float(recalls(confused)[1])


def f1(confused: Confusion) -> float:
    """F1 of the events; NaN where there are none to be found."""
    return float(f1s(confused)[1])


def rate(confused: Confusion) -> float:
    """Share of events among the rows: tells about the rows, not about the model."""
    return _ratio(confused[1].sum(), confused.sum())


_ALL = (
    Metric("accuracy", "max", "classes", accuracy),
    Metric("balanced_accuracy", "max", "classes", balanced_accuracy),
    Metric("macro_f1", "max", "classes", macro_f1),
    Metric("weighted_f1", "max", "classes", weighted_f1),
    Metric("macro_precision", "max", "classes", macro_precision),
    Metric("kappa", "max", "classes", kappa),
    Metric("auroc", "max", "classes", macro_auroc, ranks=True),
    Metric("pr_auc", "max", "classes", macro_pr_auc, ranks=True),
    Metric("mae", "min", "value", mae),
    Metric("rmse", "min", "value", rmse),
    Metric("r2", "max", "value", r2),
    Metric("ccc", "max", "value", ccc),
    Metric("pearson", "max", "value", pearson),
    Metric("pr_auc", "max", "event", macro_pr_auc, ranks=True),
    Metric("f1", "max", "event", f1),
    Metric("accuracy", "max", "event", accuracy),
    Metric("precision", "max", "event", precision),
    Metric("recall", "max", "event", recall),
    Metric("auroc", "max", "event", macro_auroc, ranks=True),
    Metric("rate", "max", "event", rate),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
"""By name; a name that classes and events share has one direction and is told apart by the head."""


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
    return tuple(metric.name for metric in _ALL if metric.kind == kind)


def decided_names(heads: tuple[Head, ...]) -> frozenset[str]:
    """Those among `metric_names` that depend on the threshold of an event."""
    decided = [m.name for m in _ALL if m.kind == "event" and not m.ranks]
    events = [head.name for head in heads if head.kind == "event"]
    prefixes = [f"{name}/" for name in events] if len(heads) > 1 else [""] * len(events)
    return frozenset(f"{prefix}{name}" for prefix in prefixes for name in decided)


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
    found, wanted = prediction[defined], target[defined]
    metrics = [metric for metric in _ALL if metric.kind == head.kind]
    if head.kind == "value":
        found, wanted = found.astype(np.float64), wanted.astype(np.float64)
        return {metric.name: metric.function(found, wanted) for metric in metrics}
    confused: Any = confusion(found, wanted) if head.kind == "classes" else calls(found >= threshold, wanted)
    columns = found.T if head.kind == "classes" else [found]
    first = 0 if head.kind == "classes" else 1  # an event is class 1 of 2
    rankings = [ranked(column, wanted == code) for code, column in enumerate(columns, start=first)]
    return {metric.name: metric.function(rankings if metric.ranks else confused) for metric in metrics}


def calls(called: Bool[np.ndarray, " rows"], target: Numbers) -> Confusion:
    """Confusion matrix of an event over the defined rows; not called, called across."""
    defined = np.isfinite(target)
    return _counts(target[defined], called[defined], 2)


def confusion(
    probability: Float[np.ndarray, "rows classes"], target: Float[np.ndarray, " rows"]
) -> Confusion:
    """Count of each (target, most probable class) over the defined rows; targets down, predictions across."""
    defined = np.isfinite(target)
    return _counts(target[defined], probability[defined].argmax(axis=1), probability.shape[1])


def _counts(target: Numbers, called: Shaped[np.ndarray, " rows"], n_classes: int) -> Confusion:
    # cells numbered row by row, so that one bincount does
    cell = target.astype(np.int64) * n_classes + called
    return np.bincount(cell, minlength=n_classes**2).reshape(n_classes, n_classes)


def choose_threshold(probability: Float[np.ndarray, " rows"], target: Float[np.ndarray, " rows"]) -> float:
    """Threshold with the best F1 (the highest of equals); 0.5 where no positive is known.

    Meant for the validation subjects: a threshold chosen on the test subject is a leak.
    """
    defined = np.isfinite(target)
    order = np.argsort(-probability[defined], kind="stable")
    found, hits = probability[defined][order], target[defined][order].cumsum()
    if len(hits) == 0 or hits[-1] == 0:
        return 0.5
    # F1 where the first 1, 2, .. n rows are called
    scores = 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])
    # equal probabilities are called together, so only the last of them is a possible cut
    scores[:-1][found[:-1] == found[1:]] = -1
    return float(found[np.argmax(scores)])


def _ratio(part: float | np.number, whole: float | np.number) -> float:
    return float(part / whole) if whole else NAN


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else NAN


def _macro(values: Float[np.ndarray, " classes"]) -> float:
    """Mean over the classes that have one, if these are two at least."""
    found = _defined(values)
    return _mean(found) if len(found) > 1 else NAN


def _defined(values: Sequence[float] | Float[np.ndarray, " classes"]) -> Float[np.ndarray, " defined"]:
    found = np.asarray(values, np.float64)
    defined: np.ndarray = found[np.isfinite(found)]
    return defined


def _shares(
    parts: Int[np.ndarray, " classes"], wholes: Int[np.ndarray, " classes"]
) -> Float[np.ndarray, " classes"]:
    return np.where(wholes > 0, parts / np.maximum(wholes, 1), NAN)
