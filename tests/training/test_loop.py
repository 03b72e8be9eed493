"""The loop: learns, stops, resumes bit for bit, and never looks at rows it was not given."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from emo_ray.errors import ConfigError, TrainingError
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.mlp import MlpConfig
from emo_ray.training.best import Best
from emo_ray.training.checkpoint import Checkpointer, weights_digest
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, Split, predict, train
from emo_ray.training.metrics import metric_names
from emo_ray.training.optimizer import OptimizerConfig, PlateauConfig
from emo_ray.training.seeding import Streams, reset_process

SPLIT = Split(train=np.arange(0, 40), validation=np.arange(40, 50))
TEST_ROWS = np.arange(50, 60)
FAST = OptimizerConfig(learning_rate=0.02)
SHORT = TrainingConfig(max_epochs=6, batch_size=8, optimizer=FAST)


class Recorder:
    """Observer that keeps what it hears, and may end the run."""

    def __init__(self, stop_after=None):
        self.heard, self.stop_after = [], stop_after

    def report(self, epoch, metrics, best_epoch):
        self.heard.append((epoch, metrics))
        if epoch == self.stop_after:
            raise KeyboardInterrupt


def fit(data, config=SHORT, model=MlpConfig(dropout=0.2), rows=SPLIT, seed=0, **runtime):  # noqa: B008
    streams = Streams(seed)
    reset_process(streams)
    return train(model.build(data.shape()), data, rows, config, streams, Runtime(**runtime))


def test_it_learns_classes(many_segments):
    rows, test_rows = Split(train=np.arange(0, 150), validation=np.arange(150, 200)), np.arange(200, 300)
    fitted = fit(many_segments, SHORT.model_copy(update={"max_epochs": 30}), rows=rows)
    called = predict(fitted, many_segments, test_rows)["emotion"].argmax(axis=1)
    assert np.mean(called == many_segments.targets["emotion"][test_rows]) > 0.7  # chance is 0.38


def test_it_learns_values_in_natural_units(three_heads):
    fitted = fit(three_heads, SHORT.model_copy(update={"max_epochs": 40}))
    error = predict(fitted, three_heads, TEST_ROWS)["valence"] - three_heads.targets["valence"][TEST_ROWS]
    assert np.abs(error).mean() < 0.3  # the target has mean 3 and sd 0.5


def test_predictions_have_their_form(single_head, three_heads):
    probability = predict(fit(single_head), single_head, TEST_ROWS)["emotion"]
    assert (probability.shape, probability.dtype) == ((10, 3), np.float32)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-5)
    event = predict(fit(three_heads), three_heads, TEST_ROWS)["transition"]
    assert (event.shape, event.dtype) == ((10,), np.float32)
    assert ((event > 0) & (event < 1)).all()


def test_no_rows_can_not_be_predicted(single_head):
    with pytest.raises(TrainingError, match="no rows to predict"):
        predict(fit(single_head), single_head, np.arange(0))


@pytest.mark.parametrize("model", [MlpConfig(), AmigosLstmConfig(variant="maximum")], ids=lambda m: m.kind)
def test_same_seed_gives_the_same_weights_whatever_ran_before(three_heads, model):
    first = fit(three_heads, model=model)
    fit(three_heads, seed=5)
    second = fit(three_heads, model=model)
    assert weights_digest(first.model) == weights_digest(second.model)
    assert first.history == second.history


def test_scrambled_test_rows_change_nothing(single_head):
    before = fit(single_head)
    values = {name: array.copy() for name, array in single_head.values.items()}
    targets = {"emotion": single_head.targets["emotion"].copy()}
    values["eeg"][TEST_ROWS], targets["emotion"][TEST_ROWS] = 1e6, 2
    after = fit(replace(single_head, values=values, targets=targets))
    assert weights_digest(before.model) == weights_digest(after.model)
    assert before.history == after.history


def test_the_observer_hears_every_epoch_as_the_history_has_it(single_head):
    recorder = Recorder()
    history = fit(single_head, observer=recorder).history
    assert history == tuple({"epoch": epoch, **metrics} for epoch, metrics in recorder.heard)
    assert [entry["epoch"] for entry in history] == list(range(6))
    assert set(history[0]["validation"]) == {"loss", *metric_names(single_head.heads)}
    assert set(history[0]["train"]) == {"loss", "learning_rate"}


@pytest.mark.parametrize("monitor", ["loss", "balanced_accuracy"])
def test_weights_of_the_best_epoch_are_restored(single_head, monitor):
    fitted = fit(
        single_head, SHORT.model_copy(update={"monitor": monitor, "min_delta": 0.0, "max_epochs": 12})
    )
    seen = [entry["validation"][monitor] for entry in fitted.history]
    best = int(np.argmin(seen) if monitor == "loss" else np.argmax(seen))
    assert fitted.best_epoch == best
    again = fit(
        single_head, SHORT.model_copy(update={"max_epochs": best + 1, "min_delta": 0.0, "monitor": monitor})
    )
    assert weights_digest(again.model) == weights_digest(fitted.model)
    assert not fitted.model.training


def test_it_stops_when_validation_no_longer_gains(single_head):
    hopeless = SHORT.model_copy(update={"max_epochs": 30, "patience": 3, "min_delta": 1e9})
    fitted = fit(single_head, hopeless)
    assert (fitted.best_epoch, len(fitted.history)) == (0, 4)


def test_the_learning_rate_falls_on_a_plateau(three_heads):
    plateau = PlateauConfig(patience=0, factor=0.1, min_learning_rate=0.0)
    config = SHORT.model_copy(update={"min_delta": 1e9, "plateau": plateau, "max_epochs": 8})
    losses = [entry["train"]["loss"] for entry in fit(three_heads, config, MlpConfig(dropout=0)).history]
    assert abs(losses[-1] - losses[-2]) < 1e-4 < abs(losses[1] - losses[0])


@pytest.mark.parametrize("kind", ["mlp", "amigos_lstm"])
@pytest.mark.parametrize(("stop_after", "min_delta"), [(1, 0.0), (4, 0.0), (4, 1e9)])
def test_a_resumed_run_equals_the_undisturbed_one_bit_for_bit(
    three_heads, tmp_path, kind, stop_after, min_delta
):
    model = {"mlp": MlpConfig(), "amigos_lstm": AmigosLstmConfig(variant="maximum")}[kind]
    config = SHORT.model_copy(update={"plateau": PlateauConfig(patience=1), "min_delta": min_delta})
    undisturbed = fit(three_heads, config, model)
    safety = {"checkpointer": Checkpointer(tmp_path / "state.pt", 0.0, "run")}
    with pytest.raises(KeyboardInterrupt):
        fit(three_heads, config, model, observer=Recorder(stop_after), **safety)
    resumed = fit(three_heads, config, model, observer=(recorder := Recorder()), **safety)
    assert recorder.heard[0][0] == stop_after  # its checkpoint is of the epoch before
    assert weights_digest(resumed.model) == weights_digest(undisturbed.model)
    assert (resumed.history, resumed.best_epoch) == (undisturbed.history, undisturbed.best_epoch)


def test_a_run_killed_after_its_last_epoch_does_not_train_on(single_head, tmp_path):
    config = SHORT.model_copy(update={"max_epochs": 30, "patience": 3, "min_delta": 1e9})
    safety = {"checkpointer": Checkpointer(tmp_path / "state.pt", 0.0, "run")}
    first = fit(single_head, config, **safety)
    second = fit(single_head, config, **safety)
    assert second.history == first.history
    assert weights_digest(second.model) == weights_digest(first.model)


def test_a_checkpoint_of_another_run_does_not_reach_the_weights(single_head, tmp_path):
    fit(single_head, seed=3, checkpointer=Checkpointer(tmp_path / "state.pt", 0.0, "other"))
    fitted = fit(single_head, checkpointer=Checkpointer(tmp_path / "state.pt", 0.0, "run"))
    assert weights_digest(fitted.model) == weights_digest(fit(single_head).model)


def test_a_broken_loss_names_epoch_and_batch(single_head):
    model = MlpConfig().build(single_head.shape())
    nn.init.constant_(model.readout.linear.weight, float("nan"))
    with pytest.raises(TrainingError, match="the loss is nan in epoch 0, batch 0 of 5"):
        train(model, single_head, SPLIT, SHORT, Streams(0))


@pytest.mark.parametrize("side", ["train", "validation"])
def test_a_side_without_targets_is_refused(single_head, side):
    single_head.targets["emotion"][getattr(SPLIT, side)] = np.nan
    with pytest.raises(TrainingError, match=f"the {side} side has .* none with a target"):
        fit(single_head)


def test_a_metric_of_another_task_can_not_be_monitored(single_head):
    with pytest.raises(ConfigError, match="can not monitor 'ccc'"):
        fit(single_head, SHORT.model_copy(update={"monitor": "ccc"}))


def test_undefined_targets_do_not_stop_the_run(three_heads):
    three_heads.targets["transition"][SPLIT.validation] = np.nan
    three_heads.targets["arousal"][SPLIT.train] = np.nan
    fitted = fit(three_heads)
    assert np.isnan(fitted.history[0]["validation"]["transition/f1"])
    assert np.isfinite(fitted.history[-1]["validation"]["loss"])


def test_a_validation_side_of_one_class_does_not_stop_the_run(single_head):
    single_head.targets["emotion"][SPLIT.validation] = 1
    fitted = fit(single_head, SHORT.model_copy(update={"monitor": "balanced_accuracy", "patience": 3}))
    assert all(np.isnan(epoch["validation"]["balanced_accuracy"]) for epoch in fitted.history)
    assert (fitted.best_epoch, len(fitted.history)) == (0, 4)  # nothing to choose by: the first is kept


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_every_optimizer_lowers_the_loss(single_head, kind):
    optimizer = OptimizerConfig(kind=kind, learning_rate=0.02, weight_decay=1e-3)
    history = fit(single_head, SHORT.model_copy(update={"optimizer": optimizer})).history
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"]


def test_frozen_biases_stay_frozen(three_heads):
    fitted = fit(three_heads, model=AmigosLstmConfig(keras_biases=True))
    frozen = [weight for name, weight in fitted.model.named_parameters() if "bias_hh" in name]
    assert frozen
    assert not any(weight.any() for weight in frozen)


def test_a_train_side_of_one_row_is_fine(single_head):
    rows = Split(train=np.arange(1), validation=SPLIT.validation)
    assert len(fit(single_head, model=AmigosLstmConfig(variant="maximum"), rows=rows).history) == 6


def test_clipping_bounds_the_step(single_head):
    slow = OptimizerConfig(kind="sgd", learning_rate=1.0, momentum=0.0)
    config = SHORT.model_copy(
        update={"max_epochs": 1, "batch_size": 40, "optimizer": slow, "clip_norm": 1e-3}
    )
    reset_process(Streams(0))
    start = [
        weight.detach().clone() for weight in MlpConfig(dropout=0.2).build(single_head.shape()).parameters()
    ]
    moved = [w - s for w, s in zip(fit(single_head, config).model.parameters(), start, strict=True)]
    assert torch.cat([step.flatten() for step in moved]).norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_best_prefers_a_defined_metric_and_keeps_the_first_of_equals():
    best, model = Best("f1", min_delta=0.0), nn.Linear(1, 1)
    for epoch, value in enumerate([float("nan"), 0.2, float("nan"), 0.2, 0.1]):
        best.offer(epoch, {"f1": value}, model)
    assert (best.epoch, best.value, best.age(4)) == (1, 0.2, 3)
