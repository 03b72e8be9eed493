"""LDS smoothing of all series of a trial against pykalman, one series at a time.

    python benchmarks/lds_smoothing.py [--series 310]

A trial of SEED: 62 channels x 5 bands, 60 windows. pykalman smooths ``--series`` of the 310 series one by
one, and its time is scaled to all of them; the values of these series must agree to 1e-10. The command fails
where the ratio is below 2,000. One thread.
"""

import argparse
import sys
from time import perf_counter

import numpy as np
from pykalman import KalmanFilter
from threadpoolctl import threadpool_limits

from emo_ray.features.smoothing import PUBLISHED_LDS, LdsConfig, lds_matrix, lds_smooth

N_TIMES, N_SERIES = 60, 62 * 5
LEAST_RATIO = 2_000
TOLERANCE = 1e-10
CONFIGS = {"published smoother": PUBLISHED_LDS, "causal filter": LdsConfig(kind="causal")}


def pykalman_loop(series: np.ndarray, config: LdsConfig) -> np.ndarray:
    """A filter made and run for every series."""
    smoothed = np.empty_like(series)
    for column, values in enumerate(series.T):
        m0 = values.mean() if config.m0 == "mean" else values[0]
        model = KalmanFilter([[1]], [[1]], [[config.q]], [[config.r]], [0], [0], [m0], [[config.p0]])
        run = model.smooth if config.kind == "smooth" else model.filter
        smoothed[:, column] = run(values)[0][:, 0]
    return smoothed


def fastest_of(work, n_times: int) -> float:
    """Least seconds of some calls."""
    times = []
    for _ in range(n_times):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times)


def main() -> int:
    """Print a row a configuration; 1 where one is too slow."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=62, help="how many of the 310 pykalman is timed on")
    n_timed = parser.parse_args().series
    series = np.random.default_rng(0).normal(20, 3, (N_TIMES, N_SERIES))
    print(f"{'':<20}{'ours, ms':>10}{'first, ms':>11}{'pykalman, s':>13}{'ratio':>9}{'difference':>12}")
    missed = False
    for name, config in CONFIGS.items():
        lds_matrix.cache_clear()
        first_s = fastest_of(lambda config=config: lds_smooth(series, config), 1)  # makes the matrix
        ours_s = fastest_of(lambda config=config: lds_smooth(series, config), 200)
        start = perf_counter()
        peer = pykalman_loop(series[:, :n_timed], config)
        peer_s = (perf_counter() - start) * N_SERIES / n_timed
        difference = np.abs(lds_smooth(series, config)[:, :n_timed] - peer).max()
        assert difference < TOLERANCE, f"values differ by {difference:.3g}"
        ratio = peer_s / ours_s
        missed |= ratio < LEAST_RATIO
        row = f"{1e3 * ours_s:>10.3f}{1e3 * first_s:>11.2f}{peer_s:>13.2f}{ratio:>9,.0f}{difference:>12.1e}"
        print(f"{name:<20}{row}")
    verdict = "missed" if missed else "met"
    print(f"wanted: {LEAST_RATIO:,} x pykalman (timed on {n_timed} of {N_SERIES} series): {verdict}")
    return int(missed)


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main())
