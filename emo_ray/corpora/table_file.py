"""One CSV or Parquet file as typed columns: the quirks of the file, nothing about what the columns mean."""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from emo_ray.errors import CorpusError

CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
SEPARATORS = (",", ";", "\t", "|")
# What pandas, R and spreadsheets write for a missing cell.
MISSING_TEXT = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "-nan", "null", "NULL", "<NA>")
# "None" may be a class ("no emotion"), so it is missing only where the rest of the column is numbers
MISSING_NUMBER = (*MISSING_TEXT, "None", "none", "-", "?")
BLOCK_BYTES = 16 * 2**20
MAX_SHOWN = 5


@dataclass(frozen=True)
class TableFile:
    """Columns of one file: int64, double, string or timestamp; missing cells are null.

    ``notes`` says what was unusual about the file and what was done about it.
    """

    source: Path
    table: pa.Table
    notes: tuple[str, ...] = ()


def find_table(path: Path) -> Path:
    """The file itself, or the only table of a folder.

    Raises
    ------
    CorpusError : nothing there, no table or several in the folder, or a format that is not read
    """
    if path.is_dir():
        return _only_table(path)
    if not path.is_file():
        raise CorpusError(f"{path}: no such file or folder; set path to a CSV or Parquet file")
    if not path.name.lower().endswith(CSV_SUFFIXES + PARQUET_SUFFIXES):
        raise CorpusError(
            f"{path}: only {', '.join(CSV_SUFFIXES + PARQUET_SUFFIXES)} are read "
            "(no spreadsheets; no pickles, which can run code): save the table as CSV or Parquet"
        )
    return path


def _only_table(folder: Path) -> Path:
    tables = sorted(p for p in folder.iterdir() if p.name.lower().endswith(CSV_SUFFIXES + PARQUET_SUFFIXES))
    if len(tables) != 1:
        names = ", ".join(p.name for p in tables[:MAX_SHOWN]) or "none"
        raise CorpusError(
            f"{folder}: holds {len(tables)} tables ({names}) where one is read: set path to the file itself"
        )
    return tables[0]


def read_table(path: Path) -> TableFile:
    """Read a table with typed columns; rows without any value are left out and noted.

    Raises
    ------
    CorpusError : broken, empty, ragged or wrongly encoded file; two columns of one name
    """
    source = find_table(path)
    try:
        is_parquet = source.name.lower().endswith(PARQUET_SUFFIXES)
        read = _read_parquet(source) if is_parquet else _read_csv(source)
    except UnicodeDecodeError as error:
        raise _encoding_error(source) from error
    except (OSError, EOFError, zlib.error, csv.Error, pa.ArrowException) as error:
        if "UTF8" in str(error):  # Arrow has no error class of its own for this
            raise _encoding_error(source) from error
        raise CorpusError(f"{source}: can not be read ({error}); write the file again") from error
    return _without_empty_rows(_with_nan_as_missing(read))


def _with_nan_as_missing(read: TableFile) -> TableFile:
    # Parquet tells a missing double from NaN; to a measurement they are the same
    columns = {
        name: pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
        if pa.types.is_floating(column.type)
        else column
        for name, column in zip(read.table.column_names, read.table.columns, strict=True)
    }
    return TableFile(read.source, pa.table(columns), read.notes)


def _without_empty_rows(read: TableFile) -> TableFile:
    table = read.table
    empty = pa.array([True] * table.num_rows) if table.num_columns == 0 else pc.is_null(table.column(0))
    for column in table.columns[1:]:
        empty = pc.and_(empty, pc.is_null(column))
    n_empty = int(pc.sum(empty).as_py() or 0)
    if n_empty == table.num_rows:
        raise CorpusError(f"{read.source}: a header and no rows; export the table again with its rows")
    if not n_empty:
        return read
    note = f"{n_empty} rows of {read.source.name} hold no value at all and were left out"
    return TableFile(read.source, table.filter(pc.invert(empty)), (*read.notes, note))


# ------------------------------------------------------------------ Parquet


def _read_parquet(source: Path) -> TableFile:
    table = pa_parquet.read_table(source)
    _check_unique(source, table.column_names)
    columns = {name: _plain(table.column(i)) for i, name in enumerate(table.column_names)}
    return TableFile(source, pa.table(columns))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Reduce Parquet's many types to the four of `TableFile`; what has no equal becomes text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_integer(kind):
        # the upper half of uint64 does not fit int64
        return column.cast(pa.float64() if pa.types.is_uint64(kind) else pa.int64(), safe=False)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind):
        return pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pa.chunked_array(
        [pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())]
    )


# ---------------------------------------------------------------------- CSV


@dataclass(frozen=True)
class _Layout:
    """How the lines of a CSV are to be read, found from its header and first row."""

    separator: str
    names: list[str]
    header_line: int
    notes: tuple[str, ...]


def _read_csv(source: Path) -> TableFile:
    layout = _find_layout(source)
    ragged: list[tuple[int, int]] = []

    def note_ragged(row: pa_csv.InvalidRow) -> str:
        ragged.append((row.number or 0, row.actual_columns))
        return "skip"

    table = pa_csv.read_csv(
        source,
        # everything as text first: types guessed from the first block fail on what comes after it
        read_options=pa_csv.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
            skip_rows=layout.header_line,
            column_names=layout.names,
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=layout.separator, newlines_in_values=True, invalid_row_handler=note_ragged
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in layout.names}, strings_can_be_null=False
        ),
    )
    if ragged:
        raise _ragged_error(source, layout, ragged)
    return _typed(source, table, layout)


def _find_layout(source: Path) -> _Layout:
    lines = _text_lines(source)
    number, header = next(((i, line) for i, line in lines if line.strip()), (0, ""))
    if not header:
        raise CorpusError(f"{source}: the file is empty; export the table again")
    # the one that cuts the header into most cells; the comma wins a tie, being first
    separator = max(SEPARATORS, key=lambda sep: len(_cells(header, sep)))
    names = _cells(header, separator)
    first = next((_cells(line, separator) for _, line in lines if line.strip()), None)
    if first is None:
        raise CorpusError(f"{source}: a header and no rows; export the table again with its rows")
    # a quote that is left over opens a name which goes on in the next line
    if '"' in re.sub(r'"[^"]*"', "", header):
        raise CorpusError(f"{source}, line {number}: a quoted column name has no end; write it on one line")
    names, notes = _fit_width(names, first)
    names = [name or f"Unnamed: {i}" for i, name in enumerate(names)]
    _check_unique(source, names)
    return _Layout(separator, names, number, notes)


def _text_lines(source: Path) -> Iterator[tuple[int, str]]:
    with _open(source, encoding="utf-8-sig") as file:
        yield from enumerate(file, start=1)


def _open(source: Path, encoding: str) -> Any:
    open_file = gzip.open if source.suffix.lower() == ".gz" else open
    return open_file(source, "rt", encoding=encoding, newline=None)  # old Mac line ends, too


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])]


def _fit_width(names: list[str], first: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Separators at line ends make nameless columns: keep header and rows equally wide."""
    extra = first[len(names) :]
    if extra and not any(extra):
        note = f"the rows end in {len(extra)} separators more than the header; taken as empty columns"
        return names + [""] * len(extra), (note,)
    if len(first) < len(names) and not any(names[len(first) :]):
        return names[: len(first)], ()
    return names, ()


def _typed(source: Path, table: pa.Table, layout: _Layout) -> TableFile:
    columns, comma_columns = {}, []
    for name in layout.names:
        text = pc.utf8_trim_whitespace(table.column(name))
        column = as_numbers(text)
        # where the comma separates cells, it can not also be in a number
        if column is None and layout.separator != ",":
            column = as_numbers(pc.replace_substring(text, ",", "."))
            comma_columns += [name] if column is not None else []
        columns[name] = _null_where(text, MISSING_TEXT) if column is None else column
    notes = list(layout.notes)
    if comma_columns:
        notes.append(f"decimal commas read as points in {', '.join(comma_columns[:MAX_SHOWN])}")
    if layout.separator != ",":
        notes.append(f"columns separated by {layout.separator!r}")
    return TableFile(source, pa.table(columns), tuple(notes))


def as_numbers(text: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column as int64, else as double, else None: one cell that is no number keeps it text."""
    filled = _null_where(text, MISSING_NUMBER)
    for kind in (pa.int64(), pa.float64()):  # int64 first: ids of 16 and more digits stay exact
        try:
            return pc.cast(filled, kind)
        except pa.ArrowInvalid:
            continue
    return None


def _null_where(text: pa.ChunkedArray, missing: tuple[str, ...]) -> pa.ChunkedArray:
    is_missing = pc.is_in(text, value_set=pa.array(missing))
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), text)


# ------------------------------------------------------------------- errors


def _check_unique(source: Path, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise CorpusError(
            f"{source}: {len(twice)} names stand twice in the header ({', '.join(twice[:MAX_SHOWN])}): "
            "rename or remove one of each, for a name must mean one column"
        )


def _ragged_error(source: Path, layout: _Layout, ragged: list[tuple[int, int]]) -> CorpusError:
    shown = ", ".join(f"row {number} has {n_cells}" for number, n_cells in ragged[:MAX_SHOWN])
    return CorpusError(
        f"{source}: the header names {len(layout.names)} columns, but {shown} "
        f"({len(ragged)} such in all; the header is row 1, blank lines do not count): complete or remove "
        "them (a text that holds the separator must stand in quotes)"
    )


def _encoding_error(source: Path) -> CorpusError:
    """Find the first line that is not UTF-8, for the message only."""
    open_file: Any = gzip.open if source.suffix.lower() == ".gz" else open
    with open_file(source, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return CorpusError(
                    f"{source}, line {number}: byte 0x{line[error.start]:02x} is not UTF-8; save the file "
                    "as UTF-8 (a spreadsheet calls it 'CSV UTF-8'; elsewhere: iconv -f latin1 -t utf-8)"
                )
    return CorpusError(f"{source}: the text is not UTF-8; save the file as UTF-8")
