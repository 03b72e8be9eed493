"""The rules that yield folds: leave one subject, group or data set out, one subject hold-out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from emo_ray.errors import ProtocolError
from emo_ray.protocols.duplicates import DuplicatePair, DuplicateRule, units_of
from emo_ray.protocols.fold import Fold, MixedFold, choose_subjects, make_fold
from emo_ray.training.seeding import Streams


class ProtocolConfig(BaseModel, ABC):
    """A rule that yields folds. Nothing but names, groups and a seed goes in: no data can steer it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    n_subjects: int | None = Field(None, ge=3, description="use so many subjects only; None is all")
    choice: Literal["first", "seeded"] = Field("first", description="which subjects, where n_subjects is set")
    validation_share: float = Field(
        0.2, gt=0, lt=1, description="share of the training side kept for validation"
    )

    duplicates: DuplicateRule = Field(
        "refuse",
        description="two subjects who are near copies of each other - refuse: an error names them; group: "
        "they are tested together; ignore: one may train what tests the other, and the report says so",
    )

    def folds(
        self, groups: Mapping[str, str], seed: int, duplicates: Sequence[DuplicatePair] = ()
    ) -> tuple[Fold, ...]:
        """All folds over the subjects, keys of ``groups``; its values name who was recorded together.

        Who is among ``duplicates`` is tested, and validates, together with all copies, under every rule.

        Raises
        ------
        ProtocolError : there are too few subjects, or groups, for this rule
        """
        streams = Streams(seed).child("protocol")
        subjects = choose_subjects(list(groups), self.n_subjects or len(groups), self.choice, streams)
        if len(subjects) < 3:
            raise ProtocolError(
                f"{self.kind} needs at least 3 subjects (one to test, one to validate, one to train), "
                f"but there {'is' if len(subjects) == 1 else 'are'} {len(subjects)}: "
                f"{', '.join(subjects) or 'none'}"
            )
        units = units_of({subject: self._unit(subject, groups) for subject in subjects}, duplicates)
        return self._split(units, streams)

    def _unit(self, subject: str, groups: Mapping[str, str]) -> str:
        """Who a subject is never parted from. Alone: people recorded together may stand on two sides."""
        return subject

    @abstractmethod
    def _split(self, units: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]: ...


class LeaveOneSubjectOut(ProtocolConfig):
    """Every subject is tested once by a model that trained on the others.

    With ``n_subjects`` the corpus is cut to so many subjects: the published system's LOSO-10 and LOSO-25.
    """

    kind: Literal["loso"] = "loso"

    def _split(self, units: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]:
        return _leave_units_out(units, self.validation_share, streams)


class LeaveOneGroupOut(ProtocolConfig):
    """Everybody who was recorded together is tested together; people recorded alone are groups of one."""

    kind: Literal["logo"] = "logo"

    def _unit(self, subject: str, groups: Mapping[str, str]) -> str:
        return groups[subject]

    def _split(self, units: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]:
        return _leave_units_out(units, self.validation_share, streams)


class LeaveOneDatasetOut(ProtocolConfig):
    """Every data set is tested once, all its subjects together, by a model that trained on the others.

    What stands before the slash of a subject's name is its data set. Validation takes its share of every data
    set that trains, so that none of them is heard of in training alone.
    """

    kind: Literal["lodo"] = "lodo"

    def _split(self, units: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]:
        datasets = dict.fromkeys(_dataset(subject) for subject in units)
        if len(datasets) < 2:
            raise ProtocolError(
                f"lodo needs two data sets or more, and all {len(units)} subjects are of "
                f"{', '.join(datasets)}: take corpus multi, or protocol loso"
            )
        return tuple(self._fold(dataset, units, streams) for dataset in datasets)

    def _fold(self, dataset: str, units: Mapping[str, str], streams: Streams) -> Fold:
        tested = {unit for subject, unit in units.items() if _dataset(subject) == dataset}
        # Copies of whom is tested are tested, too, whichever data set they are in.
        test = sorted(subject for subject, unit in units.items() if unit in tested)
        others = {subject: unit for subject, unit in sorted(units.items()) if unit not in tested}
        if len(set(others.values())) < 2:
            raise ProtocolError(
                f"testing {dataset} leaves {len(others)} others to train and validate on, "
                "and both sides need one: use more subjects"
            )
        chosen = self._validation(others, streams.child("without", dataset))
        train = tuple(subject for subject, unit in others.items() if unit not in chosen)
        validation = tuple(subject for subject, unit in others.items() if unit in chosen)
        return Fold(dataset, train, validation, tuple(test))

    def _validation(self, others: Mapping[str, str], streams: Streams) -> set[str]:
        """Units that validate: the share of every data set, at least one, and never its last."""
        home: dict[str, str] = {}  # copies count where the first of them is
        for subject, unit in others.items():
            home.setdefault(unit, _dataset(subject))
        chosen: set[str] = set()
        for dataset in sorted(set(home.values())):
            own = sorted(unit for unit in home if home[unit] == dataset)
            n_validation = min(max(1, round(self.validation_share * len(own))), len(own) - 1)
            order = streams.generator("validation", dataset).permutation(len(own))
            chosen |= {own[i] for i in order[:n_validation]}
        # data sets of one person each: one of these people validates
        return chosen or {sorted(home)[streams.generator("validation").integers(len(home))]}


class HoldOut(ProtocolConfig):
    """One split: a seeded choice of subjects is tested, all others train; the published 30-7 has n_test=7."""

    kind: Literal["hold_out"] = "hold_out"
    n_test: int = Field(7, ge=1, description="test subjects")

    def _split(self, units: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]:
        if self.n_test > len(units) - 2:
            raise ProtocolError(
                f"a hold-out of {self.n_test} of {len(units)} subjects leaves too few to train and "
                f"validate on: set protocol.n_test to {max(1, len(units) - 2)} or less"
            )
        # A child stream: with the parent's, this choice would repeat the draw that n_subjects made.
        chosen = choose_subjects(list(units), self.n_test, "seeded", streams.child("hold_out"))
        tested = {units[subject] for subject in chosen}
        # Copies of whom was chosen are tested, too.
        test = [subject for subject, unit in units.items() if unit in tested]
        name = f"hold-out-{len(units) - len(test)}-{len(test)}"
        return (make_fold(name, test, units, self.validation_share, streams),)


class RandomRows(ProtocolConfig):
    """Segments are split at random, 70/15/15 within each class, whoever they are of: a published leak."""

    kind: Literal["random_rows"] = "random_rows"

    def _split(self, units: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]:
        everybody = tuple(sorted(units))
        return (MixedFold("random-rows", everybody, everybody, everybody),)


def _dataset(subject: str) -> str:
    return subject.rpartition("/")[0]


def _leave_units_out(units: Mapping[str, str], validation_share: float, streams: Streams) -> tuple[Fold, ...]:
    names = dict.fromkeys(units.values())
    members = {name: [subject for subject in units if units[subject] == name] for name in names}
    return tuple(make_fold(name, members[name], units, validation_share, streams) for name in names)


AnyProtocol = Annotated[
    LeaveOneSubjectOut | LeaveOneGroupOut | LeaveOneDatasetOut | HoldOut | RandomRows,
    Field(discriminator="kind"),
]
PROTOCOLS: Mapping[str, type[ProtocolConfig]] = {
    "loso": LeaveOneSubjectOut,
    "logo": LeaveOneGroupOut,
    "lodo": LeaveOneDatasetOut,
    "hold_out": HoldOut,
    "random_rows": RandomRows,
}
