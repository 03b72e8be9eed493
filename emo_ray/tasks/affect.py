"""Affect: the externally annotated valence and arousal of a segment, and whether they just changed."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32
from pydantic import Field, model_validator

from emo_ray.tasks.base import Head, HeadKind, SegmentColumns, TaskConfig

VALENCE = "external_valence"
AROUSAL = "external_arousal"
PLACE_IN_FILE = "place_in_file"
"""Rank of a trial in its file, as a rating: tables sort trials by name."""

# Labels are stored as float32, in steps of 3e-8 near 0.4: changes this near to theta count as equal to it.
TOLERANCE = 1e-6


class AffectTask(TaskConfig):
    """Valence and arousal in the annotators' units (nominally -1 to 1), and their transition.

    Segment k of a trial is a transition where valence or arousal differs from that of segment k-1 by
    more than `theta`. It is undefined (NaN, never 0) for the first segment, after a missing segment and
    where one of the four labels is missing; it never reaches across a trial. A third of the labels hangs on
    `theta`: compare 0.05, 0.1, 0.15 and 0.2, or predict the change itself.

    ``pairs="published"`` labels as the published system did, flaws included: a segment is compared with the
    labelled one before it in the file, be it of another video or before a gap, and a subject's first
    segment is no transition. Extraction ``amigos_published`` tells the order of the file.
    """

    kind: Literal["affect"] = "affect"
    theta: float = Field(0.1, gt=0, description="change that counts as a transition, in label units")
    pairs: Literal["disjoint", "all", "published"] = Field(
        "disjoint",
        description="disjoint: k from 3 to n-1, as segments 1/2 and n-1/n share signal; all: k from 2 to n; "
        "published: across videos, to reproduce published numbers",
    )
    transition: Literal["event", "change"] = Field(
        "event",
        description="event: whether a change is above theta; change: the larger of both changes, as a value",
    )

    @model_validator(mode="after")
    def check_published(self) -> "AffectTask":
        """Refuse a published label that was never published."""
        if self.pairs == "published" and self.transition == "change":
            raise ValueError("published transitions are events: take pairs all or disjoint for the change")
        return self

    @property
    def heads(self) -> tuple[Head, ...]:
        """Two values, and an event or a third value."""
        kind: HeadKind = "event" if self.transition == "event" else "value"
        name = "transition" if self.transition == "event" else "change"
        return Head("valence", "value"), Head("arousal", "value"), Head(name, kind)

    @property
    def primary_metric(self) -> str:
        """Concordance, mean of the values."""
        return "ccc"

    def caveat(self, n_context: int = 0) -> str:
        """What the head of the transition is not told, and whether its labels are the published ones."""
        name = self.heads[2].name
        told = []
        if self.pairs == "published":
            told.append("transitions are labelled as published, across videos and gaps: not a result")
        if not n_context:
            told.append(
                f"a model with a context of 0 predicts {name} from the second of the two segments alone, "
                "from which a change can be guessed but not seen"
            )
        return "; ".join(told)

    def targets(self, columns: SegmentColumns) -> dict[str, Float32[np.ndarray, " segments"]]:
        """Labels of every segment; NaN where undefined.

        Raises
        ------
        ConfigError : the table has no external annotations
        """
        valence, arousal = columns.rating(VALENCE), columns.rating(AROUSAL)
        if self.pairs == "published":
            return {
                "valence": valence,
                "arousal": arousal,
                "transition": published_transitions(columns, self.theta),
            }
        change = largest_change(valence, arousal)
        defined = follows_previous(columns.trial, columns.index) & np.isfinite(change)
        if self.pairs == "disjoint":
            # 1 and 2, and n-1 and n, overlap in time: their labels look at the same seconds
            defined &= (columns.index >= 3) & (columns.index < last_index(columns))
        found = change if self.transition == "change" else change > self.theta + TOLERANCE
        target = np.where(defined, found, np.nan).astype(np.float32)
        return {"valence": valence, "arousal": arousal, self.heads[2].name: target}


def largest_change(
    valence: Float32[np.ndarray, " segments"], arousal: Float32[np.ndarray, " segments"]
) -> Float64[np.ndarray, " segments"]:
    """The larger of both changes from the row before; NaN where one is not known."""
    # np.maximum hands NaN on
    larger: Float64[np.ndarray, " segments"] = np.maximum(
        change_from_previous(valence), change_from_previous(arousal)
    )
    return larger


def published_transitions(columns: SegmentColumns, theta: float) -> Float32[np.ndarray, " segments"]:
    """Transitions as published: between labelled segments next to each other in the file, gaps or not.

    Segments without both labels are passed over (NaN), and the first one of a subject is 0.

    Parameters
    ----------
    columns : with the ratings of this task and `PLACE_IN_FILE`
    theta : change that counts, in label units

    Raises
    ------
    ConfigError : the table does not tell the order of the file
    """
    valence, arousal = columns.rating(VALENCE), columns.rating(AROUSAL)
    place = columns.rating(PLACE_IN_FILE)
    in_file = np.lexsort((columns.index, place, columns.subject))
    rows = in_file[np.isfinite(valence[in_file]) & np.isfinite(arousal[in_file])]
    is_first = np.diff(columns.subject[rows], prepend=-1) != 0  # codes are not negative
    changed = largest_change(valence[rows], arousal[rows]) > theta + TOLERANCE
    transition = np.full(len(columns.subject), np.nan, dtype=np.float32)
    transition[rows] = changed & ~is_first
    return transition


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
