"""What a sweep will cost: trainings counted, seconds from a measured probe."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import ray

from emo_ray.errors import EmoRayError
from emo_ray.experiment import RunSpec
from emo_ray.orchestration.resources import Resources, n_slots
from emo_ray.orchestration.sweep_plan import SearchPlan, SweepPlan
from emo_ray.results.search_results import SearchResults
from emo_ray.run import fit
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.loop import Runtime

N_PROBED_EPOCHS = 2
# What a study costs beside its epochs: workers come up, and every training is handed out and recorded.
START_S, HANDLING_S = 8.0, 0.06


@dataclass(frozen=True)
class Estimate:
    """What is to be done, and what of it was done before.

    Attributes
    ----------
    n_trainings, n_done : inner runs and tests; without a number of candidates, of one
    epoch_s : seconds of an epoch of the base's settings; NaN where it could not be trained
    most_s : where every run goes to its last epoch, on all slots
    """

    n_trainings: int
    n_done: int
    n_slots: int
    epochs_a_run: int
    epoch_s: float
    hours: float | None
    nested: bool

    @property
    def most_s(self) -> float:
        """Seconds, on all slots, where every run goes to its last epoch."""
        left = max(0, self.n_trainings - self.n_done)
        of_one = self.epochs_a_run * self.epoch_s + HANDLING_S
        return START_S + left * of_one / max(1, self.n_slots) if left else 0.0


def measure(
    plan: SweepPlan, tables: Mapping[str, SegmentTable], resources: Resources, before: SearchResults
) -> Estimate:
    """Count the trainings of a sweep, and time two epochs of its base where they are to run."""
    n_candidates = plan.config.budget.n_candidates or 1
    n_folds = sum(len(search.folds) for search in plan.searches)
    # A candidate that was stopped has no other folds to come.
    ended = {search.key: len(search.folds) for search in plan.searches}
    done = sum(
        len(one.folds) if one.state == "running" else ended[key]
        for key, rows in before.searches.items()
        for one in rows
    )
    tested = [name for name, _, _ in before.study.planned if name in before.study.records]
    estimate = Estimate(
        n_trainings=n_candidates * n_folds + len(plan.specs),
        n_done=done + len(tested),
        n_slots=n_slots(resources),
        epochs_a_run=plan.epochs_a_fold,
        epoch_s=0.0,
        hours=plan.config.budget.hours,
        nested=plan.nested,
    )
    if estimate.n_done >= estimate.n_trainings:
        return estimate
    search = plan.searches[0]
    spec, table = _probe_spec(plan, search), tables[search.base.features]
    if resources.gpus_per_run:
        task = ray.remote(num_gpus=resources.gpus_per_run)(_seconds_an_epoch)
        return replace(estimate, epoch_s=ray.get(task.remote(spec, ray.put(table), "cuda")))
    # Not in a worker: that would have to load torch first, which takes longer than the probe.
    return replace(estimate, epoch_s=_seconds_an_epoch(spec, table, "cpu"))


def _probe_spec(plan: SweepPlan, search: SearchPlan) -> RunSpec:
    changes = {"training.max_epochs": N_PROBED_EPOCHS, "training.patience": N_PROBED_EPOCHS}
    return RunSpec(search.base.changed(changes), search.folds[0], plan.keys[search.base.features])


def _seconds_an_epoch(spec: RunSpec, table: SegmentTable, device: str) -> float:
    clocks: list[float] = []

    class Clock:
        def report(self, epoch: int, metrics: object, best_epoch: int) -> None:
            clocks.append(time.perf_counter())

    try:
        fit(spec, table, Runtime(device=device, observer=Clock()))
    except EmoRayError:
        # What breaks the base may be what is searched: the candidates will tell.
        return float("nan")
    # the first epoch warms up
    return clocks[-1] - clocks[-2]
