"""Task: which targets are made from the ratings of a segment table, and how."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int32
from pydantic import BaseModel, ConfigDict

from emo_ray.errors import ConfigError

HeadKind = Literal["classes", "value", "event"]


@dataclass(frozen=True)
class Head:
    """One target: a class, a value (regression) or an event (yes or no).

    ``classes`` has the class names in the order of their codes; it is empty for the other kinds.
    """

    name: str
    kind: HeadKind
    classes: tuple[str, ...] = ()

    @property
    def n_outputs(self) -> int:
        """Numbers that a model puts out for this head: one a class, else one."""
        return len(self.classes) or 1


@dataclass(frozen=True)
class SegmentColumns:
    """The columns of a segment table that a label rule may look at, one entry a segment.

    ``subject`` and ``trial`` are integer codes, ``index`` counts the segments of a trial from 1.
    Rows are sorted by subject, session, trial and index; a trial code is unique within a table.
    """

    subject: Int32[np.ndarray, " segments"]
    trial: Int32[np.ndarray, " segments"]
    index: Int32[np.ndarray, " segments"]
    ratings: Mapping[str, Float32[np.ndarray, " segments"]]

    def rating(self, name: str) -> Float32[np.ndarray, " segments"]:
        """One rating, in the precision of the store.

        Raises
        ------
        ConfigError : the table does not have it; names those it has
        """
        if name not in self.ratings:
            known = ", ".join(sorted(self.ratings)) or "none"
            raise ConfigError(
                f"the segment table has no rating {name!r}; it has: {known}. Choose a task for one of them, "
                "or a corpus and an extraction that give it"
            )
        return self.ratings[name]


class TaskConfig(BaseModel, ABC):
    """A label rule. Targets are float32; NaN means undefined, and is ignored by losses and metrics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str

    @property
    @abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """The targets, in order."""

    @property
    @abstractmethod
    def primary_metric(self) -> str:
        """Name of the score that studies are compared by, for instance ``"balanced_accuracy"``."""

    def caveat(self, n_context: int = 0) -> str:
        """What a reader of scores on this task should know; every report prints it.

        Parameters
        ----------
        n_context : earlier segments of the trial that the model is shown
        """
        return ""

    @abstractmethod
    def targets(self, columns: SegmentColumns) -> dict[str, Float32[np.ndarray, " segments"]]:
        """Target of every head for every segment: class code, value or 0/1; NaN where undefined."""
