"""Features as the SEED corpora ship them, drawn straight from a person and a state, without any signal."""

import numpy as np
from jaxtyping import Float64

from emo_ray.testing.body_signals import EEG_AROUSAL, EEG_RMS, EEG_VALENCE, Person, State

# What each emotion does to arousal and valence, -1 to 1; after the circumplex of Russell (1980).
STATES = {
    "disgust": State(0.3, -0.7),
    "fear": State(0.8, -0.6),
    "sad": State(-0.7, -0.6),
    "neutral": State(-0.2, 0.0),
    "happy": State(0.5, 0.9),
    "anger": State(0.9, -0.8),
    "surprise": State(0.8, 0.3),
}
N_EYE = 33
ROUGHNESS = 0.25  # nats, standard deviation of the entropy from window to window
DRIFT = 0.7  # of one window that the next one keeps


def felt(emotion: str, strength: float) -> State:
    """The state that an emotion puts people in."""
    state = STATES[emotion]
    return State(strength * state.arousal, strength * state.valence)


def entropy_windows(
    rng: np.random.Generator, who: Person, state: State, n_windows: int
) -> Float64[np.ndarray, "windows channels 5"]:
    """Differential entropy in nats of the EEG that `body_signals.eeg` would make of the state."""
    side = np.where(np.arange(len(who.channel_gain)) % 2 == 0, 1.0, -1.0)[:, None]  # channels 1
    change = who.response * (
        state.arousal * np.array(EEG_AROUSAL) + side * state.valence * np.array(EEG_VALENCE)
    )
    amplitude = np.array(list(EEG_RMS.values())) * who.channel_gain * np.exp(change)  # channels bands
    # of a Gaussian: log(2 pi e variance) / 2
    level = 0.5 * np.log(2 * np.pi * np.e) + np.log(amplitude)
    windows: Float64[np.ndarray, "windows channels 5"] = level + drifting(rng, (n_windows, *level.shape))
    return windows


def eye_windows(
    rng: np.random.Generator, habits: Float64[np.ndarray, " 33"], state: State, n_windows: int
) -> Float64[np.ndarray, "windows 33"]:
    """33 numbers a window, around the person's own; the pupil (the first 12) widens with arousal."""
    change = np.zeros(N_EYE)
    change[:12] = 0.6 * state.arousal
    change[22:24] = -0.5 * state.valence  # blinks
    windows: Float64[np.ndarray, "windows 33"] = habits + change + drifting(rng, (n_windows, N_EYE))
    return windows


def drifting(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Noise that changes slowly along the first axis, `ROUGHNESS` strong."""
    noise = ROUGHNESS * rng.standard_normal(shape)
    for window in range(1, shape[0]):
        noise[window] = DRIFT * noise[window - 1] + np.sqrt(1 - DRIFT**2) * noise[window]
    return noise
