"""Weights as bytes, and checkpoints that are either whole or left aside."""

import logging

import pytest
import torch
from torch import nn

from emo_ray.training.checkpoint import Checkpointer, weights_digest, weights_from_bytes, weights_to_bytes


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.fixture
def saved(tmp_path):
    checkpointer = Checkpointer(tmp_path / "runs" / "state.pt", 0.0, "run-a")
    checkpointer.save({"weights": torch.arange(1000.0), "epoch": 3, "history": [{"loss": 0.5}]})
    return checkpointer


def test_weights_survive_the_trip_through_bytes():
    first, second = network(0), network(1)
    assert weights_digest(first) != weights_digest(second)
    weights_from_bytes(second, weights_to_bytes(first))
    assert weights_digest(first) == weights_digest(second)


def test_equal_weights_give_equal_bytes():
    assert weights_to_bytes(network()) == weights_to_bytes(network())


@pytest.mark.parametrize("change", ["weight", "buffer", "name", "shape"])
def test_digest_sees_every_change(change):
    model, other = network(), network()
    if change == "weight":
        other[2].bias.data[1] += 1e-7
    elif change == "buffer":
        other[1].running_var[0] = 2.0
    elif change == "name":
        other = nn.Sequential(model[0], model[1], nn.Identity(), model[2])
    else:
        other[0].weight.data = other[0].weight.data.reshape(3, 4)
    assert weights_digest(model) != weights_digest(other)


def test_a_checkpoint_comes_back(saved):
    state = saved.load()
    assert torch.equal(state["weights"], torch.arange(1000.0))
    assert (state["epoch"], state["history"]) == (3, [{"loss": 0.5}])


def test_a_checkpoint_is_a_weights_only_file_without_remains_beside_it(saved):
    assert torch.load(saved.path, weights_only=True)["fingerprint"] == "run-a"
    assert [path.name for path in saved.path.parent.iterdir()] == ["state.pt"]


def test_the_latest_checkpoint_wins_and_can_be_cleared(saved):
    saved.save({"epoch": 4})
    assert saved.load() == {"epoch": 4}
    saved.clear()
    assert saved.load() is None


def test_a_kill_while_writing_leaves_the_old_checkpoint(saved, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("emo_ray.files.os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        saved.save({"epoch": 4})
    assert saved.load()["epoch"] == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_checkpoint_is_left_aside_with_a_warning(saved, caplog, damage):
    good = saved.path.read_bytes()
    middle = good.index(torch.arange(500.0, 510.0).numpy().tobytes())
    flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    saved.path.write_bytes({"cut": good[:700], "flipped": flipped, "empty": b"", "text": b"hello"}[damage])
    with caplog.at_level(logging.WARNING):
        assert saved.load() is None
    assert "state.pt can not be read" in caplog.text


def test_a_checkpoint_of_another_run_is_left_aside_with_a_warning(saved, caplog):
    assert Checkpointer(saved.path, 0.0, "run-b").load() is None
    assert "is of run run-a, not run-b" in caplog.text


def test_a_checkpoint_of_an_older_version_is_left_aside_with_a_warning(saved, caplog):
    torch.save({"fingerprint": "run-a", "state": {"epoch": 3}}, saved.path)
    assert saved.load() is None
    assert "has format None" in caplog.text


def test_checkpoints_are_due_by_the_clock(tmp_path):
    assert Checkpointer(tmp_path / "state.pt", 0.0, "run").due()
    assert not Checkpointer(tmp_path / "state.pt", 3600.0, "run").due()
