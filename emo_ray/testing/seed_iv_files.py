"""Files in the layout of SEED-IV, made on the spot: EEG and features, a folder a session."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from emo_ray.corpora.seed_iv import EMOTIONS, LABELS, N_CLIPS
from emo_ray.corpora.seed_mat import SURPLUS
from emo_ray.files import write_atomically
from emo_ray.signals.electrodes import SJTU62
from emo_ray.testing.body_signals import Person
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.seed_features import felt
from emo_ray.testing.seed_mat_files import RAW_HZ, clip_eeg, clip_features, save_mat

Part = Literal["raw", "features", "eye"]
FOLDERS = {"raw": "eeg_raw_data", "features": "eeg_feature_smooth", "eye": "eye_feature_smooth"}
PREFIXES = (
    "cz", "ha", "hql", "ldy", "ly", "mhw", "mz", "qyt", "rx", "tyc", "whh", "wll", "wq", "zjd", "zjy",
)  # fmt: skip
DATES = (
    ("20160518", "20161125", "20161126"), ("20150915", "20150920", "20151012"),
    ("20150919", "20151018", "20151101"), ("20151111", "20151118", "20151123"),
    ("20160406", "20160413", "20160420"), ("20150507", "20150511", "20150512"),
    ("20150715", "20150717", "20150721"), ("20151103", "20151110", "20151117"),
    ("20151028", "20151119", "20151209"), ("20151014", "20151021", "20151023"),
    ("20150916", "20150921", "20151011"), ("20150725", "20150804", "20150807"),
    ("20151115", "20151125", "20161130"), ("20151205", "20151208", "20151215"),
    ("20150508", "20150514", "20150527"),
)  # fmt: skip
SHORTEST_S, LONGEST_S = 48, 259  # clips of the release
N_EYE = 31


class SeedIVFiles(CorpusFiles):
    """``eeg_raw_data`` and ``eeg_feature_smooth``: a file a subject and session, 24 clips in each.

    As released, the EEG of one subject takes 0.5 GB; `contents` says what is written. Lengths are the same
    for all people, and as unequal as in the release, where only some are known.
    """

    n_subjects: int = Field(15, ge=1, le=99, description="people")
    contents: tuple[Part, ...] = ("raw", "features", "eye")
    root: str = Field("SEED_IV", description="folder around all; empty for none, as some packagings have it")
    sessions: tuple[Literal["1", "2", "3"], ...] = ("1", "2", "3")
    clips: tuple[int, ...] = Field(tuple(range(1, N_CLIPS + 1)), description="those that are written")
    clip_s: tuple[int, int] = Field((SHORTEST_S, LONGEST_S), description="least and greatest seconds")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "SeedIVFiles":
        """Eight clips of 12 to 16 s in one session, each emotion twice."""
        clips = (1, 2, 3, 4, 5, 6, 8, 16)
        return cls(n_subjects=n_subjects, sessions=("1",), clips=clips, clip_s=(12, 16))

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """The text with the labels."""
        file = folder / self.root / "ReadMe.txt"
        lines = [f"session{session}_label = {list(labels)};" for session, labels in LABELS.items()]
        write_atomically(file, "\n".join(lines) + "\n")
        return (file,)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All files of one subject."""
        files = []
        for content in self.contents:
            for session in self.sessions:
                place = folder / self.root / FOLDERS[content] / session
                files.append(
                    save_mat(place / self.file_name(index, session), self.arrays(index, session, content))
                )
        return tuple(files)

    def file_name(self, index: int, session: str) -> str:
        """Subject and date; people beyond the release have its dates, too."""
        return f"{index + 1}_{DATES[index % len(DATES)][int(session) - 1]}.mat"

    def n_times(self, session: str, clip: int) -> int:
        """Samples of a clip, one more than whole seconds."""
        low_s, high_s = self.clip_s
        return RAW_HZ * int(self.stream("length", session, clip).integers(low_s, high_s + 1)) + SURPLUS

    def arrays(self, index: int, session: str, content: Part) -> dict[str, np.ndarray]:
        """Variables of one file, in the order of the release."""
        who = Person.drawn(self.stream("person", index), len(SJTU62))
        found: dict[str, np.ndarray] = {}
        for clip in self.clips:
            rng = self.stream(content, index, session, clip)
            state = felt(EMOTIONS[LABELS[session][clip - 1]], self.strength)
            n_times = self.n_times(session, clip)
            n_windows = n_times // (4 * RAW_HZ)
            if content == "raw":
                letters = PREFIXES[index % len(PREFIXES)] + "x" * (index // len(PREFIXES))
                found[f"{letters}_eeg{clip}"] = clip_eeg(rng, who, state, n_times)
            elif content == "features":
                features = clip_features(rng, who, state, n_windows, ("de", "psd"))
                found |= {f"{name}{clip}": values for name, values in features.items()}
            else:
                found[f"eye_{clip}"] = np.round(rng.standard_normal((N_EYE, n_windows)), 3)
        return found
