"""Real people are no copies of each other: neither their signals nor their features raise an alarm."""

from dataclasses import replace

import pytest

from emo_ray.corpora.eegmat import Eegmat
from emo_ray.corpora.empatica import stress_predict, wesad_wrist
from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.extraction.registry import default_extraction
from emo_ray.protocols.duplicates import duplicates_among, find_duplicates
from emo_ray.store.identity import survey_and_identify
from emo_ray.store.local import load_corpus


def load(corpus, folder):
    return load_corpus(corpus, default_extraction(corpus), folder)


def test_no_two_rows_of_people_in_a_real_feature_table_are_alike(shared_data, tmp_path):
    corpus = FeatureTable(path=shared_data / "wesad_features" / "wesad_features_30s.csv")
    assert find_duplicates(load(corpus, tmp_path)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("corpus", [wesad_wrist, stress_predict])
@pytest.mark.parametrize("level", ["signals", "features"])
def test_no_two_people_with_a_real_wrist_band_are_alike(shared_data, tmp_path, corpus, level):
    table = load(corpus(shared_data / corpus.__name__), tmp_path)
    assert find_duplicates(table if level == "signals" else replace(table, signatures={})) == ()


@pytest.mark.slow
def test_no_two_people_with_real_eeg_and_ecg_are_alike(shared_data):
    corpus = Eegmat(path=shared_data / "eegmat")
    people = {name: survey_and_identify(corpus, corpus.tasks(), name)[1] for name in corpus.find_subjects()}
    assert len(people) == 36
    assert all(len(identity.signatures) == 2 for identity in people.values())
    assert duplicates_among(people) == ()
