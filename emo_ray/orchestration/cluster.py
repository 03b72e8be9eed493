"""The Ray cluster a job runs on: the one it was submitted to, the one it is pointed at, or its own."""

import gc
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emo_ray.errors import ClusterError
from emo_ray.processes import n_cores

# Ray reads these when it is imported: neither it nor Tune may phone home or write result files of their own.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

# Work that trains nothing runs in processes of its own: Ray gives an actor no process that has run a task,
# and those that loaded torch while the driver planned are meant for the actors that train.
COLD = {"env_vars": {"EMO_RAY_WORKER": "cold"}}

# The journal is our record; Tune's own snapshots would only cost time.
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "3600")


_KNOCK_S = 5.0


@contextmanager
def cluster(address: str | None = None, n_cpus: int | None = None) -> Iterator[None]:
    """Attach to a cluster for the length of a block, or start one on this machine.

    ``address`` wins, then ``RAY_ADDRESS`` (which ``ray job submit`` sets), then a fresh local cluster: a job
    never joins a cluster merely because one happens to run on the machine.

    Raises
    ------
    ClusterError : no cluster answers at the address, or refuses this client
    """
    # Somebody else's (a notebook's, a test's): not ours to shut down.
    if ray.is_initialized():
        yield
        return
    target = address or os.environ.get("RAY_ADDRESS") or "local"
    _connect(target, n_cpus if target == "local" else None)
    try:
        yield
    finally:
        # What still holds references to objects goes now: collected later, perhaps by the thread that talks
        # to MLflow, it would ask a Ray that is gone, which ends the process.
        gc.collect()
        ray.shutdown()


def beside_the_driver(actor: type) -> Any:
    """Start an actor on the driver's node, for the loss of another must not cost what it holds.

    It takes no CPU, and so no slot of a run.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(actor).options(num_cpus=0, runtime_env=COLD, scheduling_strategy=here).remote()


def _connect(target: str, n_cpus: int | None) -> None:
    # Ray refuses num_cpus and the like for a cluster that it did not start.
    local = _local_options(n_cpus) if target == "local" else {}
    try:
        _knock(target)
        ray.init(address=target, log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ClusterError(
            f"no Ray cluster can be used at {target!r} ({str(error).splitlines()[0]}): check that "
            "`ray status` answers there and that RAY_AUTH_MODE=token is set where the cluster asks for a "
            "token, or leave out --address (and RAY_ADDRESS) to run here"
        ) from error


def _knock(target: str) -> None:
    """Find out in seconds whether anything listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = target.removeprefix("ray://").rpartition(":")
    # "local" and "auto" name no port: Ray knows where to look.
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()


def _local_options(n_cpus: int | None) -> dict[str, Any]:
    """A cluster for one job: its worker processes import what runs need while the driver still plans.

    Whoever starts a cluster with ``ray start`` gets the same by RAY_preload_python_modules in its
    environment.
    """
    n = n_cpus or n_cores()
    settings = {"preload_python_modules": ["emo_ray.orchestration.warm"], "num_workers_soft_limit": 3 * n}
    return {"num_cpus": n, "include_dashboard": False, "_system_config": settings}
