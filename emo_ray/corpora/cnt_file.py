"""One Neuroscan CNT recording of the SEED corpora: any stretch of named channels in uV, never all at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from emo_ray.corpora.eeg_file import DataFormat, OpenEegFile, ReadRaw, open_eeg_file
from emo_ray.errors import CorpusError

AUTO_BELOW_BYTES = 2_000_000_000  # MNE finds the number of bits of smaller files only


@dataclass(frozen=True)
class CntFile:
    """An open recording; nothing but its header and its marks has been read."""

    file: Path
    opened: OpenEegFile

    @property
    def sfreq(self) -> float:
        """Hz."""
        return self.opened.sfreq

    @property
    def duration_s(self) -> float:
        """Seconds that are really in the file."""
        return self.opened.duration_s

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        """Seconds and code of every mark, in the order of time."""
        return tuple((event.onset_s, event.label) for event in self.opened.events)

    def span(
        self, names: Iterable[str], start_s: float, stop_s: float
    ) -> Float32[np.ndarray, "channels times"]:
        """Channels in the order asked for, in uV; upper and lower case are one. Shorter where the file ends.

        Raises
        ------
        CorpusError : a channel is not there, or twice; nothing of the stretch is there or can be read
        """
        found = self.opened.read(start_s, stop_s, self._spelled(names))
        others = sorted({unit for unit in found.units if unit != "uV"})
        if others:
            raise CorpusError(
                f"{self.file} has channels in {', '.join(others)}, where all are in uV: copy it again"
            )
        return found.values

    def _spelled(self, names: Iterable[str]) -> list[str]:
        """Names as the file spells them."""
        known = [channel.strip().upper() for channel in self.opened.channels]
        wanted = [name.upper() for name in names]
        wrong = [name for name in wanted if known.count(name) != 1]
        if wrong:
            raise CorpusError(
                f"{self.file} has not one channel each of {', '.join(wrong)}; it has "
                f"{', '.join(self.opened.channels)}: use the file as it was released"
            )
        return [self.opened.channels[known.index(name)] for name in wanted]


def open_cnt(file: Path, read_raw: ReadRaw | None = None) -> CntFile:
    """Read the header and the marks of a recording.

    Parameters
    ----------
    read_raw : opens it in place of MNE's reader, for tests

    Raises
    ------
    CorpusError : it is missing, no Neuroscan CNT file, or damaged
    """
    is_large = file.is_file() and file.stat().st_size >= AUTO_BELOW_BYTES
    width: DataFormat = "int32" if is_large else "auto"
    return CntFile(file, open_eeg_file(file, read_raw=read_raw, data_format=width))
