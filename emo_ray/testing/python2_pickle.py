"""Pickles as Python 2 with NumPy 1 wrote them, which Python 3 can not: files as DEAP and WESAD ship.

Written here by hand: texts as strings of bytes, arrays under the old names of NumPy's modules.
"""

from collections.abc import Callable, Iterator, Mapping
from io import BufferedIOBase
from typing import Any, Literal

import numpy as np

Protocol = Literal[0, 2]
Value = str | int | np.ndarray | Mapping[str, Any]


def write_python2_pickle(value: Value, target: BufferedIOBase, protocol: Protocol = 2) -> None:
    """Write texts, whole numbers and arrays, in dictionaries of dictionaries.

    Parameters
    ----------
    value : what is to be written
    target : open for writing bytes
    protocol : 2 holds arrays as they lie in memory; 0, which Python 2 took by default, as text with escapes
    """
    if protocol == 2:
        target.write(b"\x80\x02")
    for piece in _pieces(value, protocol):
        target.write(piece)
    target.write(b".")


def _pieces(value: Value, protocol: Protocol) -> Iterator[bytes]:
    text, number = (_text_2, _number_2) if protocol == 2 else (_text_0, _number_0)
    if isinstance(value, Mapping):
        yield b"(d"
        for key, item in value.items():
            yield text(key.encode("latin1"))
            yield from _pieces(item, protocol)
            yield b"s"
    elif isinstance(value, str):
        yield text(value.encode("latin1"))
    elif isinstance(value, int):
        yield number(value)
    else:
        yield from _array(value, text, number)


def _array(
    values: np.ndarray, text: Callable[[bytes], bytes], number: Callable[[int], bytes]
) -> Iterator[bytes]:
    """An empty array, then its state: version, shape, type, order of the axes, content."""
    truth = {False: number(0), True: number(1)}
    yield b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
    yield b"(" + number(0) + b"t" + text(b"b") + b"tR"
    yield b"(" + number(1) + b"(" + b"".join(number(length) for length in values.shape) + b"t"
    code = values.dtype.str[1:].encode()
    yield b"cnumpy\ndtype\n(" + text(code) + truth[False] + truth[True] + b"tR"
    order = values.dtype.str[:1].encode()
    yield b"(" + number(3) + text(order) + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    is_fortran = values.flags.f_contiguous and not values.flags.c_contiguous
    yield truth[is_fortran]
    yield text(values.tobytes("F" if is_fortran else "C"))
    yield b"tb"


def _text_2(content: bytes) -> bytes:
    if len(content) < 256:
        return b"U" + bytes([len(content)]) + content
    return b"T" + len(content).to_bytes(4, "little") + content


def _text_0(content: bytes) -> bytes:
    return b"S" + repr(content)[1:].encode() + b"\n"


def _number_2(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little", signed=True)


def _number_0(value: int) -> bytes:
    return b"I%d\n" % value
