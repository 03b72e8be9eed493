"""When each clip of a SEED-VII recording was shown: by its marks, or by a table where these are known bad."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from emo_ray.corpora.account import Account
from emo_ray.corpora.cnt_file import CntFile
from emo_ray.errors import CorpusError

START, STOP = "1", "2"
DAY_S = 86_400.0
MAX_TABLE_BYTES = 1 << 20

# Recordings whose marks are wrong, and the time of day at which they began: seconds after midnight.
BAD_TRIGGERS: Mapping[str, float] = {
    "14_20221015_1": 14 * 3600.0 + 25 * 60 + 34,
    "9_20221111_3": 14 * 3600.0 + 1 * 60 + 27,
}
TIME_OF_DAY = re.compile(r"\d{4}\D\d{1,2}\D\d{1,2}[ T](\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)")

Spans = tuple[tuple[float, float], ...]


def clip_spans(cnt: CntFile, table: Path | None, n_clips: int, account: Account) -> Spans | str:
    """Start and end of every clip in seconds from the start of the recording, or why nobody can tell.

    Parameters
    ----------
    table : ``save_info/{stem}_trigger_info.csv``, used for the recordings whose own marks are known to be bad
    n_clips : of a session

    Raises
    ------
    CorpusError : the table is damaged
    """
    stem = cnt.file.stem.lower()
    if stem not in BAD_TRIGGERS:
        spans = paired(cnt.marks, n_clips)
        wanted = f"{2 * n_clips} marks, start and end of {n_clips} clips"
        return spans or f"{cnt.file.name} has {len(cnt.marks)} marks that are not {wanted}"
    if table is None:
        return f"the marks of {cnt.file.name} are known to be bad, and {stem}_trigger_info.csv is missing"
    account.note(cnt.file.stem, "marks known to be bad, clips cut by the table", table.name)
    spans = paired(table_marks(table, BAD_TRIGGERS[stem]), n_clips)
    return spans or f"{table.name} has not start and end of {n_clips} clips, in turn"


def paired(marks: Sequence[tuple[float, str]], n_clips: int) -> Spans | None:
    """Starts and ends in turn; None where they are not."""
    seconds = [second for second, _ in marks]
    if len(seconds) != 2 * n_clips or any(b <= a for a, b in pairwise(seconds)):
        return None
    codes = [code for _, code in marks]
    # where the marks use the two codes of the tables at all, they must use them in turn
    if {START, STOP} <= set(codes) and codes != [START, STOP] * n_clips:
        return None
    return tuple(zip(seconds[::2], seconds[1::2], strict=True))


def table_marks(file: Path, began_s: float) -> list[tuple[float, str]]:
    """Marks of a trigger table, seconds from the start of the recording: rows of a code and a date with time.

    Parameters
    ----------
    began_s : when the recording did, seconds after midnight

    Raises
    ------
    CorpusError : no row has both
    """
    marks = []
    for line in file.read_bytes()[:MAX_TABLE_BYTES].decode("utf-8-sig", "replace").splitlines():
        time = TIME_OF_DAY.search(line)
        # the last one before the time: a number of the row may stand before it
        codes = re.findall(r"(?<![\d.])([12])(?:\.0*)?\s*,", line[: time.start()] if time else "")
        if time and codes:
            hours, minutes, seconds = (float(part) for part in time.groups())
            # a recording may run past midnight
            marks.append(((hours * 3600 + minutes * 60 + seconds - began_s) % DAY_S, codes[-1]))
    if not marks:
        raise CorpusError(
            f"{file} has no row of a code (1 start, 2 end) and a time such as 2022-10-15 14:26:04.250000: "
            "restore it from the release"
        )
    return marks
