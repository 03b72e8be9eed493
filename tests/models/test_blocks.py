"""Masked sequences, locked dropout, initial weights, and the norm for a batch of one."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from emo_ray.models.blocks import (
    BothWaysLstm,
    LockedDropout,
    Readout,
    RowSafeBatchNorm,
    SequenceLstm,
    TokenPool,
    backwards,
    count_weights,
    dense_tower,
    last_valid_state,
    masked_mean,
    valid_first,
)

MASK = torch.tensor([[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.bool)


def lstm(seed=0, **changes):
    torch.manual_seed(seed)
    settings = {"dropout": 0.0, "recurrent_dropout": 0.0, "keras_biases": False} | changes
    return SequenceLstm(3, 4, **settings)


def test_masked_mean_counts_valid_tokens_only():
    x = torch.tensor([[[1.0], [3.0], [100.0]], [[7.0], [7.0], [7.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(x, mask).tolist() == [[2.0], [0.0]]


def test_last_valid_state_skips_the_tail_and_zeroes_empty_rows():
    states = torch.arange(12.0).reshape(3, 4, 1)  # rows 0-3, 4-7, 8-11
    mask = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.bool)
    assert last_valid_state(states, mask).tolist() == [[1.0], [6.0], [0.0]]


def test_a_row_without_tokens_sends_no_gradient_back():
    states = torch.randn(2, 3, 2, requires_grad=True)
    mask = torch.tensor([[True, True, True], [False, False, False]])
    last_valid_state(states, mask).sum().backward()
    assert not states.grad[1].any()
    assert states.grad[0, 2].tolist() == [1.0, 1.0]


def test_valid_tokens_come_first_in_their_order():
    x = torch.arange(1.0, 17.0).reshape(4, 4, 1)  # rows 1-4, 5-8, 9-12, 13-16
    x[1, 0] = float("nan")
    moved, mask = valid_first(x, MASK)
    assert moved[..., 0].tolist() == [[1, 2, 3, 4], [6, 8, 0, 0], [11, 0, 0, 0], [0, 0, 0, 0]]
    assert mask.sum(dim=1).tolist() == [4, 2, 1, 0]


def test_valid_tokens_are_turned_around_and_back():
    x, mask = valid_first(torch.arange(1.0, 17.0).reshape(4, 4, 1), MASK)
    turned = backwards(x, mask)
    assert turned[..., 0].tolist() == [[4, 3, 2, 1], [8, 6, 0, 0], [11, 0, 0, 0], [0, 0, 0, 0]]
    assert torch.equal(backwards(turned, mask), x)


def test_both_ways_are_those_of_the_packed_lstm_of_torch():
    layer = BothWaysLstm(lstm(), lstm(seed=1))
    theirs = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    theirs.load_state_dict({
        **layer.ahead.cell.state_dict(),
        **{f"{name}_reverse": weight for name, weight in layer.back.cell.state_dict().items()},
    })  # fmt: skip
    x, mask = valid_first(torch.randn(3, 4, 3), MASK[:3])
    packed = nn.utils.rnn.pack_padded_sequence(x, mask.sum(dim=1), batch_first=True, enforce_sorted=False)
    states, (last, _) = theirs(packed)
    padded, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    ours = layer(x, mask)
    assert_close(ours.masked_fill(~mask[..., None], 0.0), padded)
    assert_close(TokenPool("last", 8, bidirectional=True)(ours, mask), torch.cat([last[0], last[1]], dim=1))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pool", ["last", "mean", "attention"])
def test_a_row_without_tokens_is_pooled_to_zeros_and_stays_finite(pool, bidirectional):
    states = torch.randn(4, 4, 6, requires_grad=True)
    pooled = TokenPool(pool, 6, bidirectional=bidirectional)(states, valid_first(states, MASK)[1])
    pooled.square().sum().backward()
    assert not pooled[3].any()
    assert pooled[:3].all()
    assert states.grad.isfinite().all()
    assert not states.grad[3].any()


def test_attention_is_a_softmax_over_the_valid_tokens():
    pool = TokenPool("attention", 2, bidirectional=False)
    pool.score.weight.data[:] = torch.tensor([[1.0, 0.0]])
    states = torch.tensor([[[0.0, 3.0], [2.0**0.5, 5.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    share = 1 / (1 + math.exp(2**0.5))  # of the first token
    assert_close(pool(states, mask)[0, 1], torch.tensor(3 * share + 5 * (1 - share)))


def test_attention_of_equal_scores_is_the_mean():
    pool, (states, mask) = (
        TokenPool("attention", 6, bidirectional=False),
        valid_first(torch.randn(4, 4, 6), MASK),
    )
    pool.score.weight.data.zero_()
    assert_close(pool(states, mask), masked_mean(states, mask))


def test_locked_dropout_drops_the_same_features_at_all_tokens():
    torch.manual_seed(0)
    dropped = LockedDropout(0.5).train()(torch.ones(20, 6, 8))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


def test_locked_dropout_is_silent_in_eval_mode():
    x = torch.randn(2, 3, 4)
    assert torch.equal(LockedDropout(0.5).eval()(x), x)


def test_lstm_starts_as_in_keras():
    cell = lstm().cell
    assert cell.bias_ih_l0.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
    assert not cell.bias_hh_l0.any()
    assert_close(cell.weight_hh_l0.T @ cell.weight_hh_l0, torch.eye(4))
    assert cell.weight_ih_l0.abs().max() <= (6 / (3 + 16)) ** 0.5  # Glorot: 3 inputs, 4 gates of 4


def test_token_by_token_path_equals_the_fused_kernel():
    layer, x = lstm(), torch.randn(2, 5, 3)
    assert_close(layer._token_by_token(x), layer(x))


def test_recurrent_dropout_acts_in_train_mode_only():
    layer, x = lstm(recurrent_dropout=0.5), torch.randn(8, 5, 3)
    assert not torch.equal(layer.train()(x), layer.eval()(x))
    assert torch.equal(layer.eval()(x), lstm()(x))


def test_keras_biases_leave_one_bias_a_gate():
    # 4 gates of 4 units: 16 * (3 inputs + 4 states + 1 or 2 biases)
    assert (count_weights(lstm(keras_biases=True)), count_weights(lstm())) == (128, 144)


def test_batch_norm_of_one_row_uses_the_running_statistics():
    norm = RowSafeBatchNorm(2, eps=1e-3, momentum=0.01).train()
    norm.running_mean[:] = torch.tensor([1.0, 2.0])
    expected = (torch.tensor([[3.0, 2.0]]) - norm.running_mean) / (1 + 1e-3) ** 0.5
    assert_close(norm(torch.tensor([[3.0, 2.0]])), expected)
    assert norm.running_mean.tolist() == [1.0, 2.0]


def test_batch_norm_of_two_rows_is_the_usual_one():
    out = RowSafeBatchNorm(1, eps=1e-12).train()(torch.tensor([[1.0], [3.0]]))
    assert_close(out, torch.tensor([[-1.0], [1.0]]))


@pytest.mark.parametrize(("norm", "kind"), [("bn", "RowSafeBatchNorm"), ("ln", "LayerNorm"), (None, None)])
def test_only_the_first_dense_layer_is_normed(norm, kind):
    names = [type(layer).__name__ for layer in dense_tower(5, (4, 3), (0.1, 0.2), norm)]
    first = ["Linear", "ReLU"] + ([kind] if kind else []) + ["Dropout"]
    assert names == [*first, "Linear", "ReLU", "Dropout"]


def test_readout_names_its_heads_in_order():
    readout = Readout(2, {"emotion": 2, "valence": 1})
    with torch.no_grad():
        readout.linear.weight[:] = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    out = readout(torch.tensor([[3.0, 4.0]]))
    assert (out["emotion"].tolist(), out["valence"].tolist()) == ([[3.0, 4.0]], [7.0])
