"""Preprocessing of a trial of SEED's size against one FFT of the same samples.

    python benchmarks/seed_preprocessing.py

62 channels at 200 Hz for 240 s, float32 as recordings are. Two ways, each to stay within five floors: the
steps alone (differential entropy of 240 tokens of 1 s and of 60 of 4 s, mode ``clean``, each then smoothed by
LDS), and the path of a study, a `Recording` through the extraction that SEED's EEG takes by default, as it is
and with smoothing. A further row filters the trial first, as recordings at 200 Hz that nobody has filtered
would need: two runs of five second-order sections in double precision, so no limit is set.

The floor is one FFT of the trial, float32, all channels in one call; in double precision it would be higher,
and is printed. One thread, its own CPU time, and the fastest of many rounds, in which the rows take turns.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import thread_time

import numpy as np
import scipy.fft
from threadpoolctl import threadpool_limits

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.corpora.seed import Seed
from emo_ray.extraction.registry import AS_SEED_VII, default_extraction
from emo_ray.features.band_features import BandFeatures, token_band_features
from emo_ray.features.smoothing import PUBLISHED_LDS, lds_smooth
from emo_ray.signals.electrodes import SJTU62

SFREQ, TRIAL_S = 200.0, 240.0
MOST_FLOORS = 5.0
TOLERANCE = 1e-3  # nats, float32 against float64
ROUNDS = 30
CLEAN = BandFeatures()
FLOOR, DOUBLE_FLOOR = "one FFT (floor)", "one FFT, float64"


def entropy(eeg: np.ndarray, token_s: float) -> np.ndarray:
    """Tokens, end to end, of the whole trial."""
    return token_band_features(eeg, SFREQ, np.arange(0, TRIAL_S, token_s), token_s, CLEAN)


def steps(eeg: np.ndarray) -> dict[str, Callable[[], object]]:
    """Functions of arrays, one by one."""
    short, long = entropy(eeg, 1.0), entropy(eeg, 4.0)
    return {
        "entropy, 1 s": lambda: entropy(eeg, 1.0),
        "entropy, 4 s": lambda: entropy(eeg, 4.0),
        "LDS, 240 tokens": lambda: lds_smooth(short, PUBLISHED_LDS),
        "LDS, 60 tokens": lambda: lds_smooth(long, PUBLISHED_LDS),
    }


def paths(eeg: np.ndarray) -> dict[str, Callable[[], object]]:
    """From a recording to segments; the last one filters."""
    signals = {"eeg": Signal(eeg, SFREQ, "uV", SJTU62)}
    recording = Recording("seed/1", "1", "1", "seed/1", "seed/1", signals, {"label": 1.0})
    plain = default_extraction(Seed(path=Path()))
    smoothed = plain.model_copy(update={"smoothing": PUBLISHED_LDS})
    filtered = plain.model_copy(update={"cleaning": AS_SEED_VII})
    return {
        "SEED's default": lambda: plain.segments(recording),
        "... with LDS": lambda: smoothed.segments(recording),
        "... with filters": lambda: filtered.segments(recording),
    }


def fastest(rows: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Least CPU seconds of each row."""
    rounds: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, work in rows.items():
            start = thread_time()
            work()
            rounds[name].append(thread_time() - start)
    return {name: min(times) for name, times in rounds.items()}


def check_precision(eeg: np.ndarray) -> None:
    """What float32 costs in digits."""
    for token_s in (1.0, 4.0):
        difference = np.abs(entropy(eeg, token_s) - entropy(eeg.astype(np.float64), token_s)).max()
        assert difference < TOLERANCE, f"single precision moves the entropy by {difference:.3g} nats"
        print(f"single precision, {token_s:g} s tokens: within {difference:.1e} nats of double precision")


def main() -> int:
    """Print a row a step and a path; 1 where one of the two takes too long."""
    rng = np.random.default_rng(0)
    # brain-like: power falls with frequency, so that single precision is put to the test
    eeg = np.cumsum(rng.normal(0, 3, (len(SJTU62), int(SFREQ * TRIAL_S))), axis=1).astype(np.float32)
    double = eeg.astype(np.float64)
    floors = {FLOOR: lambda: scipy.fft.rfft(eeg), DOUBLE_FLOOR: lambda: scipy.fft.rfft(double)}
    parts, whole = steps(eeg), paths(eeg)
    seconds = fastest({**floors, **parts, **whole})
    floor_s = seconds[FLOOR]
    seconds["all four steps"] = sum(seconds[name] for name in parts)
    for name, row_s in seconds.items():
        print(f"{name:<18}{1e3 * row_s:>8.2f} ms{row_s / floor_s:>7.2f} floors")
    check_precision(eeg)
    limited = {name: seconds[name] for name in ("all four steps", "SEED's default", "... with LDS")}
    missed = max(limited.values()) > MOST_FLOORS * floor_s
    path_s = limited["... with LDS"]
    print(
        f"seconds a trial: {path_s:.4f} from recording to smoothed segments, of which one FFT would be "
        f"{floor_s / path_s:.0%}; wanted at most {MOST_FLOORS:g} floors: {'missed' if missed else 'met'}"
    )
    return int(missed)


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main())
