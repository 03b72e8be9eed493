"""What a job prints, kept in the folder of its study as well."""

import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from emo_ray.errors import JournalError
from emo_ray.progress import CONSOLE


class Console:
    """Copies standard output and error while it is entered; what comes before `keep` waits.

    Lines are kept as they stand in the end: of a bar that was redrawn, its last state.
    """

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._file: IO[str] | None = None
        self._streams: tuple[Any, Any] | None = None

    def __enter__(self) -> "Console":
        self._streams = (sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = _Copied(sys.stdout, self), _Copied(sys.stderr, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._streams is not None, "entered before"
        sys.stdout, sys.stderr = self._streams
        if self._file is not None:
            self._file.close()

    def keep(self, folder: Path) -> None:
        """Append to the log in this folder from now on, and what was printed before.

        Raises
        ------
        JournalError : the folder can not be written
        """
        try:
            self._file = (folder / CONSOLE).open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise JournalError(f"can not write {folder / CONSOLE}: {error.strerror or error}") from error
        for line in self._waiting:
            self._file.write(line)
        self._waiting.clear()

    def line(self, text: str) -> None:
        """One whole line, without its end."""
        kept = text.rpartition("\r")[2] + "\n"
        if self._file is None:
            self._waiting.append(kept)
            return
        try:
            self._file.write(kept)
        except OSError:
            # A full disk is told of by whoever writes results; a log is no reason to stop.
            self._file.close()
            self._file = None


class _Copied:
    """A stream that tells a console of its whole lines; all else is the stream's own."""

    def __init__(self, stream: Any, console: Console) -> None:
        self._stream, self._console, self._begun = stream, console, ""

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._console.line(line)
        written: int = self._stream.write(text)
        return written

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
