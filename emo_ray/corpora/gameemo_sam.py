"""Self-assessment of GAMEEMO, as a user typed it in from the scanned forms."""

from pathlib import Path

import numpy as np
import pandas as pd

from emo_ray.corpora.account import Account
from emo_ray.errors import CorpusError

# Name of the column to its least and greatest value.
SAM_SCALES = {
    "valence": (1.0, 9.0),
    "arousal": (1.0, 9.0),
    "satisfaction": (1.0, 10.0),
    "boring": (1.0, 10.0),
    "horrible": (1.0, 10.0),
    "calm": (1.0, 10.0),
    "funny": (1.0, 10.0),
}
KEYS = ("subject", "game")


def read_sam(file: Path, account: Account) -> dict[str, dict[str, float]]:
    """Ratings of one subject, by game and ``self_valence``, ``self_arousal``, ...; NaN where not answered.

    Raises
    ------
    CorpusError : there is no such file, a column is missing, a value is no number, or a game is there twice
    """
    try:
        table = pd.read_csv(file, dtype=str, skipinitialspace=True, encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # parser and encoding errors are ValueErrors
        raise CorpusError(
            f"the ratings {file} can not be read ({error}): correct the file or its path"
        ) from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    missing = [name for name in (*KEYS, "valence", "arousal") if list(table.columns).count(name) != 1]
    if missing:
        raise CorpusError(f"the ratings {file} have not once the columns {', '.join(missing)}: add them")
    number = int(account.subject.rpartition("S")[2])
    mine = table[_numbers(table["subject"], "S", file) == number]
    games = _numbers(mine["game"], "G", file)
    if games.duplicated().any():
        raise CorpusError(f"the ratings {file} have a game of {account.subject} twice: keep one row of it")
    return {
        f"G{game}": {f"self_{name}": _rating(row, name, f"G{game}", account, file) for name in SAM_SCALES}
        for game, (_, row) in zip(games, mine.iterrows(), strict=True)
    }


def _numbers(column: "pd.Series[str]", letter: str, file: Path) -> "pd.Series[int]":
    """``S01``, ``1`` or ``01`` as the number 1."""
    bare = column.fillna("").str.strip().str.upper().str.removeprefix(letter)
    if not bare.str.fullmatch(r"\d{1,3}").all():
        wrong = column[~bare.str.fullmatch(r"\d{1,3}")].iloc[0]
        raise CorpusError(f"the ratings {file} have {wrong!r} as {column.name}: write {letter}1 or 1")
    return bare.astype(int)


def _rating(row: "pd.Series[str]", name: str, game: str, account: Account, file: Path) -> float:
    text = row.get(name)
    if not isinstance(text, str) or not text.strip():
        return float("nan")
    try:
        value = float(text)
    except ValueError as error:
        raise CorpusError(
            f"the ratings {file} have {text!r} as {name} of {account.subject} {game}"
        ) from error
    low, high = SAM_SCALES[name]
    if np.isnan(value) or low <= value <= high:
        return value
    account.note(game, f"self-ratings of {name} outside {low:g} to {high:g} set to NaN", text)
    return float("nan")
