"""Weights as bytes, and checkpoints in the middle of a run that survive a kill."""

import hashlib
import logging
import time
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from emo_ray.files import atomic_path

logger = logging.getLogger(__name__)

FORMAT = 1
"""Of what `RunState.state_dict` holds: raised with it, so that a file of an older emo_ray is left aside."""


def weights_to_bytes(model: nn.Module) -> bytes:
    """Weights and buffers in safetensors format, in the order of their names."""
    return save(_plain_tensors(model))


def weights_from_bytes(model: nn.Module, data: bytes) -> None:
    """Put saved weights into a model of the same architecture, in place."""
    model.load_state_dict(load(data))


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of weights and buffers: equal if and only if they are."""
    digest = hashlib.sha256()
    for name, tensor in _plain_tensors(model).items():
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _plain_tensors(model: nn.Module) -> dict[str, Tensor]:
    # contiguous: safetensors refuses a tensor that is a view with gaps
    return {name: t.detach().cpu().contiguous() for name, t in sorted(model.state_dict().items())}


class Checkpointer:
    """Keeps the latest state of one run in one file; a kill at any moment leaves the old or the new one.

    Parameters
    ----------
    path : file to write; its folder is made
    every_s : least seconds between two writes
    fingerprint : of the run; a file of another run is not taken
    """

    def __init__(self, path: Path, every_s: float, fingerprint: str) -> None:
        self.path, self.every_s, self.fingerprint = path, every_s, fingerprint
        self._last_s = time.monotonic()

    def due(self) -> bool:
        """Whether the last write is long enough ago."""
        return time.monotonic() - self._last_s >= self.every_s

    def save(self, state: dict[str, Any]) -> None:
        """Write tensors and plain values; on return they are on the disk."""
        # a stream and not a path, for torch writes the name of a path into the file
        with atomic_path(self.path) as partial, partial.open("wb") as stream:
            torch.save({"fingerprint": self.fingerprint, "format": FORMAT, "state": state}, stream)
        self._last_s = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The saved state; None where there is none, it is damaged, or it is another run's (logged)."""
        if not self.path.exists():
            return None
        try:
            _check_sums(self.path)
            # weights_only: tensors and plain values, never code that a file brings along
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            fingerprint, state = saved["fingerprint"], saved["state"]
            _check_format(saved.get("format"))
        except Exception as error:  # a damaged file can raise anything; the run then starts afresh
            logger.warning("checkpoint %s can not be read (%s): the run starts afresh", self.path, error)
            return None
        if fingerprint != self.fingerprint:
            logger.warning(
                "checkpoint %s is of run %s, not %s: left aside", self.path, fingerprint, self.fingerprint
            )
            return None
        return dict(state)

    def clear(self) -> None:
        """Remove the file, once the result of the run is safe elsewhere."""
        self.path.unlink(missing_ok=True)


def _check_sums(path: Path) -> None:
    """A torch file is a zip archive with a CRC a member, which torch itself writes but does not check."""
    with ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"its member {damaged} has changed on the disk")


def _check_format(found: int | None) -> None:
    if found != FORMAT:
        raise ValueError(f"it has format {found}, and this version of emo_ray reads {FORMAT}")
