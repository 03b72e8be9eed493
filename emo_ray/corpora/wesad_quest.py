"""WESAD's ``SX_quest.csv``: the order of the conditions, and what the subject said after each."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emo_ray.errors import CorpusError

MAX_QUEST_BYTES = 1 << 20  # the release has 1 kB
CONDITION_NAMES = {"base": "baseline", "tsst": "stress", "fun": "amusement", "medi": "meditation"}
DIM = ("self_valence", "self_arousal")  # 1 to 9
N_STAI, N_PANAS = 6, 26  # the last two of PANAS were asked after stress alone
STAI = tuple(f"stai_{number}" for number in range(1, N_STAI + 1))  # 1 to 4
PANAS = tuple(f"panas_{number}" for number in range(1, N_PANAS + 1))  # 1 to 5
SSSQ = tuple(f"sssq_{number}" for number in range(1, 7))  # asked after stress alone
_TIME = re.compile(r"(\d{1,4})(?:\.(\d{1,2}))?")


@dataclass(frozen=True)
class Report:
    """One condition: its name, its length in seconds by the questionnaire's clock, and the answers after it.

    The clock is that of the chest device's raw file, which starts before the pickle does: it can tell how
    long a condition was, never where in the pickle it lies.
    """

    condition: str
    duration_s: float
    answers: Mapping[str, float]


def read_quest(file: Path) -> tuple[Report, ...]:
    """The conditions in the order of the day; reading breaks are left out.

    Raises
    ------
    CorpusError : not readable, no order of conditions, or a cell that is no number
    """
    rows = _rows(file)
    order = rows.get("ORDER", [[]])[0]
    if not any(order):
        raise CorpusError(f"{file}: has no line '# ORDER' with conditions: restore the file of the release")
    starts, ends = (_times(rows.get(tag, [[]])[0], file) for tag in ("START", "END"))
    # each questionnaire has a line for every condition, in the order of the day
    conditions = [(place, name) for place, name in enumerate(order) if _condition(name)]
    reports = []
    for number, (place, name) in enumerate(conditions):
        answers: dict[str, float] = {}
        for tag, names in (("DIM", DIM), ("STAI", STAI), ("PANAS", PANAS)):
            answers |= _answers(rows.get(tag, []), number, names, file)
        if _condition(name) == "stress":
            answers |= _answers(rows.get("SSSQ", []), 0, SSSQ, file)
        reports.append(Report(_condition(name), _at(ends, place) - _at(starts, place), answers))
    return tuple(reports)


def minutes_seconds(text: str) -> float:
    """Seconds from minutes.seconds: ``"7.08"`` is 7 min 8 s, ``"50.3"`` is 50 min 30 s, a zero being lost.

    Raises
    ------
    ValueError : it is no such time
    """
    match = _TIME.fullmatch(text.strip())
    seconds = int((match[2] or "0").ljust(2, "0")) if match else 60
    if match is None or seconds >= 60:
        raise ValueError(f"{text[:20]!r} is no time in minutes.seconds")
    return float(int(match[1]) * 60 + seconds)


def _rows(file: Path) -> dict[str, list[list[str]]]:
    """Cells behind each tag, line by line; their number differs from file to file."""
    try:
        if file.stat().st_size > MAX_QUEST_BYTES:
            raise CorpusError(f"{file}: too large for a questionnaire: restore the file of the release")
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{file}: can not be read ({error}): restore the file of the release") from error
    rows: dict[str, list[list[str]]] = {}
    for line in lines:
        tag, *cells = (cell.strip() for cell in line.split(";"))
        if tag.startswith("#"):
            rows.setdefault(tag.lstrip("# ").upper(), []).append(cells)
    return rows


def _condition(name: str) -> str:
    """``"meditation"`` for ``"Medi 2"``; empty for a reading break."""
    return CONDITION_NAMES.get(name.partition(" ")[0].lower(), "")


def _times(cells: list[str], file: Path) -> list[float]:
    try:
        return [minutes_seconds(cell) if cell else math.nan for cell in cells]
    except ValueError as error:
        raise CorpusError(f"{file}: {error}: restore the file of the release") from error


def _at(times: list[float], place: int) -> float:
    return times[place] if place < len(times) else math.nan


def _answers(lines: list[list[str]], number: int, names: tuple[str, ...], file: Path) -> dict[str, float]:
    """Answers of one line; NaN where it has none."""
    cells = lines[number] if number < len(lines) else []
    padded = [*cells, *[""] * len(names)][: len(names)]
    try:
        # "Nan" stands in one of the released files
        return {name: float(cell or "nan") for name, cell in zip(names, padded, strict=True)}
    except ValueError as error:
        raise CorpusError(f"{file}: {error}: restore the file of the release") from error
