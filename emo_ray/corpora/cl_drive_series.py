"""One CSV of CL-Drive as a signal of constant rate: columns by name, samples placed by their time stamps."""

import csv
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from emo_ray.corpora.column_names import plain_name
from emo_ray.errors import CorpusError

MAX_FILE_BYTES = 256 * 2**20  # a level of ECG has 5 MB
MAX_SPAN_S = 3600.0  # a level lasts 3 minutes; more is a mistake of the clock
GAP_S = 0.25  # a longer step leaves samples out; a shorter one is how radio packets arrive
MAX_SHIFT_S = 0.5  # of a sample from its time stamp, once gaps are filled
MAX_MISSING = 0.5  # share of the samples in gaps
NEAR_RATE = 0.05  # relative; clocks of devices differ by far less
FAR_RATE = 8.0  # times the declared rate, or one over it: no device of this sort
MAX_SHOWN = 30  # column names in a message


@dataclass(frozen=True)
class Series:
    """Samples at a constant rate.

    Attributes
    ----------
    values : NaN in gaps and where the file has no number
    sfreq : Hz; the declared one where the time stamps are near it
    first_s : time stamp of the first sample, seconds
    facts : what was found odd, and how much of it
    """

    values: Float[np.ndarray, "channels times"]
    sfreq: float
    first_s: float
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def end_s(self) -> float:
        """On the clock of the time stamps, one sample after the last."""
        return float(self.first_s + self.values.shape[1] / self.sfreq)


@dataclass
class _Columns:
    """Places of the time stamps and of the channels in a header."""

    time: int
    channels: list[int]
    facts: list[tuple[str, str]] = field(default_factory=list)


def read_series(file: Path, channels: tuple[str, ...], nominal_hz: float) -> Series:
    """Read some columns of a file and place its samples.

    Samples stand one after the other. Where time stamps are more than `GAP_S` apart, as many NaN stand
    between as fit; nothing is interpolated.

    Parameters
    ----------
    file : with a header; other columns may be there
    channels : names of the columns, whatever case and punctuation they have in the file
    nominal_hz : Hz

    Raises
    ------
    CorpusError : not readable, a column is not there, or time stamps that no constant rate can be made of
    """
    columns = _columns(file, channels)
    table = _table(file, columns)
    stamps_s, values = table[:, 0], table[:, 1:].T
    factor = _second(stamps_s, nominal_hz, file)
    if factor != 1:
        columns.facts.append(("time stamps taken as milliseconds", file.name))
    stamps_s = stamps_s * factor
    sfreq = _rate(stamps_s, nominal_hz)
    if not nominal_hz / FAR_RATE < sfreq < nominal_hz * FAR_RATE:
        raise CorpusError(
            f"{file}: its time stamps give {sfreq:g} Hz, not about {nominal_hz:g}: restore the file"
        )
    places = _places(stamps_s, sfreq, file)
    n_grid = int(places[-1]) + 1
    if n_grid > len(places):
        longest_s = float(np.diff(stamps_s).max())
        columns.facts.append(("gaps in the time stamps filled with NaN", f"{longest_s:.1f} s the longest"))
    placed = np.full((len(channels), n_grid), np.nan)
    placed[:, places] = values
    return Series(placed, sfreq, float(stamps_s[0]), tuple(columns.facts))


def header_of(file: Path) -> list[str]:
    """Names of the columns.

    Raises
    ------
    CorpusError : the file is not readable, empty or absurdly large
    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise CorpusError(f"{file}: too large for three minutes: restore the file of the release")
        with file.open(encoding="utf-8-sig", newline="") as stream:
            names = next(csv.reader([stream.readline(1 << 16)]), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{file}: can not be read ({error}): restore the file of the release") from error
    if not names:
        raise CorpusError(f"{file}: is empty: restore the file of the release")
    return [name.strip() for name in names]


def _columns(file: Path, channels: tuple[str, ...]) -> _Columns:
    names = header_of(file)
    plain = [plain_name(name) for name in names]
    wanted = [plain_name(channel) for channel in channels]
    missing = [channel for channel, name in zip(channels, wanted, strict=True) if name not in plain]
    shown = ", ".join(names[:MAX_SHOWN])[:600]
    if missing:
        raise CorpusError(
            f"{file}: has no column {', '.join(missing)}; it has {shown}: use the file as it was released"
        )
    # never "the first four": a published loader so took the time stamps as a channel
    times = [place for place, name in enumerate(plain) if "time" in name]
    if not times:
        raise CorpusError(f"{file}: has no column of time stamps; it has {shown}: use the file as released")
    found = _Columns(times[0], [plain.index(name) for name in wanted])
    twice = [channel for channel, name in zip(channels, wanted, strict=True) if plain.count(name) > 1]
    if twice:
        found.facts.append(("columns that are there twice, the first taken", ", ".join(twice)))
    return found


def _table(file: Path, columns: _Columns) -> Float[np.ndarray, "times columns"]:
    """Time stamps, then channels; what is no number is NaN."""
    wanted = [columns.time, *columns.channels]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of commas at the ends of lines, which do no harm
            frame = pd.read_csv(
                file, usecols=sorted(set(wanted)), index_col=False, low_memory=False, encoding="utf-8-sig"
            )
    # on damaged bytes pandas raises nearly anything
    except Exception as error:
        raise CorpusError(f"{file}: can not be read ({type(error).__name__}: {error}): restore it") from error
    order = [sorted(set(wanted)).index(place) for place in wanted]
    numbers = [pd.to_numeric(frame.iloc[:, place], errors="coerce").to_numpy(float) for place in order]
    n_words = sum(
        int(np.count_nonzero(np.isnan(column) & frame.iloc[:, place].notna().to_numpy()))
        for column, place in zip(numbers, order, strict=True)
    )
    if n_words:
        columns.facts.append(("cells that are no numbers set to NaN", str(n_words)))
    table = np.stack(numbers, axis=1)
    if len(table) < 2:
        raise CorpusError(f"{file}: has {len(table)} samples: restore the file of the release")
    return table


def _second(stamps: Float[np.ndarray, " times"], nominal_hz: float, file: Path) -> float:
    """Seconds in one unit of the time stamps: 1, or 0.001 where these are milliseconds.

    Raises
    ------
    CorpusError : a time stamp is missing or earlier than the one before
    """
    if not np.isfinite(stamps).all():
        row = int(np.argmin(np.isfinite(stamps))) + 2
        raise CorpusError(f"{file}, row {row}: no time stamp: restore the file of the release")
    steps = np.diff(stamps)
    if (steps < 0).any():
        row = int(np.argmax(steps < 0)) + 3
        raise CorpusError(
            f"{file}, row {row}: the time stamp {stamps[row - 2]:g} comes after {stamps[row - 3]:g}: does it "
            "hold several recordings? Use the file as it was released"
        )
    step = float(np.median(steps))
    return 1e-3 if step > 0 and abs(1e3 / step / nominal_hz - 1) < NEAR_RATE else 1.0


def _rate(stamps_s: Float[np.ndarray, " times"], nominal_hz: float) -> float:
    """Hz: the declared rate where the steps agree with it, else what they say."""
    steps = np.diff(stamps_s)
    within = steps[steps <= GAP_S]
    # packets may carry one stamp for many samples: then the mean step tells the rate, not the median
    for step in (float(np.median(steps)), float(within.mean()) if within.size else 0.0):
        if step > 0 and abs(1 / step / nominal_hz - 1) < NEAR_RATE:
            return nominal_hz
    step = float(np.median(steps)) or float(steps.mean())
    return round(1 / step, 2) if step > 0 else nominal_hz


def _places(stamps_s: Float[np.ndarray, " times"], sfreq: float, file: Path) -> Int[np.ndarray, " times"]:
    """Where each sample stands among samples at a constant rate.

    Raises
    ------
    CorpusError : the time stamps go on for too long, have too many gaps, or run away from the rate
    """
    passed_s = stamps_s - stamps_s[0]
    if passed_s[-1] > MAX_SPAN_S:
        raise CorpusError(
            f"{file}: its time stamps span {passed_s[-1]:g} s, more than {MAX_SPAN_S:g}: restore the file"
        )
    steps = np.diff(passed_s)
    advance = np.where(steps > GAP_S, np.rint(steps * sfreq), 1.0)
    places = np.append(0, np.cumsum(advance)).astype(np.int64)
    shift_s = float(np.abs(places / sfreq - passed_s).max())
    if shift_s > MAX_SHIFT_S:
        raise CorpusError(
            f"{file}: at {sfreq:g} Hz its samples lie up to {shift_s:.2f} s from their time stamps, more "
            f"than {MAX_SHIFT_S:g} s: they have no constant rate; leave this modality out"
        )
    share = 1 - len(places) / (int(places[-1]) + 1)
    if share > MAX_MISSING:
        raise CorpusError(f"{file}: {share:.0%} of the time it spans has no samples: leave this modality out")
    return places
