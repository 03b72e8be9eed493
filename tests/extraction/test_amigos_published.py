"""AMIGOS as published: equal parts, the wrong filter, z-scores, padding in sight, and the second lead."""

import numpy as np
import pytest
import scipy
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.corpora.amigos import EEG_CHANNELS
from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import ConfigError
from emo_ray.extraction.amigos_published import AmigosPublished, published_clip, published_filter

SFREQ = 128.0
N_TIMES = 9_003  # three parts of 3,001 samples
LEADS = ("ECG right", "ECG left")


def a_trial(n_times=N_TIMES, labels=(0.1, 0.2, 0.3), leads=LEADS, video="5"):
    rng = np.random.default_rng(0)
    values = rng.normal(5, 10, (14 + len(leads), n_times)).astype(np.float32)
    signals = {
        "eeg": Signal(values[:14], SFREQ, "uV", EEG_CHANNELS),
        "ecg": Signal(values[14:], SFREQ, "arbitrary", leads),
    }
    rows = {"external_valence": np.array(labels), "external_arousal": np.array(labels)}
    return Recording("amigos/P01", "short", video, f"amigos/{video}", "amigos/P01", signals, {}, rows, 5.0)


def test_a_trial_is_cut_into_as_many_equal_parts_as_it_has_labels():
    rows = AmigosPublished().segments(a_trial())
    assert {name: part.shape for name, part in rows.values.items()} == {
        "eeg": (3, 2048, 14), "ecg": (3, 2048, 1), "gsr": (3, 2048, 1),
    }  # fmt: skip
    assert_allclose(rows.start_s, np.array([0, 3001, 6002]) / 128)
    assert_allclose(rows.ratings["external_valence"], [0.1, 0.2, 0.3])
    assert_array_equal(rows.ratings["place_in_file"], [1, 1, 1])  # video 5 is the second of the file


def test_what_is_called_gsr_is_the_left_lead_z_scored():
    recording = a_trial()
    part = recording.signals["ecg"].values[1, 3001:6002].astype(np.float64)
    rows = AmigosPublished().segments(recording)
    assert_allclose(rows.values["gsr"][1, :, 0], ((part - part.mean()) / part.std())[:2048], atol=1e-5)
    assert [m.features for m in AmigosPublished().modalities(recording)[1:]] == [(LEADS[0],), (LEADS[1],)]


def test_a_short_part_is_filled_up_with_zeros_that_are_not_masked():
    rows = AmigosPublished().segments(a_trial(n_times=3 * 1000))
    for name, part in rows.values.items():
        assert part[:, :1000].any(axis=1).all()
        assert not part[:, 1000:].any()
        assert rows.masks[name].all()


@pytest.mark.parametrize(("hz", "gain"), [(0.63, 0.5), (56.5, 0.5), (20.0, 1.0), (0.2, 0.0)])
def test_the_band_is_a_quarter_wider_than_was_meant(hz, gain):
    # forward and backward: half of the amplitude is left at an edge; 128 / 102 times 0.5 and 45 Hz
    times = np.arange(60 * 128) / SFREQ
    filtered = published_filter(np.sin(2 * np.pi * hz * times)[None, None])[0, 0, 1920:-1920]
    assert np.abs(filtered).max() == pytest.approx(gain, abs=0.02)


def test_each_part_is_filtered_by_itself():
    recording = a_trial()
    part = recording.signals["eeg"].values[:1, 3001:6002].astype(np.float64)
    filtered = scipy.signal.filtfilt(*scipy.signal.butter(4, [0.5 / 51, 45 / 51], "band"), part)[0]
    rows = AmigosPublished().segments(recording)
    assert_allclose(
        rows.values["eeg"][1, :, 0], ((filtered - filtered.mean()) / filtered.std())[:2048], atol=1e-4
    )


def test_outliers_are_clipped_at_four_sd():
    part = np.zeros((1, 1, 101))
    part[0, 0, 50] = 101.0  # mean 1, variance 101 - 1 = 100
    assert published_clip(part)[0, 0, 50] == pytest.approx(1 + 4 * 10)


def test_a_part_with_a_missing_sample_is_left_out_and_told_of():
    recording = a_trial()
    recording.signals["ecg"].values[1, 4000] = np.nan
    rows = AmigosPublished().segments(recording)
    assert_allclose(rows.ratings["external_valence"], [0.1, 0.3])
    assert rows.values["eeg"].shape[0] == 2
    assert "1 of 3 parts hold missing samples" in rows.rejected[0].reason


def test_a_constant_channel_becomes_zero():
    recording = a_trial()
    recording.signals["ecg"].values[0] = 7.0
    assert not AmigosPublished().segments(recording).values["ecg"].any()


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"labels": (np.nan,) * 3}, "no external annotation"), ({"n_times": 81}, "3 parts of 27 samples")],
)
def test_a_trial_that_can_not_be_cut_is_rejected(changed, told):
    assert told in AmigosPublished().segments(a_trial(**changed)).rejected[0].reason


@pytest.mark.parametrize("changed", [{"leads": ("ECG right",)}, {"video": "trailer"}])
def test_other_recordings_are_refused(changed):
    with pytest.raises(ConfigError, match=r"corpus\.ecg_lead=both"):
        AmigosPublished().modalities(a_trial(**changed))
