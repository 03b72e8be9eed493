"""Folds as Tune trials in warm workers: the table once a node, one thread a fold, results by mailbox."""

import logging
import pickle
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from emo_ray.errors import EmoRayError
from emo_ray.experiment import RunSpec
from emo_ray.orchestration.policy import Decision, decide
from emo_ray.results.run_result import RunResult
from emo_ray.run import execute, failed
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.checkpoint import Checkpointer
from emo_ray.training.loop import Runtime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shared:
    """What every worker of a study needs; references into the object store, so passing it costs nothing."""

    table: "ray.ObjectRef[SegmentTable]"
    specs: "ray.ObjectRef[Mapping[str, RunSpec]]"
    mailbox: Any
    checkpoints: Path
    device: str


def run_fold(config: Mapping[str, str], shared: Shared) -> None:
    """Tune's trainable: one run. Its errors are results; only a lost worker makes the Tune trial fail."""
    fingerprint = config["run"]
    spec = _once_a_process(shared.specs)[fingerprint]
    # The mailbox counts, for a worker that was lost remembers nothing.
    attempt = ray.get(shared.mailbox.start.remote(fingerprint))
    every_s = spec.experiment.training.checkpoint_every_s
    checkpointer = Checkpointer(shared.checkpoints / f"{fingerprint}.pt", every_s, fingerprint)
    result = _attempt(spec, shared, checkpointer, attempt)
    # Waited for: the driver takes the result as soon as Tune tells it that this trial is over.
    ray.get(shared.mailbox.put.remote(fingerprint, pickle.dumps(result)))
    # Not before the result is safe: a worker that is lost above starts again from the checkpoint.
    checkpointer.clear()
    tune.report({"fingerprint": fingerprint, "failed": result.record.status == "failed"})


def _attempt(spec: RunSpec, shared: Shared, checkpointer: Checkpointer, attempt: int) -> RunResult:
    runtime = Runtime(device=shared.device, checkpointer=checkpointer)
    try:
        return execute(spec, _once_a_process(shared.table), runtime, attempt)
    except EmoRayError as error:
        return failed(spec, f"{type(error).__name__}: {error}", attempt)
    except Exception as error:
        if decide(error, attempt) is Decision.RETRY:
            raise
        # Failures are rows: whatever a fold died of is recorded with its place in the code, and the study
        # goes on.
        log.exception("run %s failed", spec.fingerprint)
        place = traceback.extract_tb(error.__traceback__)[-1]
        return failed(
            spec, f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})", attempt
        )


_FETCHED: dict[str, Any] = {}


def _once_a_process(reference: Any) -> Any:
    """The object behind a reference; a worker process keeps it for all its runs (views, not copies)."""
    name = reference.hex()
    if name not in _FETCHED:
        _FETCHED[name] = ray.get(reference)
    return _FETCHED[name]
