"""What an earlier sweep hands to a new one: points to try first, and whose data chose them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emo_ray.errors import ConfigError
from emo_ray.results.search_journal import load_search
from emo_ray.results.search_results import Candidate, Direction
from emo_ray.space import SearchSpace

N_HANDED_ON = 5


@dataclass(frozen=True)
class WarmStart:
    """Points, and the subjects whose data chose them."""

    points: tuple[Mapping[str, Any], ...]
    subjects: tuple[str, ...]


def warm_start(root: Path, study: str, space: SearchSpace) -> WarmStart:
    """The best candidates of an earlier sweep that lie in this space.

    Raises
    ------
    ConfigError : the sweep was nested, or has no complete candidate that fits
    JournalError : there is no such sweep
    """
    results = load_search(root / "studies" / study)
    if results.is_nested:
        raise ConfigError(
            f"--warm-start {study}: a nested study has chosen on everybody's data, one choice a subject: "
            "name a sweep without --nested"
        )
    best = _ranked(results.searches[""], results.directions[0])
    if not best:
        raise ConfigError(f"--warm-start {study}: none of its candidates is complete")
    fitting = [one.params for one in best if _fits(one.params, space)]
    if not fitting:
        raise ConfigError(
            f"--warm-start {study}: none of its {len(best)} complete candidates lies in this space, whose "
            f"settings are {', '.join(space.ordered())}; the best of them has "
            f"{', '.join(f'{key}={value}' for key, value in best[0].params.items())}"
        )
    seen = {*results.header["subjects"], *results.header["prior_subjects"]}
    return WarmStart(tuple(fitting[:N_HANDED_ON]), tuple(sorted(seen)))


def _ranked(candidates: tuple[Candidate, ...], direction: Direction) -> list[Candidate]:
    sign = 1.0 if direction == "max" else -1.0
    complete = [one for one in candidates if one.state == "complete"]
    return sorted(complete, key=lambda one: (-sign * one.values[0], one.number))


def _fits(params: Mapping[str, Any], space: SearchSpace) -> bool:
    return all(
        key in space.dimensions and space.is_active(key, params) and space.dimensions[key].contains(value)
        for key, value in params.items()
    )
