"""Restricted unpickling: what it opens, and everything it must not do."""

import builtins
import copyreg
import os
import pickle
import time
from collections import OrderedDict, defaultdict
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emo_ray.errors import CorpusError
from emo_ray.unpickling import MAX_OPERATIONS, load_pickle, unpickled

# One array of 2 x 3, as Python 2.7 with NumPy 1.x pickles it: strings, old module names, no memo needed.
PYTHON_2_ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x02K\x03t"
    b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T0\x00\x00\x00"
    + np.arange(6.0).tobytes()
    + b"tb"
)


class Calls:
    """An object whose pickle calls something."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(2, 3, 4),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros((0, 3), dtype=np.float32),
        np.arange(5, dtype=">i4"),
        np.array([["ab", "c"]]),
        np.array(7, dtype=np.uint8),
        np.array([True, False]),
    ],
    ids=["double", "fortran", "empty", "big endian", "texts", "no axis", "truth"],
)
def test_arrays_come_back_as_numpy_wrote_them(array, protocol):
    found = load_pickle(pickle.dumps({"x": array}, protocol=protocol), "a.pkl")["x"]
    np.testing.assert_array_equal(found, array)
    assert type(found) is np.ndarray
    assert found.flags.writeable


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_back_as_they_were(protocol):
    value = {"a": [1, 255, 65536, -7, 2**40, 1.5, None, True, ("x", ())], "é": np.float32(3.5), 3: {0.5: []}}
    assert load_pickle(pickle.dumps(value, protocol=protocol), "a.pkl") == value


def test_a_file_of_python_2_opens():
    found = load_pickle(b"\x80\x02}(U\x04data" + PYTHON_2_ARRAY + b"U\x04nameU\x02S\xe9u.", "s01.dat")
    np.testing.assert_array_equal(found["data"], [[0, 1, 2], [3, 4, 5]])
    assert found["name"] == "Sé"


def test_a_file_of_python_2_in_its_default_protocol_opens():
    """Protocol 0 spells bytes in escapes: 1.0 ends in 0xf0 0x3f, and 0x3f is a question mark."""
    escaped = repr(np.array([1.0, 0.0]).tobytes())[1:].encode()
    array = PYTHON_2_ARRAY.replace(b"(K\x02K\x03t", b"(I2\ntp1\n")
    content = array[: array.index(b"T0")] + b"S" + escaped + b"\ntb"
    found = load_pickle(b"(dp0\nS'label'\np2\n" + content + b"sS'on'\nI01\ns.", "S2.pkl")
    np.testing.assert_array_equal(found["label"], [1.0, 0.0])
    assert found["on"] is True


def test_a_file_opens_as_its_bytes_do(tmp_path):
    file = tmp_path / "a.pkl"
    file.write_bytes(pickle.dumps(list(range(1000))))
    with file.open("rb") as stream:
        assert load_pickle(stream, str(file)) == list(range(1000))


def test_ordered_dictionaries_come_as_plain_ones():
    found = load_pickle(pickle.dumps([OrderedDict(b=1, a=2), defaultdict(None, c=3)]), "a.pkl")
    assert found == [{"b": 1, "a": 2}, {"c": 3}]
    assert list(found[0]) == ["b", "a"]


def test_a_list_in_two_places_stays_one():
    shared = [1]
    found = load_pickle(pickle.dumps({"a": shared, "b": shared}), "a.pkl")
    assert found["a"] is found["b"]


@pytest.mark.parametrize(
    "hostile",
    [
        Calls(os.system, "touch {}"),
        Calls(builtins.eval, "open({!r}, 'w')"),
        Calls(builtins.getattr, os, "system"),
        Calls(np.load, "{}"),
        {"data": [Calls(os.remove, "{}")]},
        Calls(np.ndarray, (10**12,)),
        Calls(np.dtype, "O"),
        np.array([Calls(os.system, "touch {}")], dtype=object),
        np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.ma.masked_array([1, 2]),
        np.random.default_rng(0),
        {1, 2},
        {(1, 2): 3},
        OSError("x"),
        complex(1, 2),
        defaultdict(list),
    ],
    ids=lambda hostile: type(hostile).__name__,
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_whatever_is_not_data_is_refused_and_not_run(hostile, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("it was run"))
    content = _pickled(hostile, protocol)
    with pytest.raises(CorpusError, match=r"^s01\.dat: not read, as it .*Nothing of it was run"):
        load_pickle(content, "s01.dat")
    assert not list(tmp_path.iterdir())


def _pickled(hostile, protocol):
    try:
        return pickle.dumps(hostile, protocol=protocol)
    except (TypeError, pickle.PicklingError):  # a module can not be pickled: name it by hand
        return b"cbuiltins\ngetattr\n(cos\nsystem\ntR."


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"(lp0\n",
        b".",
        b"0.",
        b"(0.",
        b"}(K\x01u.",
        b"]K\x01K\x02s.",
        b"K\x01K\x02a.",
        b"h\x07.",
        b"U\x05ab.",
        b"S'ab.",
        b"Sab\n.",
        b"I1x\n.",
        b"\xff\xfe\x00\x01",
        b"Pwhat\n.",
        b"N\x8cQ.",
        b"\x82\x01.",
        b"(cos\nsystem\no.",
        b"(ios\nsystem\n.",
        b"K\x01}b.",
        b"cnumpy\nndarray\n.",
        b"cnumpy\ndtype\n}b.",
        b"cnumpy\ndtype\n)\x81.",
        b"cnumpy\ndtype\n(U\x02f8tR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(K\x00tU\x01btR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(J\xff\xff\xff\x7ftU\x01btR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR.",
    ],
)
def test_damaged_pickles_are_refused(content):
    with pytest.raises(CorpusError, match="not read"):
        load_pickle(content, "s01.dat")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(K\x02K\x03t", b"(K\x02K\x04t"),
        (b"(K\x02K\x03t", b"(J\xff\xff\xff\xffJ\xfa\xff\xff\xfft"),
        (b"(K\x02K\x03t", b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft"),
        (b"(K\x02K\x03t", b"(" + b"K\x01" * 33 + b"K\x06t"),
        (b"U\x02f8", b"U\x02O8"),
        (b"U\x02f8", b"U\x02V8"),
        (b"U\x02f8", b"U\x02S0"),
        (b"U\x01<NNN", b"U\x01<N(U\x01ate"),
        (b"NNNJ\xff\xff\xff\xff", b"NNNJ\xf8\xff\xff\x7f"),
        (b"\x89T0\x00\x00\x00", b"\x89T\xff\xff\xff\x7f"),
        (b"K\x00tb\x89T", b"K\x00tb\x89]T"),
    ],
    ids=[
        "shape",
        "negative",
        "overflow",
        "axes",
        "objects",
        "void",
        "nothing",
        "fields",
        "item size",
        "length",
        "list",
    ],
)
def test_an_array_whose_description_lies_is_refused(old, new):
    assert old in PYTHON_2_ARRAY
    with pytest.raises(CorpusError, match="not read"):
        load_pickle(PYTHON_2_ARRAY.replace(old, new) + b".", "s01.dat")


def _scalar(code, content):
    """The call that makes one number of NumPy's own."""
    header = b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU%c%sK\x00K\x01\x87R" % (len(code), code)
    return header + b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb" + content + b"\x86R"


def test_an_empty_array_of_absurd_shape_is_refused():
    lying = PYTHON_2_ARRAY.replace(b"(K\x02K\x03t", b"(K\x00\x8a\x06" + (10**14).to_bytes(6, "little") + b"t")
    content = lying.index(b"T0\0\0\0")  # 48 bytes of 6 numbers
    with pytest.raises(CorpusError, match="absurd shape"):
        load_pickle(lying[:content] + b"U\x00tb.", "s01.dat")


def test_letters_that_do_not_exist_are_refused():
    assert load_pickle(_scalar(b"U1", b"U\x04a\0\0\0") + b".", "a.pkl") == "a"
    with pytest.raises(CorpusError, match="letters that do not exist"):
        load_pickle(_scalar(b"U1", b"U\x04\xff\xff\xff\xff") + b".", "a.pkl")


def test_complex_keys_are_refused_as_many_could_hash_alike():
    with pytest.raises(CorpusError, match="complex128 for a key"):
        load_pickle(b"}" + _scalar(b"c16", b"U\x10" + bytes(16)) + b"Ns.", "a.pkl")


def test_a_name_that_steers_a_terminal_is_spelled_out():
    with pytest.raises(CorpusError, match=r"names \\x1b\[31mos\.system"):
        load_pickle(b"c\x1b[31mos\nsystem\n.", "a.pkl")


def test_the_extension_registry_is_not_asked():
    copyreg.add_extension("os", "system", 240)
    try:
        with pytest.raises(CorpusError, match="operation"):
            load_pickle(b"\x82\xf0(U\x04truetR.", "a.pkl")
    finally:
        copyreg.remove_extension("os", "system", 240)


def _doubled(n_levels):
    """A list that holds another twice, which holds another twice, ...: 2 ** levels if written out."""
    return b"]" + b"".join(b"q%c0](h%ch%ce" % (level, level, level) for level in range(n_levels))


TEXT_OF_A_MEGABYTE = b"X" + (10**6).to_bytes(4, "little") + b"a" * 10**6
BOMBS = {
    "a memo of 2 ** 31": b"Nr\xff\xff\xff\x7f" * 3 + b"Ks",
    "a text of 2 ** 62": b"\x8d" + (2**62).to_bytes(8, "little") + b"x.",
    "bytes of 2 ** 62": b"\x96" + (2**62).to_bytes(8, "little") + b"x.",
    "an integer of a megabyte": b"\x8b" + (10**6).to_bytes(4, "little") + b"\x01" * 10**6 + b".",
    "an integer of a megabyte in letters": b"I" + b"9" * 10**6 + b"\n.",
    "operations without end": b"N0" * MAX_OPERATIONS + b"N.",
    "a list in itself": b"]q\x00h\x00a.",
    "lists in lists": b"(" * 1000 + b"l" * 1000 + b".",
    "a key of tuples of tuples": b"}K\x01" + b"2\x86" * 60 + b"Ns.",
    "one text encoded a thousand times": TEXT_OF_A_MEGABYTE
    + b"q\x000]"
    + b"c_codecs\nencode\n(h\x00X\x06\x00\x00\x00latin1tRa" * 1000
    + b".",
    "a shape that is long to print": PYTHON_2_ARRAY.replace(b"(K\x02K\x03t", _doubled(60)) + b".",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_small_files_take_neither_memory_nor_time(bomb):
    begun = time.perf_counter()
    with pytest.raises(CorpusError, match="not read"):
        load_pickle(bomb, "bomb.pkl")
    assert time.perf_counter() - begun < 5


def test_what_is_doubled_sixty_times_takes_no_time_either():
    """Each list is settled once, however often it is named; 30 levels are 10 ** 9 items if written out."""
    found = load_pickle(_doubled(30) + b".", "a.pkl")
    assert found[0] is found[1]


class Kept:
    """A class of ours that a pickle may hold."""

    def __setstate__(self, state):
        self.state = state


def test_an_allowed_class_gets_its_state_and_no_other_class_does():
    kept = Kept()
    kept.values = np.arange(3)
    name = (Kept.__module__, "Kept")
    found = unpickled(pickle.dumps(kept), classes={name: Kept})
    assert isinstance(found, Kept)
    assert found.state["values"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"it names \S*Kept, which is not data"):
        unpickled(pickle.dumps(kept))


GENUINE = pickle.dumps({"data": np.arange(6.0).reshape(2, 3), "labels": [1, "a"]}, protocol=2)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GENUINE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_mutated_files_open_or_are_refused(changes):
    content = bytearray(GENUINE)
    for place, value in changes:
        content[place] = value
    with suppress(CorpusError):
        load_pickle(bytes(content), "mutated.pkl")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_noise_opens_or_is_refused(content):
    with suppress(CorpusError):
        load_pickle(content + b".", "noise.pkl")
