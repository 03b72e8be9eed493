"""Files of JSON lines that a kill can not spoil: one line a write, fsynced, no half of one left behind."""

import errno
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np


class LineFile:
    """Appends whole lines. All its methods raise OSError where the file system does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: FileIO | None = None

    def open(self) -> None:
        """Cut off what a kill left of a last line, and open for more."""
        drop_torn_line(self.path)
        # Unbuffered: a line is one write, so a kill leaves at most one torn line.
        self._stream = self.path.open("ab", buffering=0)

    def append(self, line: bytes) -> None:
        """Write one line to the disk, or nothing of it."""
        assert self._stream is not None, "a journal is written inside its with block"
        before = os.fstat(self._stream.fileno()).st_size
        try:
            # A raw write may take less than it was given, and tells so by its count alone.
            if self._stream.write(line) < len(line):
                raise OSError(errno.ENOSPC, "No space left on device")
            os.fsync(self._stream.fileno())
        except OSError:
            # A full disk may have taken half of the line: the next one must not continue it.
            os.ftruncate(self._stream.fileno(), before)
            raise

    def close(self) -> None:
        """Close it; again is no harm."""
        if self._stream is not None:
            self._stream.close()


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that a kill left half-written: what it was to tell was not recorded."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as stream:
            stream.truncate(whole)
            os.fsync(stream.fileno())


def finite(value: Any) -> Any:
    """A value for JSON: lists for tuples, null for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
