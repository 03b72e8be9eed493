"""CorpusFiles: what every writer of synthetic files is told and offers; files in a corpus's own layout."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class CorpusFiles(BaseModel, ABC):
    """Files as a gated corpus lays them out, made on the spot from a seed; quirks of the release are fields.

    A field that shortens or thins out what the release has is never its default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_subjects: int = Field(4, ge=1, le=200, description="people")
    seed: int = Field(0, ge=0)
    strength: float = Field(
        1.0, ge=0, le=3, description="how strongly the signals tell the labels; with 0 nothing tells them"
    )

    @property
    def n_parts(self) -> int:
        """Pieces of `write_part` that can be written at the same time; by default one a subject."""
        return self.n_subjects

    @abstractmethod
    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """Write one piece, counted from 0; each file appears whole or not at all.

        Depends on the arguments alone, so that pieces can be written in parallel.
        """

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """Write the files that belong to nobody: label tables, channel lists."""
        return ()

    @classmethod
    @abstractmethod
    def small(cls, n_subjects: int = 3) -> "CorpusFiles":
        """The least that shows every quirk and can be trained on: a few seconds to write, a few MB."""

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write everything, one piece after the other."""
        pieces = [self.write_shared(folder)]
        pieces += [self.write_part(index, folder) for index in range(self.n_parts)]
        return tuple(file for piece in pieces for file in piece)

    def stream(self, *names: str | int) -> np.random.Generator:
        """Random numbers that depend on the seed and on names alone."""
        return stream(self.seed, *names)


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Random numbers that depend on a seed and on names alone."""
    # letters as numbers: Python's own hash of a text changes from process to process
    key = [ord(letter) for letter in "/".join(map(str, names))]
    return np.random.default_rng([seed, *key])
