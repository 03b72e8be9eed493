"""ExperimentConfig: corpus x extraction x task x model x training x protocol x scaling x seed; and its
runs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from emo_ray.corpora.registry import AnyCorpus
from emo_ray.extraction.registry import AnyExtraction
from emo_ray.files import text_digest
from emo_ray.models.registry import AnyModelConfig
from emo_ray.protocols.fold import Fold
from emo_ray.protocols.normalize import Scaling
from emo_ray.protocols.subject_protocols import AnyProtocol
from emo_ray.provenance import RESULT_ROOMS, code_digest
from emo_ray.tasks.registry import AnyTask
from emo_ray.training.config import PRIMARY, TrainingConfig

# What can not change a result stays out of a run's identity: where files lie, how often state is saved.
NOT_IDENTITY = {"corpus": {"path"}, "training": {"checkpoint_every_s"}}


class ExperimentConfig(BaseModel):
    """Everything that defines an experiment; the runs of a study differ by fold and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    corpus: AnyCorpus
    extraction: AnyExtraction
    task: AnyTask
    model: AnyModelConfig
    training: TrainingConfig = TrainingConfig()
    protocol: AnyProtocol
    scaling: Scaling = Field(
        "train", description="whose moments standardise a subject: the training side's or its own"
    )
    references: tuple[str, ...] = Field(
        ("majority", "prior", "linear", "nuisance"), description="models to beat, on the same rows"
    )
    modalities: tuple[str, ...] = Field((), description="use these modalities only; empty is all")
    seed: int = Field(0, ge=0)

    def identity(self) -> dict[str, Any]:
        """The configuration less what cannot change a result, as plain JSON values."""
        return self.model_dump(mode="json", exclude=NOT_IDENTITY)

    @cached_property
    def candidate(self) -> str:
        """Short name of this configuration: equal for all its folds."""
        # Sorted: the order of fields in the code is no part of an identity.
        return text_digest(json.dumps(self.identity(), sort_keys=True))[:12]

    @property
    def resolved_training(self) -> TrainingConfig:
        """Training settings with the monitored metric by its own name."""
        if self.training.monitor != PRIMARY:
            return self.training
        return self.training.model_copy(update={"monitor": self.task.primary_metric})

    @property
    def column(self) -> str:
        """Which column of the results its scores belong to."""
        return "transductive" if self.scaling == "transductive" else "flat"


@dataclass(frozen=True)
class RunSpec:
    """One run: an experiment, a fold of it, and the content addresses of the features of its subjects.

    A run's result is a pure function of this and of the store's content.
    """

    experiment: ExperimentConfig
    fold: Fold
    keys: Mapping[str, str]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody who takes part, sorted."""
        return tuple(sorted(subject for side in FOLD_SIDES for subject in getattr(self.fold, side)))

    @cached_property
    def content(self) -> dict[str, Any]:
        """What is hashed, as plain JSON values; it travels with the spec, so workers need not read the
        code.
        """
        fold = {"name": self.fold.name, **{side: list(getattr(self.fold, side)) for side in FOLD_SIDES}}
        return {
            "experiment": self.experiment.identity(),
            "fold": fold,
            # of those who take part only: another subject's changed file leaves this run alone
            "features": text_digest(
                "\n".join(f"{subject} {self.keys[subject]}" for subject in self.subjects)
            ),
            "code": code_digest(RESULT_ROOMS),
        }

    @cached_property
    def fingerprint(self) -> str:
        """The name of the run in the journal, in MLflow and on disk."""
        return text_digest(json.dumps(self.content, sort_keys=True))[:32]


FOLD_SIDES = ("train", "validation", "test")
