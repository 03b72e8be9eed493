"""Which emotion each of SEED-VII's 80 clips is to raise: as published, or as the release's table says."""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

from emo_ray.corpora.account import Account
from emo_ray.errors import CorpusError

LABELS_FILE = "emotion_label_and_stimuli_order.xlsx"
CLIPS_A_SESSION = 20
N_CLIPS = 80
MAX_TABLE_BYTES = 1 << 24  # unpacked; the released table has some thousand
MAX_ROWS = 64

EMOTIONS = ("disgust", "fear", "sad", "neutral", "happy", "anger", "surprise")
"""In the order of their codes, 0 to 6: those of SEED-V, and two more."""

# Ten clips of each session; they come twice.
BLOCKS = (
    "happy neutral disgust sad anger anger sad disgust neutral happy",
    "anger sad fear neutral surprise surprise neutral fear sad anger",
    "happy surprise disgust fear anger anger fear disgust surprise happy",
    "disgust sad fear surprise happy happy surprise fear sad disgust",
)
PUBLISHED: Mapping[int, str] = dict(
    enumerate((name for block in BLOCKS for name in 2 * block.split()), start=1)
)
"""Emotion by number of the clip, 1 to 80."""


def clip_emotions(file: Path | None, account: Account) -> Mapping[int, str]:
    """Emotion by number of the clip: of the release's table where there is one, compared with the published.

    Raises
    ------
    CorpusError : the table can not be read, or does not name one of seven emotions for each clip
    """
    if file is None:
        return PUBLISHED
    emotions = read_labels(file)
    for clip, emotion in emotions.items():
        if emotion != PUBLISHED[clip]:
            account.note(str(clip), f"{file.name} differs from the published order", emotion)
    return emotions


def read_labels(file: Path) -> dict[int, str]:
    """The release's table: rows of clip numbers, below each a row of emotions after the name of the session.

    Raises
    ------
    CorpusError : it can not be read, or does not name one of seven emotions for each of 80 clips
    """
    emotions: dict[int, str] = {}
    numbers: tuple[object, ...] = ()
    for row in _rows(file):
        if str(row[0]).strip().lower() == "video index":
            numbers = row[1:]
        elif str(row[0]).strip().lower().startswith("session"):
            emotions |= _named(file, numbers, row[1:])
    if sorted(emotions) != list(range(1, N_CLIPS + 1)):
        raise CorpusError(
            f"{file} names the emotions of {len(emotions)} clips, not of 1 to {N_CLIPS}: restore it, or "
            "remove it and the published order is used"
        )
    return emotions


def _named(file: Path, numbers: tuple[object, ...], names: tuple[object, ...]) -> dict[int, str]:
    """One session."""
    found = {}
    for number, name in zip(numbers, names, strict=False):
        if number is None and name is None:
            continue
        emotion = str(name).strip().lower()
        if emotion not in EMOTIONS or not isinstance(number, int | float):
            raise CorpusError(
                f"{file} has {name!r} for clip {number!r}, where one of {', '.join(EMOTIONS)} is expected: "
                "restore it, or remove it and the published order is used"
            )
        found[int(number)] = emotion
    return found


def _rows(file: Path) -> list[tuple[object, ...]]:
    """The first rows of the first sheet, 21 cells each."""
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(file) as archive:
            n_bytes = sum(info.file_size for info in archive.infolist())
        if n_bytes > MAX_TABLE_BYTES:
            raise CorpusError(f"{file} unpacks to {n_bytes} bytes, more than a label table has: restore it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that do not matter here
            book = load_workbook(file, read_only=True, data_only=True)
            try:
                sheet = book.worksheets[0]
                limits = {"max_row": MAX_ROWS, "max_col": CLIPS_A_SESSION + 1}
                rows = [tuple(row) for row in sheet.iter_rows(values_only=True, **limits)]
            finally:
                book.close()
    except CorpusError:
        raise
    # on damaged files openpyxl, zipfile and the XML parser raise nearly anything
    except Exception as error:
        raise CorpusError(
            f"{file} can not be read as a spreadsheet ({type(error).__name__}: {error}): restore it, or "
            "remove it and the published order is used"
        ) from error
    return [row for row in rows if row]
