"""What one run gets of the cluster, and how much of it fits."""

from typing import Any

import ray
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Resources(BaseModel):
    """What one run gets; never part of a run's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus_per_run: float = Field(1.0, gt=0, description="of each of its workers")
    gpus_per_run: float = Field(0.0, ge=0, description="of each worker; a fraction lets runs share a GPU")
    workers_per_run: int = Field(1, ge=1, description="processes that share every batch of a run")

    @model_validator(mode="after")
    def _whole_gpus(self) -> "Resources":
        if self.workers_per_run > 1 and self.gpus_per_run != int(self.gpus_per_run):
            # NCCL refuses two workers on one GPU.
            raise ValueError(
                f"workers_per_run={self.workers_per_run} needs whole GPUs, one a worker, not "
                f"gpus_per_run={self.gpus_per_run:g}: workers that train one model can not share a GPU"
            )
        return self

    @property
    def device(self) -> str:
        """Where a run's tensors live."""
        return "cuda" if self.gpus_per_run else "cpu"

    @property
    def slots(self) -> dict[str, float]:
        """What Tune is asked for."""
        return {"cpu": self.cpus_per_run, "gpu": self.gpus_per_run}


def n_slots(resources: Resources) -> int:
    """How many workers the cluster has room for at a time."""
    wanted = {"CPU": resources.cpus_per_run, "GPU": resources.gpus_per_run}
    return sum(
        int(min(node["Resources"].get(kind, 0) / share for kind, share in wanted.items() if share) + 1e-9)
        for node in _nodes()
    )


def too_small(resources: Resources) -> str:
    """Say why the cluster can not give what a run asks for; Ray would wait for it for ever."""
    for kind, wanted in (("CPU", resources.cpus_per_run), ("GPU", resources.gpus_per_run)):
        most = max(node["Resources"].get(kind, 0) for node in _nodes())
        if wanted > most:
            return (
                f"a run asks for {wanted:g} {kind}, but the largest node of the cluster has {most:g}: lower "
                f"--{kind.lower()}s-per-run, or run where there are more"
            )
    if resources.workers_per_run > 1:
        return (
            f"a run asks for {resources.workers_per_run} workers, and the cluster has room for "
            f"{n_slots(resources)}: lower --workers-per-run, or run where there are more"
        )
    return "no node of the cluster has both the CPUs and the GPUs that a run asks for"


def _nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]
