import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import loadmat, savemat

from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.seed import Seed, identity
from emo_ray.errors import CorpusError
from emo_ray.testing.mat_v73 import save_v73
from emo_ray.testing.seed_files import SeedFiles


def clip(number, n_times=401):
    """EEG of which channel c of clip k is 100 k + c throughout, and the sample's number beside it."""
    return (100 * number + np.arange(62.0))[:, None] + np.zeros(n_times)


def write(folder, name="1_20131027.mat", prefix="djc", n_clips=15, **more):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"{prefix}_eeg{k}": clip(k) for k in range(1, n_clips + 1)}
    savemat(folder / name, arrays | more, do_compression=True)
    return folder / name


def labels(folder, row=(1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1)):
    savemat(folder / "label.mat", {"label": np.array([row])})


def read(folder, subject="seed/1", **options):
    return Seed(path=folder, **options).read_subject(subject)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    SeedFiles.small(n_subjects=1).write(folder)
    return folder


@pytest.fixture(scope="module")
def whole_features(tmp_path_factory):
    """All 180 variables a file, clips of 8 s."""
    folder = tmp_path_factory.mktemp("features")
    files = SeedFiles(n_subjects=1, contents=("features_1s", "features_4s"), packaging="new", clip_s=8)
    files.write(folder)
    return folder


def test_arrays_come_channel_first_with_names_rate_and_unit(tmp_path):
    write(tmp_path / "Preprocessed_EEG")
    recording = read(tmp_path).recordings[11]
    eeg = recording.signals["eeg"]
    assert (eeg.values.shape, eeg.values.dtype, eeg.sfreq, eeg.unit) == ((62, 401), np.float32, 200.0, "uV")
    assert (eeg.channels[0], eeg.channels[57], eeg.channels[61]) == ("Fp1", "CB1", "CB2")
    assert_array_equal(eeg.values[:, 0], 1200 + np.arange(62))
    assert (recording.session, recording.trial, recording.clip) == ("1", "1-12", "seed/clip12")
    assert (recording.subject, recording.group, recording.baseline_s) == ("seed/1", "seed/1", 0.0)


def test_labels_are_those_of_the_file_beside(tmp_path):
    write(tmp_path / "Preprocessed_EEG")
    labels(tmp_path / "Preprocessed_EEG")
    result = read(tmp_path)
    found = [recording.ratings["label"] for recording in result.recordings]
    assert found == [1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1]
    assert not any("labels" in note for note in result.notes)
    assert Seed(path=tmp_path).find_subjects()["seed/1"][-1].name == "label.mat"


def test_without_a_label_file_the_published_row_is_taken_and_noted(tmp_path):
    write(tmp_path / "Preprocessed_EEG")
    result = read(tmp_path)
    assert [recording.ratings["label"] for recording in result.recordings][:4] == [1, 0, -1, -1]
    assert any("labels as published" in note for note in result.notes)


def test_other_labels_than_published_are_taken_and_noted(tmp_path):
    write(tmp_path / "Preprocessed_EEG")
    labels(tmp_path / "Preprocessed_EEG", row=(0,) * 15)
    result = read(tmp_path)
    assert {recording.ratings["label"] for recording in result.recordings} == {0.0}
    assert any("other labels than published" in note for note in result.notes)


@pytest.mark.parametrize("row", [(1,) * 14, (2,) * 15, ("a",) * 15])
def test_a_label_file_of_something_else_is_refused(tmp_path, row):
    write(tmp_path / "Preprocessed_EEG")
    labels(tmp_path / "Preprocessed_EEG", row=row)
    with pytest.raises(CorpusError, match=r"label\.mat: label is"):
        read(tmp_path)


def test_sessions_are_numbered_by_date_and_chosen(tmp_path):
    for date in ("20131107", "20131027", "20131030"):
        write(tmp_path / "Preprocessed_EEG", f"1_{date}.mat", n_clips=1)
    files = Seed(path=tmp_path).find_subjects()["seed/1"]
    assert [file.name for file in files] == ["1_20131027.mat", "1_20131030.mat", "1_20131107.mat"]
    result = read(tmp_path, sessions=("2", "3"))
    assert [recording.trial for recording in result.recordings] == ["2-1", "3-1"]
    assert {trial.trial.partition("-")[0] for trial in result.rejected} == {"2", "3"}


def test_a_fourth_session_is_rejected_and_less_than_three_are_noted(tmp_path):
    for date in ("20131027", "20131030", "20131107", "20140101"):
        write(tmp_path / "Preprocessed_EEG", f"1_{date}.mat")
    write(tmp_path / "Preprocessed_EEG", "2_20140404.mat", prefix="jl")
    assert [trial.reason for trial in read(tmp_path).rejected] == ["1_20140101.mat is session 4 of 3"]
    assert any("1 of 3 sessions, numbered by date" in note for note in read(tmp_path, "seed/2").notes)


def test_subjects_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("10_20131130.mat", "1_20131027.mat", "2_20140404.mat", "7_20131027.mat"):
        write(tmp_path / "Preprocessed_EEG", name, n_clips=1)
    assert list(Seed(path=tmp_path).find_subjects()) == ["seed/1", "seed/2", "seed/7", "seed/10"]


def test_files_named_by_person_are_told_by_their_variables(tmp_path):
    raw = write(tmp_path / "Preprocessed_EEG", "somebody_20131027.mat", prefix="phl", n_clips=1)
    features = tmp_path / "ExtractedFeatures" / raw.name
    features.parent.mkdir()
    savemat(features, {"de_LDS1": np.ones((62, 4, 5))})
    assert list(Seed(path=tmp_path).find_subjects()) == ["seed/7"]  # 20131027 is of subject 1, too
    assert list(Seed(path=tmp_path, content="de_LDS").find_subjects()) == ["seed/7"]


def test_files_named_by_unknown_people_are_told_by_a_date_that_one_has(tmp_path):
    alone = write(tmp_path, "somebody_20131030.mat", prefix="xx", n_clips=1)
    with pytest.raises(CorpusError, match="named by person"):
        identity(alone, [alone])  # subjects 1 and 7 were there on that day
    other = write(tmp_path, "somebody_20140413.mat", prefix="xx", n_clips=1)
    assert identity(other, [other]) == (2, "20140413")


def test_variables_named_as_those_of_another_subject_are_noted(tmp_path):
    write(tmp_path / "Preprocessed_EEG", "1_20131027.mat", prefix="jl")
    assert any("named as those of subject 2" in note for note in read(tmp_path).notes)


def test_a_date_that_is_not_the_subjects_is_noted(tmp_path):
    write(tmp_path / "Preprocessed_EEG", "1_20131027.mat")
    assert not any("no date" in note for note in read(tmp_path).notes)
    write(tmp_path / "Preprocessed_EEG", "1_20140404.mat")  # subject 2 was there
    assert any("session 2: dated 20140404, which is no date" in note for note in read(tmp_path).notes)


def test_files_of_one_subject_named_as_of_two_people_are_noted(tmp_path):
    write(tmp_path / "Preprocessed_EEG", "1_20131027.mat", prefix="somebody")
    write(tmp_path / "Preprocessed_EEG", "1_20131030.mat", prefix="another")
    assert any("different letters, as of several people: 1_2013" in note for note in read(tmp_path).notes)


def test_two_subjects_with_the_letters_of_one_person_are_told(tmp_path):
    write(tmp_path / "Preprocessed_EEG", "1_20131027.mat", prefix="djc")
    write(tmp_path / "Preprocessed_EEG", "2_20140404.mat", prefix="djc")
    write(tmp_path / "Preprocessed_EEG", "3_20140603.mat", prefix="jj")
    (note,) = Seed(path=tmp_path).notes()
    assert "seed/1 and seed/2 are named by the same letters, 'djc'" in note


@pytest.mark.parametrize(("level", "is_told"), [(9.0, True), (11.0, False), (29.0, True)])
def test_entropies_outside_the_range_of_the_release_are_noted(tmp_path, level, is_told):
    (tmp_path / "ExtractedFeatures").mkdir()
    features = {f"de_LDS{k}": np.full((62, 4, 5), level) for k in range(1, 16)}
    savemat(tmp_path / "ExtractedFeatures" / "1_20131027.mat", features)
    found = [note for note in read(tmp_path, content="de_LDS").notes if "entropies are not between" in note]
    assert bool(found) == is_told


def test_an_unreadable_file_in_a_folder_without_a_known_name_costs_its_subject_alone(tmp_path):
    write(tmp_path / "mine", n_clips=1)
    (tmp_path / "mine" / "2_20140404.mat").write_bytes(b"no MATLAB file")
    assert len(read(tmp_path).recordings) == 1
    with pytest.raises(CorpusError, match=r"2_20140404\.mat is no MATLAB file"):
        read(tmp_path, "seed/2")


def test_a_label_file_that_leads_out_of_the_folder_is_refused(tmp_path):
    write(tmp_path / "corpus" / "Preprocessed_EEG")
    labels(tmp_path)
    (tmp_path / "corpus" / "Preprocessed_EEG" / "Label.mat").symlink_to(tmp_path / "label.mat")
    with pytest.raises(CorpusError, match="is a link to"):
        Seed(path=tmp_path / "corpus").find_subjects()


@pytest.mark.parametrize(
    ("content", "window_s"),
    [("de_LDS", 4), ("psd_movingAve", 1), ("dasm_LDS", 1), ("rasm_LDS", 1), ("asm_LDS", 1), ("dcau_LDS", 1)],
)
def test_every_shipped_feature_is_read_as_declared(whole_features, content, window_s):
    corpus = Seed(path=whole_features, content=content, window_s=window_s)
    result = corpus.read_subject("seed/1")
    assert disagreements(corpus.declaration, result) == ()
    assert len(result.recordings) == 45
    signal = result.recordings[0].signals[content.partition("_")[0]]
    assert (signal.values.shape[1], signal.sfreq) == (8 // window_s, 1 / window_s)


def test_features_are_named_channel_by_channel_and_band_by_band(whole_features):
    recording = read(whole_features, content="de_LDS").recordings[9]
    (file,) = whole_features.rglob("ExtractedFeatures_1s/1_20131027.mat")
    stored = loadmat(file)["de_LDS10"]  # not de_LDS1
    found = recording.signals["de"]
    row = found.channels.index("Fz/beta")  # the tenth electrode, the fourth band
    assert recording.trial == "1-10"
    assert_allclose(found.values[row], stored[9, :, 3], rtol=1e-6)


def test_written_eeg_is_as_declared_but_for_what_was_not_written(small):
    corpus = Seed.recognise(small)
    assert corpus == Seed(path=small)
    result = corpus.read_subject("seed/1")
    # two sessions of three, each with six clips and nine rejections
    assert disagreements(corpus.declaration, result) == ("30 trials, where the release has 45",)
    assert [recording.ratings["label"] for recording in result.recordings] == [1, 0, -1, -1, 0, 1] * 2
    assert len(result.rejected) == 18
    assert any("1-1: 2401 samples, not 47001" in note for note in result.notes)
    assert not any(" 0 throughout" in note or "NaN" in note for note in result.notes)


def test_both_contents_of_one_folder_are_told_apart(small):
    assert {len(read(small, content=content).recordings) for content in ("raw", "de_LDS")} == {12}


def test_the_same_arguments_write_the_same_bytes(small, tmp_path):
    SeedFiles.small(n_subjects=1).write_part(0, tmp_path)
    for file in tmp_path.rglob("*.mat"):
        assert file.read_bytes() == (small / file.relative_to(tmp_path)).read_bytes()


def test_a_folder_without_a_known_name_is_told_by_its_variables(tmp_path):
    write(tmp_path / "mine", n_clips=1)
    savemat(tmp_path / "mine" / "2_20140404.mat", {"de_LDS1": np.ones((62, 4, 5))})
    assert list(Seed(path=tmp_path).find_subjects()) == ["seed/1"]
    assert list(Seed(path=tmp_path, content="de_LDS").find_subjects()) == ["seed/2"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["Preprocessed_EEG/1_20131027.mat", "ExtractedFeatures/1_20131027.mat"], ("raw", 1)),
        (["SEED_EEG/ExtractedFeatures_1s/1_20131027.mat"], ("de_LDS", 1)),
        (["SEED_EEG/ExtractedFeatures_4s/1_20131027.mat"], ("de_LDS", 4)),
        (["1_20131027.mat"], ("raw", 1)),
        (["Preprocessed_EEG/djc_20131027.mat"], ("raw", 1)),
    ],
)
def test_a_folder_is_recognised_with_the_content_it_has(tmp_path, files, expected):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = Seed.recognise(tmp_path)
    assert (found.content, found.window_s) == expected


@pytest.mark.parametrize(
    "file",
    [
        "eeg_raw_data/1/1_20160518.mat",
        "1.mat",
        "Data_Preprocessed_P01.mat",
        "a_20160518.txt",
        "a_20160518.mat",
    ],
)
def test_other_corpora_are_not_taken_for_this_one(tmp_path, file):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert Seed.recognise(tmp_path) is None


def test_a_session_that_is_there_twice_is_refused(tmp_path):
    for folder in ("old/Preprocessed_EEG", "new/SEED_EEG/Preprocessed_EEG"):
        write(tmp_path / folder, n_clips=1)
    with pytest.raises(CorpusError, match="same subject and date"):
        Seed(path=tmp_path).find_subjects()


def test_what_is_not_there_is_told_with_what_is(tmp_path):
    write(tmp_path / "Preprocessed_EEG")
    with pytest.raises(CorpusError, match=r"no de_LDS of 1 s windows.*1 files of other content"):
        Seed(path=tmp_path, content="de_LDS").find_subjects()
    with pytest.raises(CorpusError, match="no subject 'seed/3'"):
        read(tmp_path, "seed/3")


def broken(kind):
    arrays = {f"djc_eeg{k}": clip(k) for k in range(1, 16)}
    if kind == "turned":
        arrays["djc_eeg3"] = arrays["djc_eeg3"].T
    elif kind == "text":
        arrays["djc_eeg3"] = "nothing"
    elif kind == "missing":
        del arrays["djc_eeg3"]
    elif kind == "twice":
        arrays["jl_eeg3"] = arrays["djc_eeg3"]
    return arrays


@pytest.mark.parametrize("kind", ["turned", "text", "missing", "twice"])
def test_a_broken_clip_is_rejected_and_the_others_are_read(tmp_path, kind):
    (tmp_path / "Preprocessed_EEG").mkdir()
    savemat(tmp_path / "Preprocessed_EEG" / "1_20131027.mat", broken(kind))
    result = read(tmp_path)
    assert [trial.trial for trial in result.rejected] == ["1-3"]
    assert len(result.recordings) == 14


def test_damage_within_one_clip_rejects_that_clip(tmp_path):
    rng = np.random.default_rng(0)  # noise, so that one clip is most of the file
    file = write(tmp_path / "Preprocessed_EEG", n_clips=4, djc_eeg5=rng.standard_normal((62, 401)))
    damaged = bytearray(file.read_bytes())
    damaged[-1000] ^= 0xFF
    file.write_bytes(damaged)
    result = read(tmp_path)
    assert [recording.trial for recording in result.recordings] == ["1-1", "1-2", "1-3", "1-4"]
    assert "can not be read" in result.rejected[0].reason


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    file = write(tmp_path / "Preprocessed_EEG")
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(CorpusError, match=r"1_20131027\.mat"):
        read(tmp_path)


def test_a_sixteenth_clip_and_the_array_of_labels_are_left_out(tmp_path):
    write(tmp_path / "Preprocessed_EEG", n_clips=16, labels=np.ones((1, 15)))
    result = read(tmp_path)
    assert len(result.recordings) == 15
    assert any("clips that the release does not have, left out" in note for note in result.notes)


def test_a_file_saved_anew_as_v7_3_holds_the_same(tmp_path):
    folder = tmp_path / "Preprocessed_EEG"
    folder.mkdir()
    save_v73(folder / "1_20131027.mat", {f"djc_eeg{k}": clip(k) for k in range(1, 16)})
    assert_array_equal(read(tmp_path).recordings[4].signals["eeg"].values, clip(5))


def test_both_tasks_name_the_codes_of_their_classes(tmp_path):
    tasks = Seed(path=tmp_path).tasks()
    assert tasks["emotion"].classes == (("negative", (-1.0,)), ("neutral", (0.0,)), ("positive", (1.0,)))
    assert list(tasks) == ["emotion", "valence"]
