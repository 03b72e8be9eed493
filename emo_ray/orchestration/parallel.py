"""Independent pieces of work as Ray tasks, with a progress bar; an error costs its own piece only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray

from emo_ray.errors import ClusterError, EmoRayError
from emo_ray.orchestration.cluster import COLD
from emo_ray.progress import StageBar

_SHOWN = 5


def run_tasks(bar: StageBar, function: Callable[..., Any], calls: Mapping[str, tuple[Any, ...]]) -> None:
    """Call ``function(*arguments)`` for each entry, one core each; what it returns is dropped.

    Raises
    ------
    EmoRayError : what went wrong with any of them, in their order, after all others have been done
    ClusterError : a worker was lost twice
    """
    # Ray starts a task again where its worker was lost, not where the function raised an error.
    task = ray.remote(num_cpus=1, max_retries=1, runtime_env=COLD)(_call)
    pending = {task.remote(function, *arguments): name for name, arguments in calls.items()}
    n_slots = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    bar.started(min(n_slots, len(pending)))
    errors: dict[str, Exception] = {}
    while pending:
        done, _ = ray.wait(list(pending), num_returns=1)
        name = pending.pop(done[0])
        error = _error_of(done[0], name)
        if error is not None:
            errors[name] = error
        bar.finished(failed=error is not None)
        # The slot that came free takes a waiting task, if there are more left than other slots.
        bar.started(1 if len(pending) >= n_slots else 0)
    if errors:
        raise _one_of([errors[name] for name in calls if name in errors])


def _one_of(errors: Sequence[Exception]) -> Exception:
    """All errors of our own in one; any other error before them, for it is a slip in the code."""
    for error in errors:
        if not isinstance(error, EmoRayError):
            return error
    shown = [str(error) for error in errors[:_SHOWN]]
    more = [f"and {len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
    return type(errors[0])("\n".join([*shown, *more]))


def _error_of(reference: "ray.ObjectRef[Any]", name: str) -> Exception | None:
    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # The function's own exception, for Ray's carries a traceback in its message.
        return error.cause if isinstance(error.cause, Exception) else error
    except ray.exceptions.RayError as error:
        return ClusterError(f"{name}: the worker was lost ({error}): give the same command again")
    return None


def _call(function: Callable[..., Any], *arguments: Any) -> None:
    # What it returns stays there: nobody asks for it.
    function(*arguments)
