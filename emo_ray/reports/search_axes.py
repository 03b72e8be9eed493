"""How a searched setting becomes an axis: its place on a line, its ticks, and a name short enough to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

from emo_ray.reports.content import shown_name
from emo_ray.results.search_results import Candidate, SearchResults

MAX_LABEL = 18
"""Characters of a tick; a list of layer widths may be longer."""


@dataclass(frozen=True)
class SearchAxis:
    """One dimension of the space.

    Attributes
    ----------
    key : dotted name in the experiment
    label : as figures and tables show it
    labels : of a choice, in the order of the space; empty for numbers
    low, high : of numbers, as wide as the space and all values that were tried
    """

    key: str
    label: str
    labels: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    is_log: bool = False
    is_whole: bool = False

    def place(self, value: Any) -> float:
        """On an axis of its own scale: the number, or how many choices come before."""
        return float(self.labels.index(value_text(value))) if self.labels else float(value)

    def share(self, value: Any) -> float:
        """On an axis from 0 to 1, logarithmic where the search was."""
        low, high, place = self._line(self.place(value))
        return (place - low) / (high - low) if high > low else 0.5

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Places on its own scale with their texts: every choice, or both ends and the middle."""
        if self.labels:
            return tuple((float(place), clipped(text)) for place, text in enumerate(self.labels))
        middle = sqrt(self.low * self.high) if self.is_log else (self.low + self.high) / 2
        if self.is_whole:
            places = dict.fromkeys((self.low, float(round(middle)), self.high))
            return tuple((place, f"{place:.0f}") for place in places)
        return tuple((place, f"{place:.2g}") for place in dict.fromkeys((self.low, middle, self.high)))

    def share_of_place(self, place: float) -> float:
        """`share` of what stands at a place."""
        low, high, place = self._line(place)
        return (place - low) / (high - low) if high > low else 0.5

    def _line(self, place: float) -> tuple[float, float, float]:
        if self.labels:
            return 0.0, float(len(self.labels) - 1), place
        return (log(self.low), log(self.high), log(place)) if self.is_log else (self.low, self.high, place)


def search_axes(results: SearchResults) -> tuple[SearchAxis, ...]:
    """One axis a dimension of the space, in its order."""
    space, names = space_of(results), short_names(tuple(space_of(results)))
    tried = [candidate.params for found in results.searches.values() for candidate in found]
    return tuple(
        _axis(key, names[key], dimension, [params[key] for params in tried if key in params])
        for key, dimension in space.items()
    )


def space_of(results: SearchResults) -> Mapping[str, Mapping[str, Any]]:
    """Key to dimension, as the header of the study has it."""
    space: Mapping[str, Mapping[str, Any]] = results.header["space"]
    return space


def _axis(key: str, label: str, dimension: Mapping[str, Any], tried: Sequence[Any]) -> SearchAxis:
    if dimension["kind"] == "choice":
        # A known-good point may hold what the space does not.
        texts = dict.fromkeys(map(value_text, (*dimension["choices"], *tried)))
        return SearchAxis(key, label, labels=tuple(texts))
    numbers = [float(value) for value in (dimension["low"], dimension["high"], *tried)]
    is_log, is_whole = dimension["kind"] == "log", dimension["kind"] == "int"
    return SearchAxis(key, label, low=min(numbers), high=max(numbers), is_log=is_log, is_whole=is_whole)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Key to as many of its last parts as tell it from all others: ``learning rate``, ``model kind``."""
    # A kind of what? One part more.
    n_parts = {key: 2 if key.endswith(".kind") else 1 for key in keys}
    for _ in range(max((key.count(".") for key in keys), default=0)):
        short = {key: _last_parts(key, n_parts[key]) for key in keys}
        for key in keys:
            n_parts[key] += list(short.values()).count(short[key]) > 1
    return {key: shown_name(_last_parts(key, n_parts[key])).replace(".", " ") for key in keys}


def _last_parts(key: str, n_parts: int) -> str:
    return ".".join(key.split(".")[-n_parts:])


def value_text(value: Any) -> str:
    """A setting as a person writes it: ``0.00123``, ``yes``, ``[64, 32]``, ``none``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {value_text(item)}' for key, item in value.items())}}}"
    return "none" if value is None else str(value)


def clipped(text: str) -> str:
    """Short enough for a tick."""
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 3]}..."


def last_value(candidate: Candidate) -> float | None:
    """What a candidate came to: its first objective, or where it stood at its last step."""
    if candidate.values:
        return candidate.values[0]
    return candidate.steps[-1][1] if candidate.steps else None
