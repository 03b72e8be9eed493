"""Processes and threads of this machine: work in processes, one a core; arithmetic on one thread."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from emo_ray.progress import StageBar

Result = TypeVar("Result")


def in_processes(
    bar: StageBar, function: Callable[..., Result], calls: Mapping[str, tuple[Any, ...]]
) -> dict[str, Result]:
    """``function(*arguments)`` of every call, by name and in their order; the first error ends it."""
    n_processes = min(n_cores(), max(1, len(calls)))
    # spawn: a forked child can hang on a lock that a thread of its parent held
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as processes:
        pending = {processes.submit(function, *arguments): name for name, arguments in calls.items()}
        bar.started(n_processes)
        results: dict[str, Result] = {}
        try:
            for n_done, done in enumerate(as_completed(pending), start=1):
                results[pending[done]] = done.result()
                bar.finished()
                bar.started(1 if n_done + n_processes <= len(pending) else 0)
        except BaseException:
            processes.shutdown(wait=False, cancel_futures=True)
            raise
    return {name: results[name] for name in calls}


@contextmanager
def one_thread(*modules: str) -> Iterator[None]:
    """One thread for all arithmetic in here: BLAS sums in another order with more of them.

    Parameters
    ----------
    modules : whose libraries are used in here; a limit holds only for what is loaded already
    """
    for module in modules:
        import_module(module)
    with threadpool_limits(limits=1):
        yield


def n_cores() -> int:
    """Cores that this process may use."""
    # Not os.cpu_count(): a cpuset (Slurm, taskset, a container) may allow fewer.
    return len(os.sched_getaffinity(0))
