"""Samples a second of every model on a GPU, in float32 and in half precision, and how long the GPU computes.

    python benchmarks/gpu_throughput.py [--batch 64] [--steps 50]

Training steps of this project's loop, on noise of the shape that each model is made for, the table in main
memory as in a study. Prints, for each model: samples a second in float32, in bfloat16 and in float16 with
a scaler, their ratio to float32, and the share of the wall time in which the GPU had a kernel to run (by its
own profiler). Without a CUDA device it says so and ends well.
"""

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from emo_ray.models.base import ModelConfig
from emo_ray.models.registry import MODELS
from emo_ray.tasks.base import Head
from emo_ray.training.config import TrainingConfig
from emo_ray.training.data import Affine, SegmentData
from emo_ray.training.loop import Runtime, Split, train
from emo_ray.training.seeding import Streams, reset_process

N_BATCHES = 8
PRECISIONS = ("off", "bf16", "fp16")
HEADS = (Head("label", "classes", ("low", "high")),)
EEG_TOKENS = {"eeg": (20, tuple(f"E{i}/b{j}" for i in range(14) for j in range(5)))}
SHAPES: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {
    "dgcnn": {"eeg": (20, tuple(f"E{i}/b{j}" for i in range(62) for j in range(5)))},
    "eegnet": {"eeg": (512, tuple(f"E{i}" for i in range(32)))},
    "gru_xnet": {"eeg": (20, tuple(f"E{i}/{j}Hz" for i in range(32) for j in range(1, 46)))},
    "res_attentio_net": {"eeg": (60, tuple(f"E{i}/b{j}" for i in range(62) for j in range(5)))},
}
"""What each is made for; all others see AMIGOS tokens."""


@dataclass(frozen=True)
class Measured:
    """One model at one precision."""

    samples_a_second: float
    gpu_share: float


def noise(kind: str, n_rows: int) -> SegmentData:
    """Segments of one model's shape, without any signal."""
    body = {"ecg": (20, tuple(f"h{i}" for i in range(12))), "gsr": (20, tuple(f"s{i}" for i in range(8)))}
    shape = SHAPES.get(kind, EEG_TOKENS | body)
    rng = np.random.default_rng(0)
    sizes = {name: (n_rows, tokens, len(features)) for name, (tokens, features) in shape.items()}
    return SegmentData(
        values={name: rng.standard_normal(size, dtype=np.float32) for name, size in sizes.items()},
        masks={name: np.ones(size[:2], dtype=bool) for name, size in sizes.items()},
        subject=np.zeros(n_rows, np.int32),
        targets={"label": rng.integers(2, size=n_rows).astype(np.float32)},
        heads=HEADS,
        affine=Affine.identity({name: size[2] for name, size in sizes.items()}),
        features={name: features for name, (_, features) in shape.items()},
    )


def measure(config: ModelConfig, amp: str, batch: int, epochs: int) -> Measured:
    """Train twice: once for what is made at the first step, once to be measured."""
    data = noise(config.kind, batch * N_BATCHES)
    rows = np.arange(batch * N_BATCHES)
    split = Split(train=rows, validation=rows[:0])

    def trained(n_epochs: int) -> None:
        streams = Streams(0)
        reset_process(streams)
        training = TrainingConfig.model_validate({"max_epochs": n_epochs, "batch_size": batch, "amp": amp})
        train(config.build(data.shape()), data, split, training, streams, Runtime(device="cuda"))
        torch.cuda.synchronize()

    trained(1)
    started = time.perf_counter()
    trained(epochs)
    wall_s = time.perf_counter() - started
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        started = time.perf_counter()
        trained(max(1, epochs // 4))
        profiled_s = time.perf_counter() - started
    gpu_s = sum(event.self_device_time_total for event in seen.key_averages()) / 1e6
    return Measured(len(rows) * epochs / wall_s, gpu_s / profiled_s)


def main() -> int:
    """Measure all models that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=48, help="training steps a measurement")
    parser.add_argument("--models", nargs="*", default=sorted(MODELS))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device here: nothing is measured")
        return 0
    print(f"{torch.cuda.get_device_name()}, batch {options.batch}")
    print(f"{'model':<20}{'precision':<11}{'samples/s':>11}{'ratio':>8}{'GPU busy':>10}")
    for kind in options.models:
        found: dict[str, Measured] = {}
        for amp in PRECISIONS:
            epochs = max(1, options.steps // N_BATCHES)
            found[amp] = measure(MODELS[kind](), amp, options.batch, epochs)  # type: ignore[call-arg]
            ratio = found[amp].samples_a_second / found["off"].samples_a_second
            name = "float32" if amp == "off" else amp
            print(
                f"{kind:<20}{name:<11}{found[amp].samples_a_second:>11.0f}{ratio:>8.2f}"
                f"{found[amp].gpu_share:>10.0%}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
