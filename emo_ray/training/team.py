"""Team: the workers that train one model together; alone, a team of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int
from torch import Tensor, nn


@runtime_checkable
class Team(Protocol):
    """Workers that hold the same weights; each computes its share of every batch.

    All of them call the same methods in the same order. Rows are shared so that shares differ by one row at
    most, and a share may be empty; sums are over all members, whatever their shares.
    """

    @property
    def rank(self) -> int:
        """Number of this member; 0 is the one that speaks: it saves, reports and hands in."""

    @property
    def size(self) -> int:
        """How many members there are."""

    def share(self, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, " share"]:
        """The rows of a batch that this member computes."""

    def total(self, value: Tensor) -> Tensor:
        """Sum over all members; no gradient flows through it."""

    def add_up_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Put the sum over members in the place of each gradient."""

    def joined(self, parts: Tensor) -> Tensor:
        """The rows of all members, in the order of ranks: undoes `share` on contiguous shares."""


@dataclass(frozen=True)
class Alone:
    """A team of one: everything is as it is."""

    rank: int = 0
    size: int = 1

    def share(self, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, " share"]:
        """All of them."""
        return rows

    def total(self, value: Tensor) -> Tensor:
        """The value itself."""
        return value

    def add_up_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Nothing to add."""

    def joined(self, parts: Tensor) -> Tensor:
        """The rows themselves."""
        return parts
