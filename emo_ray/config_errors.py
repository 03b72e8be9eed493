"""What is wrong with a configuration, in words: all problems at once, each with its key and the next step."""

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

MAX_VALUE_LETTERS = 60


def explain(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """All problems of a configuration, as the message of a `ConfigError`.

    ``model`` is the class that was to be made: it knows the keys that would have been right. ``source``
    names the file or the command-line option that the values come from.
    """
    lines = [_problem(details, model) for details in error.errors(include_url=False)]
    # Members of a union complain of the same key once each.
    lines = list(dict.fromkeys(lines))
    return problem_list(source, lines)


def problem_list(source: str, problems: Sequence[str]) -> str:
    """Message of an error that holds all problems at once, a line each."""
    count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
    return "\n".join([f"{source}: {count}", *(f"  {problem}" for problem in problems)])


def suggestion(name: str, known: Sequence[str]) -> str:
    """``"did you mean 'path'?"`` where a known name is near, else the known names."""
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"


def _problem(details: ErrorDetails, model: type[BaseModel]) -> str:
    path, owner = _locate(details["loc"], model)
    key = ".".join(path) or "the whole"
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        name = path[-1] if path else ""
        return f"{key}: unknown key, {suggestion(name, _keys(owner))}"
    if kind == "missing":
        return f"{key}: is missing{_described(owner, path[-1])}"
    if kind == "union_tag_invalid":
        # pydantic gives the tags as one text: "'amigos', 'deap'".
        known = [tag.strip("' ") for tag in str(context["expected_tags"]).split(",")]
        return (
            f"{key}.{_tag_key(context)}: unknown {context['tag']!r}, {suggestion(str(context['tag']), known)}"
        )
    if kind == "union_tag_not_found":
        return f"{key}.{_tag_key(context)}: is missing; it says what the rest is about"
    if kind == "tuple_type" and isinstance(details["input"], str | int | float):
        return f"{key}: input should be a list, such as '[{details['input']}]'"
    # A validator's own error, without the "Value error, " that pydantic puts before it.
    reason = str(context.get("error") or details["msg"])
    return f"{key}: {_lower_first(reason)} (it is {_short(details['input'])})"


def _tag_key(context: Mapping[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _described(owner: type[BaseModel] | None, name: str) -> str:
    field = owner.model_fields.get(name) if owner else None
    return f" ({field.description})" if field and field.description else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_VALUE_LETTERS else f"{text[:MAX_VALUE_LETTERS]}..."


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _keys(owner: type[BaseModel] | None) -> list[str]:
    return list(owner.model_fields) if owner else []


def _locate(loc: Sequence[str | int], model: type[BaseModel]) -> tuple[list[str], type[BaseModel] | None]:
    """The key as a user writes it, and the model that it belongs to.

    pydantic puts the kind of a union's member into the location (``corpus.amigos.pth``); no user wrote it.
    """
    path: list[str] = []
    here: Any = model
    owner: type[BaseModel] | None = model
    for item in loc:
        members = list(_members(here))
        tagged = next(
            (member for member in members if isinstance(item, str) and _has_tag(member, item)), None
        )
        if tagged is not None:
            here = owner = tagged
            continue
        if _is_validator_name(item):
            continue
        path.append(str(item))
        # Of several models in a union without a tag the first one has to do.
        own = next((member for member in members if _is_model(member)), None)
        owner = own
        here = _inside(members, item)
    return path, owner


def _is_validator_name(item: str | int) -> bool:
    """A step of pydantic's own, such as ``function-after[check(), str]`` or the name of a union's member."""
    return isinstance(item, str) and (
        any(letter in item for letter in "[]()") or item in {"int", "float", "str", "bool"}
    )


def _members(annotation: Any) -> Iterator[Any]:
    """The members of a union (of unions), or the annotation itself."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _has_tag(member: Any, item: str) -> bool:
    return _is_model(member) and "kind" in member.model_fields and member.model_fields["kind"].default == item


def _inside(members: Sequence[Any], item: str | int) -> Any:
    """The annotation of a field, of a list's elements or of a mapping's values."""
    for member in members:
        if _is_model(member) and item in member.model_fields:
            return member.model_fields[item].annotation
        arguments = get_args(member)
        if arguments and not _is_model(member):
            # list[X] and tuple[X, ...] are asked by place, dict[K, X] by key.
            return arguments[0] if isinstance(item, int) else arguments[-1]
    return None
