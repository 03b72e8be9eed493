import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import savemat

from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.seed import Seed
from emo_ray.corpora.seed_iv import SeedIV
from emo_ray.errors import CorpusError
from emo_ray.testing.seed_iv_files import SeedIVFiles


def write(folder, session="1", name="1_20160518.mat", n_clips=24, n_times=401):
    place = folder / session
    place.mkdir(parents=True, exist_ok=True)
    savemat(place / name, {f"cz_eeg{k}": np.full((62, n_times), float(k)) for k in range(1, n_clips + 1)})
    return place / name


def read(folder, subject="seed_iv/1", **options):
    return SeedIV(path=folder, **options).read_subject(subject)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All sessions and contents of one subject, clips of 4 to 8 s."""
    folder = tmp_path_factory.mktemp("seed_iv")
    SeedIVFiles(n_subjects=1, clip_s=(4, 8)).write(folder)
    return folder


def test_each_session_has_labels_of_its_own(whole):
    found = {"1": [], "2": [], "3": []}
    for recording in read(whole, content="de_LDS").recordings:
        found[recording.session].append(recording.ratings["label"])
    assert found["1"] == [1, 2, 3, 0, 2, 0, 0, 1, 0, 1, 2, 1, 1, 1, 2, 3, 2, 2, 3, 3, 0, 3, 0, 3]
    assert found["2"] == [2, 1, 3, 0, 0, 2, 0, 2, 3, 3, 2, 3, 2, 0, 1, 1, 2, 1, 0, 3, 0, 1, 3, 1]
    assert found["3"] == [1, 2, 2, 1, 3, 3, 3, 1, 1, 2, 1, 0, 2, 3, 3, 0, 2, 3, 0, 0, 2, 0, 1, 0]


@pytest.mark.parametrize("content", ["raw", "de_LDS", "de_movingAve", "psd_LDS", "psd_movingAve"])
def test_all_contents_are_as_declared(whole, content):
    corpus = SeedIV(path=whole, content=content)
    result = corpus.read_subject("seed_iv/1")
    assert disagreements(corpus.declaration, result) == ()
    assert (len(result.recordings), result.rejected, result.notes) == (72, (), ())


def test_windows_are_of_four_seconds_and_clips_of_unequal_length(whole):
    raw = [recording.signals["eeg"].values.shape[1] for recording in read(whole).recordings]
    windows = [recording.signals["de"] for recording in read(whole, content="de_LDS").recordings]
    assert [(n_times - 1) // 800 for n_times in raw] == [signal.values.shape[1] for signal in windows]
    assert len(set(raw)) > 3
    assert {signal.sfreq for signal in windows} == {0.25}


def test_the_session_is_the_folder_whatever_the_date(tmp_path):
    write(tmp_path / "eeg_raw_data", "1", "1_20161126.mat")
    write(tmp_path / "eeg_raw_data", "3", "1_20150518.mat")
    result = read(tmp_path)
    assert {recording.trial.partition("-")[0] for recording in result.recordings} == {"1", "3"}
    assert result.recordings[0].clip == "seed_iv/session1-clip1"
    assert any("2 of 3 sessions have a file" in note for note in result.notes)


def test_arrays_keep_their_channels_and_clips(tmp_path):
    write(tmp_path / "eeg_raw_data")
    recording = read(tmp_path, sessions=("1",)).recordings[9]
    eeg = recording.signals["eeg"]
    assert (recording.trial, eeg.channels[0], eeg.unit, eeg.sfreq) == ("1-10", "Fp1", "uV", 200.0)
    assert_array_equal(eeg.values, np.full((62, 401), 10.0))


def test_sessions_can_be_chosen(whole):
    result = read(whole, content="de_LDS", sessions=("2",))
    assert {recording.session for recording in result.recordings} == {"2"}
    assert len(SeedIV(path=whole, sessions=("2",)).find_subjects()["seed_iv/1"]) == 1


@pytest.mark.parametrize("root", ["", "SEED_IV", "a/b"])
def test_every_packaging_is_found_in_the_order_of_the_subjects(tmp_path, root):
    for name in ("10_20151014.mat", "2_20150915.mat"):
        write(tmp_path / root / "eeg_raw_data", "1", name, n_clips=1)
        (tmp_path / root / "eye_raw_data" / "1").mkdir(parents=True, exist_ok=True)
        (tmp_path / root / "eye_raw_data" / "1" / name.replace(".mat", "_blink.mat")).touch()
    assert list(SeedIV(path=tmp_path).find_subjects()) == ["seed_iv/2", "seed_iv/10"]


def test_the_folder_of_one_content_can_be_the_path(whole):
    (features,) = whole.rglob("eeg_feature_smooth")
    assert len(read(features, content="psd_LDS").recordings) == 72
    with pytest.raises(CorpusError, match="holds no raw of sessions 1, 2, 3"):
        SeedIV(path=features).find_subjects()


def test_lengths_that_are_not_whole_seconds_are_noted(tmp_path):
    write(tmp_path / "eeg_raw_data", n_times=450)
    assert any("not whole seconds and one sample, in 24 trials" in note for note in read(tmp_path).notes)


def test_one_date_in_two_sessions_is_noted(tmp_path):
    for session in ("1", "2"):
        write(tmp_path / "eeg_raw_data", session)
    assert any("one date in several sessions" in note for note in read(tmp_path).notes)


def test_files_of_one_subject_named_as_of_two_people_are_noted(tmp_path):
    write(tmp_path / "eeg_raw_data", "1", "1_20160518.mat")
    savemat(tmp_path / "eeg_raw_data" / "1" / "1_20160518.mat", {"ha_eeg1": np.ones((62, 401))})
    write(tmp_path / "eeg_raw_data", "2", "1_20161125.mat")
    assert any(
        "several people: 1_20160518.mat ha, 1_20161125.mat cz" in note for note in read(tmp_path).notes
    )


def test_two_subjects_with_the_letters_of_one_person_are_told(tmp_path):
    write(tmp_path / "eeg_raw_data", "1", "1_20160518.mat", n_clips=1)
    write(tmp_path / "eeg_raw_data", "1", "10_20151014.mat", n_clips=1)
    (note,) = SeedIV(path=tmp_path).notes()
    assert "seed_iv/1 and seed_iv/10 are named by the same letters, 'cz'" in note


def test_more_windows_than_the_longest_clip_has_are_noted(tmp_path):
    place = tmp_path / "eeg_feature_smooth" / "1"
    place.mkdir(parents=True)
    savemat(
        place / "1_20160518.mat", {f"de_LDS{k}": np.ones((62, 63 + (k == 2) * 2, 5)) for k in range(1, 25)}
    )
    notes = read(tmp_path, content="de_LDS").notes
    assert any("more than 64 windows, in 1 trial (1-2: 65)" in note for note in notes)


def test_a_session_that_is_there_twice_is_refused(tmp_path):
    write(tmp_path / "eeg_raw_data")
    write(tmp_path / "eeg_raw_data", name="1_20160519.mat")
    with pytest.raises(CorpusError, match="same subject and session"):
        SeedIV(path=tmp_path).find_subjects()


def test_a_clip_that_is_not_there_is_rejected(tmp_path):
    write(tmp_path / "eeg_raw_data", n_clips=23)
    assert [(trial.trial, trial.reason) for trial in read(tmp_path).rejected] == [
        ("1-24", "the file of the session lacks this clip")
    ]


def test_a_file_of_other_content_is_refused_with_what_it_holds(tmp_path):
    write(tmp_path / "eeg_feature_smooth")
    with pytest.raises(CorpusError, match="has no de_LDS1 but cz_eeg1"):
        read(tmp_path, content="de_LDS")


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    file = write(tmp_path / "eeg_raw_data")
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(CorpusError, match=r"1_20160518\.mat"):
        read(tmp_path)


def test_folders_are_recognised_with_their_content(whole, tmp_path):
    assert SeedIV.recognise(whole) == SeedIV(path=whole)
    (features,) = whole.rglob("eeg_feature_smooth")
    assert SeedIV.recognise(features) == SeedIV(path=features, content="de_LDS")
    (eye,) = whole.rglob("eye_feature_smooth")
    assert SeedIV.recognise(eye) is None
    assert Seed.recognise(whole) is None
    (tmp_path / "1_20131027.mat").touch()
    assert SeedIV.recognise(tmp_path) is None


def test_the_small_files_have_each_emotion_twice(tmp_path):
    SeedIVFiles.small(n_subjects=1).write(tmp_path)
    found = sorted(recording.ratings["label"] for recording in read(tmp_path).recordings)
    assert found == [0, 0, 1, 1, 2, 2, 3, 3]
