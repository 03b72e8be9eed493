"""A cluster that is not there is told in seconds, not waited for."""

import time

import pytest

from emo_ray.errors import ClusterError
from emo_ray.orchestration.cluster import cluster


@pytest.mark.parametrize("by_flag", [True, False], ids=["flag", "RAY_ADDRESS"])
def test_an_address_where_nothing_listens_is_refused_in_seconds(monkeypatch, by_flag):
    # whatever other tests have started in this process
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    if not by_flag:
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    started = time.monotonic()
    with (
        pytest.raises(ClusterError, match=r"'127.0.0.1:9'.*--address"),
        cluster("127.0.0.1:9" if by_flag else None),
    ):
        pass
    assert time.monotonic() - started < 10
