"""PPB-Emo: names of files, sparse columns, the rate, the workbook, and what is wrong with a file."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from openpyxl import Workbook

from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.neband_table import columns_of, measured_rate, seconds_of
from emo_ray.corpora.ppb_emo import PpbEmo
from emo_ray.errors import CorpusError
from emo_ray.testing.ppb_emo_files import JOIN, PpbEmoFiles

N_TIMES = 4 * 250


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("ppb")
    PpbEmoFiles(n_subjects=3, trial_s=4.0, sfreq=250).write(place)
    return place


@pytest.fixture
def one_drive(tmp_path):
    files = PpbEmoFiles(n_subjects=1, trial_s=4.0, sfreq=250, left_out=0, workbook=False)
    return files.write(tmp_path)[0]


def first(corpus):
    return corpus.read_subject("ppb_emo/P02")


def test_the_folder_is_recognised_and_another_is_not(folder, tmp_path):
    assert PpbEmo.recognise(folder) == PpbEmo(path=folder)
    assert PpbEmo.recognise(tmp_path) is None


def test_raw_channels_are_as_declared_and_as_long_as_the_file(folder):
    read = first(PpbEmo(path=folder))
    assert disagreements(PpbEmo(path=folder).declaration, read) == ()
    assert {recording.signals["eeg"].values.shape for recording in read.recordings} == {(32, N_TIMES)}
    assert {recording.signals["eeg"].sfreq for recording in read.recordings} == {250.0}


def test_band_powers_keep_only_the_rows_that_hold_them(folder):
    read = first(PpbEmo(path=folder, content="bands"))
    signal = read.recordings[0].signals["bands"]
    # every 31st of 1,000 rows: 250 Hz / 8 Hz is 31.25
    assert signal.values.shape == (160, 33)
    assert signal.sfreq == pytest.approx(250 * 33 / 1000)
    assert np.isfinite(signal.values).all()


def test_the_emotion_is_that_of_the_name_of_the_file(folder):
    read = first(PpbEmo(path=folder))
    labels = {recording.trial: recording.ratings["label"] for recording in read.recordings}
    assert labels == {"SD": 0, "FD": 1, "DD": 2, "HD": 3, "SAD": 4, "AD": 5, "ND": 6}


def test_a_drive_that_is_not_there_is_no_error(folder):
    trials = [recording.trial for recording in PpbEmo(path=folder).read_subject("ppb_emo/P04").recordings]
    assert sorted(trials) == ["AD", "DD", "FD", "HD", "SAD", "SD"]


def test_ratings_come_from_the_workbook(folder):
    ratings = {recording.trial: recording.ratings for recording in first(PpbEmo(path=folder)).recordings}
    assert all(1 <= ratings[code]["valence"] <= 9 for code in ratings)
    assert ratings["HD"]["valence"] > ratings["AD"]["valence"]


def test_without_a_workbook_ratings_are_missing_and_a_note_says_so(one_drive):
    corpus = PpbEmo(path=one_drive.parents[2])
    assert np.isnan(first(corpus).recordings[0].ratings["valence"])
    assert "no Emotion_label.xlsx" in corpus.notes()[-1]


def test_a_workbook_that_is_none_is_named(one_drive):
    (one_drive.parents[2] / "Emotion_label.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(CorpusError, match="can not be read as a workbook"):
        first(PpbEmo(path=one_drive.parents[2]))


def test_a_workbook_garbled_inside_its_zip_is_named(one_drive):
    file = workbook(one_drive, ("P02", "SD", 5, 5, one_drive.stem)).path / "Emotion_label.xlsx"
    content = bytearray(file.read_bytes())
    place = content.index(b"xl/workbook.xml") + len(b"xl/workbook.xml")
    content[place : place + 40] = b"\xff" * 40
    file.write_bytes(content)
    with pytest.raises(CorpusError, match="can not be read as a workbook"):
        first(PpbEmo(path=file.parent))


def test_a_workbook_that_unpacks_to_too_much_is_named(one_drive, monkeypatch):
    monkeypatch.setattr("emo_ray.corpora.ppb_emo.MAX_WORKBOOK_BYTES", 100)
    with pytest.raises(CorpusError, match="far more than 280 rows"):
        first(workbook(one_drive, ("P02", "SD", 5, 5, one_drive.stem)))


def test_a_workbook_without_the_join_column_is_named(one_drive):
    book = Workbook()
    book.active.append(["participant", "valence"])
    book.save(one_drive.parents[2] / "Emotion_label.xlsx")
    with pytest.raises(CorpusError, match="no column PPB_Emo_dataset@Physiological_data"):
        first(PpbEmo(path=one_drive.parents[2]))


def test_two_files_of_one_drive_are_refused(one_drive):
    (one_drive.parent / "copy").mkdir()
    (one_drive.parent / "copy" / one_drive.name).write_bytes(one_drive.read_bytes())
    with pytest.raises(CorpusError, match="same participant and drive"):
        PpbEmo(path=one_drive.parents[2]).find_subjects()


def cut(content):
    return content[: len(content) // 2]


def with_a_word(content):
    lines = content.split(b"\n")
    return b"\n".join([*lines[:5], lines[5].rsplit(b",", 1)[0] + b",abc", *lines[6:]])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (cut, r"EEG-30s-P02-SD.csv: a row can not be read"),
        (with_a_word, "abc"),
        (lambda content: b"", "its first row has 1 columns"),
        (lambda content: b"Fp1,Fp2\n1,2\n", "160 of the 160 band columns are missing"),
    ],
)
def test_a_broken_drive_is_rejected_by_its_file_and_the_others_are_read(one_drive, change, told):
    one_drive.write_bytes(change(one_drive.read_bytes()))
    read = first(PpbEmo(path=one_drive.parents[2]))
    assert [trial.trial for trial in read.rejected] == ["SD"]
    assert told in read.rejected[0].reason
    assert len(read.recordings) == 6


def test_raw_columns_of_other_names_are_taken_by_place_with_a_note(tmp_path):
    PpbEmoFiles(n_subjects=1, trial_s=4.0, sfreq=250, raw_names="channel {}").write(tmp_path)
    read = first(PpbEmo(path=tmp_path))
    assert read.recordings[0].signals["eeg"].values.shape == (32, N_TIMES)
    assert any("the last 32 columns taken" in note for note in read.notes)


def test_missing_band_columns_are_counted_in_the_error():
    with pytest.raises(CorpusError, match="160 of the 160 band columns"):
        columns_of(["time", "AF3", "AF4"], "x.csv")


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("rate", [250.0, 500.0])
def test_the_rate_is_found_whatever_the_clock_counts(rate, unit):
    assert measured_rate({"utc": 1.6e9 * unit + unit * np.arange(300) / rate}) == rate


def test_a_clock_in_blocks_of_ten_rows_still_tells_the_rate():
    clock = np.repeat(np.arange(100) * 0.02, 10)  # ten rows every 20 ms: 500 Hz
    assert measured_rate({"utc": clock}) == 500.0


def test_no_rate_is_found_where_the_clock_fits_neither():
    assert measured_rate({"utc": np.arange(300) / 128.0}) is None


def test_dates_count_in_seconds():
    found = seconds_of(["2020-09-13 12:26:40.000000", "2020-09-13 12:26:40.004000", None])
    assert found[1] - found[0] == pytest.approx(0.004, abs=1e-6)
    assert np.isnan(found[2])


def without_clock(folder, trial_s):
    """One drive at 250 Hz whose time columns are empty."""
    files = PpbEmoFiles(n_subjects=1, trial_s=trial_s, sfreq=250)
    table = files.table(0, "AD", lower=False)
    for place, name in enumerate(("REC_time", "UTC")):
        table = table.set_column(place, name, [pa.nulls(len(table))])
    pa_csv.write_csv(table, folder / "PPB_Emo_dataset@EEG-30s-P02-AD.csv")
    return PpbEmo(path=folder)


def test_without_a_usable_clock_the_rate_by_which_a_file_is_of_30_s_is_taken_and_noted(tmp_path):
    read = first(without_clock(tmp_path, trial_s=30.0))
    assert read.recordings[0].signals["eeg"].sfreq == 250.0
    assert any("no time column tells the rate, 250 Hz taken" in note for note in read.notes)


def test_a_file_of_neither_rate_is_rejected_unless_the_rate_is_given(tmp_path):
    corpus = without_clock(tmp_path, trial_s=4.0)  # 1,000 rows, neither 7,500 nor 15,000
    assert "corpus.sfreq=500" in first(corpus).rejected[0].reason
    given = first(corpus.model_copy(update={"sfreq": 250.0}))
    assert given.recordings[0].signals["eeg"].sfreq == 250.0


def workbook(one_drive, *rows):
    book = Workbook()
    book.active.append(["participant", "category", "valence", "arousal", JOIN])
    for row in rows:
        book.active.append(list(row))
    book.save(one_drive.parents[2] / "Emotion_label.xlsx")
    return PpbEmo(path=one_drive.parents[2])


def test_ratings_that_a_workbook_holds_as_text_are_numbers_too(one_drive):
    read = first(workbook(one_drive, ("P02", "SD", "7", 3, f"{one_drive.stem}.csv")))
    ratings = next(one.ratings for one in read.recordings if one.trial == "SD")
    assert (ratings["valence"], ratings["arousal"]) == (7.0, 3.0)


def test_what_the_workbook_lacks_or_contradicts_is_told(one_drive):
    read = first(workbook(one_drive, ("P02", "ND", "n/a", 3, one_drive.stem), ("P02",)))
    assert any("another emotion in the workbook" in note and "SD: ND" in note for note in read.notes)
    assert any("no number in the workbook" in note and "valence" in note for note in read.notes)
    assert any("not in the workbook" in note and "in 6 trials" in note for note in read.notes)


def test_a_drive_in_two_rows_of_the_workbook_and_two_workbooks_are_refused(one_drive):
    row = ("P02", "SD", 5, 5, one_drive.stem)
    corpus = workbook(one_drive, row, row)
    with pytest.raises(CorpusError, match="in two rows"):
        first(corpus)
    (one_drive.parent / "Emotion label.xlsx").write_bytes(b"another")
    with pytest.raises(CorpusError, match="same workbook"):
        corpus.find_subjects()


def test_another_number_of_drives_and_another_unit_than_said_are_told(one_drive):
    corpus = PpbEmo(path=one_drive.parents[2])
    assert "7 drives found, where 240 are said to be released" in corpus.notes()[0]
    rows = [line.split(",") for line in one_drive.read_text().splitlines()]
    scaled = [[*row[:-32], *(f"{float(cell) * 1e3:g}" for cell in row[-32:])] for row in rows[1:]]
    one_drive.write_text("\n".join(",".join(row) for row in [rows[0], *scaled]) + "\n")
    assert any("do not look like uV" in note for note in first(corpus).notes)
