"""DREAMER.mat: one struct of all people, 2 GB when it is open; read here one person at a time.

SciPy reads a variable whole. A person is an element of its own in it, though: as MATLAB's elements state
their length, those before can be passed over, and SciPy be handed one alone. A person (90 MB) then takes half
a GB at the peak, and counting people takes the first bytes.
"""

import io
import struct
import zlib
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import scipy

from emo_ray.corpora.mat_elements import (
    CELL,
    COMPRESSED,
    INT8,
    MATRIX,
    STRUCT,
    TAG_BYTES,
    ByteOrder,
    ElementTree,
)
from emo_ray.corpora.mat_file import DAMAGED, FILE_HEADER_BYTES, Mat5Stream, read_mat, told_of
from emo_ray.corpora.mat_hdf5 import is_hdf5
from emo_ray.errors import CorpusError
from emo_ray.files import file_state

VARIABLE, PEOPLE, ALONE = "DREAMER", "Data", "one"
HEAD_BYTES = 1 << 14  # class, fields and first tags of the struct: the release puts Data first
CHUNK_BYTES = 1 << 20
MAX_PEOPLE = 1000
MAX_PERSON_BYTES = 1 << 30  # 12 times what a person of the release has
MAX_FACT_BYTES = 1 << 16  # of a rate, a number of people, a list of electrodes


class People(NamedTuple):
    """Where people lie in the variable: how many, their first byte and that after them, uncompressed.

    ``after`` names the fields that follow.
    """

    n_people: int
    first: int
    end: int
    after: tuple[str, ...]
    order: ByteOrder
    kind: int
    start: int
    size: int


def n_people(file: Path) -> int:
    """How many people the file holds.

    Raises
    ------
    CorpusError : it is no DREAMER.mat, or damaged
    """
    with told_of(file):
        found = _people(file)
        return _cell_of_all(file).size if found is None else found.n_people


def read_person(file: Path, index: int) -> np.ndarray:
    """The struct of one person, counted from 0, as SciPy reads it: shape (1, 1), nothing squeezed.

    Raises
    ------
    CorpusError : it is no DREAMER.mat, or damaged
    """
    with told_of(file):
        found = _people(file)
        if found is None:
            return np.asarray(_cell_of_all(file).flat[index])
        with file.open("rb") as stream:
            person = _alone(_element(Unpacked.of(stream, found), found, index, file), found.order, file)
            if person.dtype.names is None:
                raise CorpusError(f"{file}: person {index + 1} is no struct: use the file as it was released")
            return person


def read_facts(file: Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """What the file says of itself, by field; those of them that stand behind the people.

    Passes over the whole file, which takes some seconds.

    Raises
    ------
    CorpusError : it is no DREAMER.mat, or damaged
    """
    with told_of(file):
        found = _people(file)
        if found is None:
            whole = _struct_of_all(file)
            return {name: whole[name].flat[0] for name in names if name in (whole.dtype.names or ())}
        with file.open("rb") as stream:
            unpacked = Unpacked.of(stream, found)
            unpacked.skip(found.end)
            facts = {}
            for name in found.after:
                tag = unpacked.take(TAG_BYTES)
                size = _size(tag, found.order, file)
                if name not in names or size > MAX_FACT_BYTES:
                    unpacked.skip(size)
                else:
                    facts[name] = _alone(tag + unpacked.take(size), found.order, file)
            return facts


def _people(file: Path) -> People | None:
    """Where people lie; None where they can not be passed over, and the file must be read whole."""
    if is_hdf5(file):
        return None
    with file.open("rb") as stream:
        mat = Mat5Stream(stream, file)
        variable = next((one for one in mat.variables() if one.header.name == VARIABLE), None)
        if variable is None:
            raise CorpusError(f"{file} has no variable {VARIABLE}: use the file as it was released")
        place = People(0, 0, 0, (), mat.order, variable.kind, variable.start, variable.size)
        head = Unpacked.of(stream, place).take_most(HEAD_BYTES)
        tree = ElementTree(head, mat.order, f"{file}, variable {VARIABLE},")
        return _cell_of_people(tree, len(head), place)


def _cell_of_people(tree: ElementTree, n_bytes: int, place: People) -> People | None:
    """Number of people and where they lie; None where the field does not begin within the head."""
    header = tree.header(0, n_bytes)
    if header.matlab_class != STRUCT or header.n_items != 1:
        raise tree.damaged(0, f"{VARIABLE} is no struct of shape (1, 1)")
    length = tree.element(header.content, n_bytes)
    (n_letters,) = struct.unpack_from(f"{tree.order}i", tree.content, length.start)
    names = tree.element(length.after, n_bytes)
    text = tree.content[names.start : names.start + names.size]
    fields = [text[at : at + n_letters].split(b"\0")[0] for at in range(0, names.size, max(n_letters, 1))]
    if PEOPLE.encode() not in fields:
        raise tree.damaged(names.start, f"{VARIABLE} has no field {PEOPLE}")
    at = names.after
    for _ in fields[: fields.index(PEOPLE.encode())]:
        if at + TAG_BYTES > n_bytes:
            return None
        at += TAG_BYTES + struct.unpack_from(f"{tree.order}I", tree.content, at + 4)[0]
    if at + 16 * TAG_BYTES > n_bytes:
        return None
    cell = tree.header(at, n_bytes)
    if cell.matlab_class != CELL or cell.n_items > MAX_PEOPLE:
        raise tree.damaged(at, f"{PEOPLE} is no cell array of people, but of shape {cell.shape}")
    (n_inside,) = struct.unpack_from(f"{tree.order}I", tree.content, at + 4)
    after = tuple(name.decode("latin1") for name in fields[fields.index(PEOPLE.encode()) + 1 :])
    return place._replace(
        n_people=cell.n_items, first=cell.content, end=at + TAG_BYTES + n_inside, after=after
    )


class Unpacked:
    """The bytes of a variable one after the other, uncompressed; no more of them in memory than asked for."""

    def __init__(self, stream: BinaryIO, n_bytes: int, *, compressed: bool) -> None:
        self.stream = stream
        self.left = n_bytes  # in the file
        self.inflate = zlib.decompressobj() if compressed else None

    @classmethod
    def of(cls, stream: BinaryIO, place: People) -> "Unpacked":
        """From the tag of the variable on."""
        # the tag of a compressed variable is compressed with it
        tag = 0 if place.kind == COMPRESSED else TAG_BYTES
        stream.seek(place.start - tag)
        return cls(stream, place.size + tag, compressed=place.kind == COMPRESSED)

    def take_most(self, n_bytes: int) -> bytes:
        """The next bytes; fewer at the end."""
        parts = []
        while n_bytes > 0:
            part = self._part(min(n_bytes, CHUNK_BYTES))
            if not part:
                break
            parts.append(part)
            n_bytes -= len(part)
        return b"".join(parts)

    def take(self, n_bytes: int) -> bytes:
        """The next bytes, all of them.

        Raises
        ------
        EOFError : there are fewer
        """
        found = self.take_most(n_bytes)
        if len(found) < n_bytes:
            raise EOFError(f"{len(found)} bytes of {n_bytes}")
        return found

    def skip(self, n_bytes: int) -> None:
        """Pass over bytes, chunk by chunk."""
        while n_bytes > 0:
            n_bytes -= len(self.take(min(n_bytes, CHUNK_BYTES)))

    def _part(self, n_bytes: int) -> bytes:
        """Some of the next bytes; none at the end."""
        if self.inflate is None:
            return self._from_file(n_bytes)
        while not self.inflate.eof:
            packed = self.inflate.unconsumed_tail or self._from_file(CHUNK_BYTES)
            found = self.inflate.decompress(packed, n_bytes)
            if found or not packed:
                return found
        return b""

    def _from_file(self, n_bytes: int) -> bytes:
        found = self.stream.read(min(n_bytes, self.left))
        self.left -= len(found)
        return found


def _element(unpacked: Unpacked, people: People, index: int, file: Path) -> bytes:
    """All bytes of one person."""
    unpacked.skip(people.first)
    for _ in range(index):
        unpacked.skip(_size(unpacked.take(TAG_BYTES), people.order, file))
    tag = unpacked.take(TAG_BYTES)
    return tag + unpacked.take(_size(tag, people.order, file))


def _size(tag: bytes, order: ByteOrder, file: Path) -> int:
    kind, size = struct.unpack(f"{order}II", tag)
    if kind != MATRIX or size > MAX_PERSON_BYTES:
        raise CorpusError(f"{file} has an element of type {kind} and {size} bytes for a person: {DAMAGED}")
    return int(size)


def _alone(element: bytes, order: ByteOrder, file: Path) -> np.ndarray:
    """A person or another field as SciPy reads it, from a file of one variable made on the spot."""
    tree = ElementTree(element, order, f"{file}, one field,")
    header = tree.header(0, len(element))
    if header.name:
        raise tree.damaged(0, "a field has a name of its own")
    # cells have no name, files know no variable without: it takes the eight bytes of the empty one
    name = struct.pack(f"{order}I", len(ALONE) << 16 | INT8) + ALONE.encode().ljust(4, b"\0")
    at = header.content - TAG_BYTES
    named = element[:at] + name + element[header.content :]
    ElementTree(named, order, f"{file}, one field,").check()
    version = struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    value: np.ndarray = scipy.io.loadmat(io.BytesIO(version.rjust(FILE_HEADER_BYTES) + named))[ALONE]
    return value


def _cell_of_all(file: Path) -> np.ndarray:
    """All people of a file that has to be read whole (v7.3)."""
    people: Any = _struct_of_all(file)[PEOPLE].flat[0]
    if not isinstance(people, np.ndarray) or people.dtype != object:
        raise CorpusError(f"{file}: {PEOPLE} is no cell array: use the file as it was released")
    return people


def _struct_of_all(file: Path) -> np.ndarray:
    return _read_whole(file, file_state(file))


@lru_cache(maxsize=1)  # 2 GB: one file at most, and each process reads it once
def _read_whole(file: Path, _state: tuple[int, int]) -> np.ndarray:
    variables = read_mat(file, (VARIABLE,))
    if VARIABLE not in variables:
        raise CorpusError(f"{file} has no variable {VARIABLE}: use the file as it was released")
    found = variables[VARIABLE]
    if found.dtype.names is None or PEOPLE not in found.dtype.names or found.size != 1:
        raise CorpusError(
            f"{file}: {VARIABLE} is no struct with field {PEOPLE}: use the file as it was released"
        )
    return found
