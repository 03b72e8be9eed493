import io
import re

import pytest

from emo_ray.results.search_results import Candidate
from emo_ray.search.board import LOG_INTERVAL_S, MAX_ROWS, SearchBoard, duration


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class AsciiLog(io.StringIO):
    encoding = "ascii"


def board_of(stream, total=25, direction="max", n_searches=1):
    clock = Clock()
    return clock, SearchBoard(total, "ccc", direction, n_searches, clock=clock, stream=stream)


def run_one(board, clock, name, seconds, value=None):
    board.asked(name, {"model.dropout": 0.25})
    clock.now_s += seconds
    board.told(name, "pruned" if value is None else "complete", value)


def screen(text):
    """What a terminal shows that knows line feed, cursor up, and clearing a line and all below."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[\d*[FKJ]|\n|[^\x1b\n]+", text):
        if token == "\n" or token.endswith("F"):
            row, column = row + 1 if token == "\n" else row - int(token[2:-1]), 0
            lines += [""] * (row + 1 - len(lines))
        elif token.startswith("\x1b"):
            lines[row] = lines[row][:column]
            lines = lines[: row + 1] if token.endswith("J") else lines
        else:
            lines[row] = token + lines[row][len(token) :]
            column = len(token)
    return [line for line in lines if line]


def test_terminal_shows_one_block_with_counts_best_and_running_candidates():
    stream = Terminal()
    clock, board = board_of(stream)
    with board:
        run_one(board, clock, "0", 60, value=0.5)
        board.asked("1", {})
        board.reported("1", 3, 20, 0.25)
    top, best, row = screen(stream.getvalue())
    # 24 are left at 60 s, one at a time
    assert top == "candidates 1/25 | 1 running | 1 complete | 0 stopped | 0 failed | ETA 24 min"
    assert best == "best ccc 0.500 (candidate 0: model.dropout=0.25)"
    assert row.split() == ["candidate", "1", "step", "3/20", "0.250"]


def test_block_shrinks_when_candidates_end():
    stream = Terminal()
    clock, board = board_of(stream)
    for name in "0123":
        board.asked(name, {})
        clock.now_s += 1
    board.tick()
    assert len(screen(stream.getvalue())) == 1 + 4
    for name in "012":
        board.told(name, "pruned")
        clock.now_s += 1
    board.tick()
    assert len(screen(stream.getvalue())) == 1 + 1


def test_terminal_is_drawn_at_most_five_times_a_second():
    stream = Terminal()
    clock, board = board_of(stream)
    for step in range(1000):  # of 1 ms
        board.reported("0", step, 1000, 0.5)
        clock.now_s += 0.001
    # every drawing ends with this one code
    assert 4 <= stream.getvalue().count("\x1b[J") <= 5


def test_many_running_candidates_are_counted_not_listed():
    stream = Terminal()
    clock, board = board_of(stream)
    for number in range(MAX_ROWS + 5):
        board.asked(str(number), {})
    clock.now_s += 1
    board.tick()
    assert screen(stream.getvalue())[-1] == "  and 5 more"


def test_log_has_a_line_now_and_then_and_no_escape():
    stream = AsciiLog()
    clock, board = board_of(stream)
    for _ in range(25):
        board.reported("0", 1, 20, 0.1)
        clock.now_s += 1
    lines = stream.getvalue().splitlines()
    assert len(lines) == 25 // LOG_INTERVAL_S
    assert "\x1b" not in stream.getvalue()


def test_log_tells_a_better_candidate_and_a_failure_at_once():
    stream = AsciiLog()
    clock, board = board_of(stream)
    run_one(board, clock, "0", 1, value=0.4)
    run_one(board, clock, "1", 1, value=0.3)
    board.told("2", "fail", None, "out of memory")
    better, failure = stream.getvalue().splitlines()
    assert better.endswith("best ccc 0.400 (candidate 0: model.dropout=0.25)")
    assert failure.endswith("1 failed | ETA 22 s | candidate 2 FAILED: out of memory")


@pytest.mark.parametrize(("direction", "best"), [("max", "0.700"), ("min", "0.200")])
def test_best_follows_the_direction_of_the_metric_and_leaves_nan_out(direction, best):
    stream = AsciiLog()
    clock, board = board_of(stream, direction=direction)
    for name, value in enumerate((float("nan"), 0.5, 0.7, 0.2)):
        run_one(board, clock, str(name), 1, value=value)
    assert f"best ccc {best}" in stream.getvalue().splitlines()[-1]


def test_eta_is_unknown_before_the_first_candidate_has_ended():
    stream = Terminal()
    _, board = board_of(stream)
    board.asked("0", {})
    assert "ETA -" in stream.getvalue()


def test_eta_takes_the_running_ones_as_partly_done_and_side_by_side():
    stream = AsciiLog()
    clock, board = board_of(stream, total=6)
    run_one(board, clock, "0", 100)
    board.asked("1", {})
    board.asked("2", {})
    clock.now_s += 40
    board.tick()
    # 3 new ones at 100 s and two with 60 s left each, two at a time: 420 / 2 s
    assert "ETA 4 min" in stream.getvalue().splitlines()[-1]


def test_searches_of_a_nested_study_are_counted_and_have_no_common_best():
    stream = AsciiLog()
    clock, board = board_of(stream, total=30, n_searches=15)
    run_one(board, clock, "P01/0", 11, value=0.9)
    board.search_ended()
    board.__exit__(None, None, None)
    last = stream.getvalue().splitlines()[-1]
    assert last.startswith("searches 1/15 done | candidates 1/30 | 0 running | 1 complete")
    assert "best" not in stream.getvalue()


def test_restarted_search_counts_what_was_there():
    stream = Terminal()
    _, board = board_of(stream)
    best = Candidate("", 3, {"model.dropout": 0.125}, "complete", (0.75,))
    board.resumed(4, 2, 1, best)
    counts, line = screen(stream.getvalue())
    assert counts.startswith("candidates 7/25 | 0 running | 4 complete | 2 stopped | 1 failed | ETA -")
    assert line == "best ccc 0.750 (candidate 3: model.dropout=0.125)"


def test_nothing_that_a_terminal_obeys_comes_from_an_error():
    stream = AsciiLog()
    _, board = board_of(stream)
    board.told("0", "fail", None, "\x1b[2Jout of\nmemory\r\u202e \u00b5s")
    assert stream.getvalue().endswith("candidate 0 FAILED: out of memory   ?s\n")


def test_closed_stream_does_not_end_the_search():
    stream = AsciiLog()
    _, board = board_of(stream)
    stream.close()
    board.told("0", "fail", None, "out of memory")


def test_duration_is_in_the_unit_that_fits():
    assert [duration(s) for s in (40.0, 240.0, 7500.0)] == ["40 s", "4 min", "2 h 05 min"]
