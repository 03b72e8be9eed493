"""Files of an Empatica E4: row 1 the start (unix seconds), row 2 the rate (Hz), then one sample a row."""

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32

from emo_ray.errors import CorpusError

# Four weeks of EDA or two days of BVP; more is no export but a mistake or a bomb.
MAX_FILE_BYTES = 256 * 2**20
MAX_SFREQ_HZ = 1024.0  # the fastest sensor of an E4 that is read, BVP, has 64
LATEST_S = 1e11  # unix seconds of the year 5138: beyond, a time is a mistake (milliseconds, for instance)


class SensorFile(NamedTuple):
    """What one kind of file holds."""

    modality: str
    unit: str


SENSOR_FILES = {
    "BVP": SensorFile("bvp", "arbitrary"),
    "EDA": SensorFile("eda", "uS"),
    "TEMP": SensorFile("temp", "degC"),
}


@dataclass(frozen=True)
class E4File:
    """One sensor over a whole session.

    ``start_s`` is in unix seconds, ``sfreq`` in Hz.
    """

    values: Float32[np.ndarray, " times"]
    sfreq: float
    start_s: float
    unit: str

    @property
    def end_s(self) -> float:
        """Unix seconds at the end of the last sample."""
        return self.start_s + self.values.size / self.sfreq


def read_e4_file(file: Path) -> E4File:
    """Read a ``BVP``, ``EDA`` or ``TEMP`` file, plain or gzip.

    Raises
    ------
    CorpusError : not readable, cut off, no numbers, too large, or with an impossible start or rate
    """
    rows = _numbers(read_limited(file), file)
    if rows.size < 3:
        raise CorpusError(f"{file} has {rows.size} rows, and needs start, rate and samples: export it again")
    start_s, sfreq = float(rows[0]), float(rows[1])
    if not 0 <= start_s < LATEST_S:
        raise CorpusError(f"{file} starts at {start_s:g} in row 1: that must be unix seconds")
    if not 0 < sfreq <= MAX_SFREQ_HZ:
        raise CorpusError(
            f"{file} has a rate of {sfreq:g} Hz in row 2: it must be above 0 and at most {MAX_SFREQ_HZ:g} Hz"
        )
    # what single precision can not hold becomes infinite: no sample of a body
    with np.errstate(over="ignore"):
        values = rows[2:].astype(np.float32)
    return E4File(values, sfreq, start_s, SENSOR_FILES[file.name.split(".")[0]].unit)


def read_limited(file: Path) -> bytes:
    """All bytes of a plain or gzip file, at most 256 MiB once unpacked.

    Raises
    ------
    CorpusError : not readable, a broken or cut off gzip, or larger
    """
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            content = bytes(stream.read(MAX_FILE_BYTES + 1))  # the one byte more tells that there is more
    except (EOFError, zlib.error) as error:
        raise CorpusError(f"{file} is cut off or damaged ({error}): copy it again from its source") from error
    except OSError as error:  # also a file that is no gzip
        raise CorpusError(
            f"{file} can not be read ({error}): check its permissions or copy it again"
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise CorpusError(
            f"{file} holds more than {MAX_FILE_BYTES // 2**20} MiB once unpacked, no session is that long: "
            "replace it by the original export"
        )
    return content


def _numbers(content: bytes, file: Path) -> Float[np.ndarray, " rows"]:
    """One number a row; a blank row is a missing sample, NaN."""
    try:
        table = pd.read_csv(io.BytesIO(content), header=None, dtype=np.float64, skip_blank_lines=False)
    except pd.errors.EmptyDataError:
        return np.zeros(0)
    except ValueError as error:
        raise CorpusError(f"{file} {_first_bad_row(content)}: export it again") from error
    if table.shape[1] != 1:
        raise CorpusError(f"{file} has {table.shape[1]} columns where one is expected: export it again")
    return table[0].to_numpy()


def _first_bad_row(content: bytes) -> str:
    """Which row is no number, in words."""
    for number, row in enumerate(content.splitlines(), start=1):
        try:
            float(row)
        except ValueError:
            return f"has {row[:40].decode('ascii', 'replace')!r} in row {number} instead of a number"
    return "is no column of numbers"
