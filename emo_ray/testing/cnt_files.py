"""Neuroscan CNT files (32 bit, as of the SynAmps2 amplifier), written in one pass: no public writer exists.

Layout after the structures SETUP, ELECTLOC, TEEG and EVENT2 in Bourke, "EEG data file formats"
(paulbourke.net/dataformats/eeg): a header of 900 bytes, 75 bytes a channel, samples, and a table of events.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float

from emo_ray.errors import ConfigError
from emo_ray.files import atomic_path

HEADER_BYTES = 900
CHANNEL_BYTES = 75
SAMPLE_BYTES = 4
NAME_BYTES = 10
VERSION = b"Version 3.0\0"
EVENT_TYPE = 2
EVENT = struct.Struct("<HBclhhfccc")  # 19 bytes, of which readers use the code and the place in the file
TABLE_HEAD = struct.Struct("<Bll")  # type of event, bytes of all events, 0
LARGEST = 2**31 - 1  # places in the file are signed 32-bit numbers
CALIBRATION = 204.8  # uV a bit = sensitivity * calibration factor / 204.8
DISC_STEP = 2.399963  # golden angle, radians: spreads points evenly over a disc


@dataclass(frozen=True)
class CntLayout:
    """What the header of one file says.

    Attributes
    ----------
    channels : names, 10 letters at most
    sfreq : Hz, a whole number
    start : date and time of the first sample, in seconds
    resolution_uv : what one bit stands for; 0.0298 is usual of the SynAmps2
    """

    channels: tuple[str, ...]
    sfreq: int = 1000
    start: datetime = datetime(2018, 4, 14, 14, 0, 0)
    resolution_uv: float = 0.0298


@dataclass(frozen=True)
class Mark:
    """One event: the sample it is at, and its code (0 to 65535)."""

    sample: int
    code: int


def write_cnt(
    file: Path,
    layout: CntLayout,
    blocks: Iterable[Float[np.ndarray, "channels _"]],
    marks: Iterable[Mark] = (),
) -> Path:
    """Write blocks of samples in uV one after the other, so that a recording of 1 GB needs little memory.

    Parameters
    ----------
    blocks : a row a channel, any number of samples each; rounded to whole bits
    marks : in the order of the table, usually of time

    Raises
    ------
    ConfigError : a name is too long, or the file would pass 2 GB, where its own pointers end
    """
    _check_layout(layout)
    with atomic_path(file) as part, part.open("wb") as target:
        # places are known at the end: the first bytes are written twice
        target.write(bytes(HEADER_BYTES + CHANNEL_BYTES * len(layout.channels)))
        n_times = 0
        for block in blocks:
            target.write(_bits(block, layout).tobytes())
            n_times += block.shape[1]
            _check_size(file, layout, n_times)
        target.write(_event_table(marks, layout))
        target.seek(0)
        target.write(_header(layout, n_times) + b"".join(_channels(layout)))
    return file


def _check_layout(layout: CntLayout) -> None:
    long = [name for name in layout.channels if len(name.encode()) > NAME_BYTES]
    if long:
        raise ConfigError(f"CNT names have {NAME_BYTES} letters at most: shorten {', '.join(long)}")


def _check_size(file: Path, layout: CntLayout, n_times: int) -> None:
    if _data_end(layout, n_times) > LARGEST:
        raise ConfigError(
            f"{file} would pass 2 GB, where the pointers of a CNT file end: fewer than {n_times} samples of "
            f"{len(layout.channels)} channels fit"
        )


def _data_end(layout: CntLayout, n_times: int) -> int:
    n_channels = len(layout.channels)
    return HEADER_BYTES + n_channels * (CHANNEL_BYTES + SAMPLE_BYTES * n_times)


def _bits(block: Float[np.ndarray, "channels times"], layout: CntLayout) -> np.ndarray:
    """Whole numbers of the amplifier, multiplexed: all channels of a sample, then the next sample."""
    return np.ascontiguousarray(np.rint(block.T / layout.resolution_uv).astype("<i4"))  # times channels


def _header(layout: CntLayout, n_times: int) -> bytes:
    header = bytearray(HEADER_BYTES)
    header[: len(VERSION)] = VERSION
    date = layout.start.strftime("%m/%d/%y").encode()
    clock = layout.start.strftime("%H:%M:%S").encode()
    header[225 : 225 + len(date)] = date
    header[235 : 235 + len(clock)] = clock
    struct.pack_into("<H", header, 370, len(layout.channels))
    struct.pack_into("<H", header, 376, layout.sfreq)
    struct.pack_into("<i", header, 864, n_times)
    struct.pack_into("<i", header, 886, _data_end(layout, n_times))
    struct.pack_into("<f", header, 890, n_times / layout.sfreq)
    return bytes(header)


def _channels(layout: CntLayout) -> Iterable[bytes]:
    for index, name in enumerate(layout.channels):
        entry = bytearray(CHANNEL_BYTES)
        entry[: len(name)] = name.encode()
        # a place of its own on the screen: readers fit a sphere to these, none takes them for the electrode's
        radius, angle = 100 * np.sqrt((index + 1) / len(layout.channels)), DISC_STEP * index
        struct.pack_into("<ff", entry, 19, radius * np.cos(angle), radius * np.sin(angle))
        struct.pack_into("<f", entry, 59, layout.resolution_uv * CALIBRATION)  # sensitivity
        struct.pack_into("<f", entry, 71, 1.0)  # calibration factor
        yield bytes(entry)


def _event_table(marks: Iterable[Mark], layout: CntLayout) -> bytes:
    events = b"".join(_event(mark, layout) for mark in marks)
    return TABLE_HEAD.pack(EVENT_TYPE, len(events), 0) + events


def _event(mark: Mark, layout: CntLayout) -> bytes:
    # one sample later than the place of the sample itself: MNE takes one off
    place = _data_end(layout, mark.sample + 1)
    return EVENT.pack(mark.code, 0, b"\0", place, 0, 0, 0.0, b"\0", b"\0", b"\0")
