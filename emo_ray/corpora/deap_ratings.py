"""DEAP's ``participant_ratings.csv``: order of presentation, start times, familiarity, labels again."""

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from emo_ray.errors import CorpusError

RATINGS_FILE = re.compile(r"participant_ratings\.(csv|xls|xlsx|ods)", re.IGNORECASE)
SCALES = ("valence", "arousal", "dominance", "liking")  # in the order of the labels of a file
MAX_RATINGS_BYTES = 1 << 24  # the release has 60 kB
MICROSECONDS_A_SECOND = 1e6
_NUMBERS = ("participant_id", "trial", "experiment_id", "start_time", *SCALES, "familiarity")
_IDENTITIES = ("participant_id", "trial", "experiment_id")


@dataclass(frozen=True)
class RatedTrial:
    """One row: which video was shown at which position, when, and what was said of it.

    ``start_s`` is in seconds from the start of the recording; NaN where a cell is empty.
    """

    position: int
    video: int
    start_s: float
    ratings: Mapping[str, float]


RatedTrials = Mapping[int, Mapping[int, RatedTrial]]  # by participant, then by video


def read_rated_trials(file: Path) -> RatedTrials:
    """All rows of the table.

    Raises
    ------
    CorpusError : the file is not readable, lacks a column, has a row without numbers, or one trial twice
    """
    found: dict[int, dict[int, RatedTrial]] = {}
    for number, row in enumerate(_rows(file), start=2):
        cells = {name: _cell(row.get(name), f"{file}, row {number}, {name}") for name in _NUMBERS}
        if not all(cells[name].is_integer() for name in _IDENTITIES):
            raise CorpusError(f"{file}, row {number}: needs whole numbers in {', '.join(_IDENTITIES)}")
        participant, position, video = (int(cells[name]) for name in _IDENTITIES)
        trials = found.setdefault(participant, {})
        if video in trials or any(trial.position == position for trial in trials.values()):
            raise CorpusError(
                f"{file}, row {number}: participant {participant} has trial {position} or video {video} "
                "twice: restore the file of the release"
            )
        ratings = {name: cells[name] for name in (*SCALES, "familiarity")}
        trials[video] = RatedTrial(position, video, cells["start_time"] / MICROSECONDS_A_SECOND, ratings)
    return found


def _rows(file: Path) -> Iterator[dict[str, str]]:
    """Rows by lower-case column name, whatever the separator."""
    try:
        if file.stat().st_size > MAX_RATINGS_BYTES:
            raise CorpusError(
                f"{file}: too large for the ratings of 32 people: restore the file of the release"
            )
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{file}: can not be read ({error}): restore the file of the release") from error
    lines = text.replace("\0", "").splitlines()
    separator = ";" if lines and ";" in lines[0] else ","
    try:
        header, *rows = csv.reader(lines, delimiter=separator) if lines else [[]]
    except csv.Error as error:
        raise CorpusError(f"{file}: can not be read ({error}): restore the file of the release") from error
    names = [name.strip().lower() for name in header]
    missing = [name for name in _NUMBERS[:-1] if name not in names]
    if missing:
        raise CorpusError(
            f"{file}: has no column {', '.join(missing)} (it has {', '.join(names)[:300]}): restore the file "
            "of the release"
        )
    for row in rows:
        if any(cell.strip() for cell in row):
            yield dict(zip(names, row, strict=False))


def _cell(text: str | None, where: str) -> float:
    """A number; NaN for an empty cell."""
    if text is None or not text.strip():
        return math.nan
    try:
        return float(text.strip().replace(",", "."))
    except ValueError as error:
        raise CorpusError(f"{where}: {text[:40]!r} is no number: restore the file of the release") from error
