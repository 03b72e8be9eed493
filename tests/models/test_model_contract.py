"""What every model must do, over the registry; a new model needs its rows in `model_rows.py`, no more."""

from dataclasses import replace

import pytest
import torch
from model_rows import COUNTS, HEADS, ROWS
from pydantic import TypeAdapter
from safetensors.torch import load, save
from torch.testing import assert_close

from emo_ray.errors import ConfigError
from emo_ray.models.base import RowFacts, SegmentShape
from emo_ray.models.blocks import count_weights
from emo_ray.models.registry import MODELS, AnyModelConfig
from emo_ray.training.config import TrainingConfig

STREAM_STEPS = 3  # a memory is written in the first, read in the second, and full of both in the third
FIRST_ROWS = {row.config.kind: row for row in reversed(ROWS.values())}

each_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
each_kind = pytest.mark.parametrize("row", FIRST_ROWS.values(), ids=FIRST_ROWS.keys())


def build(row, shape=None, seed=0):
    torch.manual_seed(seed)
    return row.config.build(shape or row.shape)


def inputs(n_rows, shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = {name: torch.randn(n_rows, *size, generator=generator) for name, size in shape.tokens.items()}
    return x, {name: torch.ones(n_rows, size[0], dtype=torch.bool) for name, size in shape.tokens.items()}


def gappy_inputs(n_rows, shape):
    """Rows whose tokens are valid here and there; the first one is whole, the last one empty."""
    x, mask = inputs(n_rows, shape)
    generator = torch.Generator().manual_seed(2)
    for name, valid in mask.items():
        valid[1:] = torch.rand(n_rows - 1, valid.shape[1], generator=generator) < 0.5
        valid[-1] = False
        x[name][~valid] = 0.0
    return x, mask


def facts_of(x, **memory):
    like = next(iter(x.values()))
    return RowFacts(trial=torch.arange(len(like), device=like.device) // 2, **memory)


def rows_of(chosen, *tensors):
    return [{name: tensor[chosen] for name, tensor in by_name.items()} for by_name in tensors]


def all_finite(outputs):
    return all(tensor.isfinite().all() for tensor in outputs.values())


def loss_of(model, outputs):
    heads = sum(outputs[head].square().sum() for head in HEADS)
    return heads + sum(weight * outputs[f"aux/{name}"] for name, weight in model.aux_weights.items())


def backward_through(model, batches):
    """Outputs of the last batch; a model with a memory is handed it from batch to batch, as the loop does."""
    state = None
    for x, mask in batches:
        reset = torch.zeros_like(next(iter(x.values()))[:, 0, 0], dtype=torch.bool)
        outputs = model(x, mask, facts_of(x, state=state, reset=reset if state else None))
        loss_of(model, outputs).backward()
        state = {k.removeprefix("state/"): v.detach() for k, v in outputs.items() if k.startswith("state/")}
    return outputs


def per_row(outputs):
    return {name: tensor for name, tensor in outputs.items() if not name.startswith("aux/")}


def test_every_model_is_in_the_contract():
    missing = set(MODELS) - set(FIRST_ROWS)
    assert not missing, f"add a row of {missing} to ROWS in model_rows.py"


def test_registry_and_union_know_the_same_models():
    adapter = TypeAdapter(AnyModelConfig)
    for kind, config_class in MODELS.items():
        assert type(adapter.validate_python({"kind": kind})) is config_class


@pytest.mark.parametrize("counted", COUNTS.values(), ids=COUNTS.keys())
def test_the_number_of_weights_is_the_published_one(counted):
    assert count_weights(counted.config.build(counted.shape)) == counted.weights


@each_row
def test_a_config_survives_json(row):
    assert type(row.config).model_validate_json(row.config.model_dump_json()) == row.config


@each_kind
def test_every_searched_value_is_a_legal_one(row):
    for key, dimension in row.config.search_space().dimensions.items():
        room, _, field = key.partition(".")
        for value in dimension.examples():
            changed = TrainingConfig().model_dump() if room == "training" else row.config.model_dump()
            *path, last = field.split(".")
            inner = changed
            for name in path:
                inner = inner[name]
            assert last in inner, f"{key} is no setting of an experiment"
            inner[last] = value
            (TrainingConfig if room == "training" else type(row.config)).model_validate(changed)


@each_row
def test_heads_have_their_shapes(row):
    outputs = build(row).eval()(*inputs(7, row.shape))
    shapes = {head: tuple(outputs[head].shape) for head in HEADS}
    assert shapes == {"emotion": (7, 3), "valence": (7,), "transition": (7,)}
    assert outputs["emb"].shape[0] == 7
    others = outputs.keys() - HEADS.keys() - {"emb"}
    assert all(name.startswith(("aux/", "state/")) for name in others)


@each_row
def test_gradient_reaches_every_weight_that_is_not_dead_by_publication(row):
    model = build(row).train()
    # as many steps without a state, too: the published row network reads what it wrote in the step before
    backward_through(model, [inputs(64, row.shape, seed) for seed in range(STREAM_STEPS)])
    dead = set()
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        if weight.grad is None or not weight.grad.any():
            dead.add(name)
        else:
            assert weight.grad.isfinite().all(), name
    assert dead == row.dead


@each_row
def test_losses_of_its_own_are_scalars_with_a_weight(row):
    model = build(row).train()
    x, mask = inputs(8, row.shape)
    outputs = model(x, mask, facts_of(x))
    own = {name.removeprefix("aux/"): v for name, v in outputs.items() if name.startswith("aux/")}
    assert own.keys() == model.aux_weights.keys()
    assert all(tensor.shape == () for tensor in own.values())


@each_row
def test_same_seed_gives_the_same_output(row):
    x, mask = inputs(5, row.shape)
    first, second = build(row).eval()(x, mask), build(row).eval()(x, mask)
    assert torch.equal(first["emotion"], second["emotion"])
    assert not torch.equal(first["emotion"], build(row, seed=1).eval()(x, mask)["emotion"])


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def strict_device(request, monkeypatch):
    """A device on which whatever may differ from call to call is refused, as in runs."""
    if not getattr(torch, request.param).is_available():
        pytest.skip("no such device")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_deterministic_debug_mode("error")
    yield request.param
    torch.set_deterministic_debug_mode("default")


@each_row
def test_a_training_step_is_the_same_each_time(row, strict_device):
    def gradients():
        model = build(row).to(strict_device).train()
        x, mask = (
            {name: tensor.to(strict_device) for name, tensor in by_name.items()}
            for by_name in gappy_inputs(16, row.shape)
        )
        backward_through(model, [(x, mask)])
        return [weight.grad for weight in model.parameters() if weight.grad is not None]

    first, second = gradients(), gradients()
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@each_row
def test_weights_survive_safetensors(row):
    model, other = build(row), build(row, seed=1)
    model.train()(*inputs(16, row.shape))  # moves running statistics, too
    other.load_state_dict(load(save(model.state_dict())))
    x, mask = inputs(4, row.shape)
    assert torch.equal(model.eval()(x, mask)["emotion"], other.eval()(x, mask)["emotion"])


@each_row
def test_a_row_does_not_depend_on_its_neighbours(row):
    model = build(row)
    model.train()(*inputs(16, row.shape))  # running statistics that are not those of a fresh norm
    x, mask = gappy_inputs(9, row.shape)
    whole = per_row(model.eval()(x, mask))
    for chosen in (slice(0, 1), slice(2, 4), slice(8, 9), torch.tensor([7, 1, 8, 0])):
        alone = per_row(model(*rows_of(chosen, x, mask)))
        assert_close(alone, rows_of(chosen, whole)[0], atol=2e-6, rtol=1e-5)


@each_row
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_a_batch_of_one_is_fine(row, train):
    assert all_finite(build(row).train(train)(*inputs(1, row.shape)))


@each_row
def test_one_token_is_fine_or_refused_with_a_reason(row):
    tokens = {name: (1, n_features) for name, (_, n_features) in row.shape.tokens.items()}
    shape = replace(row.shape, tokens=tokens)
    if not row.one_token:
        with pytest.raises((ConfigError, ValueError), match="token"):
            build(row, shape)
        return
    model = build(row, shape)
    for n_rows in (3, 1):
        assert all_finite(model.train()(*inputs(n_rows, shape)))
        assert model.eval()(*inputs(n_rows, shape))["emotion"].shape == (n_rows, 3)


@each_row
@pytest.mark.parametrize("nothing", [float("nan"), float("inf")], ids=["nan", "inf"])
def test_invalid_tokens_are_not_looked_at(row, nothing):
    model, (x, mask) = build(row).eval(), gappy_inputs(5, row.shape)
    before = per_row(model(x, mask))
    for name, valid in mask.items():
        x[name][~valid] = nothing
    after = per_row(model(x, mask))
    assert all(torch.equal(after[name], before[name]) for name in before)


@each_row
def test_a_constant_channel_is_fine(row):
    for name in row.shape.tokens:
        for channel in (0, slice(None)):
            model, (x, mask) = build(row).train(), inputs(8, row.shape)
            x[name][..., channel] = 0.0  # standardised with a floor on the deviation
            outputs = backward_through(model, [(x, mask)])
            assert all_finite(outputs)
            assert all_finite(dict(enumerate(w.grad for w in model.parameters() if w.grad is not None)))


@each_row
@pytest.mark.parametrize("all_rows", [False, True], ids=["some-rows", "all-rows"])
def test_silent_sensors_give_finite_outputs_and_gradients(row, all_rows):
    names = tuple(row.shape.tokens)
    for silent in {*((name,) for name in names), names}:
        model, (x, mask) = build(row).train(), inputs(8, row.shape)
        for name in silent:
            x[name][: 8 if all_rows else 4] = float("nan")
            mask[name][: 8 if all_rows else 4] = False
        assert all_finite(backward_through(model, [(x, mask)]))
        assert all_finite(dict(enumerate(w.grad for w in model.parameters() if w.grad is not None)))
        assert all_finite(model.eval()(x, mask))


# torch's own LSTM keeps its weights in a list, too
@pytest.mark.filterwarnings("ignore:The tensor attribute:UserWarning")
@each_kind
def test_an_exported_model_gives_the_same_on_other_rows(row):
    model, example = build(row).eval(), inputs(3, row.shape)
    batch = torch.export.Dim("batch", min=1)
    sizes = tuple({name: {0: batch} for name in row.shape.tokens} for _ in example)
    exported = torch.export.export(model, example, dynamic_shapes=sizes).module()
    x, mask = gappy_inputs(5, row.shape)
    assert_close(per_row(exported(x, mask)), per_row(model(x, mask)))


@pytest.mark.parametrize(("tokens", "heads"), [({}, HEADS), ({"eeg": (6, 5)}, {})])
def test_data_without_a_modality_or_a_head_are_refused(tokens, heads):
    with pytest.raises(ValueError, match="needs a modality and a head"):
        SegmentShape(tokens=tokens, heads=heads)
