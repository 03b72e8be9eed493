"""Work in warm workers: the tables once a node, one thread a run, results by mailbox."""

import logging
import pickle
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray import tune

from emo_ray.errors import EmoRayError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.orchestration.policy import Decision, decide
from emo_ray.orchestration.work import CandidateRun, Item, TestRun, Work
from emo_ray.results.search_results import InnerRecord
from emo_ray.run import execute, failed
from emo_ray.search.inner_run import InnerPlace, Progress, begun, run_inner
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.checkpoint import Checkpointer
from emo_ray.training.loop import Runtime

log = logging.getLogger(__name__)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Shared:
    """What every worker of a study needs; references into the object store, so passing it costs nothing.

    ``tables`` are by the features' digest: a search may choose among several.
    """

    tables: "Mapping[str, ray.ObjectRef[SegmentTable]]"
    mailbox: Any
    checkpoints: Path
    device: str


def run_work(config: Mapping[str, str], shared: Shared) -> None:
    """Tune's trainable. Errors of a run are results; only a lost worker makes the Tune trial fail."""
    # The mailbox counts starts, for a worker that was lost remembers nothing.
    content, attempt = ray.get(shared.mailbox.start.remote(config["work"]))
    work: Work = pickle.loads(content)
    desk = _Place(work, shared, attempt)
    if isinstance(work, TestRun):
        _test(work, desk)
    else:
        _try_out(work, desk)


@dataclass(frozen=True)
class _Place:
    """Where a piece of work is done: the way to the driver, the features, which attempt it is."""

    work: Work
    shared: Shared
    attempt: int

    def hand_in(self, item: Item) -> None:
        """Give something to the driver; does not return where the driver ends this work."""
        # Waited for: the driver takes the item as soon as Tune tells it that there is one.
        ray.get(self.shared.mailbox.put.remote(self.work.name, pickle.dumps(item)))
        tune.report({"work": self.work.name})

    def table(self, experiment: ExperimentConfig) -> SegmentTable:
        """The features that an experiment is about."""
        table: SegmentTable = once_a_process(self.shared.tables[experiment.features])
        return table


def _test(work: TestRun, place: _Place) -> None:
    spec, shared = work.spec, place.shared
    every_s = spec.experiment.training.checkpoint_every_s
    checkpointer = Checkpointer(shared.checkpoints / f"{spec.fingerprint}.pt", every_s, spec.fingerprint)
    runtime = Runtime(device=shared.device, checkpointer=checkpointer)
    result = attempted(
        lambda: execute(spec, place.table(work.experiment), runtime, place.attempt, work.chosen),
        lambda error: failed(spec, error, place.attempt),
        place.attempt,
    )
    ray.get(shared.mailbox.put.remote(work.name, pickle.dumps(result)))
    # Not before the result is safe: a worker that is lost above starts again from the checkpoint.
    checkpointer.clear()
    tune.report({"work": work.name})


def _try_out(work: CandidateRun, place: _Place) -> None:
    """A candidate on the inner folds that it lacks, in order; the first failure ends it."""
    for number, spec in enumerate(work.specs):
        if any(record.fold == number for record in work.done):
            continue
        record = _inner(work, place, number, spec)
        place.hand_in(record)
        if record.status == "failed":
            return


def _inner(work: CandidateRun, place: _Place, number: int, spec: RunSpec) -> InnerRecord:
    inner = InnerPlace(work.search, work.number, number, work.objectives)
    begin = replace(begun(spec, inner), attempt=place.attempt)
    progress = Progress(inner.metric, has_standing=not spec.fold.test)
    # A flat search compares test scores, which no epoch has.
    if not spec.fold.test:
        reporter = _Reporter(work, place, progress, begin)
        progress.heard = reporter.heard
    runtime = Runtime(device=place.shared.device, limit_s=work.limit_s)
    return attempted(
        lambda: replace(
            run_inner(spec, inner, place.table(spec.experiment), progress, runtime), attempt=place.attempt
        ),
        lambda error: replace(begin, **progress.curves(), status="failed", error=error),
        place.attempt,
    )


@dataclass
class _Reporter:
    """Tells the driver how an inner run stands, at the steps that the stopping rule wants to hear of."""

    work: CandidateRun
    place: _Place
    progress: Progress
    begin: InnerRecord

    def heard(self, epoch: int) -> None:
        """An epoch has ended; does not return where the driver stops the candidate."""
        step = self.begin.fold * self.work.epochs_a_fold + epoch + 1
        # The last epoch of a fold is told by the record of the fold.
        if step in self.work.milestones and epoch + 1 < self.work.epochs_a_fold:
            spent_s = time.time() - self.begin.started_unix
            so_far = replace(self.begin, **self.progress.curves(), seconds=spent_s)
            self.place.hand_in(replace(so_far, status="stopped"))


def attempted(action: Callable[[], Result], as_failed: Callable[[str], Result], attempt: int) -> Result:
    """What an action returns, or its error as a failed row: whatever a run died of, the study goes on."""
    try:
        return action()
    except EmoRayError as error:
        return as_failed(f"{type(error).__name__}: {error}")
    except Exception as error:
        if decide(error, attempt) is Decision.RETRY:
            raise
        log.exception("a run failed")
        place = traceback.extract_tb(error.__traceback__)[-1]
        return as_failed(f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})")


_FETCHED: dict[str, Any] = {}


def once_a_process(reference: Any) -> Any:
    """The object behind a reference; a worker process keeps it for all its runs (views, not copies)."""
    name = reference.hex()
    if name not in _FETCHED:
        _FETCHED[name] = ray.get(reference)
    return _FETCHED[name]
