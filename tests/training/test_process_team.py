"""A team trains as one worker does: shares, sums, norms over the whole batch, and the loop itself."""

import copy

import numpy as np
import pytest
import torch
from thread_team import in_threads
from torch import nn

from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.blocks import LockedDropout, RowSafeBatchNorm
from emo_ray.models.channel_cnns import ElectrodeNorm
from emo_ray.models.masked_norm import MaskedBatchNorm
from emo_ray.models.mlp import MlpConfig
from emo_ray.models.res_attentio_net import ResAttentioNetConfig
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, Split, train
from emo_ray.training.optimizer import OptimizerConfig
from emo_ray.training.seeding import Streams, reset_process
from emo_ray.training.team_norm import share_statistics

SPLIT = Split(train=np.arange(0, 43), validation=np.arange(43, 60))
# no Adam: its first steps have the size of the learning rate, however small, and unsure, the gradient
SGD = OptimizerConfig(kind="sgd", learning_rate=0.02)
SHORT = TrainingConfig(max_epochs=2, batch_size=8, optimizer=SGD)


@pytest.mark.parametrize("n_rows", [7, 2, 0])
def test_shares_are_pieces_of_the_batch_that_differ_by_one_row(n_rows):
    rows = np.arange(100, 100 + n_rows)
    shares = in_threads(3, lambda team: team.share(rows))
    assert np.concatenate(shares).tolist() == rows.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("n_rows", [7, 2])
def test_joined_shares_are_the_batch_for_every_member(n_rows):
    whole = torch.randn(n_rows, 3)
    whole[0, 0] = float("nan")
    found = in_threads(3, lambda team: team.joined(whole[team.share(np.arange(n_rows))]))
    for rows in found:
        torch.testing.assert_close(rows, whole, rtol=0, atol=0, equal_nan=True)


def test_gradients_are_added_up_and_one_that_nobody_has_stays_none():
    def gradients(team):
        weights = [nn.Parameter(torch.ones(2)) for _ in range(3)]
        weights[0].grad = torch.tensor([1.0, 10.0]) * (team.rank + 1)
        weights[1].grad = torch.ones(2) if team.rank == 1 else None
        team.add_up_gradients(weights)
        return [None if w.grad is None else w.grad.tolist() for w in weights]

    assert in_threads(2, gradients) == [[[3.0, 30.0], [1.0, 1.0], None]] * 2


def test_a_sum_hands_each_member_the_gradient_of_all_losses():
    def gradient(team):
        own = torch.tensor(2.0 + team.rank, requires_grad=True)
        (team.summed(own) ** 2 * (team.rank + 1)).backward()
        return float(own.grad)

    # losses 5^2 and 2 * 5^2: each value moves both, 2 * 5 + 2 * 2 * 5
    assert in_threads(2, gradient) == [30.0, 30.0]


def masks(n_rows):
    return torch.rand(n_rows, 1, 5, generator=torch.Generator().manual_seed(1)) > 0.4


NORMS = {
    "plain": (nn.BatchNorm1d(4), lambda norm, x, rows: norm(x[rows])),
    "keras": (RowSafeBatchNorm(4, eps=1e-3, momentum=0.01), lambda norm, x, rows: norm(x[rows, :, 0])),
    "images": (nn.BatchNorm2d(4), lambda norm, x, rows: norm(x[rows][..., None])),
    "no momentum": (nn.BatchNorm1d(4, momentum=None), lambda norm, x, rows: norm(x[rows])),
    "masked": (
        MaskedBatchNorm(4),
        lambda norm, x, rows: norm(x[rows], masks(len(x))[rows]) * masks(len(x))[rows],
    ),
    "electrodes": (
        ElectrodeNorm(2, 2, "bn"),
        lambda norm, x, rows: norm(x[rows][..., None], masks(len(x))[rows, 0, :2], slice(0, 4)),
    ),
}


@pytest.mark.parametrize(("norm", "use"), NORMS.values(), ids=NORMS)
@pytest.mark.parametrize(("size", "n_rows"), [(2, 7), (3, 2)], ids=["uneven", "one has none"])
def test_a_norm_over_a_team_is_the_norm_over_the_batch(norm, use, size, n_rows):
    x = 3 + 2 * torch.randn(n_rows, 4, 5, generator=torch.Generator().manual_seed(0))
    pull = torch.randn(4, generator=torch.Generator().manual_seed(2))

    def normed(team):
        model = nn.Sequential(copy.deepcopy(norm))
        share_statistics(model, team)
        rows, own = team.share(np.arange(n_rows)), x.clone().requires_grad_()
        for _ in range(2):
            out = use(model[0], own, torch.from_numpy(rows))
        (out.square() * pull.view(1, 4, *(1 for _ in out.shape[2:]))).sum().backward()
        team.add_up_gradients(list(model.parameters()))
        return team.joined(out), team.total(own.grad), model

    (alone, gradient, whole), *_ = in_threads(1, normed)
    for out, gradients, model in in_threads(size, normed):
        torch.testing.assert_close(out, alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gradients, gradient, rtol=1e-3, atol=1e-4)
        assert list(model.state_dict()) == list(whole.state_dict())
        for name, tensor in whole.state_dict().items():
            torch.testing.assert_close(model.state_dict()[name], tensor, rtol=1e-5, atol=1e-6)


def test_a_norm_of_a_team_of_one_is_that_of_torch():
    def of(norm):
        norm(x)
        norm.eval()
        return norm(x), norm.running_mean, norm.running_var, norm.num_batches_tracked

    x = torch.randn(5, 4)
    (shared,) = in_threads(1, lambda team: of(converted(nn.BatchNorm1d(4), team)))
    for ours, theirs in zip(shared, of(nn.BatchNorm1d(4)), strict=True):
        torch.testing.assert_close(ours, theirs)


def converted(norm, team):
    model = nn.Sequential(norm)
    share_statistics(model, team)
    assert model[0] is not norm
    return model[0]


def without_dropout(model, data):
    """A network to start from; made once, for threads share one generator."""
    reset_process(Streams(0))
    network = model.build(data.shape())
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, LockedDropout):
            module.dropout = 0.0
    return network


def fitted(network, data, config, runtime):
    return train(copy.deepcopy(network), data, SPLIT, config, Streams(0), runtime)


@pytest.mark.parametrize(
    ("model", "change", "size"),
    [
        (AmigosLstmConfig(variant="maximum"), {}, 2),
        (AmigosLstmConfig(variant="maximum"), {"accumulate": 2, "ema_decay": 0.5}, 2),
        (ResAttentioNetConfig(base_width=2), {"batch_size": 41, "clip_norm": 0.1, "score_train": True}, 3),
    ],
    ids=["lstm", "pieces", "more members than rows"],
)
def test_a_team_trains_what_one_worker_trains(model, change, size, single_head):
    """Batches are uneven, classes weighed, labels missing, and the models have batch norms."""
    data, config = single_head, SHORT.model_copy(update=change)
    data.targets["emotion"][[3, 11, 12]] = np.nan
    network = without_dropout(model, data)
    alone = fitted(network, data, config, Runtime())
    for member in in_threads(size, lambda team: fitted(network, data, config, Runtime(team=team))):
        assert member.best_epoch == alone.best_epoch
        for ours, theirs in zip(member.history, alone.history, strict=True):
            for side in ("train", "validation"):
                assert ours[side] == pytest.approx(theirs[side], rel=1e-3, abs=1e-4, nan_ok=True)
        for name, tensor in alone.model.state_dict().items():
            torch.testing.assert_close(member.model.state_dict()[name], tensor, rtol=1e-3, atol=2e-4)


def test_members_end_with_the_same_weights_and_drop_different_units(single_head, monkeypatch):
    data, seeds = single_head, []
    monkeypatch.setattr("emo_ray.training.loop.torch.manual_seed", seeds.append)
    network = without_dropout(MlpConfig(), data)
    first, second = in_threads(2, lambda team: fitted(network, data, SHORT, Runtime(team=team)))
    theirs = second.model.state_dict()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in first.model.state_dict().items())
    assert len(set(seeds[1:])) == 2 * SHORT.max_epochs  # the first one starts the weights
