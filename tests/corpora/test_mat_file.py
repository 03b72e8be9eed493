import resource
import struct
import subprocess
import sys
import zlib

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix

from emo_ray.corpora.mat_file import mat_shapes, read_mat
from emo_ray.errors import CorpusError
from emo_ray.testing.mat_v73 import save_v73


def content():
    """Every kind of value that the corpora use, and an empty one of each."""
    cells = np.empty((1, 4), dtype=object)
    cells[0] = [np.arange(6.0).reshape(3, 2), np.zeros((0, 0)), "happy", np.array([[7]], dtype=np.uint8)]
    nested = np.empty((2, 1), dtype=object)
    nested[:, 0] = [cells, np.zeros((1, 0))]
    return {
        "matrix": np.arange(12.0).reshape(3, 4),
        "cube": np.arange(24, dtype=np.int16).reshape(2, 3, 4),
        "waves": np.array([[1 + 2j, 3 - 4j]]),
        "single": np.array([[1.5]], dtype=np.float32),
        "yes": np.array([[True, False]]),
        "none": np.zeros((0, 3)),
        "word": "EEG é",
        "cells": nested,
        "person": {"age": np.array([[22.0]]), "signals": {"eeg": np.ones((2, 5)), "names": cells}},
    }


@pytest.fixture(params=["v5", "v7", "v7.3"])
def saved(request, tmp_path):
    file = tmp_path / "all.mat"
    if request.param == "v7.3":
        save_v73(file, content())
    else:
        savemat(file, content(), do_compression=request.param == "v7", oned_as="row")
    return file


def test_numbers_come_as_they_were_saved_with_all_axes(saved):
    found, wanted = read_mat(saved), content()
    for name in ("matrix", "cube", "waves", "single", "yes", "none"):
        assert_array_equal(found[name], wanted[name], strict=name != "yes")
    assert found["yes"].dtype == np.uint8


def test_cells_hold_arrays_and_text_is_one_string(saved):
    found = read_mat(saved)
    assert_array_equal(found["word"], np.array(["EEG é"]), strict=True)
    assert found["cells"].shape == (2, 1)
    inner = found["cells"][0, 0]
    assert (inner.shape, inner[0, 1].shape, found["cells"][1, 0].shape) == ((1, 4), (0, 0), (1, 0))
    assert_array_equal(inner[0, 0], [[0, 1], [2, 3], [4, 5]])
    assert_array_equal(inner[0, 2], np.array(["happy"]), strict=True)


def test_structs_are_reached_by_item_and_field_in_their_order(saved):
    person = read_mat(saved)["person"]
    assert person.dtype.names == ("age", "signals")
    assert person[0, 0]["age"][0, 0] == 22.0
    signals = person["signals"][0, 0]
    assert_array_equal(signals["eeg"][0, 0], np.ones((2, 5)))
    assert signals["names"][0, 0][0, 3].dtype == np.uint8


def test_only_the_variables_that_are_named_are_read(saved):
    assert list(read_mat(saved, names=["cube", "no such"])) == ["cube"]


def test_shapes_are_told_without_reading(saved):
    shapes = mat_shapes(saved)
    assert shapes["cube"] == (2, 3, 4)
    assert (shapes["none"], shapes["word"], shapes["person"]) == ((0, 3), (1, 5), (1, 1))
    assert set(shapes) == set(content())


@pytest.mark.parametrize("compressed", [False, True])
def test_older_files_come_as_scipy_reads_them(tmp_path, compressed):
    savemat(tmp_path / "x.mat", content(), do_compression=compressed)
    whole = loadmat(tmp_path / "x.mat")
    for name, value in read_mat(tmp_path / "x.mat").items():
        assert str(value) == str(whole[name])
        assert (value.dtype, value.shape) == (whole[name].dtype, whole[name].shape)


def test_a_file_of_the_other_byte_order_is_read(tmp_path):
    # what a big-endian machine writes: header, one matrix "x" of two doubles, by the MathWorks format
    flags = struct.pack(">IIII", 6, 8, 6, 0)
    body = (
        flags
        + struct.pack(">IIii", 5, 8, 1, 2)
        + struct.pack(">I4s", 1 << 16 | 1, b"x")
        + struct.pack(">IIdd", 9, 16, 1.5, -2)
    )
    (tmp_path / "x.mat").write_bytes(b" " * 124 + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body)
    assert_array_equal(read_mat(tmp_path / "x.mat")["x"], [[1.5, -2]])


def test_a_struct_array_of_v73_has_its_shape(tmp_path):
    with h5py.File(tmp_path / "x.mat", "w", userblock_size=512) as file:
        group = file.create_group("people")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        ages = [file.create_dataset(f"#refs#/{age}", data=[[float(age)]]).ref for age in (21, 22, 23)]
        group.create_dataset("age", data=np.array([ages], dtype=object).T, dtype=h5py.ref_dtype)
    people = read_mat(tmp_path / "x.mat")["people"]
    assert people.shape == (1, 3)
    assert people[0, 1]["age"][0, 0] == 22


def test_sparse_matrices_are_left_out_and_refused_when_named(tmp_path):
    savemat(tmp_path / "x.mat", {"s": csc_matrix(np.eye(3)), "x": np.eye(2)})
    assert list(read_mat(tmp_path / "x.mat")) == ["x"]
    with pytest.raises(CorpusError, match="'s' is a sparse matrix"):
        read_mat(tmp_path / "x.mat", ["s"])


def matrix_file(tmp_path, body, compressed):
    """A v5 file of one element; its body is given."""
    element = struct.pack("<II", 14, len(body)) + body
    if compressed:
        packed = zlib.compress(element)
        element = struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "x.mat").write_bytes(b" " * 124 + b"\x00\x01IM" + element)
    return tmp_path / "x.mat"


def head(matlab_class, *dims):
    flags = struct.pack("<IIII", 6, 8, matlab_class, 0)
    shape = struct.pack(f"<II{len(dims)}i", 5, 4 * len(dims), *dims)
    return flags + shape + struct.pack("<I4s", 1 << 16 | 1, b"x")


BROKEN = {
    "numbers for another shape": (head(6, 2, 2) + struct.pack("<IIdd", 9, 16, 1, 2), "16 bytes of type 9"),
    "numbers of no known type": (head(6, 1, 2) + struct.pack("<IIdd", 14, 16, 1, 2), "16 bytes of type 14"),
    "no numbers of no known type": (head(6, 0, 2) + struct.pack("<II", 8, 0), "0 bytes of type 8"),
    "a shape below zero": (head(6, -1, 2) + struct.pack("<II", 9, 0), "shape"),
    "a thousand million blanks": (head(4, 1, 10**9) + struct.pack("<II", 4, 0), "for text of shape"),
    "a thousand million cells": (head(1, 1, 10**9) + b"\0" * 64, "1000000000 cells"),
    "structs without a field": (
        head(2, 1, 10**9) + struct.pack("<Ii", 4 << 16 | 5, 8) + struct.pack("<II", 1, 0),
        "structs without a field",
    ),
    "field names of length zero": (
        head(2, 1, 1) + struct.pack("<Ii", 4 << 16 | 5, 0) + struct.pack("<II", 1, 8) + b"abcdefgh",
        "field names of 0 bytes",
    ),
    "a cell that is no matrix": (head(1, 1, 1) + struct.pack("<IId", 9, 8, 1.0), "type 9 where a matrix"),
    "a part beyond its parent": (head(6, 1, 1) + struct.pack("<IId", 9, 800, 1.0), "reaches beyond"),
    "a small part of too many bytes": (head(6, 1, 2) + struct.pack("<II", 16 << 16 | 9, 0), "reaches beyond"),
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("body", "told"), BROKEN.values(), ids=BROKEN)
def test_a_tree_that_does_not_hold_together_is_refused(tmp_path, body, told, compressed):
    with pytest.raises(CorpusError, match=told):
        read_mat(matrix_file(tmp_path, body, compressed))


def test_cells_in_cells_without_end_are_refused(tmp_path):
    body = head(1, 0, 0)
    for _ in range(40):
        body = head(1, 1, 1) + struct.pack("<II", 14, len(body)) + body
    with pytest.raises(CorpusError, match="more than 32 levels"):
        read_mat(matrix_file(tmp_path, body, compressed=True))


def test_a_bomb_is_not_inflated_beyond_what_it_states(tmp_path):
    element = struct.pack("<II", 14, 64) + head(6, 1, 1) + struct.pack("<IId", 9, 8, 1.0) + b"\0" * 10_000_000
    packed = zlib.compress(element)
    file = tmp_path / "x.mat"
    file.write_bytes(b" " * 124 + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(CorpusError, match="states 64 bytes and holds others"):
        read_mat(file)


def test_a_variable_beyond_what_v7_holds_is_refused_before_memory_is_taken(tmp_path):
    element = struct.pack("<II", 14, 0xFFFFFFF0) + head(6, 1, 1)
    packed = zlib.compress(element)
    file = tmp_path / "x.mat"
    file.write_bytes(b" " * 124 + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(CorpusError, match="states 4294967280 bytes"):
        read_mat(file)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_a_file_that_is_cut_off_is_refused(saved, share):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CorpusError, match=r"all\.mat"):
        read_mat(saved)


def test_a_variable_that_is_there_twice_is_refused(tmp_path):
    for name in ("a", "b"):
        savemat(tmp_path / f"{name}.mat", {"x": np.eye(2)})
    one, two = ((tmp_path / f"{name}.mat").read_bytes() for name in ("a", "b"))
    (tmp_path / "x.mat").write_bytes(one + two[128:])
    with pytest.raises(CorpusError, match="'x' twice"):
        read_mat(tmp_path / "x.mat")


@pytest.mark.parametrize("found", [b"", b"subject,label\n" * 20, b"\x89HDF\r\n\x1a\n" + b"\0" * 600])
def test_what_is_no_matlab_file_is_refused(tmp_path, found):
    (tmp_path / "x.mat").write_bytes(found)
    for read in (read_mat, mat_shapes):
        with pytest.raises(CorpusError, match=r"x\.mat"):
            read(tmp_path / "x.mat")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(CorpusError, match="is missing"):
        read_mat(tmp_path / "x.mat")


def hdf5(tmp_path):
    return h5py.File(tmp_path / "x.mat", "w", userblock_size=512)


def test_an_array_of_which_nothing_is_stored_takes_no_memory(tmp_path):
    with hdf5(tmp_path) as file:
        file.create_dataset("x", shape=(10**6, 10**6), chunks=(100, 100), dtype="f8")
    assert mat_shapes(tmp_path / "x.mat") == {"x": (10**6, 10**6)}
    with pytest.raises(CorpusError, match=r"8000000000000 bytes .* of which 0 are stored"):
        read_mat(tmp_path / "x.mat")


def test_cells_that_hold_each_other_are_refused(tmp_path):
    with hdf5(tmp_path) as file:
        ring = file.create_dataset("x", shape=(1, 1), dtype=h5py.ref_dtype)
        ring[0, 0] = ring.ref
    with pytest.raises(CorpusError, match="more than 32 levels"):
        read_mat(tmp_path / "x.mat")


def test_links_to_other_files_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.eye(2)
    with hdf5(tmp_path) as file:
        file["x"] = h5py.ExternalLink("secret.h5", "/x")
    with pytest.raises(CorpusError, match="link to another place"):
        read_mat(tmp_path / "x.mat")


def test_values_in_other_files_are_not_read(tmp_path):
    (tmp_path / "secret.bin").write_bytes(b"\1" * 64)
    with hdf5(tmp_path) as file:
        file.create_dataset("x", shape=(8, 1), dtype="f8", external=[(str(tmp_path / "secret.bin"), 0, 64)])
    with pytest.raises(CorpusError, match="values in other files"):
        read_mat(tmp_path / "x.mat")


def test_the_shape_of_an_empty_array_is_not_read_from_another_file(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.array([0, 77], "u8").tobytes())
    with hdf5(tmp_path) as file:
        empty = file.create_dataset("x", shape=(2,), dtype="u8", external=[(str(secret), 0, 16)])
        empty.attrs["MATLAB_empty"] = np.uint8(1)
    with pytest.raises(CorpusError, match="values in other files"):
        mat_shapes(tmp_path / "x.mat")


def test_a_cell_that_leads_to_another_file_is_refused(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\1" * 64)
    with hdf5(tmp_path) as file:
        hidden = file.create_dataset("#refs#/a", shape=(8, 1), dtype="f8", external=[(str(secret), 0, 64)])
        file.create_dataset("x", data=np.array([[hidden.ref]], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
    with pytest.raises(CorpusError, match="values in other files"):
        read_mat(tmp_path / "x.mat")


def test_a_chunk_that_unpacks_to_more_than_it_states_is_refused_before_it_does(tmp_path):
    with hdf5(tmp_path) as file:
        small = file.create_dataset("x", shape=(1, 1000), chunks=(1, 1000), dtype="f8", compression="gzip")
        small.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 27)))  # 128 MB for 8 kB
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CorpusError, match="unpacks to more than its 8000 bytes"):
        read_mat(tmp_path / "x.mat")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun < 50_000  # kB


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            {"maxshape": (None, None), "chunks": (1, 1 << 26), "compression": "gzip"},
            "in a chunk of 536870912",
        ),
        ({"chunks": (1, 1), "compression": "lzf"}, "packed by the filters"),
    ],
    ids=["larger than its array", "of a filter that MATLAB does not know"],
)
def test_odd_chunks_are_refused(tmp_path, made, told):
    with hdf5(tmp_path) as file:
        file.create_dataset("x", shape=(1, 1), dtype="f8", **made)
    with pytest.raises(CorpusError, match=told):
        read_mat(tmp_path / "x.mat")


def test_texts_of_any_length_are_refused(tmp_path):
    with hdf5(tmp_path) as file:
        file.create_dataset("x", data=[["a" * 1000] * 100], dtype=h5py.string_dtype())
    with pytest.raises(CorpusError, match="is of type object"):
        read_mat(tmp_path / "x.mat")


def test_objects_of_v73_are_left_out_and_refused_when_named(tmp_path):
    with hdf5(tmp_path) as file:
        file.create_dataset("t", data=np.eye(2)).attrs["MATLAB_class"] = np.bytes_("table")
        file.create_dataset("x", data=np.eye(3))
    assert list(read_mat(tmp_path / "x.mat")) == ["x"]
    with pytest.raises(CorpusError, match="MATLAB table"):
        read_mat(tmp_path / "x.mat", ["t"])


FUZZ = """
import sys
from pathlib import Path
import numpy as np
from emo_ray.corpora.mat_file import mat_shapes, read_mat
from emo_ray.errors import CorpusError

file, n_refused = Path(sys.argv[1]), 0
whole = np.frombuffer(file.read_bytes(), dtype=np.uint8)
for seed in range(80):
    rng = np.random.default_rng(seed)
    damaged = whole.copy()
    places = rng.integers(0, len(whole), 4)
    damaged[places] = rng.choice([0, 1, 8, 127, 255], 4)
    file.write_bytes(damaged.tobytes())
    for read in (read_mat, mat_shapes):
        try:
            read(file)
        except CorpusError:
            n_refused += 1
print(n_refused)
"""


def test_damaged_bytes_are_refused_or_read_and_never_crash(saved):
    # in a process of its own: what SciPy and HDF5 do to damaged bytes is a segmentation fault
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, saved], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
