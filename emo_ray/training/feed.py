"""What each step of an epoch computes: pieces of a batch, and this member's share of each.

A batch is cut into pieces first and shared then, so that all members of a team go through the same number
of pieces, however many rows they have in each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64, Int

from emo_ray.training.data import Batch, SegmentData, shuffled_batches
from emo_ray.training.stream import Lanes, Memory, recordings
from emo_ray.training.team import Team

Rows = Int[np.ndarray, " rows"]
Odds = Float64[np.ndarray, " rows"]


@runtime_checkable
class Source(Protocol):
    """Whoever makes batches: the data, or what holds children of its rows, too."""

    def batch(self, examples: Rows, device: str | torch.device, /) -> Batch:
        """Some examples, on the device."""


@dataclass(frozen=True)
class Piece:
    """Examples that go through the network together; none, where the recordings of its lanes have ended.

    Attributes
    ----------
    memory : of the lanes that these rows come from; None where rows do not follow each other
    stands_in : whether its example is another member's, computed because no network takes no rows, and
        counted nowhere
    """

    examples: Rows
    memory: Memory | None = None
    stands_in: bool = False

    @property
    def n_counted(self) -> int:
        """Rows of this member."""
        return 0 if self.stands_in else len(self.examples)

    def in_team(self, team: Team, other: Rows) -> "Piece":
        """Itself; with the first of others' rows in the place of none, for the team computes it together."""
        if len(self.examples) or team.size == 1:
            return self
        return Piece(other[:1], stands_in=True)


@dataclass(frozen=True)
class Step:
    """One step of the optimizer: this member's pieces, and how many rows all members have in it."""

    pieces: tuple[Piece, ...]
    n_rows: int
    number: int


BLOCK_BYTES, BLOCK_STEPS = 4 << 20, 16
"""Most that is copied and standardised at once, for several steps: few calls, and it stays in the cache."""


def batches_of(
    source: Source, steps: Iterable[Step], device: torch.device, row_bytes: int
) -> Iterator[tuple[Step, list[Batch]]]:
    """Each step with a batch for each of its pieces; made for several small steps together."""
    waiting: list[Step] = []
    n_rows = 0
    for step in steps:
        waiting.append(step)
        n_rows += step.n_rows
        if len(waiting) == BLOCK_STEPS or (n_rows + step.n_rows) * row_bytes > BLOCK_BYTES:
            yield from _block(source, waiting, device)
            waiting, n_rows = [], 0
    yield from _block(source, waiting, device)


def _block(source: Source, steps: list[Step], device: torch.device) -> Iterator[tuple[Step, list[Batch]]]:
    pieces = [piece.examples for step in steps for piece in step.pieces]
    if not pieces:
        return
    batches = iter(source.batch(np.concatenate(pieces), device).split([len(piece) for piece in pieces]))
    for step in steps:
        yield step, [next(batches) for _ in step.pieces]


@dataclass(frozen=True)
class Feed:
    """How an epoch is cut.

    Attributes
    ----------
    batch_size : rows of a step, over all its pieces and all members
    n_pieces : in which a step is computed, one after the other
    """

    batch_size: int
    n_pieces: int
    team: Team

    def shuffled(self, examples: Rows, odds: Odds | None, generator: np.random.Generator) -> list[Step]:
        """Each example once in random order; by odds, as many draws as there are examples."""
        if odds is not None:
            examples = generator.choice(examples, len(examples), p=odds)
        batches = shuffled_batches(examples, self.batch_size, generator)
        return [self._step(number, batch) for number, batch in enumerate(batches)]

    def _step(self, number: int, batch: Rows) -> Step:
        # no piece of one row, for batch norm can learn nothing from it
        n_pieces = max(1, min(self.n_pieces, len(batch) // 2))
        cut = (
            np.array_split(batch, n_pieces) if n_pieces > 1 else [batch]
        )  # to cut nothing takes a while, too
        pieces = [Piece(self.team.share(piece)).in_team(self.team, piece) for piece in cut]
        return Step(tuple(pieces), len(batch), number)

    def streamed(
        self, data: SegmentData, rows: Rows, odds: Odds | None, generator: np.random.Generator
    ) -> "StreamedSteps":
        """Recordings in random order over the lanes; by odds, as many draws as there are recordings."""
        found = recordings(data, rows)
        if odds is None:
            order = generator.permutation(len(found))
        else:
            weights = np.array([odds[recording].sum() for recording in found])
            order = generator.choice(len(found), len(found), p=weights / weights.sum())
        lanes = Lanes.of([found[number] for number in order], self.batch_size)
        numbers = np.arange(len(lanes.places))
        # a lane stays with its piece and its member, for there its memory is
        parts = np.array_split(numbers, min(self.n_pieces, len(numbers)))
        memories = [Memory(lanes.some(self.team.share(part))) for part in parts]
        return StreamedSteps(lanes, memories, rows, self.team)


@dataclass(frozen=True)
class StreamedSteps:
    """The steps of an epoch over lanes; made one by one, for a step needs the memory of the one before."""

    lanes: Lanes
    memories: list[Memory]
    rows: Rows
    team: Team

    def __len__(self) -> int:
        return self.lanes.n_steps

    def __iter__(self) -> Iterator[Step]:
        for number in range(len(self)):
            pieces = (Piece(self.rows[m.places(number)], m) for m in self.memories)
            in_team = tuple(piece.in_team(self.team, self.rows) for piece in pieces)
            yield Step(in_team, self.lanes.n_at(number), number)
