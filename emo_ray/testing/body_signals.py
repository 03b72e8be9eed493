"""Body signals at any sampling rate, made on the spot: what a generated person's sensors show of a state.

Plainer than `physiology.py`, which follows slow courses: here one trial has one state, ``arousal`` and
``valence`` from -1 to 1, and the signals are cheap enough for 62 channels of many minutes.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float32, Float64
from scipy import fft

# Hz to root mean square in uV at rest: power falls about as 1/f, with an alpha peak.
EEG_RMS = {(1.0, 4.0): 9.0, (4.0, 8.0): 5.0, (8.0, 14.0): 6.0, (14.0, 31.0): 4.0, (31.0, 50.0): 2.0}
# Change of the log amplitude of each band by arousal and by valence (left minus right): small, as in people.
EEG_AROUSAL = (0.0, 0.05, -0.35, 0.25, 0.35)
EEG_VALENCE = (0.0, 0.0, 0.25, 0.15, 0.25)
FLOOR_UV = 0.3  # amplifier noise, white
REST_BPM, AROUSED_BPM = 68.0, 14.0
REST_SCR_A_MIN, AROUSED_SCR_A_MIN = 3.0, 4.0
SCR_RISE_S, SCR_DECAY_S = 0.75, 3.0


@dataclass(frozen=True)
class Person:
    """What differs between people: the spectrum of each channel, gain of the state, heart, skin."""

    channel_gain: Float64[np.ndarray, "channels bands"]
    response: float
    bpm: float
    tonic_us: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, n_channels: int) -> "Person":
        """Somebody, from random numbers that belong to that person."""
        return cls(
            channel_gain=np.exp(0.3 * rng.standard_normal((n_channels, len(EEG_RMS)))),
            response=float(np.exp(0.25 * rng.standard_normal())),
            bpm=REST_BPM + 7.0 * float(rng.standard_normal()),
            tonic_us=float(np.exp(1.0 + 0.6 * rng.standard_normal())),
        )


@dataclass(frozen=True)
class State:
    """How a person feels in one trial, from -1 to 1; already times the strength of the corpus."""

    arousal: float = 0.0
    valence: float = 0.0


@dataclass(frozen=True)
class Clock:
    """Length of a trial in samples, and its rate in Hz."""

    n_times: int
    sfreq: float

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.n_times / self.sfreq


def eeg(
    rng: np.random.Generator, who: Person, state: State, clock: Clock
) -> Float32[np.ndarray, "channels times"]:
    """EEG in uV: noise in five bands whose amplitudes follow the state; even channels are taken as left."""
    n_channels = len(who.channel_gain)
    freqs = fft.rfftfreq(clock.n_times, 1 / clock.sfreq)
    side = np.where(np.arange(n_channels) % 2 == 0, 1.0, -1.0)[:, None]  # (channels, 1)
    change = who.response * (
        state.arousal * np.array(EEG_AROUSAL) + side * state.valence * np.array(EEG_VALENCE)
    )
    wanted = np.array(list(EEG_RMS.values())) * who.channel_gain * np.exp(change)  # channels bands
    amplitude = np.full((n_channels, freqs.size), FLOOR_UV / np.sqrt(clock.sfreq / 2))
    for band, (low_hz, high_hz) in enumerate(EEG_RMS):
        inside = (freqs >= low_hz) & (freqs < high_hz)
        amplitude[:, inside] = wanted[:, band, None] / np.sqrt(high_hz - low_hz)  # uV a root Hz
    shape = (n_channels, freqs.size)
    noise = rng.standard_normal(shape, np.float32) + 1j * rng.standard_normal(shape, np.float32)
    noise *= (amplitude * np.sqrt(clock.sfreq * clock.n_times / 4)).astype(np.float32)
    noise[:, 0] = 0.0
    found: Float32[np.ndarray, "channels times"] = fft.irfft(noise, clock.n_times).astype(np.float32)
    return found


def beats_s(
    rng: np.random.Generator, who: Person, state: State, duration_s: float
) -> Float64[np.ndarray, " beats"]:
    """Seconds of all heart beats, with a respiratory swing and a slow drift of the rate."""
    bpm = who.bpm + AROUSED_BPM * who.response * state.arousal
    n_beats = int(duration_s * 4) + 4  # 240 a minute at most
    phase = 2 * np.pi * (np.arange(n_beats) * 60 / bpm * 0.25 + rng.uniform())
    rr_s = 60 / bpm * (1 + 0.04 * np.sin(phase) + 0.02 * rng.standard_normal(n_beats))
    times = np.cumsum(np.clip(rr_s, 0.3, 2.0)) - rr_s[0] * rng.uniform()
    inside: Float64[np.ndarray, " beats"] = times[(times >= 0) & (times < duration_s)]
    return inside


def ecg(rng: np.random.Generator, who: Person, state: State, clock: Clock) -> Float32[np.ndarray, " times"]:
    """ECG in mV: P, QRS and T of every beat, some wander and noise."""
    beats = beats_s(rng, who, state, clock.duration_s)
    waves = (
        (0.12, -0.19, 0.025),
        (-0.10, -0.03, 0.010),
        (1.0, 0.0, 0.011),
        (-0.25, 0.03, 0.010),
        (0.3, 0.28, 0.05),
    )
    found = 0.02 * rng.standard_normal(clock.n_times)
    for height, lag_s, width_s in waves:
        found += height * _bumps(beats + lag_s, width_s, clock)
    return _single(found)


def bvp(rng: np.random.Generator, who: Person, state: State, clock: Clock) -> Float32[np.ndarray, " times"]:
    """Blood volume pulse, arbitrary unit: a steep rise and a dicrotic wave a beat."""
    beats = beats_s(rng, who, state, clock.duration_s)
    found = 60 * _bumps(beats + 0.20, 0.09, clock) + 20 * _bumps(beats + 0.48, 0.12, clock)
    found += 1.5 * rng.standard_normal(clock.n_times) - found.mean()
    return _single(found)


def eda(rng: np.random.Generator, who: Person, state: State, clock: Clock) -> Float32[np.ndarray, " times"]:
    """Skin conductance in uS: a level that drifts, and responses whose rate follows arousal."""
    rate = max(0.2, REST_SCR_A_MIN + AROUSED_SCR_A_MIN * who.response * state.arousal)  # a minute
    times = np.arange(clock.n_times) / clock.sfreq
    impulses = np.zeros(clock.n_times)
    n_responses = rng.poisson(rate * clock.duration_s / 60)
    np.add.at(impulses, rng.integers(0, clock.n_times, n_responses), rng.uniform(0.05, 0.3, n_responses))
    lags = np.arange(int(6 * SCR_DECAY_S * clock.sfreq)) / clock.sfreq
    rise_and_fall = np.exp(-lags / SCR_DECAY_S) - np.exp(-lags / SCR_RISE_S)
    responses = fft.irfft(_spectrum(impulses, lags.size) * _spectrum(rise_and_fall, clock.n_times))
    level = who.tonic_us * (1 + 0.1 * np.sin(2 * np.pi * (times / 240 + rng.uniform())))
    return _single(level + responses[: clock.n_times] + 0.002 * rng.standard_normal(clock.n_times))


def respiration(
    rng: np.random.Generator, who: Person, state: State, clock: Clock
) -> Float32[np.ndarray, " times"]:
    """Chest excursion, arbitrary unit, about 15 breaths a minute, faster with arousal."""
    hz = (15 + 3 * who.response * state.arousal) / 60
    drift = np.cumsum(rng.standard_normal(clock.n_times)) * 0.02 / np.sqrt(clock.sfreq)
    phase = 2 * np.pi * (hz * np.arange(clock.n_times) / clock.sfreq + rng.uniform()) + drift
    return _single(10 * np.sin(phase) + 0.3 * rng.standard_normal(clock.n_times))


def temperature(rng: np.random.Generator, state: State, clock: Clock) -> Float32[np.ndarray, " times"]:
    """Skin temperature in degrees Celsius: falls slowly with arousal."""
    times = np.arange(clock.n_times) / clock.sfreq
    start = 33 + rng.standard_normal()
    slope = -0.1 * state.arousal / 60  # a minute
    return _single(start + slope * times + 0.01 * rng.standard_normal(clock.n_times))


def emg(rng: np.random.Generator, state: State, clock: Clock) -> Float32[np.ndarray, " times"]:
    """Muscle noise in uV, stronger with arousal, in bursts."""
    bursts = np.abs(scipy.signal.lfilter([0.02], [1, -0.98], rng.standard_normal(clock.n_times)))
    gain = 5 * np.exp(0.4 * state.arousal) * (0.5 + bursts)
    return _single(gain * rng.standard_normal(clock.n_times))


def _single(values: Float64[np.ndarray, " times"]) -> Float32[np.ndarray, " times"]:
    found: Float32[np.ndarray, " times"] = values.astype(np.float32)
    return found


def _bumps(
    centres_s: Float64[np.ndarray, " beats"], width_s: float, clock: Clock
) -> Float64[np.ndarray, " times"]:
    """A Gaussian of height 1 at every centre."""
    found = np.zeros(clock.n_times)
    reach = int(np.ceil(4 * width_s * clock.sfreq))
    middle = np.rint(centres_s * clock.sfreq).astype(int)
    index = middle[:, None] + np.arange(-reach, reach + 1)  # beats samples
    heights = np.exp(-0.5 * ((index / clock.sfreq - centres_s[:, None]) / width_s) ** 2)
    inside = (index >= 0) & (index < clock.n_times)
    np.add.at(found, index[inside], heights[inside])
    return found


def _spectrum(values: Float64[np.ndarray, " any"], n_more: int) -> np.ndarray:
    found: np.ndarray = fft.rfft(values, values.size + n_more + (values.size + n_more) % 2)
    return found
