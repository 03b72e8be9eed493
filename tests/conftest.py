"""What many tests share: the real data beside the project, a stored fake corpus, a small experiment."""

import os
from pathlib import Path

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("RAY_ADDRESS", None)
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ.pop("EMO_RAY_ROOT", None)


@pytest.fixture(scope="session")
def local_cluster():
    """One Ray cluster for all tests of this process; jobs that run in it find it and start none.

    Each process of a parallel test run has its own, on ports and in a folder that Ray picks.
    """
    from emo_ray.orchestration.cluster import cluster

    with cluster(n_cpus=2):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the open recordings do not lie beside the project")
    return folder


@pytest.fixture(scope="session")
def tiny_package():
    """Writes the package of a small final model into a folder; keywords are those of its `Choice`."""
    from emo_ray.corpora.fake import FakeCorpus
    from emo_ray.deployment.choice import Choice
    from emo_ray.deployment.making import Trained, package_of
    from emo_ray.deployment.package import write_package
    from emo_ray.experiment import ExperimentConfig, RunSpec
    from emo_ray.extraction.raw_tokens import RawTokens
    from emo_ray.models.mlp import MlpConfig
    from emo_ray.protocols.fold import FinalFold
    from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
    from emo_ray.run import execute
    from emo_ray.store.local import load_corpus
    from emo_ray.training.config import TrainingConfig

    def write(folder, store, **choice):
        corpus = FakeCorpus(n_subjects=3, n_trials=8)
        table = load_corpus(corpus, RawTokens(), store)
        experiment = ExperimentConfig(
            corpus=corpus,
            extraction=RawTokens(),
            task=corpus.tasks()["label"],
            model=MlpConfig(hidden=(4,)),
            training=TrainingConfig(max_epochs=1),
            protocol=LeaveOneSubjectOut(),
        )
        spec = RunSpec(experiment, FinalFold("everybody", table.subjects, (), ()), table.keys)
        result = execute(spec, table)
        trained = Trained(spec, result.record, result.weights)
        write_package(package_of(trained, table, "tiny", Choice(n_epochs=1, **choice)), folder)
        return folder

    return write
