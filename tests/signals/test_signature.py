"""A stretch of a signal is found again in a copy, however that was exported, and nowhere else."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.signal import butter, resample_poly, sosfiltfilt

from emo_ray.signals.filters import Band
from emo_ray.signals.signature import (
    SignatureBand,
    bands_of,
    likeness,
    make_signature,
    probe_set,
    probes_of,
)

SFREQ = 128.0
PLACE = SignatureBand(Band(7.0, 13.0), 20.0, 600.0)


def noise(seed, seconds=120):
    return np.random.default_rng(seed).standard_normal(round(seconds * SFREQ))


def signature(*signals, sfreq=SFREQ):
    return make_signature("eeg", PLACE, [(signal, sfreq) for signal in signals])


def alike(one, other):
    probes = probes_of(one, 4)
    return likeness(probe_set(probes, max(len(one.samples), len(other.samples))), other)


def band_limited(signal):
    return sosfiltfilt(butter(4, (1.0, 30.0), "band", fs=SFREQ, output="sos"), signal)


COPIES = {
    "turned over and rescaled": (lambda x: -0.01 * x + 500, SFREQ),
    "trimmed": (lambda x: x[1327:], SFREQ),
    "band-limited": (band_limited, SFREQ),
    "with 20 dB noise": (lambda x: x + 0.1 * np.random.default_rng(9).standard_normal(x.size), SFREQ),
    "at another rate": (lambda x: resample_poly(x, 25, 32), 100.0),
    "with a gap": (lambda x: np.where(np.arange(x.size) // 128 == 60, np.nan, x), SFREQ),
}


@pytest.mark.parametrize("change", COPIES)
def test_every_probe_is_found_in_a_copy(change):
    copied, sfreq = COPIES[change]
    found = alike(signature(noise(0)), signature(copied(noise(0)), sfreq=sfreq))
    assert len(found) == 3  # of 20 s in the middle 72 s of 118
    assert found.min() > 0.9


def test_a_stranger_is_as_like_as_chance():
    # 120 complex numbers without relation: |r|^2 > x with (1 - x)^119, so 0.5 is one in 10^15
    assert alike(signature(noise(0)), signature(noise(1))).max() < 0.5


def test_trials_in_another_order_and_fewer_of_them_are_found():
    trials = [noise(seed, 60) for seed in range(4)]
    whole, part = signature(*trials), signature(trials[2], trials[0])
    assert alike(part, whole).min() > 0.95
    assert (alike(whole, part) > 0.95).sum() == 2


def test_likeness_is_the_naive_normalised_correlation():
    one, other = signature(noise(0, 60)), signature(noise(1, 60))
    (probe, *_) = probes = probes_of(one, 4)
    samples, length = other.envelope.astype(complex), probe.samples.size
    naive = [
        abs(np.vdot(probe.samples, stretch)) / np.linalg.norm(probe.samples) / np.linalg.norm(stretch)
        for stretch in (samples[at : at + length] for at in range(len(samples) - length + 1))
    ]
    found = likeness(probe_set(probes, len(samples)), other)
    assert found[0] == pytest.approx(max(naive), rel=1e-4)


def test_a_sine_is_found_again_in_itself():
    sine = signature(np.sin(2 * np.pi * 10.0 * np.arange(int(120 * SFREQ)) / SFREQ))
    assert likeness(probe_set(probes_of(sine, 4), len(sine.samples)), sine, own=True).min() > 0.9


@pytest.mark.parametrize(
    "signal", [np.zeros(9000), np.full(9000, np.nan), noise(0, 1)], ids=["flat", "missing", "short"]
)
def test_what_tells_nothing_has_no_signature(signal):
    assert signature(signal) is None


def test_a_signal_too_slow_for_the_band_has_no_signature():
    assert signature(noise(0), sfreq=20.0) is None


def test_a_signature_stays_within_its_size_and_takes_the_middle():
    long = signature(noise(0, 1200))
    assert len(long.samples) == 600 * 7.5
    assert_array_equal(long.starts, [0, 4500])
    assert alike(signature(noise(0, 1200)[int(400 * SFREQ) : int(800 * SFREQ)]), long).min() > 0.95


def test_only_sensors_have_bands():
    assert bands_of("EEG_left") == bands_of("eeg") != ()
    assert bands_of("wrist_eda") == bands_of("eda") != ()
    assert bands_of("features") == ()
