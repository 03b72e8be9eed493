"""What MNE believes without looking, checked before it opens a file: CNT, BrainVision and EEGLAB headers."""

import re
import struct
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

from emo_ray.corpora.mat_elements import TAG_BYTES, ElementTree
from emo_ray.corpora.mat_file import FILE_HEADER_BYTES, Mat5Stream
from emo_ray.corpora.mat_hdf5 import is_hdf5
from emo_ray.errors import CorpusError

# Where numbers stand in a Neuroscan CNT header (little-endian), after the format's description by P. Bourke.
N_CHANNELS_AT, RATE_AT, N_SAMPLES_AT, EVENT_TABLE_AT = 370, 376, 864, 886
HEADER_BYTES, CHANNEL_BYTES = 900, 75
MAX_CNT_BYTES = (
    2_000_000_000  # the place of the event table is a signed 32-bit number: above, it means nothing
)

# Where an EDF or BDF header has the number of signals, and the bytes of a label, transducer text and unit
# (Kemp et al. 1992, Electroenceph. Clin. Neurophysiol. 82(5), 391-393).
EDF_SIGNALS_AT, EDF_FIXED_BYTES = slice(252, 256), 256
LABEL_BYTES, TRANSDUCER_BYTES, UNIT_BYTES = 16, 80, 8

MAX_HEADER_BYTES = 2**20  # a BrainVision header has a few pages
MAX_CHANNELS = 10_000
# A header names its data and its markers, which lie beside it: any other place could be any file here.
COMPANION_LINE = re.compile(rb"^\s*(?:DataFile|MarkerFile)\s*=\s*(.*?)\s*$", re.MULTILINE | re.IGNORECASE)
N_CHANNELS_LINE = re.compile(rb"^\s*NumberOfChannels\s*=\s*(\d+)", re.MULTILINE | re.IGNORECASE)


class CntHeader(NamedTuple):
    """The numbers of a CNT header that the reading hangs on; ``event_table`` is a place in bytes."""

    n_channels: int
    sfreq: int
    n_samples: int
    event_table: int

    @property
    def data_start(self) -> int:
        """First byte of the samples."""
        return HEADER_BYTES + CHANNEL_BYTES * self.n_channels


def check_cnt_header(path: Path, data_format: Literal["auto", "int16", "int32"]) -> tuple[str, ...]:
    """Refuse a CNT file that holds fewer samples than it states; note one that holds more.

    Such a file MNE refuses with an error about array shapes, or, told to recompute the number, reads with the
    channels mixed up. Files above 2 GB are left to MNE: their header can not say where the samples end.

    Raises
    ------
    CorpusError : gives the numbers of the header, those of the file, and what to do
    """
    header, n_bytes = read_cnt_header(path), path.stat().st_size
    if header.n_channels == 0 or header.sfreq == 0:
        raise CorpusError(
            f"{path}: its header states {header.n_channels} channels at {header.sfreq} Hz: it is damaged or "
            "no Neuroscan CNT file, copy or export it again"
        )
    if n_bytes > MAX_CNT_BYTES or header.n_samples <= 0:
        return ()
    # cut off: the event table, which comes last, lies behind the end
    end = header.event_table if header.data_start < header.event_table <= n_bytes else n_bytes
    held = {width: (end - header.data_start) // (header.n_channels * width) for width in (2, 4)}
    widths = {"auto": (2, 4), "int16": (2,), "int32": (4,)}[data_format]
    if header.n_samples in (held[width] for width in widths):
        return ()
    numbers = (
        f"its header states {header.n_samples} samples of {header.n_channels} channels at {header.sfreq} Hz, "
        f"but bytes {header.data_start} to {end} of {n_bytes} hold {held[2]} of 16 bits or {held[4]} of 32"
    )
    if data_format == "auto" or header.n_samples > held[widths[0]]:
        raise CorpusError(
            f"{path} is no consistent Neuroscan CNT file: {numbers}. Copy it again; if it stays so, export "
            "it from Scan as a 4.x CNT or to EDF, or leave the recording out"
        )
    return (f"{numbers}; read as {data_format}, the rest is left out",)


def read_cnt_header(path: Path) -> CntHeader:
    """The numbers of a CNT header.

    Raises
    ------
    CorpusError : the file is shorter than a header
    """
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    if len(start) < HEADER_BYTES or not start.startswith(b"Version"):
        kind = "an ANT eeprobe file" if start.startswith(b"RIFF") else "no Neuroscan CNT file, or cut off"
        raise CorpusError(f"{path} is {kind}: its first bytes are {start[:12]!r}; export it as EDF")
    return CntHeader(
        *struct.unpack_from("<H", start, N_CHANNELS_AT),
        *struct.unpack_from("<H", start, RATE_AT),
        *struct.unpack_from("<i", start, N_SAMPLES_AT),
        *struct.unpack_from("<i", start, EVENT_TABLE_AT),
    )


def check_vhdr_header(path: Path) -> None:
    """Refuse a BrainVision header that is too large, leads elsewhere, or states impossibly many channels.

    MNE reserves memory for as many channels as it says.

    Raises
    ------
    CorpusError : names the number
    """
    n_bytes = path.stat().st_size
    if n_bytes > MAX_HEADER_BYTES:
        raise CorpusError(
            f"{path} has {n_bytes} bytes: no BrainVision header is that long; give the .vhdr file"
        )
    content = path.read_bytes()
    away = [name for name in COMPANION_LINE.findall(content) if re.search(rb"[/\\]|^\.\.?$", name)]
    if away:
        raise CorpusError(
            f"{path} leads to {away[0].decode('latin1')!a}: the data must lie beside the header"
        )
    found = N_CHANNELS_LINE.search(content)
    if found is None or not 0 < int(found[1]) <= MAX_CHANNELS:
        stated = "no number of channels" if found is None else f"{int(found[1])} channels"
        raise CorpusError(f"{path} states {stated}: it is damaged or no BrainVision header, copy it again")


def check_set_file(path: Path) -> None:
    """Refuse an EEGLAB file whose tree of MATLAB elements is damaged: SciPy would crash the process on some.

    Raises
    ------
    CorpusError : names the byte, or that the file holds what is not read (objects, MATLAB 7.3)
    """
    if is_hdf5(path):
        raise CorpusError(f"{path} is of MATLAB 7.3, which MNE does not read: save it with save(..., '-v7')")
    checked = FILE_HEADER_BYTES
    try:
        with path.open("rb") as stream:
            mat = Mat5Stream(stream, path)
            for variable in mat.variables():
                tree = ElementTree(mat.content(variable), mat.order, f"{path}, {variable.header.name!r},")
                tree.check()
                checked += TAG_BYTES + variable.size
    except (zlib.error, struct.error, ValueError) as error:
        raise CorpusError(f"{path} is damaged ({error}): copy it again or save it anew in EEGLAB") from error
    if checked != mat.n_bytes:
        raise CorpusError(
            f"{path} has {mat.n_bytes - checked} bytes of objects or function handles, which are not read: "
            "save it anew in EEGLAB without them"
        )


def edf_units(path: Path) -> tuple[str, ...]:
    """The unit of every signal of an EDF or BDF file as written, without its annotation channels.

    MNE keeps only units that it can write again: ``uS`` and ``degC`` are lost in it.

    Raises
    ------
    CorpusError : the header has no number of signals
    """
    with path.open("rb") as file:
        fixed = file.read(EDF_FIXED_BYTES)
        stated = fixed[EDF_SIGNALS_AT].decode("ascii", "replace").strip()
        if not (stated.isascii() and stated.isdigit()):
            raise CorpusError(f"{path}: its header states {stated!r} signals: it is damaged, copy it again")
        n = int(stated)
        labels = _texts(file.read(n * LABEL_BYTES), LABEL_BYTES)
        file.seek(n * TRANSDUCER_BYTES, 1)
        units = _texts(file.read(n * UNIT_BYTES), UNIT_BYTES)
    return tuple(
        unit for label, unit in zip(labels, units, strict=False) if not label.endswith(" Annotations")
    )


def _texts(block: bytes, width: int) -> list[str]:
    """The texts of equal width that make up a block."""
    return [block[at : at + width].decode("latin-1").strip() for at in range(0, len(block), width)]
