"""SEED-VII: 20 people, 4 sessions of 20 film clips, seven emotions and their intensity; EEG, eyes, ECG."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.cnt_file import CntFile, open_cnt
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.mat_file import mat_shapes, read_mat
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.corpora.seed_bands import (
    BAND_FEATURES,
    SEED_BANDS,
    WINDOW_S,
    WINDOWS_HZ,
    check_eyes,
    smoothing_notes,
)
from emo_ray.corpora.seed_vii_labels import CLIPS_A_SESSION, EMOTIONS, LABELS_FILE, N_CLIPS, clip_emotions
from emo_ray.corpora.seed_vii_triggers import clip_spans
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import SJTU62
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.value import ValueTask

Content = Literal["raw", "de_LDS", "de", "psd", "eye", "cnt"]

N_SUBJECTS = 20
N_WINDOWS = (3487, 3488)  # of 4 s, of all clips together
PREPROCESSED_HZ, CNT_HZ = 200.0, 1000.0
EOG_CHANNELS = ("HEO", "VEO")
EYE_FEATURES = (
    *(f"pupil {number}" for number in range(1, 13)),
    *("fixation 1", "fixation 2", "dispersion 1", "dispersion 2", "dispersion 3", "dispersion 4"),
    *("saccade duration 1", "saccade duration 2", "saccade amplitude 1", "saccade amplitude 2"),
    *("blink 1", "blink 2"),
    *(f"events {number}" for number in range(1, 10)),
)
FEATURE_UNITS = {"de_LDS": "nats", "de": "nats", "psd": "arbitrary"}

# Files of all kinds are called 1.mat to 20.mat: the folder says which kind.
FOLDERS = {
    "eeg_preprocessed": "raw",
    "eeg_features": "features",
    "eye_features": "eye",
    "continuous_labels": "intensity",
}
KIND_OF_CONTENT: Mapping[Content, str] = {
    "raw": "raw", "de_LDS": "features", "de": "features", "psd": "features", "eye": "eye",
}  # fmt: skip
MAT_FILE = re.compile(r"(\d{1,3})\.mat", re.IGNORECASE)
CNT_FILE = re.compile(r"(\d{1,3})_(\d{8})_([1-4])\.cnt", re.IGNORECASE)
TRIGGER_FILE = re.compile(r"(\d{1,3})_(\d{8})_([1-4])_trigger_info\.csv", re.IGNORECASE)

CARD = CorpusCard(
    title="SEED-VII: SJTU Emotion EEG Dataset for seven emotions",
    licence="signed agreement with the BCMI laboratory; academic use; no redistribution, nor of links",
    citation=(
        "Jiang, Liu, Zheng & Lu (2025), SEED-VII: A Multimodal Dataset of Six Basic Emotions with Continuous "
        "Labels for Emotion Recognition, IEEE Trans. Affective Computing 16(2), 969-985"
    ),
    doi="10.1109/TAFFC.2024.3485057",
    access="request at bcmi.sjtu.edu.cn/~seed, signed agreement",
)


class SeedVII(CorpusConfig):
    """One part of the release: ``EEG_preprocessed``, ``EEG_features``, ``EYE_features`` or ``EEG_raw``.

    Labels are names in the release. As numbers they are here disgust 0, fear 1, sad 2, neutral 3, happy 4,
    anger 5, surprise 6; another coding (happy 0, neutral 1, ...) is about, too, so compare by name.

    Annotations, a row for every 4 s: ``start_s``, ``stop_s``, and ``intensity``, how strongly the subject
    felt the emotion (0 to 1; NaN where ``continuous_labels`` has nothing of the clip).

    All clips of a subject take 0.7 GB at 200 Hz and 3.8 GB at 1000 Hz: `sessions` says which are read.
    """

    kind: Literal["seed_vii"] = "seed_vii"
    path: Path = Field(description="folder of the release, or of one of its parts")
    content: Content = Field(
        "de_LDS",
        description="raw: EEG at 200 Hz; de_LDS, de, psd: band features of 4 s; eye: 33 features of 4 s; "
        "cnt: EEG, ECG and eye potentials at 1000 Hz",
    )
    with_eye: bool = Field(False, description="read the eye features beside the EEG, too")
    sessions: tuple[Literal["1", "2", "3", "4"], ...] = Field(("1", "2", "3", "4"), min_length=1)

    @property
    def card(self) -> CorpusCard:
        """Of the release, whichever part of it is read."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """Twenty people of 80 clips."""
        signals = dict(self._eeg_signals())
        if self.with_eye or self.content == "eye":
            signals["eye"] = DeclaredSignal(EYE_FEATURES, (WINDOWS_HZ,), "arbitrary")
        return Declaration(
            n_subjects=N_SUBJECTS,
            sessions=self.sessions,
            n_trials=CLIPS_A_SESSION * len(self.sessions),
            signals=signals,
            ratings={"label": DeclaredRating(0.0, 6.0, ", ".join(EMOTIONS))},
            unverified=(
                "preprocessed EEG of a clip has whole seconds (one source)",
                "intensity runs from 0 to 1, a value every 4 s (one source)",
                f"features of all clips have {N_WINDOWS[0]} to {N_WINDOWS[1]} windows",
                "band of the preprocessed EEG: 0.1 to 70 Hz or 1 to 75 Hz, see the release",
            ),
        )

    def _eeg_signals(self) -> Iterator[tuple[str, DeclaredSignal]]:
        if self.content in FEATURE_UNITS:
            unit = FEATURE_UNITS[self.content]
            yield modality(self.content), DeclaredSignal(BAND_FEATURES, (WINDOWS_HZ,), unit)
        elif self.content == "raw":
            yield "eeg", DeclaredSignal(SJTU62, (PREPROCESSED_HZ,), "uV")
        elif self.content == "cnt":
            yield "eeg", DeclaredSignal(SJTU62, (CNT_HZ,), "uV")
            yield "ecg", DeclaredSignal(("ECG",), (CNT_HZ,), "uV")
            yield "eog", DeclaredSignal(EOG_CHANNELS, (CNT_HZ,), "uV")

    @classmethod
    def recognise(cls, folder: Path) -> "SeedVII | None":
        """Features if there are any, else preprocessed EEG, recordings, eye features."""
        kinds = {kind_of(file) for file in folder.rglob("*.[mM][aA][tT]")}
        wanted: tuple[tuple[str, Content], ...] = (("features", "de_LDS"), ("raw", "raw"))
        for kind, content in wanted:
            if kind in kinds:
                return cls(path=folder, content=content)
        if any(CNT_FILE.fullmatch(file.name) for file in folder.rglob("*.[cC][nN][tT]")):
            return cls(path=folder, content="cnt")
        return cls(path=folder, content="eye") if "eye" in kinds else None

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to its files of the chosen content, of intensity, and those that all share.

        Raises
        ------
        CorpusError : nothing is found, something is there twice, or a subject has no eye features
        """
        files = (
            self._recordings() if self.content == "cnt" else self._mat_files(KIND_OF_CONTENT[self.content])
        )
        if not files:
            raise CorpusError(
                f"{self.path} holds no files of SEED-VII for content {self.content!r}: correct the path "
                f"(files 1.mat are told apart by their folders: {', '.join(FOLDERS)}) or the content"
            )
        beside = [self._mat_files("intensity")]
        if self.with_eye and self.content != "eye":
            beside.append(self._mat_files("eye"))
            check_eyes(files, beside[-1], self.path, "EYE_features")
        more = self._label_files()
        return {
            subject: sum((found.get(subject, ()) for found in beside), files[subject]) + more
            for subject in sorted(files, key=natural_key)
        }

    def _mat_files(self, kind: str) -> dict[str, tuple[Path, ...]]:
        found = matching_files(self.path, MAT_FILE)
        keyed = ((int(match[1]), file) for file, match in found.items() if kind_of(file) == kind)
        files = one_each(keyed, f"subject of {kind}")
        return {f"seed_vii/{number}": (file,) for number, file in files.items()}

    def _recordings(self) -> dict[str, tuple[Path, ...]]:
        """Recordings and tables of their triggers, session by session."""
        found = one_each(self._by_session(CNT_FILE), "subject and session")
        tables = one_each(self._by_session(TRIGGER_FILE), "trigger table")
        files: dict[str, tuple[Path, ...]] = {}
        for key in sorted(found):
            subject = f"seed_vii/{key[0]}"
            table = (tables[key],) if key in tables else ()
            files[subject] = (*files.get(subject, ()), found[key], *table)
        return files

    def _by_session(self, pattern: re.Pattern[str]) -> Iterator[tuple[tuple[int, str], Path]]:
        for file, match in matching_files(self.path, pattern).items():
            if match[3] in self.sessions:
                yield (int(match[1]), match[3]), file

    def _label_files(self) -> tuple[Path, ...]:
        found = matching_files(self.path, re.compile(re.escape(LABELS_FILE), re.IGNORECASE))
        return tuple(one_each(((LABELS_FILE, file) for file in found), "label table").values())

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the clips of one subject, for instance ``"seed_vii/1"``.

        Raises
        ------
        CorpusError : the subject is unknown, or a file of it is broken or not laid out as released
        """
        files = files_of(subject, self.find_subjects(), self.path)
        reader = SubjectReader(self, files, Account(subject, subject))
        return reader.account.closed(list(reader.recordings()))

    def notes(self) -> tuple[str, ...]:
        """Features that know the future."""
        return smoothing_notes(self.content)

    def tasks(self) -> Mapping[str, TaskConfig]:
        """The seven emotions; and how strongly they were felt."""
        classes = tuple((name, (float(code),)) for code, name in enumerate(EMOTIONS))
        return {"emotion": ClassTask(classes=classes), "intensity": ValueTask(column="intensity")}


def kind_of(file: Path) -> str | None:
    """What a file holds that is called as all others: told by the nearest folder that has a known name."""
    if MAT_FILE.fullmatch(file.name):
        for folder in file.parents:
            if folder.name.lower() in FOLDERS:
                return FOLDERS[folder.name.lower()]
    return None


def modality(content: str) -> str:
    """Both kinds of differential entropy are one modality: a model meets one of them."""
    return "psd" if content == "psd" else "de"


class _UnusableError(Exception):
    """A clip that can not be used; the message is the reason of its rejection."""


@dataclass
class SubjectReader:
    """Reads one subject's files, keeping account of what is rejected and what is odd."""

    corpus: SeedVII
    files: tuple[Path, ...]
    account: Account
    matrices: dict[str, "MatClips"] = field(default_factory=dict)

    def recordings(self) -> Iterator[Recording]:
        """All wanted clips, session by session."""
        tables = [file for file in self.files if file.name.lower() == LABELS_FILE]
        emotions = clip_emotions(tables[0] if tables else None, self.account)
        self.matrices = {kind: MatClips.opened(file) for file in self.files if (kind := kind_of(file))}
        n_windows, n_clips = 0, 0
        for session in self.corpus.sessions:
            first = CLIPS_A_SESSION * (int(session) - 1) + 1
            clips = range(first, first + CLIPS_A_SESSION)
            self.load(clips)
            read = (
                self.of_recording(session, clips) if self.corpus.content == "cnt" else self.of_matrices(clips)
            )
            for clip, start_s, signals in read:
                recording = self.recording(clip, start_s, signals, emotions[clip])
                n_windows, n_clips = n_windows + len(recording.annotations["start_s"]), n_clips + 1
                yield recording
        if n_clips == N_CLIPS and n_windows not in N_WINDOWS:
            self.account.remark(f"all clips have {n_windows} windows of 4 s, not {N_WINDOWS[0]} or one more")

    def recording(self, clip: int, start_s: float, signals: Mapping[str, Signal], emotion: str) -> Recording:
        """What is known of one clip beside its signals."""
        main = next(iter(signals.values()))
        return Recording(
            subject=self.account.subject,
            session=str((clip - 1) // CLIPS_A_SESSION + 1),
            trial=str(clip),
            clip=f"seed_vii/{clip}",
            group=self.account.subject,
            signals=signals,
            ratings={"label": float(EMOTIONS.index(emotion))},
            annotations=self.annotations(clip, main.values.shape[1] / main.sfreq),
            start_s=start_s,
        )

    def load(self, clips: range) -> None:
        """Read what a session needs of every MAT file."""
        prefix = {"features": f"{self.corpus.content}_"}
        for kind, matrix in self.matrices.items():
            matrix.load([f"{prefix.get(kind, '')}{clip}" for clip in clips])

    def of_matrices(self, clips: range) -> Iterator[tuple[int, float, dict[str, Signal]]]:
        """Clips of a MAT file; it does not tell when they were shown."""
        for clip in clips:
            try:
                if self.corpus.content == "eye":
                    signals = self.cut_alike(clip, {})
                elif self.corpus.content == "raw":
                    signals = self.cut_alike(clip, {"eeg": self.eeg(clip)})
                else:
                    signals = self.cut_alike(clip, {modality(self.corpus.content): self.band_features(clip)})
            except _UnusableError as problem:
                self.account.reject(str(clip), str(problem))
                continue
            yield clip, 0.0, signals

    def eeg(self, clip: int) -> Signal:
        """Preprocessed EEG of one clip."""
        values = self.matrices["raw"].clip(str(clip), (len(SJTU62), None))  # channels times
        if values.shape[1] % PREPROCESSED_HZ:
            self.account.note(str(clip), "not a whole number of seconds", f"{values.shape[1]} samples")
        values = self.account.finite_float32(values, SJTU62, str(clip))
        return Signal(values, PREPROCESSED_HZ, "uV", SJTU62)

    def band_features(self, clip: int) -> Signal:
        """Features of one clip; here, unlike in SEED and SEED-IV, windows come first and channels last."""
        shape = (None, len(SEED_BANDS), len(SJTU62))
        windows = self.matrices["features"].clip(f"{self.corpus.content}_{clip}", shape)
        values = windows.transpose(2, 1, 0).reshape(len(BAND_FEATURES), -1)  # (channels bands) windows
        values = self.account.finite_float32(values, BAND_FEATURES, str(clip))
        return Signal(values, WINDOWS_HZ, FEATURE_UNITS[self.corpus.content], BAND_FEATURES)

    def cut_alike(self, clip: int, signals: dict[str, Signal]) -> dict[str, Signal]:
        """Add eye features where they are wanted; features of two kinds are cut to the shorter."""
        if not (self.corpus.with_eye or self.corpus.content == "eye"):
            return signals
        windows = self.matrices["eye"].clip(str(clip), (None, len(EYE_FEATURES)))
        values = self.account.finite_float32(windows.T, EYE_FEATURES, str(clip))
        found = signals | {"eye": Signal(values, WINDOWS_HZ, "arbitrary", EYE_FEATURES)}
        lengths = {name: one.values.shape[1] for name, one in found.items() if one.sfreq == WINDOWS_HZ}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
            self.account.note(str(clip), "modalities of unequal length, cut to the shorter", shown)
        shortest = min(lengths.values())
        return {name: shortened(one, shortest) if name in lengths else one for name, one in found.items()}

    def of_recording(self, session: str, clips: range) -> Iterator[tuple[int, float, dict[str, Signal]]]:
        """Clips of a session's CNT file, and when each began in it."""
        found = [
            file for file in self.files if (match := CNT_FILE.fullmatch(file.name)) and match[3] == session
        ]
        if not found:
            self.account.remark(f"there is no recording of session {session}")
            return
        cnt = open_cnt(found[0])
        for note in cnt.opened.notes:
            self.account.remark(f"{found[0].name}: {note}")
        stem = found[0].stem.lower()
        tables = [file for file in self.files if file.name.lower() == f"{stem}_trigger_info.csv"]
        spans = clip_spans(cnt, tables[0] if tables else None, CLIPS_A_SESSION, self.account)
        if isinstance(spans, str):
            for clip in clips:
                self.account.reject(str(clip), spans)
            return
        for clip, (start_s, stop_s) in zip(clips, spans, strict=True):
            try:
                signals = self.cut_alike(clip, self.recorded(cnt, clip, start_s, stop_s))
            except _UnusableError as problem:
                self.account.reject(str(clip), str(problem))
                continue
            yield clip, start_s, signals

    def recorded(self, cnt: CntFile, clip: int, start_s: float, stop_s: float) -> dict[str, Signal]:
        """EEG, ECG and eye potentials of one clip; the mastoids are left out."""
        if not 0 <= start_s < cnt.duration_s:
            raise _UnusableError(
                f"it begins at {start_s:g} s, outside the {cnt.duration_s:g} s of {cnt.file.name}"
            )
        if stop_s > cnt.duration_s:
            missing_s = f"{stop_s - cnt.duration_s:.3f} s"
            self.account.note(str(clip), "the recording ends within the clip, the rest is missing", missing_s)
        signals = {}
        for name, channels in (("eeg", SJTU62), ("ecg", ("ECG",)), ("eog", EOG_CHANNELS)):
            values = cnt.span(channels, start_s, stop_s)
            values = self.account.finite_float32(values, channels, str(clip))
            signals[name] = Signal(values, cnt.sfreq, "uV", channels)
        return signals

    def annotations(self, clip: int, duration_s: float) -> dict[str, Float64[np.ndarray, " rows"]]:
        """Stretches of 4 s, and the intensity in each."""
        n_rows = max(1, int(duration_s // WINDOW_S))
        starts_s = WINDOW_S * np.arange(n_rows)
        intensity = np.full(n_rows, np.nan)
        known = self.intensity(clip)
        if known.size not in {0, n_rows}:
            self.account.note(str(clip), "intensities are not one every 4 s", f"{known.size}, not {n_rows}")
        # one more or less, as windows of other modalities have, does no harm: they begin together
        if abs(known.size - n_rows) <= 1:
            n_both = min(known.size, n_rows)
            intensity[:n_both] = known[:n_both]
        return {"start_s": starts_s, "stop_s": starts_s + WINDOW_S, "intensity": intensity}

    def intensity(self, clip: int) -> Float64[np.ndarray, " rows"]:
        """What the subject reported in the course of a clip; empty where it did not."""
        if "intensity" not in self.matrices:
            return np.zeros(0)
        try:
            known = self.matrices["intensity"].clip(str(clip), (1, None))[0].astype(np.float64)
        except _UnusableError as problem:
            self.account.note(str(clip), "no intensity", problem)
            return np.zeros(0)
        outside = ~((known >= 0) & (known <= 1))
        if outside.any():
            self.account.note(str(clip), "intensities outside 0 to 1 set to NaN", np.count_nonzero(outside))
        return np.where(outside, np.nan, known)


def shortened(signal: Signal, n_times: int) -> Signal:
    """The first samples of a signal."""
    return Signal(signal.values[:, :n_times].copy(), signal.sfreq, signal.unit, signal.channels)


@dataclass
class MatClips:
    """A MAT file with a variable a clip, read session by session: all at once may be 1.4 GB.

    Attributes
    ----------
    shapes : of all variables of the file
    loaded : variables of the session at hand
    damaged : those of them that can not be read, and why
    """

    file: Path
    shapes: Mapping[str, tuple[int, ...]]
    loaded: dict[str, np.ndarray] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    @classmethod
    def opened(cls, file: Path) -> "MatClips":
        """Names and shapes of what is in a file.

        Raises
        ------
        CorpusError : it is no MATLAB file, or damaged
        """
        return cls(file, mat_shapes(file))

    @property
    def label(self) -> str:
        """For messages: with its folder, as all kinds of files have one name."""
        return f"{self.file.parent.name}/{self.file.name}"

    def load(self, names: Collection[str]) -> None:
        """Read variables in place of those before: in one pass, or one by one where that fails."""
        self.loaded = {}  # before the next ones come
        try:
            self.loaded = read_mat(self.file, names)
        except CorpusError:
            for name in names:
                try:
                    self.loaded |= read_mat(self.file, [name])
                except CorpusError as error:
                    self.damaged[name] = str(error)

    def clip(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """A variable of numbers, whose shape must be as given; None is any length but 0."""
        if name not in self.shapes:
            raise _UnusableError(f"no variable of this clip in {self.file.parent.name}")
        found = self.shapes[name]
        fits = len(found) == len(shape) and all(
            length == wanted if wanted is not None else length > 0
            for length, wanted in zip(found, shape, strict=True)
        )
        if not fits:
            wanted_shape = str(shape).replace("None", "any")
            raise _UnusableError(f"{name} of {self.label} has shape {found}, not {wanted_shape}")
        if name in self.damaged:
            raise _UnusableError(self.damaged[name])
        values = self.loaded[name]
        if values.dtype.kind not in "fiu":
            raise _UnusableError(f"{name} of {self.label} is {values.dtype}, not numbers")
        return values
