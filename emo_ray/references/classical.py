"""SupportVectors and Forest: the two usual models on flat features, through scikit-learn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int

from emo_ray.processes import one_thread
from emo_ray.references.base import token_means
from emo_ray.references.trivial import Majority
from emo_ray.tasks.base import Head
from emo_ray.training.data import SegmentData

Rows = Int[np.ndarray, " _"]
Features = Float32[np.ndarray, "_ features"]
MAX_ROWS = 2000
"""Train rows of a model, or of a tree: 160 features then take some 0.4 s of vectors, 2.5 s of a forest."""
HeadModel = Callable[[Head, Features, Float32[np.ndarray, " _"], Features, int], np.ndarray]


@dataclass(frozen=True)
class SupportVectors:
    """Support vectors with a Gaussian kernel on the token means, classes of equal weight; values by SVR.

    Its time grows with the square of the rows, so that of more than ``max_rows`` it learns from a seeded
    draw. Its scores are soft maxima of distances to the borders: an order of the rows, no probabilities.

    Attributes
    ----------
    cost : C, of a row on the wrong side
    max_rows : train rows at most
    """

    cost: float = 1.0
    max_rows: int = MAX_ROWS

    def fit_predict(
        self,
        data: SegmentData,
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        seed: int,
    ) -> dict[str, np.ndarray]:
        """Predictions of one model a head; the seed draws rows where there are too many."""
        drawn = _drawn(train_rows, self.max_rows, seed)
        return _each_head(data, (train_rows, drawn, test_rows), seed, self._predict)

    def _predict(
        self, head: Head, x: Features, y: Float32[np.ndarray, " _"], asked: Features, seed: int
    ) -> np.ndarray:
        from sklearn.svm import SVC, SVR

        if head.kind == "value":
            mean, sd = float(y.mean()), float(y.std()) or 1.0
            found: np.ndarray = SVR(C=self.cost).fit(x, (y - mean) / sd).predict(asked)
            return found * sd + mean
        model = SVC(C=self.cost, class_weight="balanced", decision_function_shape="ovr")
        distances = model.fit(x, y.astype(np.int64)).decision_function(asked)
        if distances.ndim == 1:  # of two classes there is one border
            distances = np.stack([-distances / 2, distances / 2], axis=1)
        return _over_all_classes(head, model.classes_, _softmax(distances))


@dataclass(frozen=True)
class Forest:
    """A random forest on the token means, classes of equal weight.

    Attributes
    ----------
    n_trees, min_leaf : trees, and train rows in each of their leaves at least
    max_rows : each tree draws so many train rows at most
    """

    n_trees: int = 100
    min_leaf: int = 5
    max_rows: int = MAX_ROWS

    def fit_predict(
        self,
        data: SegmentData,
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        seed: int,
    ) -> dict[str, np.ndarray]:
        """Predictions of one forest a head; the seed draws rows and features of each tree."""
        return _each_head(data, (train_rows, train_rows, test_rows), seed, self._predict)

    def _predict(
        self, head: Head, x: Features, y: Float32[np.ndarray, " _"], asked: Features, seed: int
    ) -> np.ndarray:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        shape = {
            "n_estimators": self.n_trees,
            "min_samples_leaf": self.min_leaf,
            "max_features": "sqrt",
            "max_samples": min(len(y), self.max_rows),
            "random_state": seed % 2**32,
            "n_jobs": 1,
        }
        if head.kind == "value":
            found: np.ndarray = RandomForestRegressor(**shape).fit(x, y).predict(asked)
            return found
        model = RandomForestClassifier(class_weight="balanced_subsample", **shape).fit(x, y.astype(np.int64))
        return _over_all_classes(head, model.classes_, model.predict_proba(asked))


def _drawn(rows: Rows, n_most: int, seed: int) -> Rows:
    if len(rows) <= n_most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n_most, replace=False))


def _each_head(
    data: SegmentData, rows: tuple[Rows, Rows, Rows], seed: int, predict: HeadModel
) -> dict[str, np.ndarray]:
    """One model a head, fitted on the drawn rows that have its target; rows: all of train, drawn, test."""
    train, drawn, test = rows
    # What train rows can not teach: nothing is known, or all of them are alike.
    found = Majority().fit_predict(data, train, test, seed)
    with one_thread("sklearn.svm", "sklearn.ensemble"):
        x, asked = token_means(data, drawn), token_means(data, test)
        for head in data.heads:
            target = data.targets[head.name][drawn]
            known = np.isfinite(target)
            if np.unique(target[known]).size > 1:
                predicted = predict(head, x[known], target[known], asked, seed)
                found[head.name] = predicted.astype(np.float32)
    return found


def _over_all_classes(
    head: Head, classes: Int[np.ndarray, " known"], shares: Float64[np.ndarray, "rows known"]
) -> np.ndarray:
    """Shares of all classes, 0 for those that train lacks; of an event its own share."""
    filled = np.zeros((len(shares), max(2, head.n_outputs)))
    filled[:, classes] = shares
    return filled if head.kind == "classes" else filled[:, 1]


def _softmax(logits: Float64[np.ndarray, "rows classes"]) -> Float64[np.ndarray, "rows classes"]:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = grown / grown.sum(axis=1, keepdims=True)
    return shares
