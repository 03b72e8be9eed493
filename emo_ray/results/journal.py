"""The journal of a study: one line a finished run, on disk before anything else hears of it."""

import fcntl
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from emo_ray.errors import JournalError
from emo_ray.files import atomic_path, sync_folder, write_atomically
from emo_ray.results.lines import LineFile, finite
from emo_ray.results.run_result import Predictions, RunRecord, RunResult

JOURNAL = "journal.jsonl"
_TUPLES = ("subjects", "history")


class Journal:
    """The record of a study's runs: appended and fsynced, never rewritten.

    Attachments (predictions as Parquet, weights as safetensors) are on disk before the line that
    announces them, so a record never points at nothing. A failed run's record is superseded by a later
    finished one of the same fingerprint, never the other way round. Open it in a ``with`` block: one driver
    at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: IO[str] | None = None
        self._lines = LineFile(folder / JOURNAL)
        self.records: dict[str, RunRecord] = {}

    def __enter__(self) -> "Journal":
        try:
            for folder in ("predictions", "weights"):
                (self.folder / folder).mkdir(parents=True, exist_ok=True)
            # Before the tail is looked at: half a line may be one that another driver is writing.
            self._lock = _lock(self.folder / "driver.lock")
            self._lines.open()
            self.records = read_records(self._lines.path)
            sync_folder(self.folder)
        except OSError as error:
            self.__exit__(None, None, None)
            raise JournalError(
                f"can not open the journal in {self.folder} ({error.strerror or error}): make the folder "
                "writable, or use --root to name another"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The lock last: nobody else may append while this stream is open.
        self._lines.close()
        if self._lock is not None:
            self._lock.close()

    def is_finished(self, fingerprint: str) -> bool:
        """Whether this run has finished and so must never run again."""
        record = self.records.get(fingerprint)
        return record is not None and record.status == "finished"

    def append(self, result: RunResult) -> RunRecord:
        """Record a run: attachments first, then its line, then fsync. A finished run is never recorded twice.

        Raises
        ------
        JournalError : the study folder can not be written
        """
        record = result.record
        if self.is_finished(record.fingerprint):
            return self.records[record.fingerprint]
        try:
            if result.predictions is not None:
                _write_predictions(result.predictions, predictions_path(self.folder, record.fingerprint))
            if result.weights:
                write_atomically(weights_path(self.folder, record.fingerprint), result.weights)
            self._lines.append(to_line(record))
        except OSError as error:
            raise JournalError(
                f"can not record run {record.fingerprint} in {self.folder}: {error.strerror or error}; "
                "what was recorded before is intact: make room or make the folder writable, then give the "
                "same command again"
            ) from error
        self.records[record.fingerprint] = record
        return record


def predictions_path(folder: Path, fingerprint: str) -> Path:
    """Where a run's per-segment predictions lie."""
    return folder / "predictions" / f"{fingerprint}.parquet"


def weights_path(folder: Path, fingerprint: str) -> Path:
    """Where a run's best weights lie."""
    return folder / "weights" / f"{fingerprint}.safetensors"


def to_line(record: RunRecord) -> bytes:
    """A record as one line of JSON; numbers that are not finite become null."""
    return json.dumps(finite(asdict(record)), sort_keys=True, allow_nan=False).encode() + b"\n"


def read_records(path: Path) -> dict[str, RunRecord]:
    """The newest record of each run, by fingerprint; empty where there is no journal yet.

    Raises
    ------
    JournalError : a line other than a torn last one can not be read
    """
    if not path.exists():
        return {}
    records: dict[str, RunRecord] = {}
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            # Torn by a kill, which can only happen to the last line.
            break
        record = _from_line(line, path, number)
        known = records.get(record.fingerprint)
        # A result stays, whatever was written of the same run after it.
        if known is None or known.status != "finished":
            records[record.fingerprint] = record
    return records


def _from_line(line: bytes, path: Path, number: int) -> RunRecord:
    try:
        content = json.loads(line)
        # Fields that a later version may write are passed over.
        known = {field.name for field in fields(RunRecord)}
        values = {name: _restored(name, value) for name, value in content.items() if name in known}
        return RunRecord(**values)
    except (AttributeError, TypeError, ValueError) as error:
        raise JournalError(
            f"line {number} of {path} can not be read ({error}): the file was changed by something other "
            "than emo_ray; remove that line to have its run done again"
        ) from error


def _restored(name: str, value: Any) -> Any:
    # JSON knows neither tuples nor NaN.
    if name in _TUPLES:
        return tuple(value)
    if name in ("lineage", "leaks"):
        return {thing: tuple(subjects) for thing, subjects in value.items()}
    if name == "scores":
        return _nan_for_null(value)
    if name == "references":
        return {reference: _nan_for_null(scores) for reference, scores in value.items()}
    return value


def _nan_for_null(scores: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float("nan") if value is None else value for name, value in scores.items()}


def _write_predictions(predictions: Predictions, path: Path) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(dict(predictions.columns)), temporary, compression="zstd")


def _lock(path: Path) -> IO[str]:
    # Not "w": who fails to lock must not wipe out the name of the holder. The kernel lets go of
    # the lock when its process ends, so a killed driver leaves none behind.
    stream = path.open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.seek(0)
        holder = stream.read().strip() or "another process"
        stream.close()
        raise JournalError(
            f"the study in {path.parent} is being run by {holder}: wait for it, stop it, or name another "
            "--study"
        ) from error
    stream.truncate(0)
    stream.write(f"process {os.getpid()} on {socket.gethostname()}")
    stream.flush()
    return stream
