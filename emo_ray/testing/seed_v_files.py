"""Files in the layout of SEED-V, made on the spot: features as pickles in NPZ, recordings as CNT."""

import io
import pickle  # to write alone, as the release does; nothing here reads a pickle
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from emo_ray.corpora.seed_v import CLIP_TIMES, EMOTIONS, LABELS, N_CLIPS, SESSIONS, TIMES_FILE, ClipTimes
from emo_ray.files import atomic_path, write_atomically
from emo_ray.signals.electrodes import SJTU62
from emo_ray.testing.body_signals import Clock, Person, State, eeg
from emo_ray.testing.cnt_files import CntLayout, write_cnt
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.seed_features import N_EYE, entropy_windows, eye_windows, felt

WINDOW_S = 4.0
# The mastoids stand among the EEG channels, as the cap of 64 has them.
CNT_CHANNELS = tuple(
    name.upper() for name in (*SJTU62[:32], "M1", *SJTU62[32:41], "M2", *SJTU62[41:], "HEO", "VEO")
)
# Of the release, by subject: a session's number names its clips, not the order in time.
DATES = (
    ("20180804", "20180810", "20180808"), ("20180416", "20180419", "20180425"),
    ("20180414", "20180419", "20180424"), ("20180414", "20180417", "20180501"),
    ("20180719", "20180728", "20180723"), ("20180713", "20180731", "20180802"),
    ("20180411", "20180418", "20180422"), ("20180717", "20180802", "20180726"),
    ("20180724", "20180804", "20180728"), ("20180507", "20180524", "20180626"),
    ("20180510", "20180508", "20180522"), ("20180515", "20180508", "20180517"),
    ("20180720", "20180806", "20180725"), ("20180420", "20180423", "20180427"),
    ("20180724", "20180807", "20180730"), ("20180805", "20180815", "20180813"),
)  # fmt: skip


class SeedVFiles(CorpusFiles):
    """``EEG_DE_features``, ``Eye_movement_features``, ``EEG_raw`` and the text file of clip times.

    As released, a subject's three recordings have 2.6 GB; `contents` says what is written.
    """

    n_subjects: int = Field(16, ge=1, le=99, description="people")
    contents: tuple[Literal["de", "eye", "raw"], ...] = ("de", "eye", "raw")
    raw_sessions: tuple[Literal["1", "2", "3"], ...] = Field(("1", "2", "3"), description="with a CNT file")
    clip_s: int | None = Field(None, ge=1, description="seconds of every clip; None: as released")
    gap_s: int = Field(1, ge=1, description="seconds between shortened clips")
    sfreq: int = Field(1000, ge=100, le=5000, description="Hz of the CNT files")
    lead_out_s: float = Field(5.0, description="seconds after the last clip; below 0 it is cut off")
    one_window_less: tuple[int, ...] = Field((7,), description="clips (0 to 44) with fewer eye windows")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "SeedVFiles":
        """Features of clips of 32 s, without recordings."""
        return cls(n_subjects=n_subjects, contents=("de", "eye"), clip_s=32)

    def times(self) -> dict[str, ClipTimes]:
        """Start and end of every clip, by session."""
        if self.clip_s is None:
            return dict(CLIP_TIMES)
        starts = tuple(float(self.gap_s + k * (self.clip_s + self.gap_s)) for k in range(N_CLIPS))
        return dict.fromkeys(SESSIONS, ClipTimes(starts, tuple(start + self.clip_s for start in starts)))

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """``trial_start_end_timestamp.txt``."""
        lines = []
        for session, times in self.times().items():
            starts, ends = (
                [round(second) for second in seconds] for seconds in (times.starts_s, times.ends_s)
            )
            lines += [f"Session {session}:", f"start_second: {starts}", f"end_second: {ends}", ""]
        write_atomically(folder / TIMES_FILE, "\n".join(lines))
        return (folder / TIMES_FILE,)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All files of one subject."""
        name = f"{index + 1}_123.npz"
        files: list[Path] = []
        if "de" in self.contents:
            files.append(self._write_npz(index, "de", folder / "EEG_DE_features" / name))
        if "eye" in self.contents:
            files.append(self._write_npz(index, "eye", folder / "Eye_movement_features" / name))
        if "raw" in self.contents:
            files += [self._write_recording(index, name, folder / "EEG_raw") for name in self.raw_sessions]
        return tuple(files)

    def _write_npz(self, index: int, content: Literal["de", "eye"], file: Path) -> Path:
        data = {key: self._windows(index, content, key) for key in range(N_CLIPS * len(SESSIONS))}
        label = {key: np.full(len(windows), code_of(key)) for key, windows in data.items()}
        written = io.BytesIO()
        np.savez(written, data=np.array(_pickled(data)), label=np.array(_pickled(label)))
        with atomic_path(file) as part:
            part.write_bytes(written.getvalue())
        return file

    def _windows(self, index: int, content: Literal["de", "eye"], key: int) -> np.ndarray:
        """Features of one clip: windows by channels and bands, or by 33."""
        session, clip = SESSIONS[key // N_CLIPS], key % N_CLIPS
        times = self.times()[session]
        n_windows = int((times.ends_s[clip] - times.starts_s[clip]) // WINDOW_S)
        rng = self.stream(content, index, key)
        state = felt(EMOTIONS[code_of(key)], self.strength)
        if content == "eye":
            habits = self.stream("eyes", index).standard_normal(N_EYE)
            n_windows -= key in self.one_window_less
            return eye_windows(rng, habits, state, n_windows)
        windows = entropy_windows(rng, self._person(index), state, n_windows)[:, : len(SJTU62)]
        return windows.reshape(n_windows, -1)  # channel-major

    def _person(self, index: int) -> Person:
        return Person.drawn(self.stream("person", index), len(CNT_CHANNELS))

    def _write_recording(self, index: int, session: str, folder: Path) -> Path:
        date = DATES[index % len(DATES)][SESSIONS.index(session)]
        start = datetime.strptime(date + "140000", "%Y%m%d%H%M%S")
        layout = CntLayout(CNT_CHANNELS, self.sfreq, start)
        file = folder / f"{index + 1}_{session}_{date}.cnt"
        # without events: the release is cut by the table of clip times
        return write_cnt(file, layout, self._blocks(index, session))

    def _blocks(self, index: int, session: str) -> Iterator[Float32[np.ndarray, "channels _"]]:
        """A rest before every clip, the clip, and what follows the last one."""
        who = self._person(index)
        times, reached_s = self.times()[session], 0.0
        for clip, (start_s, end_s) in enumerate(zip(times.starts_s, times.ends_s, strict=True)):
            rng = self.stream("raw", index, session, clip)
            state = felt(EMOTIONS[LABELS[session][clip]], self.strength)
            yield self._block(rng, who, State(), start_s - reached_s)
            reached_s = end_s
            shorter_s = min(self.lead_out_s, 0.0) if clip == N_CLIPS - 1 else 0.0
            yield self._block(rng, who, state, end_s - start_s + shorter_s)
        if self.lead_out_s > 0:
            yield self._block(self.stream("raw", index, session, "end"), who, State(), self.lead_out_s)

    def _block(
        self, rng: np.random.Generator, who: Person, state: State, duration_s: float
    ) -> Float32[np.ndarray, "channels times"]:
        return eeg(rng, who, state, Clock(round(duration_s * self.sfreq), float(self.sfreq)))


def code_of(key: int) -> int:
    """Emotion of a clip, counted from 0 over all sessions."""
    return LABELS[SESSIONS[key // N_CLIPS]][key % N_CLIPS]


def _pickled(content: dict[int, np.ndarray]) -> bytes:
    """As an older NumPy pickles: its modules have other names since NumPy 2."""
    return pickle.dumps(content, protocol=2).replace(b"cnumpy._core.", b"cnumpy.core.")
