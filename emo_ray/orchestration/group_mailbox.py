"""The mailbox of worker groups: they fetch work and hand results in, and the driver reads what happened."""

from collections import deque
from typing import Literal

from emo_ray.orchestration.policy import MAX_RETRIES

Event = tuple[Literal["started", "restarted", "given back", "ended", "lost"], str, bytes]
"""What happened to which work, and the result where it ended with one."""

OVER, NOTHING_YET = ("", -1), ("", 0)


class GroupMailbox:
    """An actor on the driver's node: Ray Train has no way to give a running group more to do.

    It never looks into what it holds, so its process needs none of the libraries that made it.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._work: dict[str, bytes] = {}
        self._starts: dict[str, int] = {}
        self._held: dict[int, str] = {}  # by group: what it is doing
        self._n_taken: dict[int, int] = {}
        self._news: list[Event] = []
        self._is_over = False

    def assign(self, name: str, work: bytes) -> None:
        """Leave work for the next group that has nothing to do."""
        self._work[name] = work
        self._waiting.append(name)

    def close(self) -> None:
        """No work will come any more."""
        self._is_over = True

    def take(self, group: int) -> tuple[str, int]:
        """Name of the next work of a group, and which attempt this is; `NOTHING_YET`, or `OVER`.

        A group that comes for work while it holds some has been started anew: it lost a worker in the middle,
        and gets the same work again, unless that was lost too often.
        """
        held = self._left_by(group)
        if held:
            self._news.append(("restarted", held, b""))
            return self._given(group, held)
        if self._waiting:
            name = self._waiting.popleft()
            self._news.append(("started", name, b""))
            return self._given(group, name)
        return OVER if self._is_over else NOTHING_YET

    def _given(self, group: int, name: str) -> tuple[str, int]:
        self._held[group] = name
        self._starts[name] = self._starts.get(name, 0) + 1
        self._n_taken[group] = self._n_taken.get(group, 0) + 1
        return name, self._starts[name]

    def give_up(self, group: int) -> None:
        """A group ends without having begun anew: another one does what it held."""
        held = self._left_by(group)
        if held:
            self._news.append(("given back", held, b""))
            self._waiting.appendleft(held)

    def _left_by(self, group: int) -> str:
        """Name of what a group has not ended, where it may be tried again."""
        held = self._held.pop(group, "")
        if held and self._starts[held] > MAX_RETRIES:
            self._news.append(("lost", held, b""))
            del self._work[held]
            return ""
        return held

    def content(self, name: str) -> bytes:
        """The work itself; every worker of a group asks for it."""
        return self._work[name]

    def hand_in(self, group: int, result: bytes) -> None:
        """The result of what a group was doing, and its end: at once, so that no kill comes between."""
        name = self._held.pop(group)
        self._news.append(("ended", name, result))
        del self._work[name]

    def news(self) -> list[Event]:
        """What has happened since the last time."""
        events, self._news = self._news, []
        return events

    def n_taken(self, group: int) -> int:
        """How often a group has taken work; that it takes some shows that it can start at all."""
        return self._n_taken.get(group, 0)
