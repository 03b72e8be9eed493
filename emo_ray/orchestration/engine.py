"""The engine: one Tune experiment in which all work of a study shares the cluster and its warm workers."""

import pickle
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import ray
from pydantic import BaseModel, ConfigDict, Field
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from emo_ray.errors import ClusterError
from emo_ray.orchestration.cluster import COLD
from emo_ray.orchestration.mailbox import Mailbox
from emo_ray.orchestration.policy import MAX_RETRIES
from emo_ray.orchestration.work import Item, Work
from emo_ray.orchestration.worker import Shared, run_work
from emo_ray.store.segment_table import SegmentTable

_LOOK_AT_CLUSTER_S = 2.0


class Resources(BaseModel):
    """What one run gets; never part of a run's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus_per_run: float = Field(1.0, gt=0)
    gpus_per_run: float = Field(0.0, ge=0, description="a fraction lets several runs share a GPU")

    @property
    def device(self) -> str:
        """Where a run's tensors live."""
        return "cuda" if self.gpus_per_run else "cpu"

    @property
    def slots(self) -> dict[str, float]:
        """What Tune is asked for."""
        return {"cpu": self.cpus_per_run, "gpu": self.gpus_per_run}


@runtime_checkable
class Source(Protocol):
    """Where work comes from and results go; lives in the driver and is called from Tune's loop alone."""

    @property
    def n_ahead(self) -> int:
        """So many pieces of work may wait beside those that run: they start sooner, and know less."""

    def is_over(self) -> bool:
        """Whether no work will come any more."""

    def next(self) -> Work | None:
        """The next piece of work; None where none can start now."""

    def started(self, name: str) -> None:
        """Work has started."""

    def restarted(self, name: str) -> Work | None:
        """Its worker was lost and it will start again; returns what is left of it, None for all of it."""

    def heard(self, name: str, item: Item) -> bool:
        """Something was handed in; returns whether its work should end here."""

    def ended(self, name: str) -> None:
        """Work has ended."""

    def lost(self, name: str, error: str) -> None:
        """The worker was lost more often than the policy allows."""


def run_source(
    source: Source, tables: Mapping[str, SegmentTable], resources: Resources, checkpoints: Path
) -> None:
    """Do all the work of a source.

    Raises
    ------
    ClusterError : the cluster can not give what a run asks for
    EmoRayError : whatever the source raised; what it had heard before is its own
    """
    if n_slots(resources) == 0:
        raise ClusterError(_too_small(resources))
    # On the driver's node, for the loss of another must not cost results; without a CPU, to take no slot.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    mailbox = ray.remote(Mailbox).options(num_cpus=0, runtime_env=COLD, scheduling_strategy=here).remote()
    shared = Shared(
        tables={name: ray.put(table) for name, table in tables.items()},  # one copy a node, mapped
        mailbox=mailbox,
        checkpoints=checkpoints,
        device=resources.device,
    )
    # Tune gives its actors an environment of their own (for PyTorch Lightning, which is not used here), and
    # so could not take the processes that have loaded torch by now.
    class_cache.DEFAULT_ENV_VARS.clear()
    director = _Director(source, mailbox, resources)
    # Tune insists on a folder; nothing that it writes there is read again.
    with tempfile.TemporaryDirectory(prefix="emo_ray_tune_") as scratch:
        tune.Tuner(
            tune.with_resources(tune.with_parameters(run_work, shared=shared), resources.slots),
            tune_config=tune.TuneConfig(
                search_alg=_Searcher(director),
                scheduler=_Scheduler(director),
                num_samples=-1,  # the searcher says when it is over
                reuse_actors=True,  # a worker keeps its process from run to run, and with it what it fetched
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=scratch,
                verbose=0,
                callbacks=[_Listener(director)],
                stop=_StopOnError(director),
                failure_config=tune.FailureConfig(max_failures=MAX_RETRIES),
            ),
        ).fit()
    if director.error is not None:
        raise director.error


def n_slots(resources: Resources) -> int:
    """How many runs the cluster can do at a time."""
    wanted = {"CPU": resources.cpus_per_run, "GPU": resources.gpus_per_run}
    return sum(
        int(min(node["Resources"].get(kind, 0) / share for kind, share in wanted.items() if share) + 1e-9)
        for node in _nodes()
    )


def _nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def _too_small(resources: Resources) -> str:
    """Refuse what the cluster can not give; Tune would wait for it for ever."""
    for kind, wanted in (("CPU", resources.cpus_per_run), ("GPU", resources.gpus_per_run)):
        most = max(node["Resources"].get(kind, 0) for node in _nodes())
        if wanted > most:
            return (
                f"a run asks for {wanted:g} {kind}, but the largest node of the cluster has {most:g}: lower "
                f"--{kind.lower()}s-per-run, or run where there are more"
            )
    return "no node of the cluster has both the CPUs and the GPUs that a run asks for"


class _Director:
    """Stands between Tune and the source: keeps count of what runs, and keeps errors out of Tune's hands."""

    def __init__(self, source: Source, mailbox: Any, resources: Resources) -> None:
        self.error: Exception | None = None
        self._source, self._mailbox, self._resources = source, mailbox, resources
        self._open: set[str] = set()
        self._slots, self._looked_s = 0, -_LOOK_AT_CLUSTER_S

    def suggest(self) -> dict[str, str] | str | None:
        """The configuration of the next Tune trial, if one may start."""
        if self.error is not None or self._source.is_over():
            return Searcher.FINISHED
        if len(self._open) >= self._room():
            return None
        work = self._guarded(self._source.next)
        if work is None:
            return None
        self._assign(work)
        self._open.add(work.name)
        return {"work": work.name}

    def started(self, name: str) -> None:
        """Pass on that work has started."""
        self._guarded(lambda: self._source.started(name))

    def restarted(self, name: str) -> None:
        """Pass on that work will start again, with what is left of it."""
        self.collect(name)
        work = self._guarded(lambda: self._source.restarted(name))
        if work is not None:
            self._assign(work)

    def _assign(self, work: Work) -> None:
        ray.get(self._mailbox.assign.remote(work.name, pickle.dumps(work)))

    def collect(self, name: str) -> bool:
        """Pass on what was handed in; returns whether the work should end."""
        items = [pickle.loads(item) for item in ray.get(self._mailbox.take.remote(name))]
        # Every item counts, also after one that ends the work.
        answers = [self._guarded(lambda item=item: self._source.heard(name, item)) for item in items]
        return True in answers

    def ended(self, name: str, error: str = "") -> None:
        """Work is over, or its worker lost for good."""
        self.collect(name)
        self._open.discard(name)
        self._guarded(lambda: self._source.lost(name, error) if error else self._source.ended(name))
        self._mailbox.drop.remote(name)

    def _room(self) -> int:
        # The cluster may grow and shrink while a study runs.
        if time.monotonic() - self._looked_s >= _LOOK_AT_CLUSTER_S:
            self._slots, self._looked_s = n_slots(self._resources), time.monotonic()
        return self._slots + self._source.n_ahead

    def _guarded(self, action: Any) -> Any:
        """An error of the source ends the study; Tune would take it for a failure of a trial."""
        # What ends after it is dropped: the next start does it again.
        if self.error is not None:
            return None
        try:
            return action()
        except Exception as error:
            self.error = error
            return None


class _Unsaved:
    """Tune pickles what it is given, for a Tuner.restore that is not used here: the journal is the record."""

    _stand_in: type = object

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return self._stand_in, ()


class _Searcher(_Unsaved, Searcher):
    """Asks the source for work."""

    _stand_in = Searcher

    def __init__(self, director: _Director) -> None:
        super().__init__(metric="work", mode="max")
        self._director = director

    def suggest(self, trial_id: str) -> Any:
        """The next work, nothing for now, or the end."""
        return self._director.suggest()

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """The listener hears of it."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing is kept."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing was kept."""


class _Scheduler(_Unsaved, FIFOScheduler):
    """Ends a trial where the source says so: it is done, or its candidate is stopped."""

    _stand_in = FIFOScheduler

    def __init__(self, director: _Director) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._director = director

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: Mapping[str, Any]) -> str:
        """A worker has handed something in."""
        is_over = self._director.collect(trial.config["work"])
        return str(TrialScheduler.STOP if is_over else TrialScheduler.CONTINUE)


class _Listener(_Unsaved, tune.Callback):
    """Hears of starts and ends."""

    _stand_in = tune.Callback

    def __init__(self, director: _Director) -> None:
        self._director = director

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Count a start."""
        self._director.started(trial.config["work"])

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Its worker was lost; Tune starts it again."""
        self._director.restarted(trial.config["work"])

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """It is over, by itself or ended by the scheduler."""
        self._director.ended(trial.config["work"])

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Its worker was lost more often than the policy allows: a failed row."""
        error = (
            f"ClusterError: its worker was lost {MAX_RETRIES + 1} times (killed, out of memory, or its node "
            "went away)"
        )
        self._director.ended(trial.config["work"], error)


class _StopOnError(_Unsaved, tune.Stopper):
    """Ends the study when its results can not be recorded any more."""

    _stand_in = tune.stopper.NoopStopper

    def __init__(self, director: _Director) -> None:
        self._director = director

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """No single trial is ever stopped by it."""
        return False

    def stop_all(self) -> bool:
        """Whether something went wrong in the driver."""
        return self._director.error is not None
