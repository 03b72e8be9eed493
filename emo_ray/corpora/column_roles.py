"""Which column of a table says who, what, and when: as named by the user, else by well-known names."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from emo_ray.corpora.column_names import (
    LABEL_NAMES,
    ORDER_NAMES,
    SESSION_NAMES,
    SUBJECT_NAMES,
    TRIAL_NAMES,
    plain_name,
)
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.table_file import TableFile
from emo_ray.errors import CorpusError

MAX_SHOWN = 8  # columns offered in a layout to complete
MAX_TEXT_TWIN = 50  # texts that can be names of classes
MAX_TWIN_VALUES = 1000  # neither labels nor people are more: do not count their pairs


@dataclass(frozen=True)
class AskedRoles:
    """What the user named. None: look for it; an empty text: there is none, do not look."""

    subject: str | None = None
    label: str | None = None
    trial: str | None = None
    session: str | None = None
    order: str | None = None


@dataclass(frozen=True)
class Roles:
    """The columns found. ``class_names`` is a text column that maps one-to-one onto the label."""

    subject: str
    label: str
    trial: str | None
    session: str | None
    order: str | None
    class_names: str | None
    notes: tuple[str, ...]

    @property
    def columns(self) -> Mapping[str, str]:
        """Column to role, for those that are set."""
        names = ("subject", "label", "trial", "session", "order")
        return {getattr(self, role): role for role in names if getattr(self, role)}


@dataclass(frozen=True)
class Words:
    """A column as codes into its distinct texts, which stand in natural order; -1 where missing."""

    codes: Int64[np.ndarray, " rows"]
    texts: tuple[str, ...]


def words(column: pa.ChunkedArray) -> Words:
    """Distinct values of a column as texts; a whole number has no decimal point."""
    encoded = column.combine_chunks().dictionary_encode()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    texts = [_word(value) for value in encoded.dictionary.to_pylist()]
    order = sorted(range(len(texts)), key=lambda i: natural_key(texts[i]))
    # place in the dictionary -> place in natural order; the last entry is what -1 (missing) points at
    rank = np.empty(len(texts) + 1, dtype=np.int64)
    rank[order] = np.arange(len(texts))
    rank[-1] = -1
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return Words(rank[codes], tuple(texts[i] for i in order))


def _word(value: object) -> str:
    # from 2^53 on doubles skip whole numbers, so an id so large may be another's
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else f"{value:.10g}"
    return str(value)


def is_text(column: pa.ChunkedArray) -> bool:
    """Whether a column holds texts (anything that is neither a number nor a date)."""
    return bool(pa.types.is_string(column.type))


def numbers(column: pa.ChunkedArray) -> Float64[np.ndarray, " rows"]:
    """A column of numbers as doubles, NaN where missing."""
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)


@dataclass(frozen=True)
class Columns:
    """Columns of a table with what is asked of them more than once, worked out once."""

    read: TableFile
    _words: dict[str, Words] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        """The file they come from."""
        return self.read.source

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All columns, in the order of the file."""
        return tuple(self.read.table.column_names)

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return int(self.read.table.num_rows)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        return self.read.table.column(name)

    def words(self, name: str) -> Words:
        """Distinct texts of a column."""
        if name not in self._words:
            self._words[name] = words(self[name])
        return self._words[name]

    def n_distinct(self, name: str) -> int:
        """Distinct values, the missing one not counted."""
        if name not in self._counts:
            self._counts[name] = int(pc.count_distinct(self[name], mode="only_valid").as_py())
        return self._counts[name]

    def one_to_one(self, first: str, second: str) -> bool:
        """Whether each value of one goes with one value of the other, where both are there."""
        if max(self.n_distinct(first), self.n_distinct(second)) > MAX_TWIN_VALUES:
            return False
        n_first, n_second, n_pairs = self.joint_counts(first, second)
        return n_first == n_second == n_pairs > 0

    def joint_counts(self, first: str, second: str) -> tuple[int, int, int]:
        """Distinct values of each column and of the pair, over the rows that have both."""
        a, b = self.words(first), self.words(second)
        both = (a.codes >= 0) & (b.codes >= 0)
        width = len(b.texts) + 1
        pairs = np.unique(a.codes[both] * width + b.codes[both])  # one whole number a pair
        return len(np.unique(pairs // width)), len(np.unique(pairs % width)), len(pairs)


def find_roles(columns: Columns, asked: AskedRoles) -> Roles:
    """Settle all roles, or say in one error what is missing, what could be meant, and what to write.

    Raises
    ------
    CorpusError : a named column is not there or has two roles; subject or label are missing or ambiguous
    """
    _check_asked(columns, asked)
    problems: list[str] = []
    subject = asked.subject or _by_name(columns, "subject", SUBJECT_NAMES, problems)
    label = asked.label or _by_name(columns, "label", LABEL_NAMES, problems)
    if not subject or not label:
        raise CorpusError(_unsettled(columns, subject, label, problems))
    taken = {subject, label}
    found: dict[str, str | None] = {}
    # optional, each from the columns that those before it left
    for role, tiers in (("trial", TRIAL_NAMES), ("session", SESSION_NAMES), ("order", ORDER_NAMES)):
        wish = getattr(asked, role)
        found[role] = _first_known(columns, tiers, taken) if wish is None else (wish or None)
        taken |= {name for name in (found[role],) if name}
    roles = Roles(subject, label, found["trial"], found["session"], found["order"], None, ())
    _check_apart(columns, roles)
    return _with_class_names(columns, roles, asked)


def _with_class_names(columns: Columns, roles: Roles, asked: AskedRoles) -> Roles:
    twin = None if is_text(columns[roles.label]) else _text_twin(columns, roles)
    named = {name for name in vars(asked).values() if name}
    inferred = [f"{role} = {name!r}" for name, role in roles.columns.items() if name not in named]
    notes = [f"roles found by the names of the columns: {', '.join(inferred)}"] if inferred else []
    if twin:
        notes.append(f"class names taken from {twin!r}, which goes one-to-one with {roles.label!r}")
    found = {role: name for name, role in roles.columns.items()}
    settled = {role: found.get(role) for role in ("trial", "session", "order")}
    return Roles(subject=roles.subject, label=roles.label, **settled, class_names=twin, notes=tuple(notes))


def _text_twin(columns: Columns, roles: Roles) -> str | None:
    free = (name for name in columns.names if name not in roles.columns and is_text(columns[name]))
    # a text of many values can not name classes: do not spend time on it
    few = (name for name in free if 1 < columns.n_distinct(name) <= MAX_TEXT_TWIN)
    return next((name for name in few if columns.one_to_one(name, roles.label)), None)


def _check_asked(columns: Columns, asked: AskedRoles) -> None:
    missing = [
        f"{role}: no column {name!r}{did_you_mean(name, columns.names)}"
        for role, name in vars(asked).items()
        if name and name not in columns.names
    ]
    missing += [f"{role}: can not be empty" for role in ("subject", "label") if getattr(asked, role) == ""]
    if missing:
        raise CorpusError(f"{columns.source}: {'; '.join(missing)}. Columns: {', '.join(columns.names)}")


def _check_apart(columns: Columns, roles: Roles) -> None:
    names = [name for name in (roles.subject, roles.label, roles.trial, roles.session, roles.order) if name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CorpusError(
            f"{columns.source}: column {twice[0]!r} has two roles; name another column for one of them"
        )


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """``", did you mean 'x'?"`` where a known name is near, else nothing."""
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return f", did you mean {by_lower[near[0]]!r}?" if near else ""


def _first_known(columns: Columns, tiers: Sequence[str], taken: set[str]) -> str | None:
    """The best-known name there is; the other clocks are no features either."""
    # reversed: where two names are plainly the same, the first column of the file wins
    by_plain = {plain_name(name): name for name in reversed(columns.names) if name not in taken}
    return next((by_plain[known] for tier in tiers for known in tier.split() if known in by_plain), None)


def _by_name(columns: Columns, role: str, tiers: Sequence[str], problems: list[str]) -> str | None:
    """The one column of the best tier; twins (one-to-one) count as one, numbers before texts."""
    for tier in tiers:
        found = [
            name
            for name in columns.names
            if plain_name(name) in tier.split() and not _is_row_id(columns, name)
        ]
        found.sort(key=lambda name: is_text(columns[name]))  # False first; stable
        others = [name for name in found[1:] if not columns.one_to_one(found[0], name)]
        if others:
            problems.append(
                f"{role}: {' and '.join(repr(name) for name in (found[0], *others))} could both be meant"
            )
            return None
        if found:
            return found[0]
    problems.append(f"{role}: no column has a name that is known for it")
    return None


def _is_row_id(columns: Columns, name: str) -> bool:
    # an "id" that never repeats numbers the rows: nobody has one row only
    return plain_name(name) == "id" and columns.n_distinct(name) == columns.n_rows


def _unsettled(columns: Columns, subject: str | None, label: str | None, problems: Sequence[str]) -> str:
    counts = {name: columns.n_distinct(name) for name in columns.names}
    # a subject has two rows or more; a column of more than 20 values is rather a measurement than a label
    repeated = [n for n in columns.names if 1 < counts[n] <= columns.n_rows / 2 and n != label]
    few = [n for n in columns.names if 1 < counts[n] <= 20 and n != subject]
    lines = [
        f"{columns.source}: {'; '.join(problems)}.",
        f"Columns: {', '.join(columns.names)}",
        "Complete this, save it as layout.yaml and give that file in place of the table:",
        "",
        "kind: feature_table",
        f"path: {json.dumps(str(columns.source.resolve()), ensure_ascii=False)}",
        f"subject: {_quoted(subject) if subject else _blank(repeated)}",
        f"label: {_quoted(label) if label else _blank(few)}",
    ]
    return "\n".join(lines)


def _quoted(name: str) -> str:
    """A column name as YAML reads it back: JSON's quotes are YAML's too."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else json.dumps(name, ensure_ascii=False)


def _blank(candidates: Sequence[str]) -> str:
    shown = ", ".join(candidates[:MAX_SHOWN]) or "a column that the table does not have yet"
    return f"???    # one of: {shown}"
