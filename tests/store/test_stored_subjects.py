"""A stored subject is found by what made it, and by nothing else."""

import errno

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import StoreError
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.store import writer
from emo_ray.store.address import stored_path, subject_keys
from emo_ray.store.reader import find_stored, load_table
from emo_ray.store.writer import check_writable, store_subject

CORPUS = FakeCorpus(n_subjects=3, n_trials=4, seed=1)


def store_all(folder, corpus=CORPUS):
    keys = subject_keys(corpus, RawTokens(), corpus.find_subjects(), folder)
    paths = {subject: stored_path(folder, subject, key) for subject, key in keys.items()}
    for subject, path in paths.items():
        store_subject(corpus, RawTokens(), subject, keys[subject], path)
    return keys, paths


def test_what_was_stored_reads_back_bit_for_bit(tmp_path):
    keys, paths = store_all(tmp_path)
    table = load_table(paths)
    for subject in table.subjects:
        read = [
            recording.signals["features"].values.T for recording in CORPUS.read_subject(subject).recordings
        ]
        assert_array_equal(table.values["features"][table.rows_of([subject])], np.stack(read))
    assert dict(table.keys) == keys


def test_rows_are_sorted_and_trials_are_told_apart(tmp_path):
    table = load_table(store_all(tmp_path)[1])
    assert list(table.subjects) == ["fake/S01", "fake/S02", "fake/S03"]
    assert_array_equal(table.subject, np.repeat([0, 1, 2], 4))
    assert_array_equal(table.trial, np.arange(12))
    assert table.trials[:4] == ("001", "002", "003", "004")


def test_moments_kept_beside_the_rows_are_those_of_the_rows(tmp_path):
    table = load_table(store_all(tmp_path)[1])
    rows = table.rows_of(["fake/S02"])
    tokens = table.values["features"][rows].reshape(-1, 5).astype(np.float64)
    assert_array_equal(table.moments["fake/S02"]["features"].mean, tokens.mean(axis=0))


@pytest.mark.parametrize(
    "changed",
    [
        (CORPUS.model_copy(update={"seed": 2}), RawTokens()),
        (CORPUS, RawTokens(n_tokens=2)),
    ],
    ids=["corpus", "extraction"],
)
def test_another_configuration_has_another_address(tmp_path, changed):
    corpus, extraction = changed
    before = subject_keys(CORPUS, RawTokens(), CORPUS.find_subjects(), tmp_path)
    after = subject_keys(corpus, extraction, corpus.find_subjects(), tmp_path)
    assert all(before[subject] != after[subject] for subject in before)


def test_changed_code_has_another_address(tmp_path, monkeypatch):
    before = subject_keys(CORPUS, RawTokens(), CORPUS.find_subjects(), tmp_path)
    monkeypatch.setattr("emo_ray.store.address.code_digest", lambda rooms: "other")
    assert subject_keys(CORPUS, RawTokens(), CORPUS.find_subjects(), tmp_path) != before


def test_the_address_follows_the_content_of_files_not_their_place(tmp_path):
    one, two = tmp_path / "one" / "a.mat", tmp_path / "two" / "a.mat"
    for path in (one, two):
        path.parent.mkdir()
        path.write_bytes(b"signal")
    keys = [subject_keys(CORPUS, RawTokens(), {"fake/S01": (path,)}, tmp_path) for path in (one, two)]
    assert keys[0] == keys[1]
    two.write_bytes(b"signal changed")
    assert subject_keys(CORPUS, RawTokens(), {"fake/S01": (two,)}, tmp_path) != keys[0]


def test_a_file_cut_short_is_not_taken_for_a_stored_subject(tmp_path):
    keys, paths = store_all(tmp_path)
    subject, path = next(iter(paths.items()))
    path.write_bytes(path.read_bytes()[:-100])
    assert find_stored(path, keys[subject]) is None


def test_a_foreign_parquet_file_is_not_taken_for_a_stored_subject(tmp_path):
    keys, paths = store_all(tmp_path)
    subject, path = next(iter(paths.items()))
    pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)
    assert find_stored(path, keys[subject]) is None


def test_a_stored_subject_of_another_key_is_not_found(tmp_path):
    _, paths = store_all(tmp_path)
    assert find_stored(next(iter(paths.values())), "another key") is None


def test_a_flipped_byte_in_the_rows_is_an_error_with_the_next_step(tmp_path):
    _, paths = store_all(tmp_path)
    path = next(iter(paths.values()))
    content = bytearray(path.read_bytes())
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = {
        group.column(i).path_in_schema.split(".")[0]: group.column(i) for i in range(group.num_columns)
    }
    content[columns["values/features"].data_page_offset + 60] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged.*--refresh"):
        load_table(paths)


def test_a_full_disk_names_the_file_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(table, path, **options):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer.pq, "write_table", full)
    with pytest.raises(StoreError, match=r"disk is full.*S01.*--root"):
        store_all(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".parquet", ".tmp")]


def test_a_store_that_is_a_file_is_refused_with_the_next_step(tmp_path):
    place = tmp_path / "store"
    place.write_text("not a folder")
    with pytest.raises(StoreError, match=r"can not write.*--root"):
        check_writable(place)


def test_a_subject_name_can_not_leave_the_store(tmp_path):
    path = stored_path(tmp_path, "../../etc/passwd", "0" * 64)
    assert path.resolve().is_relative_to(tmp_path.resolve())


def test_a_corpus_without_a_single_segment_is_an_error(tmp_path):
    corpus = CORPUS.model_copy(update={"n_tokens": 1})
    with pytest.raises(StoreError, match="not one segment is left of 3 subjects"):
        load_table(store_all(tmp_path, corpus)[1])
