"""SampleWindows: one rate for all sensors, where segments lie, what is masked, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.extraction.sample_windows import SampleWindows, cut_samples
from emo_ray.signals.eeg_cleaning import EegCleaning

CHANNELS = ("AF3", "F7", "F3")
NOISE = np.random.default_rng(0).normal(size=(3, 130 * 128)).astype(np.float32)


def signal(values, sfreq=128.0, channels=CHANNELS, unit="uV", start_s=0.0):
    return Signal(np.asarray(values, np.float32), sfreq, unit, channels, start_s)


def eeg(seconds=63.0):
    return signal(NOISE[:, : round(seconds * 128)].copy())


def trial(baseline_s=3.0, annotations=None, **signals):
    """3 s of baseline and 60 s of stimulus, unless other signals are given."""
    found = signals or {"eeg": eeg(), "eda": signal(NOISE[:1, : 63 * 4], 4.0, ("wrist",), "uS")}
    return Recording("x/1", "1", "t", "t", "x/1", found, {"valence": 7.0}, annotations or {}, baseline_s)


def annotated(n=4, **signals):
    """65 s, of them 5 s baseline: 4 segments, at 0, 5, 25 and 45 s."""
    rows = {"external_valence": np.arange(n) / 10, "external_arousal": np.zeros(n)}
    return trial(5.0, rows, **(signals or {"eeg": eeg(65.0)}))


def of_20_s(**settings):
    return SampleWindows(geometry="annotated", segment_s=20.0, **settings)


def test_every_sensor_has_a_token_a_sample_and_a_feature_a_channel():
    extraction, recording = SampleWindows(), trial()
    rows = extraction.segments(recording)
    assert {name: part.shape for name, part in rows.values.items()} == {
        "eeg": (6, 640, 3),
        "eda": (6, 640, 1),
    }
    modalities = extraction.modalities(recording)
    assert [(m.name, m.n_tokens, m.features) for m in modalities] == [
        ("eeg", 640, CHANNELS),
        ("eda", 640, ("wrist",)),
    ]
    assert_array_equal(rows.start_s, 3 + 10 * np.arange(6))
    assert_array_equal(rows.ratings["valence"], [7] * 6)


def test_at_its_own_rate_a_signal_is_cut_and_nothing_else():
    rows = SampleWindows(sfreq=128.0, hop_s=5.0).segments(trial(eeg=eeg()))
    for k in range(11):
        first = (3 + 5 * k) * 128
        assert_array_equal(rows.values["eeg"][k], NOISE[:, first : first + 1280].T)


def test_a_wave_keeps_its_course_and_its_unit_at_another_rate():
    times, new = np.arange(63 * 128) / 128, 3 + np.arange(10 * 64) / 64
    wave = signal([5 + 20 * np.sin(2 * np.pi * 6 * times)], channels=("AF3",))
    values = SampleWindows().segments(trial(eeg=wave)).values["eeg"]
    assert_allclose(values[0, :, 0], 5 + 20 * np.sin(2 * np.pi * 6 * new), atol=0.1)


def test_what_lies_above_the_new_nyquist_frequency_is_not_folded_back():
    times = np.arange(63 * 128) / 128
    wave = signal([20 * np.sin(2 * np.pi * 50 * times)], channels=("AF3",))  # would come back at 14 Hz
    values = SampleWindows().segments(trial(eeg=wave)).values["eeg"]
    assert np.abs(values[:5]).max() < 0.01  # the last segment holds the end, where a wave breaks off


def test_the_baseline_is_left_out_or_included():
    starts = [SampleWindows(segment_s=3.0, hop_s=3.0, baseline=b).segments(trial()).start_s[0] for b in
              ("include", "drop")]  # fmt: skip
    assert starts == [0.0, 3.0]


def test_annotated_segments_have_the_labels_of_their_twenty_seconds():
    rows = of_20_s(sfreq=128.0, baseline="include").segments(annotated())
    assert_array_equal(rows.start_s, [0, 5, 25, 45])
    assert_allclose(rows.ratings["external_valence"], [0, 0.1, 0.2, 0.3])
    assert rows.values["eeg"].shape == (4, 2560, 3)
    assert_array_equal(rows.values["eeg"][3], NOISE[:, 45 * 128 : 65 * 128].T)
    assert rows.masks["eeg"].all()


def test_dropping_the_baseline_of_annotated_segments_masks_its_samples_alone():
    rows = of_20_s().segments(annotated())
    assert rows.values["eeg"].shape == (4, 1280, 3)
    assert_array_equal(rows.masks["eeg"][0], np.arange(1280) >= 5 * 64)
    assert rows.masks["eeg"][1:].all()


def test_a_trial_of_another_number_of_annotations_is_rejected_with_the_numbers():
    (rejected,) = of_20_s().segments(annotated(n=3)).rejected
    assert "3 annotations of external_valence, but its length gives 4 segments of 20 s" in rejected.reason


def test_sensors_of_two_clocks_are_not_cut_by_annotations():
    two = annotated(eeg=eeg(65.0), gsr=signal(NOISE[:1, : 65 * 32], 32.0, ("GSR",)))
    assert "not on one clock" in of_20_s().segments(two).rejected[0].reason


def test_a_gap_is_missing_and_so_are_its_neighbours_at_the_new_rate():
    gap = eeg()
    # a new sample k stands for the old ones 2k-1 to 2k+1: 500 to 505 feel the gap; the segment starts at 192
    gap.values[:, 1000:1010] = np.nan
    rows = SampleWindows().segments(trial(eeg=gap))
    assert_array_equal(np.flatnonzero(~rows.masks["eeg"][0]), np.arange(308, 314))
    assert np.isnan(rows.values["eeg"][0, 308:314]).all()
    assert rows.masks["eeg"][1:].all()


def test_one_channel_of_three_may_lack_but_not_two():
    lacking = eeg()
    lacking.values[0, : 13 * 128] = np.nan
    lacking.values[:2, 13 * 128 : 23 * 128] = np.nan
    masks = SampleWindows(sfreq=128.0).segments(trial(eeg=lacking)).masks["eeg"]
    assert_array_equal(masks.all(axis=1), [True, False, True, True, True, True])


def test_a_sensor_that_ends_early_or_is_silent_is_masked_from_there():
    silent = eeg()
    silent.values[:, 43 * 128 :] = 4.0
    early = signal(NOISE[:1, : 36 * 4], 4.0, ("wrist",), "uS")
    masks = SampleWindows().segments(trial(eeg=silent, eda=early)).masks
    assert_array_equal(masks["eeg"].any(axis=1), [True] * 4 + [False] * 2)
    assert_array_equal(masks["eda"][3], np.arange(640) < 3 * 64)
    assert not masks["eda"][4:].any()


def test_a_temperature_that_stays_is_a_fact():
    steady = signal(np.full((1, 63 * 4), 33.5), 4.0, ("wrist",), "degC")
    rows = SampleWindows().segments(trial(eeg=eeg(), temp=steady))
    assert rows.masks["temp"].all()
    assert_allclose(rows.values["temp"], 33.5, rtol=1e-5)


def test_a_sensor_that_starts_late_is_read_on_its_own_clock():
    late = signal(NOISE[:1, : 60 * 64], 64.0, ("wrist",), "uS", start_s=5.0)
    rows = SampleWindows().segments(trial(eeg=eeg(), eda=late))
    assert_array_equal(rows.masks["eda"][0], np.arange(640) >= 2 * 64)
    assert_array_equal(rows.values["eda"][0, 128:, 0], NOISE[0, : 8 * 64])


def test_electrodes_come_in_the_order_asked_for_and_absent_ones_do_not_count():
    extraction = SampleWindows(sfreq=128.0, electrodes=("F3", "AF3", "Cz", "Pz", "Oz"))
    rows = extraction.segments(trial(eeg=eeg()))
    assert_array_equal(rows.values["eeg"][0, :, :2], NOISE[[2, 0], 384:1664].T)
    assert np.isnan(rows.values["eeg"][..., 2:]).all()
    assert rows.masks["eeg"].all()
    assert extraction.modalities(trial(eeg=eeg()))[0].features == extraction.electrodes


def test_cleaning_is_done_before_and_told_of():
    hum = eeg()
    hum.values[:] += 50 * np.sin(2 * np.pi * 25 * np.arange(63 * 128) / 128).astype(np.float32)
    five = replace(hum, values=np.vstack([hum.values, hum.values[:2]]), channels=(*CHANNELS, "T7", "VEO"))
    rows = SampleWindows(cleaning=EegCleaning(high_hz=15.0, reference="average")).segments(trial(eeg=five))
    assert np.abs(rows.values["eeg"][:5]).max() < 6  # 25 Hz: (15/25)^8 of 50 is 0.8, noise below 5
    assert rows.notes == ("eeg no electrodes, so filtered and resampled only: VEO",)


def test_a_trial_shorter_than_a_segment_is_rejected_with_its_length():
    (rejected,) = SampleWindows().segments(trial(eeg=eeg(12.0))).rejected
    assert rejected.reason == "12.0 s long, 3 s of them baseline: shorter than one segment of 10 s"


def test_a_recording_without_the_sensors_asked_for_is_rejected_by_name():
    (rejected,) = SampleWindows(signals=("ecg",)).segments(trial()).rejected
    assert rejected.reason == "it records eda, eeg, and ecg are asked for"


def test_a_rate_without_a_ratio_rejects_the_trial():
    (rejected,) = SampleWindows(sfreq=50.0).segments(trial(eeg=replace(eeg(), sfreq=128.00013))).rejected
    assert "no ratio of whole numbers" in rejected.reason


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"segment_s": 1.01}, "1.01 s has 64.64 samples at 64 Hz"),
        ({"segment_s": 0.015625}, "at least 2"),
        ({"cleaning": EegCleaning(sfreq=100.0)}, "cleaning.sfreq is 100: leave it out"),
        ({"signals": ("ekg",)}, "nothing is known of ekg"),
    ],
)
def test_settings_that_can_not_work_are_refused(settings, told):
    with pytest.raises(ValidationError, match=told):
        SampleWindows(**settings)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (-2, [np.nan, np.nan, 0]),
        (1, [1, 2, 3]),
        (3, [3, np.nan, np.nan]),
        (-9, [np.nan] * 3),
        (9, [np.nan] * 3),
    ],
)
def test_a_stretch_that_reaches_out_is_filled_with_nan(first, expected):
    cut = cut_samples(np.arange(4, dtype=np.float32)[None], np.array([float(first)]), 3)
    assert_array_equal(cut[0, :, 0], np.float32(expected))
