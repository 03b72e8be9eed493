"""Autocorrelation against sums written out, and what it makes of silence."""

import pytest
import torch
from torch.testing import assert_close

from emo_ray.models.autocorrelation import autocorrelation, between_tokens


def summed(x, mask):
    """One row by loops: products of valid tokens at every distance."""
    n_tokens = len(x)
    centred = torch.where(mask[:, None], x - x[mask].mean(dim=0), 0.0)
    by_lag = [sum(centred[i] @ centred[i + lag] for i in range(n_tokens - lag)) for lag in range(n_tokens)]
    return torch.stack(by_lag) / by_lag[0]


def test_it_is_the_sum_of_products_at_every_lag():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 7, 3, generator=generator)
    mask = torch.tensor([[True] * 7, [True, True, False, True, False, True, True]])
    rho = autocorrelation(x, mask)
    for row in range(2):
        assert_close(rho[row], summed(x[row], mask[row]), atol=1e-5, rtol=0)


def test_what_repeats_is_seen_at_its_period():
    x = torch.tensor([1.0, 0.0, -1.0, 0.0]).repeat(5)[None, :, None]  # period 4, 20 tokens
    rho = autocorrelation(x, torch.ones(1, 20, dtype=torch.bool))[0]
    # 10 squares of 1; at lag 4 two of them have no partner, at lag 2 one has none and all signs differ
    assert_close(rho[[0, 1, 2, 4]], torch.tensor([1.0, 0.0, -0.9, 0.8]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("n_tokens", [1, 2, 20])
def test_what_is_constant_or_silent_has_none_and_a_finite_gradient(n_tokens):
    x = torch.tensor([3.0, 0.0])[:, None, None].expand(2, n_tokens, 4).clone().requires_grad_()
    mask = torch.tensor([True, False])[:, None].expand(2, n_tokens)
    rho = autocorrelation(x, mask)
    rho.sum().backward()
    assert_close(rho, torch.zeros(2, n_tokens), atol=1e-4, rtol=0)
    assert x.grad.isfinite().all()


def test_pairs_of_tokens_have_the_value_of_their_distance():
    pairs = between_tokens(torch.tensor([[1.0, 0.5, -0.25]]))
    assert pairs.tolist() == [[[1.0, 0.5, -0.25], [0.5, 1.0, 0.5], [-0.25, 0.5, 1.0]]]
