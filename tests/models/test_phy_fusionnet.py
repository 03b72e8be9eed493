"""Phy-FusionNet as a whole: its parts in numbers, streams, absent modalities, half precision, settings."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load, save
from torch.testing import assert_close

from emo_ray.models.base import RowFacts, SegmentShape
from emo_ray.models.blocks import count_weights
from emo_ray.models.phy_fusionnet import FusionLayer, PhyFusionNetConfig

SHAPE = SegmentShape(tokens={"eeg": (6, 5), "ecg": (4, 2), "eda": (6, 1)}, heads={"emotion": 3})
SMALL = PhyFusionNetConfig(width=16, heads=4, layers=1, dropout=0.0)
STREAM = SMALL.model_copy(update={"memory": "stream", "memory_width": 8, "memory_slots": 2})


def build(config=SMALL, shape=SHAPE, seed=0):
    torch.manual_seed(seed)
    return config.build(shape)


def inputs(n_rows, shape=SHAPE, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = {name: torch.randn(n_rows, *size, generator=generator) for name, size in shape.tokens.items()}
    return x, {name: torch.ones(n_rows, size[0], dtype=torch.bool) for name, size in shape.tokens.items()}


def state_of(outputs):
    return {name.removeprefix("state/"): v for name, v in outputs.items() if name.startswith("state/")}


def streamed(model, n_steps, n_rows=3, reset_at=None):
    """Outputs of the last of so many segments; at one of them the second row starts anew."""
    state = None
    for step in range(n_steps):
        reset = torch.tensor([step == reset_at and row == 1 for row in range(n_rows)])
        outputs = model(*inputs(n_rows, seed=step), RowFacts(torch.arange(n_rows), state, reset))
        state = state_of(outputs)
    return outputs


def test_its_parts_have_the_numbers_of_weights_of_its_specification():
    model = PhyFusionNetConfig(memory="stream").build(SHAPE)
    binding = model.binding
    pooling = sum(count_weights(part) for part in (binding.query, binding.key_value, binding.out))
    parts = (model.layers, model.layers[0], model.memory, model.fusion, model.positions)
    assert [count_weights(part) for part in parts] == [399_120, 199_560, 115_969, 396_544, 4_112]
    assert pooling == 66_048


def test_without_a_memory_it_has_no_weights_of_one():
    without, with_memory = PhyFusionNetConfig().build(SHAPE), PhyFusionNetConfig(memory="stream").build(SHAPE)
    assert count_weights(with_memory) - count_weights(without) == 115_969
    assert (without.streams, with_memory.streams) == (False, True)


def test_every_weight_learns_after_two_steps_of_a_stream():
    model = build(STREAM.model_copy(update={"binding_weight": 0.0})).train()
    outputs = streamed(model, 3)
    outputs["emotion"].square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


def test_what_came_earlier_changes_what_is_said_now():
    model = build(STREAM).eval()
    x, mask = inputs(3, seed=2)
    assert not torch.equal(streamed(model, 3)["emotion"], model(x, mask)["emotion"])


def test_a_reset_row_is_as_at_the_start_and_leaves_the_others_bitwise_alone():
    model = build(STREAM).eval()
    undisturbed, disturbed = streamed(model, 5), streamed(model, 5, reset_at=4)
    others = [0, 2]
    for name, tensor in disturbed.items():
        assert torch.equal(tensor[others], undisturbed[name][others]), name
    fresh = model(*inputs(3, seed=4))
    assert_close(disturbed["emotion"][1], fresh["emotion"][1])
    assert not torch.equal(undisturbed["emotion"][1], fresh["emotion"][1])


def test_a_saved_state_goes_on_as_if_it_had_not_been():
    model = build(STREAM).eval()
    state, facts = state_of(streamed(model, 4)), torch.arange(3)
    x, mask = inputs(3, seed=9)
    after = model(x, mask, RowFacts(facts, load(save(state))))
    before = model(x, mask, RowFacts(facts, state))
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_what_is_written_is_the_mean_over_all_valid_tokens():
    model, (x, mask) = build(STREAM).eval(), inputs(2)
    mask["eeg"][0, 3:] = False
    tokens, valid = model.tokens(x, mask)
    encoded, _, state = model._encode(tokens, valid, None)
    kept = torch.cat([encoded[0, 0, :3], encoded[0, 1, :4], encoded[0, 2]])
    assert_close(state.queue[0, -1], kept.mean(dim=0))


def test_a_long_stream_stays_finite():
    outputs = streamed(build(STREAM).train(), 25)
    assert all(tensor.isfinite().all() for tensor in outputs.values())
    assert outputs["state/slow_valid"].all()


def test_a_shorter_grid_is_one_that_ends_in_invalid_tokens():
    model, longer = build(), build(shape=replace(SHAPE, tokens={**SHAPE.tokens, "ecg": (6, 2)}))
    x, mask = inputs(3)
    padded = x | {"ecg": torch.nn.functional.pad(x["ecg"], (0, 0, 0, 2), value=7.0)}
    padded_mask = mask | {"ecg": torch.nn.functional.pad(mask["ecg"], (0, 2))}
    assert_close(model.eval()(x, mask), longer.eval()(padded, padded_mask))


def test_an_absent_modality_says_nothing():
    model, (x, mask) = build(), inputs(2)
    mask["ecg"][0] = False
    before = model.eval()(x, mask)["emotion"]
    with torch.no_grad():
        model.tokens.projections[1].bias += 1.0  # of the ecg
        model.tokens.marks[1] += 1.0
    after = model(x, mask)["emotion"]
    assert torch.equal(after[0], before[0])
    assert not torch.equal(after[1], before[1])


def test_a_modality_of_one_feature_is_heard():
    model, (x, mask) = build(), inputs(2)
    before = model.eval()(x, mask)["emotion"]
    assert not torch.equal(model(x | {"eda": 2 * x["eda"]}, mask)["emotion"], before)


def test_a_fusion_layer_for_one_answer_is_the_first_of_all_answers():
    torch.manual_seed(0)
    layer, x = FusionLayer(8, 2, 0.0), torch.randn(3, 5, 8)
    mask = torch.tensor([[True] * 5, [True, False, True, False, True], [True] + [False] * 4])
    assert_close(layer(x, mask, n_answers=1), layer(x, mask, n_answers=5)[:, :1])


def test_a_fusion_layer_is_torchs_pre_norm_layer():
    torch.manual_seed(0)
    layer, x = FusionLayer(8, 2, 0.0), torch.randn(3, 5, 8)
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs.self_attn.in_proj_weight.data = torch.cat([layer.query.weight, layer.key_value.weight])
    theirs.self_attn.in_proj_bias.data = torch.cat([layer.query.bias, layer.key_value.bias])
    theirs.self_attn.out_proj, theirs.linear1, theirs.linear2 = layer.out, layer.dense[0], layer.dense[2]
    mask = torch.tensor([[True] * 5, [True, False, True, False, True], [True] + [False] * 4])
    assert_close(layer(x, mask, n_answers=5), theirs(x, src_key_padding_mask=~mask))


def test_it_computes_in_half_precision():
    model, (x, mask) = build(STREAM).train(), inputs(4)
    mask["eeg"][0] = False
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first = model(x, mask)
        outputs = model(x, mask, RowFacts(torch.arange(4), state_of(first)))
    assert all(tensor.isfinite().all() for tensor in outputs.values())
    assert outputs["state/queue"].dtype == outputs["aux/balance"].dtype == torch.float32


def test_rows_of_one_trial_are_told_by_the_facts():
    model, (x, mask) = build().train(), inputs(4)
    alone = model(x, mask)["aux/binding"]
    assert torch.equal(model(x, mask, RowFacts(torch.arange(4)))["aux/binding"], alone)
    assert model(x, mask, RowFacts(torch.zeros(4, dtype=torch.int64)))["aux/binding"] == 0


def test_losses_of_its_own_come_with_training_and_with_a_weight():
    model, (x, mask) = build(SMALL.model_copy(update={"binding_weight": 0.0})), inputs(4)
    assert model.aux_weights == {"balance": 0.01, "orthogonality": 0.01}
    assert {name for name in model.train()(x, mask) if "/" in name} == {"aux/balance", "aux/orthogonality"}
    assert not any("/" in name for name in model.eval()(x, mask))


@pytest.mark.parametrize(
    ("heads", "shared", "active", "mix"),
    [(8, 0.25, 0.75, (2, 4)), (4, 0.25, 0.75, (1, 2)), (4, 0.5, 0.5, (2, 2)), (8, 0.0, 1.0, (0, 8))],
)
def test_shares_of_heads_become_numbers_and_never_starve_the_router(heads, shared, active, mix):
    made = PhyFusionNetConfig(heads=heads, shared_frac=shared, active_frac=active).head_mix()
    assert (made.n_shared, made.top_k) == mix


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"width": 100, "heads": 8}, "8 heads do not divide a width of 100: take heads=10"),
        ({"heads": 4, "shared_frac": 0.8}, "2 of 1 routed heads"),
        ({"heads": 4, "shared_frac": 0.9}, "all 4 heads are shared"),
    ],
)
def test_heads_that_do_not_fit_are_refused(settings, problem):
    with pytest.raises(ValidationError, match=problem):
        PhyFusionNetConfig(**settings)
