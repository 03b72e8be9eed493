"""Fold: three disjoint sets of subjects, and how validation subjects are taken from the training side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from emo_ray.errors import ProtocolError
from emo_ray.training.seeding import Streams


@dataclass(frozen=True)
class Fold:
    """One train/validation/test split of subjects; every set sorted, none overlaps another.

    A fold inside a search tests nobody; the fold that tests what a search has chosen validates on nobody.

    Raises
    ------
    ProtocolError : nobody trains, nobody validates nor is tested, or two sets share a subject
    """

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        for side, subjects in (("train", self.train), ("validation or test", self.validation + self.test)):
            if not subjects:
                raise ProtocolError(f"fold {self.name!r} has no {side} subject: use more subjects")
        for side, subjects in sides.items():
            if list(subjects) != sorted(set(subjects)):
                raise ProtocolError(f"the {side} subjects of fold {self.name!r} are not sorted or not unique")
        for (one, left), (other, right) in combinations(sides.items(), 2):
            shared = sorted(set(left) & set(right))
            if shared:
                raise ProtocolError(f"fold {self.name!r} has {', '.join(shared)} in {one} and in {other}")


@dataclass(frozen=True)
class MixedFold(Fold):
    """Everybody on all sides, for rows that are split at random; only published procedures do so."""

    def __post_init__(self) -> None:
        if not self.train == self.validation == self.test or list(self.test) != sorted(set(self.test)):
            raise ProtocolError(f"fold {self.name!r} mixes everybody, and its sides are not the same people")


@dataclass(frozen=True)
class FinalFold(Fold):
    """Everybody trains a model that is handed out; nobody is left to validate or to test it."""

    def __post_init__(self) -> None:
        if not self.train or self.validation or self.test or list(self.train) != sorted(set(self.train)):
            raise ProtocolError(
                f"fold {self.name!r} is to train everybody, and names {len(self.train)} people to train, "
                f"{len(self.validation)} to validate and {len(self.test)} to test"
            )


def make_fold(
    name: str, test: Sequence[str], groups: Mapping[str, str], validation_share: float, streams: Streams
) -> Fold:
    """The fold that tests some subjects, with seeded validation subjects from all others.

    Validation takes whole groups (people recorded together never stand on two sides), at least one group and
    about ``validation_share`` of the training side's subjects. The draw depends on the seed and the names of
    the subjects alone, never on their data.

    Raises
    ------
    ProtocolError : fewer than two groups are left to train and validate on
    """
    others = sorted(set(groups) - set(test))
    units = sorted({groups[subject] for subject in others})
    if len(units) < 2:
        raise ProtocolError(
            f"testing {', '.join(sorted(test))} leaves {len(others)} subjects in {len(units)} groups to "
            "train and validate on, and both sides need one: use at least 3 subjects"
        )
    n_validation = min(max(1, round(validation_share * len(others))), len(others) - 1)
    # Keyed by who is tested, so that a fold does not depend on which were made before it.
    order = streams.generator("validation", *sorted(test)).permutation(len(units))
    chosen: set[str] = set()
    # The last group drawn always trains: the share may not leave that side empty.
    for unit in (units[i] for i in order[:-1]):
        if sum(groups[subject] in chosen for subject in others) >= n_validation:
            break
        chosen.add(unit)
    return Fold(
        name=name,
        train=tuple(subject for subject in others if groups[subject] not in chosen),
        validation=tuple(subject for subject in others if groups[subject] in chosen),
        test=tuple(sorted(test)),
    )


def choose_subjects(subjects: Sequence[str], n: int, choice: str, streams: Streams) -> tuple[str, ...]:
    """The first ``n`` subjects or a seeded choice of them, in the order given.

    Raises
    ------
    ProtocolError : there are fewer than ``n``
    """
    if n > len(subjects):
        raise ProtocolError(f"{n} subjects are asked for, but there are {len(subjects)}")
    if choice == "first":
        return tuple(subjects[:n])
    picked = streams.generator("subjects").permutation(len(subjects))[:n]
    return tuple(subjects[i] for i in np.sort(picked))
