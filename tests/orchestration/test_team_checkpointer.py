"""All members of a team go on from one checkpoint, or none does; no cluster needed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from emo_ray.orchestration.group_worker import TeamCheckpointer
from emo_ray.orchestration.plan import make_plan
from emo_ray.training.checkpoint import Checkpointer
from emo_ray.training.process_team import ProcessTeam, TeamLostError


class Members(ProcessTeam):
    """One of two threads that meet at a barrier."""

    def __init__(self, rank, parts, barrier):
        self.rank, self.size, self._parts, self._barrier = rank, 2, parts, barrier

    def total(self, value):
        try:
            self._parts[self.rank] = value
            self._barrier.wait(10)
            summed = sum(self._parts)
            self._barrier.wait(10)  # nobody puts the next value before both have read this one
        except threading.BrokenBarrierError as error:
            raise TeamLostError("gone") from error
        return summed

    def leave(self):
        self._barrier.abort()


@pytest.fixture
def spec(experiment, table):
    return make_plan([experiment], table).specs[0]


@pytest.fixture
def of_both(spec):
    """What a task returns of each member; each looks into a folder of its own."""

    def run(folders, task):
        parts, barrier = [None, None], threading.Barrier(2)

        def member(rank):
            team = Members(rank, parts, barrier)
            return task(TeamCheckpointer(folders[rank], spec, team), team)

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(member, (0, 1)))

    return run


@pytest.fixture
def folder(tmp_path, spec):
    one = Checkpointer(tmp_path / f"{spec.fingerprint}.pt", 0.0, spec.fingerprint)
    one.save({"history": [{"epoch": 0}], "w": torch.ones(1)})
    return tmp_path


def test_all_go_on_from_a_checkpoint_that_all_see(of_both, folder):
    found = of_both([folder, folder], lambda checkpointer, team: checkpointer.load())
    assert [len(state["history"]) for state in found] == [1, 1]


def test_nobody_goes_on_from_a_checkpoint_that_one_can_not_see(of_both, folder, caplog):
    found = of_both([folder, folder / "elsewhere"], lambda checkpointer, team: checkpointer.load())
    assert found == [None, None]
    assert "after 1, 0 epochs" in caplog.text


def test_who_asks_hears_that_another_has_left_the_run_already(of_both, folder):
    """Else it would take the other's next word, how its run ended, for an answer."""

    def act(checkpointer, team):
        return team.leave() if team.rank == 1 else checkpointer.load()

    with pytest.raises(TeamLostError):
        of_both([folder, folder], act)
