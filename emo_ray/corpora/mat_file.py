"""MATLAB files: v5 to v7 through SciPy, v7.3 through h5py; the same arrays from either."""

import io
import struct
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import scipy

from emo_ray.corpora.mat_elements import (
    COMPRESSED,
    MATRIX,
    TAG_BYTES,
    ByteOrder,
    ElementTree,
    MatrixHeader,
)
from emo_ray.corpora.mat_hdf5 import hdf5_shapes, is_hdf5, read_hdf5
from emo_ray.errors import CorpusError

FILE_HEADER_BYTES = 128  # text, offset of the objects' store, version, byte order
NAME_REACH_BYTES = 4096  # of a variable: its class, shape and name lie in far less
MAX_VARIABLE_BYTES = 1 << 31  # what MATLAB itself can save below v7.3
DAMAGED = "it may be cut off or damaged, copy or download it again"


def read_mat(file: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Variables of a MATLAB file by name, shaped as MATLAB has them (two axes or more, never squeezed).

    Numbers keep the type they are stored in. A cell array is an array of objects, its cells arrays; a
    struct is a structured array, its fields objects; a text of one row is an array of one string.

    Parameters
    ----------
    file : v5, v6, v7 or v7.3
    names : the variables to read, those that are not there being left out of the answer; None for all but
        objects, function handles and sparse matrices, which are not read

    Raises
    ------
    CorpusError : there is no such file, it is no MATLAB file, it is damaged, or a variable that is named
        can not be read
    """
    with told_of(file):
        if is_hdf5(file):
            return read_hdf5(file, names)
        with file.open("rb") as stream:
            return _read_v5(Mat5Stream(stream, file), names)


def mat_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every variable of a MATLAB file; reads no values.

    Raises
    ------
    CorpusError : there is no such file, it is no MATLAB file, or damaged
    """
    with told_of(file):
        if is_hdf5(file):
            return hdf5_shapes(file)
        with file.open("rb") as stream:
            variables = Mat5Stream(stream, file).variables()
            return {variable.header.name: variable.header.shape for variable in variables}


@contextmanager
def told_of(file: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a MATLAB file is read into one kind of error."""
    try:
        yield
    except CorpusError:
        raise
    except FileNotFoundError as error:
        raise CorpusError(f"{file} is missing: restore it, or correct the path of the corpus") from error
    # on damaged bytes SciPy and h5py raise nearly anything, UnboundLocalError included
    except Exception as error:
        raise CorpusError(f"{file} can not be read ({type(error).__name__}: {error}): {DAMAGED}") from error


class Variable(NamedTuple):
    """One variable of a v5 file, and where its element lies."""

    header: MatrixHeader
    kind: int
    start: int
    size: int


class Mat5Stream:
    """A MATLAB v5 to v7 file: what variables it has, and the bytes of each, uncompressed."""

    def __init__(self, stream: BinaryIO, file: Path) -> None:
        self.stream = stream
        self.file = file
        self.n_bytes = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        self.order = self._byte_order(stream.read(FILE_HEADER_BYTES))

    def _byte_order(self, header: bytes) -> ByteOrder:
        # the version 0x0100 and the letters MI, both as numbers of two bytes
        orders: dict[bytes, ByteOrder] = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
        if header[124:] not in orders:
            raise CorpusError(
                f"{self.file} is no MATLAB file of version 5 to 7.3 ({self.n_bytes} bytes, starting with "
                f"{header[:8]!r}): {DAMAGED}, or save it with save(..., '-v7')"
            )
        return orders[header[124:]]

    def variables(self) -> Iterator[Variable]:
        """All variables with a name, in the order of the file."""
        at = FILE_HEADER_BYTES
        names = set()
        while at < self.n_bytes:
            variable = self._variable(at)
            at = variable.start + variable.size
            name = variable.header.name
            if name in names:
                raise CorpusError(f"{self.file} has {name!r} twice: save it anew with one of them")
            names.add(name)
            # without a name: the store of MATLAB's objects
            if name and not name.startswith("__"):
                yield variable

    def _variable(self, at: int) -> Variable:
        self.stream.seek(at)
        kind, size = struct.unpack(f"{self.order}II", self.stream.read(TAG_BYTES).ljust(TAG_BYTES, b"\0"))
        start = at + TAG_BYTES
        if kind not in {MATRIX, COMPRESSED} or start + size > self.n_bytes:
            raise CorpusError(
                f"{self.file} has {self.n_bytes} bytes, but at byte {at} an element of type {kind} and "
                f"{size} bytes: {DAMAGED}"
            )
        if kind == MATRIX:
            self.stream.seek(at)
            first = self.stream.read(min(TAG_BYTES + size, NAME_REACH_BYTES))
        else:
            first = zlib.decompressobj().decompress(
                self.stream.read(min(size, NAME_REACH_BYTES)), NAME_REACH_BYTES
            )
        header = ElementTree(first, self.order, f"{self.file}, element at byte {at},").header(0, len(first))
        return Variable(header, kind, start, size)

    def content(self, variable: Variable) -> bytes:
        """Tag and content of a variable, uncompressed."""
        if variable.kind == MATRIX:
            self.stream.seek(variable.start - TAG_BYTES)
            return self.stream.read(TAG_BYTES + variable.size)
        self.stream.seek(variable.start)
        return self._inflated(self.stream.read(variable.size), variable.header.name)

    def _inflated(self, compressed: bytes, name: str) -> bytes:
        inflate = zlib.decompressobj()
        first = inflate.decompress(compressed, TAG_BYTES)
        _, size = struct.unpack(f"{self.order}II", first)
        if size > MAX_VARIABLE_BYTES:
            raise CorpusError(
                f"{self.file}: {name!r} states {size} bytes, more than a v7 file holds: {DAMAGED}"
            )
        # no more than stated, whatever a compressed stream would grow to
        rest = inflate.decompress(inflate.unconsumed_tail, max(size, 1))
        surplus = b"" if inflate.eof else inflate.decompress(inflate.unconsumed_tail, 1)
        if len(rest) != size or surplus or not inflate.eof:  # at its end the checksum has been compared
            raise CorpusError(f"{self.file}: {name!r} states {size} bytes and holds others: {DAMAGED}")
        return first + rest


def _read_v5(mat: Mat5Stream, names: Collection[str] | None) -> dict[str, np.ndarray]:
    found = {}
    for variable in mat.variables():
        name, unreadable = variable.header.name, variable.header.unreadable
        if unreadable and names is not None and name in names:
            raise CorpusError(
                f"{mat.file}: {name!r} is a {unreadable}, which is not read: save it as numbers"
            )
        if not unreadable and (names is None or name in names):
            found[name] = _through_scipy(mat, variable)
    return found


def _through_scipy(mat: Mat5Stream, variable: Variable) -> np.ndarray:
    """One variable, its tree checked, handed to SciPy as a file of its own."""
    content = mat.content(variable)
    name = variable.header.name
    ElementTree(content, mat.order, f"{mat.file}, variable {name!r},").check()
    version = struct.pack(f"{mat.order}H", 0x0100) + (b"IM" if mat.order == "<" else b"MI")
    alone = io.BytesIO(version.rjust(FILE_HEADER_BYTES) + content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # SciPy warns of variables that it can not read and leaves them out
        value = scipy.io.loadmat(alone)[name]
    if not isinstance(value, np.ndarray):
        raise CorpusError(f"{mat.file}: {name!r} is read as {type(value).__name__}: save it as numbers")
    return value
