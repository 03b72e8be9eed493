"""Finding files: any depth, hidden folders, no doubles, nothing outside."""

import re

import numpy as np
import pytest

from emo_ray.corpora.account import Account
from emo_ray.corpora.corpus_files import matching_files, one_each
from emo_ray.corpora.recognition import corpus_at, with_settings
from emo_ray.corpora.remembered import remembered_names
from emo_ray.errors import ConfigError, CorpusError
from emo_ray.testing.empatica_files import EmpaticaFiles

NAME = re.compile(r"s(\d\d)\.dat")


def test_files_are_found_at_any_depth_and_in_hidden_folders(tmp_path):
    for place in ("s01.dat", "deep/er/s02.dat", ".csv format/s03.dat", "deep/other.txt", "._s01.dat"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert sorted(match[1] for match in matching_files(tmp_path, NAME).values()) == ["01", "02", "03"]


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "secret").touch()
    (tmp_path / "corpus" / "s01.dat").symlink_to(tmp_path / "secret")
    with pytest.raises(CorpusError, match="is a link to"):
        matching_files(tmp_path / "corpus", NAME)


def test_a_link_to_nowhere_is_refused(tmp_path):
    (tmp_path / "s01.dat").symlink_to(tmp_path / "gone")
    with pytest.raises(CorpusError, match="is not a file"):
        matching_files(tmp_path, NAME)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CorpusError, match="nowhere is no folder"):
        matching_files(tmp_path / "nowhere", NAME)


def test_two_files_of_one_key_are_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"are the same subject \(1\)"):
        one_each([(1, tmp_path / "a"), (1, tmp_path / "b")], "subject")


def test_a_folder_without_a_known_corpus_lists_the_kinds(tmp_path):
    with pytest.raises(ConfigError, match="holds no corpus that is known"):
        corpus_at(tmp_path)


def test_a_misspelt_kind_gets_a_suggestion(tmp_path):
    with pytest.raises(ConfigError, match="amigos"):
        corpus_at(tmp_path, "amigo")


def test_a_field_that_the_corpus_does_not_have_is_refused(tmp_path):
    EmpaticaFiles.small(n_subjects=1).write(tmp_path)
    with pytest.raises(ConfigError, match="contents"):
        with_settings(corpus_at(tmp_path, "empatica"), {"contents": "raw"})


def test_infinite_samples_become_missing_and_are_told_once(tmp_path):
    account = Account("c/s", "s.dat")
    for trial in ("1", "2"):
        found = account.finite_float32(np.array([[1.0, np.inf], [0.0, 0.0]]), ("Fz", "Cz"), trial)
    assert str(found.tolist()) == "[[1.0, nan], [0.0, 0.0]]"
    assert account.notes() == (
        "s.dat: infinite samples set to NaN, in 2 trials (1: 1; 2: 1)",
        "s.dat: samples are NaN, in 2 trials (1: 1 of 4, Fz; 2: 1 of 4, Fz)",
        "s.dat: channels are 0 throughout, in 2 trials (1: Cz; 2: Cz)",
    )


@pytest.fixture
def counted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = []

    def find():
        asked.append(1)
        return ("a", "b")

    return asked, find


def test_names_are_looked_for_once_while_the_file_stays_the_same(tmp_path, counted):
    asked, find = counted
    file = tmp_path / "large.csv"
    file.write_text("one")
    assert [remembered_names(file, "who", find) for _ in range(3)] == [("a", "b")] * 3
    assert len(asked) == 1
    file.write_text("other")
    remembered_names(file, "who", find)
    assert len(asked) == 2


def test_a_damaged_memory_is_no_error(tmp_path, counted):
    asked, find = counted
    file = tmp_path / "large.csv"
    file.write_text("one")
    remembered_names(file, "who", find)
    for memory in (tmp_path / "cache").rglob("*.json"):
        memory.write_text("[]")
    assert remembered_names(file, "who", find) == ("a", "b")
    assert len(asked) == 2
