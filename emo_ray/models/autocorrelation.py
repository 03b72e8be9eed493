"""How much a sequence of vectors is like itself some tokens later."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from emo_ray.models.blocks import masked_mean

SILENCE = 1e-6
"""Least energy that is divided by; a sequence with less (constant, silent) gets values near 0."""


def autocorrelation(
    x: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens"]:
    """Autocorrelation over the valid tokens, summed over the width, at the lags 0, 1, ...; 1 at lag 0, and 0
    at all lags where the sequence is constant.

    By the theorem of Wiener and Khinchin: the spectrum of the autocorrelation is the power of the sequence.
    Twice the length, in zeros, keeps the end of the sequence from meeting its beginning.
    """
    x = x.float()  # transforms in half precision exist for few lengths only
    centred = (x - masked_mean(x, mask)[:, None]).masked_fill(~mask[..., None], 0.0)
    n_tokens = x.shape[1]
    spectrum = torch.fft.rfft(centred.transpose(1, 2), n=2 * n_tokens)  # batch width frequencies
    power = (spectrum.real.square() + spectrum.imag.square()).sum(dim=1)
    by_lag = torch.fft.irfft(power, n=2 * n_tokens)[:, :n_tokens]
    relative: Tensor = by_lag / by_lag[:, :1].clamp_min(SILENCE)
    return relative


def between_tokens(by_lag: Float[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens tokens"]:
    """The value at lag ``|i - j|`` for every pair of tokens."""
    n_rows, n_tokens = by_lag.shape
    positions = torch.arange(n_tokens, device=by_lag.device)
    lags = (positions[:, None] - positions).abs()
    return by_lag.index_select(1, lags.flatten()).view(n_rows, n_tokens, n_tokens)
