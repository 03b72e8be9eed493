from numpy.testing import assert_array_equal

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.deployment.segments import table_of
from emo_ray.extraction.raw_tokens import RawTokens


def test_a_table_in_memory_is_the_table_of_the_store(table):
    corpus = FakeCorpus(n_subjects=3, n_trials=8, seed=5)
    recordings = [one for name in table.subjects for one in corpus.read_subject(name).recordings]
    found = table_of(recordings, RawTokens(), table.modalities)
    for name in ("subject", "trial", "index", "start_s"):
        assert_array_equal(getattr(found, name), getattr(table, name))
    assert_array_equal(found.values["features"], table.values["features"])
    assert_array_equal(found.masks["features"], table.masks["features"])
    for name in table.subjects:
        assert_array_equal(found.moments[name]["features"].m2, table.moments[name]["features"].m2)
