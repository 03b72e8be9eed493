"""What the store has is not computed again, unless it is asked to."""

from numpy.testing import assert_array_equal

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.store import local
from emo_ray.store.local import load_corpus, plan_store

CORPUS = FakeCorpus(n_subjects=3, n_trials=4)
SUBJECTS = ("fake/S01", "fake/S02", "fake/S03")


def test_everything_is_missing_from_an_empty_store_and_nothing_afterwards(tmp_path):
    files = CORPUS.find_subjects()
    assert plan_store(CORPUS, RawTokens(), files, tmp_path).missing == SUBJECTS
    load_corpus(CORPUS, RawTokens(), tmp_path)
    assert plan_store(CORPUS, RawTokens(), files, tmp_path).missing == ()


def test_refresh_takes_nothing_from_the_store(tmp_path):
    load_corpus(CORPUS, RawTokens(), tmp_path)
    assert plan_store(CORPUS, RawTokens(), CORPUS.find_subjects(), tmp_path, refresh=True).missing == SUBJECTS


def test_only_a_lost_subject_is_computed_again(tmp_path, monkeypatch):
    first = load_corpus(CORPUS, RawTokens(), tmp_path)
    next(tmp_path.rglob("S02-*.parquet")).unlink()
    computed = []
    honest = local.store_subject
    monkeypatch.setattr(local, "store_subject", lambda *call: (computed.append(call[2]), honest(*call)))
    second = load_corpus(CORPUS, RawTokens(), tmp_path)
    assert computed == ["fake/S02"]
    assert_array_equal(first.values["features"], second.values["features"])
