"""CL-Drive's reader over files in its two arrangements."""

import shutil

import numpy as np
import pytest

from emo_ray.corpora.cl_drive import ClDrive
from emo_ray.corpora.cl_drive_series import read_series
from emo_ray.corpora.declared import disagreements
from emo_ray.errors import CorpusError
from emo_ray.extraction.segment_rows import ratings_at
from emo_ray.testing.cl_drive_files import ClDriveFiles

FILES = ClDriveFiles.small(n_subjects=2)
EEG = ("TP9", "AF7", "AF8", "TP10")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    written = tmp_path_factory.mktemp("cl_drive")
    FILES.write(written)
    return written


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def write_eeg(file, stamps_s, values=None, header="Timestamp,TP9,AF7,AF8,TP10"):
    """A file whose TP9 counts the samples; the others are 0."""
    values = range(len(stamps_s)) if values is None else values
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{stamp!r},{value},0,0,0" for stamp, value in zip(map(float, stamps_s), values, strict=True)]
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


def one_level(folder, stamps_s, name="eeg_data_level_3.csv", labels="time,lvl_3\n0,2\n10,8\n"):
    write_eeg(folder / "EEG" / "1030" / name, stamps_s)
    if labels:
        (folder / "Labels").mkdir()
        (folder / "Labels" / "1030.csv").write_text(labels)
    return ClDrive(path=folder, modalities=("eeg",)).read_subject("cl_drive/1030")


def test_released_files_hold_what_is_declared(tmp_path):
    ClDriveFiles(n_subjects=1, levels=(5,), baseline_s=0, gap_s=0, n_nans=0).write(tmp_path)
    corpus = ClDrive(path=tmp_path)
    read = corpus.read_subject("cl_drive/1030")
    assert disagreements(corpus.declaration, read) == ("1 trials, where the release has 9",)
    assert read.rejected == ()
    assert [note for note in read.notes if "no files" not in note] == []
    assert read.recordings[0].signals["ecg"].values.shape == (3, 180 * 512)
    assert read.recordings[0].annotations["load"].shape == (18,)


def test_labels_belong_to_ten_seconds_each(folder):
    recording = ClDrive(path=folder).read_subject("cl_drive/1030").recordings[0]
    assert recording.annotations["load"].tolist() == FILES.loads(0, 2).tolist()
    assert recording.annotations["start_s"].tolist() == [0, 10, 20, 30]
    assert recording.annotations["stop_s"].tolist() == [10, 20, 30, 40]
    assert recording.ratings == {"level": 2.0}
    assert (recording.trial, recording.clip) == ("level_2", "cl_drive/level_2")


def test_a_label_may_be_of_the_seconds_after_it(folder):
    recording = ClDrive(path=folder, label_window="after").read_subject("cl_drive/1030").recordings[0]
    assert recording.annotations["start_s"].tolist() == [10, 20, 30, 40]
    loads = ratings_at(recording, np.array([5.0, 15.0]))["load"]
    assert np.isnan(loads[0])
    assert loads[1] == FILES.loads(0, 2)[0]


def test_missing_levels_and_short_ones_are_told(folder):
    read = ClDrive(path=folder).read_subject("cl_drive/1105")
    assert [one.trial for one in read.recordings] == ["level_2", "level_8"]
    notes = " ".join(read.notes)
    assert "no files, in 7 trials" in notes
    assert "shorter than 180 s, in 2 trials (level_2: 40.0 s; level_8: 40.0 s)" in notes
    assert "another number of labels than 18" in notes


def test_a_class_that_a_person_lacks_is_told(tmp_path):
    notes = " ".join(one_level(tmp_path, np.arange(5120) / 256, labels="time,lvl_3\n0,2\n10,3\n").notes)
    assert "no label of medium load" in notes
    assert "no label of high load" in notes
    assert "no label of low load" not in notes


def test_columns_are_taken_by_name_wherever_they_stand(tmp_path):
    file = tmp_path / "a.csv"
    rows = [f"9,{k},{k / 256!r},7,8,{k + 0.5}" for k in range(600)]
    file.write_text("\n".join(["AUX,tp10,Timestamp,AF7,af8,TP9", *rows]) + "\n")
    series = read_series(file, EEG, 256.0)
    assert series.values[:, 3].tolist() == [3.5, 7, 8, 3]


def test_missing_columns_are_refused_with_those_there(tmp_path):
    file = write_eeg(tmp_path / "a.csv", np.arange(9) / 256, header="Timestamp,TP9,AF7,AF8,RAW")
    with pytest.raises(CorpusError, match="has no column TP10; it has Timestamp, TP9, AF7, AF8, RAW"):
        read_series(file, EEG, 256.0)
    write_eeg(file, np.arange(9) / 256, header="x,TP9,AF7,AF8,TP10")
    with pytest.raises(CorpusError, match="no column of time stamps; it has x, TP9"):
        read_series(file, EEG, 256.0)


def test_of_columns_that_are_there_twice_the_first_counts(tmp_path):
    file = tmp_path / "a.csv"
    rows = [f"{k / 128!r},1,2" for k in range(300)]
    file.write_text("\n".join(["Timestamp,GSR Conductance CAL,GSR Conductance CAL", *rows]) + "\n")
    series = read_series(file, ("GSR Conductance CAL",), 128.0)
    assert (series.values == 1).all()
    assert series.facts == (("columns that are there twice, the first taken", "GSR Conductance CAL"),)


def test_commas_at_the_ends_of_lines_do_no_harm(tmp_path):
    file = tmp_path / "a.csv"
    rows = [f"{k / 128!r},{k}," for k in range(300)]
    file.write_text("\n".join(["Timestamp,GSR Conductance CAL", *rows]) + "\n")
    assert read_series(file, ("GSR Conductance CAL",), 128.0).values[0].tolist() == list(range(300))


def test_a_gap_is_filled_with_nan_and_nothing_else(tmp_path):
    """Samples 256 to 511 are left out: one second, from 1 s to 2 s."""
    kept = np.append(np.arange(256), np.arange(512, 1024))
    series = read_series(write_eeg(tmp_path / "a.csv", kept / 256, kept), EEG, 256.0)
    assert series.values.shape == (4, 1024)
    assert np.isnan(series.values[:, 256:512]).all()
    assert series.values[0, 512:].tolist() == list(range(512, 1024))
    assert series.facts[0][0] == "gaps in the time stamps filled with NaN"


def test_packets_that_share_a_time_stamp_are_no_gaps(tmp_path):
    """Twelve samples arrive at once, as a radio sends them: 47 ms apart from the next twelve."""
    stamps = np.arange(2400) // 12 * 12 / 256
    series = read_series(write_eeg(tmp_path / "a.csv", stamps), EEG, 256.0)
    assert (series.sfreq, series.values.shape, series.facts) == (256.0, (4, 2400), ())


def test_a_clock_that_drifts_a_little_keeps_the_declared_rate(tmp_path):
    series = read_series(write_eeg(tmp_path / "a.csv", np.arange(5000) / 256.3), EEG, 256.0)
    assert (series.sfreq, series.values.shape[1]) == (256.0, 5000)


def test_another_rate_is_taken_from_the_time_stamps(tmp_path):
    assert read_series(write_eeg(tmp_path / "a.csv", np.arange(999) / 220), EEG, 256.0).sfreq == 220.0


def test_milliseconds_are_noticed(tmp_path):
    series = read_series(write_eeg(tmp_path / "a.csv", 5000 + np.arange(999) * 1000 / 256), EEG, 256.0)
    assert (series.sfreq, series.first_s) == (256.0, 5.0)
    assert series.facts[0][0] == "time stamps taken as milliseconds"


def test_words_among_numbers_become_nan(tmp_path):
    values = ["lost" if k == 3 else "" if k == 5 else k for k in range(500)]
    series = read_series(write_eeg(tmp_path / "a.csv", np.arange(500) / 256, values), EEG, 256.0)
    assert np.flatnonzero(np.isnan(series.values[0])).tolist() == [3, 5]
    assert series.facts == (("cells that are no numbers set to NaN", "1"),)


EVEN = np.arange(1000) / 256


@pytest.mark.parametrize(
    ("stamps_s", "message"),
    [
        (EVEN[::-1], "row 3: the time stamp 3.89844 comes after 3.90234"),
        (np.where(np.arange(1000) == 7, np.nan, EVEN), "row 9: no time stamp"),
        (EVEN * 1e9, "time stamps give"),
        (np.append(EVEN, 1e6), "span 1e.06 s"),
        (np.append(EVEN, 3000.0), "has no samples"),
        (np.cumsum(np.where(np.arange(1000) % 3, 1, 20)) / 256, "no constant rate"),
        (EVEN[:1], "has 1 samples"),
    ],
    ids=["backwards", "missing", "no rate", "for ever", "gap", "irregular", "one"],
)
def test_time_stamps_without_a_constant_rate_are_refused(stamps_s, message, tmp_path):
    with pytest.raises(CorpusError, match=message):
        read_series(write_eeg(tmp_path / "a.csv", stamps_s), EEG, 256.0)


def test_what_comes_before_120_s_in_the_reorganised_variant_is_baseline(tmp_path):
    read = one_level(tmp_path, np.arange(256 * 300) / 256, name="eeg_data_level_3_processed.csv")
    recording = read.recordings[0]
    assert recording.baseline_s == 120.0
    assert recording.annotations["start_s"].tolist() == [120, 130]
    assert recording.signals["eeg"].values.shape == (4, 256 * 300)
    assert not any("shorter" in note for note in read.notes)


def test_a_reorganised_file_that_starts_with_the_driving_has_no_baseline(tmp_path):
    files = FILES.model_copy(update={"layout": "reorganised", "modalities": ("eeg",)})
    files.write_part(0, tmp_path)
    corpus = ClDrive(path=tmp_path)
    recording = corpus.read_subject("cl_drive/participant_ID_01").recordings[0]
    assert recording.baseline_s == 0.0
    assert recording.signals["eeg"].start_s == pytest.approx(0, abs=1e-3)
    assert recording.annotations["load"].tolist() == FILES.loads(0, 2).tolist()


def test_time_stamps_of_a_clock_on_the_wall_start_at_the_first(tmp_path):
    read = one_level(tmp_path, 1.6e9 + np.arange(256 * 20) / 256)
    assert read.recordings[0].signals["eeg"].start_s == 0.0
    assert any("count from elsewhere" in note for note in read.notes)


def test_baselines_are_trials_without_labels_on_request(tmp_path):
    FILES.model_copy(update={"baseline_s": 20, "levels": (5,), "modalities": ("eeg",)}).write_part(
        0, tmp_path
    )
    left_out = ClDrive(path=tmp_path).read_subject("cl_drive/1030").recordings
    assert [one.trial for one in left_out] == ["level_5"]
    both = ClDrive(path=tmp_path, baselines="own_trials").read_subject("cl_drive/1030").recordings
    assert [one.trial for one in both] == ["level_5", "baseline_5"]
    assert both[1].signals["eeg"].values.shape == (4, 20 * 256)
    assert np.isnan(both[1].annotations["load"]).all()


def test_a_file_that_is_not_there_leaves_its_modality_out(copy):
    (copy / "ECG" / "1030" / "ecg_data_level_5.csv").unlink()
    read = ClDrive(path=copy).read_subject("cl_drive/1030")
    assert sorted(read.recordings[1].signals) == ["eda", "eeg", "gaze"]
    assert any("modalities without a file, in 1 trial (level_5: ecg)" in note for note in read.notes)


def test_a_broken_file_rejects_its_level_alone(copy):
    (copy / "EDA" / "1030" / "eda_data_level_5.csv").write_bytes(b"")
    read = ClDrive(path=copy).read_subject("cl_drive/1030")
    assert [one.trial for one in read.recordings] == ["level_2", "level_8"]
    assert read.rejected[0].trial == "level_5"
    assert "eda_data_level_5.csv: is empty" in read.rejected[0].reason


def test_labels_in_the_order_of_columns_are_taken_and_told(copy):
    file = copy / "Labels" / "1030.csv"
    file.write_text(file.read_text().replace("lvl_", "x"))
    read = ClDrive(path=copy).read_subject("cl_drive/1030")
    assert read.recordings[0].annotations["load"].tolist() == FILES.loads(0, 2).tolist()
    assert any("taken in order" in note for note in read.notes)


@pytest.mark.parametrize("text", ["", "time,a,b\n0,1,2\n", "\xff\xfe\n"])
def test_broken_labels_are_refused(text, copy):
    (copy / "Labels" / "1030.csv").write_bytes(text.encode("latin1"))
    with pytest.raises(CorpusError, match=r"Labels/1030\.csv"):
        ClDrive(path=copy).read_subject("cl_drive/1030")


def test_odd_labels_are_told_and_of_no_class(tmp_path):
    read = one_level(tmp_path, np.arange(5120) / 256, labels="time,lvl_3\n0,4.5\n10,\n")
    assert read.recordings[0].annotations["load"].tolist() == pytest.approx([4.5, np.nan], nan_ok=True)
    assert any("no whole numbers from 1 to 9" in note for note in read.notes)


def test_without_labels_the_level_is_kept_and_told(tmp_path):
    read = one_level(tmp_path, np.arange(5120) / 256, labels="")
    assert np.isnan(read.recordings[0].annotations["load"]).all()
    assert "no file of labels" in read.notes[0]


def test_two_arrangements_in_one_folder_are_refused(copy):
    shutil.copytree(copy / "EEG", copy / "unfiltered" / "EEG")
    with pytest.raises(CorpusError, match="are the same subject, modality and level"):
        ClDrive(path=copy).find_subjects()


def test_one_person_under_two_names_is_refused(copy):
    shutil.copytree(copy / "EEG" / "1030", copy / "EEG" / "participant_ID_01")
    with pytest.raises(CorpusError, match="everybody would be two subjects"):
        ClDrive(path=copy).find_subjects()


def test_a_folder_above_the_corpus_is_nobody(tmp_path):
    write_eeg(tmp_path / "2024" / "data" / "eeg_data_level_1.csv", np.arange(512) / 256)
    write_eeg(tmp_path / "2024" / "data" / "1030" / "eeg_data_level_1.csv", np.arange(512) / 256)
    corpus = ClDrive(path=tmp_path / "2024" / "data")
    assert list(corpus.find_subjects()) == ["cl_drive/1030"]
    assert any("1 signal files in no folder of a participant" in note for note in corpus.notes())
    alone = ClDrive(path=tmp_path / "2024" / "data" / "1030")
    assert list(alone.find_subjects()) == ["cl_drive/1030"]


def test_people_and_labels_that_the_release_does_not_have_are_told(tmp_path, monkeypatch):
    write_eeg(tmp_path / "EEG" / "9999" / "eeg_data_level_1.csv", np.arange(512) / 256)
    (tmp_path / "9999.csv").write_text("time,lvl_1,lvl_2\n0,2,3\n10,,4\n")
    monkeypatch.setattr("emo_ray.corpora.cl_drive.N_SUBJECTS", 1)
    assert ClDrive(path=tmp_path).notes() == (
        "9999: not among the known participants (1 source)",
        "3 labels, where the release is said to have 3138 (1 source)",
    )


def test_labels_that_are_words_are_told(tmp_path):
    read = one_level(tmp_path, np.arange(5120) / 256, labels="time,lvl_3\n0,high\n10,5\n")
    assert any("labels that are no numbers, in 1 trial (level_3: 1)" in note for note in read.notes)


def test_time_stamps_that_start_late_are_told(tmp_path):
    read = one_level(tmp_path, 120 + np.arange(256 * 180) / 256)
    assert any("time stamps start late" in note and "120.0 s" in note for note in read.notes)


def test_the_corpus_is_recognised_by_its_files(folder, tmp_path, shared_data):
    assert ClDrive.recognise(folder) == ClDrive(path=folder)
    assert ClDrive.recognise(tmp_path) is None
    assert ClDrive.recognise(shared_data / "stress_predict") is None
    with pytest.raises(CorpusError, match=r"holds no eeg_data_level_1\.csv"):
        ClDrive(path=tmp_path).find_subjects()


def test_classes_of_load_cover_one_to_nine():
    tasks = ClDrive(path=".", low_up_to=5).tasks()
    assert tasks["three_classes"].classes == (
        ("low", (1.0, 2.0, 3.0)), ("medium", (4.0, 5.0, 6.0)), ("high", (7.0, 8.0, 9.0)),
    )  # fmt: skip
    assert tasks["two_classes"].classes[0] == ("low", (1.0, 2.0, 3.0, 4.0, 5.0))
    assert list(tasks) == ["three_classes", "two_classes", "load"]
