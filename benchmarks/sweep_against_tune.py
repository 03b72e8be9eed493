"""A sweep of 25 candidates of a small model, against Ray Tune as its own pages show it.

    python benchmarks/sweep_against_tune.py [--candidates 25]

Both search the same space of the same network on the same stored features with the same inner fold, 20
epochs at most, TPE and ASHA. Ours is the whole path: journal, Optuna storage, MLflow by outbox. Plain Tune:
OptunaSearch, ASHAScheduler, a process a trial that loads its data, MLflowLoggerCallback. Each starts Ray
anew; the clock runs from a started cluster to the last line in MLflow.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch
from sweep_throughput import Delivered

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.experiment import ExperimentConfig, RunSpec, validated
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.study import Study
from emo_ray.orchestration.sweep import Sweep, run_sweep
from emo_ray.orchestration.sweep_plan import SweepRequest
from emo_ray.processes import n_cores
from emo_ray.run import fit
from emo_ray.search.config import Asha, Budget, HoldOutScoring, SearchConfig
from emo_ray.search.inner_folds import inner_folds
from emo_ray.space import parse_space
from emo_ray.store.local import load_corpus
from emo_ray.tracking.outbox import SearchOutbox
from emo_ray.tracking.search import SearchTracker
from emo_ray.training.loop import Runtime

CORPUS = FakeCorpus(n_subjects=15, n_trials=70, n_tokens=4, n_features=16, strength=0.3)
SPACE = {
    "model.dropout": {"uniform": [0, 0.6]},
    "training.optimizer.learning_rate": {"log": [1e-4, 1e-1]},
    "training.batch_size": [16, 32, 64],
}
STOPPING = Asha()
EPOCHS = 20
METRIC = "balanced_accuracy"


def experiment() -> ExperimentConfig:
    """A small network on a table of 1,050 segments."""
    return validated(
        {
            "corpus": CORPUS,
            "extraction": RawTokens(),
            "task": CORPUS.tasks()["label"],
            "model": MlpConfig(hidden=(32,)),
            "training": {"max_epochs": EPOCHS, "monitor": "primary"},
            "protocol": {"kind": "loso"},
        }
    )


def ours(n_candidates: int, root: Path) -> float:
    """Seconds of our sweep."""
    base = experiment()
    config = SearchConfig(
        space=parse_space(SPACE, "this benchmark"),
        stopping=STOPPING,
        budget=Budget(n_candidates=n_candidates),
    )
    tracker = SearchTracker(f"sqlite:///{root / 'ours.db'}", "ours", root / "artifacts")
    tracker.check()
    study = Study((base,), CORPUS.find_subjects(), root, name="ours", job="against_tune")
    with cluster():
        clock = time.perf_counter()
        outbox = SearchOutbox(tracker, patience_s=600)
        run_sweep(Sweep(study, SweepRequest((base,), config)), Delivered(outbox))
        assert outbox.close() == 0, "everything was delivered"
        return time.perf_counter() - clock


class Report:
    """Passes every epoch on to Tune."""

    def report(self, epoch: int, metrics: Mapping[str, Mapping[str, float]], best_epoch: int) -> None:
        """One epoch has ended."""
        tune.report({METRIC: metrics["validation"][METRIC]})


def train_plainly(config: Mapping[str, Any]) -> None:
    """A trial as tutorials write it: load the data, train, report every epoch."""
    base = experiment()
    table = load_corpus(CORPUS, base.extraction, Path(config["root"]) / "store")
    settings = {key: value for key, value in config.items() if key != "root"}
    groups = {subject: table.groups[subject] for subject in table.subjects}
    fold = inner_folds("", groups, HoldOutScoring(), base)[0]
    fit(RunSpec(base.changed(settings), fold, table.keys), table, Runtime(observer=Report()))


def plainly(n_candidates: int, root: Path) -> float:
    """Seconds of Tune as it is."""
    space = {
        "model.dropout": tune.uniform(0, 0.6),
        "training.optimizer.learning_rate": tune.loguniform(1e-4, 1e-1),
        "training.batch_size": tune.choice([16, 32, 64]),
        "root": str(root),
    }
    SearchTracker(f"sqlite:///{root / 'plain.db'}", "plain", root / "artifacts").check()
    callback = MLflowLoggerCallback(tracking_uri=f"sqlite:///{root / 'plain.db'}", experiment_name="plain")
    scheduler = ASHAScheduler(
        max_t=EPOCHS, grace_period=STOPPING.grace_epochs, reduction_factor=STOPPING.reduction_factor
    )
    with cluster():
        clock = time.perf_counter()
        tune.Tuner(
            tune.with_resources(train_plainly, {"cpu": 1}),
            param_space=space,
            tune_config=tune.TuneConfig(
                metric=METRIC,
                mode="max",
                num_samples=n_candidates,
                search_alg=ConcurrencyLimiter(OptunaSearch(), max_concurrent=n_cores()),
                scheduler=scheduler,
            ),
            run_config=tune.RunConfig(storage_path=str(root), verbose=0, callbacks=[callback]),
        ).fit()
        return time.perf_counter() - clock


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=25)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        load_corpus(CORPUS, experiment().extraction, root / "store")
        own, plain = ours(options.candidates, root), plainly(options.candidates, root)
    print(f"ours {own:.1f} s, plain Tune {plain:.1f} s: {own / plain:.2f} of its wall time")


if __name__ == "__main__":
    main()
