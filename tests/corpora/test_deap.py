"""DEAP's reader over files in its three packagings."""

import shutil

import numpy as np
import pytest
from scipy.io import savemat

from emo_ray.corpora.deap import CARD, Deap
from emo_ray.corpora.declared import disagreements
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import DEAP32
from emo_ray.testing.body_signals import Clock
from emo_ray.testing.deap_files import TWENTE, DeapFiles
from emo_ray.testing.python2_pickle import write_python2_pickle

FILES = DeapFiles(n_subjects=2, n_videos=3, video_s=8, packagings=("python", "matlab"))
RAW = DeapFiles(n_subjects=2, n_videos=3, packagings=("raw",), first_of_geneva=2)
WHOLE = DeapFiles(n_subjects=1, packagings=("python",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    written = tmp_path_factory.mktemp("deap")
    FILES.write(written)
    return written


@pytest.fixture(scope="module")
def raw_folder(tmp_path_factory):
    written = tmp_path_factory.mktemp("deap_raw")
    RAW.write(written)
    return written


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def write_dat(folder, content, name="s01.dat"):
    folder.mkdir(exist_ok=True)
    with (folder / name).open("wb") as target:
        write_python2_pickle(content, target)
    return Deap(path=folder)


def test_a_released_file_holds_what_is_declared(tmp_path):
    WHOLE.write(tmp_path)
    corpus = Deap(path=tmp_path)
    read = corpus.read_subject("deap/s01")
    assert disagreements(corpus.declaration, read) == ()
    assert (len(read.recordings), read.rejected, read.notes) == (40, (), ())
    first = read.recordings[0]
    assert first.signals["eeg"].values.shape == (32, 8064)
    assert (first.baseline_s, first.clip, first.group) == (3.0, "deap/video1", "deap/s01")
    assert CARD.doi == "10.1109/T-AFFC.2011.15"


def test_signals_and_labels_stand_where_the_release_has_them(tmp_path):
    """Row and label of trial 0 by hand: value 100 * row, ratings in the order of the release."""
    data = np.zeros((2, 40, 8064)) + 100.0 * np.arange(40)[:, None]
    labels = np.array([[7.0, 3.0, 5.0, 1.0], [1.0, 9.0, 2.5, 8.0]])
    read = write_dat(tmp_path / "d", {"data": data, "labels": labels}).read_subject("deap/s01")
    signals = read.recordings[0].signals
    rows = {name: signal.values[:, 0].tolist() for name, signal in signals.items()}
    assert rows["eog"] == [3200, 3300]
    assert rows["emg"] == [3400, 3500]
    assert [rows[name] for name in ("gsr", "resp", "bvp", "temp")] == [[3600], [3700], [3800], [3900]]
    assert signals["eeg"].channels[30:] == ("PO4", "O2")
    assert read.recordings[1].ratings == {
        "self_valence": 1.0,
        "self_arousal": 9.0,
        "self_dominance": 2.5,
        "self_liking": 8.0,
    }


def test_both_packagings_hold_the_same_and_the_python_one_is_read(copy):
    python = Deap(path=copy).read_subject("deap/s02")
    assert "both packagings of 2 subjects" in Deap(path=copy).notes()[1]
    assert Deap(path=copy).find_subjects()["deap/s02"][0].suffix == ".dat"
    shutil.rmtree(copy / "data_preprocessed_python")
    matlab = Deap(path=copy).read_subject("deap/s02")
    for one, other in zip(python.recordings, matlab.recordings, strict=True):
        assert one.ratings == pytest.approx(other.ratings, nan_ok=True)
        for name, signal in one.signals.items():
            np.testing.assert_array_equal(signal.values, other.signals[name].values)


def test_start_and_familiarity_come_from_the_table(folder):
    read = Deap(path=folder).read_subject("deap/s01")
    for recording in read.recordings:
        position = FILES.order(0).index(int(recording.trial) - 1)
        assert recording.start_s == pytest.approx(2 + 3 + position * (3 + 8 + 2))
        assert 1 <= recording.ratings["self_familiarity"] <= 5
    assert np.isnan(Deap(path=folder).read_subject("deap/s02").recordings[0].ratings["self_familiarity"])


def test_labels_that_the_table_contradicts_are_noted(copy):
    table = copy / "metadata_csv" / "participant_ratings.csv"
    lines = table.read_text().splitlines()
    cells = lines[1].split(",")
    cells[4] = "1.0" if float(cells[4]) > 4 else "9.0"
    table.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]))
    notes = Deap(path=copy).read_subject("deap/s01").notes
    assert any("valence is not that of participant_ratings.csv, in 1 trial" in note for note in notes)
    assert not any("arousal is not" in note for note in notes)


def test_without_the_table_a_note_says_what_is_missing(copy):
    table = copy / "metadata_csv" / "participant_ratings.csv"
    table.rename(table.with_suffix(".xls"))
    assert "save it as csv" in Deap(path=copy).notes()[-1]
    assert "self_familiarity" not in Deap(path=copy).read_subject("deap/s01").recordings[0].ratings


def test_another_length_is_noted_and_one_of_the_baseline_alone_rejected(folder, tmp_path):
    read = Deap(path=folder).read_subject("deap/s01")
    assert "1408 samples a channel, where the release has 8064, in 3 trials" in read.notes[0]
    short = {"data": np.ones((1, 40, 384)), "labels": np.ones((1, 4))}
    rejected = write_dat(tmp_path / "short", short).read_subject("deap/s01").rejected
    assert "384 samples are no more than the baseline" in rejected[0].reason


def test_resistance_becomes_conductance_on_request(tmp_path):
    """1e6 / 250000 ohm is 4 uS; 0 ohm is impossible."""
    data = np.full((1, 40, 8064), 250_000.0)
    data[0, 36, 5] = 0.0
    write_dat(tmp_path, {"data": data, "labels": np.full((1, 4), 5.0)})
    corpus = Deap(path=tmp_path, gsr_unit="siemens_from_ohm")
    read = corpus.read_subject("deap/s01")
    skin = read.recordings[0].signals["eda"]
    assert (skin.unit, skin.values[0, 0]) == ("uS", 4.0)
    assert np.flatnonzero(np.isnan(skin.values[0])).tolist() == [5]
    assert "not above 0 ohm set to NaN" in read.notes[0]
    assert set(corpus.declaration.signals) == set(read.recordings[0].signals)


def test_not_finite_values_become_nan(tmp_path):
    data, labels = np.ones((1, 40, 8064)), np.array([[np.inf, np.nan, 3.0, 4.0]])
    data[0, 2, 7] = np.inf
    read = write_dat(tmp_path, {"data": data, "labels": labels}).read_subject("deap/s01")
    assert np.isnan(read.recordings[0].signals["eeg"].values[2, 7])
    assert np.isnan([read.recordings[0].ratings[f"self_{name}"] for name in ("valence", "arousal")]).all()
    assert "infinite samples set to NaN" in read.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": np.ones((2, 40, 9))}, "no numbers 'labels'"),
        ({"data": "text", "labels": np.ones((1, 4))}, "no numbers 'data'"),
        ({"data": np.ones((2, 39, 9)), "labels": np.ones((2, 4))}, r"shape \(2, 39, 9\)"),
        ({"data": np.ones((41, 40, 9)), "labels": np.ones((41, 4))}, r"shape \(41, 40, 9\)"),
        ({"data": np.ones((40, 9)), "labels": np.ones((2, 4))}, r"shape \(40, 9\)"),
        ({"data": np.ones((2, 40, 9)), "labels": np.ones((3, 4))}, r"shape \(3, 4\)"),
        (np.ones(3), "holds a ndarray"),
    ],
)
def test_another_layout_is_refused_with_what_is_there(content, message, tmp_path):
    corpus = write_dat(tmp_path, content)
    with pytest.raises(CorpusError, match=message):
        corpus.read_subject("deap/s01")


def test_a_matlab_file_without_labels_is_refused(tmp_path):
    savemat(tmp_path / "s01.mat", {"data": np.ones((2, 40, 9))})
    with pytest.raises(CorpusError, match="no numbers 'labels'"):
        Deap(path=tmp_path).read_subject("deap/s01")


@pytest.mark.parametrize("cut", [0, 1, 100, 5000])
def test_a_truncated_file_is_refused(cut, copy):
    file = copy / "data_preprocessed_python" / "s01.dat"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(CorpusError, match=r"s01\.dat: not read"):
        Deap(path=copy).read_subject("deap/s01")


def test_two_files_of_one_subject_are_refused(copy):
    shutil.copy(copy / "data_preprocessed_python" / "s01.dat", copy / "s01.dat")
    with pytest.raises(CorpusError, match="are the same subject and format"):
        Deap(path=copy).find_subjects()


def test_subjects_come_in_order_and_junk_is_passed_over(tmp_path):
    for name in ("s10.dat", "s02.dat", "s1.dat", "s03.dat.bak", "._s04.dat", "video_list.csv"):
        (tmp_path / name).write_bytes(b"")
    assert list(Deap(path=tmp_path).find_subjects()) == ["deap/s02", "deap/s10"]


def test_an_unknown_subject_and_an_empty_folder_are_refused(folder, tmp_path):
    with pytest.raises(CorpusError, match="choose one of deap/s01, deap/s02"):
        Deap(path=folder).read_subject("deap/s07")
    with pytest.raises(CorpusError, match=r"holds no s01\.dat or s01\.mat"):
        Deap(path=tmp_path).find_subjects()
    with pytest.raises(CorpusError, match=r"holds no s01\.bdf"):
        Deap(path=folder, content="raw").find_subjects()


def test_the_corpus_is_recognised_by_its_own_names_alone(folder, raw_folder, tmp_path):
    assert Deap.recognise(folder).content == "preprocessed"
    assert Deap.recognise(raw_folder).content == "raw"
    (tmp_path / "s01.mat").write_bytes(b"")
    assert Deap.recognise(tmp_path) is None  # anybody's
    (tmp_path / "participant_ratings.xls").write_bytes(b"")
    assert Deap.recognise(tmp_path).content == "preprocessed"


def test_records_of_physionet_are_not_taken_for_it(tmp_path):
    (tmp_path / "s01.dat").write_bytes(b"")
    (tmp_path / "s01.hea").write_bytes(b"")
    assert Deap.recognise(tmp_path) is None


def test_tasks_name_their_rule():
    tasks = Deap(path=".").tasks()
    assert list(tasks) == ["valence", "arousal", "dominance", "liking"]
    assert (tasks["valence"].rating, tasks["valence"].rule) == ("self_valence", "ge_5")


@pytest.mark.parametrize("subject", [0, 1], ids=["Twente", "Geneva"])
def test_raw_videos_are_found_and_electrodes_put_in_order(subject, raw_folder):
    """Steps of the file are 1/32 uV; the electrodes lie 5000 uV off, pairs of leads lose that."""
    corpus = Deap(path=raw_folder, content="raw")
    read = corpus.read_subject(f"deap/s{subject + 1:02d}")
    assert [recording.trial for recording in read.recordings] == ["1", "2", "3"]
    assert disagreements(corpus.declaration, read) == ("3 trials, where the release has 40",)
    for video, recording in enumerate(read.recordings):
        written = RAW._rows(subject, video, Clock(63 * 512, 512.0), DEAP32)
        assert np.abs(recording.signals["eeg"].values - written["brain"] - 5000).max() < 0.04
        assert np.abs(recording.signals["eog"].values - written["eyes"]).max() < 0.04
        assert np.abs(recording.signals["bvp"].values - written["body"][2]).max() < 0.04


def test_the_sites_have_the_same_electrodes_in_two_orders():
    assert set(TWENTE) == set(DEAP32)
    assert TWENTE != DEAP32


def test_raw_recordings_need_the_table(raw_folder, tmp_path):
    shutil.copy(raw_folder / "data_original" / "s01.bdf", tmp_path)
    with pytest.raises(CorpusError, match=r"start 3 videos, participant_ratings\.csv lists 0"):
        Deap(path=tmp_path, content="raw").read_subject("deap/s01")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1000], "bytes where its header says"),
        (lambda content: b"", "is no BDF file"),
        (lambda content: content[:252] + b"9999" + content[256:], "is no BDF file"),
        (lambda content: content.replace(b"Fp1 ", b"Xp1 "), "has no Fp1; its channels are Xp1"),
        (lambda content: content[:236] + b"what    " + content[244:], "where a number belongs"),
    ],
    ids=["cut off", "empty", "channels", "electrode", "records"],
)
def test_a_broken_recording_is_refused(change, message, raw_folder, tmp_path):
    shutil.copytree(raw_folder, tmp_path / "raw")
    file = tmp_path / "raw" / "data_original" / "s01.bdf"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(CorpusError, match=message):
        Deap(path=tmp_path / "raw", content="raw").read_subject("deap/s01")


def test_a_recording_that_ends_within_the_last_video_rejects_that_one(tmp_path):
    """Videos of 50 s, triggered as such: none has the 60 s that a trial needs."""
    files = DeapFiles(n_subjects=1, n_videos=2, video_s=50, packagings=("raw",))
    files.write(tmp_path)
    rejected = Deap(path=tmp_path, content="raw").read_subject("deap/s01").rejected
    assert "end trigger comes after 50.0 s" in rejected[0].reason
    assert "52.0 s of it" in rejected[1].reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Trial,Valence\n1,2\n", "has no column participant_id"),
        ("", "has no column participant_id"),
        ("{names}\n1,1,1,0,5,5,5,5,\n1,1,2,0,5,5,5,5,\n", "trial 1 or video 2 twice"),
        ("{names}\n1,1,1,0,high,5,5,5,\n", "'high' is no number"),
        ("{names}\n1,,1,0,5,5,5,5,\n", "needs whole numbers"),
    ],
)
def test_a_broken_table_is_refused(text, message, copy):
    names = "Participant_id,Trial,Experiment_id,Start_time,Valence,Arousal,Dominance,Liking,Familiarity"
    (copy / "metadata_csv" / "participant_ratings.csv").write_text(text.format(names=names))
    with pytest.raises(CorpusError, match=message):
        Deap(path=copy).read_subject("deap/s01")
