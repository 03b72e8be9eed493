"""Rating: low or high, from one rating and a named rule."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64
from pydantic import Field

from emo_ray.tasks.affect import TOLERANCE
from emo_ray.tasks.base import Head, SegmentColumns, TaskConfig

Rule = Literal["ge_5", "gt_5", "gt_4.5", "ge_3", "gt_3", "gt_0", "subject_mean", "subject_median"]


class RatingTask(TaskConfig):
    """Two classes from one rating; a missing rating stays undefined, never a class.

    ``ge_5`` (as in torcheeg): 5 and more is high. ``gt_5`` (as in LibEER): more than 5 is high.
    ``gt_4.5`` (as in EEGain): more than 4.5 is high. ``ge_3`` (torcheeg) and ``gt_3`` (EEGain) are for
    ratings from 1 to 5.
    ``gt_0`` (as in PARSE, for external annotations): more than 0 is high. ``subject_mean`` and
    ``subject_median``: more than that of the subject's own ratings, each trial counted once however many
    segments it has. These two look at the test subject's ratings: legal as the definition of a label,
    but a different question, so the rule's name goes with every result.
    """

    kind: Literal["rating"] = "rating"
    rating: str = Field("self_valence", description="name of the rating in the segment table")
    rule: Rule = "ge_5"

    @property
    def heads(self) -> tuple[Head, ...]:
        """One head, named as the rating without ``self_``."""
        return (Head(self.rating.removeprefix("self_"), "classes", ("low", "high")),)

    @property
    def primary_metric(self) -> str:
        """Balanced accuracy, since ratings are seldom half low and half high."""
        return "balanced_accuracy"

    def caveat(self, n_context: int = 0) -> str:
        """How many independent labels there are."""
        return (
            f"{self.heads[0].name} is one rating a trial, shared by all its segments: a subject's score "
            "rests on as many labels as it has trials, and long trials weigh more"
        )

    def targets(self, columns: SegmentColumns) -> dict[str, Float32[np.ndarray, " segments"]]:
        """0 for low, 1 for high, NaN where the rating is missing.

        Raises
        ------
        ConfigError : the table does not have the rating
        """
        rating = columns.rating(self.rating)
        high = is_high(rating.astype(np.float64), columns, self.rule)
        target = np.where(np.isnan(rating), np.nan, high).astype(np.float32)
        return {self.heads[0].name: target}


def is_high(
    rating: Float64[np.ndarray, " segments"], columns: SegmentColumns, rule: Rule
) -> Bool[np.ndarray, " segments"]:
    """Apply a rule; False where the rating is NaN."""
    if rule in {"subject_mean", "subject_median"}:
        # a rating equal to the threshold is low, also where float32 rounding lifts it
        return rating > subject_thresholds(rating, columns, rule) + TOLERANCE
    kind, _, threshold = rule.partition("_")
    return rating >= float(threshold) if kind == "ge" else rating > float(threshold)


def subject_thresholds(
    rating: Float64[np.ndarray, " segments"],
    columns: SegmentColumns,
    rule: Literal["subject_mean", "subject_median"],
) -> Float64[np.ndarray, " segments"]:
    """Mean or median over the trials of each row's subject, NaN where no trial was rated."""
    centre = np.mean if rule == "subject_mean" else np.median
    thresholds = np.full(len(rating), np.nan)
    for subject in np.unique(columns.subject):
        rows = columns.subject == subject
        values = trial_values(rating[rows], columns.trial[rows])  # trials of this subject
        if len(values):
            thresholds[rows] = centre(values)
    return thresholds


def trial_values(rating: Float64[np.ndarray, " rows"], trial: np.ndarray) -> Float64[np.ndarray, " trials"]:
    """One value a trial: the mean over its rated segments; trials without one are left out."""
    # own ratings are equal over a trial, so the mean is the rating; external annotations are not
    rated = np.isfinite(rating)
    _, codes = np.unique(trial[rated], return_inverse=True)
    if not len(codes):
        return np.empty(0)
    return np.bincount(codes, weights=rating[rated]) / np.bincount(codes)
