"""Eegmat: made files in its layout, and the genuine ones against what their README states."""

import shutil

import numpy as np
import pytest
from edfio import Edf, EdfSignal
from numpy.testing import assert_allclose

from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.eegmat import EEG_CHANNELS, Eegmat
from emo_ray.errors import CorpusError
from emo_ray.features.ecg import find_beats

AS_RECORDED = (
    *("Fp1", "Fp2", "F3", "F4", "F7", "F8", "T3", "T4", "C3", "C4", "T5", "T6", "P3", "P4", "O1", "O2"),
    *("Fz", "Cz", "Pz"),
)
INFO = "Subject,Age,Gender,Recording year,Number of subtractions,Count quality\n"
TIMES_S = np.arange(256) / 128


def write_edf(path, labels=AS_RECORDED, eeg_unit="uV", ecg=True, level=1.0):
    """Two seconds; each EEG channel a sine of its own size in uV, the ECG of 0.5 mV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = level * np.sin(2 * np.pi * 10 * TIMES_S)
    signals = [
        EdfSignal((row + 1) * wave, 128, label=f"EEG {label}", physical_dimension=eeg_unit)
        for row, label in enumerate(labels)
    ]
    signals.append(EdfSignal(1000 * wave, 128, label="EEG A2-A1", physical_dimension="uV"))
    if ecg:
        signals.append(EdfSignal(0.5 * wave, 128, label="ECG ECG", physical_dimension="mV"))
    Edf(signals).write(path)


@pytest.fixture
def corpus(tmp_path):
    for subject in ("Subject02", "Subject10"):
        for number in (1, 2):
            write_edf(tmp_path / "edf_128hz" / f"{subject}_{number}.edf", level=number)
    (tmp_path / "subject-info.csv").write_text(
        INFO + "Subject02,19,F,2012,12.88,1\nSubject10,17,F,2010,1,0\n"
    )
    return Eegmat(path=tmp_path)


def test_rest_and_arithmetic_are_read_by_electrode_with_their_units(corpus):
    read = corpus.read_subject("eegmat/Subject02")
    rest, arithmetic = read.recordings
    assert [(one.trial, one.session, dict(one.ratings)) for one in read.recordings] == [
        ("rest", "1", {"label": 0.0, "quality": 1.0}),
        ("arithmetic", "1", {"label": 1.0, "quality": 1.0}),
    ]
    assert rest.signals["eeg"].channels == EEG_CHANNELS
    assert (rest.signals["eeg"].unit, rest.signals["ecg"].unit) == ("uV", "mV")
    assert_allclose(np.ptp(rest.signals["eeg"].values, axis=1), 2 * np.arange(1, 20), rtol=0.03)
    assert_allclose(np.ptp(arithmetic.signals["ecg"].values), 2.0, rtol=0.03)
    assert (read.rejected, read.notes) == ((), ())


def test_the_difference_of_the_ears_is_not_read(corpus):
    assert np.abs(corpus.read_subject("eegmat/Subject02").recordings[0].signals["eeg"].values).max() < 20


def test_subjects_come_with_all_their_files(corpus):
    found = corpus.find_subjects()
    assert list(found) == ["eegmat/Subject02", "eegmat/Subject10"]
    names = [file.name for file in found["eegmat/Subject10"]]
    assert names == ["Subject10_1.edf", "Subject10_2.edf", "subject-info.csv"]


def test_electrodes_are_found_by_name_in_any_order(corpus):
    write_edf(corpus.path / "edf_128hz" / "Subject02_1.edf", labels=AS_RECORDED[::-1])
    eeg = corpus.read_subject("eegmat/Subject02").recordings[0].signals["eeg"]
    assert_allclose(np.ptp(eeg.values, axis=1), 2 * np.arange(19, 0, -1), rtol=0.03)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": AS_RECORDED[:6] + AS_RECORDED[8:]}, "Subject02_1.edf has no channel T7, T8"),
        ({"eeg_unit": "mV"}, "EEG in mV, not in uV"),
    ],
)
def test_a_trial_of_another_layout_is_rejected_with_the_reason(corpus, change, reason):
    write_edf(corpus.path / "edf_128hz" / "Subject02_1.edf", **change)
    read = corpus.read_subject("eegmat/Subject02")
    assert [one.trial for one in read.recordings] == ["arithmetic"]
    assert [(one.trial, one.reason) for one in read.rejected] == [("rest", reason)]


def test_a_missing_condition_is_rejected(corpus):
    (corpus.path / "edf_128hz" / "Subject10_2.edf").unlink()
    read = corpus.read_subject("eegmat/Subject10")
    assert [one.trial for one in read.recordings] == ["rest"]
    assert read.rejected[0].reason.startswith("Subject10_2.edf is not there")


def test_a_file_without_ecg_is_read_and_told(corpus):
    write_edf(corpus.path / "edf_128hz" / "Subject02_1.edf", ecg=False)
    read = corpus.read_subject("eegmat/Subject02")
    assert list(read.recordings[0].signals) == ["eeg"]
    assert "not one ECG channel" in read.notes[0]


@pytest.mark.parametrize("rows", ["", "Subject02,19,F,2012,12.88,\n", None])
def test_an_unknown_quality_is_left_out_and_told(corpus, rows):
    table = corpus.path / "subject-info.csv"
    if rows is None:
        table.unlink()
    else:
        table.write_text(INFO + rows)
    read = corpus.read_subject("eegmat/Subject02")
    assert dict(read.recordings[0].ratings) == {"label": 0.0}
    assert "subject-info.csv" in read.notes[0]


@pytest.mark.parametrize("content", [b"Subject;Count quality\n1;2\n", b"\xff\xfe\x00", b"a" * 2**21])
def test_a_table_that_is_none_is_refused(corpus, content):
    (corpus.path / "subject-info.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=r"subject-info\.csv"):
        corpus.read_subject("eegmat/Subject02")


def test_a_file_cut_off_in_its_header_is_refused(corpus):
    path = corpus.path / "edf_128hz" / "Subject02_1.edf"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(CorpusError, match=r"Subject02_1\.edf can not be read"):
        corpus.read_subject("eegmat/Subject02")


def test_one_packaging_is_read_and_the_other_by_name(corpus):
    write_edf(corpus.path / "original" / "Subject02_1.edf", level=7)
    write_edf(corpus.path / "original" / "Subject02_2.edf", level=7)
    other = Eegmat(path=corpus.path, folder="original")
    assert list(other.find_subjects()) == ["eegmat/Subject02"]
    tops = [
        np.ptp(c.read_subject("eegmat/Subject02").recordings[0].signals["eeg"].values[0])
        for c in (corpus, other)
    ]
    assert_allclose(tops, [2, 14], rtol=0.03)


def test_the_same_recording_twice_is_refused(corpus):
    shutil.copytree(corpus.path / "edf_128hz", corpus.path / "edf_128hz" / "copy")
    with pytest.raises(CorpusError, match="same subject and condition"):
        corpus.find_subjects()


@pytest.mark.parametrize(("folder", "match"), [("nothing", "is no folder"), ("..", "leads out of")])
def test_a_folder_that_can_not_be_is_refused(corpus, folder, match):
    with pytest.raises(CorpusError, match=match):
        Eegmat(path=corpus.path, folder=folder).find_subjects()


def test_an_unknown_subject_and_an_empty_folder_are_refused(corpus, tmp_path):
    with pytest.raises(CorpusError, match="no subject 'eegmat/Subject99'"):
        corpus.read_subject("eegmat/Subject99")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no SubjectNN_1"):
        Eegmat(path=tmp_path / "empty").find_subjects()


def test_it_is_recognised_by_its_names(corpus, tmp_path):
    assert Eegmat.recognise(corpus.path) == corpus
    (tmp_path / "other").mkdir()
    write_edf(tmp_path / "other" / "night1.edf")
    assert Eegmat.recognise(tmp_path / "other") is None


def test_the_genuine_files_are_as_declared_and_differ_as_their_readme_says(shared_data):
    corpus = Eegmat(path=shared_data / "eegmat")
    subjects = list(corpus.find_subjects())
    read = {subject: corpus.read_subject(subject) for subject in subjects}
    assert subjects == [f"eegmat/Subject{number:02d}" for number in range(36)]
    assert {line for one in read.values() for line in disagreements(corpus.declaration, one)} == set()
    assert {r.signals["eeg"].values.shape for one in read.values() for r in one.recordings} == {(19, 7936)}
    differ = [name[-2:] for name, one in read.items() if any("filtered differently" in n for n in one.notes)]
    assert differ == ["08", "10", "11", "13", "16", "17", "22", "31", "32"]
    assert sum(one.recordings[0].ratings["quality"] for one in read.values()) == 26


def heart_rate(recording):
    """Beats a minute, and the share of intervals that could be one."""
    beats = find_beats(recording.signals["ecg"].values[0], recording.signals["ecg"].sfreq)
    known = beats.rr_s[np.isfinite(beats.rr_s)]
    return 60 / known.mean() if known.size else np.nan, known.size / max(1, beats.rr_s.size)


def test_the_heart_beats_faster_in_arithmetic_as_the_readme_says(shared_data):
    corpus = Eegmat(path=shared_data / "eegmat")
    rates = np.array(
        [[heart_rate(r) for r in corpus.read_subject(s).recordings] for s in corpus.find_subjects()]
    )
    rise = rates[:, 1, 0] - rates[:, 0, 0]
    # four recordings (02 and 13 at rest, 20 and 35 in arithmetic) show no heart beat
    seen = (rates[:, :, 1] > 0.5).all(axis=1)
    assert np.flatnonzero(~seen).tolist() == [2, 13, 20, 35]
    assert (rise[seen] > 0).all()
    assert rise[seen].mean() == pytest.approx(14.0, abs=1.0)


def test_the_original_packaging_is_the_converted_one_at_500_hz(shared_data):
    folder = shared_data / "eegmat"
    original = Eegmat(path=folder, folder="original").read_subject("eegmat/Subject00").recordings
    converted = Eegmat(path=folder).read_subject("eegmat/Subject00").recordings
    assert [one.signals["eeg"].values.shape for one in original] == [(19, 91_000), (19, 31_000)]
    for late, early in zip(original, converted, strict=True):
        seconds = np.arange(62)  # both at whole seconds of the last 62
        before = late.signals["ecg"].values[0, -62 * 500 :][500 * seconds]
        assert np.corrcoef(before, early.signals["ecg"].values[0, 128 * seconds])[0, 1] > 0.99
