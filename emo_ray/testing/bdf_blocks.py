"""BDF files (24 bit), written in blocks of whole seconds: as BioSemi's recorder lays them out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int

from emo_ray.files import atomic_path

LOWEST, HIGHEST = -(2**23), 2**23 - 1
STEP_UV = 1 / 32  # BioSemi's: 2 ** 24 steps over +-262144 uV


@dataclass(frozen=True)
class Block:
    """Some seconds of all channels, in uV, and the number of the status channel at every sample."""

    signals: Float32[np.ndarray, "channels times"]
    status: Int[np.ndarray, " times"]


def write_bdf(file: Path, channels: tuple[str, ...], sfreq: int, blocks: Iterable[Block]) -> Path:
    """Write a recording; each block lasts whole seconds. The file appears whole or not at all."""
    n_records = 0
    with atomic_path(file) as part, part.open("wb") as target:
        target.write(_header((*channels, "Status"), sfreq, 0))
        for block in blocks:
            target.write(_records(block, sfreq))
            n_records += block.status.size // sfreq
        target.seek(0)
        target.write(_header((*channels, "Status"), sfreq, n_records))
    return file


def _records(block: Block, sfreq: int) -> bytes:
    """Records of a second: all samples of a channel, then all of the next, three bytes each."""
    steps = np.clip(np.rint(block.signals / STEP_UV), LOWEST, HIGHEST).astype("<i4")
    both = np.vstack([steps, block.status.astype("<i4")[None]])
    records = both.reshape(len(both), -1, sfreq).transpose(1, 0, 2)  # records channels times
    return np.ascontiguousarray(records).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def _header(channels: tuple[str, ...], sfreq: int, n_records: int) -> bytes:
    n_channels = len(channels)
    parts = [b"\xffBIOSEMI", _text("", 160), _text("01.01.0809.00.00", 16)]
    parts += [_text(256 * (n_channels + 1), 8), _text("24BIT", 44)]
    parts += [_text(n_records, 8), _text(1, 8), _text(n_channels, 4)]
    is_status = [name == "Status" for name in channels]
    microvolts = round(-LOWEST * STEP_UV)
    columns = (
        (16, channels),
        (80, ["Triggers and Status" if status else "Active Electrode" for status in is_status]),
        (8, ["Boolean" if status else "uV" for status in is_status]),
        (8, [LOWEST if status else -microvolts for status in is_status]),
        (8, [HIGHEST if status else microvolts for status in is_status]),
        (8, [LOWEST] * n_channels),
        (8, [HIGHEST] * n_channels),
        (80, ["No filtering"] * n_channels),
        (8, [sfreq] * n_channels),
        (32, [""] * n_channels),
    )
    parts += [_text(value, width) for width, values in columns for value in values]
    return b"".join(parts)


def _text(value: str | int, width: int) -> bytes:
    return str(value).ljust(width).encode("ascii")
