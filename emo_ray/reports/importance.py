"""Which settings mattered: fANOVA of Optuna over the complete candidates of a search."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from emo_ray.reports.search_axes import space_of
from emo_ray.results.search_results import Candidate, SearchResults

MIN_COMPLETE = 4
"""Fewer candidates tell nothing about any setting."""


@dataclass(frozen=True)
class Importance:
    """Share of the variance of the first objective that each setting explains.

    Attributes
    ----------
    shares : key to a share; they sum to 1
    left_out : settings that not every complete candidate has: the method needs all of them everywhere
    n_candidates : complete ones that it was computed from
    """

    shares: Mapping[str, float]
    left_out: tuple[str, ...]
    n_candidates: int


def importance_of(results: SearchResults, candidates: Sequence[Candidate]) -> Importance | None:
    """None where fewer than four candidates are complete, or nothing varied.

    References
    ----------
    Hutter, Hoos & Leyton-Brown (2014), "An efficient approach for assessing hyperparameter importance", ICML.
    """
    complete = [one for one in candidates if one.state == "complete"]
    if len(complete) < MIN_COMPLETE or len({one.values[0] for one in complete}) == 1:
        return None
    space = space_of(results)
    everywhere = [key for key in space if all(key in one.params for one in complete)]
    varied = [key for key in everywhere if len({json.dumps(one.params[key]) for one in complete}) > 1]
    if not varied:
        return None
    distributions = {key: _distribution(space[key], [one.params[key] for one in complete]) for key in varied}
    study = _study(results, complete, distributions)
    # Seeded: the same candidates give the same shares.
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0), params=varied)
    tried = {key for one in candidates for key in one.params}
    left_out = tuple(key for key in space if key in tried and key not in everywhere)
    return Importance({key: float(share) for key, share in shares.items()}, left_out, len(complete))


def _study(
    results: SearchResults, complete: Sequence[Candidate], distributions: Mapping[str, BaseDistribution]
) -> optuna.Study:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would tell of the study that it made
    try:
        study = optuna.create_study(
            storage=optuna.storages.InMemoryStorage(),
            direction="maximize" if results.directions[0] == "max" else "minimize",
        )
    finally:
        optuna.logging.set_verbosity(verbosity)
    for one in complete:
        params = {key: _stored(distributions[key], one.params[key]) for key in distributions}
        trial = optuna.create_trial(params=params, distributions=dict(distributions), value=one.values[0])
        study.add_trial(trial)
    return study


def _distribution(dimension: Mapping[str, Any], tried: Sequence[Any]) -> BaseDistribution:
    if dimension["kind"] == "choice":
        return CategoricalDistribution(sorted({json.dumps(value) for value in tried}))
    # A known-good point may lie outside of the space.
    low, high = min(dimension["low"], *tried), max(dimension["high"], *tried)
    if dimension["kind"] == "int":
        return IntDistribution(int(low), int(high))
    return FloatDistribution(low, high, log=dimension["kind"] == "log")


def _stored(distribution: BaseDistribution, value: Any) -> Any:
    # JSON: lists of layer widths are no category for Optuna
    return json.dumps(value) if isinstance(distribution, CategoricalDistribution) else value
