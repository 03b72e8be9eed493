"""Team of processes: the members of a torch.distributed group train one model together."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Int
from torch import Tensor, nn

Answer = TypeVar("Answer")

STEP_TIMEOUT = timedelta(minutes=10)
"""Most that a member waits for the others within a run; that one dies is noticed at once."""


class TeamLostError(RuntimeError):
    """A member is gone, or has left the run; says nothing about the run itself."""


class ProcessTeam:
    """The processes of the default group of torch.distributed, for the length of one run.

    It has a group of its own, so what a run that failed has left half done can not reach the next one. All
    processes make it, use it and leave it together; whoever fails alone leaves it early, and the others get
    `TeamLostError` in what they wait for.
    """

    def __init__(self, timeout: timedelta = STEP_TIMEOUT) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._group: Any = dist.new_group(timeout=timeout)

    def __deepcopy__(self, memo: dict[int, Any]) -> "ProcessTeam":
        # A copied model is trained by the same processes.
        return self

    def leave(self) -> None:
        """End the connections; members that still wait for this one are told so."""
        if self._group is not None:
            # Destroyed alone they stay open: they close when nothing refers to the group any more.
            dist.destroy_process_group(self._group)
            self._group = None

    def share(self, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, " share"]:
        """The rows of a batch that this member computes: one piece of it, empty where rows are too few."""
        share: np.ndarray = np.array_split(rows, self.size)[self.rank]
        return share

    def total(self, value: Tensor) -> Tensor:
        """Sum over all members; no gradient flows through it."""
        summed = value.detach().clone()
        together(lambda: dist.all_reduce(summed, group=self._group))
        return summed

    def summed(self, value: Tensor) -> Tensor:
        """Sum over all members, through which gradients flow back to every member's own value."""
        result: Tensor = _Summed.apply(value, self)  # type: ignore[no-untyped-call]
        return result

    def add_up_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Put the sum over members in the place of each gradient; one that nobody has stays None."""
        there = [weight.grad is not None for weight in weights]
        parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        flags = torch.tensor(there, dtype=parts[0].dtype, device=parts[0].device)
        # one message for all of them: its latency counts more than its length
        summed = self.total(torch.cat([flags, *(part.flatten() for part in parts)]))
        somewhere = (summed[: len(weights)] > 0).tolist()
        pieces = torch.split(summed[len(weights) :], [weight.numel() for weight in weights])
        for weight, piece, is_there in zip(weights, pieces, somewhere, strict=True):
            weight.grad = piece.view_as(weight) if is_there else None

    def joined(self, parts: Tensor) -> Tensor:
        """The rows of all members, in the order of ranks: undoes `share`."""
        sizes = torch.zeros(self.size, dtype=torch.int64, device=parts.device)
        sizes[self.rank] = len(parts)
        sizes = self.total(sizes)
        start = int(sizes[: self.rank].sum())
        rows = parts.new_zeros((int(sizes.sum()), *parts.shape[1:]))
        rows[start : start + len(parts)] = parts.detach()
        return self.total(rows)  # every row is somebody's, and zero with the others


class _Summed(torch.autograd.Function):
    """Each member's loss depends on the values of all, so the gradient of a value is a sum over members."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, team: ProcessTeam) -> Tensor:
        ctx.team = team
        return team.total(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.team.total(gradient), None


def together(act: Callable[[], Answer]) -> Answer:
    """What members do at the same time.

    Raises
    ------
    TeamLostError : one of them is gone
    """
    try:
        return act()
    except RuntimeError as error:  # gloo raises nothing more exact
        raise TeamLostError(f"another worker of this run is gone: {str(error)[:200]}") from error


def told(content: bytes) -> bytes:
    """What rank 0 of the default group says, on all ranks; the content of the others is not looked at."""
    length = torch.tensor([len(content)])
    together(lambda: dist.broadcast(length, src=0))
    letters = np.zeros(int(length), np.uint8)
    if dist.get_rank() == 0:
        letters[:] = np.frombuffer(content, np.uint8)
    message = torch.from_numpy(letters)
    if len(letters):
        together(lambda: dist.broadcast(message, src=0))
    return letters.tobytes()


def said(content: str) -> list[str]:
    """What every rank of the default group says, in the order of ranks; each hears all."""
    length = torch.tensor([len(content.encode())])
    lengths = [torch.zeros_like(length) for _ in range(dist.get_world_size())]
    together(lambda: dist.all_gather(lengths, length))
    longest = max(int(one) for one in lengths)
    if longest == 0:
        return ["" for _ in lengths]
    letters = np.zeros(longest, np.uint8)
    letters[: int(length)] = np.frombuffer(content.encode(), np.uint8)
    heard = [torch.zeros(longest, dtype=torch.uint8) for _ in lengths]
    together(lambda: dist.all_gather(heard, torch.from_numpy(letters)))
    return [bytes(one.tolist())[: int(n)].decode() for one, n in zip(heard, lengths, strict=True)]
