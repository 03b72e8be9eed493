"""Memory stream: what a recording has shown so far, handed from segment to segment."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from emo_ray.models.attention import attend, by_head
from emo_ray.models.base import RowFacts
from emo_ray.models.blocks import glorot_linear


@dataclass(frozen=True)
class MemoryState:
    """Memory of every row: a queue, oldest first and filled from its end, and one slot for all before it.

    Attributes
    ----------
    queue : summaries of segments; zeros in empty slots
    age : how many segments were written after that slot; 0 in empty ones
    valid : whether a slot is filled
    slow : decaying mean of what has left the queue
    slow_valid : whether anything has
    """

    queue: Float[Tensor, "batch slots width"]
    age: Int[Tensor, "batch slots"]
    valid: Bool[Tensor, "batch slots"]
    slow: Float[Tensor, "batch width"]
    slow_valid: Bool[Tensor, " batch"]

    @classmethod
    def empty(cls, n_rows: int, n_slots: int, width: int, device: torch.device) -> "MemoryState":
        """Memory at the start of a recording."""
        return cls(
            queue=torch.zeros(n_rows, n_slots, width, device=device),
            age=torch.zeros(n_rows, n_slots, dtype=torch.int64, device=device),
            valid=torch.zeros(n_rows, n_slots, dtype=torch.bool, device=device),
            slow=torch.zeros(n_rows, width, device=device),
            slow_valid=torch.zeros(n_rows, dtype=torch.bool, device=device),
        )

    def named(self) -> dict[str, Tensor]:
        """The tensors by name, as they travel in `RowFacts.state`."""
        return dict(vars(self))

    def where(self, rows: Bool[Tensor, " batch"], other: "MemoryState") -> "MemoryState":
        """Memory that is ours in those rows, and the other one in all others."""
        pairs = zip(self.named().items(), other.named().values(), strict=True)
        return MemoryState(
            **{
                name: torch.where(rows.view(-1, *[1] * (ours.dim() - 1)), ours, theirs)
                for (name, ours), theirs in pairs
            }
        )

    def pushed(self, entry: Float[Tensor, "batch width"], gamma: Float[Tensor, ""]) -> "MemoryState":
        """Memory after one more entry; the oldest one of a full queue goes into the slow slot.

        It becomes ``gamma * slow + (1 - gamma) * oldest``, or the oldest entry itself where it is the first.
        """
        full, oldest = self.valid[:, 0], self.queue[:, 0]
        blended = gamma * self.slow + (1 - gamma) * oldest
        consolidated = torch.where(self.slow_valid[:, None], blended, oldest)
        older = (self.age + 1) * self.valid  # what is empty has no age
        return MemoryState(
            queue=torch.cat([self.queue[:, 1:], entry[:, None]], dim=1),
            age=functional.pad(older[:, 1:], (0, 1)),
            valid=functional.pad(self.valid[:, 1:], (0, 1), value=True),
            slow=torch.where(full[:, None], consolidated, self.slow),
            slow_valid=self.slow_valid | full,
        )


class MemoryStream(nn.Module):
    """Reads the memory of a recording into its tokens, and writes a summary of every segment.

    What is written is cut off from the gradient; the encoder works on what is read, so it learns.

    Parameters
    ----------
    memory_width : units of an entry once it is read
    n_slots : entries of the queue
    gamma : decay at the start, a segment: of attention to older entries, and of the slow slot; it is learnt
    """

    def __init__(self, width: int, memory_width: int, *, n_heads: int, n_slots: int, gamma: float) -> None:
        super().__init__()
        self.n_heads, self.n_slots, self.width = n_heads, n_slots, width
        self.encoder = nn.Conv1d(width, memory_width, kernel_size=3, padding=1)
        self.entry_norm = nn.LayerNorm(memory_width)
        self.nothing = nn.Parameter(0.02 * torch.randn(memory_width))  # the slot that is always there
        self.query_norm = nn.LayerNorm(width)
        self.query = glorot_linear(width, width)
        self.key_value = glorot_linear(memory_width, 2 * width)
        self.out = glorot_linear(width, width)
        self.gamma_logit = nn.Parameter(torch.tensor(math.log(gamma / (1 - gamma))))

    def start(self, facts: RowFacts | None, n_rows: int, device: torch.device) -> MemoryState:
        """Memory that the rows bring along; empty at the start of a recording."""
        empty = MemoryState.empty(n_rows, self.n_slots, self.width, device)
        if facts is None or facts.state is None:
            return empty
        state = state_from(facts.state)
        return state if facts.reset is None else empty.where(facts.reset, state)

    def read(
        self, x: Float[Tensor, "batch tokens width"], state: MemoryState
    ) -> Float[Tensor, "batch tokens width"]:
        """What the memory adds to each token; an empty memory adds the same to all tokens."""
        entries, ages, valid = self._slots(state)
        query = by_head(self.query(self.query_norm(x)), self.n_heads)
        key, value = (by_head(part, self.n_heads) for part in self.key_value(entries).chunk(2, dim=-1))
        fading = (functional.logsigmoid(self.gamma_logit) * ages)[:, None, None]  # batch 1 1 slots
        return self.out(attend(query, key, value, valid, fading).flatten(2))  # type: ignore[no-any-return]

    def write(
        self,
        state: MemoryState,
        summary: Float[Tensor, "batch width"],
        present: Bool[Tensor, " batch"],
    ) -> MemoryState:
        """Memory after a segment; a row without any valid token leaves its memory as it is."""
        gamma = self.gamma_logit.detach().sigmoid()
        return state.pushed(summary.detach().float(), gamma).where(present, state)

    def _slots(self, state: MemoryState) -> tuple[Tensor, Tensor, Tensor]:
        """Encoded slots in the order of time and one for nothing: entries, ages, whether they are filled."""
        in_time = torch.cat([state.slow[:, None], state.queue], dim=1)  # batch 1+slots width
        encoded = self.entry_norm(self.encoder(in_time.transpose(1, 2)).relu().transpose(1, 2))
        nothing = self.nothing.to(encoded.dtype).expand(in_time.shape[0], 1, -1)
        # the slow slot is as old as the entry that left the queue last
        ages = functional.pad(functional.pad(state.age, (1, 0), value=self.n_slots), (0, 1))
        valid = torch.cat([state.slow_valid[:, None], state.valid], dim=1)
        return torch.cat([encoded, nothing], dim=1), ages, functional.pad(valid, (0, 1), value=True)


def state_from(tensors: Mapping[str, Tensor]) -> MemoryState:
    """The memory that `MemoryState.named` took apart.

    Raises
    ------
    ValueError : tensors are missing, or not of a memory
    """
    expected = set(MemoryState.__dataclass_fields__)
    if set(tensors) != expected:
        raise ValueError(
            f"a memory stream needs {sorted(expected)} as its state, got {sorted(tensors)}: hand back all "
            "that the model returned as state/..., without this prefix"
        )
    return MemoryState(**tensors)
