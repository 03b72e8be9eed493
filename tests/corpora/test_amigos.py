import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydantic import ValidationError
from scipy.io import loadmat, savemat

from emo_ray.corpora.amigos import EEG_CHANNELS, LONG_VIDEOS, SHORT_VIDEOS, VIDEOS, Amigos, session_group
from emo_ray.corpora.declared import disagreements
from emo_ray.errors import CorpusError
from emo_ray.testing.mat_v73 import save_v73

EMPTY = np.zeros((0, 0))


def stimulus_times(video):
    """5 s of baseline and 10 s less than the longest stimulus of that many segments."""
    return (5 + 20 * (VIDEOS[video] - 1) - 10) * 128


def cells(values):
    row = np.empty((1, 20), dtype=object)
    for index, value in enumerate(values):
        row[0, index] = value
    return row


def genuine_layout(videos=("4", "138")):
    """What a genuine file holds, with column c of the signals equal to c + 1 throughout."""
    signals, ratings, labels = ([EMPTY] * 20 for _ in range(3))
    for index, video in enumerate(VIDEOS):
        if video in videos:
            n = VIDEOS[video]
            signals[index] = np.tile(np.arange(1.0, 18.0), (stimulus_times(video), 1))
            ratings[index] = np.array([[2.5, 7.5, 3, 4, 5, 0, 0, 1, 0, 0, 0, 0]], dtype=float)
            labels[index] = np.column_stack([np.arange(n), 0.01 * np.arange(n), -0.02 * np.arange(n)])
    return {
        "VideoIDs": cells(list(VIDEOS)),
        "joined_data": cells(signals),
        "labels_selfassessment": cells(ratings),
        "labels_ext_annotation": cells(labels),
    }


def write(folder, content, name="Data_Preprocessed_P01.mat"):
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / name, content, do_compression=True)
    return Amigos(path=folder)


def read(folder, content, subject="P01", **options):
    write(folder, content, f"Data_Preprocessed_{subject}.mat")
    return Amigos(path=folder, **options).read_subject(f"amigos/{subject}")


def trial(result, video):
    return next(recording for recording in result.recordings if recording.trial == video)


def test_signals_come_channel_first_with_their_names_and_units(tmp_path):
    recording = trial(read(tmp_path, genuine_layout()), "4")
    eeg, ecg, gsr = (recording.signals[name] for name in ("eeg", "ecg", "gsr"))
    assert eeg.channels == EEG_CHANNELS
    assert (eeg.unit, ecg.unit, gsr.unit) == ("uV", "arbitrary", "arbitrary")
    assert {signal.sfreq for signal in recording.signals.values()} == {128.0}
    assert_array_equal(eeg.values[:, 0], np.arange(1, 15))
    assert (ecg.values[0, 0], gsr.values[0, 0]) == (15, 17)
    assert eeg.values.shape == (14, stimulus_times("4"))


def test_a_recording_says_whose_and_of_what_it_is(tmp_path):
    recording = trial(read(tmp_path, genuine_layout()), "138")
    assert (recording.subject, recording.session, recording.trial) == ("amigos/P01", "short", "138")
    assert (recording.clip, recording.group, recording.baseline_s) == ("amigos/138", "amigos/P01", 5.0)


def test_the_left_lead_is_the_column_after_the_right_one(tmp_path):
    recording = trial(read(tmp_path, genuine_layout(), ecg_lead="left"), "4")
    assert recording.signals["ecg"].values[0, 0] == 16


def test_both_leads_are_channels_of_one_signal(tmp_path):
    ecg = trial(read(tmp_path, genuine_layout(), ecg_lead="both"), "4").signals["ecg"]
    assert ecg.channels == ("ECG right", "ECG left")
    assert_array_equal(ecg.values[:, 0], [15, 16])


def test_self_ratings_start_with_arousal_and_external_ones_with_valence(tmp_path):
    recording = trial(read(tmp_path, genuine_layout()), "4")
    assert (recording.ratings["self_arousal"], recording.ratings["self_valence"]) == (2.5, 7.5)
    assert recording.ratings["self_happiness"] == 1.0
    assert len(recording.ratings) == 12
    assert recording.annotations["external_valence"][2] == pytest.approx(0.02)
    assert recording.annotations["external_arousal"][2] == pytest.approx(-0.04)


def test_videos_that_were_not_seen_are_rejected_by_name(tmp_path):
    result = read(tmp_path, genuine_layout(videos=("4",)))
    assert [r.trial for r in result.rejected] == [video for video in VIDEOS if video != "4"]
    assert all("empty" in r.reason for r in result.rejected)


@pytest.mark.parametrize(("videos", "expected"), [("short", ["4"]), ("long", ["U1"]), ("all", ["4", "U1"])])
def test_the_choice_of_videos_keeps_the_others_out_of_the_report_too(tmp_path, videos, expected):
    result = read(tmp_path, genuine_layout(videos=("4", "U1")), videos=videos)
    assert [recording.trial for recording in result.recordings] == expected
    allowed = {"short": SHORT_VIDEOS, "long": LONG_VIDEOS, "all": VIDEOS}[videos]
    assert {rejected.trial for rejected in result.rejected} <= set(allowed)


def test_all_cells_empty_gives_no_recording_and_twenty_reasons(tmp_path):
    result = read(tmp_path, genuine_layout(videos=()))
    assert result.recordings == ()
    assert len(result.rejected) == 20


@pytest.mark.parametrize("empty", [np.zeros((0, 0)), np.zeros((1, 0))])
def test_a_subject_that_nobody_annotated_keeps_its_trials(tmp_path, empty):
    content = genuine_layout()
    content["labels_ext_annotation"] = cells([empty] * 20)
    result = read(tmp_path, content, "P08")
    recording = trial(result, "4")
    assert np.isnan(recording.annotations["external_valence"]).all()
    assert len(recording.annotations["external_valence"]) == 6
    assert recording.ratings["self_valence"] == 7.5
    assert result.notes == ("Data_Preprocessed_P08.mat: no external annotation, in 2 trials (4; 138)",)


def test_a_fact_about_all_trials_is_one_note_with_the_first_of_them(tmp_path):
    content = genuine_layout(videos=tuple(SHORT_VIDEOS))
    content["labels_ext_annotation"] = cells([EMPTY] * 20)
    assert read(tmp_path, content, "P08").notes == (
        "Data_Preprocessed_P08.mat: no external annotation, in 16 trials (4; 5; 9; 13 more)",
    )


def test_a_missing_self_assessment_is_nan_and_noted(tmp_path):
    content = genuine_layout(videos=("4", "U1"))
    content["labels_selfassessment"][0, 19] = np.zeros((1, 0))
    result = read(tmp_path, content, "P32")
    assert np.isnan(list(trial(result, "U1").ratings.values())).all()
    assert trial(result, "4").ratings["self_valence"] == 7.5
    assert result.notes == ("Data_Preprocessed_P32.mat: no self-assessment, in 1 trial (U1)",)


def test_zero_is_missing_in_a_scale_but_an_answer_in_an_emotion(tmp_path):
    content = genuine_layout()
    content["labels_selfassessment"][0, 0][0, :3] = [0.0, 9.3, np.inf]
    result = read(tmp_path, content)
    ratings = trial(result, "4").ratings
    assert np.isnan(ratings["self_arousal"])
    assert np.isnan(ratings["self_dominance"])
    assert (ratings["self_valence"], ratings["self_neutral"]) == (9.0, 0.0)
    for fact in ("missing (NaN)", "of 0 taken as not answered", "above 9, up to 9.5, clipped at 9"):
        assert any(f"self-ratings {fact}, in 1 trial (4: 1)" in note for note in result.notes)


@pytest.mark.parametrize("wrong", [0.5, -3.0, 9.6, 70.0])
def test_a_self_rating_off_its_scale_is_missing_and_noted(tmp_path, wrong):
    content = genuine_layout()
    content["labels_selfassessment"][0, 0][0, :2] = [wrong, 1.0]
    result = read(tmp_path, content)
    ratings = trial(result, "4").ratings
    assert np.isnan(ratings["self_arousal"])
    assert ratings["self_valence"] == 1.0
    assert [f"outside 1 to 9 set to NaN, in 1 trial (4: {wrong:g})" in note for note in result.notes] == [
        True
    ]


def test_missing_labels_are_counted(tmp_path):
    content = genuine_layout()
    for place, segments in ((0, [1, 2]), (15, [3])):  # videos 4 and 138
        content["labels_ext_annotation"][0, place][segments, 1] = np.nan
        content["labels_selfassessment"][0, place][0, 4:6] = np.nan
    assert [note.partition(": ")[2] for note in read(tmp_path, content).notes] == [
        "segments without an external label (NaN), in 2 trials (4: 2; 138: 1)",
        "self-ratings missing (NaN), in 2 trials (4: 2; 138: 2)",
    ]


def test_a_silent_sensor_is_noted(tmp_path):
    content = genuine_layout()
    content["joined_data"][0, 0][:] = 0.0
    content["joined_data"][0, 15][:, [0, 16]] = 0.0
    result = read(tmp_path, content)
    assert len(result.recordings) == 2
    assert result.notes == (
        "Data_Preprocessed_P01.mat: channels are 0 throughout, in 2 trials (4: 17 channels; 138: AF3 GSR)",
    )


def test_nan_stays_nan_and_infinity_becomes_nan_both_noted(tmp_path):
    content = genuine_layout()
    content["joined_data"][0, 0][:, 16] = np.nan
    content["joined_data"][0, 0][[3, 5], 0] = [np.nan, np.inf]
    result = read(tmp_path, content)
    signals = trial(result, "4").signals
    assert np.isnan(signals["gsr"].values).all()
    assert_array_equal(np.flatnonzero(np.isnan(signals["eeg"].values[0])), [3, 5])
    assert any("infinite samples set to NaN, in 1 trial (4: 1)" in note for note in result.notes)
    # 12160 of GSR and 2 of AF3, in 17 columns of 12160
    assert any("samples are NaN, in 1 trial (4: 12162 of 206720, AF3 GSR)" in note for note in result.notes)


def test_resistance_is_inverted_on_request_and_guarded_against_zero(tmp_path):
    content = genuine_layout()
    content["joined_data"][0, 0][:, 16] = 200_000.0
    content["joined_data"][0, 0][:2, 16] = [0.0, -5.0]
    result = read(tmp_path, content, gsr_unit="siemens_from_ohm")
    gsr = trial(result, "4").signals["gsr"]
    assert gsr.unit == "uS"
    assert_array_equal(gsr.values[0, :3], np.float32([np.nan, np.nan, 5.0]))  # 1 / 200 kOhm = 5 uS
    assert any("not above 0 ohm set to NaN, in 1 trial (4: 2)" in note for note in result.notes)


def test_annotations_that_do_not_fit_the_length_reject_the_trial_with_both_numbers(tmp_path):
    content = genuine_layout()
    content["labels_ext_annotation"][0, 0] = content["labels_ext_annotation"][0, 0][:-1]
    result = read(tmp_path, content)
    assert [recording.trial for recording in result.recordings] == ["138"]
    reason = next(rejected.reason for rejected in result.rejected if rejected.trial == "4")
    assert "5 external annotations" in reason
    assert "95 s of signal hold 6 segments" in reason


def test_indices_may_start_at_0_or_1_and_others_are_reported(tmp_path):
    content = genuine_layout()
    content["labels_ext_annotation"][0, 0][:, 0] += 1
    assert read(tmp_path, content).notes == ()
    content["labels_ext_annotation"][0, 0][:, 0] += 1
    assert "2, 3, 4, 5, 6, 7" in read(tmp_path, content).notes[0]
    content["labels_ext_annotation"][0, 0][:, 0] = [1, 2, 2, 3, 4, 5]
    assert "not in order: 1, 2, 2" in read(tmp_path, content).rejected[0].reason


def test_video_names_in_quotes_or_as_numbers_are_understood(tmp_path):
    content = genuine_layout()
    content["VideoIDs"][0, 0], content["VideoIDs"][0, 1] = "'4'", np.array([[5.0]])
    result = read(tmp_path, content)
    assert [recording.trial for recording in result.recordings] == ["4", "138"]
    assert result.notes == ()


def test_swapped_videos_are_taken_as_named_and_noted(tmp_path):
    content = genuine_layout(videos=("4", "10"))  # both of six segments
    content["VideoIDs"][0, 0], content["VideoIDs"][0, 3] = "10", "4"
    result = read(tmp_path, content)
    assert [recording.trial for recording in result.recordings] == ["10", "4"]
    assert [
        note.endswith("taken as named, in 2 trials (10: cell 0; 4: cell 3)") for note in result.notes
    ] == [True]


@pytest.mark.parametrize(
    ("name", "reason"), [("X9", "not a video"), ("5", "named twice"), (EMPTY, "not a video")]
)
def test_an_unknown_or_repeated_video_is_rejected(tmp_path, name, reason):
    content = genuine_layout()
    content["VideoIDs"][0, 15] = name
    result = read(tmp_path, content)
    assert [recording.trial for recording in result.recordings] == ["4"]
    assert any(reason in rejected.reason for rejected in result.rejected)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("joined_data", np.zeros((500, 16)), r"joined_data cell 0 .*\(500, 16\).*\(rows, 17\)"),
        ("joined_data", "text", r"joined_data cell 0.*<U4"),
        ("joined_data", np.zeros((500, 17), dtype=complex), r"joined_data cell 0.*complex128"),
        ("labels_selfassessment", np.zeros((1, 9)), r"labels_selfassessment cell 0.*\(1, 9\).*12"),
        ("labels_ext_annotation", np.zeros((6, 2)), r"labels_ext_annotation cell 0.*\(6, 2\).*3"),
    ],
)
def test_a_cell_of_wrong_shape_or_type_rejects_its_trial_alone(tmp_path, key, value, message):
    content = genuine_layout()
    content[key][0, 0] = value
    result = read(tmp_path, content)
    (rejected,) = (one for one in result.rejected if one.trial == "4")
    assert re.match(message, rejected.reason)
    assert [recording.trial for recording in result.recordings] == ["138"]


def test_external_labels_beyond_one_are_kept_and_noted(tmp_path):
    content = genuine_layout()
    content["labels_ext_annotation"][0, 0][2, 1] = -1.5
    result = read(tmp_path, content)
    assert trial(result, "4").annotations["external_valence"][2] == -1.5
    assert any("external labels outside -1 to 1, kept, in 1 trial (4: 1)" in note for note in result.notes)


def test_signals_of_another_length_than_released_are_noted(tmp_path):
    content = genuine_layout()
    content["joined_data"][0, 0] = content["joined_data"][0, 0][:-2560]  # 20 s: one segment less than 6
    content["labels_ext_annotation"][0, 0] = EMPTY
    notes = read(tmp_path, content).notes
    assert any(
        "another number of segments than the release has, in 1 trial (4: 5, not 6)" in n for n in notes
    )


@pytest.mark.parametrize("key", ["VideoIDs", "joined_data", "labels_selfassessment", "labels_ext_annotation"])
def test_a_missing_key_or_one_of_other_shape_is_refused_by_name(tmp_path, key):
    content = genuine_layout()
    whole = content.pop(key)
    with pytest.raises(CorpusError, match=rf"Data_Preprocessed_P01\.mat has no key '{key}'"):
        read(tmp_path, content)
    with pytest.raises(CorpusError, match=rf"{key} is object of shape \(1, 19\)"):
        read(tmp_path, content | {key: whole[:, :19]})
    with pytest.raises(CorpusError, match=rf"{key} is float64 of shape \(20, 17\)"):
        read(tmp_path, content | {key: np.zeros((20, 17))})


@pytest.mark.parametrize("kept", [0, 60, 128, 200, 0.5, 0.99])
def test_a_truncated_file_is_refused_with_its_name_and_size(tmp_path, kept):
    write(tmp_path, genuine_layout())
    file = tmp_path / "Data_Preprocessed_P01.mat"
    whole = file.read_bytes()
    file.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(CorpusError, match=r"Data_Preprocessed_P01\.mat (is no|has)"):
        Amigos(path=tmp_path).read_subject("amigos/P01")


def test_flipped_bytes_are_found_by_the_checksum(tmp_path):
    write(tmp_path, genuine_layout())
    file = tmp_path / "Data_Preprocessed_P01.mat"
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    file.write_bytes(bytes(damaged))
    with pytest.raises(CorpusError, match=r"P01\.mat can not be read"):
        Amigos(path=tmp_path).read_subject("amigos/P01")


def test_a_file_saved_anew_as_v7_3_holds_the_same(tmp_path):
    save_v73(tmp_path / "Data_Preprocessed_P01.mat", genuine_layout(videos=("4", "U1")))
    result = Amigos(path=tmp_path).read_subject("amigos/P01")
    expected = read(tmp_path / "older", genuine_layout(videos=("4", "U1")))
    assert (result.rejected, result.notes) == (expected.rejected, expected.notes)
    for found, wanted in zip(result.recordings, expected.recordings, strict=True):
        assert (found.trial, found.ratings) == (wanted.trial, wanted.ratings)
        for name in ("eeg", "ecg", "gsr"):
            assert_array_equal(found.signals[name].values, wanted.signals[name].values)


@pytest.mark.parametrize("options", [{}, {"videos": "short"}, {"ecg_lead": "left"}, {"ecg_lead": "both"}])
def test_the_files_are_as_declared(tmp_path, options):
    result = read(tmp_path, genuine_layout(videos=tuple(VIDEOS)[:2]), **options)
    assert disagreements(Amigos(path=tmp_path, **options).declaration, result) == ()


def test_the_folder_is_recognised_by_the_names_of_its_files(tmp_path):
    write(tmp_path / "corpus" / "deep", genuine_layout(videos=()))
    write(tmp_path / "other", {"x": np.eye(2)}, name="1_20131027.mat")
    assert Amigos.recognise(tmp_path / "corpus") == Amigos(path=tmp_path / "corpus")
    assert Amigos.recognise(tmp_path / "other") is None


@pytest.mark.parametrize(
    "folder", [".", "Data_Preprocessed_P02", "Physiological Recordings/Matlab Preprocessed Data"]
)
def test_every_packaging_is_found_in_the_order_of_the_ids(tmp_path, folder):
    for name in (
        "Data_Preprocessed_P10.mat",
        "Data_Preprocessed_P02.mat",
        "Data_Original_P02.mat",
        "notes.mat",
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Data_Preprocessed_P03.mat").touch()
    (tmp_path / "a" / "._Data_Preprocessed_P03.mat").touch()
    found = Amigos(path=tmp_path).find_subjects()
    assert list(found) == ["amigos/P02", "amigos/P03", "amigos/P10"]
    assert found["amigos/P03"] == (tmp_path / "a" / "Data_Preprocessed_P03.mat",)


def test_two_files_of_one_subject_are_refused_naming_both(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Data_Preprocessed_P01.mat").touch()
    with pytest.raises(CorpusError, match=r"first.*P01.*second.*P01"):
        Amigos(path=tmp_path).find_subjects()


def test_links_that_lead_out_of_the_folder_or_nowhere_are_refused(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (tmp_path / "secret.mat").touch()
    link = corpus / "Data_Preprocessed_P01.mat"
    link.symlink_to(tmp_path / "secret.mat")
    with pytest.raises(CorpusError, match="outside"):
        Amigos(path=corpus).find_subjects()
    link.unlink()
    link.symlink_to(corpus / "gone.mat")
    with pytest.raises(CorpusError, match="not a file"):
        Amigos(path=corpus).find_subjects()


def test_a_missing_or_empty_folder_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(CorpusError, match="set the path"):
        Amigos(path=tmp_path / "none").find_subjects()
    with pytest.raises(CorpusError, match="unpack"):
        Amigos(path=tmp_path).find_subjects()


def test_excluded_subjects_are_not_found_even_if_twice_there(tmp_path):
    write(tmp_path, genuine_layout())
    (tmp_path / "copy").mkdir()
    for folder in (tmp_path, tmp_path / "copy"):
        (folder / "Data_Preprocessed_P09.mat").touch()
    corpus = Amigos(path=tmp_path, exclude=("P09",))
    assert list(corpus.find_subjects()) == ["amigos/P01"]
    with pytest.raises(CorpusError, match=r"no subject 'amigos/P09'.*amigos/P01"):
        corpus.read_subject("amigos/P09")


def test_an_exclusion_that_can_match_nothing_is_refused_at_once():
    with pytest.raises(ValidationError, match="exclude"):
        Amigos(path=Path("x"), exclude=("9",))


def test_people_who_watched_together_share_a_group_for_long_videos_only(tmp_path):
    content = genuine_layout(videos=("4", "U1"))
    for subject, group in (("P07", "amigos/group1"), ("P10", "amigos/group5"), ("P09", "amigos/P09")):
        result = read(tmp_path / subject, content, subject)
        assert trial(result, "U1").group == group
        assert trial(result, "U1").session == "long"
        assert trial(result, "4").group == f"amigos/{subject}"


def test_session_groups_are_five_of_four():
    groups = [session_group(f"amigos/P{number:02d}") for number in range(1, 41)]
    assert sorted(groups.count(group) for group in set(groups)) == [1] * 20 + [4] * 5
    assert groups[20] == groups[28] == "amigos/group3"  # P21 and P29


def test_reading_twice_gives_the_same_and_leaves_the_file_alone(tmp_path):
    corpus = write(tmp_path, genuine_layout())
    before = (tmp_path / "Data_Preprocessed_P01.mat").read_bytes()
    first, second = (corpus.read_subject("amigos/P01") for _ in range(2))
    assert_array_equal(first.recordings[0].signals["eeg"].values, second.recordings[0].signals["eeg"].values)
    assert (tmp_path / "Data_Preprocessed_P01.mat").read_bytes() == before


def test_the_layout_of_these_tests_comes_back_as_that_of_genuine_files(tmp_path):
    write(tmp_path, genuine_layout())
    content = loadmat(tmp_path / "Data_Preprocessed_P01.mat")
    assert content["joined_data"][0, 0].shape == (12160, 17)
    assert content["VideoIDs"][0, 15].item() == "138"


def test_tasks_start_with_affect():
    tasks = Amigos(path=Path("x")).tasks()
    assert list(tasks) == ["affect", "valence", "arousal"]
    assert tasks["arousal"].heads[0].name == "arousal"
