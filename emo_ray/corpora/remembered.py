"""What is slow to find out about a large file, remembered in the user's cache until the file changes."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from emo_ray.files import file_state, text_digest, write_atomically


def remembered_names(path: Path, what: str, find: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    """Names that ``find`` finds in a file; looked up where the same file was asked the same before.

    A file with another size or time of change is another file. Where the cache can not be read or written,
    ``find`` is called: remembering only saves time.

    Parameters
    ----------
    path : of the file; it must be there
    what : is asked of it; change it when the code that answers changes
    """
    n_bytes, changed_ns = file_state(path)
    question = f"{path.resolve()}|{n_bytes}|{changed_ns}|{what}"
    place = platformdirs.user_cache_path("emo_ray") / "remembered" / f"{text_digest(question)[:24]}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads(place.read_text())
        # the digest is short: the whole question must be the same
        if content["question"] == question and all(isinstance(name, str) for name in content["names"]):
            return tuple(content["names"])
    names = find()
    with suppress(OSError):
        write_atomically(place, json.dumps({"question": question, "names": names}))
    return names
