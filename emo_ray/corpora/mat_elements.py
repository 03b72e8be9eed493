"""The element tree of MATLAB v5 to v7 variables, checked before SciPy reads it.

SciPy trusts sizes that the file states; on damaged bytes it can crash the process or ask for all memory.
"""

import math
import struct
from dataclasses import dataclass
from typing import Literal, NamedTuple

from emo_ray.errors import CorpusError

# Types of elements, after "MAT-File Format", MathWorks, table 1-1: bytes an item of those that hold numbers.
ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
TEXT_TYPES = {1, 2, 4, 16, 17, 18}  # int8, uint8, uint16, UTF-8, UTF-16, UTF-32
INT8, INT32, UINT32, MATRIX, COMPRESSED, UTF8 = 1, 5, 6, 14, 15, 16

# Classes of matrices, table 1-3.
CELL, STRUCT, CHAR, FIRST_NUMBER, LAST_NUMBER = 1, 2, 4, 6, 15
OTHER_CLASSES = {3: "object", 5: "sparse matrix", 16: "function handle", 17: "opaque object", 18: "object"}
COMPLEX_FLAG = 1 << 11

TAG_BYTES = 8
MAX_DIMS = 32
MAX_DEPTH = 32  # cells in cells; each is a call within a call, also in SciPy
MAX_MATRICES = 1_000_000  # cells and fields of one variable

ByteOrder = Literal["<", ">"]


class Element(NamedTuple):
    """Type of an element, where its data starts, how many bytes it has, and where the next one starts."""

    kind: int
    start: int
    size: int
    after: int


class MatrixHeader(NamedTuple):
    """Class, shape and name of a matrix, and where its content starts."""

    matlab_class: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str
    content: int

    @property
    def n_items(self) -> int:
        """Items of an array of this shape."""
        return math.prod(self.shape)

    @property
    def unreadable(self) -> str | None:
        """What the matrix is, where it is none of numbers, text, cells and structs."""
        if self.matlab_class in {CELL, STRUCT, CHAR, *range(FIRST_NUMBER, LAST_NUMBER + 1)}:
            return None
        return OTHER_CLASSES.get(self.matlab_class, f"variable of unknown class {self.matlab_class}")


@dataclass
class ElementTree:
    """Walks the bytes of one variable, beginning with the tag of its matrix.

    Attributes
    ----------
    content : all bytes, not compressed; for `header` the first few hundred do
    order : byte order of the file
    source : file (and variable) for messages
    """

    content: bytes
    order: ByteOrder
    source: str
    n_matrices: int = 0

    def check(self) -> None:
        """See that every size fits its parent, and its shape.

        Raises
        ------
        CorpusError : names the byte where the tree is damaged
        """
        self.matrix(0, len(self.content), depth=0)

    def matrix(self, at: int, end: int, depth: int) -> int:
        """Check one matrix and all in it; where the next element starts."""
        self.n_matrices += 1
        if depth > MAX_DEPTH or self.n_matrices > MAX_MATRICES:
            raise self.damaged(at, f"more than {MAX_DEPTH} levels or {MAX_MATRICES} cells")
        element = self.element(at, end)
        if element.kind != MATRIX:
            raise self.damaged(at, f"an element of type {element.kind} where a matrix must be")
        inside = element.start + element.size
        if depth > 0 and element.size == 0:  # how an empty cell is written
            return inside
        header = self.header(at, end)
        if header.unreadable:
            raise self.damaged(at, f"{header.name or 'a cell'} is a {header.unreadable}, which is not read")
        reached = self.items(header, inside, depth)
        # SciPy reads on where the last part ended; bytes between would shift everything behind them
        if depth > 0 and reached != inside:
            raise self.damaged(reached, f"{inside - reached} bytes more than the matrix has parts")
        return inside

    def header(self, at: int, end: int) -> MatrixHeader:
        """Class, shape and name of the matrix whose tag is at a byte."""
        flags = self.element(at + TAG_BYTES, end)
        if (flags.kind, flags.size, flags.start) != (UINT32, 8, at + 2 * TAG_BYTES):
            raise self.damaged(at, "no array flags")
        (flag_bits,) = struct.unpack_from(f"{self.order}I", self.content, flags.start)
        dims = self.element(flags.after, end)
        if dims.kind != INT32 or dims.size % 4 or not 2 <= dims.size // 4 <= MAX_DIMS:
            raise self.damaged(flags.after, "no dimensions")
        shape = struct.unpack_from(f"{self.order}{dims.size // 4}i", self.content, dims.start)
        if min(shape) < 0:
            raise self.damaged(dims.start, f"shape {shape}")
        name = self.element(dims.after, end)
        if name.kind not in {INT8, UTF8}:
            raise self.damaged(dims.after, "no name")
        text = self.content[name.start : name.start + name.size].decode("latin1")
        return MatrixHeader(flag_bits & 0xFF, bool(flag_bits & COMPLEX_FLAG), shape, text, name.after)

    def items(self, header: MatrixHeader, end: int, depth: int) -> int:
        """Check what comes after the header; where it ends."""
        if header.matlab_class == CELL:
            return self.matrices(header.n_items, header.content, end, depth)
        if header.matlab_class == STRUCT:
            return self.fields(header, end, depth)
        if header.matlab_class == CHAR:
            return self.text(header, end)
        reached = header.content
        for _ in range(2 if header.is_complex else 1):
            part = self.element(reached, end)
            if part.kind not in ITEM_BYTES or part.size != header.n_items * ITEM_BYTES[part.kind]:
                raise self.damaged(
                    reached,
                    f"{part.size} bytes of type {part.kind} for shape {header.shape} of {header.name!r}",
                )
            reached = part.after
        return reached

    def text(self, header: MatrixHeader, end: int) -> int:
        """Check a text: SciPy makes blanks where bytes are missing, however many are asked for."""
        letters = self.element(header.content, end)
        if letters.kind not in TEXT_TYPES or letters.size < header.n_items:
            raise self.damaged(
                header.content,
                f"{letters.size} bytes of type {letters.kind} for text of shape {header.shape}",
            )
        return letters.after

    def fields(self, header: MatrixHeader, end: int, depth: int) -> int:
        """Check a struct: the length of its field names, the names, and a matrix an item and name."""
        length = self.element(header.content, end)
        if length.kind != INT32 or length.size != 4:
            raise self.damaged(header.content, "no length of field names")
        (n_letters,) = struct.unpack_from(f"{self.order}i", self.content, length.start)
        names = self.element(length.after, end)
        if names.kind != INT8 or n_letters < 1 or names.size % n_letters:
            raise self.damaged(length.after, f"{names.size} bytes of field names of {n_letters} bytes each")
        n_fields = names.size // n_letters
        if n_fields == 0 and header.n_items > 1:
            raise self.damaged(length.after, f"{header.n_items} structs without a field")
        return self.matrices(n_fields * header.n_items, names.after, end, depth)

    def matrices(self, n_expected: int, at: int, end: int, depth: int) -> int:
        """Check matrices one after the other."""
        # before the loop, as the number may be any
        if n_expected > (end - at) // TAG_BYTES:
            raise self.damaged(at, f"{n_expected} cells in {end - at} bytes")
        for _ in range(n_expected):
            at = self.matrix(at, end, depth + 1)
        return at

    def element(self, at: int, end: int) -> Element:
        """Read one tag; the element must end within its parent."""
        if end - at < TAG_BYTES or at + TAG_BYTES > len(self.content):
            raise self.damaged(at, "it is cut off")
        kind, size = struct.unpack_from(f"{self.order}II", self.content, at)
        if kind >> 16:  # a small element: type and size share four bytes, the data has the other four
            found = Element(kind & 0xFFFF, at + 4, kind >> 16, at + TAG_BYTES)
        else:
            start = at + TAG_BYTES
            # data is padded to eight bytes, but matrices are whole already
            padding = 0 if kind == MATRIX else -size % 8
            found = Element(kind, start, size, start + size + padding)
        if found.start + found.size > min(end, found.after):
            raise self.damaged(at, f"an element of {found.size} bytes reaches beyond its parent")
        # whoever writes may leave out the padding at the very end
        return found._replace(after=min(found.after, max(end, found.start + found.size)))

    def damaged(self, at: int, what: str) -> CorpusError:
        """The error to raise for a byte of the variable."""
        return CorpusError(
            f"{self.source} is damaged or of no known layout at byte {at} ({what}): copy or download it again"
        )
