"""MlflowTracker: tells MLflow what the journal holds. One writer, idempotent, and never the truth itself."""

import fcntl
import logging
import os
import re
import sqlite3
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from emo_ray.errors import TrackingError
from emo_ray.results.run_result import RunRecord, Status
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import Summary
from emo_ray.tracking.entries import (
    MetricPoint,
    parameters,
    run_metrics,
    run_tags,
    section_key,
    study_metrics,
    study_tags,
    times_ms,
)

# read when mlflow is imported, so they must stand before that: no telemetry, and no minutes of retries
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# What MLflow takes in one call: entities in all, and parameters (or tags) among them.
ENTITIES_A_BATCH = 1_000
PARAMS_A_BATCH = 100
RUNS_A_PAGE = 1_000
MAX_DIGEST_CHARS = 36  # MLflow refuses a longer digest of a dataset
SERVER_SCHEMES = ("http://", "https://")
DATABASE_SCHEMES = ("sqlite:///", "postgresql", "mysql", "mssql")
_STATUS: dict[str, Status] = {"FINISHED": "finished", "FAILED": "failed"}


@dataclass
class _Known:
    """A run that the store holds, and how it ended; None while it is half delivered."""

    run_id: str
    status: Status | None


class MlflowTracker:
    """An observer of the journal: one parent run a study, one child run a fingerprint.

    Everything it writes comes from the journal, so whatever a crash left half-told is told again, into
    the same run. Use one tracker a store, in one thread at a time. Every method raises `TrackingError`
    when the store does not answer; no result is lost by that.

    Parameters
    ----------
    uri : ``sqlite:///...`` or the address of an MLflow server
    experiment : name of the MLflow experiment, created where missing
    artifact_root : folder for artifacts; by default ``artifacts/`` beside the SQLite file; a server decides
    """

    def __init__(self, uri: str, experiment: str, artifact_root: Path | None = None) -> None:
        self.uri = uri
        self.experiment = experiment
        self.artifact_root = artifact_root
        self._client_made: MlflowClient | None = None
        self._experiment_id = ""
        self._parent_id = ""
        self._study: StudyResults | None = None
        self._known: dict[str, _Known] = {}
        self._is_sure = False  # whether _known is what the store holds

    def check(self) -> None:
        """Make sure that the store answers; creates a SQLite store where there is none.

        Call it once in the driver before anything fans out: processes that create one store together fail.

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
        with self._telling("open the store"), _alone_at(self._sqlite_path):
            if self._sqlite_path is not None and not self._sqlite_path.exists():
                _create_sqlite(self._sqlite_path)
            self._client.search_experiments(max_results=1)

    def open_study(self, results: StudyResults) -> str:
        """Find or make the parent run of a study, learn what the store holds of it; returns its run id."""
        with self._telling(f"open study {results.name}"):
            self._study = results
            self._experiment_id = self._find_experiment()
            identity = {"study": results.name, "kind": "study", "plan": study_tags(results)["emo.plan"]}
            found = self._search(identity)
            self._parent_id = found[0].info.run_id if found else self._create_parent(results)
            # A study that is taken up again stands at FINISHED.
            self._client.update_run(self._parent_id, status="RUNNING")
            self._log(self._parent_id, params=_study_parameters(results))
            self._client.log_inputs(self._parent_id, datasets=_dataset_inputs(results))
            self._learn()
        return self._parent_id

    def delivered(self) -> dict[str, Status]:
        """Fingerprints whose run in the store is complete, and how it ended."""
        with self._telling("read what was delivered"):
            self._learn()
        return {name: known.status for name, known in self._known.items() if known.status is not None}

    def missing(self, records: Mapping[str, RunRecord]) -> tuple[str, ...]:
        """Fingerprints of the records that the store lacks, or holds with another ending."""
        done = self.delivered()
        return tuple(name for name, record in records.items() if done.get(name) != record.status)

    def deliver(
        self, record: RunRecord, predictions: Path | None = None, weights: Path | None = None
    ) -> None:
        """Tell the store of one run; again for a run that it holds is no work, or completes it.

        Parameters
        ----------
        predictions, weights : files to attach as artifacts
        """
        with self._telling(f"deliver run {record.fingerprint}"):
            if not self._is_sure:
                self._learn()
            known = self._known.get(record.fingerprint)
            if known is None:
                known = self._create_child(record)
            elif known.status == record.status:
                return
            else:
                self._reopen(known, record)
            self._fill(known.run_id, record, [path for path in (predictions, weights) if path is not None])
            # The ending last: a run that a crash leaves half told still counts as missing.
            ending = "FINISHED" if record.status == "finished" else "FAILED"
            self._client.set_terminated(known.run_id, status=ending, end_time=times_ms(record)[1])
            known.status = record.status

    def finish_study(self, summary: Summary, report: Path) -> None:
        """Give the parent run mean scores, verdicts and the report, and end it; after `open_study`."""
        with self._telling(f"finish study {summary.name}"):
            now_ms = int(1000 * time.time())
            tags = {
                f"emo.verdict.{section_key(summary, section)}": section.verdict.sentence
                for section in summary.sections
            }
            lines = [f"{s.column}: {s.completeness} {s.verdict.sentence}" for s in summary.sections]
            tags["mlflow.note.content"] = "\n\n".join(lines)[:5_000]
            self._log(self._parent_id, study_metrics(summary, now_ms), tags=tags)
            self._client.log_artifacts(self._parent_id, str(report), "report")
            self._client.set_terminated(self._parent_id, status="FINISHED", end_time=now_ms)

    @property
    def _sqlite_path(self) -> Path | None:
        # A fourth slash is the path's own: sqlite:////data/mlflow.db is /data/mlflow.db.
        name = self.uri.removeprefix("sqlite:///")
        return Path(name) if name != self.uri else None

    @property
    def _client(self) -> "MlflowClient":
        # Here and below mlflow is imported late: a job without tracking never loads it.
        if self._client_made is None:
            from mlflow import MlflowClient

            for name in ("alembic", "mlflow", "sqlalchemy"):
                # whatever they complain of reaches the user once, as a TrackingError
                logging.getLogger(name).setLevel(logging.CRITICAL)
            self._client_made = MlflowClient(tracking_uri=self.uri)
        return self._client_made

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

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Turn whatever MLflow, its database or its server raises into one kind of error."""
        try:
            yield
        except TrackingError:
            raise
        except Exception as error:
            self._is_sure = False  # the store may hold more than we were told: look again first
            raise TrackingError(self._no_answer(what, error)) from error

    def _no_answer(self, what: str, reason: object) -> str:
        first_line = (str(reason).strip() or type(reason).__name__).splitlines()[0][:300]
        return (
            f"MLflow at {shown_uri(self.uri)} can not {what}: {shown_uri(first_line)}. "
            f"Results are safe in the journal: start the server, free the disk or close what locks the "
            f"database, then run the job again"
        )

    def _find_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self.experiment)
        if found is None:
            root = self.artifact_root
            if root is None and self._sqlite_path is not None:
                root = self._sqlite_path.parent / "artifacts"
            location = root.resolve().as_uri() if root is not None else None
            # without its kind, MLflow 3 opens the experiment on pages for language models
            kind = {"mlflow.experimentKind": "custom_model_development"}
            return str(self._client.create_experiment(self.experiment, location, tags=kind))
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"MLflow experiment {self.experiment!r} at {shown_uri(self.uri)} was deleted: restore it "
                f"(mlflow experiments restore --experiment-id {found.experiment_id}) or name another one"
            )
        return str(found.experiment_id)

    def _search(self, tags: Mapping[str, str]) -> list["Run"]:
        condition = " and ".join(f"tags.`emo.{name}` = '{value}'" for name, value in tags.items())
        page = self._client.search_runs([self._experiment_id], condition, max_results=RUNS_A_PAGE)
        found = list(page)
        while page.token:
            page = self._client.search_runs(
                [self._experiment_id], condition, max_results=RUNS_A_PAGE, page_token=page.token
            )
            found.extend(page)
        return found

    def _learn(self) -> None:
        name = self._opened.name
        runs = self._search({"study": name, "kind": "run"})
        self._known = {
            run.data.tags["emo.fingerprint"]: _Known(run.info.run_id, _STATUS.get(run.info.status))
            for run in runs
        }
        planned = {fingerprint for fingerprint, _, _ in self._opened.planned}
        for run in runs:
            # of an earlier plan of this name, or below a parent that someone deleted: adopt it
            tags = run.data.tags
            if tags["emo.fingerprint"] in planned and tags.get("mlflow.parentRunId") != self._parent_id:
                self._client.set_tag(run.info.run_id, "mlflow.parentRunId", self._parent_id)
        self._is_sure = True

    @property
    def _opened(self) -> StudyResults:
        assert self._study is not None, "open_study comes first"
        return self._study

    def _create_parent(self, results: StudyResults) -> str:
        created_ms = int(1000 * results.header.get("created_unix", time.time()))
        run = self._client.create_run(
            self._experiment_id, start_time=created_ms, tags=study_tags(results), run_name=results.name
        )
        return str(run.info.run_id)

    def _create_child(self, record: RunRecord) -> _Known:
        tags = run_tags(self._opened, record) | {"mlflow.parentRunId": self._parent_id}
        name = f"{record.column} {', '.join(record.subjects)}"[:250]
        run = self._client.create_run(self._experiment_id, times_ms(record)[0], tags=tags, run_name=name)
        return self._known.setdefault(record.fingerprint, _Known(run.info.run_id, None))

    def _reopen(self, known: _Known, record: RunRecord) -> None:
        # Half delivered from here on, should any of the calls below fail.
        was_failed = known.status == "failed"
        known.status = None
        self._client.update_run(known.run_id, status="RUNNING")
        self._log(known.run_id, tags=run_tags(self._opened, record))
        if was_failed and not record.error:
            self._client.delete_tag(known.run_id, "emo.error")

    def _fill(self, run_id: str, record: RunRecord, files: Sequence[Path]) -> None:
        self._log(run_id, run_metrics(record), parameters(record.spec))
        self._client.log_inputs(run_id, datasets=_dataset_inputs(self._opened))
        with tempfile.TemporaryDirectory(prefix="emo-ray-") as folder:
            # one call for all files: each call asks the store where the artifacts of the run lie
            config = Path(folder) / "config.yaml"
            config.write_text(yaml.safe_dump(_plain(record.spec), sort_keys=False), encoding="utf-8")
            for path in files:
                (Path(folder) / path.name).symlink_to(path.resolve())
            self._client.log_artifacts(run_id, folder)

    def _log(
        self,
        run_id: str,
        metrics: Sequence[MetricPoint] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        points = [Metric(point.key, point.value, point.time_ms, point.step) for point in metrics]
        settings = [Param(key, value) for key, value in (params or {}).items()]
        labels = [RunTag(key, value) for key, value in (tags or {}).items()]
        while points or settings or labels:
            # one call while all fits: every call costs the database a few commits
            first_settings, first_labels = settings[:PARAMS_A_BATCH], labels[:PARAMS_A_BATCH]
            n_points = ENTITIES_A_BATCH - len(first_settings) - len(first_labels)
            self._client.log_batch(run_id, points[:n_points], first_settings, first_labels)
            points, settings, labels = points[n_points:], settings[PARAMS_A_BATCH:], labels[PARAMS_A_BATCH:]


@contextmanager
def _alone_at(database: Path | None) -> Iterator[None]:
    """One process at a time makes or upgrades a SQLite store: two at once leave it broken."""
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    # A file of its own: locks on the database itself belong to SQLite.
    with database.with_name(f"{database.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _create_sqlite(path: Path) -> None:
    """Empty database with a write-ahead log: twice the runs a second, and readers block no delivery."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _study_parameters(results: StudyResults) -> dict[str, str]:
    candidates = results.header["candidates"]
    if len(candidates) == 1:
        return parameters(next(iter(candidates.values())))
    return {"candidates": ", ".join(candidates)[:500]}


def _dataset_inputs(results: StudyResults) -> list[Any]:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    digest = str(results.header.get("data_digest", ""))[:MAX_DIGEST_CHARS]
    if not digest:
        return []
    dataset = Dataset(results.name, digest, source_type="local", source="emo_ray feature store")
    return [DatasetInput(dataset, [InputTag("mlflow.data.context", "evaluation")])]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def shown_uri(text: str) -> str:
    """A URI, or a text with one in it, without the password."""
    return re.sub(r"(://[^/:@\s]*):[^@/\s]*@", r"\1:***@", text)


def ui_command(uri: str, port: int = 5000) -> list[str]:
    """The command that opens MLflow's pages on this machine only, at ``http://127.0.0.1:<port>``.

    Raises
    ------
    TrackingError : the store is a server already; names the address to open
    """
    if uri.startswith(SERVER_SCHEMES):
        raise TrackingError(f"MLflow at {shown_uri(uri)} is a server: open that address in a browser")
    store = ["--backend-store-uri", uri]
    return [sys.executable, "-m", "mlflow", "ui", *store, "--host", "127.0.0.1", "--port", str(port)]
