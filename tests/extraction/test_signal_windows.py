"""SignalWindows on made-up recordings: geometry, baseline, masks, electrodes, annotations, rejections."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.extraction.signal_windows import SignalWindows
from emo_ray.features.band_features import BandFeatures, token_band_features
from emo_ray.features.smoothing import LdsConfig, lds_smooth
from emo_ray.signals.eeg_cleaning import EegCleaning

CHANNELS = ("Fp1", "Fp2", "T3", "T4")
NOISE = np.random.default_rng(0).normal(size=(4, 130 * 128))


def eeg(seconds=63.0, **changed):
    values = NOISE[:, : round(seconds * 128)].astype(np.float32)
    return replace(Signal(10 * values, 128.0, "uV", CHANNELS), **changed)


def gsr(seconds=63.0, unit="uS"):
    values = 5 + 0.01 * NOISE[:1, : round(seconds * 32)].cumsum(axis=1)
    return Signal(values.astype(np.float32), 32.0, unit, ("gsr",))


def trial(baseline_s=3.0, annotations=None, **signals):
    """A recording of 3 s baseline and 60 s of stimulus."""
    found = signals or {"eda": gsr(), "eeg": eeg()}
    return Recording("x/1", "1", "t", "t", "x/1", found, {"valence": 7.0}, annotations or {}, baseline_s)


def test_segments_start_with_the_stimulus_and_every_modality_has_its_features():
    extraction, recording = SignalWindows(), trial()
    rows = extraction.segments(recording)
    assert_array_equal(rows.start_s, 3 + 10 * np.arange(6))
    assert_array_equal(rows.ratings["valence"], [7] * 6)
    declared = {m.name: (6, m.n_tokens, m.n_features) for m in extraction.modalities(recording)}
    assert declared == {name: values.shape for name, values in rows.values.items()}
    assert declared == {"eeg": (6, 1, 20), "eda": (6, 1, 7)}
    assert all(mask.all() for mask in rows.masks.values())


def test_values_are_those_of_the_features_on_the_whole_trial():
    rows = SignalWindows(token_s=2.0).segments(trial())
    starts = 3 + 2.0 * np.arange(30)
    expected = token_band_features(eeg().values, 128.0, starts, 2.0, BandFeatures())
    assert_allclose(rows.values["eeg"].reshape(30, 20), expected, rtol=1e-6)


@pytest.mark.parametrize(("baseline", "first"), [("include", 0), ("drop", 3), ("subtract", 3)])
def test_the_baseline_is_included_or_left_out(baseline, first):
    rows = SignalWindows(segment_s=3.0, hop_s=3.0, baseline=baseline).segments(trial())
    assert_array_equal(rows.start_s, np.arange(first, 61, 3))


def test_subtracting_takes_off_the_mean_of_the_baseline_tokens():
    config = {"segment_s": 4.0, "hop_s": 4.0, "token_s": 1.0}
    whole = SignalWindows(segment_s=3.0, hop_s=3.0, token_s=1.0, baseline="include").segments(trial())
    dropped, subtracted = (
        SignalWindows(**config, baseline=how).segments(trial()) for how in ("drop", "subtract")
    )
    before = whole.values["eeg"][0].mean(axis=0)
    assert_allclose(subtracted.values["eeg"], dropped.values["eeg"] - before, atol=1e-4)


def test_loud_noise_in_the_baseline_does_not_reach_the_segments():
    loud = eeg()
    loud.values[:, : 3 * 128] *= 1000
    quiet, other = (SignalWindows().segments(trial(eeg=signal)) for signal in (eeg(), loud))
    assert_array_equal(quiet.values["eeg"], other.values["eeg"])


def test_a_whole_trial_is_one_segment_with_its_length_as_a_mask():
    extraction = SignalWindows(segment_s=None, token_s=4.0, max_tokens=20)
    rows = extraction.segments(trial())
    assert rows.values["eeg"].shape == (1, 20, 20)
    assert_array_equal(rows.masks["eeg"][0], np.arange(20) < 15)  # 60 s
    assert np.isnan(rows.values["eeg"][0, 15:]).all()
    cut = extraction.model_copy(update={"max_tokens": 6, "longer": "cut"}).segments(trial())
    assert_array_equal(cut.masks["eeg"].sum(axis=1), [6, 6, 3])


def test_a_sensor_that_ends_early_or_falls_silent_is_masked_from_there():
    silent = eeg()
    silent.values[:, 43 * 128 :] = 0
    rows = SignalWindows().segments(trial(eeg=silent, eda=gsr(36.0)))
    assert_array_equal(rows.masks["eeg"][:, 0], [True] * 4 + [False] * 2)
    assert_array_equal(rows.masks["eda"][:, 0], [True] * 3 + [False] * 3)


@pytest.mark.parametrize("cleaning", [EegCleaning(), EegCleaning(low_hz=1, high_hz=40, reference="average")])
def test_a_silent_channel_stays_undefined_whatever_is_cleaned(cleaning):
    silent = eeg()
    silent.values[2, 13 * 128 : 33 * 128] = 0
    values = SignalWindows(cleaning=cleaning).segments(trial(eeg=silent)).values["eeg"][:, 0]
    expected = np.zeros((6, 4, 5), dtype=bool)
    expected[1:3, 2] = True
    assert_array_equal(np.isnan(values), expected.reshape(6, 20))


def test_cleaning_takes_the_hum_out_of_the_features():
    hum = eeg()
    hum.values[:] += 200 * np.sin(2 * np.pi * 48 * np.arange(hum.values.shape[1]) / 128).astype(np.float32)
    cleaning = EegCleaning(high_hz=35.0)
    plain, cleaned = (
        SignalWindows(cleaning=how).segments(trial(eeg=hum)) for how in (EegCleaning(), cleaning)
    )
    gamma = SignalWindows().modalities(trial())[0].features.index("Fp1/gamma")
    assert cleaned.values["eeg"][0, 0, gamma] < plain.values["eeg"][0, 0, gamma] - 3


def test_what_cleaning_did_is_told_with_the_name_of_the_signal():
    five = np.vstack([NOISE, NOISE[:1]])[:, : 63 * 128].astype(np.float32)
    signal = Signal(five, 128.0, "uV", (*CHANNELS, "VEO"))
    rows = SignalWindows(cleaning=EegCleaning(reference="average")).segments(
        trial(eda=gsr(), chest_eeg=signal)
    )
    assert rows.notes == ("chest_eeg no electrodes, so filtered and resampled only: VEO",)
    assert SignalWindows(cleaning=EegCleaning(low_hz=1.0)).segments(trial()).notes == ()


def test_electrodes_are_found_by_name_and_absent_ones_do_not_mask_a_token():
    extraction = SignalWindows(electrodes="EMO14")
    plain, mapped = SignalWindows().segments(trial()), extraction.segments(trial())
    names = extraction.modalities(trial())[0].features
    assert len(names) == 14 * 5
    there = np.flatnonzero(np.isfinite(mapped.values["eeg"][0, 0]))
    assert [names[column] for column in there[::5]] == ["T7/delta", "T8/delta"]
    assert_array_equal(mapped.values["eeg"][:, :, there], plain.values["eeg"][:, :, 10:])
    assert mapped.masks["eeg"].all()


def test_a_montage_without_any_of_the_electrodes_is_a_rejected_trial():
    rows = SignalWindows(electrodes=("Oz", "Pz")).segments(trial())
    assert "none of the 2 electrodes" in rows.rejected[0].reason


def test_smoothing_runs_over_the_tokens_of_the_trial_and_not_over_other_sensors():
    config = LdsConfig(kind="causal")
    plain, smooth = (
        SignalWindows(token_s=2.0, smoothing=how).segments(trial()) for how in (LdsConfig(), config)
    )
    series = plain.values["eeg"].reshape(30, 20)
    assert_allclose(smooth.values["eeg"].reshape(30, 20), lds_smooth(series, config), rtol=1e-5)
    assert_array_equal(smooth.values["eda"], plain.values["eda"])


def test_extras_of_eeg_join_behind_the_bands():
    extraction = SignalWindows(eeg_extras=("hjorth", "difference"))
    names = extraction.modalities(trial())[0].features
    assert len(names) == 4 * 5 + 4 * 3 + 2 * 5
    values = extraction.segments(trial()).values["eeg"][0, 0]
    column = dict(zip(names, values, strict=True))
    assert column["Fp1-Fp2/alpha"] == pytest.approx(column["Fp1/alpha"] - column["Fp2/alpha"], abs=1e-5)


def test_annotations_become_ratings_of_the_segments_whose_centre_they_hold():
    rows = {"start_s": [3.0, 13.0, 33.0], "stop_s": [13.0, 23.0, 43.0], "load": [1.0, 2.0, 4.0]}
    annotations = {name: np.array(values) for name, values in rows.items()}
    found = SignalWindows().segments(trial(annotations=annotations)).ratings["load"]
    assert_array_equal(found, [1, 2, np.nan, 4, np.nan, np.nan])


def test_a_resistance_has_the_responses_of_its_conductance():
    upside_down = replace(gsr(unit="ohm"), values=-gsr().values)
    plain, turned = (SignalWindows().segments(trial(eda=s)) for s in (gsr(unit="arbitrary"), upside_down))
    assert_array_equal(plain.values["eda"], turned.values["eda"])


def test_two_sensors_of_a_kind_are_two_modalities_and_can_be_asked_for_together_or_alone():
    both = trial(chest_eda=gsr(), wrist_eda=gsr(), chest_temp=gsr(unit="degC"))
    assert [m.name for m in SignalWindows().modalities(both)] == ["chest_eda", "wrist_eda", "chest_temp"]
    assert set(SignalWindows(signals=("eda",)).segments(both).values) == {"chest_eda", "wrist_eda"}
    assert set(SignalWindows(signals=("wrist_eda",)).segments(both).values) == {"wrist_eda"}


def test_a_signal_that_starts_late_keeps_its_place_in_time():
    late = replace(eeg(), values=eeg().values[:, 3 * 128 :], start_s=3.0)
    plain, moved = (SignalWindows().segments(trial(eeg=signal)) for signal in (eeg(), late))
    assert_array_equal(plain.values["eeg"], moved.values["eeg"])


@pytest.mark.parametrize(
    ("extraction", "recording", "reason"),
    [
        (
            SignalWindows(segment_s=61.0),
            trial(),
            r"63.0 s long, 3 s of them baseline: shorter than one segment",
        ),
        (SignalWindows(segment_s=None, token_s=70.0), trial(), "shorter than one token of 70 s"),
        (SignalWindows(baseline="subtract"), trial(), "its baseline of 3 s is shorter than a token"),
        (SignalWindows(signals=("ecg",)), trial(), "it records eda, eeg, and features are known for ecg"),
        (SignalWindows(), trial(de=eeg()), "it records de"),
        (SignalWindows(cleaning=EegCleaning(high_hz=80)), trial(), "64 Hz"),
    ],
)
def test_a_trial_that_can_not_be_used_is_rejected_with_the_numbers(extraction, recording, reason):
    rows = extraction.segments(recording)
    assert rows.start_s.size == 0
    assert reason in rows.rejected[0].reason


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"segment_s": None}, "give token_s"),
        ({"token_s": 3.0}, "no whole number of tokens"),
        ({"signals": ("ekg",)}, "nothing is known of ekg"),
        ({"electrodes": ("Fp1", "FP1")}, "named twice"),
        ({"electrodes": ("Nose",)}, "'Nose' is no electrode"),
        ({"hop_s": 3.0, "token_s": 2.0, "smoothing": {"kind": "causal"}}, "tokens at one distance"),
    ],
)
def test_settings_that_can_not_work_are_refused(settings, problem):
    with pytest.raises(ValidationError, match=problem):
        SignalWindows(**settings)


def test_settings_survive_a_file():
    extraction = SignalWindows(electrodes="DEAP32", cleaning=EegCleaning(low_hz=1.0), eeg_extras=("ratio",))
    assert SignalWindows.model_validate(extraction.model_dump(mode="json")) == extraction
