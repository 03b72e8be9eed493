"""Attention by heads, written out: softmax in float32, and no row without valid keys becomes NaN."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def by_head(
    x: Float[Tensor, "*batch tokens width"], n_heads: int
) -> Float[Tensor, "*batch heads tokens size"]:
    """Units of every token dealt out to heads."""
    return x.reshape(*x.shape[:-1], n_heads, x.shape[-1] // n_heads).transpose(-3, -2)


def attend(
    query: Float[Tensor, "*_ heads queries size"],
    key: Float[Tensor, "batch heads keys size"],
    value: Float[Tensor, "batch heads keys size"],
    mask: Bool[Tensor, "batch keys"],
    bias: Float[Tensor, "batch _ _ keys"] | None = None,
) -> Float[Tensor, "batch queries heads size"]:
    """Scaled dot-product attention to the valid keys; where a row has none, to all alike.

    torch's fused kernel is slower at a few dozen tokens on one thread, and leaves its fast path where a bias
    has a gradient.

    Parameters
    ----------
    query : one batch, or the same for all rows
    bias : added to the logits
    """
    logits = (query / math.sqrt(query.shape[-1]) @ key.transpose(-2, -1)).float()
    if bias is not None:
        logits = logits + bias
    # the lowest number, not -inf: a row without valid keys would become NaN, and its gradient with it
    logits = logits.masked_fill(~mask[:, None, None], torch.finfo(logits.dtype).min)
    seen: Tensor = logits.softmax(dim=-1).to(value.dtype) @ value  # batch heads queries size
    return seen.transpose(1, 2)
