"""Recordings side by side in lanes, each segment by segment, for models with a memory.

A recording is a trial: its segments follow each other in the table in the order of time. A lane takes the
next recording when its own has ended, and the memory of that lane is forgotten.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int, Int64
from torch import Tensor

from emo_ray.errors import TrainingError
from emo_ray.models.base import RowFacts
from emo_ray.training.data import SegmentData

NOBODY = -1
"""Stands in a lane behind the end of its last recording."""


def recordings(data: SegmentData, rows: Int[np.ndarray, " rows"]) -> list[Int64[np.ndarray, " _"]]:
    """Places in ``rows`` of the segments of each trial, in the order of time.

    Raises
    ------
    TrainingError : the data do not tell which trial a segment is of
    """
    if len(data.trial) != len(data.subject):
        raise TrainingError(
            "a model with a memory reads recordings from their start, and these segments do not tell which "
            "trial they are of: use a table with trials, or turn the memory of the model off"
        )
    if not len(rows):
        return []
    order = np.argsort(rows, kind="stable")
    trial = data.trial[rows[order]]
    return np.split(order, np.flatnonzero(trial[1:] != trial[:-1]) + 1)


@dataclass(frozen=True)
class Lanes:
    """What each lane reads at each step.

    Attributes
    ----------
    places : of segments; `NOBODY` behind the end of a lane
    starts : where a recording starts
    """

    places: Int64[np.ndarray, "lanes steps"]
    starts: Bool[np.ndarray, "lanes steps"]

    @classmethod
    def of(cls, recordings: Sequence[Int64[np.ndarray, " _"]], n_lanes: int) -> "Lanes":
        """Give each recording in turn to the lane that is free first."""
        free = [(0, lane) for lane in range(min(n_lanes, len(recordings)))]
        taken = []
        for recording in recordings:
            start, lane = heapq.heappop(free)
            taken.append((lane, start, recording))
            heapq.heappush(free, (start + len(recording), lane))
        shape = (len(free), max((end for end, _ in free), default=0))
        lanes = cls(np.full(shape, NOBODY, np.int64), np.zeros(shape, bool))
        for lane, start, recording in taken:
            lanes.places[lane, start : start + len(recording)] = recording
            lanes.starts[lane, start] = True
        return lanes

    @property
    def n_steps(self) -> int:
        """Steps until the last lane has ended."""
        return int(self.places.shape[1])

    def n_at(self, step: int) -> int:
        """How many lanes still read."""
        return int((self.places[:, step] != NOBODY).sum())

    def some(self, lanes: Int[np.ndarray, " chosen"]) -> "Lanes":
        """Chosen lanes, with as many steps."""
        return Lanes(self.places[lanes], self.starts[lanes])


@dataclass
class Memory:
    """What a model remembers of some lanes, from each step to the next; detached, so steps stay apart."""

    lanes: Lanes
    state: Mapping[str, Tensor] | None = None

    def places(self, step: int) -> Int64[np.ndarray, " reading"]:
        """What the lanes read that have not ended."""
        column = self.lanes.places[:, step]
        reading: np.ndarray = column[column != NOBODY]
        return reading

    def facts(self, step: int, facts: RowFacts) -> RowFacts:
        """The facts of these rows, with the memory that belongs to each."""
        reading = self.lanes.places[:, step] != NOBODY
        device = facts.trial.device
        state = self.state
        if step > 0 and state is not None:
            stays = reading[self.lanes.places[:, step - 1] != NOBODY]
            if not stays.all():
                kept = torch.from_numpy(np.flatnonzero(stays)).to(device)
                state = {name: tensor[kept] for name, tensor in state.items()}
        starts = torch.from_numpy(self.lanes.starts[reading, step]).to(device)
        return replace(facts, state=state, reset=starts)

    def keep(self, outputs: Mapping[str, Tensor]) -> None:
        """Take the memory out of what the model returned."""
        own = {name: tensor for name, tensor in outputs.items() if name.startswith("state/")}
        self.state = {name.removeprefix("state/"): tensor.detach() for name, tensor in own.items()} or None


def piece_of(data: SegmentData, rows: Int[np.ndarray, " rows"]) -> int:
    """How many rows evaluation takes at once."""
    return max(1, len(next(data.pieces(rows), rows)))


def evaluation_steps(
    data: SegmentData, rows: Int[np.ndarray, " rows"]
) -> Iterator[tuple[Int64[np.ndarray, " reading"], Memory, int]]:
    """Places in ``rows`` step by step, the memory to use, and the number of the step.

    How many lanes there are changes nothing: a row depends on its own recording's past alone.
    """
    memory = Memory(Lanes.of(recordings(data, rows), piece_of(data, rows)))
    for step in range(memory.lanes.n_steps):
        yield memory.places(step), memory, step
