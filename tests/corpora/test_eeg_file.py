"""One door for EEG files: genuine samples, units, stretches, damage, and what must not be believed."""

import re
import shutil
import struct
import warnings
from collections import Counter

import h5py
import mne
import numpy as np
import pytest
from edfio import Edf, EdfAnnotation, EdfSignal
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import savemat

from emo_ray.corpora.eeg_file import EegEvent, open_eeg_file, read_eeg_file
from emo_ray.corpora.eeg_headers import check_cnt_header
from emo_ray.errors import CorpusError
from emo_ray.testing.cnt_files import CntLayout, Mark, write_cnt

# channels, Hz, samples, events and kinds, as the README beside the samples states them
SAMPLES = [
    ("mne_python/test.edf", 139, 512, 6 * 512, 5, {"eeg": 136, "misc": 2, "stim": 1}),
    ("mne_python/test_edf_stim_channel.edf", 25, 128, 1228, 0, {"eeg": 20, "eog": 2, "ecg": 2, "stim": 1}),
    ("mne_python/test.bdf", 73, 2048, 2048, 0, {"eeg": 66, "eog": 3, "misc": 3, "stim": 1}),
    ("mne_python/test.vhdr", 32, 1000, 7900, 13, {"eeg": 26, "misc": 6}),
    ("mne_python/test_bin_raw.fif", 33, 1000, 7900, 0, {"eeg": 32, "stim": 1}),
    ("mne_python/test_egi.raw", 262, 250, 77, 2, {"eeg": 256, "stim": 6}),
    ("eeglab/eeglab_data.set", 32, 128, 30504, 154, {"eeg": 30, "eog": 2}),
    ("eeglab/sub-S1_ses-01_task-Experiment_run-01_eeg.set", 15, 256, 60 * 256, 55, {"eeg": 15}),
]
REFUSED = [
    ("eeglab/test.cnt", "states 26080 samples of 2 channels at 200 Hz, .* 1050 to 103470 .* hold 25605"),
    ("eeglab/eeglab_data.fdt", r"holds no header: give eeglab_data\.set"),
    ("mne_python/test.eeg", r"holds no header: give test\.vhdr"),
    ("mne_python/test.vmrk", r"holds no header: give test\.vhdr"),
    ("mne_python/LICENSE.txt", r"no EEG format ends in '\.txt'; known are \.edf"),
    ("eeglab/LICENSE.txt", "no EEG format"),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample[0])
def test_genuine_files_open_as_their_readme_says(shared_data, sample):
    name, channels, hz, times, events, kinds = sample
    file = read_eeg_file(shared_data / "reader_samples" / name)
    assert file.values.shape == (channels, times)
    assert (file.sfreq, len(file.events), Counter(file.kinds)) == (hz, events, kinds)
    eeg = file.values[file.rows("eeg")]
    assert np.isfinite(eeg).all()
    assert {file.units[row] for row in file.rows("eeg")} == {"uV"}


@pytest.mark.parametrize(("name", "match"), REFUSED)
def test_files_that_can_not_be_read_say_why_and_what_to_do(shared_data, name, match):
    with pytest.raises(CorpusError, match=match):
        read_eeg_file(shared_data / "reader_samples" / name)


def test_every_sample_has_its_row(shared_data):
    folder = shared_data / "reader_samples"
    there = {str(file.relative_to(folder)) for file in folder.glob("*/*")}
    assert there == {row[0] for row in SAMPLES} | {row[0] for row in REFUSED}


@pytest.mark.parametrize("data_format", ["int16", "int32"])
def test_the_inconsistent_cnt_is_refused_whatever_it_is_taken_for(shared_data, data_format):
    with pytest.raises(CorpusError, match="export it from Scan"):
        read_eeg_file(shared_data / "reader_samples/eeglab/test.cnt", data_format=data_format)


def test_one_recording_in_two_formats_has_equal_values(shared_data):
    folder = shared_data / "reader_samples" / "mne_python"
    vision, fif = read_eeg_file(folder / "test.vhdr"), read_eeg_file(folder / "test_bin_raw.fif")
    rows = vision.rows("eeg")
    assert_allclose(vision.values[rows], fif.values[rows], atol=1e-4)


def test_units_that_differ_are_told(shared_data):
    folder = shared_data / "reader_samples" / "mne_python"
    edf, vision = read_eeg_file(folder / "test.edf"), read_eeg_file(folder / "test.vhdr")
    assert "channels are in different units: 138 in uV, 1 in arbitrary (Status)" in edf.notes
    assert any("1 in uS (CP6), 1 in S (Vb), 1 in C (ReRef)" in note for note in vision.notes)


def test_types_taken_from_names_are_told(shared_data):
    file = read_eeg_file(shared_data / "reader_samples/mne_python/test_edf_stim_channel.edf")
    assert file.kinds[file.channels.index("DIG DTRIG")] == "stim"
    assert any("DIG DTRIG (stim)" in note for note in file.notes)


TIMES_S = np.arange(1280) / 128
RAMP = 100 * np.sin(2 * np.pi * TIMES_S)


@pytest.fixture
def edf(tmp_path):
    """Ten seconds: uV, mV, an unknown unit, and a slow channel; three annotations."""
    signals = [
        EdfSignal(RAMP, 128, label="EEG T3-Ref", physical_dimension="uV"),
        EdfSignal(RAMP / 1000, 128, label="ECG", physical_dimension="mV"),
        EdfSignal(RAMP, 128, label="GSR", physical_dimension="uS"),
        EdfSignal(np.linspace(30, 31, 40), 4, label="Temp", physical_dimension="degC"),
    ]
    annotations = [EdfAnnotation(at, None, label) for at, label in ((2.5, "b"), (0, "a"), (9.5, "c"))]
    path = tmp_path / "made.EDF"
    Edf(signals, annotations=annotations).write(path)
    return path


def test_values_come_in_the_unit_of_the_file(edf):
    file = read_eeg_file(edf)
    assert file.units == ("uV", "mV", "uS", "degC")
    for row, truth in enumerate([RAMP, RAMP / 1000, RAMP]):
        assert_allclose(file.values[row], truth, atol=np.ptp(truth) / 2**15)  # 16 bits
    assert_allclose(file.values[3, 320:-320], 30 + TIMES_S[320:-320] / 10, atol=0.05)  # MNE rings at the ends


def test_a_channel_that_mne_resampled_is_told(edf):
    assert "recorded at lower rates, brought to 128 Hz by MNE: Temp" in read_eeg_file(edf).notes


def test_a_stretch_has_its_own_samples_and_events(edf):
    whole, part = (
        read_eeg_file(edf),
        read_eeg_file(edf, start_s=2.0, stop_s=9.5, channels=["ECG", "EEG T3-Ref"]),
    )
    assert part.channels == ("ECG", "EEG T3-Ref")
    assert part.kinds == ("ecg", "eeg")
    assert_array_equal(part.values, whole.values[[1, 0], 256:1216])
    assert whole.events == (EegEvent(0.0, "a"), EegEvent(2.5, "b"), EegEvent(9.5, "c"))
    assert part.events == (EegEvent(0.5, "b"),)


def test_several_stretches_of_one_open_file_are_the_whole(edf):
    opened = open_eeg_file(edf)
    parts = [opened.read(start_s, start_s + 2.5).values[:3] for start_s in (0.0, 2.5, 5.0, 7.5)]
    assert_array_equal(np.hstack(parts), read_eeg_file(edf).values[:3])


def test_reading_in_pieces_changes_nothing(edf, monkeypatch):
    whole = read_eeg_file(edf, channels=["ECG", "GSR"]).values
    monkeypatch.setattr("emo_ray.corpora.eeg_file.CHUNK_VALUES", 100)
    assert_array_equal(read_eeg_file(edf, channels=["ECG", "GSR"]).values, whole)


def test_a_stretch_past_the_end_is_shorter_and_told(edf):
    file = read_eeg_file(edf, start_s=8.0, stop_s=12.0)
    assert file.values.shape[1] == 256
    assert "ends at 10 s, 2.00 s before 12 s" in file.notes


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"start_s": 10.0}, "nothing from 10 s to the end: it holds 10 s"),
        ({"start_s": 5.0, "stop_s": 5.0}, "nothing from 5 s to 5 s"),
        ({"start_s": -1.0}, "nothing from -1 s"),
        ({"channels": ["Cz"]}, "no channel Cz; it has EEG T3-Ref, ECG, GSR, Temp"),
    ],
)
def test_what_is_not_in_the_file_is_refused(edf, settings, match):
    with pytest.raises(CorpusError, match=match):
        read_eeg_file(edf, **settings)


def test_more_than_fits_in_memory_is_refused(edf, monkeypatch):
    monkeypatch.setattr("emo_ray.corpora.eeg_file.MAX_VALUES", 5000)
    with pytest.raises(CorpusError, match="4 channels of 1280 samples are more than 5000"):
        read_eeg_file(edf)
    assert read_eeg_file(edf, stop_s=9.0, channels=["ECG"]).values.size == 1152


def test_any_reader_of_raw_can_stand_in(tmp_path):
    path = tmp_path / "1_1_20180804.cnt"
    path.write_bytes(b"not read by MNE")
    volts = np.random.default_rng(0).normal(0, 2e-5, (3, 4000))
    info = mne.create_info(["FP1", "M1", "VEO"], 1000.0, "eeg")
    file = read_eeg_file(
        path, start_s=1.0, stop_s=3.0, read_raw=lambda _: mne.io.RawArray(volts, info, verbose="error")
    )
    assert_allclose(file.values, 1e6 * volts[:, 1000:3000], rtol=1e-6)
    assert (file.units, file.kinds) == (("uV",) * 3, ("eeg", "eeg", "eog"))


@pytest.mark.parametrize("data_format", ["auto", "int32"])
def test_a_neuroscan_file_gives_any_stretch_in_microvolts_with_its_marks(tmp_path, data_format):
    values = np.random.default_rng(0).normal(0, 20, (3, 5000))
    layout = CntLayout(("FP1", "CB1", "HEO"))
    path = write_cnt(tmp_path / "1_1_20180804.cnt", layout, [values], [Mark(500, 1), Mark(2500, 2)])
    file = read_eeg_file(path, start_s=2.0, stop_s=4.0, data_format=data_format)
    assert_allclose(file.values, values[:, 2000:4000], atol=layout.resolution_uv)
    assert (file.sfreq, file.channels, file.kinds) == (1000.0, layout.channels, ("eeg", "eeg", "eog"))
    assert file.events == (EegEvent(0.5, "2"),)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="is no file"):
        read_eeg_file(tmp_path / "none.edf")


def test_a_file_cut_off_is_read_as_far_as_it_goes_and_told(edf):
    edf.write_bytes(edf.read_bytes()[:-1000])
    file = read_eeg_file(edf)
    assert 0 < file.values.shape[1] < 1280
    assert any("does not match the file size" in note for note in file.notes)


def test_a_header_that_leads_elsewhere_is_refused(shared_data, tmp_path):
    folder = shared_data / "reader_samples" / "mne_python"
    (tmp_path / "inside").mkdir()
    header = (folder / "test.vhdr").read_text(encoding="utf-8", errors="surrogateescape")
    (tmp_path / "inside" / "test.vhdr").write_text(
        header.replace("DataFile=test.eeg", "DataFile=../secret.eeg"),
        encoding="utf-8",
        errors="surrogateescape",
    )
    shutil.copy(folder / "test.vmrk", tmp_path / "inside")
    shutil.copy(folder / "test.eeg", tmp_path / "secret.eeg")
    with pytest.raises(CorpusError, match="the data must lie beside the header"):
        read_eeg_file(tmp_path / "inside" / "test.vhdr")


@pytest.mark.parametrize("name", ["../secret.vmrk", "/etc/passwd", "sub\\x.vmrk"])
def test_a_header_whose_markers_lie_elsewhere_is_refused_before_they_are_read(tmp_path, name):
    header = f"Brain Vision Data Exchange Header File Version 1.0\nMarkerFile={name}\nNumberOfChannels=1\n"
    (tmp_path / "x.vhdr").write_text(header)
    with pytest.raises(CorpusError, match=r"leads to .*the data must lie beside the header"):
        read_eeg_file(tmp_path / "x.vhdr")


@pytest.mark.parametrize("number", [b"999999999", b"0", b"many"])
def test_a_header_of_impossibly_many_channels_is_refused_before_memory_is_reserved(tmp_path, number):
    path = tmp_path / "bomb.vhdr"
    path.write_bytes(b"Brain Vision Data Exchange Header File Version 1.0\nNumberOfChannels=" + number)
    with pytest.raises(CorpusError, match="no BrainVision header"):
        read_eeg_file(path)


def test_an_eeglab_file_that_would_crash_the_process_is_refused_before(tmp_path):
    path = tmp_path / "made.set"
    savemat(path, {"EEG": {"setname": "a text of nineteen", "nbchan": 1.0}})
    content = bytearray(path.read_bytes())
    tag = content.index(b"a text of nineteen") - 8
    content[tag] = 52  # no type of element; SciPy looks it up in a table of 19
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"damaged .* type 52 for text"):
        read_eeg_file(path)


def test_an_eeglab_file_of_matlab_7_3_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "new.set"
    with h5py.File(path, "w") as file:
        file["EEG"] = 1.0
    with pytest.raises(CorpusError, match=r"MATLAB 7\.3.*-v7"):
        read_eeg_file(path)


def cnt_bytes(n_channels, n_samples, n_bytes, event_table=0):
    head = bytearray(900 + 75 * n_channels + n_bytes)
    head[:12] = b"Version 3.0\0"
    for place, kind, number in ((370, "<H", n_channels), (376, "<H", 1000), (864, "<i", n_samples)):
        struct.pack_into(kind, head, place, number)
    struct.pack_into("<i", head, 886, event_table)
    return bytes(head)


@pytest.mark.parametrize(
    ("n_samples", "data_format", "told"),
    [
        (100, "auto", ""),
        (50, "auto", ""),
        (100, "int16", ""),
        (50, "int32", ""),
        (40, "int32", "read as int32"),
    ],
)
def test_a_cnt_header_that_agrees_with_its_file_passes(tmp_path, n_samples, data_format, told):
    path = tmp_path / "a.cnt"
    path.write_bytes(cnt_bytes(3, n_samples, 600))  # 100 samples of 16 bits or 50 of 32
    assert told in " ".join(check_cnt_header(path, data_format))


@pytest.mark.parametrize(("n_samples", "data_format"), [(90, "auto"), (101, "int16"), (100, "int32")])
def test_a_cnt_header_that_does_not_is_refused(tmp_path, n_samples, data_format):
    path = tmp_path / "a.cnt"
    path.write_bytes(cnt_bytes(3, n_samples, 600))
    with pytest.raises(CorpusError, match="1125 to 1725 of 1725 hold 100 of 16 bits or 50 of 32"):
        check_cnt_header(path, data_format)


@pytest.mark.parametrize("content", [b"", b"RIFF" + bytes(2000), bytes(2000), cnt_bytes(0, 10, 40)])
def test_what_is_no_cnt_is_refused(tmp_path, content):
    path = tmp_path / "a.cnt"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"a\.cnt"):
        read_eeg_file(path)


def damaged(content, rng):
    """The bytes cut off, or some of the header changed, or digits put in."""
    kind, changed = rng.integers(3), bytearray(content)
    if kind == 0:
        return bytes(changed[: rng.integers(len(changed))])
    for place in rng.integers(min(len(changed), 4000), size=rng.integers(1, 12)):
        changed[place] = rng.integers(256) if kind == 1 else ord("0") + rng.integers(10)
    return bytes(changed)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [row[0] for row in SAMPLES if "eeglab_data" not in row[0]])
def test_damaged_files_raise_nothing_but_our_error(shared_data, tmp_path, name):
    source, rng = shared_data / "reader_samples" / name, np.random.default_rng(len(name))
    for companion in source.parent.glob("test.[ev]*"):
        shutil.copy(companion, tmp_path)
    path, outcomes = tmp_path / source.name, Counter()
    for _ in range(15):
        path.unlink(missing_ok=True)
        path.write_bytes(damaged(source.read_bytes(), rng))
        try:
            outcomes[read_eeg_file(path).values.dtype.name] += 1
        except CorpusError as error:
            outcomes[str(path) in str(error)] += 1
    assert set(outcomes) <= {"float32", True}


@pytest.mark.parametrize("name", [row[0] for row in SAMPLES])
def test_a_file_cut_off_in_its_header_is_refused(shared_data, tmp_path, name):
    path = tmp_path / name.rpartition("/")[2]
    path.write_bytes((shared_data / "reader_samples" / name).read_bytes()[:100])
    with pytest.raises(CorpusError, match=re.escape(str(path))):
        read_eeg_file(path)


def test_nothing_is_printed_or_warned_of(edf, capfd):
    edf.write_bytes(edf.read_bytes()[:-1000])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_eeg_file(edf)
    assert capfd.readouterr() == ("", "")
