"""The runs of a study as parallel Tune trials: what the journal lacks, and nothing else."""

import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from pydantic import BaseModel, ConfigDict, Field
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from emo_ray.errors import ClusterError, EmoRayError
from emo_ray.experiment import RunSpec
from emo_ray.orchestration.cluster import COLD
from emo_ray.orchestration.fold_worker import Shared, run_fold
from emo_ray.orchestration.mailbox import Mailbox
from emo_ray.orchestration.policy import MAX_RETRIES
from emo_ray.progress import StageBar
from emo_ray.results.journal import Journal
from emo_ray.results.run_result import RunRecord, RunResult
from emo_ray.run import failed
from emo_ray.store.segment_table import SegmentTable


class Resources(BaseModel):
    """What one run gets; never part of a run's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus_per_run: float = Field(1.0, gt=0)
    gpus_per_run: float = Field(0.0, ge=0, description="a fraction lets several runs share a GPU")

    @property
    def device(self) -> str:
        """Where a run's tensors live."""
        return "cuda" if self.gpus_per_run else "cpu"


@dataclass(frozen=True)
class FoldRun:
    """Everything that `run_missing` needs beside the plan."""

    journal: Journal
    resources: Resources
    heard: Callable[[RunRecord], None]


def run_missing(specs: Sequence[RunSpec], table: SegmentTable, study: FoldRun) -> None:
    """Run every planned run that the journal has no finished record of; each ends as a record.

    ``study.heard`` is called with every new record, after it is safe on disk.
    """
    _check_slots(study.resources)
    missing = [spec for spec in specs if not study.journal.is_finished(spec.fingerprint)]
    with StageBar("folds", len(specs), "fold", done=len(specs) - len(missing)) as bar:
        if missing:
            _tune(missing, table, study, bar)


def _check_slots(resources: Resources) -> None:
    """Refuse what the cluster can not give; Tune would wait for it for ever."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    for kind, wanted in (("CPU", resources.cpus_per_run), ("GPU", resources.gpus_per_run)):
        most = max(node["Resources"].get(kind, 0) for node in nodes if node["Alive"])
        if wanted > most:
            raise ClusterError(
                f"a run asks for {wanted:g} {kind}, but the largest node of the cluster has {most:g}: lower "
                f"--{kind.lower()}s-per-run, or run where there are more"
            )


def _tune(specs: Sequence[RunSpec], table: SegmentTable, study: FoldRun, bar: StageBar) -> None:
    by_name = {spec.fingerprint: spec for spec in specs}
    # On the driver's node, for the loss of another must not cost results; without a CPU, to take no slot.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Mailbox)
    mailbox = actor.options(num_cpus=0, runtime_env=COLD, scheduling_strategy=here).remote()
    shared = Shared(
        table=ray.put(table),  # one copy a node, mapped by its workers
        specs=ray.put(by_name),
        mailbox=mailbox,
        checkpoints=study.journal.folder / "checkpoints",
        device=study.resources.device,
    )
    # Tune gives its actors an environment of their own (for PyTorch Lightning, which is not used here), and
    # so could not take the processes that have loaded torch by now.
    class_cache.DEFAULT_ENV_VARS.clear()
    slots = {"cpu": study.resources.cpus_per_run, "gpu": study.resources.gpus_per_run}
    recorder = _Recorder(by_name, mailbox, study, bar)
    # Tune insists on a folder; nothing that it writes there is read again.
    with tempfile.TemporaryDirectory(prefix="emo_ray_tune_") as scratch:
        tune.Tuner(
            tune.with_resources(tune.with_parameters(run_fold, shared=shared), slots),
            param_space={"run": tune.grid_search(list(by_name))},
            # a worker keeps its process from fold to fold, and with it what it fetched
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name="folds",
                storage_path=scratch,
                verbose=0,
                callbacks=[recorder],
                stop=_StopOnError(recorder),
                failure_config=tune.FailureConfig(max_failures=MAX_RETRIES),
            ),
        ).fit()
    if recorder.error is not None:
        raise recorder.error


class _Recorder(tune.Callback):
    """Takes each result from the mailbox into the journal; runs in the driver, in Tune's loop."""

    def __init__(self, specs: Mapping[str, RunSpec], mailbox: Any, study: FoldRun, bar: StageBar) -> None:
        self._specs = specs
        self._mailbox = mailbox
        self._study = study
        self._bar = bar
        self.error: EmoRayError | None = None

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        # Tune pickles callbacks for a Tuner.restore that is never used here: the journal is the record.
        return tune.Callback, ()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Count a start."""
        self._bar.started()

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Its worker was lost; Tune starts it again."""
        self._bar.started(-1)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Record a result, failed or finished, and tell those who listen."""
        name = trial.config["run"]
        content = ray.get(self._mailbox.take.remote(name))
        lost = "ClusterError: its worker ended without leaving a result"
        result = pickle.loads(content) if content else failed(self._specs[name], lost)
        self._record(result)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Its worker was lost more often than the policy allows: a failed row."""
        name = trial.config["run"]
        attempts = MAX_RETRIES + 1
        error = (
            f"ClusterError: its worker was lost {attempts} times (killed, out of memory, or its node went "
            "away); the same command tries it again"
        )
        self._record(failed(self._specs[name], error, attempts))

    def _record(self, result: RunResult) -> None:
        """Into the journal; where that fails (a full disk) the study ends, and nothing false is recorded."""
        # Folds that end after a failed write are dropped: the next start runs them again.
        if self.error is not None:
            return
        try:
            record = self._study.journal.append(result)
        except EmoRayError as error:
            self.error = error
            return
        self._bar.finished(failed=record.status == "failed")
        self._study.heard(record)


class _StopOnError(tune.Stopper):
    """Ends the study when its results can not be recorded any more."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder

    def __reduce__(self) -> tuple[type["_StopOnError"], tuple[tune.Callback]]:
        return _StopOnError, (self._recorder,)

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """No single trial is ever stopped by it."""
        return False

    def stop_all(self) -> bool:
        """Whether a result could not be recorded."""
        return self._recorder.error is not None
