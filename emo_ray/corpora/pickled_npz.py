"""NPZ files whose members are pickles in bytes, as SEED-V ships its features."""

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from emo_ray.errors import CorpusError
from emo_ray.unpickling import load_pickle

MAX_MEMBER_BYTES = 1 << 28  # 256 MB; released members have 5
DAMAGED = "it may be cut off or damaged, copy or download it again"


def read_pickled_npz(file: Path, names: Collection[str]) -> dict[str, Any]:
    """What the members hold; read by the restricted unpickler, so that none of it is run.

    Raises
    ------
    CorpusError : the file is no NPZ, lacks a member, or a member is absurdly large or no pickle in bytes
    """
    try:
        _check_members(file, names)
        with np.load(file, allow_pickle=False) as members:
            found = {name: members[name] for name in names}
    except CorpusError:
        raise
    # damaged archives make zipfile, zlib and NumPy raise nearly anything
    except Exception as error:
        raise CorpusError(f"{file} can not be read ({type(error).__name__}: {error}): {DAMAGED}") from error
    return {
        name: load_pickle(_bytes(value, file, name), f"{file}, {name!r}") for name, value in found.items()
    }


def _check_members(file: Path, names: Collection[str]) -> None:
    """Look at the sizes before anything is unpacked: few bytes can unpack to all memory."""
    with zipfile.ZipFile(file) as archive:
        sizes: dict[str, int] = {}
        for info in archive.infolist():
            # one name may be there several times, with the ending and without: the largest counts
            name = info.filename.removesuffix(".npy")
            sizes[name] = max(info.file_size, sizes.get(name, 0))
    missing = [name for name in names if name not in sizes]
    if missing:
        raise CorpusError(
            f"{file} has no {' and no '.join(missing)} (it has {', '.join(sizes) or 'nothing'}): use the "
            "file as it was released"
        )
    large = [f"{name} of {sizes[name]} bytes" for name in names if sizes[name] > MAX_MEMBER_BYTES]
    if large:
        raise CorpusError(f"{file} has {', '.join(large)}, more than {MAX_MEMBER_BYTES}: {DAMAGED}")


def _bytes(value: np.ndarray, file: Path, name: str) -> bytes:
    """The pickle; NumPy strips zeros from the end of bytes, but a pickle ends with a point."""
    if value.shape != () or value.dtype.kind != "S":
        raise CorpusError(
            f"{file}: {name!r} is {value.dtype} of shape {value.shape}, not a pickle in bytes: use the file "
            "as it was released"
        )
    return bytes(value.item())
