"""PPB-Emo: 40 drivers, seven emotional drives of 30 s; 32-channel EEG, raw and as band powers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal
from zipfile import ZipFile

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.neband_table import (
    BAND_CHANNELS,
    ELECTRODES,
    RATE_TOLERANCE,
    RATES_HZ,
    Columns,
    blocks,
    columns_of,
    header_of,
    measured_rate,
    next_block,
    numbers_of,
    seconds_of,
)
from emo_ray.corpora.plausible import unlike_microvolts
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.errors import CorpusError
from emo_ray.files import file_state
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.rating import RatingTask

# Codes in the order in which the public Phy-FusionNet script numbers them.
EMOTIONS = {
    "SD": "surprise",
    "FD": "fear",
    "DD": "disgust",
    "HD": "happiness",
    "SAD": "sadness",
    "AD": "anger",
    "ND": "neutral",
}
CODES = {code: float(number) for number, code in enumerate(EMOTIONS)}
SCALES = ("valence", "arousal", "dominance", "intensity")
FILE_NAME = re.compile(r"PPB_Emo_dataset@EEG-30s-(P\d\d)-(AD|SAD|DD|FD|HD|ND|SD)\.csv", re.IGNORECASE)
WORKBOOK_NAME = re.compile(r"Emotion[_ ]label\.xlsx", re.IGNORECASE)
JOIN_COLUMN = "ppb_emo_dataset@physiological_data"
N_DRIVES = 240  # of 280 that were driven (1 source)
TRIAL_S = 30.0
LENGTH_TOLERANCE_S = 1.5
BANDS_HZ = (4.0, 16.0)  # of band powers: about 8 (1 source)
MAX_WORKBOOK_ROWS = 100_000
MAX_WORKBOOK_BYTES = 1 << 26  # unpacked; a bomb has more

UNVERIFIED = (
    "the rate of the raw channels (250 or 500 Hz, measured from the time columns)",
    "names of the time columns and of the raw channels",
    "sensor numbers to electrodes (1 source)",
    "unit of the raw channels (uV)",
    "band powers about 8 times a second, 240 drives in all (1 source each)",
)
BAND_UNIT = "arbitrary"

Content = Literal["raw", "bands"]


class PpbEmo(CorpusConfig):
    """The 30 s EEG exports, ``PPB_Emo_dataset@EEG-30s-P02-AD.csv``, and the label workbook where it is there.

    ``content="raw"`` gives the 32 raw channels, ``"bands"`` the recorder's own band powers, about 8 a second.
    Not everybody drove all seven; ratings of valence, arousal, dominance and intensity come from the
    workbook, the emotion from the name of the file.
    """

    kind: Literal["ppb_emo"] = "ppb_emo"
    content: Content = "raw"
    sfreq: float | None = Field(
        None, gt=0, description="Hz of the raw channels, where the time columns do not tell it"
    )

    @property
    def card(self) -> CorpusCard:
        """Who made it."""
        return CorpusCard(
            title="PPB-Emo: a multimodal psychological, physiological and behavioural dataset for human "
            "emotions in driving tasks",
            licence="CC BY (not verified); contains faces: handle as personal data",
            citation="Li, Tan, Xing et al. (2022), Scientific Data 9, 481",
            doi="10.1038/s41597-022-01557-2",
            access="figshare, open",
        )

    @property
    def declaration(self) -> Declaration:
        """40 drivers, up to seven trials each."""
        return declaration_of(self.content, n_subjects=40)

    @classmethod
    def recognise(cls, folder: Path) -> "PpbEmo | None":
        """By the names of the EEG exports."""
        if not folder.is_dir():
            return None
        return (
            cls(path=folder)
            if any(FILE_NAME.fullmatch(file.name) for file in folder.rglob("*.[cC][sS][vV]"))
            else None
        )

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Every participant: the exports, and the workbook.

        Raises
        ------
        CorpusError : nothing is found, two files are of one drive, or there are two workbooks
        """
        drives, shared = self._drives(), self._workbooks()
        subjects = sorted({subject for subject, _ in drives}, key=natural_key)
        return {
            f"ppb_emo/{name}": (*(file for (who, _), file in drives.items() if who == name), *shared)
            for name in subjects
        }

    def read_subject(self, subject: str) -> SubjectRecordings:
        """All drives of one participant; one whose file is cut off or not laid out as released is rejected.

        Raises
        ------
        CorpusError : no such participant, or the workbook can not be read
        """
        files = files_of(subject, self.find_subjects(), self.path)
        account = Account(subject, subject.rpartition("/")[2])
        workbooks = [file for file in files if WORKBOOK_NAME.fullmatch(file.name)]
        rated = workbook_ratings(workbooks[0], file_state(workbooks[0])) if workbooks else None
        recordings = []
        for file in files:
            match = FILE_NAME.fullmatch(file.name)
            if match is None:
                continue
            code = match[2].upper()
            ratings = {} if rated is None else _ratings_of(file, code, rated, account)
            try:
                recording = self._drive(file, code, ratings, account)
            except CorpusError as error:
                account.reject(code, str(error))
                continue
            if recording:
                recordings.append(recording)
        return account.closed(recordings)

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Seven emotions; valence and arousal where the workbook is there."""
        return emotion_tasks() | {name: RatingTask(rating=name) for name in SCALES[:2]}

    def notes(self) -> tuple[str, ...]:
        """Whether the workbook was found, and how many drives."""
        notes = []
        n_drives = len(self._drives())
        if n_drives != N_DRIVES:
            notes.append(f"{n_drives} drives found, where {N_DRIVES} are said to be released (1 source)")
        if not self._workbooks():
            notes.append("no Emotion_label.xlsx: labels from names of files, no valence or arousal")
        return tuple(notes)

    def _drives(self) -> dict[tuple[str, str], Path]:
        """By participant and code."""
        found = matching_files(self.path, FILE_NAME)
        if not found:
            raise CorpusError(
                f"{self.path} holds no PPB_Emo_dataset@EEG-30s-Pxx-*.csv: give the folder Physiological_data"
            )
        keyed = (((match[1].upper(), match[2].upper()), file) for file, match in found.items())
        return one_each(keyed, "participant and drive")

    def _workbooks(self) -> tuple[Path, ...]:
        found = matching_files(self.path, WORKBOOK_NAME)
        return tuple(one_each((("Emotion_label", file) for file in found), "workbook").values())

    def _drive(
        self, file: Path, code: str, ratings: Mapping[str, float], account: Account
    ) -> Recording | None:
        names = header_of(file)
        columns = columns_of(names, str(file))
        if columns.guessed:
            account.note(code, "raw columns not named NE_CH1 to NE_CH32, the last 32 columns taken")
        wanted = columns.raw if self.content == "raw" else columns.bands
        values, clocks = _table(file, names, columns, wanted)
        there = np.isfinite(values).any(axis=1)
        if not there.any():
            account.reject(code, f"{file.name} holds no {self.content} values in {len(values)} rows")
            return None
        found = account.finite_float32(values[there].T, channels_of(self.content), code)
        sfreq = self._rate(clocks, there, code, account)
        odd_step = unlike_microvolts(found) if self.content == "raw" else ""
        if odd_step:
            account.note(code, "raw channels do not look like uV", odd_step)
        if self.content == "bands" and not BANDS_HZ[0] < sfreq < BANDS_HZ[1]:
            account.note(code, "band powers come not about 8 times a second", f"{sfreq:.3g} Hz")
        if abs(found.shape[1] / sfreq - TRIAL_S) > LENGTH_TOLERANCE_S:
            account.note(code, f"not {TRIAL_S:g} s long", f"{found.shape[1] / sfreq:.1f} s")
        return Recording(
            subject=account.subject,
            session="1",
            trial=code,
            clip=f"ppb_emo/{code}",
            group=account.subject,
            signals=signals_of(self.content, found, sfreq),
            ratings={"label": CODES[code], **dict.fromkeys(SCALES, float("nan")), **ratings},
        )

    def _rate(
        self, clocks: Mapping[str, np.ndarray], there: np.ndarray, code: str, account: Account
    ) -> float:
        """Hz of the rows that are there: of all rows, or of the few with band powers."""
        own = {name: clock[there] for name, clock in clocks.items()} if self.content == "raw" else clocks
        found = self.sfreq or measured_rate(own)
        if not found:
            # the name says 30 s: the one of the two rates that loaders assume by which it is so long
            n_rows = there.size
            found = min(RATES_HZ, key=lambda rate: abs(n_rows / TRIAL_S - rate))
            if abs(n_rows / TRIAL_S / found - 1) > RATE_TOLERANCE:
                raise CorpusError(
                    f"no time column of {account.source}, {code}, shows steps of 250 or 500 Hz, and {n_rows} "
                    f"rows are {TRIAL_S:g} s at neither: give the rate, corpus.sfreq=500"
                )
            fact = f"no time column tells the rate, {found:g} Hz taken, as a file is of {TRIAL_S:g} s"
            account.note(code, fact, f"{n_rows} rows")
        return found if self.content == "raw" else found * float(there.mean())


@dataclass(frozen=True)
class RatedDrive:
    """A row of the workbook: its code in capitals, empty where it has none; NaN for what is no number."""

    category: str
    ratings: Mapping[str, float]


Rated = Mapping[str, RatedDrive]
"""By stem of the EEG file, in lower case."""


def declaration_of(content: str, n_subjects: int | None) -> Declaration:
    """What both packagings of these recordings declare."""
    raw = {"eeg": DeclaredSignal(ELECTRODES, RATES_HZ, "uV")}
    # the rate of band powers is what the file shows: none is declared
    return Declaration(
        n_subjects=n_subjects,
        sessions=("1",),
        signals=raw if content == "raw" else {},
        ratings={
            "label": DeclaredRating(0.0, 6.0, "surprise, fear, disgust, happiness, sadness, anger, neutral"),
            **{name: DeclaredRating(1.0, 9.0, "self-reported") for name in SCALES[:3]},
        },
        unverified=UNVERIFIED,
    )


def emotion_tasks() -> dict[str, TaskConfig]:
    """The seven emotions."""
    return {"emotion": ClassTask(classes=tuple((EMOTIONS[code], (CODES[code],)) for code in EMOTIONS))}


def channels_of(content: str) -> tuple[str, ...]:
    """Names of the channels of one content."""
    return ELECTRODES if content == "raw" else BAND_CHANNELS


def signals_of(content: str, values: Float32[np.ndarray, "channels rows"], sfreq: float) -> dict[str, Signal]:
    """The one modality of one content."""
    if content == "raw":
        return {"eeg": Signal(values, sfreq, "uV", ELECTRODES)}
    return {"bands": Signal(values, sfreq, BAND_UNIT, BAND_CHANNELS)}


def _table(
    file: Path, names: list[str], columns: Columns, wanted: tuple[str, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Wanted columns of all rows, and the time columns."""
    reader = blocks(file, names, wanted, columns.clocks)
    values, clocks = [np.zeros((0, len(wanted)), np.float32)], {name: [] for name in columns.clocks}  # type: ignore[var-annotated]
    while (batch := next_block(reader, file)) is not None:
        values.append(numbers_of(batch, wanted))
        for name in columns.clocks:
            clocks[name] += batch.column(name).to_pylist()
    return np.concatenate(values), {name: seconds_of(texts) for name, texts in clocks.items()}


def _ratings_of(file: Path, code: str, rated: "Rated", account: Account) -> Mapping[str, float]:
    """What the workbook says of one drive; what it lacks or has otherwise is noted."""
    row = rated.get(file.stem.lower())
    if row is None:
        account.note(code, "not in the workbook, so without valence and arousal")
        return {}
    if row.category and row.category != code:
        account.note(code, "another emotion in the workbook than in the name of the file", row.category)
    missing = [name for name, value in row.ratings.items() if np.isnan(value)]
    if missing:
        account.note(code, "no number in the workbook", ", ".join(missing))
    return row.ratings


@lru_cache(maxsize=2)
def workbook_ratings(path: Path, _state: tuple[int, int]) -> Rated:
    """Rows of the first sheet.

    Parameters
    ----------
    path : ``Emotion_label.xlsx``

    Raises
    ------
    CorpusError : it is no workbook, has no join column, or a drive twice
    """
    rows = _rows_of(path)
    header = [str(cell or "").strip().lower() for cell in rows[0]] if rows else []
    if JOIN_COLUMN not in header:
        raise CorpusError(
            f"{path} has no column PPB_Emo_dataset@Physiological_data, by which labels are joined; it has "
            f"{', '.join(filter(None, header)) or 'none'}"
        )
    found: dict[str, RatedDrive] = {}
    for row in rows[1:]:
        cells = dict(zip(header, row, strict=False))  # rows may be shorter than the header
        stem = str(cells.get(JOIN_COLUMN) or "").strip().lower().removesuffix(".csv")
        if stem in found:
            raise CorpusError(f"{path} has {stem} in two rows: which is right can not be told; remove one")
        if stem:
            category = str(cells.get("category") or "").strip().upper()
            ratings = {name: _number(cells.get(name)) for name in SCALES if name in header}
            found[stem] = RatedDrive(category, ratings)
    return found


def _rows_of(path: Path) -> list[tuple[object, ...]]:
    from openpyxl import load_workbook

    try:
        with ZipFile(path) as parts:
            n_bytes = sum(part.file_size for part in parts.infolist())
        if n_bytes > MAX_WORKBOOK_BYTES:
            raise CorpusError(f"{path} unpacks to {n_bytes} bytes, far more than 280 rows: copy it again")
        workbook = load_workbook(path, read_only=True, data_only=True)
        rows = list(workbook.worksheets[0].iter_rows(values_only=True, max_row=MAX_WORKBOOK_ROWS))
        workbook.close()
    except CorpusError:
        raise
    # openpyxl lets nearly anything through that zip files, their compression and XML parsers raise
    except Exception as error:
        raise CorpusError(
            f"{path} can not be read as a workbook ({type(error).__name__}: {error}): copy it again, or move "
            "it away"
        ) from error
    return rows


def _number(cell: object) -> float:
    """A number, also one that the workbook holds as text; NaN for anything else."""
    try:
        return float(str(cell)) if not isinstance(cell, bool) else float("nan")
    except ValueError:
        return float("nan")
