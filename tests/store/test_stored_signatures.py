"""Signatures are made from one living channel, stored with the subject and read back as they were."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.store.identity import signatures_of
from emo_ray.store.schema import StoredSubject, from_metadata, to_metadata

SFREQ = 128.0


def recording(trial, values, channels):
    eeg = Signal(values.astype(np.float32), SFREQ, "uV", channels)
    return Recording("x", "1", trial, "c", "x", {"eeg": eeg, "de": eeg})


@pytest.fixture
def noise():
    return np.random.default_rng(0).standard_normal((3, int(60 * SFREQ)))


def test_a_signature_reads_back_bit_for_bit(noise):
    signatures = signatures_of([recording("1", noise, ("a", "b", "c"))])
    stored = StoredSubject("key", "x", "x", (), {}, signatures=signatures)
    (found,) = from_metadata(to_metadata(stored)).signatures
    assert found.name == "eeg 7-13 Hz"  # of the other signal, no sensor, there is none
    assert_array_equal(found.samples, signatures[0].samples)
    assert_array_equal(found.starts, signatures[0].starts)


def test_the_first_channel_that_lives_is_taken_whatever_the_order(noise):
    dead = noise.copy()
    dead[0] = 0.0
    (first,) = signatures_of([recording("1", dead, ("a", "b", "c"))])
    (second,) = signatures_of([recording("1", noise[[2, 1]], ("c", "b"))])
    assert_array_equal(first.samples, second.samples)


def test_the_order_in_which_a_reader_yields_trials_does_not_count(noise):
    trials = [recording(f"{number}", noise[[number]], ("a",)) for number in range(3)]
    (one,), (other,) = signatures_of(trials), signatures_of(trials[::-1])
    assert_array_equal(one.samples, other.samples)


def test_a_silent_recording_has_no_signature(noise):
    assert signatures_of([recording("1", np.zeros_like(noise), ("a", "b", "c"))]) == ()
