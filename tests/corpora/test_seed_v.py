import os
import pickle
import zipfile
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.pickled_npz import read_pickled_npz
from emo_ray.corpora.seed_v import CLIP_TIMES, LABELS, SESSIONS, SeedV, parse_clip_times
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import SJTU62
from emo_ray.tasks.base import SegmentColumns
from emo_ray.testing.cnt_files import CntLayout, write_cnt
from emo_ray.testing.seed_v_files import CNT_CHANNELS, SeedVFiles

TIMES = "trial_start_end_timestamp.txt"


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    SeedVFiles.small().write(folder)
    return folder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    SeedVFiles(n_subjects=1, contents=("raw",), raw_sessions=("1", "2"), clip_s=2, sfreq=1000).write(folder)
    return folder


def by_hand(folder, change=lambda data, label: None, stem="1_123"):
    """Two windows of 310 numbers a clip, which tell key, window and column; and are changed at will."""
    data = {key: 1e4 * key + 1e3 * np.arange(2.0)[:, None] + np.arange(310.0) for key in range(45)}
    label = {key: np.full(2, LABELS[SESSIONS[key // 15]][key % 15]) for key in range(45)}
    change(data, label)
    (folder / "EEG_DE_features").mkdir(parents=True, exist_ok=True)
    file = folder / "EEG_DE_features" / f"{stem}.npz"
    np.savez(file, data=np.array(pickle.dumps(data)), label=np.array(pickle.dumps(label)))
    return SeedV(path=folder)


def read_by_hand(folder, change=lambda data, label: None):
    return by_hand(folder, change).read_subject("seed_v/1")


def of_trial(read, trial):
    return next(recording for recording in read.recordings if recording.trial == trial)


def test_every_emotion_is_shown_once_in_every_block_of_five_clips():
    for codes in LABELS.values():
        assert [sorted(codes[at : at + 5]) for at in (0, 5, 10)] == [[0, 1, 2, 3, 4]] * 3
    assert Counter(code for codes in LABELS.values() for code in codes) == dict.fromkeys(range(5), 9)


def test_the_clip_table_gives_the_published_numbers_of_windows():
    lengths = {
        name: sum(int(end - start) // 4 for start, end in zip(times.starts_s, times.ends_s, strict=True))
        for name, times in CLIP_TIMES.items()
    }
    assert lengths == {"1": 681, "2": 541, "3": 601}


def test_features_are_read_as_declared(features):
    corpus = SeedV(path=features)
    for subject in corpus.find_subjects():
        read = corpus.read_subject(subject)
        assert disagreements(corpus.declaration, read) == ()
        assert (len(read.recordings), read.rejected) == (45, ())


def test_windows_become_samples_and_channels_keep_their_five_bands_together(tmp_path):
    recording = of_trial(read_by_hand(tmp_path), "2-1")  # key 15
    de = recording.signals["de"]
    assert (de.values.shape, de.sfreq, de.unit, de.values.dtype) == ((310, 2), 0.25, "nats", np.float32)
    assert_array_equal(de.values[:, 1], 151_000 + np.arange(310))
    assert de.channels[:6] == ("Fp1/delta", "Fp1/theta", "Fp1/alpha", "Fp1/beta", "Fp1/gamma", "Fpz/delta")
    assert de.channels[-1] == "CB2/gamma"


def test_a_recording_says_whose_and_of_what_it_is(tmp_path):
    recording = of_trial(read_by_hand(tmp_path), "3-2")
    assert (recording.subject, recording.session, recording.group) == ("seed_v/1", "3", "seed_v/1")
    assert (recording.clip, recording.start_s, recording.ratings) == ("seed_v/3-2", 353.0, {"label": 1.0})


def test_the_same_clip_has_the_same_identity_for_everybody(features):
    first, second = (SeedV(path=features).read_subject(f"seed_v/{number}") for number in (1, 2))
    assert [one.clip for one in first.recordings] == [one.clip for one in second.recordings]
    assert len({one.clip for one in first.recordings}) == 45


def test_the_default_task_is_the_five_emotions(features):
    task = next(iter(SeedV(path=features).tasks().values()))
    codes = np.array([0, 1, 2, 3, 4], dtype=np.float32)
    counted = np.arange(5, dtype=np.int32)
    columns = SegmentColumns(counted * 0, counted, counted, {"label": codes})
    assert task.heads[0].classes == ("disgust", "fear", "sad", "neutral", "happy")
    assert_array_equal(task.targets(columns)["label"], codes)


def test_subject_ten_comes_after_subject_two(tmp_path):
    for stem in ("10_123", "2_123", "1_123"):
        corpus = by_hand(tmp_path, stem=stem)
    assert list(corpus.find_subjects()) == ["seed_v/1", "seed_v/2", "seed_v/10"]


def test_eye_features_are_cut_with_the_eeg_to_the_shorter(features):
    read = SeedV(path=features, with_eye=True).read_subject("seed_v/1")
    recording = of_trial(read, "1-8")  # key 7, which the writer makes one window shorter
    assert [signal.values.shape for signal in recording.signals.values()] == [(310, 7), (33, 7)]
    assert any(
        "unequal length, cut to the shorter, in 1 trial (1-8: de 8, eye 7)" in note for note in read.notes
    )


def test_eye_features_alone_are_a_content_of_their_own(features):
    corpus = SeedV(path=features, content="eye")
    read = corpus.read_subject("seed_v/3")
    assert disagreements(corpus.declaration, read) == ()
    assert {tuple(recording.signals) for recording in read.recordings} == {("eye",)}


def test_a_folder_that_ends_in_eye_holds_no_eye_features(tmp_path):
    made = by_hand(tmp_path)
    (tmp_path / "EEG_DE_features").rename(tmp_path / "skye_copy")
    assert len(SeedV(path=made.path).read_subject("seed_v/1").recordings) == 45


def test_missing_eye_features_are_told_by_subject(tmp_path):
    with pytest.raises(CorpusError, match="no eye features of seed_v/1"):
        SeedV(path=by_hand(tmp_path).path, with_eye=True).find_subjects()


def test_a_label_other_than_published_is_kept_and_noted(tmp_path):
    read = read_by_hand(tmp_path, lambda data, label: label.update({3: np.array([4, 4])}))
    assert of_trial(read, "1-4").ratings == {"label": 4.0}  # published: 2
    assert any("label other than published" in note and "1-4: 4, not 2" in note for note in read.notes)


@pytest.mark.parametrize("codes", [[4, 3], [], [5, 5], ["x", "x"], [[4], [4, 4]]], ids=repr)
def test_a_label_that_is_not_one_code_rejects_its_trial(tmp_path, codes):
    read = read_by_hand(tmp_path, lambda data, label: label.update({0: codes}))
    assert len(read.recordings) == 44
    assert [(one.trial, "label 0 of 1_123.npz" in one.reason) for one in read.rejected] == [("1-1", True)]


@pytest.mark.parametrize(
    "block",
    [None, np.zeros((0, 310)), np.zeros((2, 62, 5)), np.zeros((2, 309)), np.array([["a"]]), "text"],
    ids=["missing", "empty", "three axes", "narrow", "letters", "no array"],
)
def test_an_unusable_block_rejects_its_trial_alone(tmp_path, block):
    def change(data, label):
        data[44] = block
        if block is None:
            del data[44]

    read = read_by_hand(tmp_path, change)
    assert (len(read.recordings), [one.trial for one in read.rejected]) == (44, ["3-15"])


def test_windows_that_do_not_fit_the_clip_are_noted(tmp_path):
    read = read_by_hand(tmp_path)
    # clip 1-1 lasts 72 s: 18 windows
    assert any("45 trials (1-1: 2, not 18" in note for note in read.notes)


def test_keys_of_no_clip_are_noted_and_left_out(tmp_path):
    read = read_by_hand(tmp_path, lambda data, label: data.update({45: data[0], "x": 1}))
    assert len(read.recordings) == 45
    assert any("keys other than 0 to 44" in note for note in read.notes)


def test_sessions_can_be_chosen(features):
    corpus = SeedV(path=features, sessions=("2",))
    read = corpus.read_subject("seed_v/1")
    assert {recording.session for recording in read.recordings} == {"2"}
    assert disagreements(corpus.declaration, read) == ()


def test_recordings_are_read_as_declared(recordings):
    corpus = SeedV(path=recordings, content="raw", sessions=("1", "2"))
    read = corpus.read_subject("seed_v/1")
    assert disagreements(corpus.declaration, read) == ()
    assert {one.signals["eeg"].values.shape for one in read.recordings} == {(62, 2000)}


def test_a_session_without_recording_is_noted(recordings):
    read = SeedV(path=recordings, content="raw").read_subject("seed_v/1")
    assert len(read.recordings) == 30
    assert any("there is no recording of session 3" in note for note in read.notes)


def constant_recording(folder, duration_s=3066, channels=CNT_CHANNELS):
    """One sample every tenth of a second; a channel of the cap is its place in SJTU62 + 1 uV, others 900."""
    places = {name.upper(): place + 1.0 for place, name in enumerate(SJTU62)}
    values = np.array([places.get(name, 900.0) for name in channels])[:, None]
    block = values + 0.001 * np.arange(duration_s * 10)  # tells the time: 0.01 uV a second
    write_cnt(folder / "4_3_20180501.cnt", CntLayout(channels, 10, resolution_uv=1e-4), [block])
    return SeedV(path=folder, content="raw", sessions=("3",)).read_subject("seed_v/4")


def test_channels_are_taken_by_name_and_clips_by_the_published_table(tmp_path):
    read = constant_recording(tmp_path, channels=CNT_CHANNELS[::-1])
    eeg = of_trial(read, "3-2").signals["eeg"]  # from 353 s to 418 s
    assert eeg.values.shape == (62, 650)
    assert_allclose(eeg.values[:, 0], np.arange(1, 63) + 3.53, atol=1e-4)
    assert_allclose(eeg.values[0, -1], 1 + 4.179, atol=1e-4)


def test_the_text_file_of_clip_times_comes_before_the_table(tmp_path):
    SeedVFiles(clip_s=40, gap_s=5).write_shared(tmp_path)
    read = constant_recording(tmp_path, duration_s=680)
    assert of_trial(read, "3-2").start_s == 50.0
    assert_allclose(of_trial(read, "3-2").signals["eeg"].values[0, [0, -1]], [1.5, 1.899], atol=1e-4)
    assert any("other clip times than published" in note for note in read.notes)


def test_a_recording_that_ends_early_loses_what_is_not_there(tmp_path):
    read = constant_recording(tmp_path, duration_s=2800)  # clip 14: 2726 to 2857 s, clip 15 from 2888 s
    assert [one.trial for one in read.rejected] == ["3-15"]
    assert of_trial(read, "3-14").signals["eeg"].values.shape == (62, 740)
    assert any("ends within the clip" in note and "3-14: 57.000 s" in note for note in read.notes)


def test_a_recording_without_a_channel_of_the_cap_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="not one channel each of CB2"):
        constant_recording(tmp_path, channels=CNT_CHANNELS[:63])


@pytest.mark.parametrize("n_bytes", [0, 100, 900, 5000, 100_000])
def test_a_recording_cut_off_anywhere_is_refused(tmp_path, recordings, n_bytes):
    file = next(recordings.rglob("1_1_*.cnt"))
    (tmp_path / file.name).write_bytes(file.read_bytes()[:n_bytes])
    with pytest.raises(CorpusError, match="Neuroscan CNT file"):
        SeedV(path=tmp_path, content="raw", sessions=("1",)).read_subject("seed_v/1")


def test_two_recordings_of_one_session_are_refused(recordings, tmp_path):
    file = next(recordings.rglob("1_1_*.cnt"))
    for name in ("1_1_20180804.cnt", "1_1_20180805.cnt"):
        (tmp_path / name).symlink_to(file)
    with pytest.raises(CorpusError, match="outside"):
        SeedV(path=tmp_path, content="raw").find_subjects()
    for name in ("1_1_20180804.cnt", "1_1_20180805.cnt"):
        (tmp_path / name).unlink()
        (tmp_path / name).touch()
    with pytest.raises(CorpusError, match="same subject and session"):
        SeedV(path=tmp_path, content="raw").find_subjects()


def test_a_table_of_clip_times_that_is_no_such_table_is_refused(tmp_path):
    SeedVFiles().write_shared(tmp_path)
    good = (tmp_path / TIMES).read_text()
    assert parse_clip_times(tmp_path / TIMES) == CLIP_TIMES
    for bad in ("", good.replace("102, 228", "102"), good.replace("[30, 132", "[130, 32"), good + good):
        (tmp_path / TIMES).write_text(bad)
        with pytest.raises(CorpusError, match="start_second and end_second of 15 clips"):
            parse_clip_times(tmp_path / TIMES)


class Evil:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


def test_code_in_a_pickle_is_not_run(tmp_path):
    corpus = by_hand(tmp_path, lambda data, label: data.update({0: Evil(tmp_path / "ran")}))
    with pytest.raises(CorpusError, match=r"1_123\.npz, 'data'"):
        corpus.read_subject("seed_v/1")
    assert not (tmp_path / "ran").exists()


def test_members_that_are_no_pickles_in_bytes_are_refused(tmp_path):
    file = tmp_path / "a.npz"
    for members, words in (
        ({"data": np.zeros(3), "label": np.array(b".")}, "not a pickle in bytes"),
        ({"data": np.array({0: 1}, dtype=object), "label": np.array(b".")}, "cut off or damaged"),
        ({"data": np.array(b".")}, "no label"),
    ):
        np.savez(file, **members)
        with pytest.raises(CorpusError, match=words):
            read_pickled_npz(file, ("data", "label"))


def test_a_pickle_of_no_dictionary_is_refused(tmp_path):
    (tmp_path / "EEG").mkdir()
    content = np.array(pickle.dumps([1, 2]))
    np.savez(tmp_path / "EEG" / "1_123.npz", data=content, label=content)
    with pytest.raises(CorpusError, match="holds list, not a dictionary"):
        SeedV(path=tmp_path).read_subject("seed_v/1")


def test_an_absurdly_large_member_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    corpus = by_hand(tmp_path)
    monkeypatch.setattr("emo_ray.corpora.pickled_npz.MAX_MEMBER_BYTES", 200_000)
    with pytest.raises(CorpusError, match="data of 2"):  # 45 x 2 x 310 x 8 = 223,200 bytes and some
        corpus.read_subject("seed_v/1")


def test_a_small_member_of_the_same_name_does_not_hide_a_large_one(tmp_path, monkeypatch):
    corpus = by_hand(tmp_path)
    monkeypatch.setattr("emo_ray.corpora.pickled_npz.MAX_MEMBER_BYTES", 200_000)
    with zipfile.ZipFile(corpus.find_subjects()["seed_v/1"][0], "a") as archive:
        archive.writestr("data", b"x")  # beside data.npy: NumPy calls both by one name
    with pytest.raises(CorpusError, match="data of 2"):
        corpus.read_subject("seed_v/1")


@pytest.mark.parametrize("n_bytes", [0, 10, 5000, 200_000])
def test_features_cut_off_anywhere_are_refused(tmp_path, n_bytes):
    corpus = by_hand(tmp_path)
    file = corpus.find_subjects()["seed_v/1"][0]
    file.write_bytes(file.read_bytes()[:n_bytes])
    with pytest.raises(CorpusError, match="can not be read"):
        corpus.read_subject("seed_v/1")


def test_it_is_recognised_by_names_alone(features, recordings, tmp_path):
    assert SeedV.recognise(features).content == "de"
    assert SeedV.recognise(features / "Eye_movement_features").content == "eye"
    assert SeedV.recognise(recordings).content == "raw"
    (tmp_path / "1.mat").touch()
    (tmp_path / "14_20221015_1.cnt").touch()  # SEED-VII's order of date and session
    assert SeedV.recognise(tmp_path) is None


def test_a_folder_without_its_files_tells_what_was_looked_for(tmp_path, recordings):
    with pytest.raises(CorpusError, match=r"no files of SEED-V such as 1_123\.npz"):
        SeedV(path=recordings).find_subjects()
    with pytest.raises(CorpusError, match="is no folder"):
        SeedV(path=tmp_path / "nothing").find_subjects()


def test_people_and_bytes_depend_on_the_seed_alone(tmp_path):
    for name in ("a", "b"):
        SeedVFiles.small(2).write(tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.npz"))
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
    one, two = (SeedV(path=tmp_path / "a").read_subject(f"seed_v/{n}").recordings for n in (1, 2))
    profiles = [np.concatenate([r.signals["de"].values.mean(1) for r in read]) for read in (one, two)]
    assert np.corrcoef(*profiles)[0, 1] < 0.99
