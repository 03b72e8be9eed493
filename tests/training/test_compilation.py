"""A compiled forward pass trains as the plain one does, and a machine that can not compile says so."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from emo_ray.errors import TrainingError
from emo_ray.models.mlp import MlpConfig
from emo_ray.training import compilation
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Split, train
from emo_ray.training.seeding import Streams, reset_process

SPLIT = Split(np.arange(40), np.arange(40, 60))


def fit(data, **config):
    reset_process(Streams(0))
    model = MlpConfig(dropout=0.0).build(data.shape())
    return train(model, data, SPLIT, TrainingConfig(max_epochs=2, batch_size=16, **config), Streams(0))


def test_without_a_compiler_the_message_says_what_to_do(single_head, monkeypatch):
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(TrainingError, match=r"lacks a C\+\+ compiler \(g\+\+.*set training.compile=false"):
        fit(single_head, compile=True)
    monkeypatch.setenv("CXX", "nowhere/c++")
    with pytest.raises(TrainingError, match=r"compiler \(nowhere/c\+\+\)"):
        fit(single_head, compile=True)


def test_a_compiler_that_fails_is_named_with_the_way_out(monkeypatch):
    from torch._dynamo.exc import TorchDynamoException

    def fails(*inputs):
        raise TorchDynamoException("no such kernel")

    monkeypatch.setattr(compilation, "missing_compiler", lambda device: "")
    monkeypatch.setattr(torch, "compile", lambda model: fails)
    forward = compilation.compiled_forward(torch.nn.Linear(1, 1), torch.device("cpu"))
    with pytest.raises(TrainingError, match=r"Linear can not be compiled here \(no such kernel\): set"):
        forward(torch.zeros(1))


@pytest.mark.slow
def test_a_compiled_network_trains_as_the_plain_one():
    if compilation.missing_compiler(torch.device("cpu")):
        pytest.skip("there is no C++ compiler here")
    # a process of its own: the checks of shapes that tests run under can not be compiled
    script = (
        "import torch; from test_compilation import fit; from conftest import make_data\n"
        "plain, compiled = fit(make_data()).model, fit(make_data(), compile=True).model\n"
        "for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):\n"
        "    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)\n"
        "assert set(plain.state_dict()) == set(compiled.state_dict())"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent, timeout=500)
