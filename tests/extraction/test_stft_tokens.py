"""Spectra as tokens: names, places of a sine, masks, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import ConfigError
from emo_ray.extraction.stft_tokens import StftTokens
from emo_ray.features.stft import clean_stft, published_stft
from emo_ray.signals.eeg_cleaning import EegCleaning

TIMES_S = np.arange(0, 63, 1 / 128)
NOISE = np.random.default_rng(0).normal(size=(2, TIMES_S.size))


def trial(values=NOISE, channels=("Fp1", "T4"), seconds=63.0, name="eeg"):
    eeg = Signal(values[:, : round(seconds * 128)].astype(np.float32), 128.0, "uV", channels)
    return Recording("x/1", "1", "t", "t", "x/1", {name: eeg}, {"valence": 7.0}, baseline_s=3.0)


@pytest.mark.parametrize("settings", [{}, {"mode": "published"}, {"electrodes": "EMO14"}])
def test_shapes_are_those_that_are_declared(settings):
    extraction = StftTokens(**settings)
    (modality,) = extraction.modalities(trial())
    rows = extraction.segments(trial())
    assert rows.values["eeg"].shape == (6, modality.n_tokens, modality.n_features)
    assert len(set(modality.features)) == modality.n_features
    assert rows.masks["eeg"].all()


@pytest.mark.parametrize("mode", ["clean", "published"])
def test_a_sine_of_10_hz_stands_out_at_its_name(mode):
    sine = NOISE + 30 * np.sin(2 * np.pi * 10 * TIMES_S) * np.array([[1], [0]])
    extraction = StftTokens(mode=mode)
    names = extraction.modalities(trial())[0].features
    first = [name for name in names if name.startswith("Fp1/")]
    hz = np.array([float(name.removeprefix("Fp1/").removesuffix("Hz")) for name in first])
    spectra = extraction.segments(trial(sine)).values["eeg"][:, :, : len(first)]
    assert np.all(np.abs(hz[np.argmax(spectra, axis=2)] - 10) < 0.5)


def test_segments_hold_the_spectra_of_their_own_seconds():
    clean, published = (StftTokens(mode=mode).segments(trial()) for mode in ("clean", "published"))
    clip = NOISE[:, 13 * 128 : 23 * 128].astype(np.float32).astype(np.float64)
    picture = clean_stft(clip, 128.0)  # channels bins frames
    assert_array_equal(clean.values["eeg"][1], picture.reshape(90, 19).T.astype(np.float32))
    picture = published_stft(clip, 128.0, 256).reshape(258, 126).T
    assert_array_equal(published.values["eeg"][1], picture.astype(np.float32))


def test_a_silent_channel_is_undefined_and_does_not_touch_the_other():
    silent = NOISE * np.array([[1], [0]])
    values = StftTokens().segments(trial(silent)).values["eeg"]
    assert np.isnan(values[:, :, 45:]).all()
    assert np.isfinite(values[:, :, :45]).all()


def test_what_cleaning_did_is_told():
    channels = ("Fp1", "T4", "Cz", "Oz", "VEO")
    five = np.random.default_rng(1).normal(size=(5, TIMES_S.size))
    rows = StftTokens(cleaning=EegCleaning(reference="average")).segments(trial(five, channels))
    assert rows.notes == ("no electrodes, so filtered and resampled only: VEO",)


@pytest.mark.parametrize("mode", ["clean", "published"])
def test_absent_electrodes_are_undefined_and_do_not_mask(mode):
    rows = StftTokens(mode=mode, electrodes=("F7", "T8")).segments(trial())
    half = rows.values["eeg"].shape[2] // 2
    assert np.isnan(rows.values["eeg"][:, :, :half]).all()
    assert np.isfinite(rows.values["eeg"][:, :, half:]).all()
    assert rows.masks["eeg"].all()


def test_a_short_trial_is_rejected_and_a_corpus_without_eeg_refused():
    assert "9.0 s of stimulus" in StftTokens().segments(trial(seconds=12.0)).rejected[0].reason
    with pytest.raises(ConfigError, match="needs EEG, and this corpus records ecg"):
        StftTokens().segments(trial(name="ecg"))


def test_a_whole_clip_is_its_middle_or_filled_up_with_zeros():
    whole = StftTokens(mode="published", whole=True, segment_s=20.0, baseline="include")
    long, short = whole.segments(trial()), whole.segments(trial(seconds=9.0))
    assert long.start_s.tolist() == [21.5]  # (63 - 20) / 2
    middle = NOISE[:, 2752 : 2752 + 2560].astype(np.float32).astype(np.float64)
    picture = published_stft(middle, 128.0, 256).reshape(258, 126).T
    assert_array_equal(long.values["eeg"][0], picture.astype(np.float32))
    shown = short.values["eeg"][0]
    assert short.masks["eeg"].all()
    assert shown[:50].any(axis=1).all()
    assert not shown[70:].any()  # 9 s of 20 are 57 of 126 times


def test_zeros_behind_a_clip_are_refused_of_clean_spectra():
    with pytest.raises(ValidationError, match="whole"):
        StftTokens(whole=True)
