import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import loadmat
from scipy.signal import find_peaks

from emo_ray.corpora.amigos import COLUMN_NAMES, VIDEOS, Amigos
from emo_ray.errors import ConfigError
from emo_ray.signals.segments import external_segments
from emo_ray.testing.amigos_files import AmigosFiles, Flaw, subject_cells, write_subject
from emo_ray.testing.amigos_latents import courses, external_annotation, n_times

SMALL = AmigosFiles(n_subjects=2, videos=("13", "58"))
KEYS = ("VideoIDs", "joined_data", "labels_selfassessment", "labels_ext_annotation")


def small(**changes):
    return AmigosFiles(**{"n_subjects": 2, "videos": ("13", "58")} | changes)


def assert_same_cells(left, right, keys=KEYS):
    for key in keys:
        for one, other in zip(left[key][0], right[key][0], strict=True):
            assert_array_equal(one, other)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return loadmat(write_subject(SMALL, 0, tmp_path_factory.mktemp("amigos")))


def test_a_file_has_the_layout_of_a_genuine_one(content):
    assert [name for name in content if not name.startswith("__")] == list(KEYS)
    assert {content[key].shape for key in KEYS} == {(1, 20)}
    assert {content[key].dtype for key in KEYS} == {np.dtype(object)}
    assert [cell.item() for cell in content["VideoIDs"][0]] == list(VIDEOS)
    cell = content["joined_data"][0, 4]
    assert (cell.dtype, cell.shape[1]) == (np.float64, 17)
    assert content["labels_selfassessment"][0, 4].shape == (1, 12)
    assert content["labels_ext_annotation"][0, 4].shape == (4, 3)


def test_videos_that_were_not_written_are_empty_cells(content):
    assert content["joined_data"][0, 0].shape == (0, 0)
    assert content["labels_selfassessment"][0, 0].shape == (1, 0)
    assert content["labels_ext_annotation"][0, 19].shape == (0, 0)


def test_all_subjects_have_340_segments_of_signal_and_of_labels():
    for subject in ("P01", "P02"):
        for video, n_segments in VIDEOS.items():
            n_samples = n_times(3, f"amigos/{subject}", video)
            assert len(external_segments(n_samples, 128.0)) == n_segments
            felt = courses(3, f"amigos/{subject}", video, n_samples)
            assert external_annotation(np.random.default_rng(0), felt, n_samples).shape == (n_segments, 3)


def test_the_reader_takes_every_trial_that_was_written(tmp_path):
    small(packaging="folders").write(tmp_path)
    corpus = Amigos(path=tmp_path, videos="short")
    assert list(corpus.find_subjects()) == ["amigos/P01", "amigos/P02"]
    result = corpus.read_subject("amigos/P02")
    assert [recording.trial for recording in result.recordings] == ["13", "58"]
    assert all("empty" in rejected.reason for rejected in result.rejected)
    assert result.notes == ()


def test_the_same_seed_gives_the_same_content_and_another_seed_another():
    first = subject_cells(SMALL, "P01")
    assert_same_cells(first, subject_cells(SMALL, "P01"))
    other = subject_cells(small(seed=1), "P01")
    assert other["joined_data"][0, 4].shape[1] == 17
    assert not np.array_equal(first["labels_ext_annotation"][0, 4], other["labels_ext_annotation"][0, 4])


def test_the_same_arguments_give_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    files = []
    for moment in ("Mon Jan  1 00:00:00 2001", "Tue Feb  2 00:00:00 2032"):
        monkeypatch.setattr("time.asctime", lambda *_, moment=moment: moment)
        files.append(write_subject(SMALL, 0, tmp_path / moment[:3]).read_bytes())
    assert files[0] == files[1]


def test_a_subject_does_not_depend_on_the_others_nor_on_the_videos_beside():
    alone = subject_cells(AmigosFiles(n_subjects=1, videos=("13",)), "P01")
    together = subject_cells(AmigosFiles(n_subjects=20, videos=("13", "58")), "P01")
    for key in KEYS:
        assert_array_equal(alone[key][0, 4], together[key][0, 4])


def test_strength_changes_signals_only():
    weak, strong = (subject_cells(small(strength=strength), "P01") for strength in (0.0, 1.0))
    assert_same_cells(weak, strong, ("VideoIDs", "labels_selfassessment", "labels_ext_annotation"))
    one, other = weak["joined_data"][0, 4], strong["joined_data"][0, 4]
    assert all(not np.array_equal(one[:, column], other[:, column]) for column in range(17))


def test_at_strength_zero_no_coupling_changes_a_sample():
    bare = subject_cells(small(strength=0.0), "P01")
    coupled = subject_cells(
        small(strength=0.0, coupling={"heart_arousal": 30.0, "gamma_valence": 2.0}), "P01"
    )
    assert_same_cells(bare, coupled)


def test_subjects_like_p08_have_no_long_videos_and_no_annotations():
    config = AmigosFiles(n_subjects=2, videos=("13",), long_videos=("U1",), subjects_without_long=("P01",))
    cells, usual = subject_cells(config, "P01"), subject_cells(config, "P02")
    assert cells["joined_data"][0, 4].size > 0
    assert all(cells[key][0, 19].size == 0 for key in KEYS[1:])
    assert all(cell.size == 0 for cell in cells["labels_ext_annotation"][0])
    assert usual["labels_ext_annotation"][0, 19].shape == (44, 3)


def test_a_subject_like_p32_did_not_rate_the_long_videos():
    config = AmigosFiles(n_subjects=1, videos=("13",), long_videos=("U1",), no_long_ratings=("P01",))
    cells = subject_cells(config, "P01")
    assert cells["labels_selfassessment"][0, 19].shape == (1, 0)
    assert cells["labels_selfassessment"][0, 4].shape == (1, 12)
    assert cells["joined_data"][0, 19].size > 0


def test_failed_sensors_are_where_they_were_asked_for():
    whole = Flaw(subject="P01", video="13", column="GSR")
    single = Flaw(subject="P01", video="58", column="ECG right")
    cells = subject_cells(small(nan_channels=(whole,), single_nans=(single,)), "P01")
    missing = np.isnan(cells["joined_data"][0, 4]).sum(axis=0)
    assert_array_equal(missing, [0] * 16 + [len(cells["joined_data"][0, 4])])
    assert_array_equal(np.isnan(cells["joined_data"][0, 13]).sum(axis=0), [0] * 14 + [1, 0, 0])


def test_the_flaws_of_the_release_are_there_by_default():
    first, second = (subject_cells(AmigosFiles(videos=("5", "9")), name) for name in ("P01", "P02"))
    assert np.isnan(first["joined_data"][0, 1]).sum() == 1
    assert np.isnan(second["joined_data"][0, 2][:, COLUMN_NAMES.index("GSR")]).all()


def test_signals_are_in_the_range_of_genuine_ones(content):
    joined = content["joined_data"][0, 4]
    rms = np.sqrt((joined[:, :14] ** 2).mean(axis=0))
    assert (rms > 3).all()
    assert (rms < 20).all()
    assert abs(joined[:, :14].mean(axis=1)).max() < 0.02  # common average, but for the steps it is written in
    peaks, _ = find_peaks(joined[:, 14], height=250, distance=40)
    beats_a_minute = 60 * 128 / np.diff(peaks)
    assert (beats_a_minute > 40).all()
    assert (beats_a_minute < 140).all()
    assert (joined[:, 16] > SMALL.gsr_offset).all()


def test_eeg_holds_power_between_4_and_45_hz_only(content):
    eeg = content["joined_data"][0, 4][:, :14]
    power = (np.abs(np.fft.rfft(eeg * np.hanning(len(eeg))[:, None], axis=0)) ** 2).sum(axis=1)
    hz = np.fft.rfftfreq(len(eeg), 1 / 128)
    inside = (hz >= 3.5) & (hz <= 45.5)
    assert power[~inside].sum() < 0.01 * power.sum()


def test_labels_have_the_spread_and_limits_of_the_release():
    rows = [
        table
        for number in range(1, 9)
        for table in labels_of(f"amigos/P{number:02d}", [video for video in VIDEOS if is_short(video)])
    ]
    labels = np.concatenate(rows)[:, 1:]
    assert np.abs(labels).max() < 0.43
    assert ((labels.std(axis=0) > 0.06) & (labels.std(axis=0) < 0.12)).all()
    assert (np.abs(labels.mean(axis=0)) < 0.03).all()


def is_short(video):
    return VIDEOS[video] < 10


def labels_of(subject, videos):
    for video in videos:
        n_samples = n_times(0, subject, video)
        yield external_annotation(np.random.default_rng(0), courses(0, subject, video, n_samples), n_samples)


def test_place_in_the_trial_and_its_length_do_not_tell_the_labels():
    videos = [video for video in VIDEOS if is_short(video)]
    tables = [table for number in range(1, 41) for table in labels_of(f"amigos/P{number:02d}", videos)]
    labels = np.concatenate(tables)
    time, length = labels[:, 0], np.concatenate([[len(table)] * len(table) for table in tables])
    for probe in (time, length, length - time):
        for target in (labels[:, 1], labels[:, 2]):
            # 640 trials: under no relation a correlation has a standard error near 0.03
            assert abs(np.corrcoef(probe, target)[0, 1]) < 0.1


def test_no_part_of_a_file_is_left_where_writing_fails(tmp_path, monkeypatch):
    def fail(target, *_, **__):
        target.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("scipy.io.savemat", fail)
    with pytest.raises(OSError, match="disk full"):
        write_subject(SMALL, 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_names_that_the_release_does_not_have_are_refused_all_at_once():
    with pytest.raises(ConfigError, match=r"short video '999', no long video '4', no column 'EMG'"):
        AmigosFiles(
            videos=("999",),
            long_videos=("4",),
            nan_channels=(Flaw(subject="P01", video="4", column="EMG"),),
        )
