"""The rules that yield folds: leave one subject out, leave one group out, one subject hold-out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from emo_ray.errors import ProtocolError
from emo_ray.protocols.fold import Fold, choose_subjects, make_fold
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

    def folds(self, groups: Mapping[str, str], seed: int) -> tuple[Fold, ...]:
        """All folds over the subjects, keys of ``groups``; its values name who was recorded together.

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
        return self._split({subject: groups[subject] for subject in subjects}, streams)

    @abstractmethod
    def _split(self, groups: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]: ...


class LeaveOneSubjectOut(ProtocolConfig):
    """Every subject is tested once by a model that trained on the others.

    With ``n_subjects`` the corpus is cut to so many subjects: the published system's LOSO-10 and LOSO-25.
    """

    kind: Literal["loso"] = "loso"

    def _split(self, groups: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]:
        # Groups of one: people recorded together may stand on two sides here, but not under logo.
        alone = {subject: subject for subject in groups}
        return tuple(
            make_fold(subject, [subject], alone, self.validation_share, streams) for subject in groups
        )


class LeaveOneGroupOut(ProtocolConfig):
    """Everybody who was recorded together is tested together; people recorded alone are groups of one."""

    kind: Literal["logo"] = "logo"

    def _split(self, groups: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]:
        names = list(dict.fromkeys(groups.values()))
        members = {name: [subject for subject in groups if groups[subject] == name] for name in names}
        return tuple(make_fold(name, members[name], groups, self.validation_share, streams) for name in names)


class HoldOut(ProtocolConfig):
    """One split: a seeded choice of subjects is tested, all others train; the published 30-7 has n_test=7."""

    kind: Literal["hold_out"] = "hold_out"
    n_test: int = Field(7, ge=1, description="test subjects")

    def _split(self, groups: Mapping[str, str], streams: Streams) -> tuple[Fold, ...]:
        if self.n_test > len(groups) - 2:
            raise ProtocolError(
                f"a hold-out of {self.n_test} of {len(groups)} subjects leaves too few to train and "
                f"validate on: set protocol.n_test to {max(1, len(groups) - 2)} or less"
            )
        # A child stream: with the parent's, this choice would repeat the draw that n_subjects made.
        test = choose_subjects(list(groups), self.n_test, "seeded", streams.child("hold_out"))
        alone = {subject: subject for subject in groups}
        name = f"hold-out-{len(groups) - self.n_test}-{self.n_test}"
        return (make_fold(name, test, alone, self.validation_share, streams),)


AnyProtocol = Annotated[LeaveOneSubjectOut | LeaveOneGroupOut | HoldOut, Field(discriminator="kind")]
PROTOCOLS: Mapping[str, type[ProtocolConfig]] = {
    "loso": LeaveOneSubjectOut,
    "logo": LeaveOneGroupOut,
    "hold_out": HoldOut,
}
