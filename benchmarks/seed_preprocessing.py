"""Preprocessing of a trial of SEED's size against one FFT of the same samples.

    python benchmarks/seed_preprocessing.py

62 channels at 200 Hz for 240 s, float32 as recordings are: differential entropy of 240 tokens of 1 s and of
60 tokens of 4 s (mode ``clean``), each then smoothed (LDS). The floor is one FFT of the trial, float32, a
channel at a time in one call. The command fails where all steps take more than five times the floor. One
thread, its own CPU time, and the fastest of many rounds, in which the steps take turns.
"""

import sys
from time import thread_time

import numpy as np
import scipy.fft
from threadpoolctl import threadpool_limits

from emo_ray.features.band_features import BandFeatures, token_band_features
from emo_ray.features.smoothing import PUBLISHED_LDS, lds_smooth

N_CHANNELS, SFREQ, TRIAL_S = 62, 200.0, 240.0
MOST_FLOORS = 5.0
TOLERANCE = 1e-3  # nats, float32 against float64
ROUNDS = 30
CLEAN = BandFeatures()


def entropy(eeg: np.ndarray, token_s: float) -> np.ndarray:
    """Tokens, end to end, of the whole trial."""
    return token_band_features(eeg, SFREQ, np.arange(0, TRIAL_S, token_s), token_s, CLEAN)


def main() -> int:
    """Print a row a step; 1 where all together take too long."""
    rng = np.random.default_rng(0)
    # brain-like: power falls with frequency, so that single precision is put to the test
    eeg = np.cumsum(rng.normal(0, 3, (N_CHANNELS, int(SFREQ * TRIAL_S))), axis=1).astype(np.float32)
    short, long = entropy(eeg, 1.0), entropy(eeg, 4.0)
    steps = {
        "one FFT (floor)": lambda: scipy.fft.rfft(eeg),
        "entropy, 1 s": lambda: entropy(eeg, 1.0),
        "entropy, 4 s": lambda: entropy(eeg, 4.0),
        "LDS, 240 tokens": lambda: lds_smooth(short, PUBLISHED_LDS),
        "LDS, 60 tokens": lambda: lds_smooth(long, PUBLISHED_LDS),
    }
    rounds = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, work in steps.items():
            start = thread_time()
            work()
            rounds[name].append(thread_time() - start)
    seconds = {name: min(times) for name, times in rounds.items()}
    floor_s = seconds.pop("one FFT (floor)")
    total_s = sum(seconds.values())
    for name, step_s in {"one FFT (floor)": floor_s, **seconds, "all steps": total_s}.items():
        print(f"{name:<18}{1e3 * step_s:>8.2f} ms{step_s / floor_s:>7.2f} floors")
    for values, token_s in ((short, 1.0), (long, 4.0)):
        difference = np.abs(values - entropy(eeg.astype(np.float64), token_s)).max()
        assert difference < TOLERANCE, f"single precision moves the entropy by {difference:.3g} nats"
        print(f"single precision, {token_s:g} s tokens: within {difference:.1e} nats of double precision")
    missed = total_s > MOST_FLOORS * floor_s
    print(
        f"seconds a trial: {total_s:.4f}, of which one FFT would be {floor_s / total_s:.0%}; "
        f"wanted at most {MOST_FLOORS:g} floors: {'missed' if missed else 'met'}"
    )
    return int(missed)


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main())
