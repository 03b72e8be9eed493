"""MlflowStore: one MLflow store and one experiment in it; the calls that all trackers share."""

import fcntl
import logging
import os
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from emo_ray.errors import TrackingError
from emo_ray.files import shown_uri
from emo_ray.tracking.entries import MetricPoint

# read when mlflow is imported, so they must stand before that: no telemetry, and no minutes of retries
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
# a line on the terminal for every run that ends, and a question to the server for that line
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# What MLflow takes in one call: entities in all, and parameters (or tags) among them.
ENTITIES_A_BATCH = 1_000
PARAMS_A_BATCH = 100
RUNS_A_PAGE = 1_000
SERVER_SCHEMES = ("http://", "https://")
DATABASE_SCHEMES = ("sqlite:///", "postgresql", "mysql", "mssql")
ENDED = ("FINISHED", "FAILED", "KILLED")


class MlflowStore:
    """One store and one experiment in it. One thread at a time.

    Everything that MLflow, its database or its server raises becomes a `TrackingError` in `telling`.

    Parameters
    ----------
    uri : ``sqlite:///...`` or the address of an MLflow server
    experiment : name of the MLflow experiment, created where missing
    artifact_root : folder for artifacts; by default ``artifacts/`` beside the SQLite file; a server decides

    Attributes
    ----------
    experiment_id : empty until `open_experiment`
    mishaps : calls that broke off: after one, the store may hold more than its caller was told
    """

    def __init__(self, uri: str, experiment: str, artifact_root: Path | None = None) -> None:
        self.uri = uri
        self.experiment = experiment
        self.artifact_root = artifact_root
        self.experiment_id = ""
        self.mishaps = 0
        self._client_made: MlflowClient | None = None

    def check(self) -> None:
        """Make sure that the store answers; creates a SQLite store where there is none.

        Raises
        ------
        TrackingError : the store does not answer within seconds, or is of a kind that can not be used
        """
        if self.uri.startswith(SERVER_SCHEMES):
            self._ask_server()
        elif not self.uri.startswith(DATABASE_SCHEMES):
            raise TrackingError(
                f"MLflow store {shown_uri(self.uri)!r} can not be used (MLflow 3 refuses file stores): give "
                f"sqlite:////full/path/mlflow.db or the http:// address of a server"
            )
        with self.telling("open the store"), _alone_at(self._sqlite_path) as passed:
            if self._sqlite_path is not None and not self._sqlite_path.exists():
                _create_sqlite(self._sqlite_path)
            state = _state_of(self._sqlite_path)
            # Loading MLflow takes seconds, and this database has answered this very MLflow before.
            if state and state == passed.get():
                return
            self.client.search_experiments(max_results=1)
            passed.set(_state_of(self._sqlite_path))

    @property
    def client(self) -> "MlflowClient":
        """MLflow's own client."""
        # Here and below mlflow is imported late: a job without tracking never loads it.
        if self._client_made is None:
            from mlflow import MlflowClient

            for name in ("alembic", "mlflow", "sqlalchemy"):
                # whatever they complain of reaches the user once, as a TrackingError
                logging.getLogger(name).setLevel(logging.CRITICAL)
            if self._sqlite_path is not None:
                _relax_syncs(self._sqlite_path)
            self._client_made = MlflowClient(tracking_uri=self.uri)
        return self._client_made

    @contextmanager
    def telling(self, what: str) -> Iterator[None]:
        """Turn whatever MLflow, its database or its server raises into one kind of error."""
        try:
            yield
        except TrackingError:
            raise
        except Exception as error:
            self.mishaps += 1
            raise TrackingError(self._no_answer(what, error)) from error

    def open_experiment(self) -> None:
        """Find or make the experiment.

        Raises
        ------
        TrackingError : somebody deleted it
        """
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            root = self.artifact_root
            if root is None and self._sqlite_path is not None:
                root = self._sqlite_path.parent / "artifacts"
            location = root.resolve().as_uri() if root is not None else None
            # without its kind, MLflow 3 opens the experiment on pages for language models
            kind = {"mlflow.experimentKind": "custom_model_development"}
            self.experiment_id = str(self.client.create_experiment(self.experiment, location, tags=kind))
            return
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"MLflow experiment {self.experiment!r} at {shown_uri(self.uri)} was deleted: restore it "
                f"(mlflow experiments restore --experiment-id {found.experiment_id}) or name another one"
            )
        self.experiment_id = str(found.experiment_id)

    def find(self, tags: Mapping[str, str]) -> list["Run"]:
        """Runs of the experiment that have all these tags, newest first."""
        condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        page = self.client.search_runs([self.experiment_id], condition, max_results=RUNS_A_PAGE)
        found = list(page)
        while page.token:
            page = self.client.search_runs(
                [self.experiment_id], condition, max_results=RUNS_A_PAGE, page_token=page.token
            )
            found.extend(page)
        return found

    def create(self, name: str, start_ms: int, tags: Mapping[str, str]) -> str:
        """A new run, which counts as half told until `end`; returns its run id."""
        run = self.client.create_run(self.experiment_id, start_ms, tags=dict(tags), run_name=name[:250])
        return str(run.info.run_id)

    def log(
        self,
        run_id: str,
        metrics: Sequence[MetricPoint] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add to a run; what it holds already, with the same values, is no work."""
        from mlflow.entities import Metric, Param, RunTag

        points = [Metric(point.key, point.value, point.time_ms, point.step) for point in metrics]
        settings = [Param(key, value) for key, value in (params or {}).items()]
        labels = [RunTag(key, value) for key, value in (tags or {}).items()]
        while points or settings or labels:
            # one call while all fits: every call costs the database a few commits
            first_settings, first_labels = settings[:PARAMS_A_BATCH], labels[:PARAMS_A_BATCH]
            n_points = ENTITIES_A_BATCH - len(first_settings) - len(first_labels)
            self.client.log_batch(run_id, points[:n_points], first_settings, first_labels)
            points, settings, labels = points[n_points:], settings[PARAMS_A_BATCH:], labels[PARAMS_A_BATCH:]

    def end(self, run_id: str, status: str, end_ms: int) -> None:
        """Give a run its ending: FINISHED, FAILED or KILLED."""
        self.client.set_terminated(run_id, status=status, end_time=end_ms)

    @property
    def _sqlite_path(self) -> Path | None:
        # A fourth slash is the path's own: sqlite:////data/mlflow.db is /data/mlflow.db.
        name = self.uri.removeprefix("sqlite:///")
        return Path(name) if name != self.uri else None

    def _ask_server(self) -> None:
        try:
            with urllib.request.urlopen(f"{self.uri.rstrip('/')}/health", timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:  # something answers there; whether it lets us in, the client will tell
                return
            reason: object = error
        except (OSError, ValueError) as error:
            reason = error
        raise TrackingError(self._no_answer("reach the server", reason))

    def _no_answer(self, what: str, reason: object) -> str:
        first_line = (str(reason).strip() or type(reason).__name__).splitlines()[0][:300]
        return (
            f"MLflow at {shown_uri(self.uri)} can not {what}: {shown_uri(first_line)}. "
            f"Results are safe in the journal: start the server, free the disk or close what locks the "
            f"database, then run the job again"
        )


@dataclass
class _Passed:
    """The state in which a SQLite store last passed a whole check; kept in its lock file."""

    lock: TextIO | None

    def get(self) -> str:
        """The state; empty where none has passed."""
        if self.lock is None:
            return ""
        self.lock.seek(0)
        return self.lock.read()

    def set(self, state: str) -> None:
        """Remember it."""
        if self.lock is not None:
            self.lock.seek(0)
            self.lock.truncate()
            self.lock.write(state)


@contextmanager
def _alone_at(database: Path | None) -> Iterator[_Passed]:
    """One process at a time makes or upgrades a SQLite store: two at once leave it broken."""
    if database is None:
        yield _Passed(None)
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    # A file of its own: locks on the database itself belong to SQLite.
    with database.with_name(f"{database.name}.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _Passed(lock)


def _state_of(database: Path | None) -> str:
    """Which database of which schema meets which MLflow; empty where there is no schema yet.

    Raises
    ------
    sqlite3.Error : it is locked or damaged
    """
    if database is None:
        return ""
    with closing(sqlite3.connect(database)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchall():
            return ""
        schema = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return f"MLflow {version('mlflow')}, schema {schema}, file {database.stat().st_ino}"


def _create_sqlite(path: Path) -> None:
    """Empty database with a write-ahead log: twice the runs a second, and readers block no delivery."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


@cache
def _relax_syncs(path: Path) -> None:
    """Sync the write-ahead log at checkpoints only, in this process: MLflow commits ten times a run.

    A power cut may take the last commits; the store stays whole, and the journal delivers them again.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def relax(connection: Any, _record: Any) -> None:
        # Heard for every database of the process, so Optuna's are told apart by their file.
        if isinstance(connection, sqlite3.Connection):
            ((_, _, file),) = connection.execute("PRAGMA database_list").fetchall()[:1]
            if file and Path(file).resolve() == path.resolve():
                connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(Engine, "connect", relax)
