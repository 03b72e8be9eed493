"""Differential entropy of 1 s windows against filters designed anew for each window, band and channel.

    python benchmarks/differential_entropy.py

The peer does what TorchEEG's BandDifferentialEntropy does for a window, as it can not be installed beside
our versions: for every band and channel a Butterworth band-pass of order 5 is designed, run forward
over the window from rest, and the entropy taken of the variance. Ours (mode ``windowed``) must be 30 times as
fast on one thread and give the same values: to 1e-9 nats of the same filters as second-order sections, and to
1e-4 of the peer, whose polynomials of order 10 cost the low bands digits. The other modes are shown beside
it; they measure something better, so only times are compared.
"""

import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np
from scipy.signal import butter, lfilter, sosfilt
from threadpoolctl import threadpool_limits

from emo_ray.features.band_features import BandFeatures, token_band_features
from emo_ray.signals.filters import Band

BANDS = {"theta": Band(4, 8), "alpha": Band(8, 14), "beta": Band(14, 31), "gamma": Band(31, 49)}  # TorchEEG's
SHAPES = ((14, 128.0), (62, 200.0))
SECONDS = 120
PEER_WINDOWS = 20
LEAST_RATIO = 30
TOLERANCE, PEER_TOLERANCE = 1e-9, 1e-4  # nats


Filter = Callable[[np.ndarray, Band, float], np.ndarray]


def polynomial(channel: np.ndarray, band: Band, sfreq: float) -> np.ndarray:
    """Designed and run as TorchEEG does."""
    numerator, denominator = butter(5, list(band), fs=sfreq, btype="band")
    return lfilter(numerator, denominator, channel)


def sections(channel: np.ndarray, band: Band, sfreq: float) -> np.ndarray:
    """The same filter with all its digits."""
    return sosfilt(butter(5, list(band), fs=sfreq, btype="band", output="sos"), channel)


def peer_entropy(eeg: np.ndarray, sfreq: float, run: Filter) -> np.ndarray:
    """Some windows one by one, every channel and band of each: windows features, nats."""
    length = int(sfreq)
    windows = [eeg[:, at : at + length] for at in range(0, PEER_WINDOWS * length, length)]
    variances = [
        [np.var(run(channel, band, sfreq)) for channel in window for band in BANDS.values()]
        for window in windows
    ]
    return 0.5 * np.log(2 * np.pi * np.e * np.array(variances))


def seconds_of(work, n_times: int) -> float:
    """Least seconds of some calls, the first one left out."""
    work()
    times = []
    for _ in range(n_times):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times)


def differences(eeg: np.ndarray, sfreq: float) -> str:
    """Largest differences of the windowed mode to both ways of filtering, after they were found small."""
    config = BandFeatures(mode="windowed", bands=BANDS)
    ours = token_band_features(eeg, sfreq, np.arange(float(PEER_WINDOWS)), 1.0, config)
    found = [np.abs(ours - peer_entropy(eeg, sfreq, run)).max() for run in (sections, polynomial)]
    assert found[0] < TOLERANCE, f"entropies differ by {found[0]:.3g} nats from those of sections"
    assert found[1] < PEER_TOLERANCE, f"entropies differ by {found[1]:.3g} nats from the peer's"
    return f"{found[0]:.1e}, {found[1]:.1e}"


def main() -> int:
    """Print a row a shape and mode; 1 where ours is too slow."""
    starts = np.arange(float(SECONDS))
    missed = False
    print(f"{'':<26}{'us a window':>12}{'peer, us':>12}{'ratio':>8}{'difference, nats':>22}")
    for n_channels, sfreq in SHAPES:
        eeg = np.random.default_rng(0).normal(0, 10, (n_channels, int(SECONDS * sfreq)))
        peer_us = 1e6 * seconds_of(lambda eeg=eeg, sfreq=sfreq: peer_entropy(eeg, sfreq, polynomial), 2)
        peer_us /= PEER_WINDOWS
        difference = differences(eeg, sfreq)
        for mode in ("windowed", "clean", "filtered"):
            work = (eeg, sfreq, starts, 1.0, BandFeatures(mode=mode, bands=BANDS))
            ours_us = 1e6 * seconds_of(lambda work=work: token_band_features(*work), 5) / SECONDS
            ratio = peer_us / ours_us
            missed |= mode == "windowed" and ratio < LEAST_RATIO
            label, shown = f"{n_channels} ch, {sfreq:g} Hz, {mode}", difference if mode == "windowed" else ""
            print(f"{label:<26}{ours_us:>12,.0f}{peer_us:>12,.0f}{ratio:>8,.0f}{shown:>22}")
    print("differences: to sections, to the peer")
    print(f"wanted: windowed {LEAST_RATIO} x the peer: {'missed' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main())
