"""Files of GAMEEMO, CSV or MAT: a column an electrode."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Shaped
from pyarrow import csv

from emo_ray.corpora.mat_file import mat_shapes, read_mat
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import EMO14

# Of the CSV files, left and right in pairs; of a matrix in a MAT file, as far as anybody knows.
FILE_ORDER = ("AF3", "AF4", "F3", "F4", "F7", "F8", "FC5", "FC6", "O1", "O2", "P7", "P8", "T7", "T8")
MAX_LINE_BYTES = 1 << 16

Columns = Mapping[str, Shaped[np.ndarray, " times"]]


def channels_of_csv(file: Path) -> Columns:
    """Columns by electrode, selected by name: every line ends with a comma, which makes a nameless one.

    Raises
    ------
    CorpusError : an electrode is missing or there twice, a row is too short or long, a value is no number
    """
    try:
        with file.open("rb") as stream:
            header, first = (stream.readline(MAX_LINE_BYTES).decode("utf-8-sig", "replace") for _ in range(2))
    except OSError as error:
        raise CorpusError(f"{file} can not be read ({error.strerror or error}): copy it again") from error
    names = [name.strip().strip('"').upper() for name in header.split(",")]
    missing = [name for name in EMO14 if names.count(name) != 1]
    if missing:
        raise CorpusError(
            f"{file}: columns {', '.join(missing)} are not there once, in the first line {header[:80]!r}: "
            "restore the file"
        )
    n_columns = first.count(",") + 1
    # the comma at the end may be in the header, in the rows, in both or in none
    if any(names[n_columns:]):
        raise CorpusError(f"{file}: {len(names)} columns in the first line, {n_columns} in the second")
    unique = [name if name in EMO14 else f"column {index}" for index, name in enumerate(names)]
    unique += [f"column {index}" for index in range(len(names), n_columns)]
    try:
        table = csv.read_csv(
            file,
            read_options=csv.ReadOptions(column_names=unique[:n_columns], skip_rows=1, use_threads=False),
            convert_options=csv.ConvertOptions(
                include_columns=list(EMO14), column_types=dict.fromkeys(EMO14, pa.float64())
            ),
        )
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(f"{file} can not be read ({error}): copy it again, it may be cut off") from error
    if table.num_rows == 0:
        raise CorpusError(f"{file} has no samples: copy it again")
    return {name: _values(table[name]) for name in EMO14}


def _values(column: pa.ChunkedArray) -> Float64[np.ndarray, " times"]:
    found: Float64[np.ndarray, " times"] = column.to_numpy()  # a blank becomes NaN
    return found


def channels_of_mat(file: Path) -> tuple[Columns, str]:
    """Columns by electrode, and what is to be said of the layout: it is known from one source alone.

    Raises
    ------
    CorpusError : there are neither vectors of one length, named as the electrodes, nor one matrix of 14
    """
    shapes = mat_shapes(file)
    names = {name.upper(): name for name in shapes}
    if set(EMO14) <= set(names):
        found = read_mat(file, [names[electrode] for electrode in EMO14])
        columns = {electrode: found[names[electrode]] for electrode in EMO14}
        vectors = all(values.size == max(values.shape) for values in columns.values())
        if vectors and len({values.size for values in columns.values()}) == 1:
            _check_numbers(file, columns)
            return {name: values.ravel() for name, values in columns.items()}, ""
    matrices = [name for name, shape in shapes.items() if len(shape) == 2 and shape[1] == len(FILE_ORDER)]
    if len(matrices) == 1:
        matrix = read_mat(file, matrices)[matrices[0]]  # times electrodes
        _check_numbers(file, {matrices[0]: matrix})
        columns = dict(zip(FILE_ORDER, matrix.T, strict=True))
        return columns, "one matrix, its columns taken in the order of the CSV files"
    shown = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:5]) or "nothing"
    raise CorpusError(
        f"{file} holds {shown}, neither a vector of one length for each of {', '.join(EMO14)} nor one "
        "matrix of 14 columns: use the CSV files"
    )


def _check_numbers(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    for name, values in arrays.items():
        if values.dtype.kind not in "fiu" or values.size == 0:
            raise CorpusError(f"{file}: {name} is {values.dtype} of shape {values.shape}: use the CSV files")
