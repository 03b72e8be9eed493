"""Electrodes by name: one spelling for every place of the 10-05 system, where it lies, and what mirrors it.

Names come as ``FP1``, ``EEG Fp1-Ref``, ``Fc5.`` or in the terms of the old 10-20 system; all become the
spelling of MNE's montage. Places are those of the 10-05 system on the Colin27 head (MNE, ``colin27_1005``).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float64

from emo_ray.errors import SignalError

MONTAGE = "colin27_1005"

EMO14 = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
"""Emotiv EPOC in its own order: AMIGOS, DREAMER, GAMEEMO."""

DEAP32 = (
    *("Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz"),
    *("Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2"),
)
"""BioSemi with 32 electrodes, in the order of DEAP's preprocessed files."""

SJTU62 = (
    *("Fp1", "Fpz", "Fp2", "AF3", "AF4"),
    *("F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8"),
    *("FT7", "FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6", "FT8"),
    *("T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8"),
    *("TP7", "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8"),
    *("P7", "P5", "P3", "P1", "Pz", "P2", "P4", "P6", "P8"),
    *("PO7", "PO5", "PO3", "POz", "PO4", "PO6", "PO8"),
    *("CB1", "O1", "Oz", "O2", "CB2"),
)
"""The ESI NeuroScan cap of SEED, SEED-IV, SEED-V and SEED-VII, in the order of their files."""

ELECTRODE_SETS: Mapping[str, tuple[str, ...]] = {"EMO14": EMO14, "DEAP32": DEAP32, "SJTU62": SJTU62}

# Names of the 10-20 system before 1991 (American EEG Society 1991, J. Clin. Neurophysiol. 8(2), 200-202).
OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}

# The cerebellar electrodes of the NeuroScan cap are in no montage of MNE. They lie below PO7 and PO8: put one
# step of the 10-10 grid down, where PO9 and PO10 are (metres, in the frame of the montage).
PLACED_BY_HAND = {"CB1": (-0.0549, -0.0980, -0.0355), "CB2": (0.0550, -0.0981, -0.0355)}

# What EDF files write around a name: "EEG Fp1", "Fp1-Ref", "EEG F3-LE" (linked ears), "Fc5.".
# No electrode behind the dash: "A2-A1" is the difference of two places and has no place of its own.
AROUND_NAME = re.compile(
    r"^\s*(?:EEG[\s:_-]+)?(?P<name>.*?)(?:\s*-\s*(?:REF|LE|AR|AVG|AVE|CAR|CAV))?[\s.]*$", re.IGNORECASE
)
SIDED_NAME = re.compile(r"(?P<place>[A-Za-z]+)(?P<number>\d+)(?P<half>h?)")


def canonical_name(name: str) -> str:
    """The one spelling of an electrode: ``"Fp1"`` for ``FP1`` and ``EEG Fp1-Ref``, ``"T7"`` for ``T3``.

    Raises
    ------
    SignalError : no electrode of the 10-05 system has that name
    """
    found = _spellings().get(_bare(name).upper())
    if found is None:
        raise SignalError(
            f"{name!r} is no electrode of the 10-05 system: rename the channel, or leave it out "
            "where places on the head are needed"
        )
    return found


def is_electrode(name: str) -> bool:
    """Whether `canonical_name` knows the name."""
    return _bare(name).upper() in _spellings()


def positions(names: Iterable[str]) -> Float64[np.ndarray, "channels 3"]:
    """Where electrodes lie, in metres: x to the right, y to the nose, z to the top.

    Parameters
    ----------
    names : in any spelling that `canonical_name` takes

    Raises
    ------
    SignalError : a name is no electrode
    """
    places = _places()
    return np.array([places[canonical_name(name)] for name in names], dtype=np.float64).reshape(-1, 3)


def map_electrodes(
    values: Float[np.ndarray, "channels ..."], names: Sequence[str], to: Sequence[str]
) -> tuple[Float[np.ndarray, "electrodes ..."], Bool[np.ndarray, " electrodes"]]:
    """Bring channels into the order of an electrode set, by name.

    Parameters
    ----------
    values : any unit; a row a channel
    names : of the rows; one that is not in the set (or is no electrode) is left out
    to : the set, for instance `SJTU62`

    Returns
    -------
    A row an electrode, NaN where no channel has it; and True where one has.

    Raises
    ------
    SignalError : a name a row is not given, an electrode comes twice, or the set has what is no electrode
    """
    if len(names) != values.shape[0]:
        raise SignalError(f"{len(names)} names for {values.shape[0]} channels: give one name a channel")
    rows = _rows_by_electrode(names)
    wanted = [canonical_name(name) for name in to]
    present = np.array([name in rows for name in wanted], dtype=bool)
    mapped = np.full((len(wanted), *values.shape[1:]), np.nan, dtype=values.dtype)
    mapped[present] = values[[rows[name] for name in wanted if name in rows]]
    return mapped, present


def mirror(name: str) -> str | None:
    """The electrode at the same place of the other hemisphere; None on the midline.

    Odd numbers lie to the left: ``"F4"`` for ``F3``, ``"CB1"`` for ``CB2``, None for ``Cz``.

    Raises
    ------
    SignalError : the name is no electrode
    """
    match = SIDED_NAME.fullmatch(canonical_name(name))
    if match is None:
        return None
    number = int(match["number"])
    return canonical_name(f"{match['place']}{number + 1 if number % 2 else number - 1}{match['half']}")


def hemisphere_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """All (left, right) pairs of which both are there, in canonical spelling and the order of the left ones.

    Raises
    ------
    SignalError : a name is no electrode
    """
    known = [canonical_name(name) for name in names]
    pairs = [(name, mirror(name)) for name in known if _is_left(name)]
    return tuple((left, right) for left, right in pairs if right in known)


def _is_left(name: str) -> bool:
    match = SIDED_NAME.fullmatch(name)
    return match is not None and int(match["number"]) % 2 == 1


def _bare(name: str) -> str:
    """The name without what files write around it."""
    match = AROUND_NAME.match(name)
    return match["name"] if match else name  # no match: a line break inside


def _rows_by_electrode(names: Sequence[str]) -> dict[str, int]:
    """Row of every channel that is an electrode."""
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        if not is_electrode(name):
            continue
        electrode = canonical_name(name)
        if electrode in rows:
            raise SignalError(
                f"channels {names[rows[electrode]]!r} and {name!r} are both electrode {electrode}: keep one"
            )
        rows[electrode] = row
    return rows


@lru_cache(maxsize=1)
def _places() -> Mapping[str, Float64[np.ndarray, " 3"]]:
    """Coordinates by canonical name, metres."""
    import mne  # 0.3 s: only for those who need places

    montage = mne.channels.make_standard_montage(MONTAGE).get_positions()["ch_pos"]
    known = {name: np.asarray(place) for name, place in montage.items() if name not in OLD_NAMES}
    return known | {name: np.array(place) for name, place in PLACED_BY_HAND.items()}


@lru_cache(maxsize=1)
def _spellings() -> Mapping[str, str]:
    """Canonical name by upper-case name, old names too."""
    return {name.upper(): name for name in _places()} | OLD_NAMES
