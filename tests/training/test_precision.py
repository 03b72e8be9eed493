"""Which numbers training computes in, and a scaler that leaves out steps that overflow."""

import numpy as np
import pytest
import torch
from torch import nn

from emo_ray.errors import ConfigError, TrainingError
from emo_ray.models.mlp import MlpConfig
from emo_ray.training.checkpoint import weights_digest
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, Split, train
from emo_ray.training.precision import Precision, precision_name
from emo_ray.training.seeding import Streams, reset_process

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SPLIT = Split(train=np.arange(40), validation=np.arange(40, 60))


@pytest.mark.parametrize(
    ("amp", "device", "name"),
    [
        ("off", CUDA, "float32"),
        ("auto", CPU, "float32"),
        ("auto", CUDA, "bfloat16"),
        ("bf16", CPU, "bfloat16"),
        ("fp16", CUDA, "float16"),
    ],
)
def test_what_is_computed_in(amp, device, name):
    assert precision_name(amp, device) == name


def test_float16_on_a_cpu_is_refused(single_head):
    with pytest.raises(ConfigError, match="needs a CUDA device, and this run is on cpu: take bf16"):
        train(
            MlpConfig().build(single_head.shape()), single_head, SPLIT, TrainingConfig(amp="fp16"), Streams(0)
        )


def scaled():
    """One weight, its optimizer, and a scaler as CUDA has it; torch has one for CPUs, too."""
    precision = Precision("off", CPU)
    precision.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    weight = nn.Parameter(torch.ones(1))
    return precision, weight, torch.optim.SGD([weight], lr=0.5)


def test_a_scaled_step_is_the_step_itself():
    precision, weight, optimizer = scaled()
    precision.backward(3 * weight.sum())
    assert weight.grad.item() == 24
    assert precision.step_down(optimizer, [weight], None).item() == 3
    assert weight.item() == 1 - 0.5 * 3


def test_a_step_that_overflows_is_left_out_and_the_scale_halves():
    precision, weight, optimizer = scaled()
    precision.backward(torch.inf * weight.sum())
    norm = precision.step_down(optimizer, [weight], 1.0)
    assert not norm.isfinite()
    assert (weight.item(), precision.scaler.get_scale()) == (1, 4)
    again, _, _ = scaled()
    again.load_state_dict(precision.state_dict())
    assert again.scaler.get_scale() == 4


def test_a_scale_below_one_stops_the_run():
    precision, weight, optimizer = scaled()
    for _ in range(4):
        precision.check_scale(0)
        precision.backward(torch.inf * weight.sum())
        precision.step_down(optimizer, [weight], None)
    with pytest.raises(TrainingError, match=r"gradients overflow float16 in epoch 7 .* scale of 0\.5"):
        precision.check_scale(7)


def fit(data, amp, device="cpu"):
    reset_process(Streams(0))
    config = TrainingConfig(amp=amp, max_epochs=4, batch_size=8)
    model = MlpConfig(dropout=0.0).build(data.shape())
    return train(model, data, SPLIT, config, Streams(0), Runtime(device=device))


def test_bfloat16_rounds_and_still_learns(single_head):
    exact, rounded = fit(single_head, "off"), fit(single_head, "bf16")
    assert weights_digest(exact.model) != weights_digest(rounded.model)
    losses = [[entry["train"]["loss"] for entry in fitted.history] for fitted in (exact, rounded)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
    assert {weight.dtype for weight in rounded.model.parameters()} == {torch.float32}


@pytest.mark.gpu
@pytest.mark.parametrize("amp", ["auto", "bf16", "fp16"])
def test_half_precision_learns_on_a_gpu(single_head, amp):
    losses = [entry["train"]["loss"] for entry in fit(single_head, amp, "cuda").history]
    exact = [entry["train"]["loss"] for entry in fit(single_head, "off", "cuda").history]
    np.testing.assert_allclose(losses, exact, rtol=0.1)
