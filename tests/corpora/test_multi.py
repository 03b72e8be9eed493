"""Multi: three data sets, one rating; who is in it, and what the rating is worked out from."""

import numpy as np
import pytest

from emo_ray.corpora.deap import Deap
from emo_ray.corpora.multi import POSITIVE_OF, Multi
from emo_ray.corpora.recognition import corpus_at
from emo_ray.corpora.seed_iv import LABELS, SeedIV
from emo_ray.errors import CorpusError
from emo_ray.extraction.registry import default_extraction
from emo_ray.testing.multi_files import MultiFiles


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("multi")
    MultiFiles.small().write(place)
    return place


def positives(corpus, subject):
    return {one.trial: one.ratings["positive"] for one in corpus.read_subject(subject).recordings}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    np.testing.assert_array_equal(list(found.values()), list(expected.values()))


def test_the_folder_of_all_is_no_folder_of_one(folder):
    corpus = corpus_at(folder)
    assert corpus.members == ("deap", "gameemo", "seed_iv")
    assert list(corpus.find_subjects()) == ["deap/s01", "gameemo/S01", "seed_iv/1"]
    assert corpus_at(folder / "deap").kind == "deap"


def test_members_are_found_under_other_spellings_and_places(folder, tmp_path):
    (tmp_path / "SEED-IV").symlink_to(folder / "seed_iv")
    corpus = Multi(path=tmp_path, folders={"deap": folder / "deap"})
    assert list(corpus.corpora()) == ["deap", "seed_iv"]
    assert Multi.recognise(tmp_path) is None  # one alone


def test_deap_is_rated_by_its_people(folder):
    alone = Deap(path=folder / "deap").read_subject("deap/s01").recordings
    felt = {one.trial: one.ratings["self_valence"] > 5 for one in alone}
    assert_same(positives(corpus_at(folder), "deap/s01"), felt)


def test_gameemo_is_rated_by_its_forms_and_never_by_its_games(folder, tmp_path):
    assert_same(positives(corpus_at(folder), "gameemo/S01"), {"G1": 0, "G2": 1, "G3": 0, "G4": 1})
    turned = tmp_path / "forms.csv"
    turned.write_text("subject,game,valence,arousal\n1,1,9,1\n1,2,1,1\n1,3,5,1\n")
    given = positives(Multi(path=folder, ratings=turned), "gameemo/S01")
    assert_same(given, {"G1": 1, "G2": 0, "G3": np.nan, "G4": np.nan})


def test_without_forms_gameemo_has_no_target_and_a_note_says_so(folder, tmp_path):
    for name in ("deap", "gameemo"):
        (tmp_path / name).symlink_to(folder / name)
    corpus = corpus_at(tmp_path)
    assert np.isnan(list(positives(corpus, "gameemo/S01").values())).all()
    assert any("none of its segments has a target" in note for note in corpus.notes())


def test_seed_iv_is_happy_against_sad_and_fear(folder):
    of_code = [np.nan, 0, 0, 1]  # neutral, sad, fear, happy
    expected = {f"1-{clip}": of_code[LABELS["1"][clip - 1]] for clip in (1, 2, 3, 4, 5, 6, 8, 16)}
    assert_same(positives(corpus_at(folder), "seed_iv/1"), expected)


@pytest.mark.parametrize(("valence", "positive"), [(4.99, 0), (5.01, 1), (5.0, np.nan), (np.nan, np.nan)])
def test_the_middle_of_the_scale_is_undefined(valence, positive):
    np.testing.assert_equal(POSITIVE_OF["deap"]({"self_valence": valence}), positive)


def test_only_eeg_is_kept_as_recorded(folder):
    members = {"deap/s01": Deap(path=folder / "deap"), "seed_iv/1": SeedIV(path=folder / "seed_iv")}
    for subject, member in members.items():
        together, alone = (c.read_subject(subject).recordings[0] for c in (corpus_at(folder), member))
        assert set(together.signals) == {"eeg"}
        np.testing.assert_array_equal(together.signals["eeg"].values, alone.signals["eeg"].values)
        assert together.clip == alone.clip


def test_all_become_pictures_of_the_same_62_electrodes(folder):
    corpus = corpus_at(folder)
    extraction, present = default_extraction(corpus), {}
    for subject in corpus.find_subjects():
        recording = corpus.read_subject(subject).recordings[0]
        (modality,) = extraction.modalities(recording)
        assert (modality.n_tokens, len(modality.features)) == (19, 62 * 45)
        picture = extraction.segments(recording).values["eeg"][0].reshape(19, 62, 45)
        present[subject] = int(np.isfinite(picture).any(axis=(0, 2)).sum())
    assert present == {"deap/s01": 32, "gameemo/S01": 14, "seed_iv/1": 62}


def test_less_than_two_members_are_refused(folder):
    with pytest.raises(CorpusError, match="holds none of the data sets, and two or more are needed"):
        Multi(path=folder / "deap").find_subjects()
    with pytest.raises(CorpusError, match="gameemo are needed"):
        Multi(path=folder / "deap", members=("gameemo",), folders={"deap": folder / "deap"}).corpora()


def test_features_of_seed_iv_are_refused(folder, tmp_path):
    (tmp_path / "deap").symlink_to(folder / "deap")
    place = tmp_path / "seed_iv" / "eeg_feature_smooth" / "1"
    place.mkdir(parents=True)
    (place / "1_20160518.mat").write_bytes(b"")
    with pytest.raises(CorpusError, match="add eeg_raw_data"):
        Multi(path=tmp_path).find_subjects()


def test_a_subject_of_no_member_is_refused(folder):
    with pytest.raises(CorpusError, match="is of none of deap, gameemo, seed_iv"):
        corpus_at(folder).read_subject("amigos/P01")
