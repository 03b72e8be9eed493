"""Search spaces: which settings of an experiment are searched, over which values, and on which condition."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from emo_ray.config_errors import problem_list, suggestion
from emo_ray.errors import ConfigError

# YAML 1.1 reads 1e-4, without a point, as a text.
EXPONENT_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def plain(value: Any) -> Any:
    """A value as JSON would give it back: lists instead of tuples.

    Raises
    ------
    ValueError : JSON can not hold it
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{value!r} is no plain value (text, number, yes or no, list, mapping)") from error


def _not_a_truth(value: Any) -> Any:
    # pydantic would take true as 1
    if isinstance(value, bool):
        raise ValueError(f"{value} is no number")
    return value


def _as_values(value: Any) -> tuple[Any, ...]:
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(plain(item) for item in items)


def _as_conditions(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError("give the key of a Choice and its values, as in {model.kind: [mlp]}")
    return {key: _as_values(values) for key, values in value.items()}


Number = Annotated[float, BeforeValidator(_not_a_truth), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_not_a_truth)]
Conditions = Annotated[Mapping[str, tuple[Any, ...]], BeforeValidator(_as_conditions)]


class _Dimension(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Conditions = Field({}, description="searched only where each of these keys has one of these values")


def _check_range(low: int | float, high: int | float) -> None:
    if low == high:
        raise ValueError(f"the range is the one value {low:g}: set it in the experiment, it is not searched")
    if low > high:
        raise ValueError(f"the range is empty: {low:g} lies above {high:g}")


class Uniform(_Dimension):
    """A number, each as likely as any other; both ends belong to it."""

    kind: Literal["uniform"] = "uniform"
    low: Number
    high: Number

    @model_validator(mode="after")
    def _is_a_range(self) -> "Uniform":
        _check_range(self.low, self.high)
        return self

    def contains(self, value: Any) -> bool:
        """Whether a search could draw this value."""
        return _is_number(value) and self.low <= value <= self.high

    def examples(self) -> tuple[float, ...]:
        """Both ends, and a number between them that is not round."""
        return self.low, self.high, self.low + (self.high - self.low) / math.e


class LogUniform(_Dimension):
    """A number whose logarithm is uniform: each factor as likely as any other."""

    kind: Literal["log"] = "log"
    low: Number
    high: Number

    @model_validator(mode="after")
    def _is_a_range_above_zero(self) -> "LogUniform":
        _check_range(self.low, self.high)
        if self.low <= 0:
            raise ValueError(
                f"a log range can not reach 0 or below, and this is {self.low:g} to {self.high:g}: raise its "
                "lower end, or take uniform"
            )
        return self

    def contains(self, value: Any) -> bool:
        """Whether a search could draw this value."""
        return _is_number(value) and self.low <= value <= self.high

    def examples(self) -> tuple[float, ...]:
        """Both ends, and a number between them that is not round."""
        return self.low, self.high, self.low * (self.high / self.low) ** (1 / math.e)


class Integer(_Dimension):
    """A whole number from low to high, both included, in steps."""

    kind: Literal["int"] = "int"
    low: Whole
    high: Whole
    step: Whole = Field(1, ge=1)

    @model_validator(mode="after")
    def _is_a_range_of_whole_steps(self) -> "Integer":
        _check_range(self.low, self.high)
        rest = (self.high - self.low) % self.step
        if rest:
            last = self.high - rest
            ends = f"{self.low} alone is left" if last == self.low else f"{last} is the last one it meets"
            raise ValueError(f"steps of {self.step} from {self.low} do not end at {self.high}: {ends}")
        return self

    @property
    def values(self) -> tuple[int, ...]:
        """All of them, ascending."""
        return tuple(range(self.low, self.high + 1, self.step))

    def contains(self, value: Any) -> bool:
        """Whether a search could draw this value."""
        return _is_number(value) and value in range(self.low, self.high + 1, self.step)

    def examples(self) -> tuple[int, ...]:
        """Both ends."""
        return self.low, self.high


class Choice(_Dimension):
    """One of several plain values, in no order; tuples become lists."""

    kind: Literal["choice"] = "choice"
    choices: Annotated[tuple[Any, ...], BeforeValidator(_as_values)]

    @model_validator(mode="after")
    def _differ(self) -> "Choice":
        if not self.choices:
            raise ValueError("there is nothing to choose from")
        for one, other in itertools.combinations(self.choices, 2):
            # 1, 1.0 and True are one key to everything that counts or stores them
            if one == other:
                same = (
                    f"{one!r} twice"
                    if repr(one) == repr(other)
                    else f"{one!r} and {other!r}, which are equal"
                )
                raise ValueError(f"the choices hold {same}: name each once")
        return self

    @property
    def values(self) -> tuple[Any, ...]:
        """All of them, as given."""
        return self.choices

    def contains(self, value: Any) -> bool:
        """Whether a search could draw this value; a tuple is as good as a list."""
        try:
            return plain(value) in self.choices
        except ValueError:
            return False

    def examples(self) -> tuple[Any, ...]:
        """All of them."""
        return self.choices


Dimension = Annotated[Uniform | LogUniform | Integer | Choice, Field(discriminator="kind")]
Countable = Integer | Choice
_DIMENSION: TypeAdapter[Uniform | LogUniform | Integer | Choice] = TypeAdapter(Dimension)


class SearchSpace(BaseModel):
    """Dotted keys of an experiment, each with what it may be; the order they are given in has no meaning.

    Raises
    ------
    ConfigError : conditions that contradict each other or the rest, all at once
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: Mapping[str, Dimension]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "SearchSpace":
        problems = contradictions(self.dimensions)
        if problems:
            raise ConfigError(problem_list("the search space", problems))
        return self

    def ordered(self) -> tuple[str, ...]:
        """All keys by name, but each after the keys that its condition names."""
        order: list[str] = []
        # each round takes one that is ready: the space has no cycles
        while len(order) < len(self.dimensions):
            left = (key for key in sorted(self.dimensions) if key not in order)
            order.append(next(key for key in left if set(self.dimensions[key].when) <= set(order)))
        return tuple(order)

    def is_active(self, key: str, params: Mapping[str, Any]) -> bool:
        """Whether ``key`` is searched, given the values of the keys before it."""
        return all(
            parent in params and params[parent] in values and self.is_active(parent, params)
            for parent, values in self.dimensions[key].when.items()
        )

    def conditions(self, key: str) -> dict[str, tuple[Any, ...]]:
        """Keys that decide, by themselves or through others, whether this one is searched; their values."""
        return _conditions(self.dimensions, key)

    def grid(self) -> tuple[dict[str, Any], ...]:
        """All combinations; the first key of `ordered` changes slowest.

        Raises
        ------
        ConfigError : a dimension has no end of values
        """
        return self._combinations(self.ordered())

    @property
    def grid_size(self) -> int:
        """How many combinations there are, without making them all."""
        deciding = {parent for dimension in self.dimensions.values() for parent in dimension.when}
        order = [key for key in self.ordered() if key in deciding]
        rest = [key for key in self.dimensions if key not in deciding]
        return sum(
            math.prod(len(self._countable(key).values) for key in rest if self.is_active(key, point))
            for point in self._combinations(order)
        )

    def without(self, keys: Iterable[str]) -> "SearchSpace":
        """Less these keys, and less those that are searched only on a condition about them."""
        gone = set(keys)
        kept = {
            key: dimension
            for key, dimension in self.dimensions.items()
            if key not in gone and not gone & set(self.conditions(key))
        }
        return SearchSpace(dimensions=kept)

    def merged(self, other: "SearchSpace") -> "SearchSpace":
        """Both; a key of both is as in ``other``, its condition, too."""
        return SearchSpace(dimensions={**self.dimensions, **other.dimensions})

    def _countable(self, key: str) -> Countable:
        dimension = self.dimensions[key]
        if not isinstance(dimension, Countable):
            raise ConfigError(
                f"{key}: {dimension.kind} has no end of values, so it makes no grid: give a choice or an int"
            )
        return dimension

    def _combinations(self, keys: Sequence[str]) -> tuple[dict[str, Any], ...]:
        points: list[dict[str, Any]] = [{}]
        for key in keys:
            values = self._countable(key).values
            points = [
                extended
                for point in points
                for extended in (
                    [{**point, key: v} for v in values] if self.is_active(key, point) else [point]
                )
            ]
        return tuple(points)


def parse_space(content: Any, source: str) -> SearchSpace:
    """A space from the short forms of a file or a flag.

    ``{log: [1e-4, 3e-3]}``, ``{uniform: [0, 0.6]}``, ``{int: [1, 8], step: 1}``, ``{choice: [a, b]}`` or
    the bare list ``[a, b]``; any of them (but the bare list) with ``when: {other.key: [its, values]}``.

    Parameters
    ----------
    source : the file or flag that it comes from, for the message

    Raises
    ------
    ConfigError : all problems at once
    """
    if not isinstance(content, Mapping):
        raise ConfigError(
            f"{source}: a search space is a mapping from setting to values, as in "
            f"'model.dropout: {{uniform: [0, 0.6]}}', and this is {content!r}"
        )
    dimensions: dict[str, Any] = {}
    problems: list[str] = []
    for key, form in content.items():
        try:
            dimensions[str(key)] = _DIMENSION.validate_python(_long_form(form))
        except ValidationError as error:
            problems += [f"{key}: {_reason(details)}" for details in error.errors()]
        except ValueError as error:
            problems.append(f"{key}: {error}")
    problems += contradictions(dimensions, unread=[str(key) for key in content if str(key) not in dimensions])
    if problems:
        raise ConfigError(problem_list(source, problems))
    return SearchSpace(dimensions=dimensions)


def feature_space(modalities: Sequence[str]) -> SearchSpace:
    """Which sensors are used: every selection of these modalities but the empty one, the largest first."""
    sizes = range(len(modalities), 0, -1)
    selections = [list(chosen) for n in sizes for chosen in itertools.combinations(modalities, n)]
    return SearchSpace(dimensions={"modalities": Choice(choices=tuple(selections))})


def contradictions(dimensions: Mapping[str, Any], unread: Sequence[str] = ()) -> list[str]:
    """What is wrong with the conditions of a space, in words.

    Parameters
    ----------
    unread : keys that belong to the space, too, but have problems of their own
    """
    problems = [
        problem
        for key, dimension in dimensions.items()
        for parent, values in dimension.when.items()
        for problem in _condition_problems(key, (parent, values), dimensions, unread)
    ]
    cycle = _cycle(dimensions)
    if cycle:
        return [*problems, f"conditions go in a circle: {' needs '.join(cycle)}"]
    if problems or unread:
        return problems
    return [
        f"{key}: is never searched, its conditions and theirs leave no value of {parent}"
        for key in dimensions
        for parent, values in _conditions(dimensions, key).items()
        if not values
    ]


def _condition_problems(
    key: str, condition: tuple[str, tuple[Any, ...]], dimensions: Mapping[str, Any], unread: Sequence[str]
) -> Iterator[str]:
    parent, values = condition
    if parent not in dimensions:
        if parent not in unread:
            others = [other for other in dimensions if other != key] or ["no other key"]
            yield f"{key}: when names {parent!r}, which is not searched, {suggestion(parent, others)}"
        return
    dimension = dimensions[parent]
    if not isinstance(dimension, Choice):
        yield f"{key}: when names {parent!r}, which is no choice ({dimension.kind}): only a choice can decide"
        return
    if not values:
        yield f"{key}: when names {parent!r} without a value of it, so it is never searched"
    offered = ", ".join(map(str, dimension.choices))
    for value in values:
        if value not in dimension.choices:
            yield f"{key}: when asks for {parent} = {value!r}, which is not offered: {offered}"


def _cycle(dimensions: Mapping[str, Any]) -> list[str]:
    """Keys of a circle of conditions, the first one again at its end; empty where there is none."""

    def walk(path: list[str]) -> list[str]:
        for parent in dimensions[path[-1]].when:
            if parent in path:
                return [*path[path.index(parent) :], parent]
            found = walk([*path, parent]) if parent in dimensions else []
            if found:
                return found
        return []

    return next((found for key in dimensions if (found := walk([key]))), [])


def _conditions(dimensions: Mapping[str, Any], key: str) -> dict[str, tuple[Any, ...]]:
    merged: dict[str, tuple[Any, ...]] = {}
    for parent, values in dimensions[key].when.items():
        for name, wanted in [(parent, values), *_conditions(dimensions, parent).items()]:
            merged[name] = tuple(value for value in merged.get(name, wanted) if value in wanted)
    return merged


FORMS = ("choice", "int", "log", "uniform")


def _long_form(form: Any) -> dict[str, Any]:
    """The fields of a dimension from one of the short forms.

    Raises
    ------
    ValueError : it is none of them
    """
    if isinstance(form, list | tuple):
        form = {"choice": form}
    if not isinstance(form, Mapping):
        raise ValueError(f"{form!r} says not what to search: give one of {', '.join(FORMS)}, or a list")
    named = [name for name in form if name not in {"when", "step"}]
    unknown = [name for name in named if name not in FORMS]
    if unknown or len(named) != 1:
        hint = suggestion(str(unknown[0]), FORMS) if unknown else f"give one of {', '.join(FORMS)}"
        raise ValueError(f"unknown form {', '.join(map(repr, unknown or named)) or '(none)'}, {hint}")
    kind = named[0]
    rest = {name: _number(value) for name, value in form.items() if name != kind}
    if kind == "choice":
        options = form[kind] if isinstance(form[kind], list | tuple) else [form[kind]]
        return {"kind": kind, "choices": [_number(option) for option in options], **rest}
    bounds = form[kind]
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        raise ValueError(
            f"{kind} needs a lower and an upper end, as in {kind}: [1, 8], and this is {bounds!r}"
        )
    return {"kind": kind, "low": bounds[0], "high": bounds[1], **rest}


def _number(value: Any) -> Any:
    """The number that a text such as 1e-4 means; anything else as it is."""
    is_number = isinstance(value, str) and EXPONENT_NUMBER.fullmatch(value)
    return float(value) if is_number else value


def _reason(details: Any) -> str:
    """One problem of a dimension; pydantic puts the kind before the field."""
    field = ".".join(str(item) for item in details["loc"][1:] if not str(item).endswith("]"))
    if details["type"] == "extra_forbidden":
        return f"{field} does not go with {details['loc'][0]}"
    # a validator's own error, or else pydantic's, which starts with a capital
    own = details.get("ctx", {}).get("error")
    reason = str(own or details["msg"][:1].lower() + details["msg"][1:])
    return f"{field}: {reason} (it is {details['input']!r})" if field else reason


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
