"""Tables of the Enobio recorder: 160 sparse band powers and 32 raw channels a row, as PPB-Emo exports them.

A band power stands in about every thirtieth row only, so rows are never dropped for what they lack: raw rows
are those with raw samples, band rows those with band powers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from jaxtyping import Float32, Float64

from emo_ray.errors import CorpusError

# By sensor number (1 source): the recorder's own order.
ELECTRODES = (
    "Fp1", "Fp2", "AF3", "AF4", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "Cz",
    "C4", "T8", "CP5", "CP1", "CP2", "CP6", "P7", "P3", "Pz", "P4", "P8", "PO3", "PO4", "O1", "Oz", "O2",
)  # fmt: skip
BANDS = ("delta", "theta", "alpha", "beta", "gamma")
BAND_CHANNELS = tuple(f"{electrode}/{band}" for electrode in ELECTRODES for band in BANDS)
BAND_COLUMN = re.compile(r"neband_([a-z]+)-sensor-(\d+)")
RAW_COLUMN = re.compile(r"ne_?ch(\d+)")
CLOCK_COLUMN = re.compile(r"(rec_?time|utc|timestamp|time)(_.*)?")
NO_FEATURE = re.compile(r"unnamed:\s*\d+|index|dataset_name|participant|category|")
RATES_HZ = (250.0, 500.0)
RATE_TOLERANCE = 0.1
SECONDS_A_UNIT = (1.0, 1e-3, 1e-6, 1e-9)  # a clock may count seconds or less
BLOCK_BYTES = 1 << 24
MAX_COLUMNS = 4096  # far above the 197 that are known: what has more is another kind of file


@dataclass(frozen=True)
class Columns:
    """Which column is what, by its name in the file.

    Attributes
    ----------
    raw : in the order of `ELECTRODES`
    bands : in the order of `BAND_CHANNELS`
    clocks, extra : time columns, and numbers that nobody has described
    guessed : True where the raw columns were taken by place, as none has the known name
    """

    raw: tuple[str, ...]
    bands: tuple[str, ...]
    clocks: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    guessed: bool = False


def columns_of(names: Sequence[str], source: str) -> Columns:
    """Roles of the columns of one table, whatever their case.

    Parameters
    ----------
    names : the header
    source : of the table, for messages

    Raises
    ------
    CorpusError : two columns of one name, or neither 32 raw channels nor 160 band powers
    """
    lower = [name.strip().lower() for name in names]
    raw = {int(match[1]): names[i] for i, name in enumerate(lower) if (match := RAW_COLUMN.fullmatch(name))}
    bands = {
        (int(match[2]), match[1]): names[i]
        for i, name in enumerate(lower)
        if (match := BAND_COLUMN.fullmatch(name))
    }
    wanted = [(sensor + 1, band) for sensor in range(len(ELECTRODES)) for band in BANDS]
    missing = [f"neband_{band}-sensor-{sensor}" for sensor, band in wanted if (sensor, band) not in bands]
    if missing:
        raise CorpusError(
            f"{source}: {len(missing)} of the {len(wanted)} band columns are missing, the first is "
            f"{missing[0]!r}; the table has {', '.join(map(repr, names[:4]))} ...: give an EEG export of "
            "PPB-Emo"
        )
    guessed = sorted(raw) != list(range(1, len(ELECTRODES) + 1))
    clocks = tuple(names[i] for i, name in enumerate(lower) if CLOCK_COLUMN.fullmatch(name))
    if guessed:
        last = tuple(names[-len(ELECTRODES) :])
        taken = {*bands.values(), *clocks}
        if len(names) < len(ELECTRODES) + len(bands) or taken & set(last):
            raise CorpusError(
                f"{source}: has {len(raw)} of the columns NE_CH1 to NE_CH32, and its last 32 columns are no "
                "raw channels either: name the columns as PPB-Emo does"
            )
    chosen = last if guessed else tuple(raw[sensor + 1] for sensor in range(len(ELECTRODES)))
    known = {*chosen, *bands.values(), *clocks}
    extra = [
        name
        for name, small in zip(names, lower, strict=True)
        if name not in known and not NO_FEATURE.fullmatch(small)
    ]
    return Columns(chosen, tuple(bands[key] for key in wanted), clocks, tuple(extra), guessed)


def header_of(path: Path) -> list[str]:
    """Names of the columns of a CSV.

    Raises
    ------
    CorpusError : no such file, an empty one, no text, or more columns than any such table has
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            first = stream.readline(1 << 20)
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} can not be read as text ({error}): copy it again") from error
    names = [name.strip().strip('"') for name in first.rstrip("\r\n").split(",")]
    if len(names) < 2 or len(names) > MAX_COLUMNS:
        raise CorpusError(f"{path}: its first row has {len(names)} columns: is it the table itself?")
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise CorpusError(f"{path}: two columns are called {repeated[0]!r}: rename one of them")
    return names


def blocks(
    path: Path, names: Sequence[str], numbers: Sequence[str], texts: Sequence[str]
) -> "pa.RecordBatchReader":
    """The table in pieces of about 16 MiB: some columns as float32, some as text.

    Raises
    ------
    CorpusError : a row is cut off, or a number is none
    """
    kinds = {name: pa.float32() for name in numbers} | {name: pa.string() for name in texts}
    try:
        return pa_csv.open_csv(
            path,
            read_options=pa_csv.ReadOptions(
                column_names=list(names), skip_rows=1, block_size=BLOCK_BYTES, use_threads=False
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=kinds,
                include_columns=[*numbers, *texts],
                null_values=["", "NaN", "nan", "NA", "null"],
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise CorpusError(_broken(path, error)) from error


def next_block(reader: "pa.RecordBatchReader", path: Path) -> pa.RecordBatch | None:
    """The next piece, None at the end.

    Raises
    ------
    CorpusError : a row is cut off, or a number is none
    """
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except (pa.ArrowInvalid, OSError) as error:
        raise CorpusError(_broken(path, error)) from error


def _broken(path: Path, error: Exception) -> str:
    first = str(error).splitlines()[0][:300]
    return f"{path}: a row can not be read ({first}): the file may be cut off or edited, copy it again"


def numbers_of(batch: pa.RecordBatch, names: Sequence[str]) -> Float32[np.ndarray, "rows columns"]:
    """Some columns of a piece as rows; NaN where empty."""
    found = np.empty((batch.num_rows, len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        found[:, place] = batch.column(name).to_numpy(zero_copy_only=False)
    return found


def seconds_of(texts: Sequence[str | None]) -> Float64[np.ndarray, " rows"]:
    """A time column as numbers: as they stand, or seconds of a date and time; NaN where neither."""
    series: pd.Series = pd.Series(list(texts), dtype="object")
    numbers = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64)
    if np.isfinite(numbers).mean() > 0.5:
        return np.asarray(numbers)
    dates = pd.to_datetime(series, errors="coerce", utc=True, format="mixed")
    nanoseconds = dates.astype("int64").to_numpy().astype(np.float64)
    unit = 1e-9 if str(dates.dtype).startswith("datetime64[ns") else 1e-6
    found: Float64[np.ndarray, " rows"] = np.where(dates.isna(), np.nan, nanoseconds * unit)
    return found


def measured_rate(clocks: Mapping[str, Float64[np.ndarray, " rows"]]) -> float | None:
    """250 or 500 Hz, by the first time column whose steps are near either; None where none is.

    A clock may count seconds, milliseconds or less, and may stand still for some rows: the mean step over
    the whole trial is looked at, beside the median one.
    """
    for clock in clocks.values():
        known = clock[np.isfinite(clock)]
        if known.size < 10 or known[-1] <= known[0]:
            continue
        steps = (float(np.median(np.diff(known))), float((known[-1] - known[0]) / (known.size - 1)))
        for step in steps:
            for unit in SECONDS_A_UNIT:
                for rate in RATES_HZ:
                    if step > 0 and abs(step * unit * rate - 1) <= RATE_TOLERANCE:
                        return rate
    return None
