"""DEAP's raw BioSemi recordings: electrodes by name, bipolar leads, and where the videos start."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from emo_ray.corpora.recording import Signal
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import DEAP32

# Of BioSemi's 24 bits only the low ones are triggers; some files have others set (1638148 is 4).
LOW_BYTE = 0xFF
VIDEO_START, VIDEO_END = 4, 5
STATUS = "Status"
HEADER_BYTES = 256  # of the file, and again of each channel
SAMPLE_BYTES = 3
MAX_CHANNELS = 300
MICRO = 1e6  # MNE gives volts
DAMAGED = "copy or download it again"

# Names as in the release's description of the channels; the second electrode is taken off the first.
BIPOLAR = {
    "eog": (("hEOG", "EXG1", "EXG2"), ("vEOG", "EXG3", "EXG4")),
    "emg": (("zEMG", "EXG5", "EXG6"), ("tEMG", "EXG7", "EXG8")),
}
SINGLE = {
    "gsr": ("GSR", "GSR1"),
    "resp": ("Resp", "Resp"),
    "bvp": ("Pleth", "Plet"),
    "temp": ("Temp", "Temp"),
}

OTHERS = (
    *(name for leads in BIPOLAR.values() for lead in leads for name in lead[1:]),
    *(channel for _, channel in SINGLE.values()),
)


@dataclass(frozen=True)
class RawDeap:
    """One BDF file, its samples still on disk.

    Attributes
    ----------
    file : for messages
    raw : MNE's handle
    starts, ends : samples at which videos start and end, ascending
    """

    file: Path
    raw: Any
    starts: Int[np.ndarray, " starts"]
    ends: Int[np.ndarray, " ends"]

    @property
    def sfreq(self) -> float:
        """Hz."""
        return float(self.raw.info["sfreq"])

    @property
    def n_times(self) -> int:
        """Samples a channel."""
        return int(self.raw.n_times)

    @property
    def absent(self) -> tuple[str, ...]:
        """Channels beside the EEG that the release is said to have and the file does not."""
        places = self._places()
        return tuple(name for name in OTHERS if name.lower() not in places)

    def signals(self, start: int, stop: int) -> dict[str, Signal]:
        """All modalities of some samples, EEG in the order of the preprocessed release; not filtered."""
        rows = self._rows(start, stop)
        signals = {"eeg": self._signal([rows[name] for name in DEAP32], "uV", DEAP32)}
        for modality, leads in BIPOLAR.items():
            if all(name in rows for lead in leads for name in lead[1:]):
                values = [rows[first] - rows[second] for _, first, second in leads]
                signals[modality] = self._signal(values, "uV", tuple(lead[0] for lead in leads))
        for modality, (name, channel) in SINGLE.items():
            if channel in rows:
                signals[modality] = self._signal([rows[channel]], "arbitrary", (name,))
        return signals

    def _signal(self, values: list[np.ndarray], unit: str, channels: tuple[str, ...]) -> Signal:
        return Signal(np.stack(values).astype(np.float32), self.sfreq, unit, channels)

    def _places(self) -> dict[str, int]:
        return {name.lower(): place for place, name in enumerate(self.raw.ch_names)}

    def _rows(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Every wanted channel by name, in microvolts or in the number of the file; read in one go."""
        places = self._places()
        wanted = {name: places[name.lower()] for name in (*DEAP32, *OTHERS) if name.lower() in places}
        picks = sorted(wanted.values())
        block = self.raw.get_data(picks=picks, start=start, stop=stop)  # channels times
        units = self.raw._orig_units
        # MNE scales what is in volts, and leaves alone what is not
        scales = [
            MICRO if str(units.get(self.raw.ch_names[pick], "")).endswith("V") else 1.0 for pick in picks
        ]
        return {name: block[picks.index(pick)] * scales[picks.index(pick)] for name, pick in wanted.items()}


def open_raw(file: Path) -> RawDeap:
    """Open a BDF file and find its videos.

    Raises
    ------
    CorpusError : it is no BDF file, cut off, or lacks an electrode or the status channel; names those it has
    """
    check_length(file)
    raw = _opened(file)
    names = {name.lower() for name in raw.ch_names}
    missing = [name for name in (*DEAP32, STATUS) if name.lower() not in names]
    if missing:
        raise CorpusError(
            f"{file}: has no {', '.join(missing)}; its channels are {', '.join(raw.ch_names)[:600]}: use the "
            "original recording"
        )
    status = raw.get_data(picks=[STATUS])[0].astype(np.int64) & LOW_BYTE
    return RawDeap(file, raw, _onsets(status, VIDEO_START), _onsets(status, VIDEO_END))


def check_length(file: Path) -> None:
    """Hold the length of a BDF file against its header, before anybody believes either.

    Raises
    ------
    CorpusError : it is no BDF file, or longer or shorter than its header says
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(HEADER_BYTES)
            n_channels = int(head[252:256]) if head[:8] == b"\xffBIOSEMI" else 0
            if not 0 < n_channels <= MAX_CHANNELS:
                raise CorpusError(f"{file}: is no BDF file of {MAX_CHANNELS} channels at most: {DAMAGED}")
            channels = stream.read(HEADER_BYTES * n_channels)
        # samples a record: the last but one of the fields that follow each other, each for all channels
        fields = channels[216 * n_channels : 224 * n_channels]
        per_record = sum(int(fields[8 * k : 8 * k + 8]) for k in range(n_channels))
        wanted = HEADER_BYTES * (n_channels + 1) + SAMPLE_BYTES * per_record * int(head[236:244])
    except OSError as error:
        raise CorpusError(f"{file}: can not be read ({error.strerror or error}): {DAMAGED}") from error
    except ValueError as error:
        raise CorpusError(f"{file}: its header holds {error} where a number belongs: {DAMAGED}") from error
    found = file.stat().st_size
    if found != wanted:
        raise CorpusError(f"{file}: has {found} bytes where its header says {wanted}: {DAMAGED}")


def _opened(file: Path) -> Any:
    from mne.io import read_raw_bdf

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of filters and dates in the header, which nobody here uses
            return read_raw_bdf(file, preload=False, verbose="ERROR")
    # on damaged headers MNE raises nearly anything
    except Exception as error:
        raise CorpusError(f"{file}: can not be read ({type(error).__name__}: {error}): {DAMAGED}") from error


def _onsets(status: Int[np.ndarray, " times"], code: int) -> Int[np.ndarray, " onsets"]:
    """Samples at which a code begins."""
    is_code = status == code
    found: Int[np.ndarray, " onsets"] = np.flatnonzero(is_code & ~np.append(False, is_code[:-1]))
    return found
