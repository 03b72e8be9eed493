"""DEAP: 32 people, 40 music videos of a minute; EEG and seven other sensors, four ratings from 1 to 9."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.deap_ratings import RATINGS_FILE, SCALES, RatedTrial, read_rated_trials
from emo_ray.corpora.deap_raw import RawDeap, open_raw
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.mat_file import read_mat
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import DEAP32
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.rating import RatingTask
from emo_ray.unpickling import load_pickle

N_SUBJECTS, N_VIDEOS = 32, 40
SFREQ, RAW_SFREQ = 128.0, 512.0  # Hz
BASELINE_S = 3.0
VIDEO_S = 60.0
N_TIMES = 8064  # 63 s
N_CHANNELS = 40
SAME_RATING = 0.011  # the table has two decimals

# Rows of a trial behind the 32 of the EEG: modality, unit, channels.
PERIPHERALS = (
    ("eog", "uV", ("hEOG", "vEOG")),
    ("emg", "uV", ("zEMG", "tEMG")),
    ("gsr", "ohm", ("GSR",)),
    ("resp", "arbitrary", ("Resp",)),
    ("bvp", "arbitrary", ("Pleth",)),
    ("temp", "arbitrary", ("Temp",)),
)

SUBJECT_FILE = re.compile(r"s(\d{2})\.(dat|mat|bdf)", re.IGNORECASE)
SUFFIXES = {"preprocessed": ("dat", "mat"), "raw": ("bdf",)}  # the first that a subject has is read
OWN_FOLDER = re.compile(r"data_preprocessed_(python|matlab)|data_original", re.IGNORECASE)

CARD = CorpusCard(
    title="DEAP: A Database for Emotion Analysis using Physiological Signals",
    licence="signed EULA with QMUL; redistribution forbidden",
    citation=(
        "Koelstra, Muhl, Soleymani, Lee, Yazdani, Ebrahimi, Pun, Nijholt & Patras (2012), IEEE Trans. "
        "Affective Computing 3(1), 18-31"
    ),
    doi="10.1109/T-AFFC.2011.15",
    access="request at eecs.qmul.ac.uk/mmv/datasets/deap, signed by permanent academic staff",
)


class Deap(CorpusConfig):
    """The preprocessed release, python or matlab packaging, or the raw BDF files; in any folder layout.

    Where a subject lies there in both packagings, the python file is read, and a note says so. Ratings are
    ``self_valence``, ``self_arousal``, ``self_dominance``, ``self_liking``; with ``participant_ratings.csv``
    also ``self_familiarity`` and when each video began. Raw recordings need that table: their videos are in
    order of presentation. Raw trials are cut from 3 s before a video to its 60th second.
    """

    kind: Literal["deap"] = "deap"
    path: Path = Field(description="folder of the release, or of one of its parts")
    content: Literal["preprocessed", "raw"] = Field(
        "preprocessed", description="preprocessed: 128 Hz, .dat or .mat; raw: 512 Hz, .bdf"
    )
    gsr_unit: Literal["ohm", "siemens_from_ohm"] = Field(
        "ohm",
        description='siemens_from_ohm inverts the resistance, to "eda" in uS; of preprocessed files alone',
    )

    @property
    def card(self) -> CorpusCard:
        """Of the release, whichever part of it is read."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """Thirty-two people of 40 videos."""
        is_raw = self.content == "raw"
        sfreqs = (RAW_SFREQ,) if is_raw else (SFREQ,)
        signals = {"eeg": DeclaredSignal(DEAP32, sfreqs, "uV")}
        for modality, unit, channels in PERIPHERALS:
            is_raw_sensor = is_raw and len(channels) == 1
            shown = "arbitrary" if is_raw_sensor else unit
            signals[modality] = DeclaredSignal(channels, sfreqs, shown, may_lack=is_raw)
        if self.gsr_unit == "siemens_from_ohm" and not is_raw:
            del signals["gsr"]
            signals["eda"] = DeclaredSignal(("GSR",), sfreqs, "uS")
        scale = DeclaredRating(1.0, 9.0, "1 low, 9 high, continuous")
        return Declaration(
            n_subjects=N_SUBJECTS,
            sessions=("1",),
            n_trials=N_VIDEOS,
            signals=signals,
            ratings={f"self_{name}": scale for name in SCALES}
            | {"self_familiarity": DeclaredRating(1.0, 5.0, "1 never heard, 5 known well")},
            unverified=("names of the raw channels beside the EEG", "units of the sensors of raw recordings"),
        )

    @classmethod
    def recognise(cls, folder: Path) -> "Deap | None":
        """By ``s01.dat``; by ``s01.mat`` or ``s01.bdf`` where a folder or the table of ratings is DEAP's."""
        found = [
            (file, match)
            for file in folder.rglob("*")
            # s01.dat beside s01.hea is a record of PhysioNet's
            if (match := SUBJECT_FILE.fullmatch(file.name)) and not file.with_suffix(".hea").exists()
        ]
        suffixes = {match[2].lower() for _, match in found}
        if "dat" in suffixes:
            return cls(path=folder)
        places = {folder.name, *(part for file, _ in found for part in file.parent.parts)}
        is_own = any(OWN_FOLDER.fullmatch(place) for place in places)
        if not found or not (is_own or any(folder.rglob("participant_ratings.*"))):
            return None
        return cls(path=folder, content="preprocessed" if "mat" in suffixes else "raw")

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to its file, and the table of ratings where there is one.

        Raises
        ------
        CorpusError : no file is found, two are of one subject and format, or a link leads out of the folder
        """
        shared = tuple(self._ratings_files().values())[:1]
        files = self._signal_files()
        return {subject: (files[subject][0], *shared) for subject in sorted(files, key=natural_key)}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the trials of one subject, for instance ``"deap/s01"``, in the order of the videos.

        Raises
        ------
        CorpusError : the subject is unknown, its file is broken or not laid out as released, or raw
            recordings come without the table of ratings
        """
        files = files_of(subject, self.find_subjects(), self.path)
        rated = read_rated_trials(files[1]) if len(files) > 1 else {}
        account = Account(subject, files[0].name)
        trials = rated.get(int(subject.removeprefix("deap/s")), {})
        if rated and not trials:
            account.note("all", f"{files[1].name} has no rows of this participant")
        reader = SubjectReader(self, account, files[0], trials)
        return reader.raw() if self.content == "raw" else reader.preprocessed()

    def notes(self) -> tuple[str, ...]:
        """Which packaging was taken, and what could not be used."""
        files = self._signal_files()
        both = [subject for subject, found in files.items() if len(found) > 1]
        notes = []
        if len(files) != N_SUBJECTS:
            notes.append(f"{len(files)} subjects found, where the release has {N_SUBJECTS}")
        if both:
            notes.append(f"both packagings of {len(both)} subjects are there; the .dat files were read")
        if not self._ratings_files():
            notes.append(
                "no participant_ratings.csv (spreadsheets are not read: save it as csv), so neither "
                "familiarity nor order of presentation"
            )
        return tuple(notes)

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Own valence, low or high at 5 (5 itself is high); then the three other scales."""
        return {name: RatingTask(rating=f"self_{name}", rule="ge_5") for name in SCALES}

    def _signal_files(self) -> dict[str, tuple[Path, ...]]:
        """By subject, the file that is read first."""
        suffixes = SUFFIXES[self.content]
        matches = matching_files(self.path, SUBJECT_FILE)
        found = one_each(
            (((f"deap/s{match[1]}", match[2].lower()), file) for file, match in matches.items()),
            "subject and format",
        )
        subjects = {subject for subject, suffix in found if suffix in suffixes}
        if not subjects:
            raise CorpusError(
                f"{self.path} holds no {' or '.join(f's01.{suffix}' for suffix in suffixes)}: unpack the "
                f"{self.content} release there, or correct path and content"
            )
        return {
            subject: tuple(found[subject, suffix] for suffix in suffixes if (subject, suffix) in found)
            for subject in subjects
        }

    def _ratings_files(self) -> dict[str, Path]:
        matches = matching_files(self.path, RATINGS_FILE)
        return one_each(
            (("participant_ratings", file) for file, match in matches.items() if match[1].lower() == "csv"),
            "table",
        )


@dataclass(frozen=True)
class SubjectReader:
    """Reads one subject's file, keeping account of what is rejected and what is odd."""

    corpus: Deap
    account: Account
    file: Path
    rated: Mapping[int, RatedTrial]

    def preprocessed(self) -> SubjectRecordings:
        """All trials of a ``.dat`` or ``.mat`` file."""
        data, labels = _checked(self.file, _content(self.file))
        recordings = []
        for index, (trial, ratings) in enumerate(zip(data, labels, strict=True)):
            name = str(index + 1)
            if trial.shape[1] <= BASELINE_S * SFREQ:
                self.account.reject(name, f"{trial.shape[1]} samples are no more than the baseline of 3 s")
                continue
            if trial.shape[1] != N_TIMES:
                self.account.note(
                    name, f"{trial.shape[1]} samples a channel, where the release has {N_TIMES}"
                )
            recordings.append(self._recording(index + 1, self._signals(trial, name), ratings))
        return self.account.closed(recordings)

    def _signals(self, trial: np.ndarray, name: str) -> dict[str, Signal]:
        channels = (*DEAP32, *(channel for _, _, names in PERIPHERALS for channel in names))
        values = self.account.finite_float32(trial, channels, name)  # 40 times
        signals = {"eeg": Signal(values[: len(DEAP32)], SFREQ, "uV", DEAP32)}
        row = len(DEAP32)
        for modality, unit, names in PERIPHERALS:
            signals[modality] = Signal(values[row : row + len(names)], SFREQ, unit, names)
            row += len(names)
        if self.corpus.gsr_unit == "siemens_from_ohm":
            ohm = signals.pop("gsr").values
            signals["eda"] = Signal(self._conductance(ohm, name), SFREQ, "uS", ("GSR",))
        return signals

    def _conductance(self, ohm: Float32[np.ndarray, "1 times"], name: str) -> Float32[np.ndarray, "1 times"]:
        """Microsiemens from ohm; NaN where the resistance is not above 0."""
        impossible = ohm <= 0
        if impossible.any():
            self.account.note(
                name, "GSR samples not above 0 ohm set to NaN", int(np.count_nonzero(impossible))
            )
        # 1 / ohm is siemens, 1e6 of it microsiemens
        return np.float32(1e6) / np.where(impossible, np.float32(np.nan), ohm)

    def _recording(self, video: int, signals: dict[str, Signal], labels: np.ndarray | None) -> Recording:
        """One trial; ratings from the labels, else from the table."""
        row = self.rated.get(video)
        ratings = {f"self_{name}": value for name, value in row.ratings.items()} if row else {}
        if labels is not None:
            own = {name: float(value) for name, value in zip(SCALES, labels, strict=True)}
            self._compare(video, own)
            ratings |= {f"self_{name}": value for name, value in own.items()}
        start_s = row.start_s if row is not None and np.isfinite(row.start_s) else 0.0
        return Recording(
            subject=self.account.subject,
            session="1",
            trial=str(video),
            clip=f"deap/video{video}",
            group=self.account.subject,
            signals=signals,
            ratings={name: value if np.isfinite(value) else np.nan for name, value in ratings.items()},
            baseline_s=BASELINE_S,
            start_s=start_s,
        )

    def _compare(self, video: int, own: Mapping[str, float]) -> None:
        """Note labels that the table contradicts: then one of the two is of another video."""
        row = self.rated.get(video)
        if row is None:
            if self.rated:
                self.account.note(str(video), "not in participant_ratings.csv")
            return
        for name, value in own.items():
            if abs(value - row.ratings[name]) > SAME_RATING:
                detail = f"{value:.3g}, there {row.ratings[name]:.3g}"
                self.account.note(str(video), f"{name} is not that of participant_ratings.csv", detail)

    def raw(self) -> SubjectRecordings:
        """All trials of a ``.bdf`` file, cut at its triggers.

        Raises
        ------
        CorpusError : the table of ratings is missing, or lists another number of videos than the triggers
        """
        recording = open_raw(self.file)
        if len(recording.starts) != len(self.rated):
            raise CorpusError(
                f"{self.file}: its triggers start {len(recording.starts)} videos, participant_ratings.csv "
                f"lists {len(self.rated)} of this participant: which video is which can not be told; put the "
                "table of the release (as csv) beside the recordings"
            )
        if recording.absent:
            found = ", ".join(recording.raw.ch_names)
            self.account.note("all", f"no channel {', '.join(recording.absent)} among {found}")
        in_order = sorted(self.rated.values(), key=lambda trial: trial.position)
        cut = [
            self._cut(recording, trial, int(start))
            for trial, start in zip(in_order, recording.starts, strict=True)
        ]
        kept = [trial for trial in cut if trial is not None]
        return self.account.closed(sorted(kept, key=lambda trial: int(trial.trial)))

    def _cut(self, recording: RawDeap, trial: RatedTrial, start: int) -> Recording | None:
        name = str(trial.video)
        first, stop = start - round(BASELINE_S * recording.sfreq), start + round(VIDEO_S * recording.sfreq)
        ends = recording.ends[recording.ends > start]
        if first < 0 or stop > recording.n_times:
            seconds = (recording.n_times - start) / recording.sfreq
            self.account.reject(
                name, f"the file has {start} samples before the video and {seconds:.1f} s of it"
            )
            return None
        if len(ends) and ends[0] < stop - recording.sfreq:
            shown_s = (ends[0] - start) / recording.sfreq
            self.account.reject(
                name, f"its end trigger comes after {shown_s:.1f} s, before the video is over"
            )
            return None
        signals = {
            modality: Signal(
                self.account.finite_float32(signal.values, signal.channels, name),
                signal.sfreq,
                signal.unit,
                signal.channels,
            )
            for modality, signal in recording.signals(first, stop).items()
        }
        return self._recording(trial.video, signals, None)


def _content(file: Path) -> Mapping[str, Any]:
    if file.suffix.lower() == ".mat":
        return read_mat(file, ("data", "labels"))
    try:
        with file.open("rb") as stream:
            found = load_pickle(stream, str(file))
    except OSError as error:
        raise CorpusError(f"{file}: can not be read ({error.strerror or error}): restore it") from error
    if not isinstance(found, dict):
        raise CorpusError(
            f"{file}: holds a {type(found).__name__}, not data and labels: use the released file"
        )
    return found


def _checked(file: Path, content: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Signals (trials, 40, times) and labels (trials, 4).

    Raises
    ------
    CorpusError : names the key and what it holds
    """
    data, labels = content.get("data"), content.get("labels")
    for key, value in (("data", data), ("labels", labels)):
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
            keys = ", ".join(map(str, content))[:200] or "nothing"
            raise CorpusError(
                f"{file}: has no numbers {key!r} (it has {keys}): use the file as it was released"
            )
    assert data is not None
    assert labels is not None
    if data.ndim != 3 or data.shape[1] != N_CHANNELS or not 0 < len(data) <= N_VIDEOS:
        raise CorpusError(
            f"{file}: data are of shape {data.shape}, not ({N_VIDEOS} videos, {N_CHANNELS}, times): use the "
            "file as it was released"
        )
    if labels.shape != (len(data), len(SCALES)):
        raise CorpusError(
            f"{file}: labels are of shape {labels.shape}, not ({len(data)}, {len(SCALES)}): use the file as "
            "it was released"
        )
    return data, labels.astype(np.float64)
