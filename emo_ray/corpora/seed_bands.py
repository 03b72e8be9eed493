"""What the SEED corpora share in the features they ship: bands, windows, names, notes, eyes beside."""

from collections.abc import Container, Iterable
from pathlib import Path

from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import SJTU62

# Hz, Zheng & Lu (2015), IEEE TAMD 7(3), 162-175; in the order of the band axis of every feature file.
SEED_BANDS = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 14.0),
    "beta": (14.0, 31.0),
    "gamma": (31.0, 50.0),
}
WINDOW_S = 4.0  # of the features of SEED-IV, SEED-V and SEED-VII, none overlapping
WINDOWS_HZ = 1.0 / WINDOW_S
BAND_FEATURES = tuple(f"{channel}/{band}" for channel in SJTU62 for band in SEED_BANDS)
"""Channel by channel, each with its five bands: ``"Fp1/delta"``, ``"Fp1/theta"``, ..."""


def smoothing_notes(content: str) -> tuple[str, ...]:
    """What a reader of scores should know of shipped features that were smoothed over whole clips."""
    if not content.endswith("_LDS"):
        return ()
    return (
        f"{content} was smoothed over each clip by its makers, looking ahead: a segment knows what comes "
        "after it, as no live system would",
    )


def check_eyes(subjects: Iterable[str], with_eyes: Container[str], corpus: Path, folder: str) -> None:
    """Refuse subjects without the eye features that were asked for.

    Raises
    ------
    CorpusError : names them, and the folder of the release that is missing
    """
    without = [subject for subject in subjects if subject not in with_eyes]
    if without:
        raise CorpusError(
            f"{corpus} has no eye features of {', '.join(without)}: unpack {folder}, or set with_eye to false"
        )
