"""EEG files of seven formats through one door: EDF, BDF, BrainVision, FIF, EGI, EEGLAB and Neuroscan CNT.

MNE reads them. What it raises or warns about becomes an error or a note of ours, values come in the unit that
the file declares instead of volts, and only the stretch and the channels that are asked for are in memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from emo_ray.corpora.eeg_headers import check_cnt_header, check_set_file, check_vhdr_header
from emo_ray.corpora.eeg_kinds import Kind, channel_kinds, channel_scales
from emo_ray.corpora.mne_calls import carefully
from emo_ray.errors import CorpusError

DataFormat = Literal["auto", "int16", "int32"]
ReadRaw = Callable[[Path], Any]
"""Opens a file as MNE's ``Raw`` without loading it."""

MAX_VALUES = 10**9  # 4 GB in single precision: an hour of 66 channels at 1000 Hz is a quarter of that
CHUNK_VALUES = 2**23  # MNE reads in double precision: 64 MB at a time
SAME_SAMPLE = 0.5  # of a sample: what rounding may move an end by

COMPANIONS = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set"}
"""Files that only their header can open."""

FORMATS = {
    ".edf": "European Data Format",
    ".bdf": "BioSemi, 24 bit",
    ".vhdr": "BrainVision, with .eeg and .vmrk beside it",
    ".fif": "FIF",
    ".raw": "EGI simple binary",
    ".set": "EEGLAB, perhaps with .fdt beside it",
    ".cnt": "Neuroscan continuous",
}


@dataclass(frozen=True)
class EegEvent:
    """A marker in a file: seconds from the first sample that was read, and its text."""

    onset_s: float
    label: str


@dataclass(frozen=True)
class EegFile:
    """A stretch of a recording.

    Attributes
    ----------
    values : in the unit of each channel, as recorded; for triggers the numbers themselves
    sfreq : Hz, of all channels
    channels, units, kinds : one a row; a unit is ``"arbitrary"`` where the file declares none
    events : with an onset in the stretch
    start_s : of the stretch in the file
    notes : facts that a reader of the report should know
    """

    values: Float32[np.ndarray, "channels times"]
    sfreq: float
    channels: tuple[str, ...]
    units: tuple[str, ...]
    kinds: tuple[Kind, ...]
    events: tuple[EegEvent, ...]
    start_s: float = 0.0
    notes: tuple[str, ...] = ()

    def rows(self, kind: Kind) -> list[int]:
        """Rows of all channels of a kind, in the order of the file."""
        return [row for row, found in enumerate(self.kinds) if found == kind]


@dataclass(frozen=True)
class OpenEegFile:
    """A recording of which only the header and the events have been read; give it up to close it.

    Attributes
    ----------
    path : of the file, or of its header where there are several
    raw : as MNE holds it
    scales : from MNE's values to the declared unit, one a channel
    duration_s : seconds that the file holds
    events : of the whole file
    """

    path: Path
    raw: Any
    sfreq: float
    channels: tuple[str, ...]
    units: tuple[str, ...]
    kinds: tuple[Kind, ...]
    scales: tuple[float, ...]
    duration_s: float
    events: tuple[EegEvent, ...]
    notes: tuple[str, ...]

    def read(
        self, start_s: float = 0.0, stop_s: float | None = None, channels: Sequence[str] = ()
    ) -> EegFile:
        """A stretch, from the sample nearest to its start; shorter, with a note, where the file ends before.

        Parameters
        ----------
        start_s, stop_s : seconds from the first sample; None reads to the end
        channels : names as in the file, in the order wanted; empty for all

        Raises
        ------
        CorpusError : a channel is not there, the stretch has no sample or too many, or can not be read
        """
        rows = self._rows(channels)
        start, stop, notes = self._samples(start_s, stop_s)
        if len(rows) * (stop - start) > MAX_VALUES:
            raise CorpusError(
                f"{self.path}: {len(rows)} channels of {stop - start} samples are more than {MAX_VALUES} "
                "values at once: give start_s and stop_s, or the channels that are needed"
            )
        values, warned = carefully(
            lambda: self._values(rows, start, stop), f"{self.path} can not be read to its end"
        )
        first_s = start / self.sfreq
        return EegFile(
            values=values,
            sfreq=self.sfreq,
            channels=tuple(self.channels[row] for row in rows),
            units=tuple(self.units[row] for row in rows),
            kinds=tuple(self.kinds[row] for row in rows),
            events=tuple(
                EegEvent(event.onset_s - first_s, event.label)
                for event in self.events
                if start - SAME_SAMPLE <= event.onset_s * self.sfreq < stop - SAME_SAMPLE
            ),
            start_s=first_s,
            notes=(*self.notes, *notes, *warned),
        )

    def _rows(self, channels: Sequence[str]) -> list[int]:
        unknown = [name for name in channels if name not in self.channels]
        if unknown:
            raise CorpusError(
                f"{self.path} has no channel {', '.join(unknown)}; it has {', '.join(self.channels)}"
            )
        return [self.channels.index(name) for name in channels] or list(range(len(self.channels)))

    def _samples(self, start_s: float, stop_s: float | None) -> tuple[int, int, tuple[str, ...]]:
        """First and last-but-one sample of a stretch, and what is odd about it."""
        n_times = int(self.raw.n_times)
        start = round(start_s * self.sfreq)
        asked = n_times if stop_s is None else round(stop_s * self.sfreq)
        if not 0 <= start < min(asked, n_times):
            end = "the end" if stop_s is None else f"{stop_s:g} s"
            raise CorpusError(
                f"{self.path} has nothing from {start_s:g} s to {end}: it holds {self.duration_s:g} s; "
                "check the table of times, or whether the file was copied whole"
            )
        if asked <= n_times:
            return start, asked, ()
        note = f"ends at {self.duration_s:g} s, {(asked - n_times) / self.sfreq:.2f} s before {stop_s:g} s"
        return start, n_times, (note,)

    def _values(self, rows: list[int], start: int, stop: int) -> Float32[np.ndarray, "channels times"]:
        values = np.empty((len(rows), stop - start), dtype=np.float32)
        scales = np.array([self.scales[row] for row in rows])[:, None]
        step = max(CHUNK_VALUES // len(rows), 1)
        for begin in range(start, stop, step):
            end = min(begin + step, stop)
            piece = self.raw.get_data(picks=rows, start=begin, stop=end, verbose="warning")
            values[:, begin - start : end - start] = piece * scales
        return values


def read_eeg_file(
    path: Path,
    *,
    start_s: float = 0.0,
    stop_s: float | None = None,
    channels: Sequence[str] = (),
    read_raw: ReadRaw | None = None,
    data_format: DataFormat = "auto",
) -> EegFile:
    """Read an EEG file, or a stretch of it, whatever its format.

    Parameters
    ----------
    path : a file whose ending is one of `FORMATS`, in any case
    start_s, stop_s : seconds from the first sample; None reads to the end
    channels : names as in the file, in the order wanted; empty for all
    read_raw : opens the file in place of MNE's reader, for any ending
    data_format : bytes of a CNT sample, which MNE can not tell in files above 2 GB

    Raises
    ------
    CorpusError : no such file, unknown ending, damaged or inconsistent content
    """
    return open_eeg_file(path, read_raw=read_raw, data_format=data_format).read(start_s, stop_s, channels)


def open_eeg_file(
    path: Path, *, read_raw: ReadRaw | None = None, data_format: DataFormat = "auto"
) -> OpenEegFile:
    """Read header and events only, for a reader that wants several stretches of one large file.

    Parameters
    ----------
    path, read_raw, data_format : as in `read_eeg_file`

    Raises
    ------
    CorpusError : no such file, unknown ending, damaged or inconsistent header
    """
    if not path.is_file():
        raise CorpusError(f"{path} is no file: set the path to an EEG file")
    suffix = path.suffix.lower()
    found: tuple[str, ...] = ()
    if read_raw is None:
        found = _check_before(path, suffix, data_format)
        read_raw = _reader(path, suffix, data_format)
    opener = read_raw
    raw, warned = carefully(lambda: opener(path), f"{path} can not be read as {FORMATS.get(suffix, 'EEG')}")
    opened, said = carefully(lambda: _opened(path, raw), f"the header of {path} makes no sense")
    notes = (*found, *warned, *opened.notes, *said)
    return OpenEegFile(**{**vars(opened), "notes": tuple(dict.fromkeys(notes))})


def _check_before(path: Path, suffix: str, data_format: DataFormat) -> tuple[str, ...]:
    """What MNE would believe without looking; what is merely odd comes back as notes."""
    if suffix in COMPANIONS:
        header = path.with_suffix(COMPANIONS[suffix])
        raise CorpusError(f"{path} holds no header: give {header.name} beside it")
    if suffix not in FORMATS:
        known = "; ".join(f"{ending} ({what})" for ending, what in FORMATS.items())
        raise CorpusError(f"{path}: no EEG format ends in {suffix!r}; known are {known}")
    if suffix == ".cnt":
        return check_cnt_header(path, data_format)
    if suffix == ".vhdr":
        check_vhdr_header(path)
    if suffix == ".set":
        check_set_file(path)
    return ()


def _reader(path: Path, suffix: str, data_format: DataFormat) -> ReadRaw:
    """MNE's reader for an ending."""
    import mne  # 0.3 s: only for those who read such files

    if suffix == ".cnt":
        # never recompute_n_samples: with it MNE 1.13 opens inconsistent files and mixes their channels up
        return lambda file: mne.io.read_raw_cnt(file, data_format=data_format, verbose="warning")
    readers: dict[str, Callable[..., Any]] = {
        ".edf": mne.io.read_raw_edf,
        ".bdf": mne.io.read_raw_bdf,
        ".vhdr": mne.io.read_raw_brainvision,
        ".fif": mne.io.read_raw_fif,
        ".raw": mne.io.read_raw_egi,
        ".set": mne.io.read_raw_eeglab,
    }
    return lambda file: readers[suffix](file, preload=False, verbose="warning")


def _opened(path: Path, raw: Any) -> OpenEegFile:
    """What the header says, checked for sense."""
    sfreq, n_times = float(raw.info["sfreq"]), int(raw.n_times)
    if not (np.isfinite(sfreq) and sfreq > 0 and n_times > 0 and raw.ch_names):
        raise CorpusError(
            f"{path} states {len(raw.ch_names)} channels of {n_times} samples at {sfreq:g} Hz: it is empty "
            "or damaged, copy it again"
        )
    folder = path.resolve().parent
    outside = [
        str(file) for file in raw.filenames if file and not Path(file).resolve().is_relative_to(folder)
    ]
    if outside:  # a header names its data file, and could name any file of this machine
        raise CorpusError(f"{path} leads to {', '.join(outside)}: the data must lie beside the header")
    kinds, kind_notes = channel_kinds(raw)
    scales, units, unit_notes = channel_scales(raw, path, kinds)
    return OpenEegFile(
        path=path,
        raw=raw,
        sfreq=sfreq,
        channels=tuple(raw.ch_names),
        units=units,
        kinds=kinds,
        scales=scales,
        duration_s=n_times / sfreq,
        events=_events(raw),
        notes=kind_notes + unit_notes,
    )


def _events(raw: Any) -> tuple[EegEvent, ...]:
    """All annotations in order of time, from the first sample on."""
    annotations = raw.annotations
    # with a date of its own an annotation counts from the start of the acquisition, not of the file
    shift_s = raw.first_time if annotations.orig_time is not None else 0.0
    onsets_s = [float(onset) - shift_s for onset in annotations.onset]
    labels = [str(label) for label in annotations.description]
    return tuple(EegEvent(*event) for event in sorted(zip(onsets_s, labels, strict=True)))
