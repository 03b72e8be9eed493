"""Training on everybody: nothing stops it, and its last weights are kept."""

import numpy as np
import pytest
import torch

from emo_ray.errors import TrainingError
from emo_ray.models.mlp import MlpConfig
from emo_ray.training.checkpoint import Checkpointer, weights_digest
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, Split, train
from emo_ray.training.optimizer import OptimizerConfig, PlateauConfig
from emo_ray.training.seeding import Streams, reset_process

ROWS = np.arange(0, 40)
NOBODY = Split(train=ROWS, validation=np.arange(0))
FAST = TrainingConfig(max_epochs=6, batch_size=8, optimizer=OptimizerConfig(learning_rate=0.02))
BY_PLATEAU = FAST.model_copy(update={"plateau": PlateauConfig(patience=0, factor=0.1, min_learning_rate=0.0)})


class Recorder:
    """Observer that keeps which epoch was best when, and may end the run."""

    def __init__(self, stop_after=None):
        self.heard, self.stop_after = [], stop_after

    def report(self, epoch, metrics, best_epoch):
        self.heard.append((epoch, best_epoch, metrics["validation"]))
        if epoch == self.stop_after:
            raise KeyboardInterrupt


def fit(data, config=FAST, rows=NOBODY, **runtime):
    streams = Streams(0)
    reset_process(streams)
    model = MlpConfig(dropout=0.2).build(data.shape())
    return train(model, data, rows, config, streams, Runtime(**runtime))


def test_it_trains_exactly_as_long_as_it_is_told(single_head):
    hopeless = {"patience": 1, "min_delta": 1e9}
    for n in (1, 7):
        fitted = fit(single_head, FAST.model_copy(update={"max_epochs": n, **hopeless}))
        assert [entry["epoch"] for entry in fitted.history] == list(range(n))
        assert fitted.best_epoch == n - 1
    assert not fitted.model.training


def test_the_last_weights_are_kept_also_where_an_earlier_epoch_was_better(single_head):
    too_fast = FAST.model_copy(update={"optimizer": OptimizerConfig(kind="sgd", learning_rate=2.0)})
    snapshots = []

    class Snapshot:
        def report(self, epoch, metrics, best_epoch):
            snapshots.append(weights_digest(model))

    reset_process(Streams(0))
    model = MlpConfig(dropout=0.2).build(single_head.shape())
    kept = train(model, single_head, NOBODY, too_fast, Streams(0), Runtime(observer=Snapshot()))
    losses = [entry["train"]["loss"] for entry in kept.history]
    assert min(losses) < losses[-1]
    assert weights_digest(kept.model) == snapshots[-1] != snapshots[int(np.argmin(losses))]


def test_who_listens_hears_that_the_last_epoch_is_the_best(single_head):
    fit(single_head, observer=(recorder := Recorder()))
    assert recorder.heard == [(epoch, epoch, {}) for epoch in range(6)]


def test_its_first_epoch_is_that_of_a_run_with_validation(single_head):
    watched = fit(single_head, rows=Split(train=ROWS, validation=np.arange(40, 50)))
    alone = fit(single_head)
    assert alone.history[0]["train"] == watched.history[0]["train"]


@pytest.mark.parametrize("min_delta", [0.0, 1e9], ids=["the rate stays", "the rate falls every epoch"])
@pytest.mark.parametrize("stop_after", [1, 4])
def test_resumed_from_a_checkpoint_it_equals_the_undisturbed_run_bit_for_bit(
    three_heads, tmp_path, stop_after, min_delta
):
    config = BY_PLATEAU.model_copy(update={"min_delta": min_delta})
    undisturbed = fit(three_heads, config)
    safety = {"checkpointer": Checkpointer(tmp_path / "state.pt", 0.0, "run")}
    with pytest.raises(KeyboardInterrupt):
        fit(three_heads, config, observer=Recorder(stop_after), **safety)
    resumed = fit(three_heads, config, observer=(recorder := Recorder()), **safety)
    assert recorder.heard[0][0] == stop_after  # its checkpoint is of the epoch before
    assert weights_digest(resumed.model) == weights_digest(undisturbed.model)
    assert (resumed.history, resumed.best_epoch) == (undisturbed.history, undisturbed.best_epoch)


def test_killed_after_its_last_epoch_it_does_not_train_on(single_head, tmp_path):
    safety = {"checkpointer": Checkpointer(tmp_path / "state.pt", 0.0, "run")}
    first, second = fit(single_head, **safety), fit(single_head, **safety)
    assert second.history == first.history
    assert weights_digest(second.model) == weights_digest(first.model)


def watch_plateau(monkeypatch):
    """What the schedule is told in every epoch, and the learning rate after it."""
    heard, plateau = [], torch.optim.lr_scheduler.ReduceLROnPlateau
    real = plateau.step

    def step(self, value):
        real(self, value)
        heard.append((value, self.optimizer.param_groups[0]["lr"]))

    monkeypatch.setattr(plateau, "step", step)
    return heard


@pytest.mark.parametrize("monitor", ["loss", "macro_f1"])
@pytest.mark.parametrize(("min_delta", "factors"), [(1e9, [1, 0.1, 0.01, 1e-3]), (0.0, [1, 1, 1, 1])])
def test_the_learning_rate_follows_the_training_loss(single_head, monkeypatch, monitor, min_delta, factors):
    heard = watch_plateau(monkeypatch)
    change = {"monitor": monitor, "min_delta": min_delta, "max_epochs": 4}
    losses = [
        entry["train"]["loss"] for entry in fit(single_head, BY_PLATEAU.model_copy(update=change)).history
    ]
    assert [value for value, _ in heard] == losses
    assert losses == sorted(losses, reverse=True)  # it falls, so only what min_delta asks can be too little
    np.testing.assert_allclose([rate for _, rate in heard], [0.02 * factor for factor in factors])


def test_a_side_that_has_rows_without_targets_is_still_refused(single_head):
    single_head.targets["emotion"][40:50] = np.nan
    with pytest.raises(TrainingError, match="the validation side has 10 rows, none with a target"):
        fit(single_head, rows=Split(train=ROWS, validation=np.arange(40, 50)))


def test_the_time_limit_holds_here_too(single_head):
    with pytest.raises(TrainingError, match="not done after 1e-06 s"):
        fit(single_head, limit_s=1e-6)
