"""AMIGOS tokens: geometry, what each baseline mode does, what is masked and what is rejected."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from emo_ray.corpora.amigos import EEG_CHANNELS
from emo_ray.corpora.recording import Recording, Signal
from emo_ray.extraction.amigos_tokens import AmigosTokens
from emo_ray.signals.filters import Band

SFREQ = 128.0
N_SEGMENTS = 5  # ceil((78.5 - 5) / 20) + 1, and the last starts at 58.5 s


def a_recording(duration_s: float = 78.5, n_annotations: int = N_SEGMENTS) -> Recording:
    """Noise of 10 uV, a heart at 75 beats a minute, skin conductance that drifts."""
    rng = np.random.default_rng(0)
    n_times = int(duration_s * SFREQ)
    times = np.arange(n_times) / SFREQ
    ecg = 1000 * np.exp(-(((times[:, None] - np.arange(0.5, duration_s, 0.8)) / 0.012) ** 2) / 2).sum(axis=1)
    gsr = 5 + np.cumsum(rng.normal(0, 0.001, n_times))
    signals = {
        "eeg": Signal(rng.normal(0, 10, (14, n_times)).astype(np.float32), SFREQ, "uV", EEG_CHANNELS),
        "ecg": Signal(ecg[None].astype(np.float32), SFREQ, "arbitrary", ("ECG right",)),
        "gsr": Signal(gsr[None].astype(np.float32), SFREQ, "arbitrary", ("GSR",)),
    }
    rows = {"external_valence": np.arange(n_annotations) / 10.0, "external_arousal": np.zeros(n_annotations)}
    person = {
        "subject": "amigos/P01",
        "session": "short",
        "trial": "4",
        "clip": "amigos/4",
        "group": "amigos/P01",
    }
    return Recording(
        **person, signals=signals, ratings={"self_valence": 6.5}, annotations=rows, baseline_s=5.0
    )


def with_signal(recording: Recording, name: str, values: np.ndarray) -> Recording:
    signal = replace(recording.signals[name], values=values.astype(np.float32))
    return replace(recording, signals={**recording.signals, name: signal})


def test_shapes_starts_and_ratings_of_a_trial():
    rows = AmigosTokens().segments(a_recording())
    assert {name: part.shape for name, part in rows.values.items()} == {
        "eeg": (5, 20, 70), "ecg": (5, 20, 12), "gsr": (5, 20, 10),
    }  # fmt: skip
    assert_array_equal(rows.start_s, np.float32([0, 5, 25, 45, 58.5]))
    assert_allclose(rows.ratings["external_valence"], [0, 0.1, 0.2, 0.3, 0.4])
    assert_array_equal(rows.ratings["self_valence"], np.full(5, 6.5))
    assert all(mask.all() for mask in rows.masks.values())
    assert rows.rejected == ()


def test_declared_modalities_are_those_that_come_out():
    recording = a_recording()
    rows = AmigosTokens().segments(recording)
    modalities = AmigosTokens().modalities(recording)
    assert [(m.name, (N_SEGMENTS, m.n_tokens, m.n_features)) for m in modalities] == [
        (name, part.shape) for name, part in rows.values.items()
    ]
    assert modalities[0].features[:2] == ("AF3/theta", "AF3/alpha")


def test_segments_1_and_2_hold_the_same_15_seconds_and_the_last_is_cut_between_them():
    values = AmigosTokens().segments(a_recording()).values
    for part in values.values():
        assert_allclose(part[0, 5:], part[1, :15], equal_nan=True)  # 5 to 20 s of the recording
    assert not np.isclose(values["eeg"][4, 0], values["eeg"][3, 13:15]).all(axis=1).any()  # 58.5 s; 58, 59 s


def test_masking_the_baseline_takes_the_first_five_tokens_and_no_more():
    masks = AmigosTokens(baseline="mask").segments(a_recording()).masks
    for mask in masks.values():
        assert_array_equal(np.argwhere(~mask), [[0, token] for token in range(5)])


def test_subtracting_the_baseline_takes_its_mean_off_every_token():
    recording = a_recording()
    plain = AmigosTokens(baseline="mask").segments(recording)
    less = AmigosTokens(baseline="subtract").segments(recording)
    for name, part in plain.values.items():
        mean = np.nanmean(part[0, :5].astype(np.float64), axis=0)
        assert_allclose(less.values[name], part - mean, atol=2e-4 * np.abs(mean).max())
    assert_array_equal(less.masks["eeg"], plain.masks["eeg"])


@pytest.mark.parametrize("baseline", ["mask", "subtract"])
def test_a_step_in_skin_conductance_after_the_onset_is_not_in_the_baseline(baseline):
    recording = a_recording()
    gsr = recording.signals["gsr"].values.copy()
    gsr[:, 640:] += 300  # 5 s
    plain, stepped = (
        AmigosTokens(baseline=baseline).segments(one).values["gsr"]
        for one in (recording, with_signal(recording, "gsr", gsr))
    )
    difference = (stepped - plain)[0, :, 0]  # of the tonic level: 5 tokens before the onset, 15 after
    assert_allclose(difference, [0] * 5 + [300] * 15, atol=1e-3)


def test_subtracting_removes_the_gain_of_an_amplifier():
    recording = a_recording()
    louder = with_signal(recording, "eeg", 3 * recording.signals["eeg"].values)
    eeg = [AmigosTokens(baseline="subtract").segments(one).values["eeg"] for one in (recording, louder)]
    assert_allclose(eeg[0], eeg[1], atol=1e-4)


@pytest.mark.parametrize("name", ["eeg", "ecg", "gsr"])
@pytest.mark.parametrize("value", [np.nan, 0.0, 812.0])
def test_a_silent_or_missing_sensor_is_masked_and_leaves_the_others(name, value):
    recording = a_recording()
    shape = recording.signals[name].values.shape
    rows = AmigosTokens().segments(with_signal(recording, name, np.full(shape, value)))
    assert {other: mask.any() for other, mask in rows.masks.items()} == {
        other: other != name for other in ("eeg", "ecg", "gsr")
    }


def test_a_recording_without_eeg_keeps_its_shape():
    recording = a_recording()
    bare = replace(recording, signals={name: recording.signals[name] for name in ("ecg", "gsr")})
    rows = AmigosTokens().segments(bare)
    assert rows.values["eeg"].shape == (5, 20, 70)
    assert np.isnan(rows.values["eeg"]).all()
    assert not rows.masks["eeg"].any()
    assert rows.masks["ecg"].all()


@pytest.mark.parametrize(("n_missing", "valid"), [(1, True), (7, True), (8, False)])
def test_tokens_are_masked_when_more_than_half_of_the_channels_are_missing(n_missing, valid):
    recording = a_recording()
    eeg = recording.signals["eeg"].values.copy()
    eeg[:n_missing] = np.nan
    rows = AmigosTokens().segments(with_signal(recording, "eeg", eeg))
    assert (rows.masks["eeg"] == valid).all()
    assert np.isfinite(rows.values["eeg"][:, :, n_missing * 5 :]).all()


def test_a_wrong_number_of_annotations_rejects_the_trial_with_both_numbers():
    rows = AmigosTokens().segments(a_recording(n_annotations=7))
    assert len(rows.start_s) == len(rows.masks["gsr"]) == len(rows.ratings["self_valence"]) == 0
    assert rows.rejected[0].trial == "4"
    assert "7 annotations" in rows.rejected[0].reason
    assert "5 segments" in rows.rejected[0].reason


def test_a_trial_shorter_than_a_segment_is_rejected():
    rows = AmigosTokens().segments(a_recording(duration_s=19.0, n_annotations=0))
    assert "no segment of 20 s" in rows.rejected[0].reason


def test_signals_on_two_clocks_are_rejected():
    recording = a_recording()
    cut = with_signal(recording, "gsr", recording.signals["gsr"].values[:, :-128])
    assert "not on one clock" in AmigosTokens().segments(cut).rejected[0].reason


def test_a_trial_without_baseline_has_none_to_subtract():
    bare = replace(a_recording(), baseline_s=0.0)
    assert AmigosTokens(baseline="subtract").segments(bare).rejected
    assert not AmigosTokens(baseline="mask").segments(bare).rejected


def test_without_annotations_the_external_ratings_are_nan():
    rows = AmigosTokens().segments(replace(a_recording(), annotations={}))
    assert np.isnan(rows.ratings["external_valence"]).all()
    assert len(rows.ratings["external_arousal"]) == N_SEGMENTS


def test_bands_are_kept_in_order_of_their_edges_and_survive_json_and_pickle():
    config = AmigosTokens(bands={"alpha": Band(8, 13), "theta": Band(4, 8)})
    assert list(config.bands) == ["theta", "alpha"]
    assert AmigosTokens.model_validate_json(config.model_dump_json()) == config
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    "wrong",
    [{"token_s": 3.0}, {"bands": {}}, {"bands": {"theta": (8, 4)}}, {"baseline": "drop"}, {"token": 1.0}],
)
def test_a_config_that_can_not_work_is_refused(wrong):
    with pytest.raises(ValidationError):
        AmigosTokens(**wrong)


def test_the_trial_is_not_changed_and_a_second_time_gives_the_same():
    recording = a_recording()
    before = {name: signal.values.copy() for name, signal in recording.signals.items()}
    first, second = (AmigosTokens(baseline="subtract").segments(recording) for _ in range(2))
    for name, signal in recording.signals.items():
        assert_array_equal(signal.values, before[name])
        assert_array_equal(first.values[name], second.values[name])
