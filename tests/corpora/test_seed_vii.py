from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from openpyxl import Workbook, load_workbook
from scipy.io import savemat

from emo_ray.corpora.account import Account
from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.seed_vii import SeedVII
from emo_ray.corpora.seed_vii_labels import PUBLISHED, clip_emotions, read_labels
from emo_ray.corpora.seed_vii_triggers import paired, table_marks
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import SJTU62
from emo_ray.testing.cnt_files import CntLayout, Mark, write_cnt
from emo_ray.testing.seed_vii_files import CNT_CHANNELS, SeedVIIFiles

LABELS = "emotion_label_and_stimuli_order.xlsx"
CLIP_S = 5  # of the recordings written here


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    SeedVIIFiles.small().write(folder)
    return folder


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """The first session of subject 14, whose marks are known to be bad."""
    folder = tmp_path_factory.mktemp("recording")
    made = SeedVIIFiles(n_subjects=14, contents=("cnt",), cnt_sessions=("1",), clip_s=CLIP_S, gap_s=1)
    made.write_part(13, folder)
    return folder


def by_hand(folder, kind="EEG_features", name="1.mat", **changed):
    """Three windows of every feature and clip, whose numbers tell clip, window, band and channel."""
    windows = 1e3 * np.arange(3.0)[:, None, None] + 1e2 * np.arange(5.0)[:, None] + np.arange(62.0)
    tables = {f"de_LDS_{clip}": 1e4 * clip + windows for clip in range(1, 81)}
    tables |= {f"de_{clip}": -windows for clip in range(1, 81)}
    tables |= changed
    (folder / kind).mkdir(parents=True, exist_ok=True)
    savemat(folder / kind / name, {key: value for key, value in tables.items() if value is not None})
    return folder


def add(folder, kind, tables, name="1.mat"):
    (folder / kind).mkdir(parents=True, exist_ok=True)
    savemat(folder / kind / name, tables)


def read(folder, **options):
    return SeedVII(path=folder, **options).read_subject("seed_vii/1")


def of_trial(result, trial):
    return next(one for one in result.recordings if one.trial == trial)


def test_every_emotion_has_twelve_clips_and_neutral_has_eight():
    counts = Counter(PUBLISHED.values())
    assert counts.pop("neutral") == 8
    assert counts == dict.fromkeys(("disgust", "fear", "sad", "happy", "anger", "surprise"), 12)


@pytest.mark.parametrize(
    ("clip", "emotion"),
    [(1, "happy"), (2, "neutral"), (11, "happy"), (20, "happy"), (21, "anger"), (23, "fear"),
     (25, "surprise"), (40, "anger"), (41, "happy"), (44, "fear"), (61, "disgust"), (65, "happy"),
     (80, "disgust")],
)  # fmt: skip
def test_clips_have_the_published_emotions(clip, emotion):
    assert PUBLISHED[clip] == emotion


@pytest.mark.parametrize("options", [{}, {"content": "de"}, {"content": "psd"}, {"content": "eye"}], ids=str)
def test_features_are_read_as_declared(features, options):
    corpus = SeedVII(path=features, **options)
    result = corpus.read_subject("seed_vii/1")
    assert disagreements(corpus.declaration, result) == ()
    assert (len(result.recordings), result.rejected) == (80, ())
    # 80 clips of 32 s are shorter than those of the release
    assert result.notes == ("seed_vii/1: all clips have 640 windows of 4 s, not 3487 or one more",)


def test_bands_come_before_channels_in_the_file_and_after_them_here(tmp_path):
    de = of_trial(read(by_hand(tmp_path)), "7").signals["de"]
    assert (de.values.shape, de.sfreq, de.unit) == ((310, 3), 0.25, "nats")
    # Fpz is channel 1, gamma band 4
    assert_array_equal(de.values[de.channels.index("Fpz/gamma")], [70_401, 71_401, 72_401])
    assert_array_equal(de.values[de.channels.index("CB2/delta")], [70_061, 71_061, 72_061])


def test_plain_and_smoothed_entropy_are_kept_apart(tmp_path):
    by_hand(tmp_path)
    assert of_trial(read(tmp_path, content="de"), "1").signals["de"].values[309, 2] == -2461
    assert of_trial(read(tmp_path), "1").signals["de"].values[309, 2] == 12_461


def test_a_recording_says_whose_and_of_what_it_is(tmp_path):
    recording = of_trial(read(by_hand(tmp_path)), "23")
    assert (recording.subject, recording.session, recording.clip) == ("seed_vii/1", "2", "seed_vii/23")
    assert recording.ratings == {"label": 1.0}  # fear


def test_the_default_task_names_seven_emotions_in_the_order_of_their_codes(features):
    tasks = SeedVII(path=features).tasks()
    assert next(iter(tasks.values())).heads[0].classes == (
        "disgust", "fear", "sad", "neutral", "happy", "anger", "surprise",
    )  # fmt: skip
    assert tasks["intensity"].column == "intensity"


@pytest.mark.parametrize(
    "table",
    [None, np.zeros((62, 3, 5)), np.zeros((0, 5, 62)), np.zeros((5, 62)), "text"],
    ids=["missing", "axes of SEED", "empty", "one window less an axis", "text"],
)
def test_an_unusable_table_rejects_its_trial_alone(tmp_path, table):
    result = read(by_hand(tmp_path, de_LDS_71=table))
    assert (len(result.recordings), [one.trial for one in result.rejected]) == (79, ["71"])
    assert ("de_LDS_71" in result.rejected[0].reason) == (table is not None)


def test_damage_within_one_table_rejects_its_trial_alone(tmp_path):
    rng = np.random.default_rng(0)  # noise, so that the last table is most of the file
    tables = {f"de_LDS_{clip}": np.zeros((3, 5, 62)) for clip in range(1, 80)}
    (tmp_path / "EEG_features").mkdir()
    file = tmp_path / "EEG_features" / "1.mat"
    savemat(file, tables | {"de_LDS_80": rng.standard_normal((9, 5, 62))}, do_compression=True)
    damaged = bytearray(file.read_bytes())
    damaged[-1000] ^= 0xFF
    file.write_bytes(damaged)
    result = read(tmp_path)
    assert (len(result.recordings), [one.trial for one in result.rejected]) == (79, ["80"])


@pytest.mark.parametrize(("n_windows", "is_told"), [(3488 - 79 * 44, False), (3486 - 79 * 44, True)])
def test_another_number_of_windows_than_the_release_has_is_noted(tmp_path, n_windows, is_told):
    tables = {f"de_LDS_{clip}": np.zeros((44, 5, 62)) for clip in range(1, 81)}
    result = read(by_hand(tmp_path, **(tables | {"de_LDS_80": np.zeros((n_windows, 5, 62))})))
    assert any("not 3487 or one more" in note for note in result.notes) == is_told


def test_the_clip_that_lacks_eye_features_is_rejected_where_eyes_are_read(features):
    corpus = SeedVII(path=features, with_eye=True)
    result = corpus.read_subject("seed_vii/2")  # the writer leaves out its clip 71
    assert [(one.trial, one.reason) for one in result.rejected] == [
        ("71", "no variable of this clip in EYE_features")
    ]
    assert disagreements(corpus.declaration, result) == ()
    assert len(SeedVII(path=features).read_subject("seed_vii/2").recordings) == 80


def test_eye_features_are_cut_with_the_eeg_to_the_shorter(tmp_path):
    add(by_hand(tmp_path), "EYE_features", {str(clip): np.ones((2, 33)) for clip in range(1, 81)})
    result = read(tmp_path, with_eye=True)
    assert {name: one.values.shape for name, one in result.recordings[0].signals.items()} == {
        "de": (310, 2),
        "eye": (33, 2),
    }
    assert any("cut to the shorter, in 80 trials (1: de 3, eye 2" in note for note in result.notes)


def test_intensity_is_annotated_in_steps_of_four_seconds(tmp_path):
    intensities = {str(clip): np.array([[0.25, 0.5, 1.0]]) for clip in range(1, 81)}
    add(by_hand(tmp_path), "continuous_labels", intensities)
    rows = of_trial(read(tmp_path), "80").annotations
    assert_array_equal(rows["start_s"], [0, 4, 8])
    assert_array_equal(rows["stop_s"], [4, 8, 12])
    assert_array_equal(rows["intensity"], [0.25, 0.5, 1.0])


@pytest.mark.parametrize(
    ("known", "expected", "word"),
    [
        (np.array([[0.25, 0.5]]), [0.25, 0.5, np.nan], "2, not 3"),
        (np.array([[0.25, 0.5, 1.0, 0.0]]), [0.25, 0.5, 1.0], "4, not 3"),
        (np.ones((1, 12)), [np.nan] * 3, "12, not 3"),  # one a second: no way to tell
        (np.array([[0.25, 1.5, np.nan]]), [0.25, np.nan, np.nan], "outside 0 to 1"),
        (np.ones((3, 1)), [np.nan] * 3, "has shape (3, 1)"),
    ],
)
def test_intensity_that_does_not_fit_is_noted(tmp_path, known, expected, word):
    add(by_hand(tmp_path), "continuous_labels", {str(clip): known for clip in range(1, 81)})
    result = read(tmp_path)
    assert_array_equal(result.recordings[0].annotations["intensity"], expected)
    assert any(word in note for note in result.notes)


def test_without_intensity_the_rows_are_there_and_say_so(tmp_path):
    result = read(by_hand(tmp_path))
    assert np.isnan(result.recordings[0].annotations["intensity"]).all()
    assert len(result.recordings[0].annotations["start_s"]) == 3


def test_preprocessed_eeg_is_read_as_declared(tmp_path):
    values = np.arange(62.0)[:, None] + np.zeros(800)
    tables = {str(clip): values for clip in range(1, 81)} | {"5": values[:, :799], "6": values.T}
    add(tmp_path, "EEG_preprocessed", tables)
    corpus = SeedVII(path=tmp_path, content="raw")
    result = corpus.read_subject("seed_vii/1")
    assert disagreements(corpus.declaration, result) == ()
    assert_array_equal(result.recordings[0].signals["eeg"].values[:, 0], np.arange(62))
    assert [one.trial for one in result.rejected] == ["6"]
    assert any("whole number of seconds, in 1 trial (5: 799 samples)" in note for note in result.notes)


def test_sessions_can_be_chosen(features):
    corpus = SeedVII(path=features, sessions=("4", "2"))
    result = corpus.read_subject("seed_vii/1")
    assert [one.trial for one in result.recordings] == [*map(str, range(61, 81)), *map(str, range(21, 41))]
    assert disagreements(corpus.declaration, result) == ()


def test_bad_marks_are_replaced_by_the_trigger_table(recording):
    corpus = SeedVII(path=recording, content="cnt", sessions=("1",))
    result = corpus.read_subject("seed_vii/14")
    assert disagreements(corpus.declaration, result) == ()
    assert [one.start_s for one in result.recordings] == [1.0 + 6.0 * clip for clip in range(20)]
    assert {one.signals["ecg"].values.shape for one in result.recordings} == {(1, 1000 * CLIP_S)}
    assert any("marks known to be bad, clips cut by the table" in note for note in result.notes)


def test_bad_marks_without_a_table_reject_the_session(recording, tmp_path):
    file = next(recording.rglob("*.cnt"))
    (tmp_path / file.name).write_bytes(file.read_bytes())
    corpus = SeedVII(path=tmp_path, content="cnt", sessions=("1",))
    result = corpus.read_subject("seed_vii/14")
    assert (len(result.recordings), len(result.rejected)) == (0, 20)
    assert "14_20221015_1_trigger_info.csv is missing" in result.rejected[0].reason


def constant_recording(folder, marks, channels=CNT_CHANNELS, duration_s=100, stem="3_20221001_2"):
    """10 Hz; a channel of the cap is its place + 1 uV, ECG 100, HEO 200, VEO 300, others 900, plus time."""
    places = {name.upper(): place + 1.0 for place, name in enumerate(SJTU62)}
    places |= {"ECG": 100.0, "HEO": 200.0, "VEO": 300.0}
    block = np.array([places.get(name, 900.0) for name in channels])[:, None] + 0.001 * np.arange(
        duration_s * 10
    )
    write_cnt(folder / f"{stem}.cnt", CntLayout(channels, 10, resolution_uv=1e-4), [block], marks)
    number, _, session = stem.split("_")
    return SeedVII(path=folder, content="cnt", sessions=(session,)).read_subject(f"seed_vii/{number}")


def good_marks(n_clips=20):
    """A clip every 4 s from second 2 on, of 3 s."""
    return [Mark(20 + 40 * clip + 30 * end, 1 + end) for clip in range(n_clips) for end in (0, 1)]


def test_clips_are_cut_by_their_marks_and_channels_taken_by_name(tmp_path):
    result = constant_recording(tmp_path, good_marks(), channels=CNT_CHANNELS[::-1])
    last = of_trial(result, "40")  # from 2 + 4 * 19 = 78 s to 81 s
    assert (last.session, last.start_s, tuple(last.signals)) == ("2", 78.0, ("eeg", "ecg", "eog"))
    assert_allclose(last.signals["eeg"].values[:, 0], np.arange(1, 63) + 0.78, atol=1e-4)
    assert last.signals["eog"].channels == ("HEO", "VEO")
    assert_allclose(last.signals["eog"].values[:, -1], [200.809, 300.809], atol=1e-4)
    assert_allclose(last.signals["ecg"].values[0, -1], 100.809, atol=1e-4)


@pytest.mark.parametrize(
    "marks", [good_marks(19), [*good_marks()[1:], Mark(990, 2)], []], ids=["38", "shifted by one", "none"]
)
def test_marks_that_are_no_forty_in_turn_reject_the_session(tmp_path, marks):
    result = constant_recording(tmp_path, marks)
    assert [one.trial for one in result.rejected] == [str(clip) for clip in range(21, 41)]
    assert f"has {len(marks)} marks" in result.rejected[0].reason


def test_a_recording_that_ends_early_loses_what_is_not_there(tmp_path):
    # clips by the table: 20 of 3 s, every 4 s from 2 s after 14:01:27 on
    times = [
        datetime(2022, 11, 11, 14, 1, 29) + timedelta(seconds=4 * clip + 3 * end)
        for clip in range(20)
        for end in (0, 1)
    ]
    rows = [f"{1 + place % 2},{time}" for place, time in enumerate(times)]
    (tmp_path / "9_20221111_3_trigger_info.csv").write_text("\n".join(rows))
    result = constant_recording(tmp_path, [], duration_s=76, stem="9_20221111_3")
    assert [(one.trial, "begins at 78 s" in one.reason) for one in result.rejected] == [("60", True)]
    assert of_trial(result, "59").signals["eeg"].values.shape == (62, 20)
    assert any("59: 1.000 s" in note for note in result.notes)


def test_marks_of_one_code_are_taken_in_turn():
    assert paired([(1.0, "7"), (2.0, "7"), (3.5, "7"), (4.0, "7")], 2) == ((1.0, 2.0), (3.5, 4.0))
    assert paired([(1.0, "1"), (2.0, "1"), (3.5, "2"), (4.0, "2")], 2) is None
    assert paired([(1.0, "1"), (1.0, "2")], 1) is None


def test_a_trigger_table_counts_from_the_start_of_the_recording(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(
        "trigger,time\n1,2022-11-11 14:01:57.250000\n9,2022-11-11 14:03:00\n2.0, 2022-11-11 23:59:59\n"
        "3,1,2022-11-12 00:00:01.5\n"
    )
    # began at 14:01:27; 23:59:59 is 35,912 s later
    assert table_marks(file, 14 * 3600 + 87.0) == [(30.25, "1"), (35_912.0, "2"), (35_914.5, "1")]


def test_a_trigger_table_may_number_its_rows(tmp_path):
    rows = ["0,1,2022-10-15 14:25:44", "1,2,2022-10-15 14:26:34", "2,1,2022-10-15 14:26:44"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    began_s = 14 * 3600.0 + 25 * 60 + 34
    assert table_marks(tmp_path / "t.csv", began_s) == [(10.0, "1"), (60.0, "2"), (70.0, "1")]


def test_a_trigger_table_without_times_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe1,2\n")
    with pytest.raises(CorpusError, match="no row of a code"):
        table_marks(tmp_path / "a.csv", 0.0)


def test_the_table_of_emotions_comes_before_the_published_order(tmp_path):
    SeedVIIFiles().write_shared(tmp_path)
    assert read_labels(tmp_path / LABELS) == PUBLISHED
    book = load_workbook(tmp_path / LABELS)
    book.worksheets[0]["C4"] = "Fear"  # second clip of session 2, published as sad
    book.save(tmp_path / LABELS)
    account = Account("seed_vii/1", "1.mat")
    assert clip_emotions(tmp_path / LABELS, account)[22] == "fear"
    assert account.notes() == (f"1.mat: {LABELS} differs from the published order, in 1 trial (22: fear)",)


def test_a_broken_table_of_emotions_is_refused(tmp_path):
    file = tmp_path / LABELS
    file.write_bytes(b"PK no spreadsheet")
    with pytest.raises(CorpusError, match="can not be read as a spreadsheet"):
        read_labels(file)
    book = Workbook()
    book.worksheets[0].append(["Video index", 1])
    book.worksheets[0].append(["Session 1", "Boredom"])
    book.save(file)
    with pytest.raises(CorpusError, match="'Boredom' for clip 1"):
        read_labels(file)
    book.worksheets[0]["B2"] = "Happy"
    book.save(file)
    with pytest.raises(CorpusError, match="emotions of 1 clips"):
        read_labels(file)


def test_files_of_one_name_are_told_apart_by_their_folders(features):
    found = SeedVII(path=features).find_subjects()
    assert list(found) == ["seed_vii/1", "seed_vii/2", "seed_vii/3"]
    assert [file.parent.name for file in found["seed_vii/2"][:2]] == ["EEG_features", "continuous_labels"]
    assert found["seed_vii/2"][2].name == LABELS
    assert SeedVII(path=features / "EEG_features").find_subjects().keys() == found.keys()


def test_subject_ten_comes_after_subject_two(tmp_path):
    for name in ("10.mat", "2.mat", "1.mat"):
        add(tmp_path, "EEG_features", {"de_LDS_1": np.zeros((1, 5, 62))}, name)
    assert list(SeedVII(path=tmp_path).find_subjects()) == ["seed_vii/1", "seed_vii/2", "seed_vii/10"]


def test_a_subject_that_is_there_twice_is_refused(tmp_path):
    by_hand(tmp_path)
    by_hand(tmp_path / "copy")
    with pytest.raises(CorpusError, match="the same subject of features"):
        SeedVII(path=tmp_path).find_subjects()


@pytest.mark.parametrize("n_bytes", [0, 100, 10_000])
def test_features_cut_off_anywhere_are_refused(tmp_path, n_bytes):
    file = by_hand(tmp_path) / "EEG_features" / "1.mat"
    file.write_bytes(file.read_bytes()[:n_bytes])
    with pytest.raises(CorpusError, match=r"1\.mat"):
        read(tmp_path)


def test_a_folder_without_its_files_tells_what_was_looked_for(features, tmp_path):
    with pytest.raises(CorpusError, match="no files of SEED-VII for content 'raw'"):
        SeedVII(path=features, content="raw").find_subjects()
    with pytest.raises(CorpusError, match="no eye features of seed_vii/1"):
        SeedVII(path=by_hand(tmp_path), with_eye=True).find_subjects()


def test_it_is_recognised_by_names_alone(features, recording, tmp_path):
    assert SeedVII.recognise(features).content == "de_LDS"
    assert SeedVII.recognise(features / "EYE_features").content == "eye"
    assert SeedVII.recognise(recording).content == "cnt"
    (tmp_path / "Preprocessed_EEG").mkdir()
    (tmp_path / "Preprocessed_EEG" / "1.mat").touch()
    (tmp_path / "1_1_20180804.cnt").touch()  # SEED-V's order of session and date
    assert SeedVII.recognise(tmp_path) is None


def test_written_lengths_add_up_to_those_of_the_release():
    assert sum(SeedVIIFiles().lengths_s().values()) == 14_098


def test_people_differ_and_the_same_seed_gives_the_same_bytes(tmp_path, features):
    again = SeedVIIFiles.small().write_part(1, tmp_path)
    assert all((features / file.relative_to(tmp_path)).read_bytes() == file.read_bytes() for file in again)
    corpus = SeedVII(path=features, sessions=("1",))
    one, two = (corpus.read_subject(f"seed_vii/{number}").recordings for number in (1, 2))
    profiles = [np.concatenate([r.signals["de"].values.mean(axis=1) for r in read]) for read in (one, two)]
    assert np.corrcoef(*profiles)[0, 1] < 0.99
