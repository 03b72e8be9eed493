"""Empatica E4 folders with a label table: made ones with every fault, and the real ones where they lie."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from emo_ray.corpora import e4_files
from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.e4_files import E4File
from emo_ray.corpora.empatica import EmpaticaFolders, cut_signals, stress_predict, wesad_wrist
from emo_ray.corpora.label_table import LabelTable, Stretch
from emo_ray.errors import CorpusError
from emo_ray.extraction.wrist_windows import WristWindows

DATA = Path(__file__).parents[2].parent / "shared" / "data"
START = 1_500_000_000
HEADER = "subject,condition,label,start_s,end_s\n"
TABLE = HEADER + "S2,rest,1,10,70\nS2,work,2,80,150\nS10,rest,1,10,70\n"


def write_sensor(folder, sensor, sfreq, start=START, seconds=200):
    """One file whose samples are their own seconds since START."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = start - START + np.arange(int(seconds * sfreq)) / sfreq
    rows = "\n".join([f"{start:.6f}", f"{sfreq:.6f}", *(f"{value:.6f}" for value in samples)])
    (folder / f"{sensor}.csv.gz").write_bytes(gzip.compress((rows + "\n").encode()))


@pytest.fixture
def corpus(tmp_path):
    for subject in ("S2", "S10"):
        write_sensor(tmp_path / subject, "BVP", 64)
        write_sensor(tmp_path / subject, "EDA", 4, start=START + 5)
        write_sensor(tmp_path / subject, "TEMP", 4)
    (tmp_path / "labels.csv").write_text(TABLE)
    return EmpaticaFolders(path=tmp_path, name="lab", labels=LabelTable(condition="condition"))


def relabel(corpus, rows, **changes):
    """The same folders with another table, and perhaps other settings."""
    (corpus.path / "labels.csv").write_text(rows if rows.startswith("subject") else HEADER + rows)
    return EmpaticaFolders(**{**dict(corpus), **changes})


def reasons(corpus, subject="lab/S2"):
    return [rejected.reason for rejected in corpus.read_subject(subject).rejected]


def test_subjects_come_in_natural_order_with_the_files_they_depend_on(corpus):
    found = corpus.find_subjects()
    assert list(found) == ["lab/S2", "lab/S10"]
    assert {file.name for file in found["lab/S2"]} == {
        "labels.csv",
        "BVP.csv.gz",
        "EDA.csv.gz",
        "TEMP.csv.gz",
    }


def test_every_stretch_is_a_recording_with_its_label_condition_and_units(corpus):
    rest, work = corpus.read_subject("lab/S2").recordings
    assert (rest.trial, rest.clip, rest.session, rest.group) == ("rest", "rest", "1", "lab/S2")
    assert (rest.ratings, work.ratings) == ({"label": 1.0}, {"label": 2.0})
    assert {name: (signal.unit, signal.sfreq) for name, signal in work.signals.items()} == {
        "bvp": ("arbitrary", 64.0),
        "eda": ("uS", 4.0),
        "temp": ("degC", 4.0),
    }


def test_each_file_is_cut_by_its_own_clock(corpus):
    rest, _ = corpus.read_subject("lab/S2").recordings
    for signal in rest.signals.values():  # samples are their own seconds, though EDA starts 5 s late
        expected = 10 + np.arange(60 * signal.sfreq) / signal.sfreq
        assert_allclose(signal.values[0], expected, atol=1e-5)
        assert signal.start_s == 0.0


def test_a_stretch_between_samples_starts_with_the_next_sample(corpus):
    (rest,) = relabel(corpus, "S2,rest,1,10.1,20.1\n").read_subject("lab/S2").recordings
    eda = rest.signals["eda"]
    assert eda.values[0, 0] == 10.25
    assert eda.start_s == pytest.approx(0.15)
    assert eda.values.shape == (1, 40)


def test_a_stretch_that_begins_before_a_file_keeps_its_place_in_time(corpus):
    found = relabel(corpus, "S2,rest,1,2,32\n").read_subject("lab/S2")
    eda = found.recordings[0].signals["eda"]
    assert (eda.start_s, eda.values[0, 0], eda.values.shape[1]) == (3.0, 5.0, 27 * 4)
    assert found.notes == ("lab/S2, rest: eda lacks 3.0 s of 30.0 s",)


def test_unix_times_cut_the_same_samples(corpus):
    plain = corpus.read_subject("lab/S2").recordings[0]
    unix = corpus.labels.model_copy(update={"clock": "unix"})
    corpus = relabel(corpus, f"S2,rest,1,{START + 10},{START + 70}\n", labels=unix)
    again = corpus.read_subject("lab/S2").recordings[0]
    for name, signal in plain.signals.items():
        assert_array_equal(again.signals[name].values, signal.values)


def test_repeated_conditions_get_names_of_their_own_in_time_order(corpus):
    corpus = relabel(corpus, "S2,rest,1,80,100\nS2,rest,1,10,70\n")
    first, second = corpus.read_subject("lab/S2").recordings
    assert (first.trial, second.trial) == ("rest", "rest (2)")
    assert first.signals["bvp"].values[0, 0] == 10
    assert first.clip == second.clip == "rest"


def test_labels_that_are_text_get_codes_in_alphabetical_order(corpus):
    corpus = relabel(corpus, "S2,rest,work,10,70\nS2,work,rest,80,150\n")
    assert [r.ratings["label"] for r in corpus.read_subject("lab/S2").recordings] == [1.0, 0.0]
    assert corpus.tasks()["label"].classes == (("rest", (0.0,)), ("work", (1.0,)))


def test_without_tasks_of_its_own_all_labels_are_classes(corpus):
    assert corpus.tasks()["label"].classes == (("1", (1.0,)), ("2", (2.0,)))


def test_labels_that_are_not_kept_are_noted_and_not_read(corpus):
    found = relabel(corpus, TABLE, keep_labels=(2,)).read_subject("lab/S2")
    assert [recording.trial for recording in found.recordings] == ["work"]
    assert found.notes == ("lab/S2: 1 stretches with label 1 not read (keep_labels)",)


def test_kept_labels_that_the_table_does_not_have_are_named(corpus):
    with pytest.raises(
        CorpusError, match=r"keep_labels has 7, which .*labels\.csv does not have; it has 1, 2"
    ):
        relabel(corpus, TABLE, keep_labels=(1, 7)).find_subjects()


def test_a_task_of_labels_that_are_not_read_is_refused(tmp_path):
    with pytest.raises(ValidationError, match="task 'stress' uses labels that keep_labels leaves out: 3"):
        EmpaticaFolders(
            path=tmp_path, keep_labels=(1, 2), label_tasks={"stress": {"no": (1, 3), "yes": (2,)}}
        )


def test_a_task_with_an_unknown_label_is_refused(corpus):
    corpus = relabel(corpus, TABLE, label_tasks={"load": {"low": ("1",), "high": ("9",)}})
    with pytest.raises(CorpusError, match="task 'load' uses label 9"):
        corpus.tasks()


def test_settings_survive_json_as_a_yaml_file_would_give_them(corpus):
    corpus = relabel(corpus, TABLE, label_tasks={"t": {"a": (1,), "b": ("2",)}})
    again = EmpaticaFolders(**corpus.model_dump(mode="json"))
    assert again.tasks() == corpus.tasks()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("S2,rest,1,70,10", r"ends at 10\.0 s, not after its start at 70\.0 s"),
        ("S2,rest,1,,70", "no proper start or end"),
        ("S2,rest,1,10,1e300", "no proper start or end"),
        ("S2,rest,,10,70", "no label"),
        ("S2,rest,1,900,960", r"lies outside the recording \(bvp 0\.0-200\.0 s, eda 5\.0-205\.0 s"),
        ("S2,rest,1,-90,-60", "lies outside the recording"),
        ("S2,rest", "no label"),
    ],
)
def test_a_stretch_that_can_not_be_cut_is_rejected_with_the_reason(corpus, row, reason):
    corpus = relabel(corpus, f"{row}\nS2,work,2,80,150\n")
    assert [recording.trial for recording in corpus.read_subject("lab/S2").recordings] == ["work"]
    (rejected,) = corpus.read_subject("lab/S2").rejected
    assert rejected.trial == "rest"
    assert re.search(reason, rejected.reason)


def test_a_stretch_over_another_one_is_rejected(corpus):
    corpus = relabel(corpus, "S2,rest,1,10,70\nS2,work,2,60,150\n")
    assert reasons(corpus) == ["starts at 60.0 s, before 'rest' ends at 70.0 s: labels overlap"]


def test_a_folder_without_labels_is_a_subject_whose_trials_are_rejected(corpus):
    write_sensor(corpus.path / "S7", "BVP", 64)
    assert list(corpus.find_subjects()) == ["lab/S2", "lab/S7", "lab/S10"]
    assert reasons(corpus, "lab/S7") == ["no row of labels.csv has subject 'S7'"]


def test_a_labelled_subject_without_a_folder_is_not_lost(corpus):
    corpus = relabel(corpus, TABLE + "S99,rest,1,10,70\n")
    assert "lab/S99" in corpus.find_subjects()
    assert "no folder 'S99'" in reasons(corpus, "lab/S99")[0]


def test_a_missing_sensor_is_an_absent_modality(corpus):
    (corpus.path / "S2" / "EDA.csv.gz").unlink()
    assert set(corpus.read_subject("lab/S2").recordings[0].signals) == {"bvp", "temp"}


def test_without_bvp_the_clock_of_the_table_has_no_zero(corpus):
    (corpus.path / "S2" / "BVP.csv.gz").unlink()
    assert len(reasons(corpus)) == 2
    assert "no BVP file, whose first sample is second 0" in reasons(corpus)[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has 0 rows"),
        (b"1500000000\n64\n", "has 2 rows"),
        (b"1500000000\n-64\n1\n", "rate of -64 Hz"),
        (b"1500000000\nnan\n1\n", "rate of nan Hz"),
        (b"-5\n64\n1\n", "starts at -5 in row 1"),
        (b"1500000000\n64\n1\nx1\n", "has 'x1' in row 4 instead of a number"),
        (b"1500000000\n64\n1,2\n", "instead of a number|columns where one is expected"),
        (b"1500000000,5\n64,5\n1,2\n", "has 2 columns where one is expected"),
        (b"\xff\xfe\x00\x81\n\x00\n", "in row 1 instead of a number"),
    ],
)
def test_a_garbled_signal_file_is_named_with_what_is_wrong(corpus, content, problem):
    (corpus.path / "S2" / "BVP.csv.gz").write_bytes(gzip.compress(content))
    with pytest.raises(CorpusError, match=rf"BVP\.csv\.gz .*({problem})"):
        corpus.read_subject("lab/S2")


def test_a_gzip_that_was_cut_off_or_is_none_is_named(corpus):
    file = corpus.path / "S2" / "BVP.csv.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CorpusError, match="cut off or damaged"):
        corpus.read_subject("lab/S2")
    file.write_bytes(b"1500000000\n64\n1\n")
    with pytest.raises(CorpusError, match=r"can not be read.*Not a gzipped file"):
        corpus.read_subject("lab/S2")


def test_a_gzip_that_unpacks_to_more_than_any_session_is_refused(corpus, monkeypatch):
    monkeypatch.setattr(e4_files, "MAX_FILE_BYTES", 2**20)
    (corpus.path / "S2" / "BVP.csv.gz").write_bytes(gzip.compress(b"1" * 2**21))
    with pytest.raises(CorpusError, match="more than 1 MiB once unpacked"):
        corpus.read_subject("lab/S2")


def test_a_plain_csv_with_missing_and_absurd_samples_is_read_as_it_is(corpus):
    (corpus.path / "S2" / "EDA.csv.gz").unlink()
    (corpus.path / "S2" / "EDA.csv").write_text(f"{START}\n4\n" + "1\n\nnan\n1e300\n" * 200)
    eda = corpus.read_subject("lab/S2").recordings[0].signals["eda"].values[0]
    assert_array_equal(eda[:4], [1, np.nan, np.nan, np.inf])


def test_two_folders_or_two_files_of_one_subject_are_refused(corpus):
    write_sensor(corpus.path / "again" / "S2", "BVP", 64)
    with pytest.raises(CorpusError, match="subject 'S2' has two folders"):
        corpus.find_subjects()
    (corpus.path / "again" / "S2" / "BVP.csv.gz").unlink()
    (corpus.path / "S2" / "BVP.csv").write_text("1\n1\n1\n")
    with pytest.raises(CorpusError, match="the same sensor twice"):
        corpus.find_subjects()


def test_a_missing_folder_table_or_signal_is_told_apart(tmp_path):
    with pytest.raises(CorpusError, match="is no folder"):
        EmpaticaFolders(path=tmp_path / "nowhere").find_subjects()
    with pytest.raises(CorpusError, match=r"has no label table 'labels\.csv'"):
        EmpaticaFolders(path=tmp_path).find_subjects()
    (tmp_path / "labels.csv").write_text(TABLE)
    with pytest.raises(CorpusError, match=r"no folder with BVP\.csv"):
        EmpaticaFolders(path=tmp_path).find_subjects()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", "is no comma-separated table"),
        (b"\xff\xfe\x00", "is no comma-separated table"),
        ("subject,condition,label,start,end_s\nS2,a,1,2,3\n", "has no column 'start_s'; it has 'subject'"),
        (HEADER, "has no row"),
        (HEADER + "S2,rest,1,0:10,70\n", "has '0:10' in column 'start_s', row 2"),
        (HEADER + ",rest,1,10,70\n", "has no subject in row 2"),
        (HEADER + "S2,rest,1,10,70,8\nS2,rest,1,80,90,9\n", "is no comma-separated table"),
    ],
)
def test_a_label_table_that_can_not_be_read_is_named_with_what_is_wrong(corpus, table, problem):
    content = table if isinstance(table, bytes) else table.encode()
    (corpus.path / "labels.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"labels\.csv {problem}"):
        corpus.find_subjects()


@pytest.mark.parametrize("file", ["/etc/passwd", "../labels.csv", "a/../../b.csv", "..\\labels.csv", ""])
def test_the_label_table_can_not_lie_outside_the_corpus(file):
    with pytest.raises(ValidationError, match="inside the corpus folder"):
        LabelTable(file=file)


def test_a_link_out_of_the_corpus_is_no_label_table(corpus, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "labels.csv"
    outside.write_text(TABLE)
    (corpus.path / "labels.csv").unlink()
    (corpus.path / "labels.csv").symlink_to(outside)
    with pytest.raises(CorpusError, match="leads out of"):
        corpus.find_subjects()


def test_a_signal_file_that_is_a_link_out_of_the_corpus_is_refused(corpus, tmp_path_factory):
    file = corpus.path / "S2" / "EDA.csv.gz"
    outside = tmp_path_factory.mktemp("outside") / "EDA.csv.gz"
    file.rename(outside)
    file.symlink_to(outside)
    with pytest.raises(CorpusError, match=r"EDA\.csv\.gz is a link to"):
        corpus.find_subjects()


def test_an_unknown_subject_is_refused(corpus):
    with pytest.raises(CorpusError, match="has no subject 'lab/S3'"):
        corpus.read_subject("lab/S3")


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        (wesad_wrist, ("10.1145/3242969.3242985", "treat as CC BY 4.0", "look at the UCI page before")),
        (stress_predict, ("10.3390/s22218135", "MIT", "Talha Iqbal")),
    ],
)
def test_the_public_corpora_have_cards_of_their_own(preset, words, tmp_path):
    card = preset(tmp_path).card
    assert all(word in f"{card.doi} {card.licence}" for word in words)
    assert EmpaticaFolders(path=tmp_path).card.licence == "that of the corpus in the folder"


def cut_length(start_s, end_s, sfreq, zero_s=float(START)):
    file = E4File(np.zeros(int(4000 * sfreq), np.float32), sfreq, float(START), "uS")
    stretch = Stretch("rest", "rest", "1", 1.0, start_s, end_s)
    return cut_signals(stretch, zero_s, {"eda": file})["eda"].values.shape[1]


def test_a_length_in_rounding_error_below_a_whole_sample_keeps_that_sample():
    # WESAD's S6: 1200 s by its table, 1199.9999999999998 s in double precision
    assert 3049.18 - 1849.18 < 1200
    assert cut_length(1849.18, 3049.18, 4.0) == 4800


@pytest.mark.parametrize("sfreq", [4.0, 64.0])
def test_every_minute_on_a_grid_of_tenths_has_all_its_samples(sfreq):
    assert 64.1 - 4.1 < 60
    for tenth in range(0, 3000, 7):
        assert cut_length(tenth / 10, (tenth + 600) / 10, sfreq) == 60 * sfreq
        unix = [round(START + (tenth + more) / 10, 6) for more in (0, 600)]
        assert cut_length(*unix, sfreq, zero_s=0.0) == 60 * sfreq


def test_a_row_of_one_minute_in_tenths_of_a_second_gives_one_segment(corpus):
    (rest,) = relabel(corpus, "S10,rest,1,10.1,70.1\n").read_subject("lab/S10").recordings
    rows = WristWindows().segments(rest)
    assert (len(rows.start_s), rows.rejected) == (1, ())


@pytest.mark.parametrize(("first", "second"), [("1000001", "1000002"), ("0.1234567", "0.1234568")])
def test_labels_that_differ_in_their_seventh_digit_are_two(corpus, first, second):
    corpus = relabel(corpus, f"S2,rest,{first},10,70\nS2,work,{second},80,150\n")
    assert list(corpus.tasks()["label"].classes) == [(text, (float(text),)) for text in (first, second)]


@pytest.mark.skipif(not (DATA / "wesad_wrist").is_dir(), reason="the real recordings are not here")
def test_a_wesad_wrist_has_the_stretches_of_its_readme():
    corpus = wesad_wrist(DATA / "wesad_wrist")
    assert len(corpus.find_subjects()) == 15
    found = corpus.read_subject("wesad/S2")
    assert {r.trial: (r.clip, r.ratings["label"]) for r in found.recordings} == {
        "Base": ("baseline", 1.0),
        "TSST": ("stress", 2.0),
        "Fun": ("amusement", 3.0),
    }
    assert found.recordings[0].signals["bvp"].values.shape == (1, 1164 * 64)
    assert list(corpus.tasks()) == ["three_classes", "stress"]


@pytest.mark.skipif(not (DATA / "stress_predict").is_dir(), reason="the real recordings are not here")
def test_stress_predict_has_one_subject_without_labels():
    corpus = stress_predict(DATA / "stress_predict")
    assert len(corpus.find_subjects()) == 35
    assert reasons(corpus, "stress_predict/S01") == ["no row of labels.csv has subject 'S01'"]
    assert len(corpus.read_subject("stress_predict/S32").recordings) == 7


def e4_folder(folder, header):
    (folder / "Raw_data" / "S02").mkdir(parents=True)
    (folder / "Raw_data" / "S02" / "BVP.csv.gz").touch()
    (folder / "labels.csv").write_text(header + "\n")
    return folder


@pytest.mark.parametrize(
    ("header", "source"),
    [
        ("subject,condition,protocol_name,label,start_s,end_s,duration_s", "wesad"),
        ("subject,segment,label,start_utc,end_utc,start_s,end_s,duration_s", "stress_predict"),
        ("subject,condition,label,start_s,end_s", "own"),
    ],
)
def test_folders_are_recognised_by_the_columns_of_their_label_table(tmp_path, header, source):
    found = EmpaticaFolders.recognise(e4_folder(tmp_path, header))
    assert (found.source, found.path) == (source, tmp_path)


def test_folders_without_e4_files_or_label_columns_are_not_recognised(tmp_path):
    assert EmpaticaFolders.recognise(e4_folder(tmp_path / "a", "participant,emotion")) is None
    (tmp_path / "labels.csv").write_text("subject,label,start_s,end_s\n")
    (tmp_path / "a" / "Raw_data" / "S02" / "BVP.csv.gz").unlink()
    assert EmpaticaFolders.recognise(tmp_path) is None


@pytest.mark.parametrize("name", ["wesad_wrist", "stress_predict"])
def test_the_real_recordings_are_as_declared(shared_data, name):
    corpus = EmpaticaFolders.recognise(shared_data / name)
    assert corpus.name == {"wesad_wrist": "wesad"}.get(name, name)
    assert len(corpus.find_subjects()) == corpus.declaration.n_subjects
    assert disagreements(corpus.declaration, corpus.read_subject(next(iter(corpus.find_subjects())))) == ()
