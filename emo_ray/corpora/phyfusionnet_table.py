"""``merged_data.csv`` of Phy-FusionNet: PPB-Emo's EEG exports of all participants in one table."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import files_of
from emo_ray.corpora.declared import Declaration
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.neband_table import (
    BAND_CHANNELS,
    ELECTRODES,
    Columns,
    blocks,
    columns_of,
    header_of,
    measured_rate,
    next_block,
    numbers_of,
    seconds_of,
)
from emo_ray.corpora.ppb_emo import (
    BAND_UNIT,
    BANDS_HZ,
    CODES,
    PpbEmo,
    declaration_of,
    emotion_tasks,
    signals_of,
)
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.corpora.remembered import remembered_names
from emo_ray.errors import CorpusError
from emo_ray.files import file_state
from emo_ray.tasks.base import TaskConfig

FILE_NAME = "merged_data.csv"
SUBJECT, CATEGORY = "participant", "category"
MAX_CLOCK_ROWS = 2000  # of a trial, for its rate: dates are slow to read
MAX_RUNS = 100  # of a participant, who has seven drives: rows of a shuffled table change with every row
DEFAULT_BAND_HZ = 8.0  # about (1 source), where the clock does not tell it

Content = Literal["bands", "raw", "rows"]


class PhyFusionNetTable(CorpusConfig):
    """The table that the published Phy-FusionNet script reads: rows of PPB-Emo with participant and category.

    ``content="bands"`` gives the rows that hold band powers, ``"raw"`` those that hold the 32 raw channels,
    ``"rows"`` the rows in which nothing is missing, all numbers side by side, as the script takes them. Never
    does one drop rows for what the other lacks: that would keep 2 % of the raw rows. The participant is the
    subject. The clock columns tell which segment a row is of, and so its label: they are left out, unless
    ``with_clock`` asks for them to reproduce the published setting.

    Neighbouring rows of one participant and category are a trial.
    """

    kind: Literal["phyfusionnet_table"] = "phyfusionnet_table"
    path: Path = Field(description=f"{FILE_NAME}, or the folder that holds it")
    content: Content = "bands"
    sfreq: float | None = Field(
        None, gt=0, description="Hz of the raw channels, where the time columns do not tell it"
    )
    with_clock: bool = Field(
        False, description="rows only: rec_time and utc as features, as published; they tell the label"
    )

    @property
    def card(self) -> CorpusCard:
        """That of PPB-Emo, whose recordings these are."""
        card = PpbEmo(path=self.path).card
        return CorpusCard(
            title="Phy-FusionNet's merged table of PPB-Emo",
            licence=card.licence,
            citation=f"{card.citation}; table: Wu, Purwanto, Huang & Yang (2025), IEEE TAFFC",
            doi=card.doi,
            access="made from PPB-Emo (figshare) by the authors' notebooks",
        )

    @property
    def declaration(self) -> Declaration:
        """As PPB-Emo."""
        return declaration_of(self.content, n_subjects=None)

    @classmethod
    def recognise(cls, folder: Path) -> "PhyFusionNetTable | None":
        """By the name of the file."""
        if folder.is_file() and folder.name == FILE_NAME:
            return cls(path=folder)
        found = sorted(folder.rglob(FILE_NAME)) if folder.is_dir() else []
        return cls(path=folder) if len(found) == 1 else None

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Every participant; all stand in the one file.

        Raises
        ------
        CorpusError : no such file, or it has no participant
        """
        file = self._file()
        _stamp(file)  # a file that is not there is an error of its own
        names = remembered_names(file, "participants", lambda: _participants(file))
        return {f"phyfusionnet/{name}": (file,) for name in sorted(names, key=natural_key)}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """All trials of one participant.

        The table is read once a process, and what ``content`` asks for is kept in memory: of the published
        table 0.5 GB of raw rows, or 40 MB of band powers.

        Raises
        ------
        CorpusError : the table is cut off, or not laid out as known
        """
        file = files_of(subject, self.find_subjects(), self.path)[0]
        table = _read(file, _stamp(file), self.content, self.with_clock)
        account = Account(subject, f"{file.name}, {subject.rpartition('/')[2]}")
        if table.columns.guessed:
            account.note("all", "raw columns not named ne_ch1 to ne_ch32, the last 32 columns taken")
        if table.columns.extra and self.content == "rows":
            account.note("all", "columns that nobody has described", ", ".join(table.columns.extra[:3]))
        recordings = [
            self._recording(trial, name, table, account)
            for name, trial in _named(table.trials.get(subject.rpartition("/")[2], ()))
        ]
        return account.closed([recording for recording in recordings if recording])

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Seven emotions."""
        return emotion_tasks()

    def _file(self) -> Path:
        if self.path.is_file():
            return self.path
        found = sorted(self.path.rglob(FILE_NAME)) if self.path.is_dir() else []
        if len(found) != 1:
            raise CorpusError(
                f"{self.path} holds {len(found)} files {FILE_NAME}: give the path of the one table to read"
            )
        return found[0]

    def _recording(self, trial: "_Trial", name: str, table: "_Table", account: Account) -> Recording | None:
        values = (
            np.concatenate(trial.values) if trial.values else np.zeros((0, len(table.channels)), np.float32)
        )
        if not len(values):
            account.reject(name, f"no row with {self.content} values")
            return None
        if trial.category not in CODES:
            account.reject(name, f"category {trial.category!r} is none of {', '.join(CODES)}")
            return None
        found = account.finite_float32(values.T, table.channels, name)
        sfreq = self._rate(trial, len(values), name, account)
        rows = {"rows": Signal(found, sfreq, BAND_UNIT, table.channels)}
        return Recording(
            subject=account.subject,
            session="1",
            trial=name,
            clip=f"ppb_emo/{trial.category}",
            group=account.subject,
            signals=rows if self.content == "rows" else signals_of(self.content, found, sfreq),
            ratings={"label": CODES[trial.category]},
        )

    def _rate(self, trial: "_Trial", n_found: int, name: str, account: Account) -> float:
        """Hz of the rows that were found: of raw ones by the clock, of others by their share of all rows."""
        clocks = {key: np.concatenate(parts) for key, parts in trial.clocks.items()}
        known = self.sfreq or measured_rate(clocks)
        if self.content == "raw":
            if known is None:
                raise CorpusError(
                    f"{account.source}: no time column of trial {name} ({n_found} rows) shows steps of 250 "
                    "or 500 Hz: give the rate, corpus.sfreq=500"
                )
            return known
        if known is None:
            account.note(name, f"no time column tells the rate, {DEFAULT_BAND_HZ:g} Hz taken (1 source)")
            return DEFAULT_BAND_HZ
        found = known * n_found / trial.n_rows
        if not BANDS_HZ[0] < found < BANDS_HZ[1]:
            account.note(name, "band powers come not about 8 times a second", f"{found:.3g} Hz")
        return found


@dataclass
class _Trial:
    """Rows that hold what is asked for, out of ``n_rows``; times in seconds, of as many as are needed."""

    category: str
    n_rows: int = 0
    values: list[Float32[np.ndarray, "rows columns"]] = field(default_factory=list)
    clocks: dict[str, list[Float64[np.ndarray, " rows"]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Table:
    """What one content needs of the file: trials by participant, in file order."""

    columns: Columns
    channels: tuple[str, ...]
    trials: Mapping[str, tuple[_Trial, ...]]


def _named(trials: tuple[_Trial, ...]) -> Iterator[tuple[str, _Trial]]:
    """Trials by category; the second of one category is ``"AD-2"``."""
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.category] = counts.get(trial.category, 0) + 1
        number = counts[trial.category]
        yield (trial.category if number == 1 else f"{trial.category}-{number}"), trial


def _stamp(path: Path) -> tuple[int, int]:
    try:
        return file_state(path)
    except OSError as error:
        raise CorpusError(f"{path} can not be read ({error.strerror})") from error


def _roles(path: Path) -> tuple[list[str], dict[str, str], Columns]:
    """The header, and which of its columns are participant and category."""
    names = header_of(path)
    lower = {name.strip().lower(): name for name in names}
    missing = [name for name in (SUBJECT, CATEGORY) if name not in lower]
    if missing:
        raise CorpusError(
            f"{path} has no column {' and no column '.join(missing)}: without the participant of every row "
            "nobody can be left out; merge the exports again and keep it"
        )
    return names, {name: lower[name] for name in (SUBJECT, CATEGORY)}, columns_of(names, str(path))


def _participants(path: Path) -> tuple[str, ...]:
    names, roles, _ = _roles(path)
    found: dict[str, None] = {}
    reader = blocks(path, names, (), (roles[SUBJECT],))
    while (batch := next_block(reader, path)) is not None:
        found |= dict.fromkeys(_text(value) for value in batch.column(roles[SUBJECT]).unique().to_pylist())
    if not found or "" in found:
        raise CorpusError(
            f"{path}: {'rows without a participant' if found else 'no row'}: nobody can be left out; merge "
            "the exports again"
        )
    return tuple(found)


@lru_cache(maxsize=1)
def _read(path: Path, _changed: tuple[int, int], content: Content, with_clock: bool) -> _Table:
    names, roles, columns = _roles(path)
    wanted = {
        "bands": columns.bands,
        "raw": columns.raw,
        "rows": (*columns.bands, *columns.raw, *columns.extra),
    }
    channels = {
        "bands": BAND_CHANNELS,
        "raw": ELECTRODES,
        "rows": (*BAND_CHANNELS, *ELECTRODES, *columns.extra),
    }
    shown = channels[content] + (columns.clocks if content == "rows" and with_clock else ())
    trials: dict[str, list[_Trial]] = {}
    last = ("", "")
    reader = blocks(path, names, wanted[content], (*roles.values(), *columns.clocks))
    while (batch := next_block(reader, path)) is not None:
        values = numbers_of(batch, wanted[content])
        there = np.isfinite(values).all(axis=1) if content == "rows" else np.isfinite(values).any(axis=1)
        for who, category, rows in _runs(batch, roles):
            if (who, category) != last:
                trials.setdefault(who, []).append(_Trial(category))
                last = (who, category)
                _check_runs(path, who, trials[who])
            trial, kept = trials[who][-1], rows[there[rows]]
            trial.n_rows += len(rows)
            trial.values.append(values[kept])
            # steps of the clock count from one raw row to the next; band powers stand in few rows
            timed = rows if content == "bands" else kept
            _add_times(trial, batch, timed, columns.clocks, None if with_clock else MAX_CLOCK_ROWS)
    if content == "rows" and with_clock:
        _add_clocks(trials)
    return _Table(columns, shown, {who: tuple(found) for who, found in trials.items()})


def _runs(batch: pa.RecordBatch, roles: Mapping[str, str]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Neighbouring rows of one participant and category."""
    who = [_text(value) for value in batch.column(roles[SUBJECT]).to_pylist()]
    category = [_text(value).upper() for value in batch.column(roles[CATEGORY]).to_pylist()]
    keys = list(zip(who, category, strict=True))
    starts = [0, *(place for place in range(1, len(keys)) if keys[place] != keys[place - 1])] if keys else []
    for start, stop in zip(starts, [*starts[1:], len(keys)], strict=True):
        yield (*keys[start], np.arange(start, stop))


def _check_runs(path: Path, who: str, found: list[_Trial]) -> None:
    if len(found) > MAX_RUNS:
        raise CorpusError(
            f"{path}: the rows of participant {who} change their category more than {MAX_RUNS} times: they "
            "are not in the order in which they were recorded; merge the exports again, and do not shuffle"
        )


def _add_times(
    trial: _Trial, batch: pa.RecordBatch, rows: np.ndarray, clocks: tuple[str, ...], limit: int | None
) -> None:
    """What the time columns say of some rows, of the first ``limit`` of a trial."""
    for name in clocks:
        parts = trial.clocks.setdefault(name, [np.zeros(0)])
        wanted = rows if limit is None else rows[: max(0, limit - sum(map(len, parts)))]
        if len(wanted):
            parts.append(seconds_of(batch.column(name).take(pa.array(wanted)).to_pylist()))


def _add_clocks(trials: Mapping[str, list[_Trial]]) -> None:
    """The clock columns behind the features, as the published script has them, from the earliest row on.

    Single precision would hold times since 1970 to two minutes; the script standardises what it takes, so
    that a common start makes no difference.
    """
    every = [trial for found in trials.values() for trial in found]
    names = dict.fromkeys(name for trial in every for name in trial.clocks)
    earliest = {name: _earliest(part for trial in every for part in trial.clocks[name]) for name in names}
    for trial in every:
        times = [np.concatenate(parts) - earliest[name] for name, parts in trial.clocks.items()]
        columns = [np.concatenate(trial.values), *(column.astype(np.float32) for column in times)]
        trial.values = [np.column_stack(columns)]


def _earliest(parts: Iterable[Float64[np.ndarray, " rows"]]) -> float:
    known = [float(part[np.isfinite(part)].min()) for part in parts if np.isfinite(part).any()]
    return min(known, default=0.0)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
