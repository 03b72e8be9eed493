"""What the made AMIGOS subjects feel, how annotators see it, and how their bodies show it.

Latents are valence and arousal in units of their usual spread, one value a knot, 0 before the stimulus.
They come from other random streams than the signals, so that ``strength`` changes signals only.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.corpora.amigos import (
    BASELINE_S,
    EEG_CHANNELS,
    LONG_VIDEOS,
    SFREQ,
    VIDEOS,
    session_group,
)
from emo_ray.signals.segments import external_segments
from emo_ray.testing.physiology import EEG_BANDS, KNOT_HZ, n_knots, smooth_noise

LABEL_SPREAD = 0.1  # label for a latent of 1; over segments labels then spread by about 0.09
LABEL_LIMIT = 0.43  # the furthest annotation of the release
LEVEL_SHARE = 0.35  # part of the variance that is one level for the whole trial
COURSE_TIMESCALE_S = 12.0
SHARED_SHARE = 0.3  # part of the variance that all who watch a video have in common
RATER_NOISE = 0.015
SEGMENT_S = 20.0
RAMP_S = 2.0  # feeling starts within this time from the start of the stimulus
# Videos of the same count of segments whose common courses are opposite, see `common_course`.
OPPOSITES = (("4", "10"), ("5", "23"), ("9", "18"), ("20", "30"), ("34", "36"), ("13", "58"))

LEFT_FRONTAL = [EEG_CHANNELS.index(name) for name in ("AF3", "F7", "F3", "FC5")]
RIGHT_FRONTAL = [EEG_CHANNELS.index(name) for name in ("AF4", "F8", "F4", "FC6")]
POSTERIOR = [EEG_CHANNELS.index(name) for name in ("P7", "O1", "O2", "P8")]
TEMPORAL = [EEG_CHANNELS.index(name) for name in ("T7", "T8")]
THETA, ALPHA, BETA, GAMMA = range(len(EEG_BANDS))
# Rough places on the head (right, front), for the correlation of the noise over channels.
PLACES = np.array(
    [[-3, 8], [-7, 5], [-4, 5], [-6, 3], [-9, 0], [-7, -5], [-3, -9],
     [3, -9], [7, -5], [9, 0], [6, 3], [4, 5], [7, 5], [3, 8]], dtype=np.float64
)  # fmt: skip


class Coupling(BaseModel):
    """How strongly signals follow the latents, at strength 1 and for a latent at its limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beta_arousal: float = Field(0.05, description="log amplitude of beta everywhere")
    alpha_arousal: float = Field(-0.05, description="log amplitude of alpha everywhere")
    gamma_valence: float = Field(0.04, description="log amplitude of temporal gamma")
    asymmetry_valence: float = Field(
        0.9, description="alpha, right minus left frontal, while the gate is open"
    )
    asymmetry_noise: float = Field(1.0, description="sd of that asymmetry while the gate is shut")
    gate_posterior: float = Field(0.6, description="log amplitude of posterior theta, gate open minus shut")
    bursts_arousal: float = Field(0.6, description="log of the size of beta bursts; their mean stays")
    heart_arousal: float = Field(2.0, description="beats a minute")
    scr_arousal: float = Field(0.6, description="log rate of skin conductance responses")
    scr_rise: float = Field(0.5, description="log rate, for arousal rising by 1 in 10 s")


@dataclass(frozen=True)
class Courses:
    """Valence and arousal of one trial at the knots, in units of `LABEL_SPREAD`."""

    valence: Float64[np.ndarray, " knots"]
    arousal: Float64[np.ndarray, " knots"]

    def at_limit(self, gain: float) -> "Courses":
        """The same, saturated to -1..1 and taken times a gain."""
        return Courses(gain * np.tanh(self.valence / 1.5), gain * np.tanh(self.arousal / 1.5))


def stream(seed: int, *names: int | str) -> np.random.Generator:
    """A generator of its own for every purpose, subject and video."""
    # names become integers by their bytes: Python's own hash changes from process to process
    words = [int.from_bytes(str(name).encode(), "big") for name in names]
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))


def n_times(seed: int, subject: str, video: str) -> int:
    """Samples of a trial: one length a video, give or take 0.5 s, that holds its count of segments."""
    longest_s = SEGMENT_S * (VIDEOS[video] - 1)
    stimulus_s = longest_s - stream(seed, "length", video).uniform(1, 19)
    stimulus_s += stream(seed, "length", subject, video).uniform(-0.5, 0.5)
    return round((BASELINE_S + stimulus_s) * SFREQ)


def courses(seed: int, subject: str, video: str, n_samples: int) -> Courses:
    """What one subject feels during one video: partly as everybody, partly their own."""
    n_points = n_knots(n_samples)
    common = common_course(seed, subject, video, n_points)
    rng = stream(seed, "course", subject, video)
    own = course_and_level(rng, n_points)
    latent = np.sqrt(SHARED_SHARE) * common + np.sqrt(1 - SHARED_SHARE) * own
    latent *= np.clip((np.arange(n_points) / KNOT_HZ - BASELINE_S) / RAMP_S, 0, 1)
    return Courses(*latent)


def common_course(seed: int, subject: str, video: str, n_points: int) -> Float64[np.ndarray, "2 knots"]:
    """What all who watch a video share, or, for a long video, those who watched it in one room.

    The two videos of an `OPPOSITES` pair have the same course with opposite signs, and a short video
    without such a partner has none in common. So the place of a segment in its trial, and the length of
    the trial, tell nothing about the labels on average.
    """
    sign, names = 1, (session_group(subject) if video in LONG_VIDEOS else subject, video)
    for pair in OPPOSITES:
        if video in pair:
            sign, names = (1 if video == pair[0] else -1), ("all", pair[0])
    course = course_and_level(stream(seed, "common", *names), VIDEOS[video] * 40)
    here, there = np.linspace(0, 1, n_points), np.linspace(0, 1, course.shape[1])
    resampled: Float64[np.ndarray, "2 knots"] = np.stack([np.interp(here, there, row) for row in course])
    return sign * resampled


def course_and_level(rng: np.random.Generator, n_points: int) -> Float64[np.ndarray, "2 knots"]:
    """Two stationary courses of unit variance: one level for the trial plus smooth change."""
    change: Float64[np.ndarray, "2 knots"] = np.sqrt(1 - LEVEL_SHARE) * smooth_noise(
        rng, 2, n_points, COURSE_TIMESCALE_S
    )
    level = np.sqrt(LEVEL_SHARE) * rng.standard_normal((2, 1))
    change += level
    return change


def external_annotation(
    rng: np.random.Generator, felt: Courses, n_samples: int
) -> Float64[np.ndarray, "segments 3"]:
    """Rows of (index from 0, valence, arousal), the mean over each 20 s segment as annotators see it."""
    starts = external_segments(n_samples, SFREQ, BASELINE_S, SEGMENT_S)
    first = np.round(starts * KNOT_HZ).astype(np.int64)
    knots = first[:, None] + np.arange(int(SEGMENT_S * KNOT_HZ))  # segments knots
    means = np.stack([felt.valence[knots].mean(axis=1), felt.arousal[knots].mean(axis=1)], axis=1)
    seen = LABEL_SPREAD * means + RATER_NOISE * rng.standard_normal(means.shape)
    labels = LABEL_LIMIT * np.tanh(seen / LABEL_LIMIT)
    return np.column_stack([np.arange(len(starts)), labels])


def self_assessment(rng: np.random.Generator, felt: Courses) -> Float64[np.ndarray, "1 12"]:
    """Five scales from 1 to 9, arousal and valence first, then seven emotions, 0 or 1."""
    start = int(BASELINE_S * KNOT_HZ)
    arousal, valence = felt.arousal[start:].mean(), felt.valence[start:].mean()
    # arousal, valence, dominance, liking, familiarity
    means = np.array([arousal, valence, 0.3 * valence, 0.8 * valence, 0.0])
    scales = np.clip(5 + 2.0 * means + 0.8 * rng.standard_normal(5), 1, 9)
    emotions = np.zeros(7)
    emotions[2 if valence > 0 else 6] = 1  # happiness or sadness
    return np.concatenate([scales, emotions])[None]


@dataclass(frozen=True)
class Person:
    """What stays the same in all trials of one subject."""

    gain: float
    band_offsets: Float64[np.ndarray, "bands channels 1"]
    heart_bpm: float
    scr_rate_hz: float
    tonic_us: float
    mixing: Float32[np.ndarray, "channels channels"]


def person(seed: int, subject: str) -> Person:
    """Draw a person: all react the same way, but not equally strongly, and from another level."""
    rng = stream(seed, "person", subject)
    offsets = 0.15 * rng.standard_normal((len(EEG_BANDS), 1, 1))
    offsets = offsets + 0.06 * rng.standard_normal((len(EEG_BANDS), len(EEG_CHANNELS), 1))
    return Person(
        gain=float(np.exp(rng.normal(0, 0.2))),
        band_offsets=offsets,
        heart_bpm=rng.normal(70, 6),
        scr_rate_hz=0.12 * float(np.exp(rng.normal(0, 0.3))),
        tonic_us=float(np.exp(rng.normal(1.2, 0.25))),
        mixing=channel_mixing(),
    )


def channel_mixing() -> Float32[np.ndarray, "channels channels"]:
    """Square root of a correlation that falls with distance, 0.5 between neighbours."""
    distance = np.linalg.norm(PLACES[:, None] - PLACES[None], axis=2)
    return np.linalg.cholesky(np.exp(-distance / 6)).astype(np.float32)


def eeg_courses(
    rng: np.random.Generator, body: Courses, who: Person, weights: Coupling
) -> Float64[np.ndarray, "bands channels knots"]:
    """Log amplitude of every band and channel.

    Valence shows in the alpha asymmetry only while the gate is open; while it is shut the asymmetry moves
    by itself. The gate is seen in posterior theta. Arousal also sets how far beta swings from second to
    second around an unchanged mean. A linear model of mean log powers can use neither fully.
    """
    n_points = len(body.valence)
    # log: bands channels knots
    log = np.repeat(who.band_offsets, n_points, axis=2)
    log += 0.10 * smooth_noise(rng, len(EEG_BANDS), n_points, 6.0)[:, None]
    log += 0.04 * smooth_noise(rng, log.shape[0] * log.shape[1], n_points, 4.0).reshape(log.shape)
    gate = 1 / (1 + np.exp(-5 * smooth_noise(rng, 1, n_points, 12.0)[0]))
    idle = np.clip(smooth_noise(rng, 1, n_points, 8.0)[0], -2.5, 2.5)
    # one draw a second: averages out over 20 tokens of 1 s, so the mean of log beta stays
    bursts = np.repeat(rng.standard_normal(n_points // KNOT_HZ + 1), KNOT_HZ)[:n_points]
    asymmetry = weights.asymmetry_valence * body.valence * gate + weights.asymmetry_noise * idle * (1 - gate)
    log[ALPHA, RIGHT_FRONTAL] += asymmetry / 2
    log[ALPHA, LEFT_FRONTAL] -= asymmetry / 2
    log[THETA, POSTERIOR] += weights.gate_posterior * (gate - 0.5)
    log[GAMMA, TEMPORAL] += weights.gamma_valence * body.valence
    log[ALPHA] += weights.alpha_arousal * body.arousal
    log[BETA] += weights.beta_arousal * body.arousal
    log[BETA] += 0.2 * np.exp(weights.bursts_arousal * body.arousal) * bursts
    return log


def heart_course(
    rng: np.random.Generator, body: Courses, who: Person, weights: Coupling
) -> Float64[np.ndarray, " knots"]:
    """Beats a minute."""
    wander = 3.0 * smooth_noise(rng, 1, len(body.arousal), 10.0)[0]
    rate = who.heart_bpm + wander + weights.heart_arousal * body.arousal
    possible: Float64[np.ndarray, " knots"] = np.clip(rate, 45, 140)
    return possible


def response_rate(body: Courses, who: Person, weights: Coupling) -> Float64[np.ndarray, " knots"]:
    """Skin conductance responses a second; more with arousal, and more still while it rises."""
    rise = np.maximum(np.gradient(body.arousal, 1 / KNOT_HZ) * 10, 0)
    log = weights.scr_arousal * body.arousal + weights.scr_rise * np.minimum(rise, 2)
    rate: Float64[np.ndarray, " knots"] = who.scr_rate_hz * np.exp(log)
    return rate
