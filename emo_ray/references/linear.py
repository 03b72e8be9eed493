"""Linear: logistic and ridge regression on the token means, the model that a network has to beat."""

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Float64, Int

from emo_ray.processes import one_thread
from emo_ray.references.base import token_means
from emo_ray.references.trivial import one_hot
from emo_ray.tasks.base import Head
from emo_ray.training.data import SegmentData

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

logger = logging.getLogger(__name__)

ALPHAS = np.logspace(0, 6, 13)
"""Ridge penalties to choose from; at the end the model is all but the mean."""


@dataclass(frozen=True)
class Linear:
    """Balanced logistic regression for classes and events, ridge regression for values.

    The penalty of the ridge is chosen among `ALPHAS` by cross-validation over train subjects, so that it
    is an honest competitor also where features are many and correlated.

    Attributes
    ----------
    inverse_penalty : C of the logistic regression
    max_iterations : of its solver
    """

    inverse_penalty: float = 0.1
    max_iterations: int = 5000

    def fit_predict(
        self,
        data: SegmentData,
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        seed: int,
    ) -> dict[str, np.ndarray]:
        """Predictions of one linear model a head; nothing is drawn, the seed is not used."""
        with one_thread("sklearn.linear_model"):  # loaded late, for training starts without it
            train_x, test_x = token_means(data, train_rows), token_means(data, test_rows)
            predictions = {}
            for head in data.heads:
                target = data.targets[head.name][train_rows]
                known = np.isfinite(target)
                x, y = train_x[known], target[known]
                if head.kind == "value":
                    predictions[head.name] = ridge(x, y, data.subject[train_rows][known], test_x)
                else:
                    predictions[head.name] = self._logistic(head, x, y.astype(np.int64), test_x)
            return predictions

    def _logistic(
        self,
        head: Head,
        x: Float32[np.ndarray, "train features"],
        codes: Int[np.ndarray, " train"],
        test_x: Float32[np.ndarray, "test features"],
    ) -> np.ndarray:
        n_classes = max(head.n_outputs, 2)
        probability = np.zeros((len(test_x), n_classes), np.float32)
        present = np.unique(codes)
        if len(present) < 2:  # nothing to tell apart: the one class there is, or none
            only = present[0] if len(present) else 0
            probability[:] = one_hot(np.full(len(test_x), only), n_classes)
        else:
            probability[:, present] = self._fit(x, codes).predict_proba(test_x)
        return probability if head.kind == "classes" else probability[:, 1]

    def _fit(
        self, x: Float32[np.ndarray, "train features"], codes: Int[np.ndarray, " train"]
    ) -> "LogisticRegression":
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(
            C=self.inverse_penalty, class_weight="balanced", max_iter=self.max_iterations
        )
        with warnings.catch_warnings(record=True, action="always", category=ConvergenceWarning) as caught:
            model.fit(x.astype(np.float64), codes)
        if caught:
            logger.warning("logistic reference did not converge in %d iterations", self.max_iterations)
        return model


def ridge(
    x: Float32[np.ndarray, "train features"],
    y: Float32[np.ndarray, " train"],
    subject: Int[np.ndarray, " train"],
    test_x: Float32[np.ndarray, "test features"],
) -> Float32[np.ndarray, " test"]:
    """Ridge regression whose penalty has the least squared error on train subjects left out.

    Five groups of subjects; with one subject only, the largest penalty is taken.
    """
    if len(y) == 0:
        return np.zeros(len(test_x), np.float32)
    x64, y64 = x.astype(np.float64), y.astype(np.float64)
    # by subject: segments of one person left out one at a time would ask for far too small a penalty
    group = np.unique(subject, return_inverse=True)[1] % 5
    errors = np.zeros(len(ALPHAS))
    for held_out in np.unique(group) if group.max() else []:
        inside = group != held_out
        guesses = _ridge_path(x64[inside], y64[inside], x64[~inside])
        errors += np.square(guesses - y64[~inside, None]).sum(axis=0)
    chosen = int(errors.argmin()) if group.max() else len(ALPHAS) - 1
    return _ridge_path(x64, y64, test_x.astype(np.float64))[:, chosen].astype(np.float32)


def _ridge_path(
    x: Float64[np.ndarray, "train features"],
    y: Float64[np.ndarray, " train"],
    test_x: Float64[np.ndarray, "test features"],
) -> Float[np.ndarray, "test alphas"]:
    """Predictions for all penalties at once: one eigendecomposition serves them all."""
    x_mean, y_mean = x.mean(axis=0), y.mean()
    centred = x - x_mean
    power, axes = np.linalg.eigh(centred.T @ centred)  # rounding can leave a power just below 0
    along = axes.T @ (centred.T @ (y - y_mean))  # features
    weights = axes @ (along[:, None] / (power.clip(0)[:, None] + ALPHAS))  # features alphas
    guesses: np.ndarray = y_mean + (test_x - x_mean) @ weights
    return guesses
