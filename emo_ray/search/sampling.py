"""Drawing candidates: Optuna's samplers behind one seed a candidate, and a space in Optuna's terms.

A sampler is made afresh for every candidate, from a seed of its own, so it carries nothing from one to the
next but what the storage holds: a driver that restarts draws what the one that died would have drawn.
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    PartialFixedSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import BaseTrial, FrozenTrial, TrialState

from emo_ray.errors import ConfigError
from emo_ray.processes import one_thread
from emo_ray.search.config import SearchConfig
from emo_ray.search.restricted import restored_cma
from emo_ray.space import Choice, Integer, LogUniform, SearchSpace, Uniform, plain
from emo_ray.training.seeding import Streams

POPULATION = 10
"""Candidates of a generation of NSGA-II: Optuna's 50 would make a search of usual length a random one."""

_Maker = Callable[[int], BaseSampler]


def build_sampler(config: SearchConfig, seed: int, first: Mapping[str, Any] | None) -> BaseSampler:
    """The sampler of one candidate.

    Parameters
    ----------
    seed : of this candidate, derived from those of the search; nobody else's
    first : a known-good point to take as it is; keys that it leaves out are drawn

    Raises
    ------
    ConfigError : ``first`` has a value that the space does not hold
    """
    sampler: BaseSampler = _CandidateSampler(_maker(config), Streams(seed), _joint_space(config))
    if first is None:
        return sampler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PartialFixedSampler(encoded(config.space, first), sampler)


def suggest(trial: BaseTrial, space: SearchSpace) -> dict[str, Any]:
    """Values for all dimensions that are active, each after those that it depends on.

    On a trial that has some of its values already, those are kept, and the rest is drawn.
    """
    params: dict[str, Any] = {}
    for key in space.ordered():
        if not space.is_active(key, params):
            continue
        dimension = space.dimensions[key]
        if isinstance(dimension, Choice):
            labels = _labels(dimension)
            params[key] = dimension.choices[labels.index(trial.suggest_categorical(key, labels))]
        elif isinstance(dimension, Integer):
            # Optuna gives back numpy's numbers now and then, and from a first point whatever stood there.
            params[key] = int(trial.suggest_int(key, dimension.low, dimension.high, step=dimension.step))
        else:
            is_log = isinstance(dimension, LogUniform)
            params[key] = float(trial.suggest_float(key, dimension.low, dimension.high, log=is_log))
    return params


def distributions(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """Optuna's distribution of each of these parameters, in the order in which they are suggested."""
    return {key: _distribution(space.dimensions[key]) for key in space.ordered() if key in params}


def encoded(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, Any]:
    """These parameters as Optuna stores them: a choice that it can not hold, a list say, by its JSON text.

    Raises
    ------
    ConfigError : a value that the space does not hold
    """
    unknown = [key for key in params if key not in space.dimensions]
    outside = [
        f"{key} = {params[key]!r}"
        for key in space.ordered()
        if key in params and not space.dimensions[key].contains(params[key])
    ]
    if unknown or outside:
        raise ConfigError(
            f"a point of the search does not lie in its space: {', '.join([*unknown, *outside])}. Give "
            "values that the space holds, or widen it"
        )
    return {key: _encoded(space.dimensions[key], params[key]) for key in space.ordered() if key in params}


class _CandidateSampler(BaseSampler):
    """Any sampler, made so that what it draws for a parameter does not depend on what was drawn before.

    A driver may die when half of a candidate's parameters are in the storage. The next one draws the other
    half; with one generator for all, it would draw the first half's numbers for them.
    """

    def __init__(
        self, make: _Maker, streams: Streams, joint_space: dict[str, BaseDistribution] | None
    ) -> None:
        self._make = make
        self._streams = streams
        self._joint = make(_seed(streams, "joint"))
        self._joint_space = joint_space

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._joint_space is not None:
            return dict(self._joint_space)
        return self._joint.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._joint.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        alone = self._make(_seed(self._streams, "alone", param_name))
        return alone.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._joint.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self._joint.after_trial(study, trial, state, values)


class _GPSampler(GPSampler):
    """Optuna's, but a candidate whose drawing is resumed is not one of the others that run."""

    _own_number = -1

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._own_number = trial.number
        # One thread is 3 to 20 times as fast on these small matrices, and sums alike on every machine.
        with one_thread("scipy.linalg"):
            return super().sample_relative(study, trial, search_space)

    def _sample_relative_impl(
        self,
        study: Study,
        completed_trials: list[FrozenTrial],
        running_trials: list[FrozenTrial],
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        # It left what it drew in the storage before the driver died.
        others = [trial for trial in running_trials if trial.number != self._own_number]
        return super()._sample_relative_impl(study, completed_trials, others, search_space)


class _CmaEsSampler(CmaEsSampler):
    """Optuna's, but what it finds in the storage is not trusted."""

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> Any:
        for trial in reversed(completed_trials):
            prefix = self._attr_key_optimizer
            parts = {key: value for key, value in trial.system_attrs.items() if key.startswith(prefix)}
            if parts:
                return restored_cma(self._concat_optimizer_attrs(parts), trial.number)
        return None


def _joint_space(config: SearchConfig) -> dict[str, BaseDistribution] | None:
    """What a sampler draws together, where no condition makes that depend on the candidates so far.

    Optuna would intersect the spaces of all candidates for each new one: three quarters of the time of an
    ask at a thousand of them.
    """
    if _is_conditional(config.space):
        return None
    # These draw every parameter by itself.
    if config.sampler in {"random", "grid"} or (config.sampler == "tpe" and len(config.objectives) > 1):
        return {}
    known = distributions(config.space, config.space.dimensions)
    # CMA-ES moves through numbers; choices are drawn at random beside it.
    left_out = CategoricalDistribution if config.sampler == "cmaes" else ()
    return {
        key: known[key]
        for key in sorted(known)
        if not known[key].single() and not isinstance(known[key], left_out)
    }


def _is_conditional(space: SearchSpace) -> bool:
    return any(dimension.when for dimension in space.dimensions.values())


def _maker(config: SearchConfig) -> _Maker:
    """How to make the sampler that a config names, from a seed."""
    several = len(config.objectives) > 1
    # For several objectives Optuna draws each parameter by itself; that needs no groups.
    groups = not several and _is_conditional(config.space)
    makers: dict[str, _Maker] = {
        "tpe": lambda seed: TPESampler(seed=seed, multivariate=not several, group=groups, constant_liar=True),
        "random": lambda seed: RandomSampler(seed=seed),
        "gp": lambda seed: _GPSampler(seed=seed, warn_independent_sampling=False),
        # Stopped candidates count with their last value, or a generation under ASHA would take three.
        "cmaes": lambda seed: _CmaEsSampler(
            seed=seed, consider_pruned_trials=True, warn_independent_sampling=False
        ),
        "nsga2": lambda seed: NSGAIISampler(seed=seed, population_size=POPULATION),
        # The grid itself comes as first points.
        "grid": lambda seed: RandomSampler(seed=seed),
    }
    make = makers[config.sampler]

    def quietly(seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return make(seed)

    return quietly


def _seed(streams: Streams, *names: str) -> int:
    return streams.integer(*names) >> 31  # numpy's RandomState takes 32 bits


def _distribution(dimension: Uniform | LogUniform | Integer | Choice) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(_labels(dimension))
    if isinstance(dimension, Integer):
        return IntDistribution(dimension.low, dimension.high, step=dimension.step)
    return FloatDistribution(dimension.low, dimension.high, log=isinstance(dimension, LogUniform))


def _labels(dimension: Choice) -> tuple[CategoricalChoiceType, ...]:
    """What Optuna holds instead of the choices: themselves if it can, else the JSON text of each."""
    # All or none: the text "[1]" beside the list [1] would else be one label for two.
    if all(value is None or isinstance(value, bool | int | float | str) for value in dimension.choices):
        return dimension.choices
    return tuple(json.dumps(value, sort_keys=True) for value in dimension.choices)


def _encoded(dimension: Uniform | LogUniform | Integer | Choice, value: Any) -> Any:
    if isinstance(dimension, Choice):
        return _labels(dimension)[dimension.choices.index(plain(value))]
    return int(value) if isinstance(dimension, Integer) else float(value)
