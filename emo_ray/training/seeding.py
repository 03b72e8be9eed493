"""One integer seed, spawned into named streams of random numbers that need no state."""

import hashlib
import os
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Streams:
    """Random streams by name: a stream depends on the seed and its names, never on what ran before it.

    An epoch asks for ``("shuffle", epoch)``; so a run that resumes at an epoch draws what the
    undisturbed run draws, and no generator state has to be saved.
    """

    seed: int
    path: tuple[str, ...] = ()

    def child(self, *names: str | int) -> "Streams":
        """The streams below a name."""
        return Streams(self.seed, self.path + tuple(str(name) for name in names))

    def generator(self, *names: str | int) -> np.random.Generator:
        """A fresh generator at the start of the named stream."""
        return np.random.default_rng(np.random.SeedSequence(self._entropy(*names)))

    def integer(self, *names: str | int) -> int:
        """63 bits of the named stream, to seed a library that takes one integer."""
        return self._entropy(*names) >> (256 - 63)

    def _entropy(self, *names: str | int) -> int:
        # repr keeps ("a", "b") apart from ("a/b",), and 1 as a name from nothing else than "1"
        key = repr((self.seed, self.path + tuple(str(name) for name in names)))
        return int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")


def reset_process(streams: Streams, deterministic: bool = True) -> None:
    """Put the process into one known state, whatever ran before in it.

    Warm workers run many folds one after the other; all that torch keeps for the whole process is set
    here. Torch's generator starts at the stream ``"init"``, so build the model right after.

    Parameters
    ----------
    deterministic : refuse operations whose result may differ from call to call (on CUDA); else the fastest
        kernels are looked for by the clock
    """
    # cuBLAS reads it when CUDA starts; without it deterministic mode refuses matrix products there
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)  # one fold a core: two or three times the folds an hour
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)  # "cpu" would put a hook on every call of torch, 20 % of a step
    torch.set_grad_enabled(True)
    torch.set_flush_denormal(False)
    torch.set_float32_matmul_precision("highest")
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    # nothing here reads uninitialised memory; not filling it saves 5 % of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic  # it picks kernels by the clock
    torch.manual_seed(streams.integer("init"))
