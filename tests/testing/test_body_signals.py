"""Generated sensors: what follows a state, what belongs to a person, and that no two hearts go alike."""

import numpy as np
import pytest

from emo_ray.testing.body_signals import (
    Clock,
    Person,
    State,
    beats_s,
    bvp,
    eda,
    eog,
    respiration,
    temperature,
)


def person(seed):
    return Person.drawn(np.random.default_rng(seed), 2)


def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("seed", range(4))
def test_a_heart_beats_at_its_own_rate_and_faster_where_arousal_is_high(seed):
    who = person(seed)
    beats = beats_s(rng(), who, [State(), State(arousal=1.0)], 1200.0)
    calm, aroused = np.count_nonzero(beats < 600) / 10, np.count_nonzero(beats >= 600) / 10
    assert calm == pytest.approx(who.bpm, rel=0.05)
    assert aroused == pytest.approx(who.bpm + 14 * who.response, rel=0.05)


def test_intervals_of_a_heart_vary_as_those_of_people_do():
    rr_s = np.diff(beats_s(rng(), person(0), State(), 1200.0))
    assert 0.02 < rr_s.std() / rr_s.mean() < 0.12  # about 20 to 100 ms, Task Force (1996)
    assert rr_s.min() > 0.3


def test_two_pulses_of_equal_rate_do_not_go_along():
    who = person(0)
    waves = [bvp(np.random.default_rng(seed), who, State(), Clock(64 * 120, 64.0)) for seed in (1, 2)]
    spectra = [np.fft.rfft(wave - wave.mean()) for wave in waves]
    crossed = np.fft.irfft(spectra[0] * spectra[1].conj())
    assert np.abs(crossed).max() < 0.6 * np.sqrt(np.prod([np.square(w - w.mean()).sum() for w in waves]))


def test_breaths_are_as_many_as_the_person_takes_and_no_pure_tone():
    who, clock = person(0), Clock(16 * 600, 16.0)
    wave = respiration(rng(), who, State(), clock)
    power = np.abs(np.fft.rfft(wave)) ** 2
    freqs = np.fft.rfftfreq(clock.n_times, 1 / clock.sfreq)
    assert (freqs * power).sum() / power.sum() * 60 == pytest.approx(who.breaths, rel=0.15)
    assert power.max() < 0.5 * power.sum()


@pytest.mark.parametrize("make", [eda, temperature])
def test_slow_courses_go_on_from_one_trial_to_the_next(make):
    who = person(3)
    first, second = (
        make(rng(), who, State(arousal=-0.7 if make is eda else 0.0), Clock(4 * 300, 4.0, start_s))
        for start_s in (0.0, 300.0)
    )
    step, change = abs(second[:8].mean() - first[-8:].mean()), np.ptp(first)
    assert step < 0.25 * change


def test_blinks_stand_in_the_vertical_channel_alone():
    horizontal, vertical = eog(rng(), Clock(128 * 120, 128.0))
    assert np.count_nonzero(np.diff((vertical - np.median(vertical) > 80).astype(int)) == 1) >= 5
    assert horizontal.shape == (128 * 120,)
