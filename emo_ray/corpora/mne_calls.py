"""Calls into MNE with files that may be damaged: every exception becomes ours, every warning a note."""

import io
import re
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import TypeVar

from emo_ray.errors import CorpusError, EmoRayError

Result = TypeVar("Result")

MAX_MESSAGE = 300  # characters: some of MNE's messages print a whole header
# Said of files that are as they should be: how a FIF file is called is no fact about its content.
NOT_WORTH_A_NOTE = re.compile(r"does not conform to MNE naming conventions")


def carefully(call: Callable[[], Result], problem: str) -> tuple[Result, tuple[str, ...]]:
    """Make a call; return its result and what it warned about.

    Parameters
    ----------
    call : reads a file by MNE
    problem : the message begins with it, and with the file

    Raises
    ------
    CorpusError : the call raised anything but an error of ours
    """
    # MNE prints what it warns about, too; at a level that does not print it would not warn
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        try:
            result = call()
        except EmoRayError:
            raise
        # MNE takes headers at their word, so that damaged bytes may raise any type from any depth
        except Exception as error:
            raise CorpusError(
                f"{problem}: MNE says {type(error).__name__}: {_gist(str(error))}; copy or export the file "
                "again, or leave the recording out"
            ) from error
    lines = dict.fromkeys(_gist(str(warning.message)) for warning in caught)
    return result, tuple(f"MNE says: {line}" for line in lines if not NOT_WORTH_A_NOTE.search(line))


def _gist(message: str) -> str:
    """One line of printable characters, not too long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    return line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]} ..."
