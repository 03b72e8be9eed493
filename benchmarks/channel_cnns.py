"""CNNs of electrodes: one after the other, in chunks, or all in one grouped convolution.

    python benchmarks/channel_cnns.py [--threads 2] [--repeats 5]

Seconds of a training step (forward and backward) on the published pictures of GAMEEMO (14 electrodes) and
DEAP (32), two rows, and of 32 rows of 10 s on the clean grid from 19 electrodes. The peer is what is
published: networks of torch's own layers, one after the other. All compute the same, which is checked. The
ways take turns, and the least of their times counts. At 32 electrodes the default chunks must be twice as
fast as the peer.
"""

import argparse
import sys
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from emo_ray.models.channel_cnns import ChannelCnns, CnnOptions

PUBLISHED, CLEAN = (129, 126), (45, 19)  # bins, tokens
SIZES = ((2, 14, PUBLISHED), (2, 32, PUBLISHED), (32, 19, CLEAN))  # rows, electrodes, picture
JUDGED = (2, 32, PUBLISHED)
LEAST_RATIO = 2.0
OPTIONS = {
    "loop": CnnOptions(impl="loop"),
    "grouped": CnnOptions(impl="grouped"),
    **{f"chunked {n}": CnnOptions(impl="chunked", chunk=n) for n in (1, 2, 4, 8)},
}


class Peer(nn.Module):
    """A network of torch's own layers for each electrode, with the weights of ours."""

    def __init__(self, ours: ChannelCnns, n_electrodes: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(self._network(ours, i) for i in range(n_electrodes))

    @staticmethod
    def _network(ours: ChannelCnns, electrode: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for block in ours.blocks:
            own = slice(electrode * block.width, (electrode + 1) * block.width)
            conv = nn.Conv2d(block.conv.weight.shape[1], block.width, 3, padding=1)
            conv.weight.data.copy_(block.conv.weight.data[own])
            conv.bias.data.copy_(block.conv.bias.data[own])
            layers += [conv, nn.BatchNorm2d(block.width), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*layers)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Filters of all electrodes; ``present`` is not looked at."""
        return torch.stack([net(x[:, i : i + 1]) for i, net in enumerate(self.networks)], dim=1)


def seconds_of_a_step(model: nn.Module, x: Tensor, present: Tensor) -> float:
    """Forward and backward."""
    start = perf_counter()
    model(x, present).sum().backward()
    return perf_counter() - start


def compare(n_rows: int, n_electrodes: int, size: tuple[int, int], repeats: int) -> dict[str, float]:
    """Least seconds of each way, which take turns; the first turn does not count, but their outputs do."""
    torch.manual_seed(0)
    models: dict[str, nn.Module] = {name: ChannelCnns(n_electrodes, way) for name, way in OPTIONS.items()}
    for model in models.values():
        model.load_state_dict(models["loop"].state_dict())
    models = {"peer": Peer(models["loop"], n_electrodes), **models}
    x = torch.randn(n_rows, n_electrodes, *size)
    present = torch.ones(n_rows, n_electrodes, dtype=torch.bool)
    expected = models["peer"](x, present)
    for model in models.values():
        assert_close(model(x, present), expected, atol=1e-5, rtol=1e-4)
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(repeats + 1):
        for name, model in models.items():
            seconds = seconds_of_a_step(model, x, present)
            times[name] += [seconds] if turn else []
    return {name: min(seconds) for name, seconds in times.items()}


def main() -> int:
    """Print a line for every size and way; 1 if the chunks are too slow."""
    parser = argparse.ArgumentParser(description="CNNs of electrodes in three ways")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ratio = 0.0
    for rows, electrodes, size in SIZES:
        print(f"{rows} rows, {electrodes} electrodes, {size[0]} x {size[1]}, {args.threads} threads")
        seconds = compare(rows, electrodes, size, args.repeats)
        for name, best in seconds.items():
            print(f"  {name:10s} {best:7.3f} s  {seconds['peer'] / best:5.2f} x the peer", flush=True)
        if (rows, electrodes, size) == JUDGED:
            ratio = seconds["peer"] / seconds[f"chunked {CnnOptions().chunk}"]
    print(f"chunks at 32 electrodes: {ratio:.2f} x the peer, {LEAST_RATIO:g} wanted")
    return 0 if ratio >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
