"""MATLAB v7.3 files, which are HDF5, read to the arrays that SciPy makes of older ones."""

import math
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from emo_ray.errors import CorpusError

# Where a signature may stand: at the start, or behind MATLAB's own header of 512 bytes.
SIGNATURE, SIGNATURE_PLACES = b"\x89HDF\r\n\x1a\n", (0, 512)
MATLAB_CLASS, MATLAB_EMPTY = "MATLAB_class", "MATLAB_empty"
NUMBERS = {
    "double": "f8", "single": "f4", "logical": "u1", "int8": "i1", "uint8": "u1", "int16": "i2",
    "uint16": "u2", "int32": "i4", "uint32": "u4", "int64": "i8", "uint64": "u8",
}  # fmt: skip
MAX_DEPTH = 32  # cells in cells; references can form a ring
MAX_NODES = 1_000_000  # cells and fields of one variable
MAX_BYTES = 1 << 32  # of one variable; references can name one array a thousand times
MAX_EMPTY_DIMS = 32
BEST_DEFLATE = 1032  # bytes that deflate can make of one, at most
SMALL_BYTES = 1 << 20  # that no harm is in, whatever the file has stored
MAX_SPARE_BYTES = 1 << 26  # of a chunk that is larger than its array, as of arrays that were to grow
INFLATED_BYTES = 1 << 26  # what a chunk may grow to without being looked at
# HDF5's own filters, each at most once: deflated twice, a few bytes become all memory.
DEFLATE, SHUFFLE, CHECKSUM = 1, 2, 3


def is_hdf5(file: Path) -> bool:
    """Whether a file begins as HDF5 does, MATLAB's own header aside."""
    with file.open("rb") as stream:
        start = stream.read(SIGNATURE_PLACES[-1] + len(SIGNATURE))
    return any(start[place : place + len(SIGNATURE)] == SIGNATURE for place in SIGNATURE_PLACES)


def read_hdf5(file: Path, names: Collection[str] | None) -> dict[str, np.ndarray]:
    """Variables by name; None for all that can be read.

    Raises
    ------
    CorpusError : an array is absurdly large, or a variable is of a kind that is not read
    """
    with h5py.File(file, "r") as content:
        wanted = [name for name in _names(content) if names is None or name in names]
        found = {}
        for name in wanted:
            node = _node(content, name, file)
            if names is not None or not _unreadable(node):
                found[name] = Hdf5Variable(content, f"{file}: {name!r}").value(node)
        return found


def hdf5_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every variable, in MATLAB's order of the axes."""
    with h5py.File(file, "r") as content:
        return {name: _shape(_node(content, name, file)) for name in _names(content)}


def _names(content: h5py.File) -> list[str]:
    # "#refs#" and "#subsystem#" hold the cells and the objects
    return [name for name in content if not name.startswith(("#", "__"))]


def _node(group: h5py.Group, name: str, source: object) -> Any:
    # another link, or data kept elsewhere, would read any file of this machine
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise CorpusError(f"{source}: {name!r} is a link to another place: save it as one MATLAB file")
    node = group[name]
    # before anything of it is read, its shape included
    if isinstance(node, h5py.Dataset) and (node.external or node.is_virtual):
        raise CorpusError(f"{source}: {name!r} has its values in other files: save it as one MATLAB file")
    return node


def _matlab_class(node: Any) -> str:
    name = _attribute(node, MATLAB_CLASS, "S")
    if name is not None:
        return bytes(name).decode("latin1")
    # written by others than MATLAB: tell by the type
    if isinstance(node, h5py.Group):
        return "struct"
    return "cell" if h5py.check_ref_dtype(node.dtype) else "double"


def _is_empty(node: Any) -> bool:
    return bool(_attribute(node, MATLAB_EMPTY, "iu"))


def _attribute(node: Any, name: str, kinds: str) -> Any:
    """One value of a plain type, else None; HDF5 can read for ever where damaged bytes say that it varies."""
    if name not in node.attrs:
        return None
    attribute = node.attrs.get_id(name)
    return node.attrs[name] if attribute.dtype.kind in kinds and attribute.shape == () else None


def _shape(node: Any) -> tuple[int, ...]:
    if isinstance(node, h5py.Group):
        fields = _fields(node, node.file.filename)
        return _shape(next(iter(fields.values()))) if _is_struct_array(fields) else (1, 1)
    if _is_empty(node):
        if node.size > MAX_EMPTY_DIMS or node.chunks is not None:  # nobody packs so few numbers
            raise CorpusError(
                f"{node.file.filename}: {node.name} is empty with {node.size} dimensions, or packed"
            )
        return tuple(int(n) for n in np.asarray(node[()]).ravel())
    return tuple(reversed(node.shape))


def _fields(group: h5py.Group, source: object) -> dict[str, Any]:
    """The fields of a struct, in alphabetical order."""
    return {name: _node(group, name, source) for name in group}


def _is_struct_array(fields: Mapping[str, Any]) -> bool:
    """A struct of one item holds its fields themselves, one of several holds references to them."""
    return bool(fields) and all(
        isinstance(field, h5py.Dataset)
        and h5py.check_ref_dtype(field.dtype)
        and MATLAB_CLASS not in field.attrs
        for field in fields.values()
    )


def _unreadable(node: Any) -> str:
    kind = _matlab_class(node)
    if "MATLAB_sparse" in node.attrs:
        return "sparse matrix"
    if "MATLAB_object_decode" in node.attrs or kind not in {*NUMBERS, "char", "cell", "struct"}:
        return f"MATLAB {kind}"
    return ""


@dataclass
class Hdf5Variable:
    """Reads one variable, keeping count of how much it takes.

    Attributes
    ----------
    content : the open file
    source : file and variable, for messages
    """

    content: h5py.File
    source: str
    n_nodes: int = 0
    n_bytes: int = 0

    def value(self, node: Any, depth: int = 0) -> np.ndarray:
        """The array that SciPy would make of the same variable in a v7 file."""
        self.n_nodes += 1
        if depth > MAX_DEPTH or self.n_nodes > MAX_NODES:
            raise self.refused(f"has more than {MAX_DEPTH} levels or {MAX_NODES} cells")
        unreadable = _unreadable(node)
        if unreadable:
            raise self.refused(f"is or holds a {unreadable}, which is not read")
        if isinstance(node, h5py.Group):
            return self.struct(node, depth)
        if _is_empty(node):
            return self.empty(node)
        self.check_size(node)
        kind = _matlab_class(node)
        if kind == "cell":
            return self.cells(node, depth)
        # row-major here, column-major in MATLAB: the axes are the other way round
        values = np.asarray(node[()]).T
        if kind == "char":
            return _strings(values)
        if values.dtype.names:
            real, imaginary = (values[name] for name in ("real", "imag"))
            return np.asarray(real + 1j * imaginary)
        return values if values.ndim >= 2 else np.atleast_2d(values)

    def cells(self, node: Any, depth: int) -> np.ndarray:
        """A cell array: references to arrays elsewhere in the file."""
        references = np.asarray(node[()]).T
        found = np.empty(references.shape, dtype=object)
        for index, reference in np.ndenumerate(references):
            if not reference:
                raise self.refused(f"has a cell {index} that leads nowhere")
            found[index] = self.value(self.referred(reference), depth + 1)
        return found

    def referred(self, reference: Any) -> Any:
        """What a reference leads to, in this file."""
        node = self.content[reference]
        if isinstance(node, h5py.Dataset) and (node.external or node.is_virtual):
            raise self.refused("has its values in other files: save it as one file")
        return node

    def struct(self, group: h5py.Group, depth: int) -> np.ndarray:
        """A struct: a structured array of objects."""
        fields, shape = _fields(group, self.source), _shape(group)
        found = np.empty(shape, dtype=[(name, object) for name in fields])
        for name, node in fields.items():
            if not _is_struct_array(fields):
                found[name][0, 0] = self.value(node, depth + 1)
                continue
            self.check_size(node)
            items = self.cells(node, depth)
            if items.shape != shape:
                raise self.refused(f"is a struct of shape {shape}, its field {name} of {items.shape}")
            found[name] = items
        return found

    def empty(self, node: Any) -> np.ndarray:
        """An array without items, which holds its shape in place of values."""
        shape, kind = _shape(node), _matlab_class(node)
        if 0 not in shape or min(shape) < 0:
            raise self.refused(f"is said to be empty, and of shape {shape}")
        if kind == "char":
            return np.zeros(0, dtype="U1")  # as SciPy has it
        return np.zeros(shape, dtype=object if kind in {"cell", "struct"} else NUMBERS[kind])

    def check_size(self, node: Any) -> None:
        """Refuse what can not be stored in the file, before memory is asked for."""
        if not _is_plain(node.dtype):
            raise self.refused(f"is of type {node.dtype}")
        n_bytes = node.size * node.dtype.itemsize
        self.n_bytes += n_bytes
        n_stored = node.id.get_storage_size()
        if n_bytes > max(SMALL_BYTES, BEST_DEFLATE * n_stored) or self.n_bytes > MAX_BYTES:
            raise self.refused(f"has {n_bytes} bytes of shape {node.shape}, of which {n_stored} are stored")
        if node.chunks is not None:
            self.check_chunks(node, n_bytes)

    def check_chunks(self, node: Any, n_bytes: int) -> None:
        """Refuse chunks that unpack to more than they state: HDF5 makes room for as much as comes."""
        made = node.id.get_create_plist()
        filters = [made.get_filter(place)[0] for place in range(made.get_nfilters())]
        if len(set(filters)) < len(filters) or not set(filters) <= {DEFLATE, SHUFFLE, CHECKSUM}:
            raise self.refused(f"is packed by the filters {filters}")
        chunk_bytes = math.prod(node.chunks) * node.dtype.itemsize
        if chunk_bytes > max(n_bytes, MAX_SPARE_BYTES):
            raise self.refused(f"has {n_bytes} bytes in a chunk of {chunk_bytes}")
        large: list[tuple[int, ...]] = []

        def note(chunk: Any) -> None:
            if BEST_DEFLATE * chunk.size > INFLATED_BYTES:
                large.append(chunk.chunk_offset)

        node.id.chunk_iter(note)
        for offset in large if DEFLATE in filters else ():
            skipped, packed = node.id.read_direct_chunk(offset)
            if not skipped and _inflates_beyond(packed, chunk_bytes):
                raise self.refused(f"has a chunk that unpacks to more than its {chunk_bytes} bytes")

    def refused(self, what: str) -> CorpusError:
        """The error to raise for this variable."""
        return CorpusError(
            f"{self.source} {what}: copy or download it again, or save it with save(..., '-v7')"
        )


def _is_plain(dtype: np.dtype[Any]) -> bool:
    """Numbers, pairs of them (complex), references. Texts of any length could name one a million times."""
    if dtype.names:
        return all(dtype[name].kind in "fiu" for name in dtype.names)
    return dtype.kind in "fiubc" or h5py.check_ref_dtype(dtype) is h5py.Reference


def _inflates_beyond(packed: bytes, n_bytes: int) -> bool:
    """Whether a deflated block holds more than so many bytes; no more of them are made."""
    inflate, n_made = zlib.decompressobj(), 0
    while packed and not inflate.eof and n_made <= n_bytes:
        n_made += len(inflate.decompress(packed, SMALL_BYTES))
        packed = inflate.unconsumed_tail
    return n_made > n_bytes


def _strings(codes: np.ndarray) -> np.ndarray:
    """Rows of UTF-16 codes as strings, one a row; blanks at the end of rows stay, as in SciPy."""
    units = np.ascontiguousarray(codes, dtype="<u2")
    rows = units.reshape(-1, units.shape[-1])
    return np.array([row.tobytes().decode("utf-16-le") for row in rows]).reshape(units.shape[:-1])
