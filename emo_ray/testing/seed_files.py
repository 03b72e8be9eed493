"""Files in the layout of SEED, made on the spot: preprocessed EEG and the features shipped with it."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from emo_ray.corpora.seed import CLIP_TIMES, DATES, LABEL_FILE, LABELS, N_CLIPS, PREFIXES
from emo_ray.corpora.seed_mat import SURPLUS
from emo_ray.files import write_atomically
from emo_ray.signals.electrodes import SJTU62
from emo_ray.testing.body_signals import Person
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.seed_features import felt
from emo_ray.testing.seed_mat_files import RAW_HZ, clip_eeg, clip_features, save_mat

Part = Literal["raw", "features_1s", "features_4s"]
Feature = Literal["de", "psd", "dasm", "rasm", "asm", "dcau"]
EMOTION_OF = {-1: "sad", 0: "neutral", 1: "happy"}
FEATURES: tuple[Feature, ...] = ("de", "psd", "dasm", "rasm", "asm", "dcau")
FOLDERS = {
    "old": {"raw": "Preprocessed_EEG", "features_1s": "ExtractedFeatures"},
    "new": {
        "raw": "SEED_EEG/Preprocessed_EEG",
        "features_1s": "SEED_EEG/ExtractedFeatures_1s",
        "features_4s": "SEED_EEG/ExtractedFeatures_4s",
    },
}
README = "Synthetic files in the layout of SEED.\n"


class SeedFiles(CorpusFiles):
    """``Preprocessed_EEG`` and ``ExtractedFeatures``: a file a subject and session, 15 clips in each.

    As released, the EEG of one subject takes 0.5 GB; `contents` says what is written. Subjects 1 and 7 share
    dates, in both the release and here.
    """

    n_subjects: int = Field(15, ge=1, le=99, description="people")
    contents: tuple[Part, ...] = ("raw", "features_1s")
    packaging: Literal["old", "new"] = Field("old", description="new: below SEED_EEG, with 4 s windows, too")
    file_names: Literal["number", "person"] = Field("number", description="person: as in an older release")
    n_sessions: int = Field(3, ge=1, le=3)
    clips: tuple[int, ...] = Field(tuple(range(1, N_CLIPS + 1)), description="those that are written")
    clip_s: int | None = Field(None, ge=4, description="seconds of every clip; None: as released")
    features: tuple[Feature, ...] = FEATURES
    label_file: bool = Field(True, description="write label.mat beside the files")
    labels_array: bool = Field(True, description="an array `labels` beside the clips, which nobody reads")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "SeedFiles":
        """Six clips of 12 s, two of each emotion, in two sessions; few features."""
        return cls(n_subjects=n_subjects, n_sessions=2, clips=(1, 2, 3, 4, 5, 6), clip_s=12, features=("de",))

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All files of one subject."""
        files = []
        for content in self._contents():
            for session in range(self.n_sessions):
                arrays = self.arrays(index, session, content)
                file = folder / FOLDERS[self.packaging][content] / self.file_name(index, session)
                files.append(save_mat(file, arrays))
        return tuple(files)

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """``label.mat`` and a text in each folder."""
        files = []
        for content in self._contents():
            place = folder / FOLDERS[self.packaging][content]
            files.append(place / "readme.txt")
            write_atomically(files[-1], README)
            if self.label_file:
                files.append(save_mat(place / LABEL_FILE, {"label": np.array([LABELS], dtype=np.float64)}))
        return tuple(files)

    def _contents(self) -> tuple[Part, ...]:
        return tuple(content for content in self.contents if content in FOLDERS[self.packaging])

    def file_name(self, index: int, session: int) -> str:
        """Subject and date; people beyond the release have dates of later years."""
        date = DATES[index % len(DATES)][session]
        if index >= len(DATES):
            date = str(int(date) + 10_000 * (index // len(DATES)))
        name = str(index + 1) if self.file_names == "number" else f"person{chr(ord('a') + index % 26)}"
        return f"{name}_{date}.mat"

    def arrays(self, index: int, session: int, content: Part) -> dict[str, np.ndarray]:
        """Variables of one file, in the order of the release."""
        who = Person.drawn(self.stream("person", index), len(SJTU62))
        found: dict[str, np.ndarray] = {}
        for clip in self.clips:
            rng = self.stream(content, index, session, clip)
            state = felt(EMOTION_OF[LABELS[clip - 1]], self.strength)
            n_times = CLIP_TIMES[clip - 1] if self.clip_s is None else RAW_HZ * self.clip_s + SURPLUS
            if content == "raw":
                # people beyond the release have letters of their own, too
                letters = PREFIXES[index % len(PREFIXES)] + "x" * (index // len(PREFIXES))
                found[f"{letters}_eeg{clip}"] = clip_eeg(rng, who, state, n_times)
                continue
            n_windows = n_times // (RAW_HZ if content == "features_1s" else 4 * RAW_HZ)
            features = clip_features(rng, who, state, n_windows, self.features)
            found |= {f"{name}{clip}": values for name, values in features.items()}
        if self.labels_array and content == "raw":
            found["labels"] = np.array([LABELS], dtype=np.float64)
        return found
