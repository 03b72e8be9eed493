"""Unpickling data, never code: numbers, texts, lists, dictionaries and NumPy arrays, and nothing else.

A pickle is a program for a machine with a stack, which Python's own unpickler runs with the power to import
and call anything. Here is a second machine, which knows the operations that data need and has no power at
all: what a pickle names becomes a `_Name`, of which seven are understood; NumPy is called with checked
arguments only; every length is held against what the file has left. A file of arrays has few operations, its
bulk is read in one piece an array, so this takes no longer than ``pickle.load``.
"""

import codecs
import io
import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emo_ray.errors import CorpusError

NamePair = tuple[str, str]  # module and name in it, as a pickle spells them

MAX_OPERATIONS = 200_000  # a released file of any corpus has a few thousand
MAX_NUMBER_BYTES = 8  # of an integer: longer ones are slow to read, and hash as an attacker likes
MAX_LINE_BYTES = 400  # of a name or a number in a protocol 0 pickle
MAX_NAME_LETTERS = 200
MAX_DEPTH = 40  # of containers in containers; one that holds itself is refused by this, too
MAX_AXES = 32  # as NumPy had before its second version
BUDGET_SHARE = 2  # bytes of arrays and texts made, at most, for each byte of the file
BUDGET_FLOOR = 1 << 16  # bytes

MAX_EMPTY_AXIS = 1 << 24  # of an array without content, of which any number could be stated
LAST_LETTER = 0x10FFFF  # of Unicode

_PLAIN = (bool, int, float, str, np.generic, type(None))
# Of complex numbers any number can be made that hash alike: a dictionary of them takes time by the square.
_KEYS = (bytes, str, int, float, np.integer, np.floating, np.character, np.bool_)
# Numbers and short texts, none of no length: of those a file could state any number.
_DTYPE = re.compile(r"[<>|=]?(?:[biufc]\d{1,2}|[SU][1-9]\d{0,2})")


def load_pickle(content: bytes | io.BufferedIOBase, source: str, encoding: str = "latin1") -> Any:
    """What a pickle of a corpus holds: numbers, texts, lists, tuples, dictionaries, NumPy arrays and scalars.

    Python 2's files open as well as Python 3's, with old and new names of NumPy's modules. Texts of Python 2
    and bytes both come as text. Peak memory is about what the file holds.

    Parameters
    ----------
    content : the pickle, or a file that stands open at its start and can seek: the better for a large one
    source : for messages: the file, and where in it
    encoding : of Python 2's texts

    Raises
    ------
    CorpusError : it is truncated, garbled, or holds anything else; nothing of it was run
    """
    try:
        return unpickled(content, encoding=encoding)
    except ValueError as error:
        raise CorpusError(
            f"{source}: not read, as {error}. Nothing of it was run. Get the file again from those who "
            "released it"
        ) from error


def unpickled(
    content: bytes | io.BufferedIOBase,
    *,
    classes: Mapping[NamePair, type] | None = None,
    encoding: str = "latin1",
) -> Any:
    """As `load_pickle`, for pickles that may also hold objects of some known classes.

    Parameters
    ----------
    classes : by module and name; only their ``__setstate__`` is called, with checked plain values, at the end

    Raises
    ------
    ValueError : says what is wrong, to follow "as"
    """
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        n_bytes = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        found = _Machine(stream, n_bytes, classes or {}).run()
        return _Settling(encoding).settled(found, 0)
    except _RefusedError as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        raise ValueError(f"it can not be read ({error.strerror or error})") from error
    # Bytes that are no pickle empty the stack, name what is not there, spell no number: any of these.
    except (
        LookupError,
        ValueError,
        TypeError,
        ArithmeticError,
        AttributeError,
        MemoryError,
        Warning,
    ) as error:
        raise ValueError(f"it is a damaged pickle ({type(error).__name__}: {str(error)[:200]!a})") from error


class _RefusedError(Exception):
    """A pickle that is or may be hostile; the message says why."""


@dataclass(frozen=True)
class _Name:
    """A function or class that the pickle names; nobody imports it."""

    module: str
    name: str


@dataclass
class _Object:
    """An object of an allowed class, and the state it is to get."""

    cls: Any
    state: Any = None


@dataclass
class _Dtype:
    """A NumPy number type as a pickle describes it: its code first, its byte order later."""

    dtype: np.dtype[Any]
    is_set: bool = False

    @classmethod
    def of(cls, code: object, *_: object) -> "_Dtype":
        """From a code such as ``f8``; never of Python objects or records, whose bytes would be addresses."""
        text = _text(code)
        if not _DTYPE.fullmatch(text):
            raise _RefusedError(f"it holds an array of type {text[:40]!r}, which is neither number nor text")
        return cls(np.dtype(text))

    def build(self, state: Any) -> None:
        """``(version, byte order, subarray, names, fields, item size, ...)``: the order may be anything.

        NumPy's own would believe an item size or fields that do not fit the type, and read foreign memory.
        """
        order = _text(state[1])
        if self.is_set or order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise _RefusedError("it describes an array of records, or a type twice")
        if state[5] not in (-1, self.dtype.itemsize):
            raise _RefusedError(f"it gives a type of {self.dtype.itemsize} bytes another size")
        self.dtype, self.is_set = self.dtype.newbyteorder(order), True  # type: ignore[arg-type]


@dataclass
class _Array:
    """A NumPy array as a pickle describes it; ``values`` is None until it has."""

    values: np.ndarray | None = None

    def build(self, state: Any) -> None:
        """``(version, shape, type, is in Fortran's order, content)``, the version not in the oldest files."""
        shape, dtype, is_fortran, content = state[-4:]
        if self.values is not None or not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
            raise _RefusedError("it describes an array twice, or without a type or its bytes")
        checked = _checked_shape(shape, dtype.dtype.itemsize, len(content))
        _check_letters(dtype.dtype, content)
        found: np.ndarray = np.empty(0, dtype.dtype)
        # All five are checked by now. NumPy's own way to take them over copies nothing but small arrays.
        found.__setstate__((1, checked, dtype.dtype, bool(is_fortran), content))  # type: ignore[arg-type]
        self.values = found


def _checked_shape(shape: object, item_bytes: int, n_bytes: int) -> tuple[int, ...]:
    # Not shown: the text of a list that holds another twice, which holds another twice, may have no end.
    if not isinstance(shape, tuple) or len(shape) > MAX_AXES:
        raise _RefusedError(f"it holds an array of no shape, or of more than {MAX_AXES} axes")
    if any(type(length) is not int or length < 0 for length in shape):
        raise _RefusedError("it holds an array with an axis of no length")
    if n_bytes == 0 and max(shape, default=0) > MAX_EMPTY_AXIS:
        raise _RefusedError("it holds an array without content and of absurd shape")
    if math.prod(shape) * item_bytes != n_bytes:
        raise _RefusedError(
            f"it holds {n_bytes} bytes for an array of shape {shape} with {item_bytes} bytes a number"
        )
    return shape


def _check_letters(dtype: np.dtype[Any], content: bytes) -> None:
    """Letters that do not exist would break whoever shows or compares them."""
    if dtype.kind == "U" and content:
        codes = np.frombuffer(content, np.dtype("u4").newbyteorder(dtype.byteorder))
        if int(codes.max()) > LAST_LETTER:
            raise _RefusedError("it holds a text of letters that do not exist")


def _text(content: object) -> str:
    """A short name, which Python 2 pickles as bytes."""
    if not isinstance(content, bytes | str) or len(content) > MAX_NAME_LETTERS:
        raise _RefusedError(f"it has a {type(content).__name__} where a name belongs")
    return content.decode("latin1") if isinstance(content, bytes) else content


class _Machine:
    """Runs the operations of one pickle.

    Missing on purpose, as data do not need them: persistent ids, the extension registry, sets, buffers from
    outside, and three further ways to call a class.
    """

    def __init__(self, stream: io.BufferedIOBase, n_bytes: int, classes: Mapping[NamePair, type]) -> None:
        self._stream = stream
        self._n_bytes = n_bytes
        self._classes = classes
        self._budget = BUDGET_FLOOR + BUDGET_SHARE * n_bytes
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Every operation up to STOP; what then lies on the stack."""
        for _ in range(MAX_OPERATIONS):
            operation = self._stream.read(1)
            if operation == b".":
                return self._stack.pop()
            if not operation:
                raise _RefusedError(f"it ends after {self._n_bytes} bytes, before the end of its pickle")
            if operation not in _OPERATIONS:
                at = self._stream.tell() - 1
                raise _RefusedError(
                    f"it has the operation {operation!r} at byte {at}, which data do not need"
                )
            _OPERATIONS[operation](self)
        raise _RefusedError(f"it has more than {MAX_OPERATIONS} operations, as no released file does")

    # Reading what follows an operation.

    def number(self, n_bytes: int, *, signed: bool = False) -> int:
        """A whole number, its lowest byte first."""
        return int.from_bytes(self.take(n_bytes), "little", signed=signed)

    def take(self, n_bytes: int) -> bytes:
        """So many bytes of the file."""
        left = self._n_bytes - self._stream.tell()
        # Looked at before reading: a claim of 8 bytes could ask for all memory.
        if n_bytes > left:
            raise _RefusedError(
                f"it announces {n_bytes} bytes where {left} are left: it is truncated or garbled"
            )
        return self._stream.read(n_bytes)

    def counted(self, n_bytes: int) -> bytes:
        """Content behind its length, which is a number of so many bytes."""
        return self.take(self.number(n_bytes))

    def integer(self, n_bytes: int) -> int:
        """A whole number behind its length."""
        content = self.counted(n_bytes)
        if len(content) > MAX_NUMBER_BYTES:
            raise _RefusedError(f"it holds an integer of {len(content)} bytes")
        return int.from_bytes(content, "little", signed=True)

    def line(self, limit: int = MAX_LINE_BYTES) -> bytes:
        """Up to the end of the line; ``limit`` -1 is none."""
        found = self._stream.readline(limit)
        if not found.endswith(b"\n"):
            raise _RefusedError("it ends within a line, or has an overlong name or number")
        return found[:-1]

    def quoted(self) -> bytes:
        """A text of Python 2 in quotes on a line of its own: so protocol 0 holds arrays, too."""
        content = self.line(limit=-1)
        if len(content) < 2 or content[:1] not in (b"'", b'"') or content[:1] != content[-1:]:
            raise _RefusedError("it has a text without quotes")
        found, _ = codecs.escape_decode(memoryview(content)[1:-1])
        return found

    # The stack.

    def push(self, value: Any) -> None:
        """Onto the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Off the stack; never what lies below the last mark."""
        if self._marks and len(self._stack) <= self._marks[-1]:
            raise _RefusedError("it takes more off its stack than it laid down")
        return self._stack.pop()

    def mark(self) -> None:
        """Note the height of the stack."""
        self._marks.append(len(self._stack))

    def marked(self) -> list[Any]:
        """All above the last mark, off the stack."""
        start = self._marks.pop()
        found = self._stack[start:]
        del self._stack[start:]
        return found

    def popped(self, n_values: int) -> list[Any]:
        """The last so many values, in the order in which they were laid down."""
        return [self.pop() for _ in range(n_values)][::-1]

    def duplicate(self) -> None:
        """The topmost value again."""
        self.push(self._stack[-1])

    def memoize(self, index: int | None = None) -> None:
        """Keep the topmost value under a number, the next one by default."""
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def recall(self, index: int) -> None:
        """What was kept under a number."""
        self.push(self._memo[index])

    # Containers.

    def extend(self, values: list[Any]) -> None:
        """Values onto the list that is topmost."""
        target = self._stack[-1]
        if type(target) is not list:
            raise _RefusedError(f"it appends to a {type(target).__name__}")
        target.extend(values)

    def update(self, values: list[Any]) -> None:
        """Keys and values, in turn, into the dictionary that is topmost."""
        target = self._stack[-1]
        if type(target) is not dict or len(values) % 2:
            raise _RefusedError(f"it sets items of a {type(target).__name__}")
        target |= _dictionary(zip(values[::2], values[1::2], strict=True))

    # Names, and the few calls that are understood.

    def name(self, module: object, name: object) -> None:
        """A name, if it is one of those below or of an allowed class."""
        found = _Name(_text(module), _text(name))
        if found not in _CALLS and found != _NDARRAY and (found.module, found.name) not in self._classes:
            raise _RefusedError(f"it names {_shown(found)}, which is not data")
        self.push(found)

    def reduce(self) -> None:
        """The result of a call."""
        called, arguments = self.popped(2)
        if not isinstance(called, _Name) or called not in _CALLS or not isinstance(arguments, tuple):
            raise _RefusedError(f"it calls {_shown(called)}, which is not to be called")
        self.push(_CALLS[called](self, *arguments))

    def new(self) -> None:
        """An object of an allowed class; its state follows."""
        called, arguments = self.popped(2)
        if (
            not isinstance(called, _Name)
            or (called.module, called.name) not in self._classes
            or arguments != ()
        ):
            raise _RefusedError(f"it makes an object from {_shown(called)}")
        self.push(_Object(self._classes[called.module, called.name]))

    def build(self) -> None:
        """Give the topmost object its state."""
        state = self.pop()
        target = self._stack[-1]
        if isinstance(target, _Object):
            target.state = state
        elif isinstance(target, _Array | _Dtype):
            if isinstance(target, _Array):
                self.charge(len(state[-1]))
            target.build(state)
        else:
            raise _RefusedError(f"it changes {_shown(target)}")

    def charge(self, n_bytes: int) -> None:
        """One small file may use one long text a thousand times over: all copies count."""
        self._budget -= n_bytes
        if self._budget < 0:
            raise _RefusedError("it would unpack into far more than it holds")

    def reconstructed(self, cls: object, shape: object, *_: object) -> _Array:
        """An array without content, as NumPy begins all of its own."""
        if cls != _NDARRAY or shape != (0,):
            raise _RefusedError("it holds an array of a class other than NumPy's own")
        return _Array()

    def from_buffer(self, content: Any, dtype: object, shape: object, order: object, *_: object) -> _Array:
        """An array of protocol 5."""
        self.charge(len(content))
        found = _Array()
        found.build((shape, dtype, _text(order) == "F", content))
        return found

    def scalar(self, dtype: object, content: object) -> np.generic:
        """One number of NumPy's own."""
        fits = (
            isinstance(content, bytes) and isinstance(dtype, _Dtype) and len(content) == dtype.dtype.itemsize
        )
        if not fits:
            raise _RefusedError("it holds a number whose bytes do not fit its type")
        _check_letters(dtype.dtype, content)  # type: ignore[attr-defined, arg-type]
        found: np.generic = np.frombuffer(content, dtype.dtype, count=1)[0]  # type: ignore[call-overload, attr-defined]
        return found

    def encoded(self, text: object, encoding: object) -> bytes:
        """Bytes as Python 3 writes them for Python 2: as a text of the letters 0 to 255."""
        if not isinstance(text, str) or _text(encoding) != "latin1":
            raise _RefusedError("it asks for a text in another encoding than latin1")
        self.charge(len(text))
        return text.encode("latin1")

    def dictionary(self, items: Any = ()) -> dict[Any, Any]:
        """Items of an ordered dictionary; their order stays."""
        self.charge(16 * len(items))
        return _dictionary(items)

    def default_dictionary(self, default: object = None, items: Any = ()) -> dict[Any, Any]:
        """Items of a dictionary with a default, which must be none."""
        if default is not None:
            raise _RefusedError("it holds a dictionary that makes its own values")
        return self.dictionary(items)


def _dictionary(items: Any) -> dict[Any, Any]:
    """Only plain keys: to hash a tuple of tuples of tuples can take for ever."""
    found = {}
    for key, value in items:
        if not isinstance(key, _KEYS):
            raise _RefusedError(f"it holds a dictionary with {_shown(key)} for a key")
        found[key] = value
    return found


def _shown(value: object) -> str:
    # a name may hold what steers a terminal
    return (
        ascii(f"{value.module}.{value.name}")[1:-1]
        if isinstance(value, _Name)
        else f"a {type(value).__name__}"
    )


_NDARRAY = _Name("numpy", "ndarray")
_CALLS: dict[_Name, Callable[..., Any]] = {
    _Name("numpy", "dtype"): lambda machine, *arguments: _Dtype.of(*arguments),
    _Name("_codecs", "encode"): _Machine.encoded,
    _Name("collections", "OrderedDict"): _Machine.dictionary,
    _Name("collections", "defaultdict"): _Machine.default_dictionary,
    # the content of an empty array, as Python 3 writes it in protocol 2
    _Name("__builtin__", "bytes"): lambda machine: b"",
}
for _core in ("numpy.core", "numpy._core"):  # before and from NumPy 2
    _CALLS[_Name(f"{_core}.multiarray", "_reconstruct")] = _Machine.reconstructed
    _CALLS[_Name(f"{_core}.multiarray", "scalar")] = _Machine.scalar
    _CALLS[_Name(f"{_core}.numeric", "_frombuffer")] = _Machine.from_buffer


def _decimal(line: bytes) -> int | bool:
    """A number in letters; Python 2 spells truth values as 00 and 01."""
    return {b"00": False, b"01": True}.get(line, int(line.removesuffix(b"L")))


def _utf8(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


# By the letter of the operation, as Python's pickletools.py names and explains them.
_OPERATIONS: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda m: m.take(1),
    b"\x95": lambda m: m.take(8),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.number(1)),
    b"M": lambda m: m.push(m.number(2)),
    b"J": lambda m: m.push(m.number(4, signed=True)),
    b"\x8a": lambda m: m.push(m.integer(1)),
    b"\x8b": lambda m: m.push(m.integer(4)),
    b"I": lambda m: m.push(_decimal(m.line())),
    b"L": lambda m: m.push(_decimal(m.line())),
    b"F": lambda m: m.push(float(m.line())),
    b"G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    b"S": lambda m: m.push(m.quoted()),
    b"T": lambda m: m.push(m.counted(4)),
    b"U": lambda m: m.push(m.counted(1)),
    b"C": lambda m: m.push(m.counted(1)),
    b"B": lambda m: m.push(m.counted(4)),
    b"\x8e": lambda m: m.push(m.counted(8)),
    b"\x96": lambda m: m.push(m.counted(8)),
    b"V": lambda m: m.push(m.line(limit=-1).decode("raw-unicode-escape")),
    b"X": lambda m: m.push(_utf8(m.counted(4))),
    b"\x8c": lambda m: m.push(_utf8(m.counted(1))),
    b"\x8d": lambda m: m.push(_utf8(m.counted(8))),
    b"(": lambda m: m.mark(),
    b"0": lambda m: m.pop(),
    b"1": lambda m: m.marked(),
    b"2": lambda m: m.duplicate(),
    b"p": lambda m: m.memoize(int(m.line())),
    b"q": lambda m: m.memoize(m.number(1)),
    b"r": lambda m: m.memoize(m.number(4)),
    b"\x94": lambda m: m.memoize(),
    b"g": lambda m: m.recall(int(m.line())),
    b"h": lambda m: m.recall(m.number(1)),
    b"j": lambda m: m.recall(m.number(4)),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.marked())),
    b"\x85": lambda m: m.push(tuple(m.popped(1))),
    b"\x86": lambda m: m.push(tuple(m.popped(2))),
    b"\x87": lambda m: m.push(tuple(m.popped(3))),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.marked()),
    b"a": lambda m: m.extend(m.popped(1)),
    b"e": lambda m: m.extend(m.marked()),
    b"}": lambda m: m.push({}),
    b"d": lambda m: m.push(_dictionary(zip(*2 * [iter(m.marked())], strict=True))),
    b"s": lambda m: m.update(m.popped(2)),
    b"u": lambda m: m.update(m.marked()),
    b"c": lambda m: m.name(m.line(), m.line()),
    b"\x93": lambda m: m.name(*m.popped(2)),
    b"R": lambda m: m.reduce(),
    b"\x81": lambda m: m.new(),
    b"b": lambda m: m.build(),
}


@dataclass
class _Settling:
    """Turns what was unpickled into plain values; an object that stands in two places is settled once."""

    encoding: str
    known: dict[int, Any] = field(default_factory=dict)

    def settled(self, found: Any, depth: int) -> Any:
        """Arrays for their descriptions, text for bytes; all else must be plain already."""
        if isinstance(found, _PLAIN):
            return found
        if depth > MAX_DEPTH:
            raise _RefusedError(f"its containers are nested more than {MAX_DEPTH} deep")
        if id(found) not in self.known:
            self.known[id(found)] = self._settle(found, depth + 1)
        return self.known[id(found)]

    def _settle(self, found: Any, depth: int) -> Any:
        if isinstance(found, bytes):
            return found.decode(self.encoding)
        if isinstance(found, _Array) and found.values is not None:
            return found.values
        if isinstance(found, list | tuple):
            return type(found)([self.settled(item, depth) for item in found])
        if isinstance(found, dict):
            return {self.settled(key, depth): self.settled(value, depth) for key, value in found.items()}
        if isinstance(found, _Object):
            made = found.cls.__new__(found.cls)
            made.__setstate__(self.settled(found.state, depth))
            return made
        raise _RefusedError(f"it holds {_shown(found)} that is not data")
