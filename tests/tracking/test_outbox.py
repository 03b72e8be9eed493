"""The outbox delivers each record once, and waits where MLflow does not answer."""

import threading
from pathlib import Path

from emo_ray.errors import TrackingError
from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_results import Candidate, SearchResults
from emo_ray.results.study_results import StudyResults
from emo_ray.tracking.outbox import Outbox, SearchOutbox


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


class FakeSearchTracker(FakeTracker):
    """The same for candidates and outer runs."""

    open_search = FakeTracker.open_study
    deliver_run = FakeTracker.deliver
    missing_runs = FakeTracker.missing

    def missing(self, candidates):
        return tuple(candidate.name for candidate in candidates if candidate.name not in self.shown)

    def deliver(self, candidate):
        self._answer()
        self.told.append(candidate.name)


def search(*candidates, records=()):
    return SearchResults(study(*records), ("accuracy",), ("max",), {"": tuple(candidates)})


def candidate(number, state="complete"):
    return Candidate("", number, {}, state)


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


def test_the_tracker_is_left_alone_until_there_is_something_to_deliver():
    tracker = FakeTracker()
    outbox = Outbox(tracker)
    outbox.opened(study())
    assert not tracker.back.wait(0.3)
    outbox.heard(record("a"))
    assert tracker.back.wait(10)
    assert outbox.close() == 0


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


def test_what_arrives_before_the_tracker_answers_is_not_taken_for_an_old_one():
    tracker = FakeTracker(shown=["a"], away=1)
    outbox = Outbox(tracker)
    outbox.opened(study("a"))
    outbox.heard(record("d"))
    assert tracker.back.wait(10)
    assert outbox.close() == 0
    assert tracker.told == ["d"]


def test_one_thread_carries_candidates_and_outer_runs():
    tracker = FakeSearchTracker(shown=["0"])
    outbox = SearchOutbox(tracker)
    outbox.opened(search(candidate(0), candidate(1), candidate(2, "running"), records="a"))
    outbox.heard_candidate(candidate(2))
    outbox.heard(record("b"))
    assert outbox.close() == 0
    assert tracker.told == ["1", "a", "2", "b"]


def test_candidates_wait_while_the_tracker_is_away():
    tracker = FakeSearchTracker(away=10**6)
    outbox = SearchOutbox(tracker, patience_s=0.2)
    outbox.opened(search(candidate(0)))
    outbox.heard_candidate(candidate(1, "fail"))
    assert outbox.close() == 2
