"""The live table of a search: redrawn in place on a terminal, whole plain lines in a log file."""

import math
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, runtime_checkable

from emo_ray.results.search_results import Candidate, CandidateState

REDRAW_S, LOG_INTERVAL_S = 0.2, 10.0
MAX_ROWS = 12
"""So many running candidates have a row of their own, more are counted."""
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_UP, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[{}F", "\x1b[K", "\x1b[J"


@runtime_checkable
class Stream(Protocol):
    """What the board needs of a terminal or a file."""

    def write(self, text: str, /) -> int:
        """Take text; how much of it was taken."""

    def flush(self) -> None:
        """Bring it to where it is seen."""

    def isatty(self) -> bool:
        """Whether somebody looks at it who sees a line redrawn."""


@dataclass
class _Running:
    params: Mapping[str, Any]
    since_s: float
    step: int = 0
    total_steps: int = 0
    value: float | None = None


class SearchBoard:
    """What a person sees while candidates are tried.

    A stream that breaks (a terminal that was closed) ends the board, not the search.

    Parameters
    ----------
    total_candidates : of all searches together; None where only time limits them
    metric : name of the first objective
    direction : of the metric
    n_searches : with more than one their scores are not comparable, and no best one is shown
    clock : seconds, from anywhere
    stream : a terminal, or a file
    """

    def __init__(
        self,
        total_candidates: int | None,
        metric: str,
        direction: Literal["max", "min"],
        n_searches: int = 1,
        *,
        clock: Callable[[], float] = time.monotonic,
        stream: Stream | None = None,
    ) -> None:
        self._total, self._metric, self._n_searches = total_candidates, metric, n_searches
        self._sign = 1.0 if direction == "max" else -1.0
        self._clock, self._stream = clock, stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._told = {"complete": 0, "pruned": 0, "fail": 0}
        self._searches_done = 0
        self._running: dict[str, _Running] = {}
        self._best: tuple[float, str] | None = None
        self._failure = ""
        self._spent_s: list[float] = []  # wall time of each candidate that this process was told
        self._drawn_s = -math.inf if self._is_terminal else clock()
        self._n_drawn = 0

    def __enter__(self) -> "SearchBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show(at_once=True)

    def resumed(
        self,
        n_complete: int,
        n_pruned: int,
        n_failed: int,
        best: Candidate | None = None,
        n_searches_done: int = 0,
    ) -> None:
        """What earlier starts of the study have done."""
        self._told = {"complete": n_complete, "pruned": n_pruned, "fail": n_failed}
        self._searches_done = n_searches_done
        if best is not None and self._is_best(best.values[0]):
            self._best = (best.values[0], candidate_words(best.name, best.params))
        self._show()

    def asked(self, candidate_name: str, params: Mapping[str, Any]) -> None:
        """A candidate has been drawn and starts."""
        self._running[candidate_name] = _Running(params, self._clock())
        self._show()

    def reported(self, name: str, step: int, total_steps: int, value: float) -> None:
        """A running candidate has come to a step."""
        running = self._running.setdefault(name, _Running({}, self._clock()))
        running.step, running.total_steps, running.value = step, total_steps, value
        self._show()

    def told(self, name: str, state: CandidateState, value: float | None = None, error: str = "") -> None:
        """A candidate has ended."""
        ended = self._running.pop(name, None)
        if ended is not None:
            self._spent_s.append(self._clock() - ended.since_s)
        self._told[state] += 1
        news = ""
        if state == "fail":
            news = self._failure = f"candidate {name} FAILED: {error}"
        elif state == "complete" and value is not None and self._is_best(value):
            self._best = (value, candidate_words(name, ended.params if ended else {}))
            news = self._best_line()
        if self._is_terminal or not news:
            self._show()
        else:
            self._log(f"{self._counts()} | {news}")

    def search_ended(self) -> None:
        """One of the searches has chosen."""
        self._searches_done += 1
        self._show()

    def tick(self) -> None:
        """Time has passed."""
        self._show()

    def _is_best(self, value: float) -> bool:
        if self._n_searches > 1 or not math.isfinite(value):
            return False
        return self._best is None or self._sign * value > self._sign * self._best[0]

    def _show(self, at_once: bool = False) -> None:
        pause_s = REDRAW_S if self._is_terminal else LOG_INTERVAL_S
        if not at_once and self._clock() - self._drawn_s < pause_s:
            return
        if self._is_terminal:
            self._draw()
        else:
            best = self._best_line()
            self._log(f"{self._counts()} | {best}" if best else self._counts())

    def _draw(self) -> None:
        self._drawn_s = self._clock()
        # The last column stays free: some terminals break a line there.
        width = shutil.get_terminal_size().columns - 1
        lines = [line[:width] for line in self._lines()]
        up = _UP.format(self._n_drawn) if self._n_drawn else ""
        self._write(up + "".join(f"{line}{_CLEAR_LINE}\n" for line in lines) + _CLEAR_BELOW)
        self._n_drawn = len(lines)

    def _lines(self) -> list[str]:
        lines = [line for line in (self._counts(), self._best_line(), self._failure) if line]
        rows = [self._row(name, running) for name, running in self._running.items()]
        more = [f"  and {len(rows) - MAX_ROWS} more"] if len(rows) > MAX_ROWS else []
        return [shown(line) for line in (*lines, *rows[:MAX_ROWS], *more)]

    def _log(self, line: str) -> None:
        self._drawn_s = self._clock()
        self._write(shown(line) + "\n")

    def _write(self, text: str) -> None:
        # A log may be read in any encoding: what it does not have becomes a question mark.
        encoding = getattr(self._stream, "encoding", None) or "ascii"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            # closed under our feet: nobody looks, and the search goes on
            self._drawn_s = math.inf

    def _counts(self) -> str:
        n_told = sum(self._told.values())
        of = "" if self._total is None else f"/{self._total}"
        searches = [f"searches {self._searches_done}/{self._n_searches} done"] if self._n_searches > 1 else []
        parts = [
            f"candidates {n_told}{of}",
            f"{len(self._running)} running",
            f"{self._told['complete']} complete",
            f"{self._told['pruned']} stopped",
            f"{self._told['fail']} failed",
            f"ETA {self._eta()}",
        ]
        return " | ".join([*searches, *parts])

    def _eta(self) -> str:
        """From the mean wall time of those that were told; they go on as many at a time as run now."""
        if self._total is None or not self._spent_s:
            return "-"
        now, mean_s = self._clock(), sum(self._spent_s) / len(self._spent_s)
        n_new = max(0, self._total - sum(self._told.values()) - len(self._running))
        left_s = [max(0.0, mean_s - (now - running.since_s)) for running in self._running.values()]
        return duration((n_new * mean_s + sum(left_s)) / max(1, len(self._running)))

    def _best_line(self) -> str:
        return f"best {self._metric} {self._best[0]:.3f} ({self._best[1]})" if self._best else ""

    def _row(self, name: str, running: _Running) -> str:
        value = "-" if running.value is None else f"{running.value:.3f}"
        of = f"/{running.total_steps}" if running.total_steps else ""
        return f"  {candidate_words(name, {}):<16} step {running.step:>4}{of:<5} {value:>8}"


def candidate_words(name: str, params: Mapping[str, Any]) -> str:
    """``candidate 7: model.dropout=0.21 training.batch_size=32``."""
    settings = " ".join(f"{key}={_value(value)}" for key, value in params.items())
    return f"candidate {name}: {settings}" if settings else f"candidate {name}"


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """``40 s``, ``4 min``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def shown(text: str) -> str:
    """On one line, and without anything that a terminal would act on: an error may hold both."""
    plain = _ESCAPE.sub("", text)
    return "".join(letter if letter.isprintable() else " " for letter in plain).rstrip()
