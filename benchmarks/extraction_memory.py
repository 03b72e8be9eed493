"""Is feature extraction out of core? Peak memory of driver and workers as the number of subjects grows.

    python benchmarks/extraction_memory.py

Extracts and stores 4 and then 16 subjects of about 40 MB each and samples the private (unshared) memory of
the driver and of all extraction workers together while it runs. If anything kept subjects in memory, the
figure would grow with their number; it should be that of as many subjects as there are workers.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import psutil

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.features import FeatureRequest, ensure_features

N_TRIALS, N_TIMES, N_CHANNELS = 20, 8064, 64
SUBJECT_MIB = N_TRIALS * N_TIMES * N_CHANNELS * 4 / 2**20
MIB = 2**20
N_CPUS = 2


class Sampler(threading.Thread):
    """Notes the most private memory that the driver, and all extraction workers together, have had."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.driver = self.workers = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Sample until told to end."""
        driver = psutil.Process()
        while not self.ended.wait(0.25):
            self.driver = max(self.driver, driver.memory_full_info().uss)
            used = sum(self._private(process) for process in driver.children(recursive=True))
            self.workers = max(self.workers, used)

    def _private(self, process: psutil.Process) -> int:
        try:
            # Ray names a worker after the task that it is running; others have only loaded their libraries.
            is_worker = "ray::_call" in " ".join(process.cmdline())
            return int(process.memory_full_info().uss) if is_worker else 0
        except psutil.Error:
            return 0  # it ended while it was looked at


def measure(n_subjects: int) -> tuple[float, float, float]:
    """Seconds, and peak private memory of the driver and of all workers together, in MiB."""
    corpus = FakeCorpus(n_subjects=n_subjects, n_trials=N_TRIALS, n_tokens=N_TIMES, n_features=N_CHANNELS)
    with tempfile.TemporaryDirectory() as scratch, cluster(n_cpus=N_CPUS):
        request = FeatureRequest(corpus, RawTokens(n_tokens=N_TIMES), corpus.find_subjects(), Path(scratch))
        sampler = Sampler()
        sampler.start()
        started = time.perf_counter()
        paths = ensure_features(request)
        seconds = time.perf_counter() - started
        sampler.ended.set()
        sampler.join()
        assert len(paths) == n_subjects
        assert all(path.exists() for path in paths.values())
    return seconds, sampler.driver / MIB, sampler.workers / MIB


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subjects", type=int, nargs=2, default=(4, 16))
    few, many = parser.parse_args().subjects
    found = {}
    for n_subjects in (few, many):
        found[n_subjects] = seconds, driver, workers = measure(n_subjects)
        print(
            f"{n_subjects:3d} subjects of {SUBJECT_MIB:.0f} MiB in {seconds:5.1f} s: driver at most "
            f"{driver:5.0f} MiB, {N_CPUS} tasks at a time at most {workers:5.0f} MiB together"
        )
    grown = sum(found[many][1:]) - sum(found[few][1:])
    data = (many - few) * SUBJECT_MIB
    print(f"{data:.0f} MiB more data, {grown:+.0f} MiB more memory ({grown / data:.1%})")


if __name__ == "__main__":
    main()
