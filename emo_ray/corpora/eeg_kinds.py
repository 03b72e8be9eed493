"""What the channels of an EEG file are, and in which unit: from MNE, the header, and the name."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from emo_ray.corpora.eeg_headers import edf_units
from emo_ray.signals.electrodes import is_electrode

Kind = Literal["eeg", "eog", "ecg", "emg", "misc", "stim"]

KNOWN_BY_MNE: dict[str, Kind] = {"eeg": "eeg", "eog": "eog", "ecg": "ecg", "emg": "emg", "stim": "stim"}

# EDF and BDF have no types, and MNE calls all of it EEG; the names follow EDF+ ("ECG ECG1"), NeuroScan
# ("HEO", "VEO") and BioSemi ("EXG1", "Resp", "Plet"). The first that matches counts.
KINDS_BY_NAME: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"\b(STATUS|D?TRIG\w*|STI\s?\d+|DIG)\b"), "stim"),
    (re.compile(r"EOG|\b[HV]EO[LRUDG]?\b"), "eog"),
    (re.compile(r"ECG|EKG"), "ecg"),
    (re.compile(r"EMG"), "emg"),
    (re.compile(r"\b(EXG\d+|GSR\d*|EDA|RESP\w*|PLET\w*|TEMP\w*|ERGO\w*|SPO2|PULSE)\b"), "misc"),
)

ARBITRARY = "arbitrary"
MICRO = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})
# What MNE divides by where a file declares a unit (EDF and BDF: read from its own record instead).
SCALED_BY_MNE = {"V": 1.0, "mV": 1e3, "uV": 1e6, "nV": 1e9, "uS": 1e6}
VOLT_KINDS = ("eeg", "eog", "ecg", "emg")
EDF_SUFFIXES = (".edf", ".bdf")
MAX_NAMED = 6

ASSUMED_UNITS = {
    ".set": "EEGLAB files declare no unit; MNE takes the numbers for uV",
    ".raw": "EGI files declare no unit; MNE takes the numbers for uV",
}


def channel_kinds(raw: Any) -> tuple[tuple[Kind, ...], tuple[str, ...]]:
    """The kind of each channel, and a note where the name says other than MNE.

    Parameters
    ----------
    raw : MNE's ``Raw``
    """
    stated = [KNOWN_BY_MNE.get(kind, "misc") for kind in raw.get_channel_types()]
    kinds = tuple(
        _by_name(name) if kind == "eeg" else kind for name, kind in zip(raw.ch_names, stated, strict=True)
    )
    changed = [
        f"{name} ({kind})"
        for name, kind, told in zip(raw.ch_names, kinds, stated, strict=True)
        if kind != told
    ]
    notes = (f"typed by their names, the file says EEG: {_some(changed)}",) if changed else ()
    return kinds, notes


def channel_scales(
    raw: Any, path: Path, kinds: tuple[Kind, ...]
) -> tuple[tuple[float, ...], tuple[str, ...], tuple[str, ...]]:
    """From MNE's values to those of the file, one factor a channel; the units; and notes about them.

    A file that declares no unit has uV where MNE has volts. Triggers have no unit.

    Parameters
    ----------
    raw : MNE's ``Raw``
    path : of the file, whose ending tells the format
    kinds : as `channel_kinds` gives them
    """
    suffix = path.suffix.lower()
    applied = _applied_by_edf(raw) if suffix in EDF_SUFFIXES else None
    written = edf_units(path) if applied is not None else ()
    if len(written) == len(raw.ch_names):
        declared = {name: _plain_unit(unit) for name, unit in zip(raw.ch_names, written, strict=True)}
    else:
        declared = _units_of_mne(raw)
    scales, units = [], []
    for row, (name, kind) in enumerate(zip(raw.ch_names, kinds, strict=True)):
        stated = raw.get_channel_types(picks=[row])[0]
        unit = declared.get(name, "uV" if stated in VOLT_KINDS and not declared else ARBITRARY)
        factor = SCALED_BY_MNE.get(unit, 1.0) if applied is None else 1.0 / applied[row]
        # MNE gives triggers as the numbers in the file, whatever their unit
        scales.append(1.0 if stated == "stim" else factor)
        units.append(ARBITRARY if kind == "stim" else unit)
    return tuple(scales), tuple(units), _unit_notes(raw, suffix, tuple(units))


def _by_name(name: str) -> Kind:
    if is_electrode(name):
        return "eeg"
    upper = name.upper().replace("_", " ")
    return next((kind for pattern, kind in KINDS_BY_NAME if pattern.search(upper)), "eeg")


def _units_of_mne(raw: Any) -> dict[str, str]:
    """Units by channel as MNE keeps them, in private; empty for formats without."""
    found = getattr(raw, "_orig_units", None) or {}
    return {name: _plain_unit(unit) for name, unit in found.items()}


def _plain_unit(unit: str) -> str:
    plain = unit.translate(MICRO)
    return ARBITRARY if plain in ("", "n/a") else plain


def _applied_by_edf(raw: Any) -> list[float] | None:
    """What MNE multiplied each channel by: it knows uV and mV, and takes all else as it is."""
    extras = raw._raw_extras[0] if getattr(raw, "_raw_extras", None) else {}
    applied = [float(factor) for factor in extras.get("units", ())] if isinstance(extras, dict) else []
    return applied if len(applied) == len(raw.ch_names) else None


def _unit_notes(raw: Any, suffix: str, units: tuple[str, ...]) -> tuple[str, ...]:
    notes = [ASSUMED_UNITS[suffix]] if suffix in ASSUMED_UNITS else []
    if len(set(units)) > 1:
        counts = Counter(units).most_common()
        # the most frequent one needs no names
        parts = [f"{counts[0][1]} in {counts[0][0]}"]
        for unit, _ in counts[1:]:
            names = [name for name, found in zip(raw.ch_names, units, strict=True) if found == unit]
            parts.append(f"{len(names)} in {unit} ({_some(names)})")
        notes.append(f"channels are in different units: {', '.join(parts)}")
    slow = _slower_channels(raw)
    if slow:
        notes.append(f"recorded at lower rates, brought to {raw.info['sfreq']:g} Hz by MNE: {_some(slow)}")
    return tuple(notes)


def _slower_channels(raw: Any) -> list[str]:
    """Channels of EDF and BDF files that have fewer samples a record than the fastest."""
    extras = raw._raw_extras[0] if getattr(raw, "_raw_extras", None) else {}
    if not isinstance(extras, dict):
        return []
    annotations = set(extras.get("tal_idx", ()))  # channels of EDF+ that hold no signal
    n_samples = [n for row, n in enumerate(extras.get("n_samps", ())) if row not in annotations]
    if len(n_samples) != len(raw.ch_names):
        return []
    return [name for name, n in zip(raw.ch_names, n_samples, strict=True) if n < max(n_samples)]


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:MAX_NAMED])
    return shown if len(names) <= MAX_NAMED else f"{shown} and {len(names) - MAX_NAMED} more"
