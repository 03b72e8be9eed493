"""Groups of workers that train each run together: Ray Train, started once for many runs."""

import logging
import os
import pickle
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2._internal.constants import ENV_VARS_TO_PROPAGATE

from emo_ray.errors import ClusterError
from emo_ray.orchestration.cluster import COLD, beside_the_driver
from emo_ray.orchestration.group_mailbox import Event, GroupMailbox
from emo_ray.orchestration.group_worker import GroupPlace, serve
from emo_ray.orchestration.policy import MAX_RETRIES, lost_for_good
from emo_ray.orchestration.resources import Resources, n_slots, too_small
from emo_ray.orchestration.source import Source
from emo_ray.orchestration.worker import Shared
from emo_ray.store.segment_table import SegmentTable

log = logging.getLogger(__name__)

LOOK_S = 0.05
RUN_TIMEOUT_S = 3600
"""Most that workers wait for rank 0 between two runs: it alone computes references and the test."""

SCRATCH = "train"
"""Folder of Ray Train's own, beside the checkpoints, for all workers must see it; nobody reads it again."""

# Its controller and the actors that this starts train nothing, so they need not load what training needs.
ENV_VARS_TO_PROPAGATE.update(COLD["env_vars"])
os.environ.update(COLD["env_vars"])
WARM = {"env_vars": dict.fromkeys(COLD["env_vars"], "warm")}

# Ray Train reads these in the driver: how often it looks at its workers, and what is not used here.
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
os.environ.setdefault("RAY_TRAIN_METRICS_ENABLED", "0")


def run_source_in_groups(
    source: Source, tables: Mapping[str, SegmentTable], resources: Resources, checkpoints: Path
) -> None:
    """Do all the work of a source, ``workers_per_run`` workers a run, as many runs at a time as fit.

    Raises
    ------
    ClusterError : the cluster can not give what a run asks for, or its workers do not start
    EmoRayError : whatever the source raised; what it had heard before is its own
    """
    n_groups = n_slots(resources) // resources.workers_per_run
    if n_groups == 0:
        raise ClusterError(too_small(resources))
    mailbox = beside_the_driver(GroupMailbox)
    shared = Shared(
        tables={name: ray.put(table) for name, table in tables.items()},  # one copy a node, mapped
        mailbox=mailbox,
        checkpoints=checkpoints.resolve(),
        device=resources.device,
    )
    # Whatever a killed driver has left there: the journal's lock says that nobody else is at work here.
    shutil.rmtree(shared.checkpoints / SCRATCH, ignore_errors=True)
    _Foreman(source, mailbox, n_groups, _Groups(shared, resources)).work()
    shutil.rmtree(shared.checkpoints / SCRATCH, ignore_errors=True)


class _Foreman:
    """Keeps the mailbox filled, starts groups as there is work for them, passes on what they hand in."""

    def __init__(self, source: Source, mailbox: Any, n_groups: int, groups: "_Groups") -> None:
        self._source, self._mailbox, self._n_groups, self._groups = source, mailbox, n_groups, groups
        self._open: set[str] = set()

    def work(self) -> None:
        """Until the source is over and all its work has ended."""
        while True:
            self._assign()
            if not self._open and self._source.is_over():
                break
            self._groups.at_least(min(self._n_groups, len(self._open)))
            for event in ray.get(self._mailbox.news.remote()):
                self._pass_on(event)
            time.sleep(LOOK_S)
        self._mailbox.close.remote()
        self._groups.wait()

    def _assign(self) -> None:
        while len(self._open) < self._n_groups + self._source.n_ahead and not self._source.is_over():
            work = self._source.next()
            if work is None:
                return
            self._open.add(work.name)
            ray.get(self._mailbox.assign.remote(work.name, pickle.dumps(work)))

    def _pass_on(self, event: Event) -> None:
        kind, name, result = event
        if kind == "started":
            self._source.started(name)
        elif kind == "given back":
            self._source.restarted(name)
        elif kind == "restarted":
            self._source.restarted(name)
            self._source.started(name)
        else:
            self._open.discard(name)
            if kind == "lost":
                self._source.lost(name, lost_for_good())
            else:
                self._source.heard(name, pickle.loads(result))
                self._source.ended(name)


class _Groups:
    """Threads, each with one call of Ray Train's ``fit()``, which lasts as long as there is work."""

    def __init__(self, shared: Shared, resources: Resources) -> None:
        self._shared, self._resources = shared, resources
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def at_least(self, n_groups: int) -> None:
        """Start groups until there are so many.

        Raises
        ------
        ClusterError : every group has given up
        """
        while len(self._threads) < n_groups:
            # A daemon: whoever interrupts the driver need not wait for the run.
            thread = threading.Thread(target=self._keep, args=(len(self._threads),), daemon=True)
            thread.start()
            self._threads.append(thread)
        if len(self._errors) == len(self._threads) > 0:
            error = self._errors[0]
            raise ClusterError(
                f"workers that train a run together do not start ({type(error).__name__}: "
                f"{str(error).splitlines()[0]}): look into the logs of Ray, or leave out --workers-per-run"
            ) from error

    def wait(self) -> None:
        """Until all have ended."""
        for thread in self._threads:
            thread.join()

    def _keep(self, group: int) -> None:
        """Start a group again for as long as it takes up work; then others do what it holds."""
        n_taken = 0
        while True:
            try:
                self._fit(group)
                return
            except Exception as error:
                log.warning("group %d was lost: %s", group, error)
                before, n_taken = n_taken, ray.get(self._shared.mailbox.n_taken.remote(group))
                if n_taken == before or not isinstance(error, TrainingFailedError):
                    ray.get(self._shared.mailbox.give_up.remote(group))
                    self._errors.append(error)
                    return

    def _fit(self, group: int) -> None:
        wanted = self._resources
        # Both: the workers talk about their work on the CPU.
        backend = "cpu:gloo,cuda:nccl" if wanted.gpus_per_run else "gloo"
        TorchTrainer(
            serve,
            train_loop_config={"place": GroupPlace(group, self._shared)},
            torch_config=TorchConfig(backend=backend, timeout_s=RUN_TIMEOUT_S),
            scaling_config=ScalingConfig(
                num_workers=wanted.workers_per_run,
                use_gpu=wanted.gpus_per_run > 0,
                resources_per_worker={
                    kind: share
                    for kind, share in (("CPU", wanted.cpus_per_run), ("GPU", wanted.gpus_per_run))
                    if share
                },
            ),
            run_config=RunConfig(
                name=f"group-{group}",
                storage_path=str(self._shared.checkpoints / SCRATCH),
                failure_config=FailureConfig(max_failures=MAX_RETRIES),
                worker_runtime_env=WARM,  # type: ignore[call-arg]  # only v2, which is the default, has it
            ),
        ).fit()
