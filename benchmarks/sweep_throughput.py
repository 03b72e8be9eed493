"""What a candidate-fold costs beside its arithmetic, from plan to MLflow.

    python benchmarks/sweep_throughput.py [--folds 1000 5000]

Trivial trainings (one epoch of a tiny network on a fake corpus), 5 inner folds a candidate, TPE, Optuna's
journal storage, the study's own journal, MLflow on SQLite. The clock runs from the plan to the last
delivery, with Ray and the MLflow store already there. Prints wall time and milliseconds a candidate-fold
for each size, and how much the cost grew.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.experiment import ExperimentConfig, validated
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.probe import Estimate
from emo_ray.orchestration.study import Study
from emo_ray.orchestration.sweep import Sweep, run_sweep
from emo_ray.orchestration.sweep_plan import SweepRequest
from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_results import Candidate, SearchResults
from emo_ray.search.config import Budget, KFoldScoring, NoStopping, SearchConfig
from emo_ray.space import parse_space
from emo_ray.tracking.outbox import SearchOutbox
from emo_ray.tracking.search import SearchTracker

CORPUS = FakeCorpus(n_subjects=6, n_trials=8)
N_FOLDS = 5
SPACE = parse_space(
    {
        "model.dropout": {"uniform": [0, 0.6]},
        "training.optimizer.learning_rate": {"log": [1e-4, 1e-1]},
        "training.optimizer.weight_decay": {"log": [1e-6, 1e-1]},
        "training.batch_size": [16, 32, 64],
    },
    "this benchmark",
)


@dataclass
class Delivered:
    """Follows a sweep for MLflow, as a job does, and notes when the plan stood."""

    outbox: SearchOutbox
    planned_s: float = field(default=0.0)

    def approved(self, estimate: Estimate) -> bool:
        """Always."""
        self.planned_s = time.perf_counter()
        return True

    def opened(self, results: SearchResults) -> None:
        """Start to deliver."""
        self.outbox.opened(results)

    def heard(self, record: RunRecord) -> None:
        """There are no tests in a plain sweep."""

    def heard_candidate(self, candidate: Candidate) -> None:
        """Deliver it."""
        self.outbox.heard_candidate(candidate)


def experiment() -> ExperimentConfig:
    """As little arithmetic as there can be."""
    return validated(
        {
            "corpus": CORPUS,
            "extraction": RawTokens(),
            "task": CORPUS.tasks()["label"],
            "model": MlpConfig(hidden=(8,)),
            "training": {"max_epochs": 1, "monitor": "primary"},
            "protocol": {"kind": "loso"},
        }
    )


def seconds(n_runs: int, root: Path) -> float:
    """Wall time of a sweep of so many candidate-folds, its last delivery included."""
    base = experiment()
    config = SearchConfig(
        space=SPACE,
        scoring=KFoldScoring(n_folds=N_FOLDS),
        stopping=NoStopping(),
        budget=Budget(n_candidates=n_runs // N_FOLDS),
    )
    tracker = SearchTracker(f"sqlite:///{root / 'mlflow.db'}", "throughput", root / "artifacts")
    tracker.check()
    follower = Delivered(SearchOutbox(tracker, patience_s=600))
    study = Study((base,), CORPUS.find_subjects(), root, name=f"runs-{n_runs}", job="throughput")
    results = run_sweep(Sweep(study, SweepRequest((base,), config)), follower)
    left = follower.outbox.close()
    spent = time.perf_counter() - follower.planned_s
    n_done = sum(len(candidate.folds) for candidate in results.searches[""])
    assert (n_done, left) == (n_runs, 0), f"{n_done} of {n_runs} done, {left} not delivered"
    return spent


def main() -> None:
    """Print one line a size, then the growth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folds", type=int, nargs="+", default=[1000, 5000])
    options = parser.parse_args()
    costs = []
    with tempfile.TemporaryDirectory() as root, cluster():
        seconds(5 * N_FOLDS, Path(root))  # workers load what they need
        for n_runs in options.folds:
            spent = seconds(n_runs, Path(root))
            costs.append(1000 * spent / n_runs)
            print(f"{n_runs:5d} candidate-folds: {spent:6.1f} s, {costs[-1]:.1f} ms each", flush=True)
    if len(costs) > 1:
        print(f"growth of the cost of one: {100 * (costs[-1] / costs[0] - 1):+.0f} %")


if __name__ == "__main__":
    main()
