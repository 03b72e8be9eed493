"""Batch norm that leaves invalid positions out: the second way is torch's, over the valid ones."""

import torch
from torch import nn
from torch.testing import assert_close

from emo_ray.models.masked_norm import MaskedBatchNorm, gaps


def states_and_gaps(*lengths):
    generator = torch.Generator().manual_seed(3)
    x = 4 + 2 * torch.randn(len(lengths), 3, max(lengths), generator=generator)
    valid = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return x, valid[:, None]


def packed(x, valid):
    return x.transpose(1, 2)[valid[:, 0]]  # valid units


def test_valid_positions_come_out_as_if_there_were_no_others():
    x, valid = states_and_gaps(5, 2, 1)
    ours, torchs = MaskedBatchNorm(3), nn.BatchNorm1d(3)
    assert_close(packed(ours(x, valid), valid), torchs(packed(x, valid)))
    assert_close(dict(ours.named_buffers()), dict(torchs.named_buffers()))


def test_gradients_are_as_if_there_were_no_other_positions():
    x, valid = states_and_gaps(5, 2, 1)
    ours, torchs, seen = MaskedBatchNorm(3), nn.BatchNorm1d(3), packed(x, valid).requires_grad_()
    x.requires_grad_()
    (packed(ours(x, valid), valid) ** 3).sum().backward()
    (torchs(seen) ** 3).sum().backward()
    assert_close(packed(x.grad, valid), seen.grad, atol=1e-5, rtol=1e-4)
    assert_close(ours.weight.grad, torchs.weight.grad)
    assert not x.grad.transpose(1, 2)[~valid[:, 0]].any()


def test_without_a_mask_it_is_the_norm_of_torch():
    x, _ = states_and_gaps(5, 5)
    ours, torchs = MaskedBatchNorm(3), nn.BatchNorm1d(3)
    assert torch.equal(ours(x), torchs(x))
    assert_close(dict(ours.named_buffers()), dict(torchs.named_buffers()))
    assert torch.equal(ours.eval()(x), torchs.eval()(x))


def test_the_mask_spreads_over_further_axes():
    x, valid = states_and_gaps(4, 2)
    channels = torch.stack([x, x + 1], dim=2)  # batch units channels steps
    flat, both = channels.flatten(2), valid.repeat(1, 1, 2)
    spread = MaskedBatchNorm(3)(channels, valid[:, None])
    assert_close(spread.flatten(2), MaskedBatchNorm(3)(flat, both))


def test_one_valid_position_is_normed_by_the_running_statistics_which_stay():
    x, valid = states_and_gaps(1)
    for mask in (valid, None, torch.zeros_like(valid)):
        norm = MaskedBatchNorm(3, eps=0.0)
        norm.running_mean.fill_(2.0)
        norm.running_var.fill_(4.0)
        assert_close(norm(x, mask), (x - 2) / 2)
        assert norm.running_mean.eq(2).all()
        assert norm.running_var.eq(4).all()
        assert norm.num_batches_tracked == 0


def test_a_mask_without_gaps_is_none():
    valid = torch.ones(2, 1, 3, dtype=torch.bool)
    assert gaps(valid) is None
    valid[1, 0, 2] = False
    assert gaps(valid) is valid
