"""The outbox: a thread that carries journal records to MLflow, and loses none when MLflow is away."""

import logging
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from emo_ray.errors import TrackingError
from emo_ray.results.journal import predictions_path, weights_path
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults

log = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0


@runtime_checkable
class Tracker(Protocol):
    """Where records are shown; idempotent by fingerprint."""

    def open_study(self, results: StudyResults) -> str:
        """Make or find the parent run."""

    def missing(self, records: Mapping[str, RunRecord]) -> tuple[str, ...]:
        """Fingerprints of those records that are not shown yet, or with another ending."""

    def deliver(self, record: RunRecord, predictions: Path | None, weights: Path | None) -> None:
        """Show one record."""


class Outbox:
    """One thread, one writer: what is still to be shown is the journal less what the tracker has.

    While the tracker does not answer, records wait and the thread tries again, ever less often; the
    folds go on. What is not delivered at the end stays in the journal, and the next start of the same
    command (or ``emo-ray sync``) delivers it.
    """

    def __init__(self, tracker: Tracker, patience_s: float = 60.0) -> None:
        self._tracker = tracker
        self._patience_s = patience_s
        self._queue: queue.SimpleQueue[RunRecord | None] = queue.SimpleQueue()
        self._waiting: dict[str, RunRecord] = {}
        self._closing = threading.Event()
        self._given_up = threading.Event()
        self._results: StudyResults | None = None
        self._is_open = False
        # A daemon: an MLflow that hangs must not keep the process alive, for the journal has everything.
        self._thread = threading.Thread(target=self._carry, name="mlflow-outbox", daemon=True)

    def opened(self, results: StudyResults) -> None:
        """Start to carry: first what an earlier start recorded and did not deliver."""
        self._results = results
        self._waiting = {
            fingerprint: results.records[fingerprint]
            for fingerprint, _, _ in results.planned
            if fingerprint in results.records
        }
        self._thread.start()

    def heard(self, record: RunRecord) -> None:
        """Take one more record; returns at once."""
        self._queue.put(record)

    def close(self) -> int:
        """Deliver what waits, for at most the patience of this outbox; returns how many are left over."""
        self._closing.set()
        self._queue.put(None)  # wakes a thread that waits for the next record
        if self._thread.is_alive():
            self._thread.join(self._patience_s)
        self._given_up.set()
        # What the thread had not taken by then counts as left over.
        self._receive(block=False)
        # The study's own run counts where not even that could be made.
        return max(len(self._waiting), 0 if self._is_open else 1)

    def _carry(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._given_up.is_set():
            idle = self._is_open and not self._waiting
            self._receive(block=idle and not self._closing.is_set())
            if self._is_open and not self._waiting and self._closing.is_set():
                return
            try:
                self._deliver_waiting()
                wait_s = _FIRST_WAIT_S
            except TrackingError as error:
                log.warning("MLflow does not take records now, they wait in the journal: %s", error)
                # The end of the study ends a wait; from then on only the end of patience does.
                (self._given_up if self._closing.is_set() else self._closing).wait(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _receive(self, block: bool) -> None:
        """Move what has arrived to the waiting records; ``block`` waits for the first one."""
        while block or not self._queue.empty():
            record = self._queue.get()
            block = False
            if record is not None:
                self._waiting[record.fingerprint] = record

    def _deliver_waiting(self) -> None:
        assert self._results is not None, "the outbox was opened before its thread started"
        if not self._is_open:
            self._tracker.open_study(self._results)
            self._waiting = {name: self._waiting[name] for name in self._tracker.missing(self._waiting)}
            self._is_open = True
        for fingerprint, record in list(self._waiting.items()):
            predictions = predictions_path(self._results.folder, fingerprint)
            weights = weights_path(self._results.folder, fingerprint)
            self._tracker.deliver(
                record, predictions if predictions.exists() else None, weights if weights.exists() else None
            )
            # After the delivery: an error above leaves this record, and those behind it, for the next round.
            del self._waiting[fingerprint]
