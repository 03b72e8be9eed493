"""MATLAB files of SEED and SEED-IV: one array a clip, EEG or ready features; which file holds which."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from emo_ray.corpora.account import Account
from emo_ray.corpora.declared import DeclaredSignal
from emo_ray.corpora.mat_file import mat_shapes, read_mat
from emo_ray.corpora.recording import Signal
from emo_ray.corpora.seed_bands import BAND_FEATURES, SEED_BANDS
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import SJTU62

RAW_HZ = 200.0
SURPLUS = 1  # samples of a clip beyond whole seconds
SEED_FILE = re.compile(r"([A-Za-z]+|\d{1,3})_(\d{8})\.mat", re.IGNORECASE)  # subject and date
RAW_KEY = re.compile(r"(?:(.*)_)?eeg(\d{1,3})", re.IGNORECASE)
MAX_SHOWN = 5

Content = Literal[
    "raw",
    "de_LDS",
    "de_movingAve",
    "psd_LDS",
    "psd_movingAve",
    "dasm_LDS",
    "dasm_movingAve",
    "rasm_LDS",
    "rasm_movingAve",
    "asm_LDS",
    "asm_movingAve",
    "dcau_LDS",
    "dcau_movingAve",
]
Kind = Literal["raw", "features", "features_4s", "eye", "unknown"]

# Names of folders that say what the files below them hold.
KIND_BY_FOLDER: Mapping[str, Kind] = {
    "preprocessed_eeg": "raw",
    "extractedfeatures": "features",
    "extractedfeatures_1s": "features",
    "extractedfeatures_4s": "features_4s",
    "eeg_raw_data": "raw",
    "eeg_feature_smooth": "features_4s",
    "eye_raw_data": "eye",
    "eye_feature_smooth": "eye",
}

# Pairs of electrodes, numbered as in the files: nobody tells their order.
N_PAIRS = {"dasm": 27, "rasm": 27, "asm": 54, "dcau": 23}
# Differences of entropies are entropies in nats; the rest has no unit that is told.
UNITS = {"de": "nats", "dasm": "nats", "dcau": "nats", "rasm": "ratio"}


def feature_of(content: Content) -> str:
    """Name of the modality: ``"eeg"``, ``"de"``, ``"psd"``, ..."""
    return "eeg" if content == "raw" else content.partition("_")[0]


def channels_of(content: Content) -> tuple[str, ...]:
    """Electrodes, or ``"Fp1/delta"`` and ``"pair 1/delta"`` with five bands each."""
    feature = feature_of(content)
    if feature == "eeg":
        return SJTU62
    if feature not in N_PAIRS:
        return BAND_FEATURES
    return tuple(f"pair {n}/{band}" for n in range(1, N_PAIRS[feature] + 1) for band in SEED_BANDS)


def unit_of(content: Content) -> str:
    """Of the values as stored."""
    return "uV" if content == "raw" else UNITS.get(feature_of(content), "arbitrary")


def declared_signals(content: Content, window_s: float) -> dict[str, DeclaredSignal]:
    """What every clip holds."""
    sfreq = RAW_HZ if content == "raw" else 1 / window_s
    return {feature_of(content): DeclaredSignal(channels_of(content), (sfreq,), unit_of(content))}


def kind_by_folder(file: Path, folder: Path) -> Kind:
    """What a file holds, told by the nearest folder that has a known name, the corpus folder included."""
    inside = file.relative_to(folder).parts[:-1]
    for part in reversed((folder.resolve().name, *inside)):
        if part.lower() in KIND_BY_FOLDER:
            return KIND_BY_FOLDER[part.lower()]
    return "unknown"


def holds(file: Path, folder: Path, content: Content, window_s: float) -> bool:
    """Whether a file has the wanted content: by its folders, or where they do not tell by its variables.

    A file that can not be read counts as one that has it: its subject is lost then, and no other.
    """
    kind = kind_by_folder(file, folder)
    if kind == "unknown":
        try:
            return bool(clip_keys(file, content))
        except CorpusError:
            return True
    if content == "raw":
        return kind == "raw"
    return kind == ("features" if window_s == 1 else "features_4s")


def clip_keys(file: Path, content: Content) -> dict[int, list[str]]:
    """Names of the variables of every clip, by its number.

    Raises
    ------
    CorpusError : the file can not be read
    """
    # whole names: de_LDS1 is the beginning of de_LDS10
    pattern = RAW_KEY if content == "raw" else re.compile(rf"(){re.escape(content)}(\d{{1,3}})")
    found: dict[int, list[str]] = {}
    for name in mat_shapes(file):
        match = pattern.fullmatch(name)
        if match:
            found.setdefault(int(match[2]), []).append(name)
    return dict(sorted(found.items()))


def prefix_of(file: Path) -> str:
    """Letters before ``_eeg1``, which stand for the person; empty where there are none, or more than one."""
    try:
        keys = [key for keys in clip_keys(file, "raw").values() for key in keys]
    except CorpusError:  # told when the file is read
        return ""
    found = {match[1].lower() for key in keys if (match := RAW_KEY.fullmatch(key)) and match[1]}
    return found.pop() if len(found) == 1 else ""


def check_letters(files: Sequence[Path], account: Account) -> None:
    """Report EEG of one subject whose variables stand for several people."""
    letters = {file.name: prefix for file in files if (prefix := prefix_of(file))}
    if len(set(letters.values())) > 1:
        shown = ", ".join(f"{name} {prefix}" for name, prefix in letters.items())
        account.remark(
            f"variables of its files are named by different letters, as of several people: {shown}"
        )


def shared_letters(subjects: Mapping[str, tuple[Path, ...]]) -> tuple[str, ...]:
    """Subjects whose EEG is named by the same letters: one person under two numbers would be a leak."""
    people: dict[str, list[str]] = {}
    for subject, files in subjects.items():
        people.setdefault(prefix_of(files[0]), []).append(subject)
    return tuple(
        f"variables of {' and '.join(found)} are named by the same letters, {prefix!r}: perhaps one person"
        for prefix, found in people.items()
        if prefix and len(found) > 1
    )


@dataclass(frozen=True)
class ClipArrays:
    """The arrays of one session's file.

    Attributes
    ----------
    content, window_s : what to read, and the seconds of a feature window
    keys : clip to the names of its variables
    """

    file: Path
    content: Content
    window_s: float
    keys: Mapping[int, list[str]]
    account: Account

    @classmethod
    def opened(cls, file: Path, content: Content, window_s: float, account: Account) -> "ClipArrays":
        """Look up what a file holds.

        Raises
        ------
        CorpusError : it can not be read, or has no array of the wanted content
        """
        keys = clip_keys(file, content)
        if not keys:
            names = list(mat_shapes(file))
            shown = ", ".join(names[:MAX_SHOWN]) or "nothing"
            wanted = "..._eeg1" if content == "raw" else f"{content}1"
            raise CorpusError(
                f"{file} has no {wanted} but {shown} ({len(names)} variables): choose the content that it has"
            )
        return cls(file, content, window_s, keys, account)

    def note_surplus(self, session: str, n_clips: int) -> None:
        """Report arrays of clips that the release does not have."""
        surplus = [str(clip) for clip in self.keys if not 1 <= clip <= n_clips]
        if surplus:
            fact = "arrays of clips that the release does not have, left out"
            self.account.remark(f"session {session}: {fact} ({', '.join(surplus)})")

    def signal(self, clip: int, trial: str) -> Signal | None:
        """EEG or features of one clip, or None where the trial is rejected."""
        names = self.keys.get(clip, [])
        if len(names) != 1:
            found = (
                f"has {len(names)} arrays of this clip, {', '.join(names)}" if names else "lacks this clip"
            )
            self.account.reject(trial, f"the file of the session {found}")
            return None
        try:
            values = read_mat(self.file, names)[names[0]]
        except CorpusError as error:  # of this variable alone: the file has been looked through
            self.account.reject(trial, str(error))
            return None
        rows = self.rows(values)
        if rows is None:
            self.account.reject(
                trial, f"{self.file.name}: {names[0]} is {values.dtype} of shape {values.shape}"
            )
            return None
        channels = channels_of(self.content)
        sfreq = RAW_HZ if self.content == "raw" else 1 / self.window_s
        finite = self.account.finite_float32(rows, channels, trial)
        return Signal(finite, sfreq, unit_of(self.content), channels)

    def rows(self, values: np.ndarray) -> np.ndarray | None:
        """Channel-first, features channel by channel; None where the shape is not the released one."""
        if values.dtype.kind not in "fiu" or values.size == 0:
            return None
        n_rows = len(channels_of(self.content))
        if self.content == "raw":
            return values if values.ndim == 2 and len(values) == n_rows else None
        n_bands = len(SEED_BANDS)
        if values.ndim != 3 or (len(values), values.shape[2]) != (n_rows // n_bands, n_bands):
            return None
        return values.transpose(0, 2, 1).reshape(n_rows, -1)  # channels windows bands -> rows windows
