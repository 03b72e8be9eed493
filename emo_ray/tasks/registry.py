"""All tasks by kind; a new label rule joins here and nowhere else."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from emo_ray.tasks.affect import AffectTask
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.rating import RatingTask
from emo_ray.tasks.value import ValueTask

AnyTask = Annotated[AffectTask | ClassTask | RatingTask | ValueTask, Field(discriminator="kind")]

TASKS: Mapping[str, type[TaskConfig]] = {
    "affect": AffectTask,
    "classes": ClassTask,
    "rating": RatingTask,
    "value": ValueTask,
}
