"""Body signals at any sampling rate, made on the spot: what a generated person's sensors show of a state.

Plainer than `physiology.py`, which follows slow courses: here one trial has one state, ``arousal`` and
``valence`` from -1 to 1, or a few that follow each other, and the signals are cheap enough for 62 channels
of many minutes.
"""

from collections.abc import Sequence
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
REST_BREATHS, AROUSED_BREATHS = 15.0, 3.0  # a minute
DEPTH = 10.0  # of a breath, arbitrary unit
BLINKS_A_MIN, SACCADES_A_MIN = 15.0, 30.0


@dataclass(frozen=True)
class Person:
    """What differs between people: the spectrum of each channel, gain of the state, heart, skin, breath.

    Attributes
    ----------
    channel_gain, response : of the EEG, and of everything that follows the state
    bpm, unsteadiness : of the heart; relative change from beat to beat
    tonic_us, drift_s : level of the skin conductance, and the period of its slow drift
    breaths : a minute
    skin_degc, phase : temperature, and where slow courses begin
    dicrotic : height of the second wave of the pulse, relative to the first
    """

    channel_gain: Float64[np.ndarray, "channels bands"]
    response: float
    bpm: float
    tonic_us: float
    unsteadiness: float
    drift_s: float
    breaths: float
    skin_degc: float
    phase: float
    dicrotic: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, n_channels: int) -> "Person":
        """Somebody, from random numbers that belong to that person."""
        return cls(
            channel_gain=np.exp(0.3 * rng.standard_normal((n_channels, len(EEG_RMS)))),
            response=float(np.exp(0.25 * rng.standard_normal())),
            bpm=REST_BPM + 7.0 * float(rng.standard_normal()),
            tonic_us=float(np.exp(1.0 + 0.6 * rng.standard_normal())),
            unsteadiness=float(rng.uniform(0.02, 0.05)),
            drift_s=float(rng.uniform(180, 400)),
            breaths=REST_BREATHS + 2.0 * float(rng.standard_normal()),
            skin_degc=33.0 + float(rng.standard_normal()),
            phase=float(rng.uniform()),
            dicrotic=float(rng.uniform(0.2, 0.5)),
        )


@dataclass(frozen=True)
class State:
    """How a person feels in one trial, from -1 to 1; already times the strength of the corpus."""

    arousal: float = 0.0
    valence: float = 0.0


Course = State | Sequence[State]
"""One state, or several, each for an equal share of the trial."""


@dataclass(frozen=True)
class Clock:
    """Length of a trial in samples, its rate in Hz, and when it starts: slow courses go on between trials."""

    n_times: int
    sfreq: float
    start_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.n_times / self.sfreq

    @property
    def seconds(self) -> Float64[np.ndarray, " times"]:
        """Of every sample, from the start of the trial."""
        return np.arange(self.n_times) / self.sfreq


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
    rng: np.random.Generator, who: Person, felt: Course, duration_s: float
) -> Float64[np.ndarray, " beats"]:
    """Seconds of all heart beats: the rate follows the states, breathing, and a drift of its own."""
    n_beats = int(duration_s * 4) + 4  # 240 a minute at most
    states = _states(felt)
    noise = rng.standard_normal((2, n_beats))
    # over tens of seconds a heart wanders more than from beat to beat
    drift = scipy.signal.lfilter([0.3], [1, -0.95], noise[0]) + noise[1]
    turn = 2 * np.pi * rng.uniform()
    times = np.empty(n_beats)
    now = -rng.uniform()
    for beat in range(n_beats):
        times[beat] = now
        state = states[min(len(states) - 1, max(0, int(now / duration_s * len(states))))]
        swing = np.sin(2 * np.pi * now * who.breaths / 60 + turn)
        change = who.unsteadiness * (swing + drift[beat])
        bpm = who.bpm + AROUSED_BPM * who.response * state.arousal
        now += float(np.clip(60 / bpm * (1 + change), 0.3, 2.0))
    inside: Float64[np.ndarray, " beats"] = times[(times >= 0) & (times < duration_s)]
    return inside


def ecg(rng: np.random.Generator, who: Person, felt: Course, clock: Clock) -> Float32[np.ndarray, " times"]:
    """ECG in mV: P, QRS and T of every beat, some noise."""
    beats = beats_s(rng, who, felt, clock.duration_s)
    waves = (
        (0.12, -0.19, 0.025),
        (-0.10, -0.03, 0.010),
        (1.0, 0.0, 0.011),
        (-0.25, 0.03, 0.010),
        (0.3, 0.28, 0.05),
    )
    found = 0.02 * rng.standard_normal(clock.n_times)
    for height, lag_s, width_s in waves:
        found += _bumps(beats + lag_s, width_s, clock, height)
    return _single(found)


def bvp(rng: np.random.Generator, who: Person, felt: Course, clock: Clock) -> Float32[np.ndarray, " times"]:
    """Blood volume pulse, arbitrary unit: a steep rise and a dicrotic wave a beat, no two of one height."""
    beats = beats_s(rng, who, felt, clock.duration_s)
    heights = 60 * np.exp(0.15 * rng.standard_normal(beats.size))
    found = _bumps(beats + 0.20, 0.09, clock, heights)
    found += _bumps(beats + 0.48, 0.12, clock, who.dicrotic * heights)
    found += 1.5 * rng.standard_normal(clock.n_times) - found.mean()
    return _single(found)


def eda(rng: np.random.Generator, who: Person, felt: Course, clock: Clock) -> Float32[np.ndarray, " times"]:
    """Skin conductance in uS: a level that drifts, and responses whose rate follows arousal."""
    states = _states(felt)
    impulses = np.zeros(clock.n_times)
    edges = np.linspace(0, clock.n_times, len(states) + 1).astype(int)
    for state, first, stop in zip(states, edges, edges[1:], strict=False):
        rate = max(0.2, REST_SCR_A_MIN + AROUSED_SCR_A_MIN * who.response * state.arousal)  # a minute
        n_responses = rng.poisson(rate * (stop - first) / clock.sfreq / 60)
        places, heights = rng.integers(first, stop, n_responses), rng.uniform(0.05, 0.3, n_responses)
        np.add.at(impulses, places, heights)
    lags = np.arange(int(6 * SCR_DECAY_S * clock.sfreq)) / clock.sfreq
    rise_and_fall = np.exp(-lags / SCR_DECAY_S) - np.exp(-lags / SCR_RISE_S)
    responses = fft.irfft(_spectrum(impulses, lags.size) * _spectrum(rise_and_fall, clock.n_times))
    turns = (clock.start_s + clock.seconds) / who.drift_s + who.phase
    level = who.tonic_us * (1 + 0.1 * np.sin(2 * np.pi * turns))
    return _single(level + responses[: clock.n_times] + 0.002 * rng.standard_normal(clock.n_times))


def respiration(
    rng: np.random.Generator, who: Person, felt: Course, clock: Clock
) -> Float32[np.ndarray, " times"]:
    """Chest excursion, arbitrary unit: breaths of unequal length and depth, faster with arousal."""
    arousal = float(np.mean([state.arousal for state in _states(felt)]))
    breath_s = 60 / (who.breaths + AROUSED_BREATHS * who.response * arousal)
    n_breaths = int(2 * clock.duration_s / breath_s) + 8
    lengths_s = breath_s * np.exp(0.15 * rng.standard_normal(n_breaths))
    starts_s = np.append(0, np.cumsum(lengths_s)) - breath_s * rng.uniform()
    phase = np.interp(clock.seconds, starts_s, np.arange(n_breaths + 1))
    depth = DEPTH * np.interp(clock.seconds, starts_s, np.exp(0.2 * rng.standard_normal(n_breaths + 1)))
    return _single(depth * np.sin(2 * np.pi * phase) + 0.3 * rng.standard_normal(clock.n_times))


def temperature(
    rng: np.random.Generator, who: Person, felt: Course, clock: Clock
) -> Float32[np.ndarray, " times"]:
    """Skin temperature in degrees Celsius: drifts, and falls within minutes where arousal is high."""
    arousal = float(np.mean([state.arousal for state in _states(felt)]))
    drift = 0.2 * np.sin(2 * np.pi * ((clock.start_s + clock.seconds) / (3 * who.drift_s) + who.phase))
    fall = -0.3 * arousal * (1 - np.exp(-clock.seconds / 120))
    return _single(who.skin_degc + drift + fall + 0.01 * rng.standard_normal(clock.n_times))


def eog(rng: np.random.Generator, clock: Clock) -> Float32[np.ndarray, "2 times"]:
    """Horizontal and vertical EOG in uV: saccades as steps that fade, and blinks in the vertical one."""
    n_saccades, n_blinks = rng.poisson(np.array([SACCADES_A_MIN, BLINKS_A_MIN]) * clock.duration_s / 60)
    steps = np.zeros((2, clock.n_times))
    places = rng.integers(0, clock.n_times, n_saccades)
    for row in steps:
        np.add.at(row, places, 60 * rng.standard_normal(n_saccades))
    # amplifiers let a held gaze fade within seconds
    found: Float64[np.ndarray, "2 times"] = scipy.signal.lfilter(
        [1], [1, -np.exp(-1 / (2 * clock.sfreq))], steps
    )
    blinks_s = np.sort(rng.uniform(0, clock.duration_s, n_blinks))
    found[1] += _bumps(blinks_s, 0.06, clock, rng.uniform(100, 200, n_blinks))
    found += 3 * rng.standard_normal(found.shape)
    return found.astype(np.float32)


def emg(rng: np.random.Generator, state: State, clock: Clock) -> Float32[np.ndarray, " times"]:
    """Muscle noise in uV, stronger with arousal, in bursts."""
    bursts = np.abs(scipy.signal.lfilter([0.02], [1, -0.98], rng.standard_normal(clock.n_times)))
    gain = 5 * np.exp(0.4 * state.arousal) * (0.5 + bursts)
    return _single(gain * rng.standard_normal(clock.n_times))


def _single(values: Float64[np.ndarray, " times"]) -> Float32[np.ndarray, " times"]:
    found: Float32[np.ndarray, " times"] = values.astype(np.float32)
    return found


def _states(felt: Course) -> Sequence[State]:
    return (felt,) if isinstance(felt, State) else felt


def _bumps(
    centres_s: Float64[np.ndarray, " beats"],
    width_s: float,
    clock: Clock,
    tall: float | Float64[np.ndarray, " beats"] = 1.0,
) -> Float64[np.ndarray, " times"]:
    """A Gaussian at every centre."""
    found = np.zeros(clock.n_times)
    reach = int(np.ceil(4 * width_s * clock.sfreq))
    middle = np.rint(centres_s * clock.sfreq).astype(int)
    index = middle[:, None] + np.arange(-reach, reach + 1)  # beats samples
    heights = np.exp(-0.5 * ((index / clock.sfreq - centres_s[:, None]) / width_s) ** 2)
    heights *= np.broadcast_to(tall, centres_s.shape)[:, None]
    inside = (index >= 0) & (index < clock.n_times)
    np.add.at(found, index[inside], heights[inside])
    return found


def _spectrum(values: Float64[np.ndarray, " any"], n_more: int) -> np.ndarray:
    found: np.ndarray = fft.rfft(values, values.size + n_more + (values.size + n_more) % 2)
    return found
