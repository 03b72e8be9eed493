"""The published row network: what its memory holds, and how much of it never learns."""

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load, save
from torch.testing import assert_close

from emo_ray.models.base import SegmentShape
from emo_ray.models.blocks import count_weights
from emo_ray.models.phy_fusionnet_row import (
    ChannelAndPlaceAttention,
    PhyFusionNetRowConfig,
    RowBlock,
    RowMemory,
)

SHAPE = SegmentShape(tokens={"eeg": (3, 4), "ecg": (2, 1)}, heads={"emotion": 3})
SMALL = PhyFusionNetRowConfig(width=16, memory_width=8, heads=2, dropout=0.0)


def build(config=SMALL, shape=SHAPE, seed=0):
    torch.manual_seed(seed)
    return config.build(shape)


def inputs(n_rows, shape=SHAPE, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = {name: torch.randn(n_rows, *size, generator=generator) for name, size in shape.tokens.items()}
    return x, {name: torch.ones(n_rows, size[0], dtype=torch.bool) for name, size in shape.tokens.items()}


def memory(keep_full=False):
    """A memory whose entry is the first unit of a row, and 0 below 0."""
    made = RowMemory(4, 1, 2, keep_full=keep_full)
    torch.nn.init.zeros_(made.encoder.weight)
    torch.nn.init.zeros_(made.encoder.bias)
    made.encoder.weight.data[0, 0, 1] = 1.0  # the tap in the middle
    return made


def rows(first, count):
    """Rows numbered from `first`."""
    return torch.arange(first, first + count, dtype=torch.float32)[:, None].expand(count, 4)


def held(made):
    return made.bank[:, 0].tolist()


def test_the_memory_fills_up_batch_by_batch():
    made = memory()
    made.write(rows(1, 8))
    made.write(rows(11, 4))
    assert held(made) == [*range(1, 9), *range(11, 15), *[0] * 8]
    assert (int(made.position), bool(made.full)) == (12, False)


def test_rows_that_do_not_fit_are_dropped_and_the_next_come_first():
    made = memory()
    made.write(rows(1, 18))
    made.write(rows(31, 5))
    made.write(rows(51, 2))
    assert held(made) == [51, 52, *range(3, 19), 31, 32]
    assert (int(made.position), bool(made.full)) == (2, True)


def test_a_batch_of_twenty_or_more_replaces_all_by_its_first_twenty():
    made = memory()
    made.write(rows(1, 30))
    made.write(rows(101, 25))
    assert held(made) == list(range(101, 121))
    assert (int(made.position), bool(made.full)) == (0, True)


def test_an_empty_memory_adds_nothing():
    assert not memory().read(torch.randn(3, 1, 4)).any()


def test_only_filled_slots_are_read():
    made, x = memory(), torch.randn(3, 1, 4)
    made.write(rows(1, 7))
    before = made.read(x)
    made.bank[7:] = 99.0
    assert torch.equal(made.read(x), before)
    made.bank[6] = 99.0
    assert not torch.equal(made.read(x), before)


def test_predictions_depend_on_the_last_training_batch_and_not_on_the_tested_one():
    model, (x, mask) = build(), inputs(5)
    before = model.eval()(x, mask)["emotion"]
    assert torch.equal(model(x, mask)["emotion"], before)  # frozen
    model.train()(*inputs(24, seed=2))
    assert not torch.allclose(model.eval()(x, mask)["emotion"], before)


def test_loaded_weights_run_without_the_memory_as_published():
    model, other, (x, mask) = build(), build(seed=1), inputs(5)
    model.train()(*inputs(24, seed=2))
    other.load_state_dict(load(save(model.state_dict())))
    assert not torch.allclose(other.eval()(x, mask)["emotion"], model.eval()(x, mask)["emotion"])
    model.memory.full.fill_(False)
    assert torch.equal(other(x, mask)["emotion"], model(x, mask)["emotion"])


def test_loaded_weights_keep_the_memory_on_request():
    config = SMALL.model_copy(update={"keep_full": True})
    model, other, (x, mask) = build(config), build(config, seed=1), inputs(5)
    model.train()(*inputs(24, seed=2))
    other.load_state_dict(load(save(model.state_dict())))
    assert torch.equal(other.eval()(x, mask)["emotion"], model.eval()(x, mask)["emotion"])


def test_82317_of_358682_weights_are_dead():
    shape = SegmentShape(tokens={"all": (1, 195)}, heads={"emotion": 7})
    model = build(PhyFusionNetRowConfig(dropout=0.0), shape).train()
    for step in range(2):
        outputs = model(*inputs(64, shape, seed=step))
    outputs["emotion"].square().sum().backward()
    gradients = {name: w.grad for name, w in model.named_parameters() if w.numel()}
    without = {name: w.numel() for name, w in model.named_parameters() if gradients[name] is None}
    taps = gradients["attention.place.weight"]
    assert without == {
        "gamma": 1,
        "memory.encoder.weight": 49_152,
        "memory.encoder.bias": 128,
        "blocks.0.query_key.weight": 32_768,
        "blocks.0.query_key.bias": 256,
    }
    assert taps[0].ne(0).nonzero()[:, 1].tolist() == [3, 3]  # the middle one of 7, of mean and of maximum
    assert sum(without.values()) + int((taps == 0).sum()) == 82_317
    assert count_weights(model) == 358_682


def test_a_row_is_the_mean_of_valid_tokens_modality_by_modality():
    model, (x, mask) = build().eval(), inputs(2)
    mask["eeg"][0, 1] = False
    row = {
        "eeg": x["eeg"][:1, [0, 2]].mean(dim=1, keepdim=True),
        "ecg": x["ecg"][:1].mean(dim=1, keepdim=True),
    }
    one = {name: torch.ones(1, 1, dtype=torch.bool) for name in x}
    assert_close(model(x, mask)["emotion"][:1], model(row, one)["emotion"])


def test_a_block_is_attention_over_one_token_with_gated_heads():
    torch.manual_seed(0)
    block, x = RowBlock(8, 2, 0.0), torch.randn(3, 8)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.in_proj_weight.data = torch.cat([block.query_key.weight, block.value.weight])
    theirs.in_proj_bias.data = torch.cat([block.query_key.bias, block.value.bias])
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = torch.eye(8), torch.zeros(8)
    normed = block.attention_norm(x)
    heads = theirs(normed[:, None], normed[:, None], normed[:, None])[0].squeeze(1)
    gates = block.gate(normed).softmax(dim=1).repeat_interleave(4, dim=1)
    attended = x + block.out(gates * heads)
    assert_close(block(x), attended + block.dense(block.dense_norm(attended)))


def test_channel_and_place_attention_of_one_token_by_hand():
    module, x = ChannelAndPlaceAttention(16), torch.full((1, 16), 2.0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(0.25)
    # 16 units of 2 at 0.25 are 8; at 0.25 again 2; twice that, in a sigmoid; then (mean + maximum) / 4
    channel = torch.tensor(4.0).sigmoid() * 2
    assert_close(module(x), (channel * (channel / 2).sigmoid()).expand(1, 16))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValidationError, match="5 heads do not divide a width of 128: take a width of 130"):
        PhyFusionNetRowConfig(heads=5)
