"""Imported by worker processes when they start: the seconds that torch and Tune take to load.

Torch loads its compiler when the first optimizer is made, so one is made here. Processes for work that trains
nothing say so in their environment and load nothing.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from emo_ray.processes import n_cores

FEW_CORES = 2
LONGEST_WAIT_S = 5.0  # a process that hangs must not keep the others from their work
LOOK_S = 0.02


def load_what_training_needs() -> None:
    """Import the code of a run and all that it imports on first use."""
    import torch

    from emo_ray.orchestration import worker  # noqa: F401

    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])


@contextmanager
def a_turn() -> Iterator[None]:
    """Where cores are few, one process of this machine loads at a time, so that a first fold starts early.

    Side by side they would all come up late: the driver needs a core, too, for it plans meanwhile.
    """
    with Path(__file__).open("rb") as place:
        until = time.monotonic() + LONGEST_WAIT_S
        while n_cores() <= FEW_CORES and not _taken(place) and time.monotonic() < until:
            time.sleep(LOOK_S)
        yield


def _taken(place: BinaryIO) -> bool:
    try:
        # Given back when the file is closed, also by the death of the process.
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: all at once, then
        return True
    return True


if os.environ.get("EMO_RAY_WORKER") != "cold":
    with a_turn():
        load_what_training_needs()
