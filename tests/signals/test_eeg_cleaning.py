"""Cleaning EEG: each step alone, their order, gaps, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from emo_ray.corpora.eeg_file import read_eeg_file
from emo_ray.errors import SignalError
from emo_ray.signals.bad_channels import BadChannels, clipped_share, flat_share
from emo_ray.signals.eeg_cleaning import EegCleaning, clean_eeg
from emo_ray.signals.electrodes import EMO14, SJTU62, positions
from emo_ray.signals.eye_components import EyeComponents
from emo_ray.signals.interpolation import interpolate_channels

SFREQ = 200.0
FIND = EegCleaning(bad_channels=BadChannels(repair="keep"))
REPAIR = EegCleaning(bad_channels=BadChannels())


def field(names=SJTU62, seconds=20, seed=0):
    """Deep sources: every electrode sees a smooth mixture of six rhythms, tens of microvolts."""
    draw = np.random.default_rng(seed)
    times_s = np.arange(int(seconds * SFREQ)) / SFREQ
    places = positions(names) - positions(["Cz", "Oz", "Fpz"]).mean(axis=0)
    directions = draw.normal(size=(6, 3))
    rhythms = np.sin(2 * np.pi * draw.uniform(3, 30, (6, 1)) * times_s + draw.uniform(0, 6, (6, 1)))
    smooth = 1 + places @ directions.T / 0.1  # channels sources
    noise = draw.normal(size=(len(names), times_s.size))
    return (10 * smooth @ rhythms + 0.5 * noise).astype(np.float32)


def test_nothing_is_done_unless_asked_for():
    values = field()
    values[3, 50:80] = np.nan
    cleaned = clean_eeg(values, SFREQ, SJTU62, EegCleaning())
    assert_array_equal(cleaned.values, values)
    assert (cleaned.sfreq, dict(cleaned.bad), cleaned.notes) == (SFREQ, {}, ())


def test_filters_keep_the_rhythm_and_take_drift_and_hum():
    times_s = np.arange(4000) / SFREQ
    rhythm = 10 * np.sin(2 * np.pi * 10 * times_s)
    dirty = rhythm + 200 * times_s + 30 * np.sin(2 * np.pi * 50 * times_s)
    config = EegCleaning(low_hz=1.0, notch_hz=50.0)
    cleaned = clean_eeg(dirty[None].astype(np.float32), SFREQ, ["Cz"], config)
    assert_allclose(cleaned.values[0, 500:-500], rhythm[500:-500], atol=0.3)


def test_what_single_precision_can_not_hold_is_missing():
    values = field()
    values[4, 1000:1003] = np.float32(3.3e38) * np.array([1, -1, 1], dtype=np.float32)
    # the filter rings beyond the largest number beside a spike that just fits
    cleaned = clean_eeg(values, SFREQ, SJTU62, EegCleaning(low_hz=30.0)).values
    assert np.isnan(cleaned[4]).any()
    assert not np.isinf(cleaned).any()
    assert np.isfinite(np.delete(cleaned, 4, axis=0)).all()


def test_resampling_gives_the_new_rate_and_keeps_seconds():
    cleaned = clean_eeg(field(), SFREQ, SJTU62, EegCleaning(sfreq=128.0))
    assert cleaned.sfreq == 128.0
    assert cleaned.values.shape == (62, 20 * 128)


def test_no_good_channel_is_called_bad():
    assert dict(clean_eeg(field(), SFREQ, SJTU62, FIND).bad) == {}


def spoil(values, kind):
    row, draw = SJTU62.index("P3"), np.random.default_rng(1)
    if kind == "missing":
        values[row, :3000] = np.nan
    elif kind == "flat":
        values[row, 1000:3000] = 7.0
    elif kind == "clipped":
        values[row] = np.clip(values[row], -12, 12)
    elif kind == "amplitude":
        values[row] *= 40
    else:
        values[row] = values[row].std() * draw.normal(size=values.shape[1])
    return values


@pytest.mark.parametrize("kind", ["missing", "flat", "clipped", "amplitude", "unlike its neighbours"])
def test_each_fault_is_found_and_named(kind):
    bad = clean_eeg(spoil(field(), kind), SFREQ, SJTU62, FIND).bad
    assert list(bad) == ["P3"]
    assert bad["P3"].startswith(kind)


def test_what_makes_a_channel_bad_is_noted():
    cleaned = clean_eeg(spoil(field(), "flat"), SFREQ, SJTU62, REPAIR)
    assert cleaned.notes == (f"bad channels: P3, {cleaned.bad['P3']}", "interpolated: P3")


def test_a_fault_at_the_old_names_is_found_by_the_name_in_the_file():
    names = ["EEG T5" if name == "P7" else name.upper() for name in SJTU62]
    values = field()
    values[SJTU62.index("P7")] = 0
    cleaned = clean_eeg(values, SFREQ, names, REPAIR)
    assert list(cleaned.bad) == ["EEG T5"]
    assert "interpolated: EEG T5" in cleaned.notes


def test_shares_by_hand():
    # 4 samples a second, 3 seconds: the second one is flat
    signal = np.array([[0.0, 1, 2, 3, 5, 5, 5, 5, 0, 9, 9, 1]])
    assert_allclose(flat_share(signal, 4.0), [1 / 3])
    assert_allclose(clipped_share(signal), [2 / 12])  # the two 9s; the zeros do not touch


@pytest.mark.parametrize("name", ["CB1", "Cz", "T7"])
def test_an_interpolated_channel_is_what_stood_there(name):
    truth = field()
    row = SJTU62.index(name)
    dirty = truth.astype(np.float64)
    dirty[row] = 1000.0
    made_up = interpolate_channels(dirty, SJTU62, [name])
    assert np.corrcoef(made_up[row], truth[row])[0, 1] > 0.97
    others = np.arange(62) != row
    assert_array_equal(made_up[others], dirty[others])


def test_bad_channels_are_repaired_before_the_average_is_taken():
    truth = field()
    dirty = spoil(truth.copy(), "amplitude")
    config = EegCleaning(bad_channels=BadChannels(), reference="average")
    cleaned = clean_eeg(dirty, SFREQ, SJTU62, config)
    expected = truth - truth.mean(axis=0)
    good = np.array(SJTU62) != "P3"
    assert np.abs(cleaned.values[good] - expected[good]).max() < 0.5  # uV; 40 x P3 in the mean gives 10
    assert_allclose(cleaned.values.mean(axis=0), 0, atol=1e-3)


def test_drift_makes_no_channel_bad_when_it_is_filtered_first():
    drifting = field()
    drifting[9] += np.linspace(0, 20_000, drifting.shape[1], dtype=np.float32)
    limits = BadChannels(repair="keep", max_z=3.0)
    as_recorded = clean_eeg(drifting, SFREQ, SJTU62, EegCleaning(bad_channels=limits))
    filtered = clean_eeg(drifting, SFREQ, SJTU62, EegCleaning(bad_channels=limits, low_hz=1.0))
    assert list(as_recorded.bad) == ["Fz"]
    assert dict(filtered.bad) == {}


def test_a_clipped_channel_is_found_although_a_filter_rounds_its_corners():
    config = EegCleaning(bad_channels=BadChannels(repair="keep"), low_hz=1.0, high_hz=40.0, sfreq=128.0)
    assert clean_eeg(spoil(field(), "clipped"), SFREQ, SJTU62, config).bad["P3"].startswith("clipped")


def test_left_missing_and_too_many_to_interpolate_become_nan():
    values = field()
    values[:30] = 0
    few = clean_eeg(
        spoil(field(), "flat"), SFREQ, SJTU62, EegCleaning(bad_channels=BadChannels(repair="missing"))
    )
    many = clean_eeg(values, SFREQ, SJTU62, REPAIR)
    assert np.isnan(few.values).all(axis=1).nonzero()[0].tolist() == [SJTU62.index("P3")]
    assert np.isnan(many.values).all(axis=1).sum() == 30
    assert "30 of 62 channels are bad and left NaN" in many.notes


def test_gaps_come_back_as_gaps_and_do_not_spread():
    truth = field()
    gappy = truth.copy()
    gappy[4, 1000:1100] = np.nan
    config = EegCleaning(low_hz=1.0, high_hz=40.0, reference="average", gap_margin_s=0.1)
    cleaned = clean_eeg(gappy, SFREQ, SJTU62, config).values
    whole = clean_eeg(truth, SFREQ, SJTU62, config).values
    assert np.flatnonzero(np.isnan(cleaned[4])).tolist() == list(range(980, 1120))
    assert np.isnan(cleaned).sum() == 140
    assert_allclose(cleaned[:, 2000:], whole[:, 2000:], atol=0.02)


def test_a_gap_survives_resampling():
    gappy = field(EMO14)
    gappy[2, 1000:1200] = np.nan  # 5 to 6 s
    missing = np.isnan(clean_eeg(gappy, SFREQ, EMO14, EegCleaning(sfreq=128.0)).values[2])
    assert missing[640:768].all()
    assert missing.sum() <= 130


def test_a_reference_by_name_is_taken_off_every_electrode():
    names = ["FP1", "Fz", "M1", "M2", "HEO"]
    values = np.random.default_rng(0).normal(size=(5, 400)).astype(np.float32)
    cleaned = clean_eeg(values, SFREQ, names, EegCleaning(reference=("M1", "M2")))
    mastoids = (values[2] + values[3]) / 2
    assert_allclose(cleaned.values[:4], values[:4] - mastoids, atol=1e-5)
    assert_array_equal(cleaned.values[4], values[4])
    assert cleaned.notes == ("no electrodes, so filtered and resampled only: HEO",)


def test_a_channel_without_samples_takes_no_part_in_the_average():
    values = field(EMO14)
    values[5] = np.nan
    cleaned = clean_eeg(values, SFREQ, EMO14, EegCleaning(reference="average")).values
    others = np.arange(14) != 5
    assert_allclose(cleaned[others], values[others] - values[others].mean(axis=0), atol=1e-4)
    assert np.isnan(cleaned[5]).all()


def blinking(seconds=30):
    """Five spiky sources seen by a cap of 14, and the same with a blink every three seconds at the front."""
    draw = np.random.default_rng(5)
    truth = draw.normal(size=(14, 5)) @ draw.laplace(0, 6, (5, int(seconds * SFREQ)))
    truth += 0.1 * draw.normal(size=truth.shape)
    seconds_in = np.arange(truth.shape[1]) / SFREQ % 3.0
    blink = 150 * np.exp(-((seconds_in - 1.5) ** 2) / (2 * 0.08**2))
    strength = np.exp(-np.linalg.norm(positions(EMO14) - positions(["Fpz"]), axis=1) / 0.04)
    return truth.astype(np.float32), (truth + strength[:, None] * blink).astype(np.float32)


EYES = EegCleaning(ica=EyeComponents(n_components=6))


def test_blinks_are_taken_out_and_the_rest_stays():
    truth, seen = blinking()
    cleaned = clean_eeg(seen, SFREQ, EMO14, EYES)
    assert cleaned.notes[-1].startswith("ICA removed 1 of 6 components: 0.9")
    wrong_before, wrong_after = (values - truth for values in (seen, cleaned.values))
    assert wrong_after[EMO14.index("AF3")].std() < wrong_before[EMO14.index("AF3")].std() / 5
    assert wrong_after.std() < wrong_before.std() / 5
    assert_array_equal(clean_eeg(seen, SFREQ, EMO14, EYES).values, cleaned.values)


def test_an_eye_channel_that_sees_nothing_of_it_takes_no_component():
    truth, _ = blinking()
    eye = np.random.default_rng(1).normal(size=truth.shape[1]).astype(np.float32)
    config = EegCleaning(ica=EyeComponents(n_components=6, eye_channels=("VEO",)))
    cleaned = clean_eeg(np.vstack([truth, eye]), SFREQ, [*EMO14, "VEO"], config)
    assert cleaned.notes[-1].startswith("ICA removed 0 of 6 components: the clearest has 0.0")
    assert_allclose(cleaned.values[:14], truth, atol=1e-3)


def test_the_blinks_of_a_real_recording_are_seen_at_fpz(shared_data):
    file = read_eeg_file(shared_data / "reader_samples" / "eeglab" / "eeglab_data.set", stop_s=60.0)
    config = EegCleaning(low_hz=1.0, high_hz=40.0, ica=EyeComponents(n_components=10))
    cleaned = clean_eeg(file.values, file.sfreq, file.channels, config)
    assert cleaned.notes[-1].startswith("ICA removed 1 of 10 components: 0.9")
    filtered = clean_eeg(file.values, file.sfreq, file.channels, EegCleaning(low_hz=1.0, high_hz=40.0))
    loss = cleaned.values.std(axis=1) / filtered.values.std(axis=1)
    assert loss[file.channels.index("FPz")] < 0.7
    assert loss[file.channels.index("Oz")] > 0.95


def test_ica_is_left_out_of_too_short_a_trial_and_says_so():
    values = field(EMO14, seconds=5)
    cleaned = clean_eeg(values, SFREQ, EMO14, EegCleaning(ica=EyeComponents(n_components=14)))
    # 20 samples for each of 14 x 14 weights
    assert cleaned.notes == ("ICA left out: 1000 samples are too few for 14 components, which take 3920",)
    assert_array_equal(cleaned.values, values)


def test_ica_of_channels_that_are_all_alike_is_left_out():
    values = np.tile(field(EMO14)[:1], (14, 1))
    cleaned = clean_eeg(values, SFREQ, EMO14, EegCleaning(ica=EyeComponents(n_components=10)))
    assert cleaned.notes == ("ICA left out: all channels are one and the same",)


def test_ica_of_average_referenced_channels_has_one_component_less():
    truth, _ = blinking()
    config = EegCleaning(ica=EyeComponents(n_components=14, min_correlation=1.0, max_iterations=5))
    cleaned = clean_eeg(truth - truth.mean(axis=0), SFREQ, EMO14, config)
    assert "of 13 components" in cleaned.notes[-1]
    assert cleaned.notes[0].startswith("ICA: FastICA did not converge")


@pytest.mark.parametrize(
    ("names", "config", "match"),
    [
        (("F3",), EegCleaning(), "1 names for 5 channels"),
        (("T3", "T7", "Cz", "Pz", "Oz"), REPAIR, "two channels are electrode T7"),
        (("A", "B", "C", "Cz", "Pz"), REPAIR, "2 of the channels A, B, C, Cz, Pz are electrodes"),
        (("F3", "F4", "Cz", "Pz", "Oz"), EegCleaning(reference=("M1",)), "the reference M1 is not there"),
        (("F3", "F4", "Cz", "Pz", "Oz"), EegCleaning(high_hz=100.0), "high_hz is 100 Hz"),
    ],
)
def test_what_can_not_be_done_is_refused(names, config, match):
    with pytest.raises(SignalError, match=match):
        clean_eeg(field(EMO14)[:5], SFREQ, names, config)


def test_a_bad_reference_is_refused_with_its_state():
    values = field(EMO14)
    values[4] = 0
    config = EegCleaning(bad_channels=BadChannels(repair="keep"), reference=("T7",))
    with pytest.raises(SignalError, match="'T7': 'bad'"):
        clean_eeg(values, SFREQ, EMO14, config)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"low_hz": 40.0, "high_hz": 4.0}, "give low < high"),
        ({"high_hz": 70.0, "sfreq": 128.0}, "needs an sfreq above 140 Hz"),
        ({"reference": ()}, "names no channel"),
        ({"notch": 50.0}, "notch"),
    ],
)
def test_a_configuration_that_can_not_work_is_refused(settings, match):
    with pytest.raises(ValidationError, match=match):
        EegCleaning(**settings)


@pytest.mark.parametrize("silent", [0.0, np.nan])
def test_a_silent_recording_gives_no_numbers_but_no_error(silent):
    values = np.full((14, 4000), silent, dtype=np.float32)
    config = EegCleaning(low_hz=1.0, bad_channels=BadChannels(), ica=EyeComponents(), reference="average")
    cleaned = clean_eeg(values, SFREQ, EMO14, config)
    assert len(cleaned.bad) == 14
    assert np.isnan(cleaned.values).all()
