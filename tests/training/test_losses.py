"""Losses against hand-worked numbers, and what happens where targets are missing."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from emo_ray.tasks.base import Head
from emo_ray.training.losses import (
    LossConfig,
    TrainingLoss,
    balanced_class_weights,
    fit_targets,
    positive_weight,
    published_loss,
)

EMOTION = Head("emotion", "classes", ("calm", "glad", "sad"))
VALENCE = Head("valence", "value")
TRANSITION = Head("transition", "event")
NAN = math.nan


def loss(heads, train_targets, **config):
    """Loss whose statistics come from all rows of the train targets."""
    settings = LossConfig(**config)
    arrays = {name: np.array(values, np.float32) for name, values in train_targets.items()}
    rows = np.arange(len(next(iter(arrays.values()))))
    statistics = fit_targets(heads, arrays, rows, settings.standardise_values)
    return TrainingLoss(settings, heads, statistics, torch.device("cpu"))


def test_statistics_look_at_train_rows_only():
    targets = {
        "valence": np.array([1, 3, NAN, 1e6], np.float32),
        "emotion": np.array([0, 0, 2, 1], np.float32),
    }
    fitted = fit_targets((VALENCE, EMOTION), targets, np.array([0, 1, 2]))
    assert (fitted.mean["valence"], fitted.sd["valence"]) == (2.0, 1.0)
    assert fitted.class_counts["emotion"] == (2, 0, 1)


@pytest.mark.parametrize("values", [[2.0, 2.0], [NAN, NAN]], ids=["constant", "undefined"])
def test_a_value_without_spread_keeps_sd_one(values):
    fitted = fit_targets((VALENCE,), {"valence": np.array(values, np.float32)}, np.arange(2))
    assert fitted.sd["valence"] == 1.0
    assert math.isfinite(fitted.mean["valence"])


def test_class_weights_are_balanced_and_absent_classes_weigh_nothing():
    assert balanced_class_weights((6, 2, 0)) == (8 / 18, 8 / 6, 0.0)


@pytest.mark.parametrize(("share", "weight"), [(0.2, 4.0), (0.0, 1.0), (1.0, 1.0), (NAN, 1.0)])
def test_positive_weight(share, weight):
    assert positive_weight(share) == pytest.approx(weight)


def test_value_loss_is_squared_error_in_standard_deviations():
    total, _ = loss((VALENCE,), {"valence": [1, 5]})(  # mean 3, sd 2
        {"valence": torch.tensor([0.0, 0.5])}, {"valence": torch.tensor([5.0, 3.0])}
    )
    assert_close(total, torch.tensor((1.0 + 0.25) / 2))


def test_event_loss_weighs_positives_by_the_odds_against_them():
    total, _ = loss((TRANSITION,), {"transition": [1, 0, 0, 0]})(
        {"transition": torch.zeros(2)}, {"transition": torch.tensor([1.0, 0.0])}
    )
    assert_close(total, torch.tensor((3 * math.log(2) + math.log(2)) / 2))


def test_class_loss_is_the_weighted_mean():
    total, _ = loss((EMOTION,), {"emotion": [0, 0, 1]})(  # weights 1/2, 1, 0
        {"emotion": torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])}, {"emotion": torch.tensor([0.0, 1.0])}
    )
    wrong = 2 + math.log(1 + 2 * math.exp(-2))
    assert_close(total, torch.tensor((0.5 * math.log(3) + 1.0 * wrong) / 1.5))


def test_class_loss_with_smoothing_equals_torchs_own():
    logits, codes = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    ours, _ = loss((EMOTION,), {"emotion": [0, 1, 2, 2]}, label_smoothing=0.1)(
        {"emotion": logits}, {"emotion": codes.float()}
    )
    weight = torch.tensor([4 / 3, 4 / 3, 2 / 3])
    assert_close(ours, torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=0.1)(logits, codes))


def test_rows_without_target_change_nothing():
    function = loss((VALENCE, EMOTION), {"valence": [1, 5, 2], "emotion": [0, 1, 2]})
    outputs = {"valence": torch.randn(4), "emotion": torch.randn(4, 3)}
    targets = {"valence": torch.tensor([1.0, 2.0, NAN, NAN]), "emotion": torch.tensor([0.0, 2.0, NAN, NAN])}
    both = [{name: t[:n] for name, t in part.items()} for n in (4, 2) for part in (outputs, targets)]
    assert_close(function(both[0], both[1])[0], function(both[2], both[3])[0])


@pytest.mark.parametrize("head", [VALENCE, TRANSITION, EMOTION], ids=lambda head: head.kind)
def test_a_batch_without_targets_gives_zero_with_zero_gradient(head):
    output = torch.randn(3, 3) if head is EMOTION else torch.randn(3)
    output.requires_grad_()
    total, _ = loss((head,), {head.name: [0, 1, 1]})({head.name: output}, {head.name: torch.full((3,), NAN)})
    total.backward()
    assert total.item() == 0
    assert not output.grad.any()


def test_a_class_that_train_never_saw_does_not_break_the_loss():
    total, _ = loss((EMOTION,), {"emotion": [0, 1]})(
        {"emotion": torch.randn(2, 3)}, {"emotion": torch.tensor([2.0, 2.0])}
    )
    assert total.item() == 0


def test_event_weight_acts_on_event_heads_only():
    heads, train = (VALENCE, TRANSITION), {"valence": [1, 5], "transition": [0, 1]}
    outputs = {"valence": torch.randn(2), "transition": torch.randn(2)}
    targets = {"valence": torch.tensor([2.0, 4.0]), "transition": torch.tensor([0.0, 1.0])}
    total, parts = loss(heads, train, event_weight=20)(outputs, targets)
    assert_close(total, parts["valence"] + 20 * parts["transition"])


def test_published_row_weight_acts_on_all_losses_of_a_transition():
    heads, train = (VALENCE, TRANSITION), {"valence": [1, 5], "transition": [0, 1]}
    config = published_loss("moderate").model_dump()
    total, parts = loss(heads, train, **config)(
        {"valence": torch.tensor([3.0, 3.0]), "transition": torch.zeros(2)},
        {"valence": torch.tensor([2.0, 4.0]), "transition": torch.tensor([0.0, 1.0])},
    )
    assert_close(parts["valence"], torch.tensor((1 + 5) / 2))  # natural units; the second row weighs 5
    assert_close(total, parts["valence"] + 15 * (1 + 5) / 2 * math.log(2))


def test_losses_are_float32_whatever_the_model_puts_out():
    output = torch.randn(2).bfloat16()
    total, _ = loss((VALENCE,), {"valence": [1, 5]})(
        {"valence": output}, {"valence": torch.tensor([1.0, 2.0])}
    )
    assert total.dtype == torch.float32


def test_focal_rows_weigh_the_square_of_what_is_left_to_learn():
    # p of the true class: 3/4 and 1/2, so 1 - p: 1/4 and 1/2
    logits = torch.tensor([[math.log(6), 0.0, 0.0], [0.0, math.log(2), 0.0]])
    total, _ = loss((EMOTION,), {"emotion": [0, 1, 2]}, focal_gamma=2)(
        {"emotion": logits}, {"emotion": torch.tensor([0.0, 1.0])}
    )
    assert_close(total, torch.tensor((math.log(4 / 3) / 16 + math.log(2) / 4) / 2))


def test_focal_loss_keeps_class_weights_and_their_divisor():
    total, _ = loss((EMOTION,), {"emotion": [0, 0, 1]}, focal_gamma=1)(  # weights 1/2, 1, 0
        {"emotion": torch.zeros(2, 3)}, {"emotion": torch.tensor([0.0, 1.0])}
    )
    assert_close(total, torch.tensor(2 / 3 * math.log(3)))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_loss_of_a_certain_row_has_a_finite_slope(gamma):
    logits = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0]], requires_grad=True)
    total, _ = loss((EMOTION,), {"emotion": [0, 1, 2]}, focal_gamma=gamma)(
        {"emotion": logits}, {"emotion": torch.tensor([0.0, 0.0])}
    )
    total.backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(("kind", "expected"), [("mse", 2.125), ("huber", 0.8125), ("mae", 1.25)])
def test_value_losses_of_errors_of_half_a_unit_and_of_two(kind, expected):
    total, _ = loss((VALENCE,), {"valence": [1, 5]}, value_loss=kind)(  # mean 3, sd 2
        {"valence": torch.tensor([0.5, 0.0])}, {"valence": torch.tensor([3.0, 7.0])}
    )
    assert_close(total, torch.tensor(expected))


def test_shares_of_a_batch_give_the_loss_of_the_whole():
    heads = (VALENCE, EMOTION)
    function = loss(heads, {"valence": [1, 5, 2], "emotion": [0, 0, 2]}, focal_gamma=1.5, label_smoothing=0.1)
    outputs = {"valence": torch.randn(5), "emotion": torch.randn(5, 3)}
    targets = {
        "valence": torch.tensor([1.0, NAN, 2.0, 3.0, 9.0]),
        "emotion": torch.tensor([0.0, 2.0, NAN, 0, 2]),
    }
    shares = [slice(0, 2), slice(2, 2), slice(2, 5)]  # one is empty
    found = [
        function.sums(*({n: v[share] for n, v in d.items()} for d in (outputs, targets))) for share in shares
    ]
    added = {
        h.name: tuple(sum(parts) for parts in zip(*(f[h.name] for f in found), strict=True)) for h in heads
    }
    assert_close(function.combine(added)[0], function(outputs, targets)[0])
