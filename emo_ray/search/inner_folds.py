"""Folds inside a search: who trains a candidate and who scores it, from names, groups and a seed alone."""

from collections.abc import Mapping, Sequence

from emo_ray.errors import ProtocolError
from emo_ray.experiment import ExperimentConfig
from emo_ray.protocols.duplicates import DuplicatePair
from emo_ray.protocols.fold import Fold
from emo_ray.search.config import FlatScoring, HoldOutScoring, KFoldScoring, Scoring
from emo_ray.training.seeding import Streams


def inner_folds(
    search: str,
    groups: Mapping[str, str],
    scoring: Scoring,
    experiment: ExperimentConfig,
    joined: Sequence[DuplicatePair] = (),
) -> tuple[Fold, ...]:
    """The folds that every candidate of a search is trained on.

    Parameters
    ----------
    search : name of the search; a draw depends on it, the seed and the names of the subjects alone
    groups : subjects that may take part, to who was recorded together; groups are never divided
    joined : copies that are one person; in ``groups`` they are together already

    Raises
    ------
    ProtocolError : too few groups for the scoring
    """
    if isinstance(scoring, FlatScoring):
        # Who takes part was chosen before.
        protocol = experiment.protocol.model_copy(update={"n_subjects": None})
        return protocol.folds(groups, experiment.seed, joined)
    units = sorted(set(groups.values()))
    n_sides = scoring.n_folds if isinstance(scoring, KFoldScoring) else 2
    if len(units) < n_sides:
        raise ProtocolError(
            f"{_place(search)} has {len(groups)} subjects in {len(units)} groups, and {scoring.kind} scoring "
            f"needs {n_sides}: use more subjects, or another --scoring"
        )
    order = Streams(experiment.seed).child("search", search).generator("inner folds").permutation(len(units))
    drawn = [units[i] for i in order]
    sides = (
        _hold_out(drawn, groups, scoring) if isinstance(scoring, HoldOutScoring) else _parts(drawn, n_sides)
    )
    stem = f"{search}/inner" if search else "inner"
    return tuple(_fold(f"{stem}-{number}", set(side), groups) for number, side in enumerate(sides, start=1))


def _hold_out(drawn: list[str], groups: Mapping[str, str], scoring: HoldOutScoring) -> list[list[str]]:
    """Groups in drawn order until they hold the share of the subjects; the last group always trains."""
    wanted = max(1, round(scoring.share * len(groups)))
    side: list[str] = []
    for unit in drawn[:-1]:
        if sum(group in side for group in groups.values()) >= wanted:
            break
        side.append(unit)
    return [side]


def _parts(drawn: list[str], n_parts: int) -> list[list[str]]:
    return [drawn[number::n_parts] for number in range(n_parts)]


def _fold(name: str, scoring_groups: set[str], groups: Mapping[str, str]) -> Fold:
    scored = {subject for subject, group in groups.items() if group in scoring_groups}
    return Fold(
        name=name,
        train=tuple(sorted(set(groups) - scored)),
        validation=tuple(sorted(scored)),
        test=(),
    )


def _place(search: str) -> str:
    return f"the search for {search!r}" if search else "the search"
