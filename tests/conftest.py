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
