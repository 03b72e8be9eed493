"""Affect: the externally annotated valence and arousal of a segment, and whether they just changed."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int32
from pydantic import Field

from emo_ray.tasks.base import Head, SegmentColumns, TaskConfig

VALENCE = "external_valence"
AROUSAL = "external_arousal"

# Labels are stored as float32, in steps of 3e-8 near 0.4: changes this near to theta count as equal to it.
TOLERANCE = 1e-6


class AffectTask(TaskConfig):
    """Valence and arousal in the annotators' units (nominally -1 to 1), and their transition.

    Segment k of a trial is a transition where valence or arousal differs from that of segment k-1 by
    more than `theta`. It is undefined (NaN, never 0) for the first segment, after a missing segment and
    where one of the four labels is missing; it never reaches across a trial.
    """

    kind: Literal["affect"] = "affect"
    theta: float = Field(0.1, gt=0, description="change that counts as a transition, in label units")
    pairs: Literal["disjoint", "all"] = Field(
        "disjoint",
        description="disjoint: k from 3 to n-1, as segments 1/2 and n-1/n share signal; all: k from 2 to n",
    )

    @property
    def heads(self) -> tuple[Head, ...]:
        """Two values and an event."""
        return Head("valence", "value"), Head("arousal", "value"), Head("transition", "event")

    @property
    def primary_metric(self) -> str:
        """Concordance, mean of the two values."""
        return "ccc"

    @property
    def caveat(self) -> str:
        """What the transition head is not told."""
        return (
            "transition is predicted from the second of the two segments alone, from which a change can be "
            "guessed but not seen"
        )

    def targets(self, columns: SegmentColumns) -> dict[str, Float32[np.ndarray, " segments"]]:
        """Labels of every segment; NaN where undefined.

        Raises
        ------
        ConfigError : the table has no external annotations
        """
        valence, arousal = columns.rating(VALENCE), columns.rating(AROUSAL)
        # np.maximum hands NaN on: both changes must be known
        change = np.maximum(change_from_previous(valence), change_from_previous(arousal))
        defined = follows_previous(columns.trial, columns.index) & np.isfinite(change)
        if self.pairs == "disjoint":
            # 1 and 2, and n-1 and n, overlap in time: their labels look at the same seconds
            defined &= (columns.index >= 3) & (columns.index < last_index(columns))
        transition = np.where(defined, change > self.theta + TOLERANCE, np.nan).astype(np.float32)
        return {"valence": valence, "arousal": arousal, "transition": transition}


def change_from_previous(labels: Float32[np.ndarray, " segments"]) -> np.ndarray:
    """Absolute change from the row before, in float64; NaN in the first row and beside a NaN."""
    return np.abs(np.diff(labels.astype(np.float64), prepend=np.nan))


def follows_previous(
    trial: Int32[np.ndarray, " segments"], index: Int32[np.ndarray, " segments"]
) -> Bool[np.ndarray, " segments"]:
    """True where the row before is the previous segment of the same trial."""
    follows = np.zeros(len(trial), dtype=bool)
    # a trial code is unique in the table, so equal codes are the same trial of the same subject
    follows[1:] = (trial[1:] == trial[:-1]) & (np.diff(index) == 1)
    return follows


def last_index(columns: SegmentColumns) -> Int32[np.ndarray, " segments"]:
    """Highest segment index of each row's trial; too low, never too high, if the last one was left out."""
    # initial: a table without rows has no trial
    last: Int32[np.ndarray, " trials"] = np.zeros(columns.trial.max(initial=-1) + 1, dtype=np.int32)
    # .at, as an index array would let only the last of equal trials count
    np.maximum.at(last, columns.trial, columns.index)
    return last.take(columns.trial)
