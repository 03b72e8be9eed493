"""Share of the training loop's time outside forward pass, backward pass and optimizer step.

python benchmarks/loop_overhead.py [--repeats 5] [--most 0.05]

The smallest network (AMIGOS LSTM, lightweight) on 20 tokens of 70, 12 and 8 features, batches of 64, one
thread. Forward includes the loss with the penalty, and the forward pass of validation; the optimizer step
includes clipping.
All else is overhead: batches copied and standardised, shuffling, bookkeeping, metrics of validation. Timers
sit inside one run; the figure is the median over repeats. Fails where it is above ``--most``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from emo_ray.models.amigos_lstm import AmigosLstm, AmigosLstmConfig
from emo_ray.tasks.base import Head
from emo_ray.training.config import TrainingConfig
from emo_ray.training.data import Affine, SegmentData
from emo_ray.training.loop import Split, train
from emo_ray.training.losses import TrainingLoss
from emo_ray.training.precision import Precision
from emo_ray.training.seeding import Streams, reset_process

WIDTHS, N_TOKENS = {"eeg": 70, "ecg": 12, "gsr": 8}, 20
N_TRAIN, N_VALIDATION, N_EPOCHS = 4096, 512, 3
HEADS = (Head("valence", "value"), Head("arousal", "value"))


class Clock:
    """Seconds by part, of calls that do not nest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted."""

        def call(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start

        return call


@contextmanager
def watched(clock: Clock) -> Iterator[None]:
    """Timers on what is the work itself."""
    places = [
        (AmigosLstm, "__call__", "forward"),
        (TrainingLoss, "sums", "forward"),
        (TrainingLoss, "combine", "forward"),
        (AmigosLstm, "penalty", "forward"),
        (torch.Tensor, "backward", "backward"),
        (Precision, "step_down", "optimizer"),
    ]
    before = [getattr(owner, name) for owner, name, _ in places]
    for (owner, name, part), function in zip(places, before, strict=True):
        setattr(owner, name, clock.timed(part, function))
    try:
        yield
    finally:
        for (owner, name, _), function in zip(places, before, strict=True):
            setattr(owner, name, function)


def segments() -> SegmentData:
    """Random tokens; standardisation and a few undefined features give the loop its usual work."""
    n = N_TRAIN + N_VALIDATION
    rng = np.random.default_rng(0)
    values = {
        name: rng.normal(size=(n, N_TOKENS, width)).astype(np.float32) for name, width in WIDTHS.items()
    }
    masks = {name: np.ones((n, N_TOKENS), bool) for name in WIDTHS}
    for name, array in values.items():
        masks[name][::7, -3:] = False
        array[::11, 0, 0] = np.nan
        array.flags.writeable = False
    return SegmentData(
        values=values,
        masks=masks,
        subject=(np.arange(n) // 256).astype(np.int32),
        targets={head.name: rng.normal(size=n).astype(np.float32) for head in HEADS},
        heads=HEADS,
        affine=Affine.identity(WIDTHS),
        trial=(np.arange(n) // 8).astype(np.int32),
    )


def measured(data: SegmentData) -> tuple[dict[str, float], float]:
    """Seconds by part of one run, and in all."""
    streams = Streams(0)
    reset_process(streams)
    model = AmigosLstmConfig(variant="lightweight").build(data.shape())
    split = Split(np.arange(N_TRAIN), np.arange(N_TRAIN, N_TRAIN + N_VALIDATION))
    config = TrainingConfig(max_epochs=N_EPOCHS, batch_size=64, patience=N_EPOCHS)
    clock = Clock()
    with watched(clock):
        start = time.perf_counter()
        train(model, data, split, config, streams)
        seconds = time.perf_counter() - start
    return clock.seconds, seconds


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--most", type=float, default=0.05, help="share of the time that overhead may take")
    options = parser.parse_args()
    data = segments()
    measured(data)  # first calls load code
    shares = []
    for _ in range(options.repeats):
        parts, seconds = measured(data)
        shares.append(1 - sum(parts.values()) / seconds)
        n_steps = N_EPOCHS * N_TRAIN // 64
        shown = ", ".join(f"{part} {1000 * own / n_steps:.2f}" for part, own in parts.items())
        print(f"overhead {shares[-1]:6.2%} of {1000 * seconds / n_steps:.2f} ms a step ({shown} ms)")
    median = statistics.median(shares)
    print(f"median overhead {median:.2%}, at most {options.most:.0%} wanted")
    return 0 if median <= options.most else 1


if __name__ == "__main__":
    sys.exit(main())
