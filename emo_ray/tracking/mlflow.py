"""MlflowTracker: tells MLflow what the journal holds. One writer, idempotent, and never the truth itself."""

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from emo_ray.errors import TrackingError
from emo_ray.files import shown_uri
from emo_ray.results.run_result import RunRecord, Status
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import Summary
from emo_ray.tracking.entries import (
    MetricPoint,
    StudyEntry,
    parameters,
    run_metrics,
    run_tags,
    study_entry,
    study_metrics,
    times_ms,
    verdict_tags,
)
from emo_ray.tracking.store import SERVER_SCHEMES, MlflowStore

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_DIGEST_CHARS = 36  # MLflow refuses a longer digest of a dataset
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
        self.store = MlflowStore(uri, experiment, artifact_root)
        self._parent_id = ""
        self._study: StudyResults | None = None
        self._known: dict[str, _Known] = {}
        self._sure_at = -1  # the store's count of mishaps at which _known was what it holds

    def check(self) -> None:
        """Make sure that the store answers; creates a SQLite store where there is none.

        Call it once in the driver before anything fans out: processes that create one store together fail.

        Raises
        ------
        TrackingError : the store does not answer within seconds, or is of a kind that can not be used
        """
        self.store.check()

    def open_study(self, results: StudyResults, entry: StudyEntry | None = None) -> str:
        """Find or make the parent run of a study, learn what the store holds of it; returns its run id.

        Parameters
        ----------
        entry : what the parent run says; by default what the study's header says
        """
        with self.store.telling(f"open study {results.name}"):
            self._study = results
            self.store.open_experiment()
            self._parent_id = self._open_parent(results, entry or study_entry(results))
            self._client.log_inputs(self._parent_id, datasets=_dataset_inputs(results))
            self._learn()
        return self._parent_id

    def delivered(self) -> dict[str, Status]:
        """Fingerprints whose run in the store is complete, and how it ended."""
        with self.store.telling("read what was delivered"):
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
        with self.store.telling(f"deliver run {record.fingerprint}"):
            if self._sure_at != self.store.mishaps:
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
            self.store.end(known.run_id, ending, times_ms(record)[1])
            known.status = record.status

    def finish_study(self, summary: Summary, report: Path) -> None:
        """Give the parent run mean scores, verdicts and the report, and end it; after `open_study`."""
        now_ms = int(1000 * time.time())
        self.finish_parent(study_metrics(summary, now_ms), verdict_tags(summary), {"report": report}, now_ms)

    def finish_parent(
        self,
        metrics: Sequence[MetricPoint],
        tags: Mapping[str, str],
        folders: Mapping[str, Path],
        end_ms: int,
    ) -> None:
        """End the parent run with these metrics and tags, and folders by their name among its artifacts."""
        with self.store.telling(f"finish study {self._opened.name}"):
            self.store.log(self._parent_id, metrics, tags=tags)
            for name, folder in folders.items():
                self._client.log_artifacts(self._parent_id, str(folder), name)
            self.store.end(self._parent_id, "FINISHED", end_ms)

    @property
    def _client(self) -> "MlflowClient":
        return self.store.client

    def _open_parent(self, results: StudyResults, entry: StudyEntry) -> str:
        found = self.store.find(entry.identity)
        if not found:
            created_ms = int(1000 * results.header.get("created_unix", time.time()))
            parent = self.store.create(results.name, created_ms, entry.tags)
            self.store.log(parent, params=entry.params)
            return parent
        parent = str(found[0].info.run_id)
        # A study that is taken up again stands at FINISHED.
        self._client.update_run(parent, status="RUNNING")
        # MLflow refuses to change a parameter: those of the first start stand, tags tell of this one.
        known = found[0].data.params
        self.store.log(parent, (), {k: v for k, v in entry.params.items() if k not in known}, entry.tags)
        return parent

    def _learn(self) -> None:
        mishaps, name = self.store.mishaps, self._opened.name
        runs = self.store.find({"emo.study": name, "emo.kind": "run"})
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
        self._sure_at = mishaps

    @property
    def _opened(self) -> StudyResults:
        assert self._study is not None, "open_study comes first"
        return self._study

    def _create_child(self, record: RunRecord) -> _Known:
        tags = run_tags(self._opened, record) | {"mlflow.parentRunId": self._parent_id}
        name = f"{record.column} {', '.join(record.subjects)}"
        run_id = self.store.create(name, times_ms(record)[0], tags)
        return self._known.setdefault(record.fingerprint, _Known(run_id, None))

    def _reopen(self, known: _Known, record: RunRecord) -> None:
        # Half delivered from here on, should any of the calls below fail.
        was_failed = known.status == "failed"
        known.status = None
        self._client.update_run(known.run_id, status="RUNNING")
        self.store.log(known.run_id, tags=run_tags(self._opened, record))
        if was_failed and not record.error:
            self._client.delete_tag(known.run_id, "emo.error")

    def _fill(self, run_id: str, record: RunRecord, files: Sequence[Path]) -> None:
        self.store.log(run_id, run_metrics(record), parameters(record.spec))
        self._client.log_inputs(run_id, datasets=_dataset_inputs(self._opened))
        with tempfile.TemporaryDirectory(prefix="emo-ray-") as folder:
            # one call for all files: each call asks the store where the artifacts of the run lie
            config = Path(folder) / "config.yaml"
            config.write_text(yaml.safe_dump(_plain(record.spec), sort_keys=False), encoding="utf-8")
            for path in files:
                (Path(folder) / path.name).symlink_to(path.resolve())
            self._client.log_artifacts(run_id, folder)


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
