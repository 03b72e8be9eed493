"""The forward pass as one compiled program (`torch.compile`), where this machine can make one."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from emo_ray.errors import TrainingError

Forward = Callable[..., Mapping[str, Tensor]]
COMPILERS = ("g++", "clang++", "c++")


def missing_compiler(device: torch.device) -> str:
    """What this machine lacks to compile for the device; empty if nothing."""
    own = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ((own,) if own else COMPILERS)):
        return f"a C++ compiler ({own or ', '.join(COMPILERS)})"
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        return "Triton, which programs for CUDA are compiled with"
    return ""


def compiled_forward(model: nn.Module, device: torch.device) -> Forward:
    """The model's forward pass, compiled when it is first called.

    Raises
    ------
    TrainingError : this machine has no compiler, or (when called) the compiler fails on this model
    """
    missing = missing_compiler(device)
    if missing:
        raise TrainingError(
            f"the model can not be compiled, for this machine lacks {missing}: install it, or set "
            "training.compile=false"
        )
    from torch._dynamo.exc import TorchDynamoException

    # a warm worker may have compiled the same code for another run, and there is a limit to that
    torch.compiler.reset()
    compiled = torch.compile(model)

    def forward(*inputs: Any) -> Mapping[str, Tensor]:
        try:
            outputs: Mapping[str, Tensor] = compiled(*inputs)
        except TorchDynamoException as error:
            raise TrainingError(
                f"{type(model).__name__} can not be compiled here ({error}): set training.compile=false"
            ) from error
        return outputs

    return forward
