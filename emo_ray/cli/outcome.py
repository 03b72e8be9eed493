"""At the end of a job: the report, the tracking store, and what a user is told to type next."""

import logging
import os
import shlex
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from emo_ray.cli.places import default_tracking_uri
from emo_ray.errors import ConfigError, JournalError, TrackingError
from emo_ray.files import shown_uri

EXIT_FAILED_FOLDS = 3

Paths = TypeVar("Paths")


def check_in_background(check: Callable[[], None] | None, root: Path) -> Future[None]:
    """Run a tracking store's check beside what comes next; the result of the future may still refuse.

    Creating a fresh SQLite store takes seconds: it is done once, here, while features are computed.
    """
    if check is None:
        done: Future[None] = Future()
        done.set_result(None)
        return done
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"can not make {root} ({error.strerror}): use --root to name another folder"
        ) from error
    return ThreadPoolExecutor(1, "mlflow-check").submit(check)


def write_or_explain(write: Callable[[], Paths], study: Path) -> Paths:
    """Write a report; a full disk is told with what to do about it.

    Raises
    ------
    JournalError : it can not be written
    """
    try:
        return write()
    except OSError as error:
        raise JournalError(
            f"can not write the report of {study.name} in {study} ({error.strerror or error}): all results "
            f"are recorded; once there is room, {own_command('report', study.name)} writes it"
        ) from error


def finish_tracking(close: Callable[[], int], finish: Callable[[], None], what: str) -> str:
    """Deliver what waits, then close the study's run; returns in words what could not be delivered."""
    left = close()
    if left:
        return f"{left} {what}"
    try:
        finish()
    except TrackingError as error:
        logging.getLogger(__name__).warning("%s", error)
        return "the study's report"
    return ""


def undelivered_words(undelivered: str, study: str, root: Path, uri: str) -> str:
    """What MLflow lacks and how it gets it."""
    again = own_command("sync", study, *place(root, uri))
    return f"MLflow lacks {undelivered}: the same command, or {again}, delivers it once MLflow answers"


def where_to_look(root: Path, uri: str) -> str:
    """The exact command that opens the MLflow UI, or the address of the server that has it already."""
    if uri.startswith(("http://", "https://")):
        return shown_uri(uri)
    return own_command("ui", *place(root, uri))


def own_command(*words: str) -> str:
    """A command of ``emo-ray`` as one can type it here, quoted where it has to be."""
    script = Path(sys.executable).with_name("emo-ray")
    program = [os.path.relpath(script)] if script.exists() else [sys.executable, "-m", "emo_ray.cli.main"]
    return shlex.join([*program, *words])


def place(root: Path, uri: str) -> list[str]:
    """Flags of ``emo-ray`` that mean this root and this store: short where the default holds, no password."""
    is_default = uri == default_tracking_uri(root)
    return ["--root", str(root), *([] if is_default else ["--tracking-uri", shown_uri(uri)])]
