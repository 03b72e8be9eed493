"""ValueTask: a continuous rating is the target as it stands."""

from typing import Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from emo_ray.tasks.base import Head, SegmentColumns, TaskConfig


class ValueTask(TaskConfig):
    """One head, ``"value"``: the rating in its own unit; a missing rating is undefined (NaN)."""

    kind: Literal["value"] = "value"
    column: str = Field("label", description="name of the rating")

    @property
    def heads(self) -> tuple[Head, ...]:
        """The one head."""
        return (Head("value", "value"),)

    @property
    def primary_metric(self) -> str:
        """Concordance correlation: an offset or a wrong spread costs, as it does not in plain correlation."""
        return "ccc"

    def targets(self, columns: SegmentColumns) -> dict[str, Float32[np.ndarray, " segments"]]:
        """The rating of every segment.

        Raises
        ------
        ConfigError : the table has no such rating; names those it has
        """
        return {"value": columns.rating(self.column).astype(np.float32)}
