"""What every model must do, over the registry; a new model needs a line in CONFIGS and nothing else."""

import itertools

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import load, save
from torch.testing import assert_close

from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.base import SegmentShape
from emo_ray.models.mlp import MlpConfig
from emo_ray.models.registry import MODELS, AnyModelConfig

CONFIGS = {
    "amigos_lstm": AmigosLstmConfig(),
    "amigos_lstm-batch-norm": AmigosLstmConfig(variant="maximum"),
    "amigos_lstm-layer-norm": AmigosLstmConfig(variant="maximum", norm="ln", recurrent_dropout=0.3),
    **{
        f"amigos_lstm-{pool}{'-both-ways' * both}": AmigosLstmConfig(pool=pool, bidirectional=both)
        for pool, both in itertools.product(("last", "mean", "attention"), (False, True))
    },
    "amigos_lstm-all": AmigosLstmConfig(
        variant="maximum", pool="attention", bidirectional=True, recurrent_dropout=0.3
    ),
    "mlp": MlpConfig(),
    "mlp-linear": MlpConfig(hidden=()),
}
HEADS = {"emotion": 3, "valence": 1, "transition": 1}
SHAPE = SegmentShape(tokens={"eeg": (6, 5), "ecg": (4, 2)}, heads=HEADS)

each_model = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def build(config, shape=SHAPE, seed=0):
    torch.manual_seed(seed)
    return config.build(shape)


def inputs(n_rows, shape=SHAPE, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = {name: torch.randn(n_rows, *size, generator=generator) for name, size in shape.tokens.items()}
    return x, {name: torch.ones(n_rows, size[0], dtype=torch.bool) for name, size in shape.tokens.items()}


def all_finite(outputs):
    return all(tensor.isfinite().all() for tensor in outputs.values())


def test_every_model_is_in_the_contract():
    missing = set(MODELS) - {config.kind for config in CONFIGS.values()}
    assert not missing, f"add a configuration of {missing} to CONFIGS in this file"


def test_registry_and_union_know_the_same_models():
    adapter = TypeAdapter(AnyModelConfig)
    for kind, config_class in MODELS.items():
        assert type(adapter.validate_python({"kind": kind})) is config_class


@each_model
def test_heads_have_their_shapes(config):
    outputs = build(config).eval()(*inputs(7))
    shapes = {name: tuple(tensor.shape) for name, tensor in outputs.items() if name != "emb"}
    assert shapes == {"emotion": (7, 3), "valence": (7,), "transition": (7,)}
    assert outputs["emb"].shape[0] == 7


@each_model
def test_gradient_reaches_every_weight(config):
    model = build(config).train()
    outputs = model(*inputs(64))
    sum(outputs[head].square().sum() for head in HEADS).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


@each_model
def test_same_seed_gives_the_same_output(config):
    x, mask = inputs(5)
    first, second = build(config).eval()(x, mask), build(config).eval()(x, mask)
    assert torch.equal(first["emotion"], second["emotion"])
    assert not torch.equal(first["emotion"], build(config, seed=1).eval()(x, mask)["emotion"])


@each_model
def test_weights_survive_safetensors(config):
    model, other = build(config), build(config, seed=1)
    model.train()(*inputs(16))  # moves running statistics, too
    other.load_state_dict(load(save(model.state_dict())))
    assert torch.equal(model.eval()(*inputs(4))["emotion"], other.eval()(*inputs(4))["emotion"])


@each_model
def test_a_row_does_not_depend_on_its_neighbours(config):
    model = build(config).eval()
    x, mask = inputs(9)
    mask["eeg"][4:, 3:] = False
    whole = model(x, mask)
    alone = model({m: v[2:3] for m, v in x.items()}, {m: v[2:3] for m, v in mask.items()})
    assert_close(alone["emotion"], whole["emotion"][2:3], atol=1e-6, rtol=0)


@each_model
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_a_batch_of_one_is_fine(config, train):
    assert all_finite(build(config).train(train)(*inputs(1)))


@each_model
def test_one_token_is_fine(config):
    shape = SegmentShape(tokens={"eeg": (1, 5)}, heads={"emotion": 2})
    assert build(config, shape)(*inputs(3, shape))["emotion"].shape == (3, 2)


@each_model
def test_invalid_tokens_are_not_looked_at(config):
    model, (x, mask) = build(config).eval(), inputs(3)
    mask["eeg"][:, 2] = False
    before = model(x, mask)
    x["eeg"][:, 2] = float("nan")
    assert torch.equal(model(x, mask)["emotion"], before["emotion"])


@each_model
def test_a_constant_channel_is_fine(config):
    x, mask = inputs(8)
    x["ecg"][:] = 0.0
    assert all_finite(build(config).train()(x, mask))


@each_model
@pytest.mark.parametrize("silent", [("ecg",), ("eeg", "ecg")], ids=["one-modality", "all-modalities"])
def test_silent_modalities_give_finite_outputs_and_gradients(config, silent):
    model, (x, mask) = build(config).train(), inputs(8)
    for name in silent:
        mask[name][:4] = False
        x[name][:4] = float("nan")
    outputs = model(x, mask)
    sum(outputs[head].square().sum() for head in HEADS).backward()
    assert all_finite(outputs)
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@each_model
def test_a_shape_without_modalities_is_refused(config):
    with pytest.raises(ValueError, match="needs a modality and a head"):
        config.build(SegmentShape(tokens={}, heads=HEADS))
