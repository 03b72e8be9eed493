"""EEG and one ECG lead at rest and during mental arithmetic, 36 students: EDF files of PhysioNet's eegmat.

Two packagings: PhysioNet's own (500 Hz, rest of 182 s) and one brought to 128 Hz and to the last 62 s of rest
(``edf_128hz``). A subject has ``SubjectNN_1.edf`` (rest) and ``SubjectNN_2.edf`` (serial subtraction).
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import check_inside, files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.eeg_file import EegFile, OpenEegFile, open_eeg_file
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import canonical_name, is_electrode
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask

RECORDING_FILE = re.compile(r"(Subject\d+)_([12])\.edf", re.IGNORECASE)
INFO_FILE = "subject-info.csv"
MAX_INFO_BYTES = 2**20  # it has 36 rows
CONVERTED_FOLDER = "edf_128hz"

CONDITIONS = {"1": ("rest", 0.0), "2": ("arithmetic", 1.0)}
"""By the number in the file's name: the trial, and its label."""

EEG_CHANNELS = (
    *("Fp1", "Fp2", "F3", "F4", "F7", "F8", "T7", "T8", "C3", "C4", "P7", "P8", "P3", "P4", "O1", "O2"),
    *("Fz", "Cz", "Pz"),
)
"""In the order of the files, which call T7, T8, P7 and P8 by their old names T3, T4, T5 and T6."""

EEG_UNIT, ECG_UNIT = "uV", "mV"
SFREQS_HZ = (128.0, 500.0)

CARD = CorpusCard(
    title="EEG During Mental Arithmetic Tasks (eegmat) 1.0.0",
    licence="Open Data Commons Attribution License 1.0 (as its copy at NEMAR states; PhysioNet: open access)",
    citation="Zyma, Tukaev, Seleznov, Kiyono, Popov, Chernykh & Shpenkov (2019), Data 4(1), 14; "
    "Goldberger et al. (2000), Circulation 101(23), e215",
    doi="10.3390/data4010014",
    access="PhysioNet, doi 10.13026/C2JQ1P",
)


class Eegmat(CorpusConfig):
    """Two trials a person, rest and arithmetic: 19 EEG channels in uV and one ECG lead in mV.

    The ``A2-A1`` derivation is not read: it is the difference of two ears, not an electrode. The rating
    ``quality`` (1 good, 0 bad counter) is the same for both trials of a person.
    """

    kind: Literal["eegmat"] = "eegmat"
    folder: str = Field(
        "", description="with the EDF files, inside path; empty: edf_128hz where there is one, else path"
    )

    @property
    def card(self) -> CorpusCard:
        """As stated with the files."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """Thirty-six people, one sitting of two recordings each."""
        return Declaration(
            n_subjects=36,
            sessions=("1",),
            n_trials=len(CONDITIONS),
            signals={
                "eeg": DeclaredSignal(EEG_CHANNELS, SFREQS_HZ, EEG_UNIT),
                "ecg": DeclaredSignal(("ECG",), SFREQS_HZ, ECG_UNIT),
            },
            ratings={
                "label": DeclaredRating(0.0, 1.0, "0 rest, 1 serial subtraction"),
                "quality": DeclaredRating(0.0, 1.0, "0 bad counter, 1 good counter; one value a person"),
            },
            unverified=("the table has 26 good counters, the authors' text 24",),
        )

    @classmethod
    def recognise(cls, folder: Path) -> "Eegmat | None":
        """By the names of the EDF files."""
        if not folder.is_dir():
            return None
        names = (file.name for file in folder.rglob("*.[eE][dD][fF]"))
        return cls(path=folder) if any(RECORDING_FILE.fullmatch(name) for name in names) else None

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Every subject: the recordings, rest first, then the table of subjects if there is one.

        Raises
        ------
        CorpusError : no recordings, or a subject has two files of a condition
        """
        by_subject: dict[str, list[Path]] = {}
        for (name, _), file in sorted(self._recordings().items(), key=lambda item: natural_key(item[0][0])):
            by_subject.setdefault(f"eegmat/{name}", []).append(file)
        info = self._info_file()
        table = () if info is None else (info,)
        return {subject: (*files, *table) for subject, files in by_subject.items()}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Rest and arithmetic; one that has no file, or lacks electrodes, is rejected.

        Raises
        ------
        CorpusError : a file is truncated or damaged, or there is no such subject
        """
        files_of(subject, self.find_subjects(), self.path)
        name = subject.partition("/")[2]
        found = {number: file for (owner, number), file in self._recordings().items() if owner == name}
        account = Account(subject, name)
        quality = self._quality(name, account)
        passbands: dict[str, str] = {}
        recordings = []
        for number, (trial, label) in CONDITIONS.items():
            if number not in found:
                account.reject(trial, f"{name}_{number}.edf is not there: copy it beside the other one")
                continue
            opened = open_eeg_file(found[number])
            passbands[trial] = _passband(opened)
            signals = _signals(opened, trial, account)
            if signals:
                ratings = {"label": label, "quality": quality}
                recordings.append(_recording(subject, trial, signals, ratings))
        if len(set(passbands.values())) > 1:
            told = ", ".join(f"{trial} {band}" for trial, band in passbands.items())
            account.note(
                "all", f"filtered differently ({told}): band-pass both to 0.5-45 Hz before comparing"
            )
        return account.closed(recordings)

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Rest against mental arithmetic."""
        classes = tuple((trial, (label,)) for trial, label in CONDITIONS.values())
        return {"arithmetic": ClassTask(classes=classes)}

    def notes(self) -> tuple[str, ...]:
        """What a good score may come from, and where a feature can mean nothing."""
        return (
            "eegmat: rest always came first and each condition is one recording, so that time and recording "
            "are confounded with the label; the authors cleaned the EEG by ICA",
            "eegmat as released has no heart beat in four ECG recordings: Subject02 and Subject13 at rest, "
            "Subject20 and Subject35 in arithmetic",
        )

    def _recordings(self) -> dict[tuple[str, str], Path]:
        """Files by name of the subject and number of the condition."""
        folder = self._folder()
        matches = matching_files(folder, RECORDING_FILE)
        if not matches:
            raise CorpusError(
                f"{folder} has no SubjectNN_1.edf or SubjectNN_2.edf: set path to the folder of eegmat"
            )
        # "subject00_1.EDF" of a careless copy is Subject00, too
        found = (((match[1].capitalize(), match[2]), file) for file, match in matches.items())
        return one_each(found, "subject and condition")

    def _folder(self) -> Path:
        """Where to look: both packagings below one folder would be everybody twice."""
        if self.folder:
            folder = self.path / self.folder
            if not folder.resolve().is_relative_to(self.path.resolve()):
                raise CorpusError(f"folder {self.folder!r} leads out of {self.path}: name one inside")
            return folder
        converted = self.path / CONVERTED_FOLDER
        return converted if converted.is_dir() else self.path

    def _info_file(self) -> Path | None:
        """The table of subjects, at the top of the corpus or beside the recordings."""
        for folder in (self.path, self._folder()):
            file = folder / INFO_FILE
            if file.is_file():
                check_inside(file, self.path)
                return file
        return None

    def _quality(self, name: str, account: Account) -> float:
        """1 for a good counter, 0 for a bad one, NaN where the table does not tell."""
        file = self._info_file()
        if file is None:
            account.note("all", f"no {INFO_FILE}, so that quality is unknown")
            return float("nan")
        written = _count_quality(file).get(name)
        if written not in ("0", "1"):
            account.note("all", f"{INFO_FILE} gives no count quality of 0 or 1", repr(written))
            return float("nan")
        return float(written)


def _count_quality(file: Path) -> dict[str, str]:
    """The column ``Count quality`` by subject, as written."""
    if file.stat().st_size > MAX_INFO_BYTES:
        raise CorpusError(f"{file} has {file.stat().st_size} bytes, the table of 36 subjects has 1000")
    try:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{file} is no CSV table in UTF-8 ({error}): copy it again") from error
    if rows and not {"Subject", "Count quality"} <= set(rows[0]):
        raise CorpusError(
            f"{file} has no columns Subject and Count quality, but {', '.join(map(str, rows[0]))}"
        )
    return {str(row["Subject"]).strip(): str(row["Count quality"]).strip() for row in rows}


def _signals(opened: OpenEegFile, trial: str, account: Account) -> dict[str, Signal]:
    """EEG in the order of `EEG_CHANNELS`, and ECG; nothing, with the reason told, where electrodes lack."""
    by_electrode = {canonical_name(name): name for name in opened.channels if is_electrode(name)}
    lacking = [name for name in EEG_CHANNELS if name not in by_electrode]
    if lacking:
        account.reject(trial, f"{opened.path.name} has no channel {', '.join(lacking)}")
        return {}
    hearts = [name for name, kind in zip(opened.channels, opened.kinds, strict=True) if kind == "ecg"]
    if len(hearts) != 1:
        account.note(trial, "not one ECG channel, so that ECG is left out", ", ".join(hearts) or "none")
        hearts = []
    file = opened.read(channels=[*(by_electrode[name] for name in EEG_CHANNELS), *hearts])
    n_eeg = len(EEG_CHANNELS)
    if set(file.units[:n_eeg]) != {EEG_UNIT}:
        account.reject(trial, f"EEG in {', '.join(sorted(set(file.units[:n_eeg])))}, not in {EEG_UNIT}")
        return {}
    _pass_on(file, trial, account)
    # `Account` looks for samples that no EDF file can have, and for silent channels
    signals = {"eeg": _signal(file, slice(n_eeg), EEG_CHANNELS, trial, account)}
    if hearts:
        signals["ecg"] = _signal(file, slice(n_eeg, None), ("ECG",), trial, account)
    return signals


def _signal(file: EegFile, rows: slice, channels: tuple[str, ...], trial: str, account: Account) -> Signal:
    values = account.finite_float32(file.values[rows], channels, trial)
    return Signal(values, file.sfreq, file.units[rows][0], channels)


def _pass_on(file: EegFile, trial: str, account: Account) -> None:
    """Notes of the file, but for those that every file of eegmat would give."""
    for note in file.notes:
        if not note.startswith(("typed by their names", "channels are in different units")):
            account.note(trial, note)


def _passband(opened: OpenEegFile) -> str:
    """What the header says about filters, in words."""
    low_hz, high_hz = opened.raw.info["highpass"], opened.raw.info["lowpass"]
    # MNE puts 0 and half the rate where a header states nothing
    if low_hz == 0 and high_hz >= opened.sfreq / 2:
        return "as recorded"
    return f"{low_hz:g}-{high_hz:g} Hz"


def _recording(
    subject: str, trial: str, signals: Mapping[str, Signal], ratings: Mapping[str, float]
) -> Recording:
    return Recording(
        subject=subject,
        session="1",  # one sitting
        trial=trial,
        clip=f"eegmat/{trial}",  # all people had the same condition
        group=subject,  # one at a time
        signals=signals,
        ratings={name: value for name, value in ratings.items() if not np.isnan(value)},
    )
