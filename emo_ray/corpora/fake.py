"""A corpus made on the spot from a seed: for tests, benchmarks and a first look; no files, no licence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.errors import CorpusError
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.value import ValueTask


@dataclass(frozen=True)
class _Person:
    """What is a subject's own: a place in feature space, and whether it is noise altogether."""

    subject: str
    group: str
    is_noise: bool
    offset: Float[np.ndarray, " features"]


class FakeCorpus(CorpusConfig):
    """Noise in which a label can be recognised, as strongly as asked, across subjects.

    A trial is one segment long and has a class (``label``, 0 or 1) and a value (``score``, about -1 to 1)
    that moves all features along one direction shared by all subjects. Each subject has an offset of its own.
    """

    kind: Literal["fake"] = "fake"
    path: Path = Field(Path(), description="not used: nothing is read from disk")
    n_subjects: int = Field(6, ge=1)
    n_trials: int = Field(20, ge=1, description="trials a subject, one segment each")
    n_tokens: int = Field(4, ge=1, description="time steps of a segment")
    n_features: int = Field(5, ge=1)
    strength: float = Field(1.0, ge=0, description="0 leaves noise on which nothing can be learnt")
    noise_subjects: tuple[str, ...] = Field(
        (), description="names (S02) whose signals and labels are replaced by noise"
    )
    pairs: bool = Field(False, description="people are recorded two at a time and share a group")
    seed: int = 0

    @property
    def card(self) -> CorpusCard:
        """Nobody's data."""
        return CorpusCard(
            title="Fake corpus",
            licence="none needed",
            citation="none: made up by emo_ray",
            doi="",
            access="made on the spot",
        )

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Names S01, S02, ...; there are no files."""
        return {f"fake/S{number:02d}": () for number in range(1, self.n_subjects + 1)}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Draw all trials of one subject.

        Raises
        ------
        CorpusError : there is no such subject
        """
        names = list(self.find_subjects())
        if subject not in names:
            raise CorpusError(f"the fake corpus of {self.n_subjects} subjects has no {subject!r}")
        number = names.index(subject)
        is_noise = subject.rpartition("/")[2] in self.noise_subjects
        # a stream a subject: what one draws does not depend on how many others there are
        draw = np.random.default_rng([self.seed, number, int(is_noise)])
        person = _Person(
            subject=subject,
            group=f"fake/pair{number // 2 + 1}" if self.pairs else subject,
            is_noise=is_noise,
            # features; a spread of 30 is far outside of what the others show
            offset=draw.standard_normal(self.n_features) * (30.0 if is_noise else 0.5),
        )
        return SubjectRecordings(tuple(self._trial(person, trial, draw) for trial in range(self.n_trials)))

    def _trial(self, person: "_Person", trial: int, draw: np.random.Generator) -> Recording:
        label = int(draw.integers(2)) if person.is_noise else trial % 2
        score = float(np.clip((2 * label - 1) * 0.6 + 0.3 * draw.standard_normal(), -1, 1))
        # drawn anew each time from its own seed: the same for all subjects and trials
        direction = np.random.default_rng([self.seed, 0xD1]).standard_normal(self.n_features)
        shift = person.offset if person.is_noise else person.offset + self.strength * score * direction
        values = draw.standard_normal((self.n_features, self.n_tokens)) + shift[:, None]  # features tokens
        channels = tuple(f"f{number}" for number in range(self.n_features))
        return Recording(
            subject=person.subject,
            session="1",
            trial=f"{trial + 1:03d}",
            clip=f"fake/clip{trial}",
            group=person.group,
            signals={"features": Signal(values.astype(np.float32), 1.0, "arbitrary", channels)},
            ratings={"label": float(label), "score": score},
        )

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Two classes, or one value."""
        return {
            "label": ClassTask(classes=(("low", (0.0,)), ("high", (1.0,)))),
            "score": ValueTask(column="score"),
        }
