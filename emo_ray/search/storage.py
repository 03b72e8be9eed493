"""Where Optuna keeps a search: the sampler's memory, and what optuna-dashboard opens.

It is a view, not the record: what a search has found stands in the study's ``search.jsonl``.
One driver writes it, and holds the study's lock while it does.
"""

import errno
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from emo_ray.errors import SearchError
from emo_ray.files import shown_uri
from emo_ray.results.lines import drop_torn_line

if TYPE_CHECKING:
    from sqlalchemy import URL

JOURNAL = "optuna.journal"
SQLITE = "optuna.db"
ANSWER_S = 4.0
"""Seconds that a database server has to answer."""
_SERVERS = ("postgresql", "mysql", "mariadb")


def open_storage(where: str, folder: Path) -> BaseStorage:
    """Open, or make, the Optuna storage of a study.

    Call it with the study's lock held: a lock file and half a line that a killed driver left are removed.

    Parameters
    ----------
    where : ``"journal"`` or ``"sqlite"``, a file in the study's folder; or an URL, ``sqlite:///...`` or
        ``postgresql://...``
    folder : of the study

    Raises
    ------
    SearchError : it can not be made, read or reached; within seconds, and without the password
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    target = storage_target(where, folder)
    with _told(target):
        if where in {"journal", "sqlite"}:
            folder.mkdir(parents=True, exist_ok=True)
        if where == "journal":
            return _open_journal(Path(target))
        return _open_database(target)


def storage_target(where: str, folder: Path) -> str:
    """What ``optuna-dashboard`` is called with: path of the journal file, or URL (with its password)."""
    if where == "journal":
        # Absolute: Optuna's lock file must mean the same from every working directory.
        return str(folder.resolve() / JOURNAL)
    if where == "sqlite":
        return f"sqlite:///{folder.resolve() / SQLITE}"
    if "://" not in where:
        raise SearchError(
            f"storage {where!r} is not known: give journal, sqlite, or an URL such as "
            "postgresql://user:password@host/database"
        )
    return where


class _SparingBackend(JournalFileBackend):
    """Optuna's journal file, synced to the disk where a candidate ends rather than at every value.

    A candidate is some 50 appends; a sync at each is 10 ms a candidate on a fast disk, seconds on a slow
    one. A power cut may take the newest values, which the study's own record holds; a kill takes none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # optuna-dashboard takes the same lock when somebody writes a note there.
        self._own_lock = JournalFileOpenLock(str(path))
        super().__init__(str(path), self._own_lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._own_lock.acquire()
        try:
            # Unbuffered: one write, so a kill leaves at most one torn line.
            with self._path.open("ab", buffering=0) as stream:
                _write_whole(stream, lines.encode())
                if any("state" in log for log in logs):
                    os.fsync(stream.fileno())
        finally:
            self._own_lock.release()


def _write_whole(stream: FileIO, content: bytes) -> None:
    """Append all of it or nothing: a full disk may take a part, and tells so by the count alone."""
    before = os.fstat(stream.fileno()).st_size
    if stream.write(content) < len(content):
        os.ftruncate(stream.fileno(), before)
        raise OSError(errno.ENOSPC, "No space left on device")


def _open_journal(path: Path) -> BaseStorage:
    # A killed driver leaves its lock, and Optuna would wait half a minute before it breaks it.
    for left in path.parent.glob(f"{path.name}.lock*"):
        left.unlink(missing_ok=True)
    # Optuna refuses a file that ends in half a line.
    drop_torn_line(path)
    try:
        return JournalStorage(_SparingBackend(path))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise SearchError(
            f"Optuna's journal {path} can not be read ({type(error).__name__}: {error}): something other "
            "than Optuna has changed it. Move it away and start again; what the search has found stands in "
            "search.jsonl"
        ) from error


def _open_database(target: str) -> BaseStorage:
    import sqlalchemy

    url = sqlalchemy.make_url(target)
    if url.get_backend_name() == "sqlite":
        arguments = _prepare_sqlite(url)
    elif url.get_backend_name() in _SERVERS:
        arguments = {}
        _wait_for_server(url)
    else:
        raise SearchError(
            f"storage {shown_uri(target)!r} is of a kind that is not supported: give journal, sqlite, or an "
            "URL that starts with sqlite:/// or postgresql://"
        )
    storage = RDBStorage(target, engine_kwargs=arguments)
    if url.get_backend_name() == "sqlite":
        _relax_sqlite(storage)
    # With Optuna's cache around it, or every look at the candidates would read them all again.
    return optuna.storages.get_storage(storage)


def _prepare_sqlite(url: "URL") -> dict[str, Any]:
    if url.database in {None, "", ":memory:"}:
        raise SearchError(
            "storage 'sqlite://' lives in memory only, so a search could not be continued: give it a path, "
            "sqlite:////full/path/optuna.db"
        )
    # With a write-ahead log the dashboard reads while the driver writes. It is a property of the file.
    with closing(sqlite3.connect(str(url.database), timeout=ANSWER_S)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return {"connect_args": {"timeout": ANSWER_S}}


def _relax_sqlite(storage: RDBStorage) -> None:
    import sqlalchemy

    def sync_less(connection: sqlite3.Connection, _record: object) -> None:
        # With a write-ahead log a power cut may take the newest values, never the file.
        connection.execute("PRAGMA synchronous=NORMAL")

    sqlalchemy.event.listen(storage.engine, "connect", sync_less)
    storage.engine.dispose()  # connections that were opened before


def _wait_for_server(url: "URL") -> None:
    """Connect once, in a thread: a name server or a database that hangs must not hang the driver."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)
    outcome: list[BaseException | None] = []

    def connect() -> None:
        try:
            engine.connect().close()
        except Exception as error:
            outcome.append(error)
        else:
            outcome.append(None)

    waiter = threading.Thread(target=connect, name="optuna-storage", daemon=True)
    waiter.start()
    waiter.join(ANSWER_S)
    if not outcome:
        raise TimeoutError(f"no answer in {ANSWER_S:g} s")
    engine.dispose()
    if outcome[0] is not None:
        raise outcome[0]


@contextmanager
def storage_in_words(where: str, folder: Path) -> Iterator[None]:
    """Around work with an open storage: whatever it says in the middle of a search, in words.

    Raises
    ------
    SearchError : the storage went away, is locked, or its disk is full
    """
    from optuna.exceptions import OptunaError

    target = storage_target(where, folder)
    try:
        with _told(target):
            yield
    except OptunaError as error:
        raise SearchError(
            f"storage {shown_uri(target)} can not be used any more ({_first_line(error, target)}): what was "
            f"recorded is intact; {_next_step(target)}, then give the same command again"
        ) from error


@contextmanager
def _told(target: str) -> Iterator[None]:
    """Turn what the file system, a driver or a database says into words with a next step."""
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    shown = shown_uri(target)
    try:
        yield
    except ImportError as error:
        name = error.name or "its driver"
        raise SearchError(
            f"storage {shown} needs the Python package {name}, which is not installed: "
            f"pip install {_PACKAGES.get(name, name)}"
        ) from error
    # make_url lets a ValueError out for a port that is no number.
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise SearchError(
            f"storage {shown} is no URL of a database that is known here ({_first_line(error, target)}): "
            "give journal, sqlite, or an URL such as postgresql://user:password@host/database"
        ) from error
    except (OSError, SQLAlchemyError, sqlite3.Error, RuntimeError) as error:
        raise SearchError(
            f"storage {shown} can not be used ({_first_line(error, target)}): {_next_step(target)}"
        ) from error


# Where the package has another name than the module.
_PACKAGES = {"psycopg": "'psycopg[binary]'", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}


def _next_step(target: str) -> str:
    if target.startswith(_SERVERS):
        return "start the server, or mend host, port, database, user and password in the URL"
    return "make its folder exist and writable, close what locks the file, or name another with --storage"


def _first_line(error: BaseException, target: str) -> str:
    import sqlalchemy

    text = shown_uri((str(error) or type(error).__name__).splitlines()[0])
    try:
        password = sqlalchemy.make_url(target).password
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return text
    return text.replace(str(password), "***") if password else text
