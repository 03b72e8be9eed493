"""SEED-V: 16 people, 3 sessions of 15 film clips, five emotions; 62 EEG channels and eye features."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.cnt_file import CntFile, open_cnt
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.pickled_npz import read_pickled_npz
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.corpora.seed_bands import BAND_FEATURES, WINDOW_S, WINDOWS_HZ, check_eyes
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import SJTU62
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask

N_SUBJECTS = 16
N_CLIPS = 15  # a session
SESSIONS = ("1", "2", "3")
CNT_HZ = 1000.0
N_EYE = 33
EYE_FEATURES = tuple(f"eye {number}" for number in range(1, N_EYE + 1))
EMOTIONS = ("disgust", "fear", "sad", "neutral", "happy")  # codes 0 to 4

# Code of every clip, by session; the number of a session names its clips, not the order in time.
LABELS: Mapping[str, tuple[int, ...]] = {
    "1": (4, 1, 3, 2, 0) * 3,
    "2": (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),
    "3": (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),
}


@dataclass(frozen=True)
class ClipTimes:
    """Start and end of every clip of a session, seconds from the start of its recording."""

    starts_s: tuple[int | float, ...]
    ends_s: tuple[int | float, ...]


CLIP_TIMES: Mapping[str, ClipTimes] = {
    "1": ClipTimes(
        (30, 132, 287, 555, 773, 982, 1271, 1628, 1730, 2025, 2227, 2435, 2667, 2932, 3204),
        (102, 228, 524, 742, 920, 1240, 1568, 1697, 1994, 2166, 2401, 2607, 2901, 3172, 3359),
    ),
    "2": ClipTimes(
        (30, 299, 548, 646, 836, 1000, 1091, 1392, 1657, 1809, 1966, 2186, 2333, 2490, 2741),
        (267, 488, 614, 773, 967, 1059, 1331, 1622, 1777, 1908, 2153, 2302, 2428, 2709, 2817),
    ),
    "3": ClipTimes(
        (30, 353, 478, 674, 825, 908, 1200, 1346, 1451, 1711, 2055, 2307, 2457, 2726, 2888),
        (321, 418, 643, 764, 877, 1147, 1284, 1418, 1679, 1996, 2275, 2425, 2664, 2857, 3066),
    ),
}

TIMES_FILE = "trial_start_end_timestamp.txt"
MAX_TIMES_BYTES = 1 << 20
FEATURE_FILE = re.compile(r"(\d{1,3})_123\.npz", re.IGNORECASE)
CNT_FILE = re.compile(r"(\d{1,3})_([123])_(\d{8})\.cnt", re.IGNORECASE)
EYE_FOLDER = re.compile(r"(?<![a-z])eye", re.IGNORECASE)  # no end of another word

CARD = CorpusCard(
    title="SEED-V: SJTU Emotion EEG Dataset for five emotions",
    licence="signed agreement with the BCMI laboratory; academic use; no redistribution, nor of links",
    citation=(
        "Liu, Qiu, Zheng & Lu (2022), Comparing Recognition Performance and Robustness of Multimodal Deep "
        "Learning Models for Multimodal Emotion Recognition, IEEE Trans. Cognitive and Developmental Systems "
        "14(2), 715-729"
    ),
    doi="10.1109/TCDS.2021.3071170",
    access="request at bcmi.sjtu.edu.cn/~seed, signed agreement",
)


class SeedV(CorpusConfig):
    """The released features (``1_123.npz``) or the recordings (``1_1_20180804.cnt``), in any packaging.

    All clips of a subject at 1000 Hz take 1.8 GB: `sessions` says which are read.
    A clip is cut from its file by ``trial_start_end_timestamp.txt`` where that lies beside, else by the table
    of this module; one that the file ends within is kept as far as it goes, and noted.
    """

    kind: Literal["seed_v"] = "seed_v"
    path: Path = Field(description="folder of the release, or of one of its parts")
    content: Literal["de", "eye", "raw"] = Field(
        "de", description="de: differential entropy of 4 s windows; eye: 33 features of these; raw: EEG"
    )
    with_eye: bool = Field(False, description="read the eye features beside the EEG, too")
    sessions: tuple[Literal["1", "2", "3"], ...] = Field(("1", "2", "3"), min_length=1)

    @property
    def card(self) -> CorpusCard:
        """Of the release, whichever part of it is read."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """Sixteen people of 45 clips."""
        eeg = {
            "de": {"de": DeclaredSignal(BAND_FEATURES, (WINDOWS_HZ,), "nats")},
            "raw": {"eeg": DeclaredSignal(SJTU62, (CNT_HZ,), "uV")},
            "eye": {},
        }[self.content]
        eye = {"eye": DeclaredSignal(EYE_FEATURES, (WINDOWS_HZ,), "arbitrary")} if self.reads_eye else {}
        return Declaration(
            n_subjects=N_SUBJECTS,
            sessions=self.sessions,
            n_trials=N_CLIPS * len(self.sessions),
            signals=eeg | eye,
            ratings={"label": DeclaredRating(0.0, 4.0, ", ".join(EMOTIONS))},
            unverified=("a clip has one feature window for every full 4 s of it",),
        )

    @property
    def reads_eye(self) -> bool:
        """Whether eye features are part of what is read."""
        return self.with_eye or self.content == "eye"

    @classmethod
    def recognise(cls, folder: Path) -> "SeedV | None":
        """Features if there are any, else recordings."""
        features = [file for file in folder.rglob("*.npz") if FEATURE_FILE.fullmatch(file.name)]
        if features:
            return cls(path=folder, content="eye" if all(map(_is_eye, features)) else "de")
        if any(CNT_FILE.fullmatch(file.name) for file in folder.rglob("*.[cC][nN][tT]")):
            return cls(path=folder, content="raw")
        return None

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to its feature files, or recordings by session and the file of clip times.

        Raises
        ------
        CorpusError : nothing is found, a subject (and session) has two files, or no eye features
        """
        files = dict(self._recordings() if self.content == "raw" else self._features(self.content))
        if not files:
            wanted = "1_1_20180804.cnt" if self.content == "raw" else "1_123.npz"
            raise CorpusError(
                f"{self.path} holds no files of SEED-V such as {wanted}: correct the path, or choose another "
                "content than " + repr(self.content)
            )
        if self.with_eye and self.content != "eye":
            files = self._beside_eyes(files)
        times = self._times_files()
        return {subject: files[subject] + times for subject in sorted(files, key=natural_key)}

    def _beside_eyes(self, files: Mapping[str, tuple[Path, ...]]) -> dict[str, tuple[Path, ...]]:
        eye = dict(self._features("eye"))
        check_eyes(files, eye, self.path, "Eye_movement_features")
        return {subject: found + eye[subject] for subject, found in files.items()}

    def _features(self, content: str) -> Iterator[tuple[str, tuple[Path, ...]]]:
        """Files of one kind: those of EEG and eyes have one name, and lie in folders of their own."""
        found = matching_files(self.path, FEATURE_FILE)
        chosen = (
            (int(match[1]), file) for file, match in found.items() if _is_eye(file) == (content == "eye")
        )
        for number, file in one_each(chosen, "subject").items():
            yield f"seed_v/{number}", (file,)

    def _recordings(self) -> Iterator[tuple[str, tuple[Path, ...]]]:
        """All wanted sessions of a subject."""
        found = matching_files(self.path, CNT_FILE)
        keyed = (((int(match[1]), match[2]), file) for file, match in found.items())
        files = {
            key: file
            for key, file in one_each(keyed, "subject and session").items()
            if key[1] in self.sessions
        }
        for number in {number for number, _ in files}:
            sessions = tuple(files[number, name] for name in SESSIONS if (number, name) in files)
            yield f"seed_v/{number}", sessions

    def _times_files(self) -> tuple[Path, ...]:
        found = matching_files(self.path, re.compile(re.escape(TIMES_FILE), re.IGNORECASE))
        return tuple(one_each(((TIMES_FILE, file) for file in found), "table of clip times").values())

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the clips of one subject, for instance ``"seed_v/1"``.

        Raises
        ------
        CorpusError : the subject is unknown, or a file of it is broken or not laid out as released
        """
        files = files_of(subject, self.find_subjects(), self.path)
        reader = SubjectReader(self, files, Account(subject, subject))
        return reader.account.closed(list(reader.recordings()))

    def tasks(self) -> Mapping[str, TaskConfig]:
        """The five emotions."""
        classes = tuple((name, (float(code),)) for code, name in enumerate(EMOTIONS))
        return {"emotion": ClassTask(classes=classes)}


def _is_eye(file: Path) -> bool:
    return EYE_FOLDER.search(file.parent.name) is not None


def parse_clip_times(file: Path) -> dict[str, ClipTimes]:
    """Clip times of the three sessions, as the release's text file lists them.

    Raises
    ------
    CorpusError : it has not three lists each of 15 starts and ends, in order
    """
    lists = {}
    text = file.read_bytes()[:MAX_TIMES_BYTES].decode("utf-8", "replace")
    for what in ("start_second", "end_second"):
        found = re.findall(rf"{what}\s*[:=]\s*\[([^\]]*)\]", text)
        lists[what] = [tuple(map(float, re.findall(r"\d+(?:\.\d+)?", numbers))) for numbers in found]
    starts, ends = lists["start_second"], lists["end_second"]
    # one long row of times: each clip ends before the next one starts
    rows = [np.column_stack([a, b]).ravel() for a, b in zip(starts, ends, strict=False) if len(a) == len(b)]
    if not len(starts) == len(ends) == len(rows) == 3 or any(
        row.size != 2 * N_CLIPS or (np.diff(row) <= 0).any() for row in rows
    ):
        raise CorpusError(
            f"{file} has not start_second and end_second of {N_CLIPS} clips in order for each of 3 sessions: "
            "restore it, or remove it and the published table is used"
        )
    return {name: ClipTimes(a, b) for name, a, b in zip(SESSIONS, starts, ends, strict=True)}


class Clip(NamedTuple):
    """One clip of one session, counted from 1, and when it was shown."""

    session: str
    number: int
    start_s: float
    end_s: float

    @property
    def trial(self) -> str:
        """``"2-15"``: the last clip of session 2."""
        return f"{self.session}-{self.number}"

    @property
    def key(self) -> int:
        """In the feature files: 0 to 44, session after session."""
        return N_CLIPS * SESSIONS.index(self.session) + self.number - 1

    @property
    def code(self) -> int:
        """Of its emotion, as published."""
        return LABELS[self.session][self.number - 1]


@dataclass
class SubjectReader:
    """Reads one subject's files, keeping account of what is rejected and what is odd."""

    corpus: SeedV
    files: tuple[Path, ...]
    account: Account

    def recordings(self) -> Iterator[Recording]:
        """All wanted clips, session by session."""
        tables = {name: FeatureTable.read(name, file) for name, file in self.feature_files().items()}
        for table in tables.values():
            self.note_surplus(table)
        times = self.times()
        for session in self.corpus.sessions:
            cnt = self.recording_of(session) if self.corpus.content == "raw" else None
            if self.corpus.content == "raw" and cnt is None:
                continue
            starts_s, ends_s = times[session].starts_s, times[session].ends_s
            for number, (start_s, end_s) in enumerate(zip(starts_s, ends_s, strict=True), start=1):
                recording = self.recording(Clip(session, number, float(start_s), float(end_s)), tables, cnt)
                if recording is not None:
                    yield recording

    def feature_files(self) -> dict[str, Path]:
        """By modality."""
        found = [file for file in self.files if FEATURE_FILE.fullmatch(file.name)]
        return {"eye" if _is_eye(file) else "de": file for file in found}

    def times(self) -> Mapping[str, ClipTimes]:
        """From the release's file, where it lies beside; else as published."""
        found = [file for file in self.files if file.suffix.lower() == ".txt"]
        if not found:
            return CLIP_TIMES
        times = parse_clip_times(found[0])
        for session in self.corpus.sessions:
            if times[session] != CLIP_TIMES[session]:
                self.account.remark(f"{found[0].name} has other clip times than published")
        return times

    def recording_of(self, session: str) -> CntFile | None:
        """The open file of a session."""
        matches = {file: CNT_FILE.fullmatch(file.name) for file in self.files}
        found = [file for file, match in matches.items() if match and match[2] == session]
        if not found:
            self.account.remark(f"there is no recording of session {session}")
            return None
        cnt = open_cnt(found[0])
        for note in cnt.opened.notes:
            self.account.remark(f"{found[0].name}: {note}")
        return cnt

    def note_surplus(self, table: "FeatureTable") -> None:
        """Report keys that no clip of the corpus has."""
        surplus = [key for key in table.data if key not in range(N_CLIPS * len(SESSIONS))]
        if surplus:
            self.account.remark(f"{table.modality}: {len(surplus)} keys other than 0 to 44 left out")

    def recording(
        self, clip: Clip, tables: Mapping[str, "FeatureTable"], cnt: CntFile | None
    ) -> Recording | None:
        """One clip, or None where it is rejected."""
        try:
            signals = {} if cnt is None else {"eeg": self.eeg(clip, cnt)}
            signals |= self.features(clip, tables)
            label = float(clip.code) if not tables else self.label(clip, next(iter(tables.values())))
        except _UnusableError as problem:
            self.account.reject(clip.trial, str(problem))
            return None
        return Recording(
            subject=self.account.subject,
            session=clip.session,
            trial=clip.trial,
            clip=f"seed_v/{clip.trial}",
            group=self.account.subject,
            signals=signals,
            ratings={"label": label},
            start_s=clip.start_s,
        )

    def eeg(self, clip: Clip, cnt: CntFile) -> Signal:
        """The 62 channels of the cap; mastoids and eyes are left out."""
        if clip.start_s >= cnt.duration_s:
            raise _UnusableError(
                f"{cnt.file.name} ends after {cnt.duration_s:g} s, the clip begins at {clip.start_s:g} s"
            )
        if clip.end_s > cnt.duration_s:
            missing_s = f"{clip.end_s - cnt.duration_s:.3f} s"
            self.account.note(
                clip.trial, "the recording ends within the clip, the rest is missing", missing_s
            )
        values = cnt.span(SJTU62, clip.start_s, clip.end_s)
        return Signal(self.account.finite_float32(values, SJTU62, clip.trial), cnt.sfreq, "uV", SJTU62)

    def features(self, clip: Clip, tables: Mapping[str, "FeatureTable"]) -> dict[str, Signal]:
        """Features of the clip, all of one length."""
        blocks = {name: table.block(clip.key) for name, table in tables.items()}
        lengths = {name: len(block) for name, block in blocks.items()}
        n_windows = min(lengths.values(), default=0)
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
            self.account.note(clip.trial, "modalities of unequal length, cut to the shorter", shown)
        expected = int((clip.end_s - clip.start_s) // WINDOW_S)
        if blocks and n_windows != expected:
            fact = "other number of windows than the clip has full 4 s"
            self.account.note(clip.trial, fact, f"{n_windows}, not {expected}")
        return {name: self.signal(name, block[:n_windows], clip) for name, block in blocks.items()}

    def signal(self, name: str, block: np.ndarray, clip: Clip) -> Signal:
        """Features as channels."""
        channels = CHANNELS[name]
        values = self.account.finite_float32(block.T, channels, clip.trial)  # block: windows channels
        return Signal(values, WINDOWS_HZ, "nats" if name == "de" else "arbitrary", channels)

    def label(self, clip: Clip, table: "FeatureTable") -> float:
        """The code in the file, compared with what is published."""
        try:
            codes = np.asarray(table.labels.get(clip.key, clip.code))
        except ValueError:  # lists of unequal length
            codes = np.zeros(0)
        if codes.dtype.kind not in "fiu" or codes.size == 0 or np.unique(codes).size != 1:
            raise _UnusableError(
                f"label {clip.key} of {table.file.name} is not one code: {codes.dtype} {codes.shape}"
            )
        code = float(codes.flat[0])
        if code not in range(len(EMOTIONS)):
            raise _UnusableError(f"label {clip.key} of {table.file.name} is {code:g}, not 0 to 4")
        if code != clip.code:
            fact = "label other than published, taken as in the file"
            self.account.note(clip.trial, fact, f"{code:g}, not {clip.code}")
        return code


CHANNELS: Mapping[str, tuple[str, ...]] = {"de": BAND_FEATURES, "eye": EYE_FEATURES}


class _UnusableError(Exception):
    """A clip that can not be used; the message is the reason of its rejection."""


@dataclass(frozen=True)
class FeatureTable:
    """The features of one modality: windows by key of the clip, and the codes of these windows."""

    modality: str
    file: Path
    data: Mapping[Any, Any]
    labels: Mapping[Any, Any]

    @classmethod
    def read(cls, modality: str, file: Path) -> "FeatureTable":
        """Open one file.

        Raises
        ------
        CorpusError : it is damaged, or holds no dictionaries
        """
        members = read_pickled_npz(file, ("data", "label"))
        for name, value in members.items():
            if not isinstance(value, Mapping):
                raise CorpusError(
                    f"{file}: {name!r} holds {type(value).__name__}, not a dictionary by clip: use the file "
                    "as it was released"
                )
        return cls(modality, file, members["data"], members["label"])

    def block(self, key: int) -> np.ndarray:
        """Windows by features."""
        width = len(CHANNELS[self.modality])
        block = self.data.get(key)
        if block is None:
            raise _UnusableError(f"no {self.modality} features of this clip in the file")
        if not isinstance(block, np.ndarray) or block.dtype.kind not in "fiu" or block.ndim != 2:
            raise _UnusableError(f"{self.modality} features of clip {key} are no table of numbers")
        if block.shape[1] != width or len(block) == 0:
            raise _UnusableError(
                f"{self.modality} features of clip {key} have shape {block.shape}, not (windows, {width})"
            )
        return block
