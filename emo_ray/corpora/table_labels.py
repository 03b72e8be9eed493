"""The label column of a table: codes for classes, or a value as it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from emo_ray.corpora.column_roles import Columns, Roles, is_text, numbers
from emo_ray.corpora.number_text import number_text
from emo_ray.errors import CorpusError

ClassCodes = tuple[tuple[str, tuple[float, ...]], ...]

MAX_CLASSES = 20  # whole numbers or texts; with more, a number is a value and a text an error
MAX_FRACTION_CLASSES = 10  # a scale of 1 to 5 in halves has nine
MAX_SHOWN = 12  # in a message


@dataclass(frozen=True)
class TableLabel:
    """One number a row, NaN where missing, and the classes that it stands for (none: a continuous value).

    ``is_rating``: the numbers have a sense as such, so they can be a value as well as classes.
    """

    codes: Float64[np.ndarray, " rows"]
    classes: ClassCodes
    is_rating: bool
    notes: tuple[str, ...]


def read_label(
    columns: Columns, roles: Roles, classes: Mapping[str, Sequence[float | str]] | None
) -> TableLabel:
    """Codes of the label column; a text has the place of its word in sorted order as its code.

    Raises
    ------
    CorpusError : one value only, too many texts, or ``classes`` names a value that the column does not hold
    """
    names = _names(columns, roles)
    codes = _codes(columns, roles.label)
    n_missing = int(np.isnan(codes).sum())
    notes = (
        [f"{n_missing} of {len(codes)} rows have no label; they are kept, unlabelled"] if n_missing else []
    )
    if not classes and not is_text(columns[roles.label]) and not names and _is_continuous(codes):
        return TableLabel(
            codes, (), True, (*notes, f"{roles.label!r} has many values: it is taken as a value")
        )
    if len(names) > MAX_CLASSES and not classes:
        raise CorpusError(
            f"{columns.source}: label column {roles.label!r} holds {len(names)} different texts "
            f"({_shown(list(names))}): name another label, or gather them into classes"
        )
    made, rest = _classes(columns, roles, _with_codes(names, codes), classes)
    if rest:
        n_rest = int(np.isin(codes, list(rest.values())).sum())
        notes.append(f"{n_rest} rows have a label of no class ({_shown(list(rest))}) and stay unlabelled")
    is_rating = not names and not classes
    return TableLabel(codes, made, is_rating, (*notes, _counts(made, codes)))


def _names(columns: Columns, roles: Roles) -> dict[str, float]:
    """Class name to code, from the texts of the label or of its twin; empty where there are only numbers."""
    if is_text(columns[roles.label]):
        return {text: float(code) for code, text in enumerate(sorted(columns.words(roles.label).texts))}
    if not roles.class_names:
        return {}
    twin, label = columns.words(roles.class_names), numbers(columns[roles.label])
    # one row of each name is enough: the two columns go one-to-one
    rows = [
        int(np.flatnonzero((twin.codes == i) & np.isfinite(label))[0])
        for i in range(len(twin.texts))
        if np.any((twin.codes == i) & np.isfinite(label))
    ]
    named = {twin.texts[twin.codes[row]]: float(label[row]) for row in rows}
    return dict(sorted(named.items(), key=lambda item: item[1]))


def _codes(columns: Columns, label: str) -> Float64[np.ndarray, " rows"]:
    if not is_text(columns[label]):
        values = numbers(columns[label])
        return np.where(np.isfinite(values), values, np.nan)
    found = columns.words(label)
    place = {text: code for code, text in enumerate(sorted(found.texts))}
    table = np.array([*(place[text] for text in found.texts), np.nan])  # the last one is for -1, missing
    codes: Float64[np.ndarray, " rows"] = table[found.codes]
    return codes


def _is_continuous(codes: Float64[np.ndarray, " rows"]) -> bool:
    values = np.unique(codes[np.isfinite(codes)])
    whole = bool(np.all(values == np.round(values)))
    return len(values) > (MAX_CLASSES if whole else MAX_FRACTION_CLASSES)


def _with_codes(names: dict[str, float], codes: Float64[np.ndarray, " rows"]) -> dict[str, float]:
    """Every code of the column has a name: its class name, else the number itself."""
    named = set(names.values())
    found = [float(code) for code in np.unique(codes[np.isfinite(codes)])]
    return names | {number_text(code): code for code in found if code not in named}


def _classes(
    columns: Columns, roles: Roles, names: dict[str, float], asked: Mapping[str, Sequence[float | str]] | None
) -> tuple[ClassCodes, dict[str, float]]:
    """The classes and the named codes that belong to none."""
    made = (
        {name: (code,) for name, code in names.items()}
        if asked is None
        else {
            name: tuple(dict.fromkeys(_code(columns, roles, names, value) for value in values))
            for name, values in asked.items()
        }
    )
    # a code in two classes would make a segment two things at once
    uses = [code for codes in made.values() for code in codes]
    twice = [name for name, code in names.items() if uses.count(code) > 1]
    if len(made) < 2 or twice:
        wrong = f"label {twice[0]!r} is in two classes" if twice else f"it holds only {_shown(list(made))}"
        raise CorpusError(
            f"{columns.source}: label column {roles.label!r}: {wrong}; a task needs two classes "
            f"or more, apart. Labels found: {_shown(list(names))}"
        )
    return tuple(made.items()), {name: code for name, code in names.items() if code not in uses}


def _code(columns: Columns, roles: Roles, names: Mapping[str, float], value: float | str) -> float:
    # a text is looked up as a name, a number is the code itself
    known = names.get(str(value)) if isinstance(value, str) else value
    if (
        known is None
        or known not in names.values()
        or (isinstance(value, float) and is_text(columns[roles.label]))
    ):
        raise CorpusError(
            f"{columns.source}: classes names {value!r}, which label column {roles.label!r} does not hold; "
            f"it holds {_shown(list(names))}"
        )
    return float(known)


def _counts(classes: ClassCodes, codes: Float64[np.ndarray, " rows"]) -> str:
    counts = ", ".join(f"{name} {int(np.isin(codes, own).sum())}" for name, own in classes[:MAX_SHOWN])
    return f"rows a class: {counts}"


def _shown(values: Sequence[str]) -> str:
    more = f" and {len(values) - MAX_SHOWN} more" if len(values) > MAX_SHOWN else ""
    return ", ".join(values[:MAX_SHOWN]) + more
