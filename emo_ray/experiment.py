"""ExperimentConfig: corpus x extraction x task x model x training x protocol x scaling x seed; and its
runs.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emo_ray.config_errors import explain
from emo_ray.corpora.base import PLACES
from emo_ray.corpora.registry import AnyCorpus
from emo_ray.errors import ConfigError
from emo_ray.extraction.registry import AnyExtraction
from emo_ray.files import text_digest
from emo_ray.models.registry import AnyModelConfig
from emo_ray.protocols.fold import Fold
from emo_ray.protocols.normalize import Scaling
from emo_ray.protocols.procedure import Procedure
from emo_ray.protocols.subject_protocols import AnyProtocol
from emo_ray.provenance import RESULT_ROOMS, SEARCH_ROOMS, code_digest
from emo_ray.references.probes import PROBES
from emo_ray.tasks.registry import AnyTask
from emo_ray.training.config import PRIMARY, TrainingConfig

Column = Literal["nested", "flat", "transductive", "published"]

# What can not change a result stays out of a run's identity: where files lie, how often state is saved.
NOT_IDENTITY = {"corpus": PLACES, "training": {"checkpoint_every_s"}}


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
        ("majority", "prior", "linear", "nuisance", *PROBES),
        description="models to beat, on the same rows; probe_... see no signal",
    )
    modalities: tuple[str, ...] = Field((), description="use these modalities only; empty is all")
    seed: int = Field(0, ge=0)
    procedure: Procedure = Field(Procedure(), description="clean, or published: its flaws, for comparison")

    def identity(self) -> dict[str, Any]:
        """The configuration less what cannot change a result, as plain JSON values."""
        return self.model_dump(mode="json", exclude=NOT_IDENTITY)

    # No cached_property in this class: pydantic's model_copy would take the cached value along.
    @property
    def candidate(self) -> str:
        """Short name of this configuration: equal for all its folds."""
        # Sorted: the order of fields in the code is no part of an identity.
        return text_digest(json.dumps(self.identity(), sort_keys=True))[:12]

    @property
    def features(self) -> str:
        """Short name of the features that it uses: equal where corpus and extraction are."""
        identity = self.identity()
        content = {part: identity[part] for part in ("corpus", "extraction")}
        return text_digest(json.dumps(content, sort_keys=True))[:12]

    @property
    def resolved_training(self) -> TrainingConfig:
        """Training settings with the monitored metric by its own name."""
        if self.training.monitor != PRIMARY:
            return self.training
        return self.training.model_copy(update={"monitor": self.task.primary_metric})

    def changed(self, settings: Mapping[str, Any]) -> "ExperimentConfig":
        """Another experiment, with fields replaced by dotted name: ``{"training.batch_size": 32}``.

        Raises
        ------
        ConfigError : every name that is no field, every value of the wrong kind, all at once
        """
        content = self.model_dump(mode="python")
        # Another kind has other fields: its own defaults take the place of all the old ones.
        for part, kind in (("model", self.model.kind), ("extraction", self.extraction.kind)):
            if settings.get(f"{part}.kind", kind) != kind:
                content[part] = {}
        problems = []
        for name, value in settings.items():
            try:
                _set(content, name.split("."), value)
            except ConfigError as error:
                problems.append(str(error))
        # Validated once, after the last change: two of them may be right only together.
        try:
            found = validated(content)
        except ConfigError as error:
            raise ConfigError("\n".join([*problems, str(error)])) from error
        if problems:
            raise ConfigError("\n".join(problems))
        return found

    @property
    def column(self) -> Column:
        """Which column of the results the scores of its runs belong to, where it is not searched."""
        if self.procedure.kind == "published":
            return "published"
        return "transductive" if self.scaling == "transductive" else "flat"


@dataclass(frozen=True)
class Selection:
    """Where settings come from that a sweep has chosen, and whose data chose them.

    ``as_flat`` tests these people all the same: in the column that says so, never as if unseen.
    """

    study: str
    subjects: tuple[str, ...]
    as_flat: bool = False


@dataclass(frozen=True)
class RunSpec:
    """One run: an experiment, a fold of it, and the content addresses of the features of its subjects.

    A run's result is a pure function of this and of the store's content. With a ``search`` (its identity, as
    plain JSON values) the settings are chosen inside the fold's training side; they are an outcome then.
    """

    experiment: ExperimentConfig
    fold: Fold
    keys: Mapping[str, str]
    search: Mapping[str, Any] | None = None
    selection: Selection | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody who takes part, sorted."""
        return tuple(sorted({subject for side in FOLD_SIDES for subject in getattr(self.fold, side)}))

    @property
    def column(self) -> Column:
        """Which column of the results its scores belong to."""
        # Whoever normalises with a test subject's data stands apart, however the settings were chosen.
        is_nested = self.search is not None and self.experiment.column == "flat"
        return "nested" if is_nested else self.experiment.column

    @cached_property
    def candidate(self) -> str:
        """Short name of what all folds share: the configuration, or what is searched from it."""
        if self.search is None:
            return self.experiment.candidate
        content = [self.experiment.identity(), self.search]
        return text_digest(json.dumps(content, sort_keys=True))[:12]

    @cached_property
    def content(self) -> dict[str, Any]:
        """What is hashed, as plain JSON values; it travels with the spec, so workers need not read the
        code.
        """
        fold = {"name": self.fold.name, **{side: list(getattr(self.fold, side)) for side in FOLD_SIDES}}
        rooms = RESULT_ROOMS if self.search is None else (*RESULT_ROOMS, *SEARCH_ROOMS)
        return {
            "experiment": self.experiment.identity(),
            **({} if self.search is None else {"search": self.search}),
            **({} if self.selection is None else {"selection": asdict(self.selection)}),
            "fold": fold,
            # of those who take part only: another subject's changed file leaves this run alone
            "features": text_digest(
                "\n".join(f"{subject} {self.keys[subject]}" for subject in self.subjects)
            ),
            "code": code_digest(rooms),
        }

    @cached_property
    def fingerprint(self) -> str:
        """The name of the run in the journal, in MLflow and on disk."""
        return text_digest(json.dumps(self.content, sort_keys=True))[:32]


FOLD_SIDES = ("train", "validation", "test")


def validated(content: Mapping[str, Any]) -> ExperimentConfig:
    """An experiment from plain values, with errors for people.

    Raises
    ------
    ConfigError : all problems at once
    """
    try:
        return ExperimentConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError(explain(error, ExperimentConfig, "the experiment")) from error


def _set(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a nested field; a field that does not exist is left for validation to explain."""
    *folders, last = path
    for folder in folders:
        content = content.setdefault(folder, {})
        if not isinstance(content, dict):
            raise ConfigError(f"{'.'.join(path)}: {folder} is a value and has no fields")
    # A copy: what stands below it may be changed next, and it is the caller's.
    content[last] = copy.deepcopy(value)
