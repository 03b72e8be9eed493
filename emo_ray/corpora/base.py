"""CorpusConfig: what every corpus declares and every reader offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from emo_ray.corpora.declared import Declaration
from emo_ray.corpora.recording import SubjectRecordings
from emo_ray.tasks.base import TaskConfig

PLACES = {"path", "ratings", "folders"}
"""Fields of corpora that say where files lie: what counts is what the files hold."""


@dataclass(frozen=True)
class CorpusCard:
    """Who made a corpus, who may use it, and how to cite it."""

    title: str
    licence: str
    citation: str
    doi: str
    access: str


class CorpusConfig(BaseModel, ABC):
    """A corpus on disk: where it lies and how it is to be read.

    A reader never filters, resamples, scales, drops or fills in silently: what it leaves out it
    reports as `RejectedTrial`, what it changes (a rating clipped) as a note.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    path: Path = Field(description="folder or file of the corpus")

    @property
    @abstractmethod
    def card(self) -> CorpusCard:
        """Who made this corpus, who may use it, and how to cite it."""

    @property
    def declaration(self) -> Declaration:
        """What the corpus is said to hold; the report tells where a subject's files say otherwise."""
        return Declaration()

    @classmethod
    def recognise(cls, folder: Path) -> "CorpusConfig | None":
        """The corpus in a folder, if names of files and folders say that it is this one; opens no file."""
        return None

    @abstractmethod
    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Every subject and all files that its recordings depend on, in natural order of the ids.

        Raises
        ------
        CorpusError : the folder is missing or empty, or a subject has two files of the same kind
        """

    @abstractmethod
    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read all recordings of one subject (named as in `find_subjects`).

        Raises
        ------
        CorpusError : a file is truncated, has a wrong key or shape; names file, value and next step
        """

    def notes(self) -> tuple[str, ...]:
        """Facts about the corpus as a whole that a reader of the report should know."""
        return ()

    @abstractmethod
    def tasks(self) -> Mapping[str, TaskConfig]:
        """The tasks that this corpus can be used for, by name; the first is the default."""
