"""ChannelCnns: a small CNN for the picture of each electrode, run one by one, in chunks, or all at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

Impl = Literal["loop", "grouped", "chunked"]
JoinMoments = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
CnnNorm = Literal["bn", "gn"]

N_BLOCKS = 3
WIDTHS = (32, 64, 128)
POOL = 2
SHRINK = POOL**N_BLOCKS
"""Bins and tokens that become one; a smaller picture has nothing left after the last block."""


@dataclass(frozen=True)
class CnnOptions:
    """How the networks of all electrodes are built and run.

    Attributes
    ----------
    widths : filters of each block
    norm : over the rows of a batch that have the electrode, or over each row's picture by itself
    impl : ``loop``: one electrode after the other, as published; ``grouped``: all in one convolution;
        ``chunked``: so many at a time that their pictures stay in the cache. All give the same
    chunk : electrodes at a time where chunked
    shared : one network for all electrodes, whatever their number; they are rows to it, and ``impl`` is idle
    """

    widths: tuple[int, ...] = WIDTHS
    norm: CnnNorm = "bn"
    impl: Impl = "chunked"
    chunk: int = 4
    shared: bool = False


class ElectrodeNorm(nn.Module):
    """Norm of the filters of each electrode, whose weights stand side by side, electrode by electrode.

    Batch norm looks at rows that have the electrode: a picture of zeros is no spectrum, but through biases
    and ReLU it would be a constant. Where less than two numbers are left it uses its running statistics.

    Attributes
    ----------
    joined_moments : of several workers that share a batch: from count, mean and summed squares around it of
        each unit here to those of the whole batch
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, n_electrodes: int, width: int, norm: CnnNorm) -> None:
        super().__init__()
        self.norm, self.width, self.momentum, self.eps = norm, width, 0.1, 1e-5  # torch's own
        self.joined_moments: JoinMoments | None = None
        n_units = n_electrodes * width
        self.weight, self.bias = nn.Parameter(torch.ones(n_units)), nn.Parameter(torch.zeros(n_units))
        if norm == "bn":
            self.register_buffer("running_mean", torch.zeros(n_units))
            self.register_buffer("running_var", torch.ones(n_units))

    def forward(
        self, x: Float[Tensor, "batch units bins tokens"], present: Bool[Tensor, "batch _"] | None, own: slice
    ) -> Float[Tensor, "batch units bins tokens"]:
        """Normalise the filters of some electrodes.

        Parameters
        ----------
        present : rows that have each of these electrodes; None where all do, or where it does not matter
        own : where the filters of these electrodes stand among those of all
        """
        weight, bias = self.weight[own], self.bias[own]
        if self.norm == "gn":
            return functional.group_norm(x, x.shape[1] // self.width, weight, bias, self.eps)
        mean, variance = self.running_mean[own], self.running_var[own]
        if present is None and self.training and self.joined_moments is not None:
            # whoever shares this batch may have rows that lack one
            present = x.new_ones((len(x), x.shape[1] // self.width), dtype=torch.bool)
        if not self.training or present is None:
            return functional.batch_norm(
                x, mean, variance, weight, bias, self.training, self.momentum, self.eps
            )
        batch_mean, batch_variance = self._over_present(x.float(), present, mean, variance)
        scale = (batch_variance + self.eps).rsqrt() * weight
        shift = bias - batch_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]

    def _over_present(
        self, x: Tensor, present: Tensor, running_mean: Tensor, running_variance: Tensor
    ) -> tuple[Float[Tensor, " units"], Float[Tensor, " units"]]:
        """Mean and variance over rows that have the electrode; moves the running ones towards them."""
        count = (present.sum(dim=0) * x.shape[2] * x.shape[3]).repeat_interleave(self.width)  # units
        rows = present.to(x.dtype).repeat_interleave(self.width, dim=1)  # batch units
        mean = (x.sum(dim=(2, 3)) * rows).sum(dim=0) / count.clamp_min(1)
        squares = ((x - mean[:, None, None]).square().sum(dim=(2, 3)) * rows).sum(dim=0)
        if self.joined_moments is not None:
            count, mean, squares = self.joined_moments(count, mean, squares)
        variance = squares / count.clamp_min(1)
        # no `if`: the host would have to wait for the device
        seen = count > 1
        chosen = torch.where(seen, mean, running_mean), torch.where(seen, variance, running_variance)
        share = self.momentum * seen
        with torch.no_grad():
            running_mean.lerp_(mean, share)
            # without bias, as torch remembers it
            running_variance.lerp_(squares / (count - 1).clamp_min(1), share)
        return chosen


class CnnBlock(nn.Module):
    """Convolution of 3 x 3, norm, ReLU, and the larger of each 2 x 2, for any of the electrodes."""

    def __init__(self, n_electrodes: int, widths: tuple[int, int], norm: CnnNorm) -> None:
        super().__init__()
        self.width = widths[1]
        sizes = n_electrodes * widths[0], n_electrodes * widths[1]
        # made for all of them at once, so that torch starts each group by its own fan-in
        self.conv = nn.Conv2d(*sizes, 3, padding=1, groups=n_electrodes)
        self.norm = ElectrodeNorm(n_electrodes, self.width, norm)

    def forward(
        self, x: Float[Tensor, "batch _ _ _"], present: Bool[Tensor, "batch _"] | None, electrodes: range
    ) -> Float[Tensor, "batch _ _ _"]:
        """Pictures of these electrodes at half the size."""
        own = slice(electrodes.start * self.width, electrodes.stop * self.width)
        weight, bias = self.conv.weight[own], self.conv.bias[own]  # type: ignore[index]  # it has a bias
        filtered = functional.conv2d(x, weight, bias, padding=1, groups=len(electrodes))
        # ReLU commutes with the maximum, and is cheaper after it
        return functional.relu(pooled(self.norm(filtered, present, own)))


def pooled(x: Float[Tensor, "batch units _ _"]) -> Float[Tensor, "batch units _ _"]:
    """The larger of each 2 x 2; an odd last row or column is left out."""
    if not x.is_cuda:
        return functional.max_pool2d(x, POOL)
    # the gradient of CUDA's own pooling adds up in any order
    bins, tokens = x.shape[2] // POOL, x.shape[3] // POOL
    whole = x[:, :, : POOL * bins, : POOL * tokens]
    return whole.reshape(*x.shape[:2], bins, POOL, tokens, POOL).amax(dim=(3, 5))


class ChannelCnns(nn.Module):
    """Three blocks for each electrode, with weights of its own or shared; 93,120 of them as published.

    The state has one layout, electrode by electrode, whichever way it is run.
    """

    def __init__(self, n_electrodes: int, options: CnnOptions) -> None:
        super().__init__()
        self.options = options
        n_networks = 1 if options.shared else n_electrodes
        sizes = zip((1, *options.widths[:-1]), options.widths, strict=True)
        self.blocks = nn.ModuleList(CnnBlock(n_networks, size, options.norm) for size in sizes)
        self.at_a_time = {"loop": 1, "grouped": n_networks, "chunked": options.chunk}[options.impl]

    def forward(
        self,
        x: Float[Tensor, "batch electrodes bins tokens"],
        present: Bool[Tensor, "batch electrodes"],
    ) -> Float[Tensor, "batch electrodes filters _ _"]:
        """Pictures of an eighth of the size, zero where a row does not have the electrode.

        Parameters
        ----------
        present : whether a row has the electrode
        """
        counted = None
        if self.training and self.options.norm == "bn" and not bool(present.all()):
            counted = present
        if self.options.shared:
            flat = None if counted is None else counted.reshape(-1, 1)
            features = self._some(x.reshape(-1, 1, *x.shape[2:]), flat, range(1))
        else:
            features = self._by_electrode(x, counted)
        # batch electrodes filters bins tokens
        features = features.reshape(*x.shape[:2], self.options.widths[-1], *features.shape[2:])
        return features.masked_fill(~present[..., None, None, None], 0.0)

    def _by_electrode(self, x: Tensor, present: Tensor | None) -> Tensor:
        parts = []
        for first in range(0, x.shape[1], self.at_a_time):
            electrodes = range(first, min(first + self.at_a_time, x.shape[1]))
            own = slice(electrodes.start, electrodes.stop)
            parts.append(self._some(x[:, own], None if present is None else present[:, own], electrodes))
        return torch.cat(parts, dim=1)

    def _some(self, x: Tensor, present: Tensor | None, electrodes: range) -> Tensor:
        if self.options.impl != "loop":
            # 1.7 times as fast on a CPU: norm and pooling, too, run along the filters of a place
            x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, present, electrodes)
        return x
