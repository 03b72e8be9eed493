"""TensorBoard scalars of every epoch: an observer of a run, where somebody wants one."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

SIDES = {"train": "Train", "validation": "Val"}
# spelt as Phy-FusionNet's own runs are, so that the curves lie over each other
SPELLINGS = {"loss": "Loss", "accuracy": "Accuracy", "macro_f1": "F1_Macro"}
LEARNING_RATE = "learning_rate"


class Scalars:
    """Writes ``Loss/Train``, ``Loss/Val``, ``Accuracy/...``, ``F1_Macro/...``, ``Learning_Rate`` and so on.

    Used with ``with``: what is written last is on the disk when it ends. Undefined metrics are left out.
    Train scores are there where ``training.score_train`` is set.

    Parameters
    ----------
    folder : of the event file; each run has its own
    """

    def __init__(self, folder: Path) -> None:
        # late: it takes a while to load, and few runs use it
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def __enter__(self) -> "Scalars":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def report(self, epoch: int, metrics: Mapping[str, Mapping[str, float]], best_epoch: int) -> None:
        """Write one epoch."""
        for side, name in SIDES.items():
            for metric, value in metrics.get(side, {}).items():
                if math.isfinite(value):
                    tag = (
                        "Learning_Rate"
                        if metric == LEARNING_RATE
                        else f"{SPELLINGS.get(metric, metric)}/{name}"
                    )
                    self._writer.add_scalar(tag, value, epoch)
        self._writer.flush()
