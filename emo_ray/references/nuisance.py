"""Nuisance: how far one gets without any feature, from clock, length, place and live sensors together.

Where every subject goes through the conditions in one order, a clock recognises the condition, and so
does any feature that drifts with time. A network that does not beat this probe may have learnt the
protocol of the experiment.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from emo_ray.errors import TrainingError
from emo_ray.processes import one_thread
from emo_ray.store.segment_table import NUISANCE
from emo_ray.tasks.base import Head
from emo_ray.training.data import SegmentData

N_ORDERED = NUISANCE.index("clip")  # columns before it are numbers, whose order means something


@dataclass(frozen=True)
class Nuisance:
    """A shallow decision tree on `SegmentData.nuisance`: clocks tell by their place, not by a slope.

    It is not told which clip is shown: where the label belongs to the clip, that would be the answer.

    Attributes
    ----------
    max_depth, min_leaf_share : keep the tree from learning single subjects by heart
    """

    max_depth: int = 6
    min_leaf_share: float = 0.01

    def fit_predict(
        self,
        data: SegmentData,
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        seed: int,
    ) -> dict[str, np.ndarray]:
        """Predictions of one tree a head.

        Raises
        ------
        TrainingError : the data come without their nuisance columns
        """
        if data.nuisance is None:
            raise TrainingError("the nuisance reference needs the nuisance columns of the segment table")
        predictions = {}
        with one_thread("sklearn.tree"):
            for head in data.heads:
                target = data.targets[head.name][train_rows]
                known = np.isfinite(target)
                x, asked = (data.nuisance[rows, :N_ORDERED] for rows in (train_rows[known], test_rows))
                predictions[head.name] = self._predict(head, x, target[known], asked, seed)
        return predictions

    def _predict(
        self,
        head: Head,
        x: Float32[np.ndarray, "train probes"],
        y: Float32[np.ndarray, " train"],
        asked: Float32[np.ndarray, "test probes"],
        seed: int,
    ) -> Float32[np.ndarray, "test ..."]:
        if len(y) == 0:  # nothing is known of this head: say nothing of it
            return np.zeros(
                (len(asked), head.n_outputs) if head.kind == "classes" else len(asked), np.float32
            )
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        shape = {
            "max_depth": self.max_depth,
            "min_samples_leaf": self.min_leaf_share,
            "random_state": seed % 2**32,
        }
        if head.kind == "value":
            found = DecisionTreeRegressor(**shape).fit(x, y).predict(asked)
            return found.astype(np.float32)  # type: ignore[no-any-return]
        tree = DecisionTreeClassifier(class_weight="balanced", **shape).fit(x, y.astype(np.int64))
        shares = np.zeros((len(asked), max(2, head.n_outputs)), dtype=np.float32)
        # a class that the train rows lack keeps probability 0
        shares[:, tree.classes_] = tree.predict_proba(asked)
        return shares if head.kind == "classes" else shares[:, 1]
