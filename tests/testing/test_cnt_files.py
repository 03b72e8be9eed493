from datetime import datetime

import mne
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.errors import ConfigError
from emo_ray.testing.cnt_files import CntLayout, Mark, write_cnt

NAMES = ("FP1", "CB2", "HEO", "ECG")


def ramp(n_times=2000):
    """Row c runs from c * 100 uV up, 0.5 uV a sample: no two values of the file are equal."""
    return np.arange(n_times) * 0.5 + 5000.0 * np.arange(len(NAMES))[:, None]


def read(tmp_path, blocks, marks=(), **options):
    layout = CntLayout(NAMES, **options)
    file = write_cnt(tmp_path / "a.cnt", layout, blocks, marks)
    return mne.io.read_raw_cnt(file, data_format="auto", preload=False, verbose="error")


def test_mne_reads_the_values_back_within_half_a_bit(tmp_path):
    raw = read(tmp_path, [ramp()], resolution_uv=0.25)
    assert_allclose(raw.get_data() * 1e6, ramp(), atol=0.126)


def test_blocks_follow_one_another(tmp_path):
    raw = read(tmp_path, [ramp()[:, :1], ramp()[:, 1:777], ramp()[:, 777:]], resolution_uv=0.25)
    assert raw.n_times == 2000
    assert_allclose(raw.get_data(start=776, stop=778)[0] * 1e6, [388.0, 388.5], atol=0.126)


def test_names_rate_and_time_are_in_the_header(tmp_path):
    raw = read(tmp_path, [ramp()], sfreq=250, start=datetime(2022, 10, 15, 14, 25, 34))
    assert (tuple(raw.ch_names), raw.info["sfreq"]) == (NAMES, 250.0)
    # MNE takes the clock in the file as that of this machine
    assert raw.info["meas_date"].astimezone().replace(tzinfo=None) == datetime(2022, 10, 15, 14, 25, 34)


def test_marks_come_back_as_annotations_at_their_samples(tmp_path):
    raw = read(tmp_path, [ramp()], [Mark(0, 1), Mark(500, 2), Mark(1999, 65535)], sfreq=250)
    assert_allclose(raw.annotations.onset, [0.0, 2.0, 7.996])
    assert list(raw.annotations.description) == ["1", "2", "65535"]


def test_a_file_without_marks_has_no_annotations(tmp_path):
    assert len(read(tmp_path, [ramp()]).annotations) == 0


def test_nothing_but_header_channels_samples_and_table_is_in_the_file(tmp_path):
    layout = CntLayout(NAMES)
    file = write_cnt(tmp_path / "a.cnt", layout, [ramp(10)], [Mark(3, 7)])
    assert file.stat().st_size == 900 + 75 * 4 + 4 * 4 * 10 + 9 + 19


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    files = [write_cnt(tmp_path / name, CntLayout(NAMES), [ramp(10)]) for name in ("a.cnt", "b.cnt")]
    assert_array_equal(*(np.frombuffer(file.read_bytes(), np.uint8) for file in files))


def test_a_recording_beyond_two_gigabytes_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("emo_ray.testing.cnt_files.LARGEST", 900 + 75 * 4 + 4 * 4 * 10 - 1)
    with pytest.raises(ConfigError, match="fewer than 10 samples of 4 channels"):
        write_cnt(tmp_path / "a.cnt", CntLayout(NAMES), [ramp(9), ramp(1)])
    assert not list(tmp_path.iterdir())


def test_a_name_of_eleven_letters_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="shorten ELEVENLETTR"):
        write_cnt(tmp_path / "a.cnt", CntLayout(("ELEVENLETTR",)), [np.zeros((1, 1))])
