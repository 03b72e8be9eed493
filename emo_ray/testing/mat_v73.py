"""MATLAB v7.3 files as MATLAB writes them: HDF5 behind a header of 512 bytes, axes reversed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from emo_ray.files import atomic_path

USER_BLOCK = b"MATLAB 7.3 MAT-file, synthetic, made by emo_ray".ljust(124) + b"\x00\x02IM"
CLASSES = {
    "f8": "double", "f4": "single", "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16",
    "i4": "int32", "u4": "uint32", "i8": "int64", "u8": "uint64", "b1": "logical",
    "c16": "double", "c8": "single",
}  # fmt: skip
CHUNK_BYTES = 1 << 20


def save_v73(file: Path, variables: Mapping[str, Any]) -> None:
    """Write variables as ``save(..., '-v7.3')`` does; the file appears whole or not at all.

    Parameters
    ----------
    variables : name to array of numbers, text, array of objects (a cell array) or mapping (a struct)
    """
    with atomic_path(file) as part:
        with h5py.File(part, "w", userblock_size=512, libver="earliest") as content:
            writer = _Writer(content)
            for name, value in variables.items():
                writer.write(content, name, value)
        with part.open("r+b") as target:
            target.write(USER_BLOCK)


@dataclass
class _Writer:
    content: h5py.File
    names: list[str] = field(default_factory=list)

    def write(self, group: h5py.Group, name: str, value: Any) -> Any:
        """One variable, cell or field."""
        if isinstance(value, Mapping):
            node = group.create_group(name)
            node.attrs["MATLAB_class"] = np.bytes_("struct")
            node.attrs["MATLAB_fields"] = _letters(value)
            for key, item in value.items():
                self.write(node, key, item)
            return node
        array = np.array([[ord(letter) for letter in value]], "u2") if isinstance(value, str) else value
        matlab_class = "char" if isinstance(value, str) else _class_of(array)
        if array.size == 0:
            node = group.create_dataset(name, data=np.array(array.shape, dtype="u8"))
            node.attrs["MATLAB_empty"] = np.uint8(1)
        elif array.dtype == object:
            node = group.create_dataset(name, data=self._references(array).T, dtype=h5py.ref_dtype)
        else:
            node = _compressed(group, name, _as_stored(array).T)
        node.attrs["MATLAB_class"] = np.bytes_(matlab_class)
        return node

    def _references(self, cells: np.ndarray) -> np.ndarray:
        """Each cell written below ``#refs#``, and where it is."""
        store = self.content.require_group("#refs#")
        found = np.empty(cells.shape, dtype=object)
        for index, cell in np.ndenumerate(cells):
            self.names.append(f"c{len(self.names)}")
            found[index] = self.write(store, self.names[-1], cell).ref
        return found


def _class_of(array: np.ndarray) -> str:
    return "cell" if array.dtype == object else CLASSES[array.dtype.str[1:]]


def _as_stored(array: np.ndarray) -> np.ndarray:
    if array.dtype == bool:
        return array.astype("u1")
    if array.dtype.kind != "c":
        return array
    found = np.empty(array.shape, dtype=[("real", array.real.dtype), ("imag", array.real.dtype)])
    found["real"], found["imag"] = array.real, array.imag
    return found


def _compressed(group: h5py.Group, name: str, values: np.ndarray) -> h5py.Dataset:
    # small arrays are stored whole, as MATLAB does
    if values.nbytes <= CHUNK_BYTES:
        return group.create_dataset(name, data=values)
    return group.create_dataset(name, data=values, chunks=True, compression="gzip", compression_opts=3)


def _letters(names: Mapping[str, Any]) -> np.ndarray:
    """Names as MATLAB stores them: arrays of single letters."""
    found = np.empty(len(names), dtype=h5py.vlen_dtype("S1"))
    for index, name in enumerate(names):
        found[index] = np.array([letter.encode() for letter in name], dtype="S1")
    return found
