"""Files in the layout of SEED-VII, made on the spot: MAT files of features and EEG, recordings as CNT."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float32, Float64
from openpyxl import Workbook
from pydantic import Field

from emo_ray.corpora.seed_vii_labels import CLIPS_A_SESSION, LABELS_FILE, N_CLIPS, PUBLISHED
from emo_ray.corpora.seed_vii_triggers import BAD_TRIGGERS
from emo_ray.files import atomic_path, write_atomically
from emo_ray.signals.electrodes import SJTU62
from emo_ray.testing.body_signals import Clock, Person, State, ecg, eeg
from emo_ray.testing.cnt_files import CntLayout, Mark, write_cnt
from emo_ray.testing.corpus_files import CorpusFiles, stream
from emo_ray.testing.seed_features import N_EYE, entropy_windows, eye_windows, felt

WINDOW_S = 4
PREPROCESSED_HZ = 200.0
# All clips of the release last 14,098 s and have 3,487 windows; how long each is has not been published.
N_WINDOWS, LEAST_WINDOWS, MOST_WINDOWS = 3487, 30, 58
REST_S = (2,) * 70 + (1,) * 10  # of every clip beyond its windows: 150 s
SESSIONS = ("1", "2", "3", "4")
BAND_WIDTHS_HZ = np.array([3.0, 4.0, 6.0, 17.0, 19.0])  # delta to gamma
UV_A_MV = 1000.0
# The mastoids stand among the EEG channels, as the cap of 64 has them.
CNT_CHANNELS = tuple(
    name.upper() for name in (*SJTU62[:32], "M1", *SJTU62[32:41], "M2", *SJTU62[41:], "ECG", "HEO", "VEO")
)
ECG_ROW = CNT_CHANNELS.index("ECG")
# Of the release only the dates of the recordings with bad triggers matter; all others are made up.
FIRST_DAY = datetime(2022, 9, 1)
KNOWN_DAYS = {(14, "1"): datetime(2022, 10, 15), (9, "3"): datetime(2022, 11, 11)}
HEADER_TEXT = b"MATLAB 5.0 MAT-file, synthetic SEED-VII subject made by emo_ray".ljust(116)

Part = Literal["raw", "features", "eye", "intensity", "cnt"]


class SeedVIIFiles(CorpusFiles):
    """Preprocessed EEG, features of EEG and eyes, intensity, recordings with their triggers, and the labels.

    As released, a subject has 1.4 GB of preprocessed EEG and 4 GB of recordings; `contents` says what is
    written. Marks of the two recordings that are known to be bad are bad here, too.
    """

    n_subjects: int = Field(20, ge=1, le=99, description="people")
    contents: tuple[Part, ...] = ("raw", "features", "eye", "intensity", "cnt")
    cnt_sessions: tuple[Literal["1", "2", "3", "4"], ...] = ("1", "2", "3", "4")
    clip_s: int | None = Field(
        None, ge=4, description="seconds of every clip; None: as long as in the release"
    )
    gap_s: int = Field(10, ge=1, description="seconds between the clips of a recording")
    sfreq: int = Field(1000, ge=100, le=5000, description="Hz of the CNT files")
    without_eye: tuple[tuple[int, int], ...] = Field(
        ((15, 71),), description="number of the subject and clip without eye features"
    )

    @classmethod
    def small(cls, n_subjects: int = 3) -> "SeedVIIFiles":
        """Features, eyes and intensity of clips of 32 s."""
        parts: tuple[Part, ...] = ("features", "eye", "intensity")
        return cls(n_subjects=n_subjects, contents=parts, clip_s=32, without_eye=((2, 71),))

    def lengths_s(self) -> dict[int, int]:
        """Seconds of every clip: equal for all people."""
        if self.clip_s is not None:
            return dict.fromkeys(PUBLISHED, self.clip_s)
        windows = stream(0, "seed_vii", "lengths").integers(LEAST_WINDOWS, MOST_WINDOWS, N_CLIPS)
        # what is left over goes to the first ones
        windows += (N_WINDOWS - int(windows.sum())) // N_CLIPS
        windows[: N_WINDOWS - int(windows.sum())] += 1
        return dict(zip(PUBLISHED, (WINDOW_S * windows + np.array(REST_S)).tolist(), strict=True))

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """The table of emotions: a row of clip numbers and one of names for each session."""
        book = Workbook()
        sheet = book.worksheets[0]
        for session in SESSIONS:
            clips = clips_of(session)
            sheet.append(["Video index", *clips])
            sheet.append([f"Session {session}", *(PUBLISHED[clip].capitalize() for clip in clips)])
        with atomic_path(folder / LABELS_FILE) as part, part.open("wb") as target:
            book.save(target)
        return (folder / LABELS_FILE,)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All files of one subject."""
        name = f"{index + 1}.mat"
        made = {
            "raw": ("EEG_preprocessed", self._preprocessed),
            "features": ("EEG_features", self._features),
            "eye": ("EYE_features", self._eyes),
            "intensity": ("continuous_labels", self._intensity),
        }
        files = [
            _save(folder / place / name, make(index))
            for part, (place, make) in made.items()
            if part in self.contents
        ]
        for session in self.cnt_sessions if "cnt" in self.contents else ():
            files += self._write_recording(index, session, folder)
        return tuple(files)

    def _preprocessed(self, index: int) -> dict[str, np.ndarray]:
        return {
            str(clip): self._cap(index, clip, Clock(int(seconds * PREPROCESSED_HZ), PREPROCESSED_HZ))
            for clip, seconds in self.lengths_s().items()
        }

    def _cap(self, index: int, clip: int, clock: Clock) -> Float64[np.ndarray, "62 times"]:
        state = felt(PUBLISHED[clip], self.strength)
        values: Float64[np.ndarray, "62 times"] = eeg(
            self.stream("raw", index, clip), self._person(index, len(SJTU62)), state, clock
        ).astype(np.float64)
        return values

    def _person(self, index: int, n_channels: int) -> Person:
        return Person.drawn(self.stream("person", index, n_channels), n_channels)

    def _features(self, index: int) -> dict[str, np.ndarray]:
        """Three tables a clip, each windows by bands by channels."""
        found = {}
        who = self._person(index, len(SJTU62))
        for clip, seconds in self.lengths_s().items():
            state = felt(PUBLISHED[clip], self.strength)
            entropy = entropy_windows(self.stream("de", index, clip), who, state, seconds // WINDOW_S)
            entropy = entropy.transpose(0, 2, 1)  # windows bands channels
            variance = np.exp(2 * entropy) / (2 * np.pi * np.e)
            found[f"psd_{clip}"] = variance / BAND_WIDTHS_HZ[:, None]
            found[f"de_{clip}"] = entropy
            found[f"de_LDS_{clip}"] = smoothed(entropy)
        return found

    def _eyes(self, index: int) -> dict[str, np.ndarray]:
        habits = self.stream("eyes", index).standard_normal(N_EYE)
        return {
            str(clip): eye_windows(
                self.stream("eye", index, clip),
                habits,
                felt(PUBLISHED[clip], self.strength),
                seconds // WINDOW_S,
            )
            for clip, seconds in self.lengths_s().items()
            if (index + 1, clip) not in self.without_eye
        }

    def _intensity(self, index: int) -> dict[str, np.ndarray]:
        """How strongly the emotion was felt, from 0 to 1: rises over the clip, for neutral ones hardly."""
        found = {}
        for clip, seconds in self.lengths_s().items():
            n_windows = seconds // WINDOW_S
            highest = (
                0.1 if PUBLISHED[clip] == "neutral" else self.stream("felt", index, clip).uniform(0.5, 1)
            )
            found[str(clip)] = highest * np.linspace(0.2, 1, n_windows)[None]  # 1 windows
        return found

    def recording_stem(self, index: int, session: str) -> str:
        """``"14_20221015_1"``."""
        made_up = FIRST_DAY + timedelta(days=4 * index + int(session))
        day = KNOWN_DAYS.get((index + 1, session), made_up)
        return f"{index + 1}_{day:%Y%m%d}_{session}"

    def _write_recording(self, index: int, session: str, folder: Path) -> list[Path]:
        stem = self.recording_stem(index, session)
        began = KNOWN_DAYS.get((index + 1, session), FIRST_DAY) + timedelta(
            seconds=BAD_TRIGGERS.get(stem, 14 * 3600.0)
        )
        layout = CntLayout(CNT_CHANNELS, self.sfreq, began)
        spans = self.spans_s(session)
        marks = [
            Mark(round(second * self.sfreq), code)
            for span in spans.values()
            for second, code in zip(span, (1, 2), strict=True)
        ]
        # as when triggers fail: some are missing, some come twice
        written = marks[3:] + marks[-2:] if stem in BAD_TRIGGERS else marks
        file = folder / "EEG_raw" / f"{stem}.cnt"
        write_cnt(file, layout, self._blocks(index, spans), written)
        rows = [
            f"{mark.code},{began + timedelta(seconds=mark.sample / self.sfreq):%Y-%m-%d %H:%M:%S.%f}"
            for mark in marks
        ]
        table = folder / "save_info" / f"{stem}_trigger_info.csv"
        write_atomically(table, "\n".join(rows) + "\n")
        return [file, table]

    def spans_s(self, session: str) -> dict[int, tuple[int, int]]:
        """Start and end of every clip in the recording of a session, seconds."""
        spans, reached_s = {}, 0
        for clip in clips_of(session):
            start_s = reached_s + self.gap_s
            reached_s = start_s + self.lengths_s()[clip]
            spans[clip] = (start_s, reached_s)
        return spans

    def _blocks(
        self, index: int, spans: Mapping[int, tuple[int, int]]
    ) -> Iterator[Float32[np.ndarray, "channels _"]]:
        """A rest before every clip, the clip, and a rest after the last one."""
        for clip, (start_s, stop_s) in spans.items():
            rest = self.stream("rest", index, clip)
            yield self._block(rest, index, State(), self.gap_s)
            state = felt(PUBLISHED[clip], self.strength)
            yield self._block(self.stream("cnt", index, clip), index, state, stop_s - start_s)
        yield self._block(self.stream("rest", index), index, State(), self.gap_s)

    def _block(
        self, rng: np.random.Generator, index: int, state: State, duration_s: int
    ) -> Float32[np.ndarray, "channels times"]:
        clock = Clock(duration_s * self.sfreq, float(self.sfreq))
        who = self._person(index, len(CNT_CHANNELS))
        values = eeg(rng, who, state, clock)
        values[ECG_ROW] = UV_A_MV * ecg(rng, who, state, clock)
        return values


def clips_of(session: str) -> range:
    """Numbers of a session's clips."""
    first = CLIPS_A_SESSION * (int(session) - 1) + 1
    return range(first, first + CLIPS_A_SESSION)


def smoothed(windows: Float64[np.ndarray, "windows 5 62"]) -> Float64[np.ndarray, "windows 5 62"]:
    """Forth and back through a recursive mean, in place of the release's linear dynamical system."""
    found = windows.copy()
    for window in range(1, len(found)):
        found[window] = 0.6 * found[window - 1] + 0.4 * found[window]
    for window in range(len(found) - 2, -1, -1):
        found[window] = 0.6 * found[window + 1] + 0.4 * found[window]
    return found


def _save(file: Path, variables: Mapping[str, np.ndarray]) -> Path:
    with atomic_path(file) as part, part.open("wb") as target:
        scipy.io.savemat(target, variables)
        target.seek(0)
        target.write(HEADER_TEXT)  # in place of SciPy's, which holds the time of writing
    return file
