"""A model that fails in the middle of a run, on one worker of a group; the workers import it from here."""

import os
import signal
from pathlib import Path
from typing import Literal

import torch
import torch.distributed as dist

from emo_ray.models.base import Inputs, Masks, RowFacts, SegmentShape
from emo_ray.models.mlp import Mlp, MlpConfig


class FaultyMlpConfig(MlpConfig):
    """A settings' twin of `MlpConfig`: what is added here is no part of a run's identity.

    Attributes
    ----------
    fault : of rank 1, at its training batch ``at``: an error of its own, or its death, once
    diary : file in which rank 0 writes a line for every training batch
    """

    fault: Literal["error", "death"]
    at: int
    diary: str

    def build(self, shape: SegmentShape) -> "FaultyMlp":
        return FaultyMlp(shape, self)


class FaultyMlp(Mlp):
    def __init__(self, shape: SegmentShape, config: FaultyMlpConfig) -> None:
        super().__init__(shape, hidden=config.hidden, dropout=config.dropout)
        self.config, self.n_batches = config, 0

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, torch.Tensor]:
        if self.training:
            self.n_batches += 1
            self._go_on(dist.get_rank() if dist.is_initialized() else 0)
        return super().forward(x, mask, facts)

    def _go_on(self, rank: int) -> None:
        diary = Path(self.config.diary)
        if rank == 0:
            with diary.open("a") as lines:
                lines.write("batch\n")
        elif self.n_batches == self.config.at and self.config.fault == "error":
            raise ValueError("only rank 1 has seen this")
        elif self.n_batches == self.config.at and not diary.with_suffix(".died").exists():
            diary.with_suffix(".died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
