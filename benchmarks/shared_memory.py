"""Do folds share one copy of the features? Private memory of the workers, for a small table and a large one.

    python benchmarks/shared_memory.py

Runs the same study on tables of about 50 MB and 500 MB and samples the private (unshared) memory of every
fold worker while it runs. If workers held copies, the figure would grow with the table.
"""

import argparse
import tempfile
import threading
from pathlib import Path

import psutil

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.experiment import ExperimentConfig
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.features import FeatureRequest, ensure_features
from emo_ray.orchestration.folds import FoldRun, run_missing
from emo_ray.orchestration.plan import make_plan
from emo_ray.orchestration.resources import Resources
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.results.journal import Journal
from emo_ray.store.reader import load_table
from emo_ray.training.config import TrainingConfig

N_TOKENS, N_FEATURES, N_SUBJECTS = 20, 640, 5
SEGMENT_BYTES = 4 * N_TOKENS * N_FEATURES
MIB = 2**20


class Sampler(threading.Thread):
    """Notes the most private memory that any fold worker has had."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Sample until told to end."""
        while not self.ended.wait(0.2):
            for process in psutil.Process().children(recursive=True):
                self._look_at(process)

    def _look_at(self, process: psutil.Process) -> None:
        try:
            # Ray names a worker after the actor method it is running.
            if "ImplicitFunc" in " ".join(process.cmdline()) or "run_fold" in " ".join(process.cmdline()):
                self.peak = max(self.peak, process.memory_full_info().uss)
        except psutil.Error:
            return  # it ended while it was looked at


def measure(megabytes: float) -> tuple[float, float]:
    """Size of the table and peak private memory of a fold worker, in MiB."""
    n_trials = max(2, round(megabytes * 1e6 / SEGMENT_BYTES / N_SUBJECTS))
    corpus = FakeCorpus(n_subjects=N_SUBJECTS, n_trials=n_trials, n_tokens=N_TOKENS, n_features=N_FEATURES)
    config = ExperimentConfig(
        corpus=corpus,
        extraction=RawTokens(n_tokens=N_TOKENS),
        task=corpus.tasks()["label"],
        model=AmigosLstmConfig(variant="lightweight"),
        training=TrainingConfig(max_epochs=1),
        protocol=LeaveOneSubjectOut(),
        references=("majority",),
    )
    with tempfile.TemporaryDirectory() as scratch, cluster():
        request = FeatureRequest(corpus, config.extraction, corpus.find_subjects(), Path(scratch) / "store")
        table = load_table(ensure_features(request))
        sampler = Sampler()
        sampler.start()
        with Journal(Path(scratch) / "study") as journal:
            study = FoldRun(journal, Resources(), lambda record: None)
            run_missing(make_plan([config], table).specs, {config.features: table}, study)
            assert all(record.status == "finished" for record in journal.records.values())
        sampler.ended.set()
        sampler.join()
        return table.n_bytes / MIB, sampler.peak / MIB


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, nargs=2, default=(50, 500))
    small, large = (measure(megabytes) for megabytes in parser.parse_args().megabytes)
    for table, private in (small, large):
        print(f"table {table:6.0f} MiB: private memory of a fold worker at most {private:6.0f} MiB")
    grown = large[1] - small[1]
    print(
        f"{large[0] - small[0]:.0f} MiB more table, {grown:+.0f} MiB more private memory "
        f"({grown / (large[0] - small[0]):.1%})"
    )


if __name__ == "__main__":
    main()
