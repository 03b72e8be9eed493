"""Arrays and files as SEED and SEED-IV have them: EEG a clip, and the features shipped beside."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy
from jaxtyping import Float64

from emo_ray.features.asymmetry import front_back_pairs, left_right_pairs
from emo_ray.files import atomic_path
from emo_ray.signals.electrodes import SJTU62
from emo_ray.testing.body_signals import Clock, Person, State, eeg
from emo_ray.testing.seed_features import entropy_windows

RAW_HZ = 200
# EEG is written in steps of 1/2 uV: the lower bytes are then zero, which saves time and space.
EEG_STEPS = 2.0
FEATURE_STEPS = 4096.0
SMOOTHING_WINDOWS = 5
LEVEL_NATS = 12.0  # of released entropies above those of EEG in uV: they lie between 10 and 28
LDS_KEEPS = 0.8  # of the state, from window to window: what a linear dynamic system amounts to here

# In place of SciPy's text, which holds the time of writing: the same arguments give the same bytes.
HEADER_TEXT = b"MATLAB 5.0 MAT-file, synthetic SEED subject made by emo_ray".ljust(116)


def save_mat(file: Path, variables: Mapping[str, np.ndarray]) -> Path:
    """Write a compressed v7 file; it appears whole or not at all."""
    with atomic_path(file) as part, part.open("wb") as target:
        scipy.io.savemat(target, dict(variables), do_compression=True)
        target.seek(0)
        target.write(HEADER_TEXT)
    return file


def clip_eeg(
    rng: np.random.Generator, who: Person, state: State, n_times: int
) -> Float64[np.ndarray, "62 times"]:
    """Preprocessed EEG in uV."""
    values = eeg(rng, who, state, Clock(n_times, float(RAW_HZ))).astype(np.float64)
    steps: Float64[np.ndarray, "62 times"] = np.round(values * EEG_STEPS) / EEG_STEPS
    return steps


def clip_features(
    rng: np.random.Generator, who: Person, state: State, n_windows: int, names: tuple[str, ...]
) -> dict[str, Float64[np.ndarray, "_ windows 5"]]:
    """Features in both smoothings, in the order of the release, by their names without the clip."""
    entropy = entropy_windows(rng, who, state, n_windows).transpose(1, 0, 2)  # channels windows bands
    kernel = np.ones(SMOOTHING_WINDOWS) / SMOOTHING_WINDOWS
    level = entropy[:, :1]
    smooth = {
        "movingAve": level + scipy.signal.lfilter(kernel, [1.0], entropy - level, axis=1),
        "LDS": level + scipy.signal.lfilter([1 - LDS_KEEPS], [1.0, -LDS_KEEPS], entropy - level, axis=1),
    }
    found = {}
    for name in names:
        for smoothing, de in smooth.items():
            found[f"{name}_{smoothing}"] = np.round(_feature(name, de) * FEATURE_STEPS) / FEATURE_STEPS
    return found


def _feature(name: str, de: Float64[np.ndarray, "62 windows 5"]) -> Float64[np.ndarray, "_ windows 5"]:
    if name == "de":
        return de + LEVEL_NATS
    if name == "psd":
        return np.asarray(np.exp(2 * de) / (2 * np.pi * np.e))  # the variance that has this entropy
    if name == "asm":
        return np.concatenate([_feature("dasm", de), _feature("rasm", de)])
    pairs = front_back_pairs(SJTU62) if name == "dcau" else left_right_pairs(SJTU62)
    one, other = (de[[SJTU62.index(pair[side]) for pair in pairs]] for side in (0, 1))
    # nearly 0 below the line would be rare and huge, as in the release
    return np.asarray(one / np.where(other == 0, 1e-3, other) if name == "rasm" else one - other)
