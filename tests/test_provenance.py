"""The digest of code: the same for the same code, and no slower the second time."""

import pytest

from emo_ray import provenance


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Digest of a package of one file with this content."""
    monkeypatch.setattr(provenance, "_PACKAGE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def of(content):
        (tmp_path / "room.py").write_text(content)
        return provenance.code_digest.__wrapped__(("room.py",))

    return of


def test_comments_and_docstrings_do_not_count(digest):
    assert digest("a = 1\n") == digest('"""Text."""\na = 1  # one\n')


def test_code_counts(digest):
    assert digest("a = 1\n") != digest("a = 2\n")


def test_known_code_is_not_parsed_again(digest, monkeypatch):
    found = digest("a = 1\n")
    monkeypatch.setattr(provenance, "bare_code", None)
    assert digest("a = 1\n") == found


def test_a_cache_that_can_not_be_written_changes_nothing(digest, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert digest("a = 1\n") == digest("a = 1\n")


def test_a_damaged_note_is_not_believed(digest, tmp_path):
    found = digest("a = 1\n")
    (note,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    note.write_text("half")
    assert digest("a = 1\n") == found
