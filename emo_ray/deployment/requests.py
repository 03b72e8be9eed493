"""Recordings as a table of channels, one row each: what a scoring server is sent, and a JSON file of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import CorpusError

REQUIRED = ("signal", "channel", "sfreq", "unit", "values")
TEXTS = {"subject": "new/person", "session": "1", "trial": "1"}
NUMBERS = {"start_s": 0.0, "baseline_s": 0.0}
COLUMNS = (*TEXTS, "signal", "channel", "sfreq", "unit", *NUMBERS, "values")
BODY = "dataframe_records"
"""The key under which MLflow's scoring server takes rows."""

ANNOTATION = "annotation"
ROW_STARTS = "start"
"""The one annotation that is no label: when the rows of a table start."""

MAX_REQUEST_BYTES = 1 << 30
MAX_ROWS = 100_000
MAX_SFREQ_HZ = 1e6
MAX_S = 31 * 24 * 3600.0
"""Longest recording, in seconds: one number too many in a rate would ask for all memory while resampling."""

Rows = Sequence[Mapping[str, Any]]


def to_rows(recordings: Sequence[Recording]) -> list[dict[str, Any]]:
    """One row a channel; labels and ratings stay behind. Undefined values are None, as in JSON."""
    rows = []
    for recording in recordings:
        head = {"subject": recording.subject, "session": recording.session, "trial": recording.trial}
        for name, signal in recording.signals.items():
            facts = {"sfreq": float(signal.sfreq), "unit": signal.unit, "start_s": float(signal.start_s)}
            facts["baseline_s"] = float(recording.baseline_s)
            rows += [
                {**head, "signal": name, "channel": channel, **facts, "values": _listed(values)}
                for channel, values in zip(signal.channels, signal.values, strict=True)
            ]
        if ROW_STARTS in recording.annotations:
            facts = {"sfreq": 1.0, "unit": "", "start_s": 0.0, "baseline_s": 0.0}
            values = _listed(recording.annotations[ROW_STARTS])
            rows.append({**head, "signal": ANNOTATION, "channel": ROW_STARTS, **facts, "values": values})
    return rows


def as_request(recordings: Sequence[Recording]) -> dict[str, Any]:
    """The body that the scoring server takes."""
    return {BODY: to_rows(recordings)}


def read_request(path: Path) -> tuple[Recording, ...]:
    """Recordings from a request file.

    Raises
    ------
    CorpusError : it is too large, no JSON, or not such a table
    """
    try:
        if path.stat().st_size > MAX_REQUEST_BYTES:
            raise CorpusError(f"{path} has more than {MAX_REQUEST_BYTES >> 20} MiB: send fewer recordings")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CorpusError(
            f"{path} is no request that can be read ({error}): `emo-ray predict MODEL RECORDING --as-request "
            "FILE.json` writes one"
        ) from error
    rows = content.get(BODY) if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CorpusError(f"{path} has no list of rows under {BODY!r}")
    return from_rows(rows, str(path))


def from_rows(rows: Rows, source: str) -> tuple[Recording, ...]:
    """Recordings from rows, in the order in which they come; rows of one subject, session and trial are one.

    Raises
    ------
    CorpusError : a column is missing or of the wrong kind, or channels of one signal do not fit together;
        names row and value
    """
    if not 0 < len(rows) <= MAX_ROWS:
        raise CorpusError(f"{source}: {len(rows)} rows (a row a channel), from 1 to {MAX_ROWS} can be read")
    found: dict[tuple[str, ...], dict[str, list[dict[str, Any]]]] = {}
    for number, given in enumerate(rows, start=1):
        row = _checked(given, f"{source}, row {number}")
        key = tuple(row[name] for name in TEXTS)
        found.setdefault(key, {}).setdefault(row["signal"], []).append(row)
    return tuple(_recording(key, signals, source) for key, signals in found.items())


def _listed(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _checked(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    lacking = [name for name in REQUIRED if given.get(name) is None]
    unknown = [name for name in given if name not in COLUMNS]
    if lacking or unknown:
        problem = f"lacks {', '.join(lacking)}" if lacking else f"has unknown {', '.join(map(str, unknown))}"
        raise CorpusError(f"{place} {problem}: a row has {', '.join(REQUIRED)}, and may have {_optional()}")
    row: dict[str, Any] = {name: _text(given, name, default) for name, default in TEXTS.items()}
    row |= {name: str(given[name]) for name in ("signal", "channel", "unit")}
    row |= {name: _number(given.get(name, default), name, place) for name, default in NUMBERS.items()}
    row["sfreq"] = _number(given["sfreq"], "sfreq", place)
    if not 0 < row["sfreq"] <= MAX_SFREQ_HZ:
        raise CorpusError(
            f"{place}: sfreq is {row['sfreq']:g}, and a sampling rate in Hz is above 0 and at most "
            f"{MAX_SFREQ_HZ:g}"
        )
    row["values"] = _values(given["values"], place)
    _check_clock(row, place)
    return row


def _values(given: Any, place: str) -> Float64[np.ndarray, " times"]:
    """Numbers that a signal of single precision can hold."""
    try:
        # None becomes NaN
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise CorpusError(f"{place}: values are no list of numbers ({error})") from error
    if values.ndim != 1 or not values.size:
        raise CorpusError(f"{place}: values have shape {values.shape}, one list of numbers is needed")
    too_large = np.abs(values) > np.finfo(np.float32).max  # NaN is not
    if too_large.any():
        first = int(too_large.argmax())
        raise CorpusError(
            f"{place}: value {first + 1} is {values[first]:g}, which no sensor measures: check the unit; a "
            "missing sample is null"
        )
    return values


def _check_clock(row: Mapping[str, Any], place: str) -> None:
    length_s = row["values"].size / row["sfreq"]
    for name, seconds in (("its length", length_s), *((name, row[name]) for name in NUMBERS)):
        if abs(seconds) > MAX_S:
            raise CorpusError(
                f"{place}: {name} is {seconds:g} s ({row['values'].size} values at {row['sfreq']:g} Hz), and "
                f"a recording is of {MAX_S:g} s at most: check sfreq"
            )
    if row["baseline_s"] < 0:
        raise CorpusError(f"{place}: baseline_s is {row['baseline_s']:g}: seconds, 0 or more, are needed")


def _optional() -> str:
    return ", ".join([*TEXTS, *NUMBERS])


def _text(given: Mapping[str, Any], name: str, default: str) -> str:
    value = given.get(name)
    # pandas fills a column that some rows lack with NaN
    return default if value is None or (isinstance(value, float) and np.isnan(value)) else str(value)


def _number(value: Any, name: str, place: str) -> float:
    try:
        number = float(0.0 if value is None else value)
    except (TypeError, ValueError) as error:
        raise CorpusError(f"{place}: {name} is {value!r}, a number is needed") from error
    if not np.isfinite(number):
        raise CorpusError(f"{place}: {name} is {number}, a number is needed")
    return number


def _recording(
    key: tuple[str, ...], signals: Mapping[str, Sequence[Mapping[str, Any]]], source: str
) -> Recording:
    subject, session, trial = key
    place = f"{source}: {subject} {session}/{trial}"
    made = {name: _signal(name, rows, place) for name, rows in signals.items() if name != ANNOTATION}
    annotations = {row["channel"]: row["values"] for row in signals.get(ANNOTATION, ())}
    baseline_s = max((float(row["baseline_s"]) for rows in signals.values() for row in rows), default=0.0)
    return Recording(
        subject=subject,
        session=session,
        trial=trial,
        clip=trial,
        group=subject,
        signals=made,
        annotations={name: rows for name, rows in annotations.items() if name == ROW_STARTS},
        baseline_s=baseline_s,
    )


def _signal(name: str, rows: Sequence[Mapping[str, Any]], place: str) -> Signal:
    for column in ("sfreq", "unit", "start_s"):
        several = sorted({str(row[column]) for row in rows})
        if len(several) > 1:
            raise CorpusError(
                f"{place}: channels of {name!r} have {column} {', '.join(several)}: one a signal"
            )
    lengths = {len(row["values"]) for row in rows}
    channels = tuple(str(row["channel"]) for row in rows)
    if len(lengths) > 1 or len(set(channels)) < len(channels):
        raise CorpusError(
            f"{place}: channels {', '.join(channels)} of {name!r} have {sorted(lengths)} values: each "
            "channel once, all of one length"
        )
    first = rows[0]
    # What is read from files is float32, so equal numbers come in.
    values = np.stack([row["values"] for row in rows]).astype(np.float32)
    return Signal(values, float(first["sfreq"]), str(first["unit"]), channels, float(first["start_s"]))
