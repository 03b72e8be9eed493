"""Batch norm over the whole batch of a team, on any device and with shares of any size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from emo_ray.training.team import Team

JoinMoments = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


@runtime_checkable
class _Summing(Protocol):
    """What the norm needs of a team."""

    rank: int
    size: int

    def summed(self, value: Tensor) -> Tensor: ...


@runtime_checkable
class OwnStatistics(Protocol):
    """A norm with a way of its own to compute moments over a batch, which lets a team join them."""

    joined_moments: JoinMoments | None


def share_statistics(model: nn.Module, team: Team) -> None:
    """Let every batch norm of a model see the whole batch in training; in place, names and weights stay.

    torch's own SyncBatchNorm does not run on a CPU, and refuses an empty share.
    """
    if not isinstance(team, _Summing):
        return  # alone, it sees the whole batch already
    made: dict[int, TeamBatchNorm] = {}
    for parent in list(model.modules()):
        if isinstance(parent, TeamBatchNorm):
            continue
        if isinstance(parent, OwnStatistics):
            parent.joined_moments = JoinedMoments(team)
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm) and not isinstance(child, TeamBatchNorm):
                setattr(parent, name, made.setdefault(id(child), TeamBatchNorm(child, team)))


@contextmanager
def uncounted(model: nn.Module) -> Iterator[None]:
    """While a row stands in for an empty share: the norms of other members do not see it."""
    norms = [norm for norm in model.modules() if isinstance(norm, OwnStatistics)]
    joined = [norm.joined_moments for norm in norms if isinstance(norm.joined_moments, JoinedMoments)]
    for one in joined:
        one.counts = False
    try:
        yield
    finally:
        for one in joined:
            one.counts = True


@dataclass
class JoinedMoments:
    """Moments of all shares together, from those of each; gradients flow back to every share.

    Attributes
    ----------
    counts : whether this member's share is one; without, its numbers weigh nothing

    References
    ----------
    Chan, Golub & LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample
    variances", Stanford CS report 79-773.
    """

    team: _Summing
    counts: bool = True

    def __call__(
        self, count: Shaped[Tensor, " units"], mean: Float[Tensor, " units"], squares: Float[Tensor, " units"]
    ) -> tuple[Float[Tensor, " units"], Float[Tensor, " units"], Float[Tensor, " units"]]:
        """How many numbers, their mean, and the summed squares around it.

        The mean over no numbers may be anything finite.
        """
        own = torch.stack([count.to(mean.dtype), mean, squares]) * float(self.counts)  # 3 units
        rank, size = self.team.rank, self.team.size
        # each member has a place of its own in one sum, so that one message does
        shares = self.team.summed(functional.pad(own[None], (0, 0, 0, 0, rank, size - rank - 1)))
        counts, means, around_own = shares.unbind(dim=1)  # each: members units
        total = counts.sum(dim=0)
        joint = (counts * means).sum(dim=0) / total.clamp_min(1)
        return total, joint, around_own.sum(dim=0) + (counts * (means - joint).square()).sum(dim=0)


class TeamBatchNorm(_BatchNorm):
    """Batch norm whose statistics are those of the shares of all members, taken together.

    It takes the place of another norm and holds its weights and buffers. With a mask of valid positions only
    these count. A batch of one position has no spread: its running statistics are used instead.
    """

    # the annotations of torch say "or None", for norms without them
    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, norm: _BatchNorm, team: _Summing) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.joined_moments = JoinedMoments(team)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.train(norm.training)

    def forward(
        self,
        input: Float[Tensor, "batch units *positions"],  # noqa: A002
        valid: Bool[Tensor, "batch 1 *_"] | None = None,
    ) -> Float[Tensor, "batch units *positions"]:
        """Normalise; what comes out at invalid positions has no meaning.

        Parameters
        ----------
        valid : where to look in train mode, broadcast over the positions; None: everywhere
        """
        if self.training:
            return self._over_team(input.float(), valid).to(input.dtype)
        return functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def _over_team(self, x: Tensor, valid: Tensor | None) -> Tensor:
        count, mean, squares = self.joined_moments(*_moments(x, valid))
        spread = count > 1
        # no `if`: the host would have to wait for the device
        variance = squares / count.clamp_min(1)
        if self.running_mean is not None and self.running_var is not None:
            before = self.running_mean.clone(), self.running_var.clone()
            self._remember(mean, squares / (count - 1).clamp_min(1), spread)
            mean = torch.where(spread, mean, before[0])
            variance = torch.where(spread, variance, before[1])
        scale = (variance + self.eps).rsqrt()
        shift = -mean * scale
        if self.affine:
            scale, shift = scale * self.weight, shift * self.weight + self.bias
        around = (1, -1, *(1 for _ in range(x.ndim - 2)))
        return x * scale.view(around) + shift.view(around)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, spread: Tensor) -> None:
        """Move the running statistics towards those of this batch, with the variance that has no bias."""
        assert self.running_mean is not None, "asked before"
        assert self.running_var is not None, "asked before"
        assert self.num_batches_tracked is not None, "kept beside the other two"
        self.num_batches_tracked.add_(spread.any().long())
        # momentum None: the plain mean over all batches
        share = self.momentum if self.momentum is not None else 1 / self.num_batches_tracked.clamp_min(1)
        self.running_mean.lerp_(mean, share * spread.to(mean.dtype))
        self.running_var.lerp_(variance, share * spread.to(mean.dtype))

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        """Any number of axes is right."""


def _moments(x: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Count of the valid positions, mean of each unit over them, and summed squares around it."""
    axes = [0, *range(2, x.ndim)]
    weights = torch.ones_like(x[:, :1]) if valid is None else valid.expand(-1, -1, *x.shape[2:]).to(x.dtype)
    count = weights.sum()  # weights: batch 1 positions
    mean = (x * weights).sum(axes, keepdim=True) / count.clamp_min(1)
    squares = ((x - mean).square() * weights).sum(axes)
    return count.expand_as(squares), mean.flatten(), squares
