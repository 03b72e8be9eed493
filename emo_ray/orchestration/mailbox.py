"""The mailbox: holds finished results until the driver has taken them."""


class Mailbox:
    """An actor on the driver's node, for Tune keeps and re-writes whatever a trial reports.

    It never looks into a result, so its process needs none of the libraries that made it.
    """

    def __init__(self) -> None:
        self._results: dict[str, bytes] = {}
        self._starts: dict[str, int] = {}

    def start(self, fingerprint: str) -> int:
        """Count a start of a run; returns which attempt this is."""
        self._starts[fingerprint] = self._starts.get(fingerprint, 0) + 1
        return self._starts[fingerprint]

    def put(self, fingerprint: str, result: bytes) -> None:
        """Leave a result."""
        self._results[fingerprint] = result

    def take(self, fingerprint: str) -> bytes | None:
        """Collect a result; None where the worker died before it left one."""
        return self._results.pop(fingerprint, None)
