"""The outbox: a thread that carries records and candidates to MLflow, and loses none when MLflow is away."""

import logging
import queue
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from emo_ray.errors import TrackingError
from emo_ray.results.journal import predictions_path, weights_path
from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_results import Candidate, SearchResults
from emo_ray.results.study_results import StudyResults

log = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0
_HEAD_START_S = 20.0  # loading MLflow takes a core for seconds, while workers come up


@runtime_checkable
class Tracker(Protocol):
    """Where records are shown; idempotent by fingerprint."""

    def open_study(self, results: StudyResults) -> str:
        """Make or find the parent run."""

    def missing(self, records: Mapping[str, RunRecord]) -> tuple[str, ...]:
        """Fingerprints of those records that are not shown yet, or with another ending."""

    def deliver(self, record: RunRecord, predictions: Path | None, weights: Path | None) -> None:
        """Show one record."""


@runtime_checkable
class CandidateTracker(Protocol):
    """Where a search is shown, with its runs on outer folds; idempotent by name and by fingerprint."""

    def open_search(self, results: SearchResults) -> str:
        """Make or find the study's run."""

    def missing(self, candidates: Iterable[Candidate]) -> tuple[str, ...]:
        """Names of the ended candidates that are not shown yet, or with another ending."""

    def deliver(self, candidate: Candidate) -> None:
        """Show one ended candidate with its folds."""

    def missing_runs(self, records: Mapping[str, RunRecord]) -> tuple[str, ...]:
        """Fingerprints of those records that are not shown yet, or with another ending."""

    def deliver_run(self, record: RunRecord, predictions: Path | None, weights: Path | None) -> None:
        """Show one record of an outer fold."""


class Outbox:
    """One thread, one writer: what is still to be shown is the journal less what the tracker has.

    While the tracker does not answer, records wait and the thread tries again, ever less often; the
    folds go on. What is not delivered at the end stays in the journal, and the next start of the same
    command (or ``emo-ray sync``) delivers it.
    """

    def __init__(self, tracker: Tracker, patience_s: float = 60.0) -> None:
        self._tracker = tracker
        self._carrier = _Carrier(patience_s)
        self._folder = Path()

    def opened(self, results: StudyResults) -> None:
        """Start to carry: first what an earlier start recorded and did not deliver."""
        self._folder = results.folder
        records = _recorded(results)

        def open_() -> Collection[str]:
            self._tracker.open_study(results)
            return self._tracker.missing(records)

        self._carrier.start(open_, {name: self._parcel(record) for name, record in records.items()})

    def heard(self, record: RunRecord) -> None:
        """Take one more record; returns at once."""
        self._carrier.take(record.fingerprint, self._parcel(record))

    def close(self) -> int:
        """Deliver what waits, for at most the patience of this outbox; returns how many are left over."""
        return self._carrier.close()

    def _parcel(self, record: RunRecord) -> Callable[[], None]:
        return partial(_hand_over, self._tracker.deliver, record, self._folder)


class SearchOutbox:
    """An outbox that carries ended candidates as well as records of outer folds, in the one thread.

    A candidate goes with all its folds: the run of a candidate that has not ended is in the journal only.
    """

    def __init__(self, tracker: CandidateTracker, patience_s: float = 60.0) -> None:
        self._tracker = tracker
        self._carrier = _Carrier(patience_s)
        self._folder = Path()

    def opened(self, results: SearchResults) -> None:
        """Start to carry: first what an earlier start found out and did not deliver."""
        self._folder = results.folder
        ended = [one for found in results.searches.values() for one in found if one.state != "running"]
        records = _recorded(results.study)

        def open_() -> Collection[str]:
            self._tracker.open_search(results)
            return {*self._tracker.missing(ended), *self._tracker.missing_runs(records)}

        waiting = {candidate.name: partial(self._tracker.deliver, candidate) for candidate in ended}
        self._carrier.start(open_, waiting | {name: self._parcel(record) for name, record in records.items()})

    def heard(self, record: RunRecord) -> None:
        """Take the record of an outer fold; returns at once."""
        self._carrier.take(record.fingerprint, self._parcel(record))

    def heard_candidate(self, candidate: Candidate) -> None:
        """Take a candidate that has ended; returns at once."""
        self._carrier.take(candidate.name, partial(self._tracker.deliver, candidate))

    def close(self) -> int:
        """Deliver what waits, for at most the patience of this outbox; returns how many are left over."""
        return self._carrier.close()

    def _parcel(self, record: RunRecord) -> Callable[[], None]:
        return partial(_hand_over, self._tracker.deliver_run, record, self._folder)


def _recorded(results: StudyResults) -> dict[str, RunRecord]:
    return {
        fingerprint: results.records[fingerprint]
        for fingerprint, _, _ in results.planned
        if fingerprint in results.records
    }


def _hand_over(
    deliver: Callable[[RunRecord, Path | None, Path | None], None], record: RunRecord, folder: Path
) -> None:
    predictions = predictions_path(folder, record.fingerprint)
    weights = weights_path(folder, record.fingerprint)
    deliver(record, predictions if predictions.exists() else None, weights if weights.exists() else None)


class _Carrier:
    """The thread of an outbox: parcels by name, each a call that delivers it or raises `TrackingError`."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._queue: queue.SimpleQueue[tuple[str, Callable[[], None]] | None] = queue.SimpleQueue()
        self._waiting: dict[str, Callable[[], None]] = {}
        self._first: Mapping[str, Callable[[], None]] = {}
        self._open: Callable[[], Collection[str]] | None = None
        self._closing = threading.Event()
        self._given_up = threading.Event()
        # A daemon: an MLflow that hangs must not keep the process alive, for the journal has everything.
        self._thread = threading.Thread(target=self._carry, name="mlflow-outbox", daemon=True)
        self._is_open = False

    def start(self, open_: Callable[[], Collection[str]], waiting: Mapping[str, Callable[[], None]]) -> None:
        """Start the thread; ``open_`` tells which of the waiting parcels have not arrived yet."""
        self._open, self._first, self._waiting = open_, waiting, dict(waiting)
        self._thread.start()

    def take(self, name: str, parcel: Callable[[], None]) -> None:
        """Deliver one more, in place of a waiting one of the same name; returns at once."""
        self._queue.put((name, parcel))

    def close(self) -> int:
        """Deliver what waits while patience lasts; returns how many are left over."""
        self._closing.set()
        self._queue.put(None)  # wakes a thread that waits for the next parcel
        if self._thread.is_alive():
            self._thread.join(self._patience_s)
        self._given_up.set()
        # What the thread had not taken by then counts as left over.
        self._receive(block=False)
        # The study's own run counts where not even that could be made.
        return max(len(self._waiting), 0 if self._is_open else 1)

    def _carry(self) -> None:
        wait_s = _FIRST_WAIT_S
        # Training goes first, unless there is something to deliver.
        self._receive(block=not self._waiting, at_most_s=_HEAD_START_S)
        while not self._given_up.is_set():
            idle = self._is_open and not self._waiting
            self._receive(block=idle and not self._closing.is_set())
            if self._is_open and not self._waiting and self._closing.is_set():
                return
            try:
                self._deliver_waiting()
                wait_s = _FIRST_WAIT_S
            except TrackingError as error:
                log.warning("MLflow does not take results now, they wait in the journal: %s", error)
                # The end of the study ends a wait; from then on only the end of patience does.
                (self._given_up if self._closing.is_set() else self._closing).wait(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _receive(self, block: bool, at_most_s: float | None = None) -> None:
        """Move what has arrived to the waiting parcels; ``block`` waits for the first one."""
        while block or not self._queue.empty():
            try:
                arrived = self._queue.get(timeout=at_most_s)
            except queue.Empty:
                return
            block = False
            if arrived is not None:
                name, parcel = arrived
                self._waiting[name] = parcel

    def _deliver_waiting(self) -> None:
        assert self._open is not None, "the outbox was opened before its thread started"
        if not self._is_open:
            missing = set(self._open())
            for name, parcel in self._first.items():
                # What arrived since the start is new, also under the name of an old one.
                if name not in missing and self._waiting[name] is parcel:
                    del self._waiting[name]
            self._is_open = True
        for name, parcel in list(self._waiting.items()):
            if self._given_up.is_set():
                return
            parcel()
            # After the delivery: an error above leaves this parcel, and those behind it, for the next round.
            del self._waiting[name]
