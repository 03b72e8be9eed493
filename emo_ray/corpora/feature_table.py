"""A table of ready features, one row a segment: a subject column, a label column, and numbers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float32, Float64, Int64
from pydantic import Field, field_validator

from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.column_leaks import choose_features
from emo_ray.corpora.column_roles import (
    AskedRoles,
    Columns,
    Roles,
    did_you_mean,
    find_roles,
    is_text,
    numbers,
)
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.corpora.table_file import CSV_SUFFIXES, PARQUET_SUFFIXES, find_table, read_table
from emo_ray.corpora.table_labels import TableLabel, read_label
from emo_ray.errors import CorpusError
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.value import ValueTask

MODALITY = "features"
MAX_SHOWN = 5  # in a message
# A trial column of such a name holds what was shown, which others saw too; "trial 3" is everybody's own.
SHARED_STIMULI = re.compile(r"clip|video|film|stimulus", re.IGNORECASE)


# Tables that have readers of their own.
NAMES_OF_OTHERS = ("merged_data.csv",)
TEXT_SUFFIXES = (".md", ".txt", ".rst", ".pdf", ".json", ".yaml", ".yml", "")


class FeatureTable(CorpusConfig):
    """CSV (also .gz) or Parquet: one row a segment, in one file or in a folder that holds only that table.

    Columns that are not named are found by well-known names and reported. All columns of numbers are
    features but those that could tell the label or the place in time (see `column_leaks`); name them in
    ``features`` to use them all the same. Rows are sorted by ``order`` where it is unique within a
    session, else they stay as in the file. Without a ``trial`` column a run of rows with one label is a
    trial; trials only group rows, no feature or target is made from them.
    """

    kind: Literal["feature_table"] = "feature_table"
    name: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9_.-]*$",
        description="prefix of the subjects' names; default: the file's name in lower case",
    )
    subject: str | None = Field(None, description="column that says who; default: found by its name")
    label: str | None = Field(None, description="column of the target; default: found by its name")
    trial: str | None = Field(
        None, description="column of the stimulus; '' for none, default: found by its name"
    )
    session: str | None = Field(
        None, description="column of the sitting; '' for none, default: found by its name"
    )
    order: str | None = Field(None, description="column of the time or number of a row; '' for none")
    features: tuple[str, ...] | None = Field(
        None, description="columns to use, and no others; default: all numbers"
    )
    drop: tuple[str, ...] = Field((), description="columns to leave out")
    classes: Mapping[str, tuple[float | str, ...]] | None = Field(
        None, description="class name to the labels it gathers; default: every label is a class"
    )
    units: Mapping[str, str] = Field(
        {}, description="unit of a column; told in the notes, nothing is converted"
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _listed(cls, classes: Any) -> Any:
        """A single label may stand without a list; a YAML yes or no is no label."""
        if not isinstance(classes, Mapping):
            return classes
        listed = {name: list(v) if isinstance(v, list | tuple) else [v] for name, v in classes.items()}
        if any(isinstance(name, bool) or any(isinstance(v, bool) for v in vs) for name, vs in listed.items()):
            raise ValueError(
                "YAML reads yes, no, on, off, true and false as logical values: put labels in quotes"
            )
        return listed

    @property
    def card(self) -> CorpusCard:
        """A table tells nothing of its origin."""
        return CorpusCard(
            title="a feature table of the user's own",
            licence="the user's own",
            citation="the user's own",
            doi="",
            access="a CSV or Parquet file",
        )

    @classmethod
    def recognise(cls, folder: Path) -> "FeatureTable | None":
        """A table itself, or a folder that holds one and nothing but texts about it."""
        tables = [folder] if folder.is_file() else [file for file in _visible(folder) if _is_table(file)]
        others = [file for file in _visible(folder) if file not in tables and not _is_text(file)]
        if len(tables) != 1 or others or not _is_table(tables[0]) or tables[0].name in NAMES_OF_OTHERS:
            return None
        return cls(path=folder)

    @property
    def prefix(self) -> str:
        """The corpus part of the subjects' names."""
        if self.name:
            return self.name
        return (
            # up to the first dot, as in features.csv.gz
            re.sub(r"[^a-z0-9]+", "_", find_table(self.path).name.split(".")[0].lower()).strip("_") or "table"
        )

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Every subject of the table, in natural order; all depend on the one file.

        Raises
        ------
        CorpusError : the file can not be read, or its columns do not make a table of features
        """
        source = find_table(self.path)
        return dict.fromkeys(self._loaded().subjects, (source,))

    def read_subject(self, subject: str) -> SubjectRecordings:
        """All rows of one subject, a recording a session and trial.

        Raises
        ------
        CorpusError : as `find_subjects`, or there is no such subject
        """
        table = self._loaded()
        if subject not in table.subjects:
            raise CorpusError(
                f"{self.path}: no subject {subject!r}{did_you_mean(subject, list(table.subjects))}"
            )
        return SubjectRecordings(tuple(table.recordings(subject)))

    def notes(self) -> tuple[str, ...]:
        """What was inferred, left out and changed, for a person to check before a long run."""
        return self._loaded().notes

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Classes of the label; a rating in numbers also, or (with many values) only, as a value.

        Raises
        ------
        CorpusError : as `find_subjects`
        """
        label = self._loaded().label
        found: dict[str, TaskConfig] = {}
        if label.classes:
            found["label"] = ClassTask(classes=label.classes)
        if label.is_rating:
            found["value"] = ValueTask()
        return found

    def _loaded(self) -> "_LoadedTable":
        state = find_table(self.path).stat()
        return _load(self.model_dump_json(), state.st_mtime_ns, state.st_size)


@dataclass(frozen=True)
class _Rows:
    """Rows of the table in their final order: who, which session and trial, the label, and when."""

    subject: Int64[np.ndarray, " rows"]
    session: Int64[np.ndarray, " rows"]
    trial: Int64[np.ndarray, " rows"]
    start: Float64[np.ndarray, " rows"]  # in the unit of the order column
    place: Int64[np.ndarray, " rows"]  # in the file, from 0

    def sorted_by(self, keys: tuple[np.ndarray, ...]) -> "_Rows":
        """The same rows in another order; the first key counts most."""
        by = np.lexsort(keys[::-1])  # NumPy takes the last key as the first
        return _Rows(*(getattr(self, name)[by] for name in ("subject", "session", "trial", "start", "place")))


@dataclass(frozen=True)
class _LoadedTable:
    """A table ready to be handed out: rows of a trial lie side by side, so a recording is a view."""

    values: Float32[np.ndarray, "features rows"]
    features: tuple[str, ...]
    unit: str
    rows: _Rows
    label: TableLabel
    subjects: Mapping[str, slice]
    sessions: tuple[str, ...]
    trials: tuple[str, ...]
    has_shared_stimuli: bool
    notes: tuple[str, ...]

    def recordings(self, subject: str) -> Iterator[Recording]:
        """One recording a session and trial, in order."""
        own = self.subjects[subject]
        changes = np.diff(self.rows.session[own]).astype(bool) | np.diff(self.rows.trial[own]).astype(bool)
        # first row of every recording, and the row after the last one
        edges = [own.start, *(own.start + 1 + np.flatnonzero(changes)), own.stop]
        for start, stop in pairwise(edges):
            yield self._recording(subject, slice(int(start), int(stop)))

    def _recording(self, subject: str, own: slice) -> Recording:
        session, trial = (
            self.sessions[self.rows.session[own.start]],
            self._trial(int(self.rows.trial[own.start])),
        )
        signal = Signal(values=self.values[:, own], sfreq=1.0, unit=self.unit, channels=self.features)
        return Recording(
            subject=subject,
            session=session,
            trial=trial,
            clip=trial if self.has_shared_stimuli else f"{subject}/{session}/{trial}",
            group=subject,
            signals={MODALITY: signal},
            # a value a row, so annotations: a rating would be one for the whole trial
            annotations={"label": self.label.codes[own], "start": self.rows.start[own]},
            start_s=float(self.rows.start[own][0]),
        )

    def _trial(self, code: int) -> str:
        # runs are numbered with leading zeros, so that sorting their names as texts keeps their order
        return self.trials[code] if self.trials else f"{code:05d}"


# sfreq 1 stands for one row a step: the table does not say how long a row lasts
@lru_cache(maxsize=2)
def _load(config_json: str, _mtime_ns: int, _size: int) -> _LoadedTable:
    """Read once a process, for every subject asks; the time and size of the file tell when to read again."""
    config = FeatureTable.model_validate_json(config_json)
    read = read_table(config.path)
    columns = Columns(read)
    asked = AskedRoles(config.subject, config.label, config.trial, config.session, config.order)
    roles = find_roles(columns, asked)
    subjects = _subject_ids(columns, roles.subject)
    label = read_label(columns, roles, config.classes)
    chosen = choose_features(columns, roles, config.features, config.drop)
    rows, row_notes = _in_order(columns, roles, label)
    values, infinite = _matrix(columns, chosen.taken, rows.place)
    notes = (*read.notes, *roles.notes, *chosen.notes, *label.notes, *row_notes, *infinite)
    return _LoadedTable(
        values=values,
        features=chosen.taken,
        unit=_unit(columns, chosen.taken, config.units),
        rows=rows,
        label=TableLabel(_frozen(label.codes[rows.place]), label.classes, label.is_rating, label.notes),
        subjects=_spans([f"{config.prefix}/{name}" for name in subjects], rows.subject),
        sessions=columns.words(roles.session).texts if roles.session else ("1",),
        trials=columns.words(roles.trial).texts if roles.trial else (),
        has_shared_stimuli=bool(roles.trial and SHARED_STIMULI.search(roles.trial)),
        notes=(*notes, *_doubles(columns, values, rows), *_unit_notes(config.units)),
    )


def _subject_ids(columns: Columns, name: str) -> tuple[str, ...]:
    """Ids of all subjects; each must be there, and be more than a number's rounding."""
    column, ids = columns[name], columns.words(name)
    missing = np.flatnonzero(ids.codes < 0)
    if len(missing):
        shown = ", ".join(str(row + 1) for row in missing[:MAX_SHOWN])
        raise CorpusError(
            f"{columns.source}: subject column {name!r} is empty in {len(missing)} rows, first {shown} "
            "(counted from 1 below the header): fill them in or remove them, for a row must be somebody's"
        )
    # a slash would be read as the end of the corpus' name
    wrong = [text for text in ids.texts if re.search(r"[/\\\x00-\x1f]", text)]
    # whole numbers of a column with gaps come as floats; 1.5 or 1e20 is nobody
    if pa.types.is_floating(column.type):
        wrong += [text for text in ids.texts if not re.fullmatch(r"-?\d+", text)]
    if wrong:
        raise CorpusError(
            f"{columns.source}: {wrong[0]!r} in subject column {name!r} is no id (no fractions, no slashes, "
            "at most 15 digits unless a letter leads): name another column or rename the subjects"
        )
    return ids.texts


def _spans(subjects: list[str], codes: Int64[np.ndarray, " rows"]) -> dict[str, slice]:
    edges = np.searchsorted(codes, np.arange(len(subjects) + 1))  # rows are sorted by subject
    return {name: slice(int(edges[i]), int(edges[i + 1])) for i, name in enumerate(subjects)}


def _in_order(columns: Columns, roles: Roles, label: TableLabel) -> tuple[_Rows, list[str]]:
    """Rows by subject, session, trial and time; without a trial column, runs of one label are trials."""
    notes: list[str] = []
    place = np.arange(columns.n_rows)
    session, trial = _group_codes(columns, roles.session, notes), _group_codes(columns, roles.trial, notes)
    start, order_note = _starts(columns, roles.order)
    rows = _Rows(columns.words(roles.subject).codes, session, trial, start, place)
    if order_note or not _is_unique(rows):
        # a clock that starts again would shuffle the rows of several runs into each other
        notes += [
            order_note or f"{roles.order!r} repeats or is missing within a session: rows stay as in the file"
        ] * bool(roles.order)
        rows = _Rows(rows.subject, session, trial, _counted(rows), place)
    rows = rows.sorted_by((rows.subject, rows.session, rows.trial, rows.start, rows.place))
    if roles.trial is None:
        rows, note = _with_runs(rows, label)
        notes.append(note)
    return rows, notes


def _group_codes(columns: Columns, name: str | None, notes: list[str]) -> Int64[np.ndarray, " rows"]:
    if name is None:
        return np.zeros(columns.n_rows, dtype=np.int64)
    codes = columns.words(name).codes
    n_missing = int((codes < 0).sum())
    if n_missing:
        raise CorpusError(
            f"{columns.source}: column {name!r} is empty in {n_missing} rows, first in "
            f"{int(np.argmax(codes < 0)) + 1} (counted from 1 below the header): fill it in, or set "
            f"its role to ''"
        )
    return codes


def _starts(columns: Columns, name: str | None) -> tuple[Float64[np.ndarray, " rows"], str | None]:
    """The order column as numbers (dates as seconds since 1970), else all NaN and the reason."""
    nothing = np.full(columns.n_rows, np.nan)
    if name is None:
        return nothing, None
    column = columns[name]
    if is_text(column):
        dates = pd.to_datetime(
            pd.Series(column.to_pylist(), dtype=object), format="ISO8601", errors="coerce", utc=True
        )
        if dates.isna().any():
            return (
                nothing,
                f"{name!r} is neither a number nor a date (2024-01-31 12:00:00): rows stay as in the file",
            )
        column = pa.chunked_array([pa.array(dates.dt.tz_localize(None), pa.timestamp("us"))])
    if pa.types.is_timestamp(column.type):
        return numbers(column.cast(pa.int64())) / 1e6, None  # microseconds to seconds
    return numbers(column), None


def _is_unique(rows: _Rows) -> bool:
    if not np.all(np.isfinite(rows.start)):
        return False
    ordered = rows.sorted_by((rows.subject, rows.session, rows.trial, rows.start))
    same = np.ones(len(ordered.start) - 1, dtype=bool)  # a row and the next one
    for key in (ordered.subject, ordered.session, ordered.trial, ordered.start):
        same &= np.diff(key) == 0
    return not same.any()


def _counted(rows: _Rows) -> Float64[np.ndarray, " rows"]:
    """Number of the row within its subject, from 0."""
    by_subject = np.argsort(rows.subject, kind="stable")
    codes = rows.subject[by_subject]
    # a row's place less that of its subject's first row
    counts = np.arange(len(codes)) - np.searchsorted(codes, codes)
    numbered = np.empty(len(codes))
    numbered[by_subject] = counts
    return numbered


def _with_runs(rows: _Rows, label: TableLabel) -> tuple[_Rows, str]:
    codes = np.nan_to_num(label.codes[rows.place], nan=np.inf)  # unlabelled rows in a row are one run, too
    inside = (np.diff(rows.subject) == 0) & (np.diff(rows.session) == 0)
    with np.errstate(invalid="ignore"):
        run_ends = ~inside | (codes[1:] != codes[:-1])
    n_runs = int(run_ends.sum()) + 1
    if not label.classes or n_runs > len(codes) / 2:
        trial = np.ones(len(codes), dtype=np.int64)
        note = "no trial column and no runs of rows with one label: a session is taken as one trial"
    else:
        run = np.concatenate([[0], np.cumsum(run_ends)])
        trial = run - run[np.searchsorted(rows.subject, rows.subject)] + 1  # counted from 1 in every subject
        note = f"no trial column: {n_runs} runs of rows with one label are taken as trials"
    return _Rows(rows.subject, rows.session, trial, rows.start, rows.place), note


def _matrix(
    columns: Columns, features: tuple[str, ...], place: Int64[np.ndarray, " rows"]
) -> tuple[Float32[np.ndarray, "features rows"], list[str]]:
    """Feature values in float32, rows in their final order; what float32 can not hold is missing."""
    values = np.empty((len(features), len(place)), dtype=np.float32)
    notes = []
    for row, name in enumerate(features):
        with np.errstate(over="ignore"):
            values[row] = numbers(columns[name])[place]
        n_infinite = int(np.isinf(values[row]).sum())
        if n_infinite:
            values[row, np.isinf(values[row])] = np.nan
            notes.append(f"{n_infinite} infinite values in {name!r} are taken as missing")
    n_missing = int(np.isnan(values).sum())
    notes += [f"{n_missing} of {values.size} feature values are missing and stay so"] if n_missing else []
    return _frozen(values), notes


def _frozen(array: np.ndarray) -> np.ndarray:
    """Read-only: recordings are views of it, and every reader of this process shares it."""
    array.flags.writeable = False
    return array


def _doubles(columns: Columns, values: Float32[np.ndarray, "features rows"], rows: _Rows) -> list[str]:
    """Rows with the very same features: of one subject (twice in the file) or of two (a leak)."""
    digest = np.zeros(values.shape[1], dtype=np.uint64)
    for row in values:
        # NaN has many bit patterns: one of them must stand for all
        bits = np.where(np.isnan(row), np.float32(0), row).view(np.uint32).astype(np.uint64)
        digest = (digest ^ bits) * np.uint64(1099511628211)  # FNV-1a over the bits, wrapping
        digest ^= digest >> np.uint64(29)
    filled = ~np.all(np.isnan(values), axis=0)  # rows without any value are alike and tell nothing
    frame = pd.DataFrame({"digest": digest[filled], "subject": rows.subject[filled]})
    own = int(frame.duplicated(["digest", "subject"]).sum())
    people = frame.drop_duplicates(["digest", "subject"])
    shared = int(people.duplicated("digest").sum())
    notes = [f"{own} rows repeat the features of an earlier row of the same subject"] if own else []
    if shared:
        notes.append(
            f"{shared} rows have the very features of a row of another subject: copies leak between folds"
        )
    return notes


def _unit(columns: Columns, features: tuple[str, ...], units: Mapping[str, str]) -> str:
    unknown = [f"{name!r}{did_you_mean(name, columns.names)}" for name in units if name not in columns.names]
    if unknown:
        raise CorpusError(f"{columns.source}: units names columns that are not there: {'; '.join(unknown)}")
    common = {units.get(name) for name in features}
    only = common.pop() if len(common) == 1 else None
    return only or "per column"


def _unit_notes(units: Mapping[str, str]) -> tuple[str, ...]:
    told = ", ".join(f"{name} in {unit}" for name, unit in units.items())
    return (f"units as declared: {told}",) if told else ()


def _visible(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if not file.name.startswith(".")] if folder.is_dir() else []


def _is_table(file: Path) -> bool:
    # a .txt can be read when it is named, but most are no tables
    suffixes = tuple(suffix for suffix in CSV_SUFFIXES + PARQUET_SUFFIXES if ".txt" not in suffix)
    return file.is_file() and file.name.lower().endswith(suffixes)


def _is_text(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in TEXT_SUFFIXES
