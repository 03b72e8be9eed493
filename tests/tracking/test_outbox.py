"""The outbox delivers each record once, and waits where MLflow does not answer."""

import threading
from pathlib import Path

from emo_ray.errors import TrackingError
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults
from emo_ray.tracking.outbox import Outbox


def record(name):
    return RunRecord(
        fingerprint=name, status="finished", column="flat", candidate="c", subjects=("x/S1",), spec={}
    )


class FakeTracker:
    """Remembers what it was told; is away for so many calls first."""

    def __init__(self, shown=(), away=0):
        self.shown, self.away, self.told = set(shown), away, []
        self.back = threading.Event()

    def _answer(self):
        if self.away:
            self.away -= 1
            raise TrackingError("away")
        self.back.set()

    def open_study(self, results):
        self._answer()
        return "parent"

    def missing(self, records):
        return tuple(name for name in records if name not in self.shown)

    def deliver(self, record, predictions, weights):
        self._answer()
        self.told.append(record.fingerprint)


def study(*names):
    planned = tuple((name, "c", ("x/S1",)) for name in ("a", "b", "d"))
    return StudyResults("s", Path("nowhere"), {}, planned, {name: record(name) for name in names})


def test_what_an_earlier_start_left_is_delivered_first_and_nothing_twice():
    tracker = FakeTracker(shown=["a"])
    outbox = Outbox(tracker)
    outbox.opened(study("a", "b"))
    outbox.heard(record("d"))
    assert outbox.close() == 0
    assert tracker.told == ["b", "d"]


def test_records_wait_while_the_tracker_is_away_and_arrive_when_it_is_back():
    tracker = FakeTracker(away=1)
    outbox = Outbox(tracker)
    outbox.opened(study("a"))
    assert tracker.back.wait(10)
    assert outbox.close() == 0
    assert tracker.told == ["a"]


def test_what_could_not_be_delivered_is_counted_and_costs_no_time_beyond_the_patience():
    outbox = Outbox(FakeTracker(away=10**6), patience_s=0.2)
    outbox.opened(study("a", "b"))
    assert outbox.close() == 2
