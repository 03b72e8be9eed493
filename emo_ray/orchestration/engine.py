"""The engine: one Tune experiment in which all work of a study shares the cluster and its warm workers."""

import pickle
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from emo_ray.errors import ClusterError
from emo_ray.orchestration.cluster import beside_the_driver
from emo_ray.orchestration.mailbox import Mailbox
from emo_ray.orchestration.policy import MAX_RETRIES, lost_for_good
from emo_ray.orchestration.resources import Resources, n_slots, too_small
from emo_ray.orchestration.source import Source
from emo_ray.orchestration.work import Work
from emo_ray.orchestration.worker import Shared, run_work
from emo_ray.store.segment_table import SegmentTable

_LOOK_AT_CLUSTER_S = 2.0


def run_source(
    source: Source, tables: Mapping[str, SegmentTable], resources: Resources, checkpoints: Path
) -> None:
    """Do all the work of a source: one worker a run as Tune trials, or several a run in Ray Train's groups.

    Raises
    ------
    ClusterError : the cluster can not give what a run asks for
    EmoRayError : whatever the source raised; what it had heard before is its own
    """
    if resources.workers_per_run > 1:
        # Here, for a job that needs no groups should not load Ray Train.
        from emo_ray.orchestration.groups import run_source_in_groups

        run_source_in_groups(source, tables, resources, checkpoints)
        return
    if n_slots(resources) == 0:
        raise ClusterError(too_small(resources))
    mailbox = beside_the_driver(Mailbox)
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
        self._director.ended(trial.config["work"], lost_for_good())


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
