"""Which numbers a network computes in while it trains; a scaler where these are too short."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn, optim

from emo_ray.errors import ConfigError, TrainingError

Amp = Literal["off", "auto", "bf16", "fp16"]


def precision_name(amp: Amp, device: torch.device) -> str:
    """``"float32"``, ``"bfloat16"`` or ``"float16"``: what matrix products are computed in."""
    if amp == "fp16":
        return "float16"
    return "bfloat16" if amp == "bf16" or (amp == "auto" and device.type == "cuda") else "float32"


class Precision:
    """Autocast, and the way from a loss to a step of the optimizer.

    float16 ends at 65,504, so its loss is scaled up before `backward` and the gradients down after it; a
    step whose gradients overflow is left out, and the scale halves. bfloat16 has the range of float32 and
    needs none of it.

    Raises
    ------
    ConfigError : float16 on a processor without it
    """

    def __init__(self, amp: Amp, device: torch.device) -> None:
        self.device, self.name = device, precision_name(amp, device)
        if self.name == "float16" and device.type != "cuda":
            raise ConfigError(
                f"training.amp=fp16 needs a CUDA device, and this run is on {device.type}: take bf16, or "
                "auto, which is off on a CPU"
            )
        self.scaler = torch.amp.GradScaler(device.type) if self.name == "float16" else None

    def autocast(self) -> AbstractContextManager[Any]:
        """Context of the forward pass."""
        if not self.is_half:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.name))

    @property
    def is_half(self) -> bool:
        """Whether matrix products are computed in 16 bits."""
        return self.name != "float32"

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss to those there are."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]

    def step_down(
        self, optimizer: optim.Optimizer, weights: list[nn.Parameter], clip: float | None
    ) -> Tensor:
        """One step, or none where a scaled gradient has overflown; the norm of the gradient, not clipped.

        The gradients are gone afterwards, and their memory with them.
        """
        if self.scaler is None:
            norm = gradient_norm(weights, clip)
            optimizer.step()
        else:
            self.scaler.unscale_(optimizer)  # a norm has a meaning at the real size alone
            norm = gradient_norm(weights, clip)
            self.scaler.step(optimizer)
            self.scaler.update()
        for weight in weights:
            weight.grad = None  # as zero_grad() does, at a tenth of its time
        return norm

    def check_scale(self, epoch: int) -> None:
        """Look, once an epoch, whether the gradients overflow however small their scale.

        Raises
        ------
        TrainingError : the scale fell below 1
        """
        if self.scaler is not None and self.scaler.get_scale() < 1.0:
            raise TrainingError(
                f"gradients overflow float16 in epoch {epoch} even at a loss scale of "
                f"{self.scaler.get_scale():g}: train with training.amp=bf16, or lower the learning rate"
            )

    def state_dict(self) -> dict[str, Any]:
        """Of the scaler; empty where there is none."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where another run of the same precision was."""
        if self.scaler is not None:
            self.scaler.load_state_dict(state)


def gradient_norm(weights: list[nn.Parameter], clip: float | None) -> Tensor:
    """Norm of all gradients together, before they are clipped to ``clip``."""
    if clip is not None:
        return nn.utils.clip_grad_norm_(weights, clip, foreach=True)
    return nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None], foreach=True)
