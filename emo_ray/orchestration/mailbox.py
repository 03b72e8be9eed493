"""The mailbox: hands work to workers, and holds what they hand in until the driver has taken it."""


class Mailbox:
    """An actor on the driver's node, for Tune keeps and re-writes whatever a trial is given or reports.

    It never looks into what it holds, so its process needs none of the libraries that made it.
    """

    def __init__(self) -> None:
        self._work: dict[str, bytes] = {}
        self._starts: dict[str, int] = {}
        self._items: dict[str, list[bytes]] = {}

    def assign(self, name: str, work: bytes) -> None:
        """Leave work for whoever starts it."""
        self._work[name] = work

    def start(self, name: str) -> tuple[bytes, int]:
        """Take work up; returns it, and which attempt this is."""
        self._starts[name] = self._starts.get(name, 0) + 1
        return self._work[name], self._starts[name]

    def put(self, name: str, item: bytes) -> None:
        """Hand something in."""
        self._items.setdefault(name, []).append(item)

    def take(self, name: str) -> list[bytes]:
        """Collect what was handed in since the last time; nothing where the worker died before."""
        return self._items.pop(name, [])

    def drop(self, name: str) -> None:
        """Forget work that has ended."""
        self._work.pop(name, None)
        self._items.pop(name, None)
