"""Mixture of heads: attention in which a router weighs the heads anew at every token."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from emo_ray.models.attention import attend, by_head
from emo_ray.models.blocks import glorot_linear


@dataclass(frozen=True)
class HeadMix:
    """How many heads there are, how many are always at work, how many of the others are at work at a token.

    Raises
    ------
    ValueError : a mix that can not be routed
    """

    n_heads: int
    n_shared: int
    top_k: int

    def __post_init__(self) -> None:
        if not 0 <= self.n_shared <= self.n_heads:
            raise ValueError(
                f"{self.n_shared} of {self.n_heads} heads can not be shared: take a number from 0 to "
                f"{self.n_heads}"
            )
        if not self.n_routed and self.top_k:
            raise ValueError(
                f"all {self.n_heads} heads are shared, and {self.top_k} of the others are to be chosen at a "
                "token: share fewer of them"
            )
        if self.n_routed and not 2 <= self.top_k <= self.n_routed:
            # the weight of a single head, made to sum to 1, is the constant 1: its router learns nothing
            raise ValueError(
                f"{self.top_k} of {self.n_routed} routed heads can not be chosen at a token: it needs 2 or "
                "more, of as many or more; take more heads, or share fewer of them"
            )

    @property
    def n_routed(self) -> int:
        """Heads that are not shared."""
        return self.n_heads - self.n_shared


@dataclass(frozen=True)
class Routing:
    """What the router decided at every token.

    Attributes
    ----------
    gates : factor on the output of each head, the shared ones first
    probability : of each routed head, before the choice
    chosen : whether a routed head is at work
    """

    gates: Float[Tensor, "batch tokens heads"]
    probability: Float[Tensor, "batch tokens routed"]
    chosen: Bool[Tensor, "batch tokens routed"]


class HeadRouter(nn.Module):
    """Two stages: weights inside the shared and inside the routed heads, and between these two groups.

    All scores come from one product without bias; a single shared head needs no score, and a single group
    none between groups.

    References
    ----------
    Jin, Zhu, Yuan & Yan (2024), "MoH: multi-head attention as mixture-of-head attention", arXiv:2410.11842.
    """

    def __init__(self, width: int, mix: HeadMix) -> None:
        super().__init__()
        self.mix = mix
        n_groups = 2 if mix.n_shared and mix.n_routed else 0
        self.sizes = [mix.n_shared if mix.n_shared > 1 else 0, mix.n_routed, n_groups]
        self.scores = nn.Linear(width, sum(self.sizes), bias=False)
        nn.init.xavier_uniform_(self.scores.weight)

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Routing:
        """Gates in float32, whatever the precision around."""
        with torch.autocast(x.device.type, enabled=False):
            scores = self.scores(x.float())
        among_shared, among_routed, between = scores.split(self.sizes, dim=-1)
        n_shared, top_k = self.mix.n_shared, self.mix.top_k
        probability = among_routed.softmax(dim=-1)
        best = probability.topk(top_k, dim=-1).indices  # batch tokens top_k
        heads = torch.arange(self.mix.n_routed, device=x.device)
        chosen = (best[..., None] == heads).any(dim=-2)
        kept = probability * chosen
        routed = top_k * kept / kept.sum(dim=-1, keepdim=True)
        shared = (
            among_shared.softmax(dim=-1) * n_shared if n_shared > 1 else x.new_ones(*x.shape[:2], n_shared)
        )
        if self.sizes[2]:
            group = 2 * between.softmax(dim=-1)  # batch tokens 2
            shared, routed = shared * group[..., :1], routed * group[..., 1:]
        return Routing(torch.cat([shared, routed], dim=-1), probability, chosen)


def balance_loss(routing: Routing, mask: Bool[Tensor, "batch tokens"]) -> Float[Tensor, ""]:
    """``R / K * sum(P f)`` over R routed heads, K at work; 1 where all are used alike, else more.

    P is the mean probability of a head over the valid tokens, f the share of them that chose it.
    """
    n_routed = routing.chosen.shape[-1]
    valid = mask[..., None].float()
    n_valid = valid.sum().clamp_min(1.0)
    mean_probability = (routing.probability * valid).sum(dim=(0, 1)) / n_valid  # routed
    share = (routing.chosen * valid).sum(dim=(0, 1)) / n_valid
    top_k = share.sum().clamp_min(1.0)  # every token chose as many; 0 where there is no valid one
    return n_routed / top_k * (mean_probability * share).sum()


class MixtureOfHeads(nn.Module):
    """Self-attention of routed heads, each of which may also look to lags at which the sequence repeats.

    The logit of tokens i and j gets ``w_h rho(|i - j|)``, rho their autocorrelation; w_h starts at 0.
    """

    def __init__(self, width: int, mix: HeadMix) -> None:
        super().__init__()
        self.n_heads = mix.n_heads
        self.query_key_value = glorot_linear(width, 3 * width)
        for block in self.query_key_value.weight.detach().chunk(3):
            nn.init.xavier_uniform_(block)  # three projections in one product
        self.lag_weight = nn.Parameter(torch.zeros(mix.n_heads))
        self.router = HeadRouter(width, mix)
        self.out = glorot_linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        mask: Bool[Tensor, "batch tokens"],
        rho: Float[Tensor, "batch tokens tokens"],
    ) -> tuple[Float[Tensor, "batch tokens width"], Routing]:
        """Outputs at all tokens, of which only valid ones are looked at; and the routing."""
        routing = self.router(x)
        parts = self.query_key_value(x).chunk(3, dim=-1)
        query, key, value = (by_head(part, self.n_heads) for part in parts)
        bias = self.lag_weight[:, None, None] * rho[:, None]  # batch heads tokens tokens
        seen = attend(query, key, value, mask, bias)
        mixed = seen * routing.gates[..., None]  # batch tokens heads size
        return self.out(mixed.flatten(2)), routing
