"""The address of features knows where in its corpus a file lies, and not where the corpus lies."""

import shutil

import pytest

from emo_ray.corpora.seed_iv import SeedIV
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.store.address import subject_keys
from emo_ray.testing.seed_iv_files import SeedIVFiles


@pytest.fixture
def folder(tmp_path):
    """One session of one person: its labels are told by the folder that the file lies in."""
    place = tmp_path / "first"
    SeedIVFiles.small(n_subjects=1).model_copy(update={"contents": ("features",)}).write(place)
    for file in place.rglob("*.mat"):
        if file.parent.name != "1":
            file.unlink()
    return place


def keys_of(folder, store):
    corpus = SeedIV(path=folder, content="de_LDS")
    return subject_keys(corpus, RawTokens(), corpus.find_subjects(), store)


def test_a_file_moved_to_another_session_has_another_address(folder, tmp_path):
    before = keys_of(folder, tmp_path)
    (session,) = {file.parent for file in folder.rglob("*.mat")}
    (session.parent / "2").mkdir(exist_ok=True)
    for file in session.iterdir():
        file.rename(session.parent / "2" / file.name)
    after = keys_of(folder, tmp_path)
    assert set(before) == set(after)
    assert not set(before.values()) & set(after.values())


def test_a_corpus_moved_as_a_whole_keeps_its_address(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "second" / "deeper")
    assert keys_of(tmp_path / "second" / "deeper", tmp_path) == keys_of(folder, tmp_path)
