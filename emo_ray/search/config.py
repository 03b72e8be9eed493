"""SearchConfig: what is searched, how candidates are drawn, scored and stopped, and when it ends."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emo_ray.files import text_digest
from emo_ray.space import SearchSpace

SamplerName = Literal["tpe", "random", "gp", "cmaes", "nsga2", "grid"]
COSTS = ("n_parameters", "latency_ms")
"""Objectives that are no score: smaller is better."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HoldOutScoring(_Part):
    """A seeded group of the training subjects scores every candidate."""

    kind: Literal["holdout"] = "holdout"
    share: float = Field(0.25, gt=0, lt=1, description="of the subjects, kept to score candidates")


class KFoldScoring(_Part):
    """Subjects in k groups; each scores once what the others trained. A poor candidate ends after a fold."""

    kind: Literal["kfold"] = "kfold"
    n_folds: int = Field(3, ge=2)


class FlatScoring(_Part):
    """The mean over the test folds themselves: optimistic, and labelled so everywhere. Never a default."""

    kind: Literal["flat"] = "flat"


Scoring = Annotated[HoldOutScoring | KFoldScoring | FlatScoring, Field(discriminator="kind")]


class Asha(_Part):
    """Asynchronous successive halving on epochs.

    At epoch ``grace_epochs * reduction_factor ** k`` a candidate goes on if it is among the best
    ``1 / reduction_factor`` of those that came so far. On people as different as these the first epoch says
    little, and who predicts a constant looks good at it: hence the grace.
    """

    kind: Literal["asha"] = "asha"
    grace_epochs: int = Field(3, ge=1, description="epochs that every candidate gets")
    reduction_factor: float = Field(4.0, gt=1)


class Hyperband(_Part):
    """Asynchronous Hyperband: several ASHA brackets whose grace grows by the reduction factor."""

    kind: Literal["hyperband"] = "hyperband"
    grace_epochs: int = Field(1, ge=1)
    reduction_factor: float = Field(4.0, gt=1)
    n_brackets: int = Field(3, ge=1)


class MedianRule(_Part):
    """A candidate ends where its best so far is worse than the median of the others' running means."""

    kind: Literal["median"] = "median"
    grace_epochs: int = Field(3, ge=1)
    min_candidates: int = Field(3, ge=1, description="others that must have come as far")


class NoStopping(_Part):
    """Every candidate runs to its end."""

    kind: Literal["none"] = "none"


Stopping = Annotated[Asha | Hyperband | MedianRule | NoStopping, Field(discriminator="kind")]


class Budget(_Part):
    """When no new candidate starts; those that run are finished. With both, whichever comes first."""

    n_candidates: int | None = Field(25, ge=1, description="of each search")
    hours: float | None = Field(None, gt=0, description="of the whole study, over all its starts")

    @model_validator(mode="after")
    def _ends(self) -> "Budget":
        if self.n_candidates is None and self.hours is None:
            raise ValueError(
                "give a number of candidates, hours, or both: a search without either never ends"
            )
        return self


BUDGETS: Mapping[str, Budget] = {"phy_fusionnet": Budget(n_candidates=25, hours=2.0)}
"""Published budgets by name: Phy-FusionNet searched 25 candidates or 2 hours."""


class SearchConfig(_Part):
    """Everything that defines a search, except the experiment that it changes."""

    space: SearchSpace
    sampler: SamplerName = "tpe"
    stopping: Stopping = Asha()
    scoring: Scoring = HoldOutScoring()
    objectives: tuple[str, ...] = Field(
        ("primary",), min_length=1, description="a score first; then scores, n_parameters, latency_ms"
    )
    budget: Budget = Budget()
    at_once: int | None = Field(
        None,
        ge=1,
        description="candidates of one search that run at a time, their order then part of the result; None: "
        "as many as the cluster has room for, in the order of their arrival; nested: 1",
    )
    first: tuple[Mapping[str, Any], ...] = Field((), description="known-good points, tried before all others")
    prior_subjects: tuple[str, ...] = Field((), description="whose data chose the first points")
    max_failed_share: float = Field(0.5, gt=0, le=1, description="more failures than this end the search")
    candidate_limit_s: float | None = Field(None, gt=0, description="a run that takes longer fails")
    seed: int = Field(0, ge=0)

    def identity(self) -> dict[str, Any]:
        """What decides which candidate comes after which, as plain JSON values."""
        # A search may be continued with more candidates; what it has found stays.
        return self.model_dump(mode="json", exclude={"budget", "max_failed_share"})

    @property
    def digest(self) -> str:
        """Short name of the identity."""
        return text_digest(json.dumps(self.identity(), sort_keys=True))[:12]
