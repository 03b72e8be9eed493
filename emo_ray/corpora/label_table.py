"""Label tables: a csv that says which seconds of which subject carry which label."""

import io
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from emo_ray.corpora.e4_files import LATEST_S, read_limited
from emo_ray.corpora.number_text import number_text
from emo_ray.errors import CorpusError


class LabelTable(BaseModel):
    """Where the label table lies, what its columns are called and which clock it keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(
        "labels.csv", description="csv (or .csv.gz), relative to the corpus folder and inside it"
    )
    subject: str = Field("subject", description="column with the name of the subject's folder")
    start: str = Field("start_s", description="column with the start of the stretch, in seconds")
    end: str = Field("end_s", description="column with its end")
    label: str = Field(
        "label",
        description="column with the label: numbers; or text, with codes 0, 1, .. in alphabetical order",
    )
    condition: str | None = Field(
        None, description="column with the condition, equal for all who did the same; without it the label"
    )
    trial: str | None = Field(
        None,
        description="column with the name of the stretch; without it the condition; counted where repeated",
    )
    clock: Literal["seconds", "unix"] = Field(
        "seconds", description="seconds since the subject's first BVP sample, or unix seconds"
    )

    @field_validator("file")
    @classmethod
    def _stay_inside(cls, file: str) -> str:
        """No absolute path and no way up: a configuration may not read just any file."""
        parts = PurePosixPath(file.replace("\\", "/"))
        if not file or parts.is_absolute() or ".." in parts.parts:
            raise ValueError(f"{file!r} must be a file name inside the corpus folder")
        return file


@dataclass(frozen=True)
class Stretch:
    """One labelled stretch; ``start_s`` and ``end_s`` are on the clock of the table.

    ``label`` is the text of the label as in `LabelRows.codes`, ``code`` its number.
    """

    trial: str
    condition: str
    label: str
    code: float
    start_s: float
    end_s: float


@dataclass
class SubjectLabels:
    """Stretches of one subject in time order, and those that can not be used: trial and reason."""

    stretches: list[Stretch] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class LabelRows:
    """A whole table: by subject, and the code of every label in order of the codes."""

    by_subject: dict[str, SubjectLabels]
    codes: dict[str, float]


def read_label_table(config: LabelTable, file: Path) -> LabelRows:
    """Read and check a label table.

    Raises
    ------
    CorpusError : no csv, a column is missing, no row, or a time is no number
    """
    table = _read_csv(file)
    wanted = [config.subject, config.start, config.end, config.label, config.condition, config.trial]
    missing = [column for column in wanted if column is not None and column not in table.columns]
    if missing:
        raise CorpusError(
            f"{file} has no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(map(repr, table.columns))}: name the right ones under labels"
        )
    if table.empty:
        raise CorpusError(f"{file} has no row: add one row a labelled stretch")
    table = _tidy(table, config, file)
    codes = _codes(table["label"])
    rows = {
        str(subject): _subject_labels(stretches, codes)
        for subject, stretches in table.groupby("subject", sort=False)
    }
    return LabelRows(rows, codes)


def _read_csv(file: Path) -> pd.DataFrame:
    """The table as text, empty cells empty."""
    content = io.BytesIO(read_limited(file))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more cells than the header
            table = pd.read_csv(
                content,
                dtype=str,  # "1" and "1.0" are told to be one by `label_text`, not by a guess of the type
                keep_default_na=False,
                index_col=False,  # else a column too many makes the first one an index, in silence
                encoding="utf-8-sig",
                skipinitialspace=True,
            )
    except (
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        UnicodeDecodeError,
    ) as error:
        raise CorpusError(f"{file} is no comma-separated table ({error}): save it as csv in UTF-8") from error
    return table.fillna("")  # rows with fewer cells


def _tidy(table: pd.DataFrame, config: LabelTable, file: Path) -> pd.DataFrame:
    """Columns under our own names: subject, start_s, end_s, label, condition, trial; times as numbers."""
    label = table[config.label].str.strip().map(label_text)
    condition = label if config.condition is None else table[config.condition].str.strip()
    trial = condition if config.trial is None else table[config.trial].str.strip()
    tidy = pd.DataFrame(
        {
            "subject": table[config.subject].str.strip(),
            "start_s": _seconds(table[config.start], file),
            "end_s": _seconds(table[config.end], file),
            "label": label,
            "condition": condition.where(condition != "", label),
            "trial": trial.where(trial != "", condition),
        }
    )
    # Row numbers in messages count from 1 and include the header, as a spreadsheet shows them.
    nameless = np.flatnonzero(tidy["subject"] == "")
    if nameless.size:
        raise CorpusError(f"{file} has no subject in row {nameless[0] + 2}: fill in {config.subject!r}")
    return tidy


def _seconds(column: "pd.Series[str]", file: Path) -> "pd.Series[float]":
    """A column as numbers; an empty cell is NaN, other text an error."""
    seconds = pd.to_numeric(column, errors="coerce")
    wrong = np.flatnonzero(seconds.isna() & ~column.str.strip().str.lower().isin(["", "nan", "na"]))
    if wrong.size:
        raise CorpusError(
            f"{file} has {column.iloc[wrong[0]]!r} in column {column.name!r}, row {wrong[0] + 2}: "
            "times are plain seconds, see labels.clock"
        )
    # Unix times in double precision hold microseconds, no less.
    return seconds.astype(np.float64).round(6)


def label_text(label: str) -> str:
    """A label as it is compared: 1, 1.0 and 1.00 are one; nan is none."""
    try:
        return number_text(float(label)) if label.lower() != "nan" else ""
    except ValueError:
        return label


def _codes(labels: "pd.Series[str]") -> dict[str, float]:
    """Code of every label: the number itself if all are numbers, else the place in alphabetical order."""
    texts = sorted({label for label in labels if label})  # the whole table, so that subjects agree
    try:
        numbers = {text: float(text) for text in texts}
    except ValueError:
        return {text: float(code) for code, text in enumerate(texts)}
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def _subject_labels(rows: pd.DataFrame, codes: dict[str, float]) -> SubjectLabels:
    """Good stretches of one subject with names of their own, and bad ones with the reason."""
    labels = SubjectLabels()
    seen: Counter[str] = Counter()
    # Names are counted in time order, over rejected rows as well: a fault in one row renames no other.
    for row in rows.sort_values("start_s", kind="stable").to_dict("records"):
        name, label, start_s, end_s = (row[key] for key in ("trial", "label", "start_s", "end_s"))
        seen[name] += 1
        trial = name if seen[name] == 1 else f"{name} ({seen[name]})"
        before = labels.stretches[-1] if labels.stretches else None
        reason = _why_unusable(start_s, end_s, label, before)
        if reason:
            labels.rejected.append((trial, reason))
        else:
            stretch = Stretch(trial, row["condition"], label, codes[label], start_s, end_s)
            labels.stretches.append(stretch)
    return labels


def _why_unusable(start_s: float, end_s: float, label: str, before: Stretch | None) -> str:
    """What is wrong with one row, nothing if it is right."""
    if not label:
        return "the label table gives it no label"
    if not (abs(start_s) < LATEST_S and abs(end_s) < LATEST_S):  # NaN is not
        return f"the label table gives it no proper start or end ({start_s:g} to {end_s:g} s)"
    if end_s <= start_s:
        return f"ends at {end_s:.1f} s, not after its start at {start_s:.1f} s"
    if before is not None and start_s < before.end_s:
        return (
            f"starts at {start_s:.1f} s, before {before.trial!r} ends at {before.end_s:.1f} s: labels overlap"
        )
    return ""
