"""Which columns are no features: clocks, counters, identifiers, copies of the label, texts.

A random forest on a row counter "recognises" the stressor that was always shown second. So a column
is taken as a feature only if neither its name nor its values give it away; a user who wants one of
these names it in ``features``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from emo_ray.corpora.column_names import CLOCK_WORDS, is_clock_name, is_label_name, name_words
from emo_ray.corpora.column_roles import Columns, Roles, did_you_mean, is_text, numbers
from emo_ray.errors import CorpusError

NUMBER = r"^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|None|none|-|\?)$"  # or a sign for "missing"
MAX_COPY_VALUES = 64  # more are no classes, however they are written
# Rows that a value needs on average before "it never goes with another label" says something.
ROWS_PER_COPY_VALUE = 4
ROWS_PER_TWIN_VALUE = 2  # a one-to-one match by chance is rarer still
REPEATS = 10  # rows beyond the first of each value: two classes fit them all by chance once in 2^10 tries
CLOCK_STEPS = 20  # noise rises so many times in a row once in 21! tries, and falls as rarely
MAX_SHOWN = 5  # in a message


@dataclass(frozen=True)
class FeatureColumns:
    """The columns taken as features, those left out with the reason, and facts to report."""

    taken: tuple[str, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]


def choose_features(
    columns: Columns, roles: Roles, features: Sequence[str] | None, drop: Sequence[str]
) -> FeatureColumns:
    """All columns of measured numbers, or exactly those that the user names.

    Raises
    ------
    CorpusError : a named column is not there, is the subject or the label, or is no column of numbers;
        nothing is left
    """
    _check_named(columns, roles, features, drop)
    if features:  # an empty list is no wish: a model without features is none
        return _as_named(columns, roles, features)
    reasons = {name: _reason(columns, roles, name) for name in columns.names if name not in drop}
    left_out = {name: reason for name, reason in reasons.items() if reason} | dict.fromkeys(drop, "in drop")
    taken = tuple(name for name in columns.names if name not in left_out)
    if not taken:
        raise CorpusError(
            f"{columns.source}: no column is left as a feature. {summary(left_out)}. "
            "Name the columns to use in features, if they are measurements"
        )
    notes = (f"{len(taken)} features. {summary(left_out)}", *_asides(columns, roles, taken))
    return FeatureColumns(taken, left_out, notes)


def _as_named(columns: Columns, roles: Roles, features: Sequence[str]) -> FeatureColumns:
    """The user's own list: obeyed, with a note on each column that would have been left out."""
    wrong = [name for name in features if is_text(columns[name]) or pa.types.is_timestamp(columns[name].type)]
    if wrong:
        raise CorpusError(_not_numbers(columns, wrong[0]))
    reasons = {name: _reason(columns, roles, name) for name in features}
    notes = [
        f"{name!r} is a feature only because it is named as one: {why}"
        for name, why in reasons.items()
        if why
    ]
    return FeatureColumns(tuple(dict.fromkeys(features)), {}, (f"{len(reasons)} features, as named", *notes))


def summary(left_out: Mapping[str, str]) -> str:
    """One line: every column that is no feature, grouped by the reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    parts = [f"{', '.join(names)} ({reason})" for reason, names in by_reason.items()]
    return f"Left out: {'; '.join(parts)}" if parts else "No column was left out"


def _reason(columns: Columns, roles: Roles, name: str) -> str | None:
    """Why a column is no feature; None where it is one. The cheap questions come first."""
    if name in roles.columns:
        return f"the {roles.columns[name]}"
    if name == roles.class_names:
        return "names of the classes"
    return _name_reason(name) or _value_reason(columns, roles, name)


def _name_reason(name: str) -> str | None:
    if is_clock_name(name):
        return "a clock, counter or identifier by its name"
    return "another label by its name" if is_label_name(name) else None


def _value_reason(columns: Columns, roles: Roles, name: str) -> str | None:
    n_values = columns.n_distinct(name)
    if n_values < 2:
        return "constant" if n_values else "empty"
    if pa.types.is_timestamp(columns[name].type):
        return "dates"
    if is_text(columns[name]):
        return _text_reason(columns, roles, name)
    return _number_reason(columns, roles, name)


def _text_reason(columns: Columns, roles: Roles, name: str) -> str:
    if columns.one_to_one(name, roles.label):
        return "a copy of the label"
    # numbers with a few bad cells among them: to drop the whole column in silence would be worse
    if _share_of_numbers(columns[name]) > 0.5:
        raise CorpusError(_not_numbers(columns, name))
    return "text"


def _number_reason(columns: Columns, roles: Roles, name: str) -> str | None:
    if _is_label_copy(columns, name, roles.label):
        return "a copy of the label: its values and the labels go together without exception"
    values = numbers(columns[name])
    label = None if is_text(columns[roles.label]) else numbers(columns[roles.label])
    if label is not None and _is_scaled_copy(values, label):
        return "a scaled copy of the label"
    return _clock_reason(columns, roles, values)


def _is_label_copy(columns: Columns, name: str, label: str) -> bool:
    """A recoding of the label, finer or coarser. A column of many values says so of any label by chance."""
    if max(columns.n_distinct(name), columns.n_distinct(label)) > MAX_COPY_VALUES:
        return False
    n_values, n_labels, n_pairs = columns.joint_counts(name, label)
    if min(n_values, n_labels) < 2:
        return False
    # a value that is hardly ever seen twice goes with one label by chance; a row without either says nothing
    n_rows = int(np.sum((columns.words(name).codes >= 0) & (columns.words(label).codes >= 0)))
    enough = ROWS_PER_TWIN_VALUE if n_values == n_labels else ROWS_PER_COPY_VALUE
    # as many pairs as values: a value fixes the label; as many as labels: a label fixes the value
    return n_pairs in (n_values, n_labels) and n_rows >= max(n_pairs * enough, n_pairs + REPEATS)


def _is_scaled_copy(values: Float64[np.ndarray, " rows"], label: Float64[np.ndarray, " rows"]) -> bool:
    rows = np.isfinite(values) & np.isfinite(label)
    if rows.sum() < CLOCK_STEPS or np.ptp(values[rows]) == 0 or np.ptp(label[rows]) == 0:
        return False
    with np.errstate(all="ignore"):  # huge values overflow in the product; then it is no copy that we can see
        # not 1: a copy may have been rounded when it was written
        return bool(abs(np.corrcoef(values[rows], label[rows])[0, 1]) > 0.99999)


def _clock_reason(columns: Columns, roles: Roles, values: Float64[np.ndarray, " rows"]) -> str | None:
    """The reason for a column that never falls, or never rises, in any subject; None for any other.

    Ties are allowed (``row // 2``), and it may start again in every session or in every trial. One way for
    all subjects: a trend, of a skin that cools, has an exception somewhere. Most of the subjects must see it
    move: what moves in one of them alone may be a trend.
    """
    known = np.flatnonzero(np.isfinite(values))  # a column with holes may count all the same
    for ends in ((roles.session,), (roles.session, roles.trial)):
        stays = np.ones(max(len(known) - 1, 0), dtype=bool)  # steps: from one known row to the next
        for name in (roles.subject, *filter(None, ends)):
            stays &= np.diff(columns.words(name).codes[known]) == 0
        steps = np.where(stays, np.diff(values[known]), 0.0)
        if _moves_one_way(steps, columns.words(roles.subject).codes[known]):
            way = "rises" if steps.sum() > 0 else "falls"
            return f"it {way} from row to row: a clock or counter"
    return None


def _moves_one_way(steps: Float64[np.ndarray, " steps"], subjects: Int64[np.ndarray, " known"]) -> bool:
    moves = steps != 0
    if moves.sum() < CLOCK_STEPS or (steps.min() < 0 < steps.max()):
        return False
    return 2 * len(np.unique(subjects[1:][moves])) > len(np.unique(subjects))


def _asides(columns: Columns, roles: Roles, taken: Sequence[str]) -> list[str]:
    """Features that were kept and that a reader may want to look at."""
    near = [name for name in taken if CLOCK_WORDS & set(name_words(name))]
    notes = [f"kept although a word of the name is a clock's or counter's: {', '.join(near)}"] if near else []
    fixed = [name for name in taken if _is_fixed_by_subject(columns, name, roles.subject)]
    if fixed:
        notes.append(f"the same in all rows of a subject (they say who, not how): {', '.join(fixed)}")
    telling = [name for name in taken if _separates(columns, name, roles.label)]
    if telling:
        notes.append(
            f"tells the labels of all subjects apart without one error (a copy?): {', '.join(telling)}"
        )
    return notes


def _is_fixed_by_subject(columns: Columns, name: str, subject: str) -> bool:
    if columns.n_distinct(name) > len(columns.words(subject).texts):
        return False
    _, n_subjects, n_pairs = columns.joint_counts(name, subject)
    return n_pairs == n_subjects > 1  # one value a subject; of a single subject nothing can be told


def _separates(columns: Columns, name: str, label: str) -> bool:
    if columns.n_distinct(label) > MAX_COPY_VALUES:
        return False
    codes, values = columns.words(label).codes, numbers(columns[name])
    rows = np.flatnonzero((codes >= 0) & np.isfinite(values))
    # a thousand rows show almost always that the ranges touch, without sorting a million
    few = rows[:: 1 + len(rows) // 1000]
    return len(rows) >= CLOCK_STEPS and all(
        _is_sorted_apart(codes[some], values[some]) for some in (few, rows)
    )


def _is_sorted_apart(codes: Int64[np.ndarray, " rows"], values: Float64[np.ndarray, " rows"]) -> bool:
    """Whether the ranges of the classes do not touch: sorted by value, the class changes once a class."""
    changes = np.diff(codes[np.argsort(values, kind="stable")]) != 0
    return int(changes.sum()) == len(np.unique(codes)) - 1 > 0


def _share_of_numbers(column: pa.ChunkedArray) -> float:
    return float(pc.mean(pc.match_substring_regex(column.drop_null(), NUMBER)).as_py() or 0.0)


def _not_numbers(columns: Columns, name: str) -> str:
    """Names the rows and cells that keep a column from being numbers."""
    cells = columns[name].cast(pa.string())
    wrong = np.flatnonzero(pc.fill_null(pc.invert(pc.match_substring_regex(cells, NUMBER)), False).to_numpy())
    shown = ", ".join(f"{cells[int(row)].as_py()!r} in row {row + 1}" for row in wrong[:MAX_SHOWN])
    return (
        f"{columns.source}: column {name!r} can not be a feature: {len(wrong)} of {len(cells)} cells are no "
        f"numbers: {shown} (rows counted from 1 below the header). Correct the cells, leave them empty "
        f"where the value is missing, or list the column in drop"
    )


def _check_named(columns: Columns, roles: Roles, features: Sequence[str] | None, drop: Sequence[str]) -> None:
    for key, named in (("features", features or ()), ("drop", drop)):
        missing = [
            f"{name!r}{did_you_mean(name, columns.names)}" for name in named if name not in columns.names
        ]
        if missing:
            raise CorpusError(
                f"{columns.source}: {key} names {len(missing)} columns that are not there: "
                f"{'; '.join(missing[:MAX_SHOWN])}. Columns: {', '.join(columns.names)}"
            )
    wrong = sorted({roles.subject, roles.label} & set(features or ()))
    if wrong:
        raise CorpusError(
            f"{columns.source}: features names {wrong[0]!r}, which is the {roles.columns[wrong[0]]}"
        )
    both = sorted(set(features or ()) & set(drop))
    if both:
        raise CorpusError(f"{columns.source}: {both[0]!r} stands in features and in drop; take it out of one")
