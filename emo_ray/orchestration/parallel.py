"""Independent pieces of work as Ray tasks, with a progress bar; an error costs its own piece only."""

from collections.abc import Callable, Mapping
from typing import Any

import ray

from emo_ray.errors import ClusterError, EmoRayError
from emo_ray.orchestration.cluster import COLD
from emo_ray.progress import StageBar


def run_tasks(bar: StageBar, function: Callable[..., Any], calls: Mapping[str, tuple[Any, ...]]) -> None:
    """Call ``function(*arguments)`` for each entry, one thread and one core each.

    Raises
    ------
    EmoRayError : the first error of the project's own, after all others have been done
    ClusterError : a worker was lost twice
    """
    task = ray.remote(num_cpus=1, max_retries=1, runtime_env=COLD)(_call)
    pending = {task.remote(function, *arguments): name for name, arguments in calls.items()}
    bar.started(len(pending))
    errors: list[EmoRayError] = []
    while pending:
        done, _ = ray.wait(list(pending), num_returns=1)
        error = _error_of(done[0], pending.pop(done[0]))
        if error is not None:
            errors.append(error)
        bar.finished(failed=error is not None)
    if errors:
        raise errors[0]


def _error_of(reference: "ray.ObjectRef[Any]", name: str) -> EmoRayError | None:
    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, EmoRayError):
            raise
        return error.cause
    except ray.exceptions.RayError as error:
        return ClusterError(f"{name}: the worker was lost ({error}): give the same command again")
    return None


def _call(function: Callable[..., Any], *arguments: Any) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        function(*arguments)
