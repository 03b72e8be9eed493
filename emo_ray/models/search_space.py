"""One search space over several models: which of them, and the settings of each."""

from collections.abc import Mapping, Sequence
from typing import Any

from emo_ray.errors import ConfigError
from emo_ray.models.base import ModelConfig
from emo_ray.space import Choice, Dimension, LogUniform, SearchSpace, Uniform

KIND = "model.kind"


def space_over(models: Sequence[ModelConfig]) -> SearchSpace:
    """A choice between models, and the space of each where it is the one chosen; of one model its own space.

    A setting that several models search is searched once, for all of them, over the widest of their
    ranges or the choices of all, and so beyond what one of them would ask for by itself.

    Raises
    ------
    ConfigError : no model; or two of them search one setting in ways that can not be joined
    """
    spaces = {model.kind: model.search_space() for model in models}
    if not spaces:
        raise ConfigError("a space over models needs at least one of them")
    if len(spaces) == 1:
        return next(iter(spaces.values()))
    dimensions: dict[str, Any] = {KIND: Choice(choices=tuple(spaces))}
    for key in dict.fromkeys(key for space in spaces.values() for key in space.dimensions):
        offers = {kind: space.dimensions[key] for kind, space in spaces.items() if key in space.dimensions}
        joined = _joined(key, offers)
        # what all of them search needs no condition
        condition = {KIND: tuple(offers)} if len(offers) < len(spaces) else {}
        dimensions[key] = joined.model_copy(update={"when": {**joined.when, **condition}})
    return SearchSpace(dimensions=dimensions)


def _joined(key: str, offers: Mapping[str, Dimension]) -> Dimension:
    """One dimension that holds all that the models offer for a key."""
    given = list(offers.values())
    first = given[0]
    if all(other == first for other in given):
        return first
    alike = all(type(other) is type(first) and other.when == first.when for other in given)
    if alike and isinstance(first, Choice):
        choices = [choice for offer in given for choice in offer.examples()]
        distinct = tuple(choice for i, choice in enumerate(choices) if choice not in choices[:i])
        return first.model_copy(update={"choices": distinct})
    if alike and isinstance(first, Uniform | LogUniform):
        numbers = [number for offer in given for number in offer.examples()]
        return first.model_copy(update={"low": min(numbers), "high": max(numbers)})
    ways = ", ".join(f"{kind}: {offer.kind}" for kind, offer in offers.items())
    raise ConfigError(
        f"{key}: the models search it in ways that can not be joined ({ways}): give it yourself"
    )
