"""A team of threads: what a team of processes does, in one process and without a network."""

import threading
from concurrent.futures import ThreadPoolExecutor

from emo_ray.training.process_team import ProcessTeam

LONGEST_S = 60.0


class ThreadTeam(ProcessTeam):
    """One member; `in_threads` makes them."""

    def __init__(self, rank, slots, barrier):
        self.rank, self.size = rank, len(slots)
        self._slots, self._barrier = slots, barrier

    def total(self, value):
        self._slots[self.rank] = value.detach().clone()
        self._barrier.wait(LONGEST_S)
        summed = sum(self._slots[1:], start=self._slots[0].clone())
        self._barrier.wait(LONGEST_S)  # nobody puts the next value before all have read this one
        return summed

    def leave(self):
        self._barrier.abort()


def in_threads(size, task):
    """What ``task(team)`` returns, of each member."""
    slots, barrier = [None] * size, threading.Barrier(size)

    def member(rank):
        team = ThreadTeam(rank, slots, barrier)
        try:
            return task(team)
        except BaseException:
            team.leave()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(member, range(size)))
