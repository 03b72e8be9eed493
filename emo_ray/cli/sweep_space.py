"""The search space of a sweep: the model's own or a file's, with what the command line adds and pins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emo_ray.cli.definition import SweepJob
from emo_ray.cli.overrides import parse_value
from emo_ray.cli.problems import Problems
from emo_ray.config_errors import suggestion
from emo_ray.errors import ConfigError
from emo_ray.experiment import ExperimentConfig
from emo_ray.models.base import ModelConfig
from emo_ray.models.registry import MODELS
from emo_ray.models.search_space import space_over
from emo_ray.search.checks import idle_keys
from emo_ray.space import EXPONENT_NUMBER, Choice, Dimension, Integer, SearchSpace, parse_space


@dataclass(frozen=True)
class SpaceRequest:
    """What the command line says of the space.

    Attributes
    ----------
    file : of --space; empty for the model's own
    models : kinds to search over, where --model names several
    added : --search
    pinned : fields that were given a value
    """

    file: str
    models: tuple[str, ...]
    added: Sequence[str]
    pinned: Mapping[str, Any]


def space_of(
    job: SweepJob, request: SpaceRequest, base: ExperimentConfig, problems: Problems
) -> tuple[SearchSpace | None, list[str]]:
    """The space, and a line on everything that it lost on the way; what can not be read is a problem.

    Where a part of it can not be read the rest is returned, so that it can be judged, too.
    """
    notes: list[str] = []
    forms: dict[str, Any] = {}
    if request.file:
        forms = problems.attempt(lambda: _file_forms(Path(request.file))) or {}
    else:
        own, notes = _own_space(job, request, base)
        forms = {key: _form(dimension) for key, dimension in own.dimensions.items()}
    added = problems.attempt(lambda: _added_forms(request.added)) or {}
    for key in sorted(set(added) & set(request.pinned)):
        problems.add(f"{key}: --search searches it and {key}=... pins it: give one of them")
    whole = {**forms, **added}
    space = problems.attempt(lambda: parse_space(whole, request.file or "the search space"))
    space = _readable_part(whole) if space is None else space
    if space is None:
        return None, notes
    for key, value in request.pinned.items():
        if key not in added:
            space, lost = pin(space, key, value)
            notes += lost
    idle = idle_keys(space, base)
    return space, [*notes, *(f"{key} is searched in vain: {reason}" for key, reason in idle.items())]


def pin(space: SearchSpace, field: str, value: Any) -> tuple[SearchSpace, list[str]]:
    """Take a field, and all below it, out of the space; conditions on it hold or do not from now on."""
    pinned = [key for key in space.dimensions if key == field or key.startswith(f"{field}.")]
    if not pinned:
        return space, []
    kept = {key: dimension for key, dimension in space.dimensions.items() if key not in pinned}
    never = [key for key, d in kept.items() if field in d.when and value not in d.when[field]]
    opened = {
        key: dimension.model_copy(
            update={"when": {k: v for k, v in dimension.when.items() if k not in pinned}}
        )
        for key, dimension in kept.items()
        if key not in never
    }
    # What hung on a setting that is never searched is not searched either.
    orphans = [key for key, d in opened.items() if set(d.when) - set(opened)]
    rest = SearchSpace(dimensions={key: d for key, d in opened.items() if key not in orphans})
    also = f" (nor {', '.join([*never, *orphans])})" if never or orphans else ""
    return rest, [f"{', '.join(pinned)} is pinned to {value}, so it is not searched{also}"]


def read_points(path: str) -> tuple[Mapping[str, Any], ...]:
    """Points to try first, from a YAML list of mappings.

    Raises
    ------
    ConfigError : it can not be read, or is no such list
    """
    content = _read_yaml(Path(path))
    if not isinstance(content, list) or not all(isinstance(point, dict) and point for point in content):
        raise ConfigError(
            f"{path}: points to try first are a list, each a mapping from setting to value, as in "
            "'- {model.dropout: 0.3, training.batch_size: 32}'"
        )
    return tuple({str(key): _number(value) for key, value in point.items()} for point in content)


def _own_space(job: SweepJob, request: SpaceRequest, base: ExperimentConfig) -> tuple[SearchSpace, list[str]]:
    if len(request.models) > 1:
        space = space_over([_config(kind) for kind in request.models])
    elif job.space is not None and base.model.kind == job.own_model.kind:
        space = job.space
    else:
        space = base.model.search_space()
    # Nobody asked for these by name: they go, where this task does not read them.
    idle = idle_keys(space, base)
    return space.without(idle), [f"{key} is not searched: {reason}" for key, reason in idle.items()]


def _config(kind: str) -> ModelConfig:
    if kind not in MODELS:
        raise ConfigError(f"--model {kind!r}: {suggestion(kind, list(MODELS))}")
    return MODELS[kind].model_validate({})


def _file_forms(path: Path) -> dict[str, Any]:
    content = _read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: a search space is a mapping from setting to values, as in "
            f"'model.dropout: {{uniform: [0, 0.6]}}'"
        )
    return {str(key): form for key, form in content.items()}


def _added_forms(added: Sequence[str]) -> dict[str, Any]:
    forms: dict[str, Any] = {}
    for text in added:
        key, equals, spec = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"--search {text!r} is not KEY=SPEC, as in 'model.dropout={{uniform: [0, 0.5]}}'"
            )
        if key.strip() in forms:
            raise ConfigError(f"--search {key.strip()} is given twice")
        forms[key.strip()] = parse_value(spec, f"--search {text}")
    return forms


def _form(dimension: Dimension) -> dict[str, Any]:
    """The short form that `parse_space` makes this dimension of."""
    when = {key: list(values) for key, values in dimension.when.items()}
    if isinstance(dimension, Choice):
        return {"choice": list(dimension.choices), "when": when}
    step = {"step": dimension.step} if isinstance(dimension, Integer) else {}
    return {dimension.kind: [dimension.low, dimension.high], **step, "when": when}


def _readable_part(forms: Mapping[str, Any]) -> SearchSpace | None:
    """Of a space that can not be read as a whole what can be, without conditions; to judge it, too."""
    free = {key: form for key, form in forms.items() if not (isinstance(form, Mapping) and form.get("when"))}
    good = {key: form for key, form in free.items() if _is_readable(key, form)}
    return parse_space(good, "the search space") if good else None


def _is_readable(key: str, form: Any) -> bool:
    try:
        parse_space({key: form}, "the search space")
    except ConfigError:
        return False
    return True


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.expanduser().read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: can not be read ({error.strerror or error})") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: is no YAML ({' '.join(str(error).split())})") from error


def _number(value: Any) -> Any:
    is_number = isinstance(value, str) and EXPONENT_NUMBER.fullmatch(value)
    return float(value) if is_number else value
