"""Routing of heads: which are at work, with which weights, and the attention that they make together."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from emo_ray.models.mixture_of_heads import HeadMix, HeadRouter, MixtureOfHeads, Routing, balance_loss

WIDTH = 12


def tokens(n_rows=3, n_tokens=5, seed=0):
    return torch.randn(n_rows, n_tokens, WIDTH, generator=torch.Generator().manual_seed(seed))


def router(n_heads, n_shared, top_k, seed=0):
    torch.manual_seed(seed)
    return HeadRouter(WIDTH, HeadMix(n_heads, n_shared, top_k))


def no_lags(x):
    return torch.zeros(len(x), x.shape[1], x.shape[1])


def uniform(chosen):
    chosen = torch.tensor(chosen)[None]  # 1 tokens routed
    return Routing(torch.ones(1, len(chosen[0]), 6), torch.full(chosen.shape, 1 / chosen.shape[2]), chosen)


@pytest.mark.parametrize(("n_heads", "n_shared", "top_k"), [(8, 2, 4), (4, 1, 2), (4, 0, 3), (8, 4, 4)])
def test_exactly_k_routed_heads_are_at_work_at_every_token(n_heads, n_shared, top_k):
    routing = router(n_heads, n_shared, top_k)(tokens(20, 9))
    routed = routing.gates[..., n_shared:]
    assert ((routed != 0).sum(dim=-1) == top_k).all()
    assert torch.equal(routed != 0, routing.chosen)
    assert (routing.gates[..., :n_shared] > 0).all()


def test_equal_scores_choose_exactly_k_heads_too():
    model = router(8, 2, 4)
    nn.init.zeros_(model.scores.weight)
    gates = model(tokens()).gates
    assert ((gates[..., 2:] != 0).sum(dim=-1) == 4).all()
    assert_close(gates[..., :2], torch.ones(3, 5, 2))  # softmax of 2, times 2 heads, times 1 = 2 x half


def test_chosen_heads_are_those_with_the_highest_scores():
    model, x = router(8, 2, 4), tokens()
    scores = (x @ model.scores.weight.T)[..., 2:8]
    lowest_chosen = scores.masked_fill(~model(x).chosen, math.inf).amin(dim=-1)
    highest_other = scores.masked_fill(model(x).chosen, -math.inf).amax(dim=-1)
    assert (lowest_chosen > highest_other).all()


def test_gates_of_a_group_sum_to_its_size_times_its_weight():
    model, x = router(8, 2, 4), tokens()
    gates = model(x).gates
    group = 2 * (x @ model.scores.weight.T)[..., 8:].softmax(dim=-1)  # shared against routed
    assert_close(gates[..., :2].sum(dim=-1), 2 * group[..., 0])
    assert_close(gates[..., 2:].sum(dim=-1), 4 * group[..., 1])


def test_a_gate_by_hand():
    model, x = router(3, 1, 2), torch.eye(WIDTH)[None, :1]
    with torch.no_grad():
        # columns of the first unit: two routed scores, then shared against routed
        model.scores.weight[:, 0] = torch.tensor([math.log(3), 0.0, 0.0, math.log(4)])
    gates = model(x).gates[0, 0]
    # groups weigh 2/5 and 8/5; of 2 routed heads, at 3/4 and 1/4, both are kept, times 2
    assert_close(gates, torch.tensor([0.4, 1.6 * 2 * 0.75, 1.6 * 2 * 0.25]))


def test_balance_is_one_where_all_heads_are_used_alike():
    assert_close(
        balance_loss(
            uniform([[True, True, False], [True, False, True], [False, True, True]]), torch.ones(1, 3) > 0
        ),
        torch.tensor(1.0),
    )


def test_balance_is_higher_where_likely_heads_are_chosen():
    chosen = torch.tensor([[[True, True, False]]])
    routing = Routing(torch.ones(1, 1, 3), torch.tensor([[[0.5, 0.4, 0.1]]]), chosen)
    assert_close(balance_loss(routing, torch.ones(1, 1) > 0), torch.tensor(3 / 2 * 0.9))  # R / K sum(P f)


def test_balance_does_not_look_at_invalid_tokens():
    model, x = router(8, 2, 4), tokens(1, 6)
    mask = torch.tensor([[True, True, False, True, False, False]])
    assert_close(balance_loss(model(x), mask), balance_loss(model(x[:, mask[0]]), mask[:, mask[0]]))
    assert balance_loss(model(x), torch.zeros(1, 6) > 0) == 0


def test_with_all_heads_shared_alike_it_is_torchs_attention():
    model, x = MixtureOfHeads(WIDTH, HeadMix(4, 4, 0)), tokens()
    nn.init.zeros_(model.router.scores.weight)  # softmax over 4 heads times 4 is 1
    theirs = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
    theirs.in_proj_weight, theirs.in_proj_bias = model.query_key_value.weight, model.query_key_value.bias
    theirs.out_proj = model.out
    mask = torch.rand(3, 5, generator=torch.Generator().manual_seed(0)) < 0.7
    mask[:, 0] = True
    expected, _ = theirs(x, x, x, key_padding_mask=~mask)
    assert_close(model(x, mask, no_lags(x))[0], expected)


def test_a_gate_weighs_the_output_of_its_head():
    torch.manual_seed(0)
    model, x = MixtureOfHeads(WIDTH, HeadMix(4, 4, 0)), tokens()
    mask = torch.ones(3, 5) > 0
    gates = 4 * (x @ model.router.scores.weight.T).softmax(dim=-1)
    query, key, value = (part.view(3, 5, 4, 3) for part in model.query_key_value(x).chunk(3, dim=-1))
    heads = [
        gates[..., h, None]
        * ((query[:, :, h] @ key[:, :, h].transpose(1, 2) / math.sqrt(3)).softmax(dim=-1) @ value[:, :, h])
        for h in range(4)
    ]
    assert_close(model(x, mask, no_lags(x))[0], model.out(torch.cat(heads, dim=-1)))


def test_a_lag_at_which_the_sequence_repeats_draws_a_head_to_it():
    model, x = MixtureOfHeads(WIDTH, HeadMix(2, 2, 0)), tokens(1, 3)
    nn.init.zeros_(model.query_key_value.weight)
    nn.init.zeros_(model.router.scores.weight)
    with torch.no_grad():
        model.query_key_value.weight[2 * WIDTH :] = torch.eye(WIDTH)  # no queries or keys; values are tokens
        model.out.weight.copy_(torch.eye(WIDTH))
        model.lag_weight.copy_(torch.tensor([0.0, math.log(2)]))
    rho = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]])
    out = model(x, torch.ones(1, 3) > 0, rho)[0][0, 0]
    assert_close(out[:6], x[0, :, :6].mean(dim=0))
    assert_close(out[6:], torch.tensor([0.4, 0.2, 0.4]) @ x[0, :, 6:])


@pytest.mark.parametrize(
    ("mix", "problem"),
    [
        ((8, 9, 0), "9 of 8 heads can not be shared"),
        ((8, 2, 1), "needs 2 or more"),
        ((8, 6, 4), "4 of 2 routed"),
        ((8, 8, 2), "all 8 heads are shared"),
    ],
)
def test_a_mix_that_can_not_be_routed_is_refused(mix, problem):
    with pytest.raises(ValueError, match=problem):
        HeadMix(*mix)


def test_gates_are_the_same_in_half_precision():
    model, x = router(8, 2, 4), tokens()
    expected = model(x).gates
    with torch.autocast("cpu", dtype=torch.bfloat16):
        gates = model(x).gates
    assert gates.dtype == torch.float32
    assert torch.equal(gates, expected)
