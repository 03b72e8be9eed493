"""Batch norm over sequences with invalid positions: the padding has no say in its statistics."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch norm of each unit over the valid positions of all rows, along however many axes they lie.

    In train mode with a single valid position (or none), which has no spread, it uses its running statistics.
    """

    # always there in this class
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

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
        if self.training and valid is not None:
            return self._over_valid(input.float(), valid)
        training = self.training and input.shape[0] * input[0, 0].numel() > 1
        if training:
            self.num_batches_tracked.add_(1)
        return functional.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=training,
            momentum=self.momentum,
            eps=self.eps,
        )

    def _over_valid(self, x: Tensor, valid: Tensor) -> Tensor:
        axes = [0, *range(2, x.ndim)]
        weights = valid.expand(-1, -1, *x.shape[2:]).to(x.dtype)  # batch 1 positions
        n_valid = weights.sum()
        weights = weights / n_valid.clamp_min(1)
        mean = (x * weights).sum(axes, keepdim=True)
        variance = ((x - mean).square() * weights).sum(axes, keepdim=True)  # 1 units 1...
        # no `if`: the host would have to wait for the device
        spread = n_valid > 1
        self._remember(mean, variance * n_valid / (n_valid - 1).clamp_min(1), spread)
        mean = torch.where(spread, mean, self.running_mean.view_as(mean))
        scale = torch.where(spread, variance, self.running_var.view_as(mean)).add(self.eps).rsqrt()
        scale = scale * self.weight.view_as(mean)
        return x * scale + (self.bias.view_as(mean) - mean * scale)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, spread: Tensor) -> None:
        """Move the running statistics towards those of this batch; the variance is unbiased, as in torch."""
        share = self.momentum * spread.to(mean.dtype)
        self.running_mean.lerp_(mean.flatten(), share)
        self.running_var.lerp_(variance.flatten(), share)
        self.num_batches_tracked.add_(spread.long())


def gaps(valid: Bool[Tensor, "batch 1 steps"]) -> Bool[Tensor, "batch 1 steps"] | None:
    """The mask, or None where nothing is invalid and all that it costs can be saved.

    The host waits for the device here, so ask once a step; and an exported graph can not ask at all.
    """
    return None if bool(valid.all()) else valid
