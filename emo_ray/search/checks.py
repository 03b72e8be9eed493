"""What a search and its experiment can have against each other, said before anything starts. Pure."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from emo_ray.config_errors import problem_list, suggestion
from emo_ray.errors import ConfigError
from emo_ray.experiment import ExperimentConfig
from emo_ray.search.config import COSTS, FlatScoring, KFoldScoring, NoStopping, SearchConfig
from emo_ray.space import Choice, Integer, LogUniform, SearchSpace, Uniform
from emo_ray.training.config import PRIMARY
from emo_ray.training.metrics import metric_names

Problems = Iterator[str]

KIND = "model.kind"
EPOCHS = "training.max_epochs"
FEATURES = ("extraction", "modalities")
MAX_COMBINATIONS = 1_000

# Keys, or the rooms they are in, that a search may not touch.
REFUSED: Mapping[str, str] = {
    "corpus": "other recordings are another question, and scores on them do not compare",
    "task": "another task is another question, and its scores do not compare",
    "protocol": "candidates compare only if the same people train, choose and test them",
    "seed": "a seed is no setting: the search would keep the luckiest draw",
    "scaling": "what scales with a test subject's own data belongs to another column of the results",
    "references": "the models to beat do not depend on the model",
    "procedure": "a flaw of a published procedure is no setting",
    "training.checkpoint_every_s": "it can not change a result",
    "extraction.kind": "each kind reads other recordings: make a study of each",
}


def check_search(config: SearchConfig, base: ExperimentConfig) -> None:
    """Refuse a search that can not work, or not mean what it says.

    How many subjects it needs is checked where they are known (`inner_folds`), and so are sensors.

    Parameters
    ----------
    base : what the candidates change

    Raises
    ------
    ConfigError : all problems at once
    """
    checks: Sequence[Callable[[SearchConfig, ExperimentConfig], Problems]] = (
        _space,
        _first_points,
        _objectives,
        _sampler,
        _stopping,
    )
    # Two values may break one rule: once is enough.
    problems = list(dict.fromkeys(problem for check in checks for problem in check(config, base)))
    if problems:
        raise ConfigError(problem_list("the search", problems))


def objective_names(config: SearchConfig, base: ExperimentConfig) -> tuple[str, ...]:
    """The objectives by their own names: ``primary`` is what the task says it is."""
    return tuple(base.task.primary_metric if name == PRIMARY else name for name in config.objectives)


def idle_keys(space: SearchSpace, base: ExperimentConfig) -> dict[str, str]:
    """Keys of a space that change nothing on this task, each with the reason; a search of them is wasted."""
    kinds = {head.kind for head in base.task.heads}
    needs = {
        "training.loss.event_weight": "event",
        "training.loss.event_row_weight": "event",
        "training.loss.balance_events": "event",
        "training.loss.balance_classes": "classes",
        "training.loss.label_smoothing": "classes",
        "training.sampling.classes": "classes",
        "training.loss.standardise_values": "value",
    }
    return {
        key: f"the task {base.task.kind} has no head of kind {kind!r}, which alone reads it"
        for key, kind in needs.items()
        if key in space.dimensions and kind not in kinds
    }


def _space(config: SearchConfig, base: ExperimentConfig) -> Problems:
    space = config.space
    if not space.dimensions:
        yield "space: it is empty, there is nothing to search"
    for key in space.ordered():
        refusal = _refusal(key)
        if refusal:
            yield f"{key}: can not be searched, {refusal}"
        elif key.split(".")[0] in FEATURES:
            yield from _is_choice(key, space)
        else:
            yield from _values(key, space, base)
    for key in space.dimensions:
        below = [other for other in space.dimensions if other.startswith(f"{key}.")]
        if below:
            yield f"{key}: stands for all below it, so {', '.join(below)} can not be searched beside it"
    yield from _features(space, base)
    yield from _epochs(space, base)


def _refusal(key: str) -> str:
    return next((reason for name, reason in REFUSED.items() if key == name or key.startswith(f"{name}.")), "")


def _is_choice(key: str, space: SearchSpace) -> Problems:
    dimension = space.dimensions[key]
    if not isinstance(dimension, Choice):
        yield (
            f"{key}: must be a choice and not {dimension.kind}, for each extraction is computed and stored "
            "once, before the search"
        )


def _values(key: str, space: SearchSpace, base: ExperimentConfig) -> Problems:
    """Every choice, or both ends and something between, in an experiment where the key counts."""
    dimension = space.dimensions[key]
    values = dimension.examples()
    for around in _surroundings(key, space):
        where = f", where {KIND} is {around[KIND]}" if KIND in around else ""
        # what lies inside a range is of interest where its ends are fine
        inside = 2 if isinstance(dimension, Uniform | LogUniform) else len(values)
        found = _new_problems(key, values[:inside], base, around)
        for problem in found or _new_problems(key, values[inside:], base, around):
            yield f"{problem if problem.startswith(key) else f'{key}: {problem}'}{where}"


def _new_problems(
    key: str, values: Sequence[Any], base: ExperimentConfig, around: Mapping[str, Any]
) -> list[str]:
    # what is wrong without the key is told where it belongs
    known = set(_experiment_problems(base, around))
    found = [problem for value in values for problem in _experiment_problems(base, {**around, key: value})]
    return [problem for problem in found if problem not in known]


def _surroundings(key: str, space: SearchSpace) -> Iterator[dict[str, Any]]:
    """Values of the keys that decide whether this one is searched: the first of each, but every model."""
    conditions = space.conditions(key)
    around = {parent: values[0] for parent, values in conditions.items() if not _refusal(parent)}
    of_model = key.startswith("model.") and key != KIND
    kind = space.dimensions.get(KIND)
    if not (of_model and isinstance(kind, Choice)):
        yield around
        return
    for value in conditions.get(KIND, kind.choices):
        yield {KIND: value, **{parent: first for parent, first in around.items() if parent != KIND}}


def _experiment_problems(base: ExperimentConfig, settings: Mapping[str, Any]) -> list[str]:
    try:
        changed = base.changed(settings)
    except ConfigError as error:
        head, *lines = str(error).split("\n")
        return [line.strip() for line in lines] or [head]
    monitor = changed.resolved_training.monitor
    known = ("loss", *metric_names(changed.task.heads))
    if monitor in known:
        return []
    return [f"training.monitor: the task has no {monitor!r}, {suggestion(monitor, known)}"]


def _features(space: SearchSpace, base: ExperimentConfig) -> Problems:
    """All combinations of feature settings: some are right only together, and all of them are computed."""
    keys = [key for key in space.dimensions if key.split(".")[0] in FEATURES and not _refusal(key)]
    if not all(isinstance(space.dimensions[key], Choice) for key in keys):
        return
    # with the keys that they depend on
    names = dict.fromkeys(itertools.chain(keys, *(space.conditions(key) for key in keys)))
    part = SearchSpace(dimensions={name: space.dimensions[name] for name in names})
    if part.grid_size > MAX_COMBINATIONS:
        yield (
            f"{', '.join(keys)}: {part.grid_size} combinations of feature settings are more than "
            f"{MAX_COMBINATIONS}, and each has to be tried before the search: offer fewer"
        )
        return
    for point in part.grid():
        settings = {key: value for key, value in point.items() if not _refusal(key)}
        yield from _experiment_problems(base, settings)


def _epochs(space: SearchSpace, base: ExperimentConfig) -> Problems:
    dimension = space.dimensions.get(EPOCHS)
    limit = base.training.max_epochs
    numbers = [n for n in dimension.examples() if isinstance(n, int | float)] if dimension else []
    if numbers and max(numbers) > limit:
        yield (
            f"{EPOCHS}: may go up to {max(numbers):g}, but the experiment has {limit}, by which the steps of "
            f"all candidates are counted: set {EPOCHS} to {max(numbers):g} there, or search below"
        )


def _first_points(config: SearchConfig, base: ExperimentConfig) -> Problems:
    space = config.space
    for number, point in enumerate(config.first, start=1):
        for key, value in point.items():
            problem = _point_problem(space, point, key, value)
            if problem:
                yield f"first point {number}: {key}: {problem}"


def _point_problem(space: SearchSpace, point: Mapping[str, Any], key: str, value: Any) -> str:
    if key not in space.dimensions:
        return f"is not searched, {suggestion(key, space.ordered())}"
    for parent, values in space.conditions(key).items():
        wanted = " or ".join(map(str, values))
        if parent not in point:
            return f"counts only where {parent} is {wanted}: name that, too"
        if point[parent] not in values:
            return f"counts only where {parent} is {wanted}, and here it is {point[parent]}: leave it out"
    dimension = space.dimensions[key]
    if not dimension.contains(value):
        return f"{value!r} is outside {_described(dimension)}"
    return ""


def _described(dimension: Uniform | LogUniform | Integer | Choice) -> str:
    if isinstance(dimension, Choice):
        return f"the choices {', '.join(map(str, dimension.choices))}"
    steps = f" in steps of {dimension.step}" if isinstance(dimension, Integer) and dimension.step > 1 else ""
    whole = "the whole numbers " if isinstance(dimension, Integer) else ""
    return f"{whole}{dimension.low:g} to {dimension.high:g}{steps}"


def _objectives(config: SearchConfig, base: ExperimentConfig) -> Problems:
    # the share of positives tells about the rows, and no candidate can change it
    scores = [name for name in metric_names(base.task.heads) if name.rpartition("/")[2] != "rate"]
    names = objective_names(config, base)
    for name in names:
        if name == "loss":
            yield "objectives: the loss changes with training.loss, so it compares nothing: take a score"
        elif name not in {*scores, *COSTS}:
            yield (
                f"objectives: the task has no score {name!r}: it has {', '.join(scores)}; beside a score "
                f"{' and '.join(COSTS)} can be objectives"
            )
    if names[0] in COSTS:
        yield (
            f"objectives: {names[0]} can not be the first: candidates are chosen, and stopped, by a score; "
            "put it after one"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        aside = f" (primary is {base.task.primary_metric})" if PRIMARY in config.objectives else ""
        yield f"objectives: {', '.join(twice)} stands there twice{aside}"
    if len(names) > 1 and not isinstance(config.stopping, NoStopping):
        yield (
            f"stopping: {config.stopping.kind} can not be used with {len(names)} objectives, as Optuna takes "
            "no intermediate values of several: choose stopping none, or one objective"
        )


def _sampler(config: SearchConfig, base: ExperimentConfig) -> Problems:
    if config.sampler == "cmaes":
        yield from _cmaes(config)
    if config.sampler == "grid":
        yield from _grid(config)


def _cmaes(config: SearchConfig) -> Problems:
    if len(config.objectives) > 1:
        yield (
            f"sampler: cmaes knows one objective and there are {len(config.objectives)}: take nsga2 or tpe, "
            "or one objective"
        )
    dimensions = config.space.dimensions
    numeric = [key for key, dimension in dimensions.items() if not isinstance(dimension, Choice)]
    conditional = [key for key in numeric if dimensions[key].when]
    # Optuna's CmaEsSampler draws at random, and says so in the log only, once its dimensions change.
    if conditional:
        yield (
            f"sampler: cmaes needs its dimensions in every candidate, and {', '.join(conditional)} "
            f"{'has' if len(conditional) == 1 else 'have'} a condition: take tpe, or search one model"
        )
    if dimensions and not numeric:
        yield "sampler: cmaes draws choices at random, and the space has nothing else: take tpe"


def _grid(config: SearchConfig) -> Problems:
    endless = [k for k, d in config.space.dimensions.items() if isinstance(d, Uniform | LogUniform)]
    if endless:
        yield (
            f"sampler: a grid has no place for {', '.join(endless)}, which "
            f"{'is a range' if len(endless) == 1 else 'are ranges'} without steps: give choices or ints"
        )
        return
    size, budget = config.space.grid_size, config.budget.n_candidates
    if budget is not None and size > budget:
        yield (
            f"budget: the grid has {size} points and the budget is {budget} candidates: raise it to {size}, "
            "or thin the grid"
        )


def _stopping(config: SearchConfig, base: ExperimentConfig) -> Problems:
    # how many folds a flat search has depends on the subjects
    if isinstance(config.stopping, NoStopping) or isinstance(config.scoring, FlatScoring):
        return
    n_folds = config.scoring.n_folds if isinstance(config.scoring, KFoldScoring) else 1
    n_epochs, grace = base.training.max_epochs * n_folds, config.stopping.grace_epochs
    if grace > n_epochs:
        over = f" over {n_folds} folds" if n_folds > 1 else ""
        yield (
            f"stopping: grace_epochs {grace} is more than the {n_epochs} epochs that a candidate can "
            f"have{over}, so none would ever be stopped: lower it, or choose stopping none"
        )
