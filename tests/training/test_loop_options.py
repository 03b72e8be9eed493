"""What may be switched on in the loop: pieces of a batch, averages of weights, rates, kept epochs, guards."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from emo_ray.errors import TrainingError
from emo_ray.models.base import SegmentModel
from emo_ray.models.mlp import MlpConfig
from emo_ray.training.checkpoint import weights_digest
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, Split, predict, train
from emo_ray.training.optimizer import CosineConfig, OptimizerConfig, PlateauConfig
from emo_ray.training.seeding import Streams, reset_process

SPLIT = Split(train=np.arange(0, 43), validation=np.arange(43, 60))
PLAIN = TrainingConfig(max_epochs=3, batch_size=16, optimizer=OptimizerConfig(learning_rate=0.02))
CALM = MlpConfig(dropout=0.0)


def fit(data, config=PLAIN, rows=SPLIT, model=CALM, wrap=lambda model: model):
    streams = Streams(0)
    reset_process(streams)
    return train(wrap(model.build(data.shape())), data, rows, config, streams, Runtime())


def changed(**fields):
    return PLAIN.model_copy(update=fields)


def weights_of(fitted):
    return torch.cat([weight.detach().flatten() for weight in fitted.model.parameters()])


class WithOwnLoss(SegmentModel):
    """A network that also wants its readout small: by weight 0.5 times a loss of its own."""

    aux_weights = {"size": 0.5}  # noqa: RUF012

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def own_loss(self):
        return self.inner.readout.linear.weight.square().sum()

    def forward(self, x, mask, facts=None):
        return self.inner(x, mask) | ({"aux/size": self.own_loss()} if self.training else {})


class AsPenalty(WithOwnLoss):
    """The same, as a penalty."""

    def forward(self, x, mask, facts=None):
        return self.inner(x, mask)

    def penalty(self):
        return 0.5 * self.own_loss()


@pytest.mark.parametrize("n_pieces", [2, 3, 5])
def test_a_batch_in_pieces_has_the_gradient_of_the_whole(three_heads, single_head, n_pieces):
    # 43 rows in batches of 16: the last batch has 11; targets that are missing lie unevenly in the pieces
    three_heads.targets["arousal"][:20] = np.nan
    for data in (single_head, three_heads):
        whole, pieces = fit(data), fit(data, changed(accumulate=n_pieces))
        torch.testing.assert_close(weights_of(pieces), weights_of(whole), rtol=1e-4, atol=1e-5)
        assert pieces.history[0]["train"]["loss"] == pytest.approx(
            whole.history[0]["train"]["loss"], rel=1e-5
        )


@pytest.mark.parametrize("n_pieces", [1, 3])
def test_a_loss_of_the_models_own_counts_as_a_penalty_does(single_head, n_pieces):
    config = changed(accumulate=n_pieces)
    own, penalty = fit(single_head, config, wrap=WithOwnLoss), fit(single_head, config, wrap=AsPenalty)
    torch.testing.assert_close(weights_of(own), weights_of(penalty), rtol=1e-4, atol=1e-5)
    assert own.history[0]["train"]["loss"] == pytest.approx(penalty.history[0]["train"]["loss"], rel=1e-5)
    first = own.history[0]["train"]["aux/size"]
    assert 0 < own.history[-1]["train"]["aux/size"] < first
    assert "aux/size" not in own.history[0]["validation"]


def test_the_average_of_weights_is_the_recursion_over_steps(single_head, monkeypatch):
    from emo_ray.training import state

    seen = []
    descend = state.RunState.descend
    monkeypatch.setattr(
        state.RunState,
        "descend",
        lambda run: (descend(run), seen.append([w.detach().clone() for w in run.weights]))[0],
    )
    fitted = fit(single_head, changed(ema_decay=0.8, keep="last"))
    expected = seen[0]
    for weights in seen[1:]:
        expected = [0.8 * mean + 0.2 * now for mean, now in zip(expected, weights, strict=True)]
    torch.testing.assert_close(
        weights_of(fitted), torch.cat([w.flatten() for w in expected]), rtol=1e-5, atol=1e-6
    )


def test_averaged_weights_are_those_that_are_evaluated(single_head):
    fitted = fit(single_head, changed(ema_decay=0.8))
    probability = predict(fitted, single_head, SPLIT.validation)["emotion"].argmax(axis=1)
    right = np.mean(probability == single_head.targets["emotion"][SPLIT.validation])
    assert right == pytest.approx(fitted.history[fitted.best_epoch]["validation"]["accuracy"])


def test_the_average_keeps_its_own_moments_of_batch_norm(single_head):
    class Normed(WithOwnLoss):
        def __init__(self, inner):
            super().__init__(inner)
            self.norm = nn.BatchNorm1d(5)

        def forward(self, x, mask, facts=None):
            eeg = self.norm(x["eeg"].flatten(0, 1)).view_as(x["eeg"])
            return self.inner(x | {"eeg": eeg}, mask)

    fitted = fit(single_head, changed(ema_decay=0.5), wrap=Normed)
    # the mean of feature 0 is not 0 in these 43 rows, and the moments follow it
    assert int(fitted.model.norm.num_batches_tracked) == 3 * (fitted.best_epoch + 1)
    assert fitted.model.norm.running_mean.abs().max() > 0


def test_the_last_weights_are_kept_when_asked_for(single_head):
    hopeless = {"min_delta": 1e9, "max_epochs": 4}
    last, best = fit(single_head, changed(keep="last", **hopeless)), fit(single_head, changed(**hopeless))
    assert (last.best_epoch, best.best_epoch) == (3, 0)
    nobody = Split(SPLIT.train, np.arange(0))
    alone = fit(single_head, changed(**hopeless), rows=nobody)
    assert weights_digest(alone.model) == weights_digest(last.model)


def rates(data, **fields):
    return [entry["train"]["learning_rate"] for entry in fit(data, changed(**fields)).history]


def test_the_cosine_is_that_of_torch(single_head):
    wanted = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(wanted, T_max=4, eta_min=1e-3)
    expected = []
    for _ in range(5):
        expected.append(wanted.param_groups[0]["lr"])
        wanted.step()
        schedule.step()
    cosine = CosineConfig(t_max=4, eta_min=1e-3)
    found = rates(single_head, schedule="cosine", cosine=cosine, max_epochs=6)
    np.testing.assert_allclose(found, [*expected, 1e-3], rtol=1e-6)  # torch would rise again


def test_a_warm_up_grows_from_step_to_step(single_head):
    # 43 rows in batches of 16 are 3 steps an epoch: a warm-up of 2 epochs has 6
    found = rates(single_head, schedule="constant", warmup_epochs=2.0, max_epochs=4)
    np.testing.assert_allclose(found, [0.02 * 3 / 6, 0.02, 0.02, 0.02])
    found = rates(single_head, schedule="constant", warmup_epochs=1.5, max_epochs=2)
    np.testing.assert_allclose(found, [0.02 * 3 / 4.5, 0.02])


def test_a_plateau_in_the_warm_up_halves_the_full_rate(single_head):
    plateau = PlateauConfig(patience=0, min_learning_rate=0.0)
    found = rates(single_head, plateau=plateau, min_delta=1e9, warmup_epochs=3.0, max_epochs=4)
    # the second epoch and all later ones gain less than min_delta
    np.testing.assert_allclose(found, [0.02 / 3, 0.02 * 2 / 3, 0.01, 0.005])


def test_the_plateau_may_follow_another_metric_than_the_stop(single_head):
    plateau = PlateauConfig(patience=0, min_learning_rate=0.0, monitor="loss")
    found = rates(single_head, plateau=plateau, monitor="accuracy", min_delta=0.0, max_epochs=3)
    assert found == [0.02] * 3  # the loss falls in each of them
    with pytest.raises(ValueError, match="can not monitor 'lost'"):
        PlateauConfig(monitor="lost")


def test_a_broken_gradient_names_step_and_rate(single_head):
    class Breaks(WithOwnLoss):
        steps = 0

        def own_loss(self):
            self.steps += 1
            # sqrt has no slope at 0: the loss is finite, its gradient is not
            weight = self.inner.readout.linear.weight
            return (weight - weight.detach()).square().sum().sqrt() if self.steps == 5 else weight.sum()

    with pytest.raises(TrainingError, match=r"norm of the gradient is nan in epoch 1, batch 1 of 3.*=0\.02"):
        fit(single_head, wrap=Breaks)


def test_a_broken_loss_names_the_head(three_heads):
    def broken(model):
        nn.init.constant_(model.readout.linear.weight[1], float("inf"))  # of arousal
        return model

    with pytest.raises(TrainingError, match=r"batch 0 of 3 \(head/arousal"):
        fit(three_heads, wrap=broken)


def test_a_broken_validation_names_the_head_and_the_rate(three_heads):
    values = three_heads.values["eeg"].copy()
    values[43:] = 1e38  # finite, and too large for a squared error
    data = replace(three_heads, values=three_heads.values | {"eeg": values})
    with pytest.raises(TrainingError, match=r"validation loss is (inf|nan) in epoch 0 \(.*valence.*=0\.02"):
        fit(data)


def test_scores_of_the_train_side_are_of_all_its_rows(single_head):
    config = changed(
        optimizer=OptimizerConfig(learning_rate=1e-12), score_train=True, accumulate=2, max_epochs=1
    )
    fitted = fit(single_head, config)
    called = predict(fitted, single_head, SPLIT.train)["emotion"].argmax(axis=1)
    right = np.mean(called == single_head.targets["emotion"][SPLIT.train])
    assert fitted.history[0]["train"]["accuracy"] == pytest.approx(right)


def test_rows_bring_the_codes_of_their_trials(single_head):
    trial = np.repeat(np.arange(15, dtype=np.int32), 4)
    facts = replace(single_head, trial=trial).batch(np.array([3, 4, 59])).facts
    assert facts.trial.tolist() == [0, 1, 14]
    assert single_head.batch(np.array([3])).facts is None
