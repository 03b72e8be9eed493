"""How much time a LOSO study needs beyond its arithmetic, and against two usual ways to write it.

    python benchmarks/loso_fanout.py

37 subjects x 324 segments of 20 x 16, an AMIGOS-size LSTM, 3 epochs, batch 128, through the real store, plan,
Tune trials and journal. Prints

- overhead: wall time of all folds / (sum of single-thread seconds in the training loop / cores), with Ray
  already started;
- the time of a fold against a plain sequential PyTorch loop with DataLoader, and against Tune trials that
  each get a fresh process and load the data themselves (both measured on a few folds in the same call).
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.base import SegmentShape
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.features import FeatureRequest, ensure_features
from emo_ray.orchestration.folds import FoldRun, run_missing
from emo_ray.orchestration.plan import make_plan
from emo_ray.orchestration.resources import Resources
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.results.journal import Journal
from emo_ray.results.run_result import RunRecord
from emo_ray.store.reader import load_table
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.config import TrainingConfig
from emo_ray.training.seeding import Streams, reset_process

CORPUS = FakeCorpus(n_subjects=37, n_trials=324, n_tokens=20, n_features=16, strength=0.2)
N_CORES = torch.multiprocessing.cpu_count()
# "Ray already started": its worker processes have come up and loaded torch.
WARM_S = 5.0


def experiment(epochs: int, variant: str) -> ExperimentConfig:
    """The study of this benchmark; references are left out, for they are not part of the loop."""
    return ExperimentConfig(
        corpus=CORPUS,
        extraction=RawTokens(n_tokens=20),
        task=CORPUS.tasks()["label"],
        model=AmigosLstmConfig.model_validate({"variant": variant}),
        training=TrainingConfig(max_epochs=epochs, batch_size=128),
        protocol=LeaveOneSubjectOut(),
        references=(),
    )


def emo_ray_study(
    config: ExperimentConfig, folder: Path
) -> tuple[float, dict[str, RunRecord], SegmentTable, list[RunSpec]]:
    """Wall seconds from stored features to the last journal line; the records; what the peers need."""
    request = FeatureRequest(
        config.corpus, config.extraction, config.corpus.find_subjects(), folder / "store"
    )
    ensure_features(request)
    time.sleep(WARM_S)
    started = time.perf_counter()
    table = load_table(ensure_features(request))
    specs = list(make_plan([config], table).specs)
    with Journal(folder / "study") as journal:
        run_missing(specs, {config.features: table}, FoldRun(journal, Resources(), lambda record: None))
        records = dict(journal.records)
    return time.perf_counter() - started, records, table, specs


def plain_fold(spec: RunSpec, table: SegmentTable) -> None:
    """A fold without a framework: scaled copies, TensorDataset, DataLoader, default threads."""
    config = spec.experiment
    values, mask = (
        table.values["features"],
        torch.ones(1, table.values["features"].shape[1], dtype=torch.bool),
    )
    targets = config.task.targets(table.columns)["label"].astype(np.int64)
    train, validation = table.rows_of(spec.fold.train), table.rows_of(spec.fold.validation)
    mean, std = values[train].mean(axis=(0, 1)), values[train].std(axis=(0, 1))
    loaders = [
        DataLoader(
            TensorDataset(torch.from_numpy((values[rows] - mean) / std), torch.from_numpy(targets[rows])),
            128,
            shuffle=i == 0,
        )
        for i, rows in enumerate((train, validation))
    ]
    model = config.model.build(SegmentShape({"features": values.shape[1:]}, {"label": 2}))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(config.training.max_epochs):
        model.train()
        for x, y in loaders[0]:
            loss = nn.functional.cross_entropy(
                model({"features": x}, {"features": mask.expand(len(x), -1)})["label"], y
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for x, _ in loaders[1]:
                model({"features": x}, {"features": mask.expand(len(x), -1)})


def sequential_peer(specs: Sequence[RunSpec], table: SegmentTable) -> float:
    """Wall seconds a fold, one after the other, with as many threads as torch takes."""
    reset_process(Streams(0))
    torch.set_num_threads(N_CORES)
    return seconds_each(lambda spec: plain_fold(spec, table), specs)


def cold_tune_peer(specs: Sequence[RunSpec], paths: Path) -> float:
    """Wall seconds a fold of a plain Tune run: a fresh process a trial, which loads the data itself."""
    from ray import tune

    def trial(config: dict[str, int]) -> None:
        torch.set_num_threads(1)
        table = load_table({path.stem: path for path in sorted(paths.rglob("*.parquet"))})
        plain_fold(specs[config["fold"]], table)
        tune.report({"done": 1})

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={"fold": tune.grid_search(list(range(len(specs))))},
            tune_config=tune.TuneConfig(reuse_actors=False),
            run_config=tune.RunConfig(storage_path=scratch, verbose=0),
        ).fit()
    return (time.perf_counter() - started) / len(specs)


def seconds_each(function: Callable[[RunSpec], None], specs: Sequence[RunSpec]) -> float:
    """Mean wall seconds of one call."""
    started = time.perf_counter()
    for spec in specs:
        function(spec)
    return (time.perf_counter() - started) / len(specs)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--peer-folds", type=int, default=4, help="folds that the peers are timed on")
    parser.add_argument(
        "--variant", default="loso", help="of the AMIGOS LSTM; the published LOSO runs used loso"
    )
    options = parser.parse_args()
    config = experiment(options.epochs, options.variant)
    with tempfile.TemporaryDirectory() as scratch, cluster(n_cpus=N_CORES):
        wall, records, table, specs = emo_ray_study(config, Path(scratch))
        failed = [record.error for record in records.values() if record.status != "finished"]
        assert not failed, failed
        in_loop = sum(record.seconds["train"] for record in records.values())
        each = wall / len(specs)
        print(
            f"folds {len(specs)}, cores {N_CORES}, wall {wall:.1f} s, in the loop {in_loop:.1f} s (sum, "
            f"single thread)"
        )
        print(f"overhead: wall / (in-loop / cores) = {wall / (in_loop / N_CORES):.3f}   (limit 1.20)")
        sequential = sequential_peer(specs[: options.peer_folds], table)
        print(
            f"plain sequential loop with DataLoader: {sequential:.2f} s a fold, {sequential / each:.1f} "
            f"x ours ({each:.2f} s)"
        )
        cold = cold_tune_peer(specs[: 2 * options.peer_folds], Path(scratch) / "store")
        print(
            f"Tune, a fresh process a trial, data loaded in each: {cold:.2f} s a fold, {cold / each:.2f} "
            f"x ours"
        )


if __name__ == "__main__":
    main()
