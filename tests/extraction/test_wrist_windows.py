"""Minute-long segments of wrist recordings: their number, their masks, and the real ones where they lie."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from emo_ray.corpora.empatica import wesad_wrist
from emo_ray.corpora.recording import Recording, Signal
from emo_ray.extraction.wrist_windows import WristWindows

WESAD = Path(__file__).parents[2].parent / "shared" / "data" / "wesad_wrist"
RATES = {"bvp": 64.0, "eda": 4.0, "temp": 4.0}


def wrist(seconds=150.0, **replaced):
    """A recording of noise; a modality may be replaced, or left out by None."""
    rng = np.random.default_rng(0)
    arrays = {name: 30 + rng.normal(size=round(seconds * rate)) for name, rate in RATES.items()} | replaced
    signals = {
        name: Signal(np.asarray(values, np.float32)[None], RATES[name], "unit", (name,))
        for name, values in arrays.items()
        if values is not None
    }
    return Recording("lab/S1", "1", "rest", "rest", "lab/S1", signals, ratings={"label": 2.0})


def test_segments_of_a_minute_start_every_half_minute_and_carry_the_rating():
    rows = WristWindows().segments(wrist(149.0))
    assert_array_equal(rows.start_s, [0, 30, 60])
    assert_array_equal(rows.ratings["label"], [2, 2, 2])
    assert all(mask.all() for mask in rows.masks.values())


def test_the_shapes_are_those_that_are_declared():
    extraction, recording = WristWindows(), wrist()
    rows = extraction.segments(recording)
    declared = {m.name: (4, m.n_tokens, m.n_features) for m in extraction.modalities(recording)}
    assert {name: values.shape for name, values in rows.values.items()} == declared
    assert sum(n_features for _, _, n_features in declared.values()) == 18


def test_a_missing_modality_is_masked_in_every_segment():
    rows = WristWindows().segments(wrist(eda=None))
    assert not rows.masks["eda"].any()
    assert np.isnan(rows.values["eda"]).all()
    assert rows.masks["bvp"].all()


def test_a_sensor_that_falls_silent_is_masked_from_then_on():
    eda = np.concatenate([2 + np.random.default_rng(1).normal(size=240), np.zeros(360)])
    masks = WristWindows().segments(wrist(eda=eda)).masks
    assert_array_equal(masks["eda"][:, 0], [True, True, False, False])
    assert masks["temp"].all()


def test_a_signal_that_ends_early_is_masked_where_less_than_half_is_there():
    masks = WristWindows().segments(wrist(temp=np.full(4 * 75, 33.0))).masks
    assert_array_equal(masks["temp"][:, 0], [True, True, False, False])


def test_a_signal_that_starts_late_keeps_its_place_in_time():
    recording = wrist(150.0)
    ramp = 20 + np.arange(480) * 0.01
    late = Signal(np.asarray(ramp, np.float32)[None], 4.0, "degC", ("temp",), start_s=30.0)
    rows = WristWindows().segments(
        Recording(**{**vars(recording), "signals": {**recording.signals, "temp": late}})
    )
    # The segment at 60 s has samples 120 to 359 of the ramp, with their mean at 239.5.
    assert rows.values["temp"][2, 0, 0] == pytest.approx(20 + 2.395, abs=1e-4)


@pytest.mark.parametrize("recording", [wrist(40.0), wrist(bvp=None, eda=None, temp=None)])
def test_a_recording_shorter_than_a_segment_is_rejected_with_the_reason(recording):
    rows = WristWindows().segments(recording)
    assert rows.start_s.size == 0
    assert "shorter than one segment of 60 s" in rows.rejected[0].reason


def test_absurd_samples_make_features_undefined_and_no_warning():
    eda = np.full(600, 3e38)
    eda[::2] = -3e38
    assert not np.isinf(WristWindows().segments(wrist(eda=eda)).values["eda"]).any()


def test_the_same_recording_gives_the_same_bytes():
    first, second = (WristWindows().segments(wrist()) for _ in range(2))
    assert all(first.values[name].tobytes() == second.values[name].tobytes() for name in RATES)


@pytest.mark.skipif(not WESAD.is_dir(), reason="the real recordings are not here")
def test_one_real_wrist_has_plausible_hearts_and_skin():
    recordings = wesad_wrist(WESAD).read_subject("wesad/S2").recordings
    rows = {recording.clip: WristWindows().segments(recording) for recording in recordings}
    # Stretches of 1164, 635 and 382 s: floor((s - 60) / 30) + 1 segments.
    assert {clip: row.start_s.size for clip, row in rows.items()} == {
        "baseline": 37,
        "stress": 20,
        "amusement": 11,
    }
    rates = {clip: np.median(row.values["bvp"][:, 0, 0]) for clip, row in rows.items()}
    assert 50 < rates["baseline"] < rates["stress"] < 130
    assert all(25 < row.values["temp"][0, 0, 0] < 40 for row in rows.values())


@pytest.mark.skipif(not WESAD.is_dir(), reason="the real recordings are not here")
def test_all_of_wesad_has_every_whole_minute_that_its_label_table_gives():
    # two more than its README counts, see `cut_signals`: floor((seconds - 60) / 30) + 1 a stretch
    table = pd.read_csv(WESAD / "labels.csv").query("label in [1, 2, 3]")
    micros = ((table["end_s"] - table["start_s"]) * 1e6).round().astype(int)
    expected = ((micros - 60_000_000) // 30_000_000 + 1).groupby(table["label"]).sum().to_dict()
    corpus, counts = wesad_wrist(WESAD), dict.fromkeys((1.0, 2.0, 3.0), 0)
    for subject in corpus.find_subjects():
        for recording in corpus.read_subject(subject).recordings:
            counts[recording.ratings["label"]] += WristWindows().segments(recording).start_s.size
    assert counts == expected == {1.0: 578, 2.0: 322, 3.0: 177}
