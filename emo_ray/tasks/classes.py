"""ClassTask: named classes made from the codes of one rating column."""

from collections import Counter
from typing import Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field, model_validator

from emo_ray.tasks.base import Head, SegmentColumns, TaskConfig


class ClassTask(TaskConfig):
    """One head, ``"label"``: the class whose codes hold the rating; a code of no class is undefined (NaN).

    A class may gather several codes: WESAD's stress (2) against baseline and amusement (1, 3).
    """

    kind: Literal["classes"] = "classes"
    column: str = Field("label", description="name of the rating that holds the code")
    classes: tuple[tuple[str, tuple[float, ...]], ...] = Field(
        description="name and codes of each class; their order is the order of the class indices"
    )

    @model_validator(mode="after")
    def _check_classes(self) -> "ClassTask":
        """Two classes or more, each with a code; no name and no code twice."""
        problems = []
        if len(self.classes) < 2:
            problems.append(f"a task needs two classes or more, not {len(self.classes)}")
        problems += [f"class {name!r} has no code" for name, codes in self.classes if not codes]
        # All problems at once: a user mends a configuration in one go.
        names = Counter(name for name, _ in self.classes)
        problems += [f"two classes are called {name!r}" for name, count in names.items() if count > 1]
        uses = Counter(code for _, codes in self.classes for code in codes)
        problems += [f"code {code:g} is listed twice: keep it once" for code, n in uses.items() if n > 1]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def heads(self) -> tuple[Head, ...]:
        """The one head, with the class names in order."""
        return (Head("label", "classes", tuple(name for name, _ in self.classes)),)

    @property
    def primary_metric(self) -> str:
        """Balanced accuracy: the classes of a recording are seldom equally long."""
        return "balanced_accuracy"

    def targets(self, columns: SegmentColumns) -> dict[str, Float32[np.ndarray, " segments"]]:
        """Index of the class of every segment; NaN where the rating is missing or of no class.

        Raises
        ------
        ConfigError : the table has no such rating; names those it has
        """
        rating = columns.rating(self.column)
        target = np.full(rating.shape, np.nan, dtype=np.float32)
        for index, (_, codes) in enumerate(self.classes):
            # Codes in single precision too, as the store holds ratings so.
            target[np.isin(rating, np.array(codes, dtype=np.float32))] = index
        return {"label": target}
