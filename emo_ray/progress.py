"""Progress bars: one a stage, with counts and an estimate of the time left; plain lines in a log file."""

import sys
import time
from types import TracebackType

from tqdm import tqdm

CONSOLE = "console.log"
"""Where a study keeps what its job printed."""
_LOG_INTERVAL_S = 10.0
_FORMAT = "{desc} {n_fmt}/{total_fmt} {unit} {bar:24} {elapsed} elapsed, {remaining} left{postfix}"


class StageBar:
    """The bar of one stage; on a terminal it redraws in place, elsewhere it writes a line now and then."""

    def __init__(self, stage: str, total: int, unit: str, done: int = 0) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._counts = {"running": 0, "failed": 0}
        self._written_s = time.monotonic()
        self._bar = tqdm(
            desc=f"{stage:<9}",
            total=total,
            initial=done,
            unit=f"{unit}s",
            file=sys.stderr if self._is_terminal else _Nowhere(),
            mininterval=0.2,
            bar_format=_FORMAT,
            # a log may be read in any encoding
            ascii=None if self._is_terminal else " #",
        )

    def __enter__(self) -> "StageBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._counts["running"] = 0
        self._show(at_once=True)
        self._bar.close()

    def started(self, n: int = 1) -> None:
        """So many items of the stage have started (or, negative, were lost and will start again)."""
        self._counts["running"] = max(0, self._counts["running"] + n)
        self._show()

    def finished(self, failed: bool = False) -> None:
        """One item has ended, well or not."""
        self._counts["running"] = max(0, self._counts["running"] - 1)
        self._counts["failed"] += failed
        self._bar.update()
        self._show()

    def _show(self, at_once: bool = False) -> None:
        counts = ", ".join(f"{n} {what}" for what, n in self._counts.items())
        # Off a terminal nothing is to be redrawn: whole lines are written below.
        self._bar.set_postfix_str(counts, refresh=self._is_terminal)
        if not self._is_terminal and (at_once or time.monotonic() - self._written_s > _LOG_INTERVAL_S):
            self._written_s = time.monotonic()
            sys.stderr.write(f"{self._bar}\n")


class _Nowhere:
    """Takes what tqdm would redraw; a log file gets whole lines instead."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...
