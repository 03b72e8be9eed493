"""Where cores are few, worker processes load one after the other; none waits for ever."""

import threading
import time

import pytest


@pytest.fixture
def warm(monkeypatch):
    monkeypatch.setenv("EMO_RAY_WORKER", "cold")
    from emo_ray.orchestration import warm

    monkeypatch.setattr(warm, "n_cores", lambda: 2)
    return warm


def waited_s(warm):
    """Seconds until somebody else has a turn."""
    began = time.monotonic()
    with warm.a_turn():
        return time.monotonic() - began


def test_a_second_process_waits_for_the_first(warm):
    waits = []
    with warm.a_turn():
        other = threading.Thread(target=lambda: waits.append(waited_s(warm)))
        other.start()
        time.sleep(0.3)
        assert not waits
    other.join(10)
    assert waits[0] >= 0.25


def test_a_process_that_hangs_holds_up_nobody_for_ever(warm, monkeypatch):
    monkeypatch.setattr(warm, "LONGEST_WAIT_S", 0.1)
    with warm.a_turn():
        assert 0.1 <= waited_s(warm) < 5


def test_with_cores_to_spare_all_load_at_once(warm, monkeypatch):
    monkeypatch.setattr(warm, "n_cores", lambda: 16)
    monkeypatch.setattr(warm, "LONGEST_WAIT_S", 60.0)
    with warm.a_turn():
        assert waited_s(warm) < 30
