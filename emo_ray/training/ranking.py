"""Scores of a ranking: how well one number a row sets positives apart from negatives, whatever the threshold.

In NumPy, one sort for both scores: they are computed on the validation rows of every epoch, and
scikit-learn's checks of its arguments take longer than the sort.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

NAN = float("nan")


@dataclass(frozen=True)
class Ranking:
    """Rows in the order of their score, ties together.

    Attributes
    ----------
    hits, called : positives, and rows, that have at least each of the distinct scores, highest score first
    n_positives, n_rows : in all
    """

    hits: Int[np.ndarray, " scores"]
    called: Int[np.ndarray, " scores"]
    n_positives: int
    n_rows: int

    @property
    def is_defined(self) -> bool:
        """Whether both outcomes occur: else any order is as good as any other."""
        return 0 < self.n_positives < self.n_rows


def ranked(score: Float[np.ndarray, " rows"], positive: Bool[np.ndarray, " rows"]) -> Ranking:
    """Rank rows by a score: the higher, the more likely positive."""
    order = np.argsort(-score, kind="stable")
    found = score[order]
    # a cut can not lie between equal scores: only the last row of each run of them ends a step
    ends = np.flatnonzero(np.append(found[1:] != found[:-1], True)) if len(found) else np.empty(0, np.int64)
    hits = positive[order].cumsum()
    return Ranking(hits[ends], ends + 1, int(positive.sum()), len(score))


def auroc(ranking: Ranking) -> float:
    """Chance that a positive row ranks above a negative one, ties half; NaN where one of them is missing."""
    if not ranking.is_defined:
        return NAN
    true = np.append(0, ranking.hits)
    false = np.append(0, ranking.called - ranking.hits)
    # the area under steps of true over false positives: ties are a slope, which is the half
    area = float(((true[1:] + true[:-1]) * np.diff(false)).sum()) / 2
    return area / (ranking.n_positives * (ranking.n_rows - ranking.n_positives))


def average_precision(ranking: Ranking) -> float:
    """Precision averaged over the positives (PR-AUC without interpolation); NaN where one is missing."""
    if not ranking.is_defined:
        return NAN
    gained = np.diff(ranking.hits, prepend=0)
    return float((gained * ranking.hits / ranking.called).sum()) / ranking.n_positives
