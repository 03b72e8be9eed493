"""Binding: contrast between segments, overlap of views, and absent modalities."""

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from emo_ray.models.binding import Binding, Bound, contrast_loss, overlap_loss

AXES = torch.eye(4)
BOTH = torch.ones(2, 2, dtype=torch.bool)


def views_of(first, second):
    return torch.stack([torch.stack([a, b]) for a, b in zip(first, second, strict=True)])


def bound_of(views, specific):
    return Bound(torch.zeros(len(views), views.shape[2]), specific, views)


def contrast_by_loops(views, present, trial):
    """Row by row, direction by direction, pair by pair."""
    n_rows, n_modalities, _ = views.shape
    pairs = []
    for m, n in itertools.combinations(range(n_modalities), 2):
        rows = [i for i in range(n_rows) if present[i, m] and present[i, n]]
        losses = []
        for one, other in ((m, n), (n, m)):
            for i in rows:
                rivals = [j for j in rows if j == i or trial[j] != trial[i]]
                cosines = torch.cosine_similarity(views[i, one], views[rivals, other], dim=1) / 0.1
                losses.append(cosines.logsumexp(dim=0) - cosines[rivals.index(i)])
        pairs.append(torch.stack(losses).mean() if len(rows) > 1 else torch.tensor(0.0))
    return torch.stack(pairs).mean()


def test_contrast_of_two_segments_by_hand():
    views = views_of([2 * AXES[0], AXES[1]], [AXES[0], 3 * AXES[1]])
    # cosines 1 with itself and 0 with the other, at temperature 0.1
    assert_close(contrast_loss(views, BOTH), torch.tensor(math.log(1 + math.exp(-10))))
    swapped = views_of([AXES[0], AXES[1]], [AXES[1], AXES[0]])
    assert_close(contrast_loss(swapped, BOTH), torch.tensor(math.log(1 + math.exp(10))))


def test_contrast_equals_loops_with_absent_modalities_and_common_trials():
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(9, 3, 5, generator=generator)
    present = torch.rand(9, 3, generator=generator) < 0.7
    trial = torch.tensor([0, 0, 1, 1, 1, 2, 3, 4, 4])
    assert_close(contrast_loss(views, present, trial), contrast_by_loops(views, present, trial))


def test_segments_of_one_trial_are_no_contrast():
    views = views_of([AXES[0], AXES[1]], [AXES[1], AXES[0]])
    assert contrast_loss(views, BOTH, torch.tensor([5, 5])) == 0


@pytest.mark.parametrize(
    ("n_modalities", "present"),
    [(2, [[True, True], [True, False]]), (1, [[True], [True]]), (2, [[False] * 2] * 2)],
)
def test_without_two_rows_or_two_modalities_contrast_is_zero_on_the_graph(n_modalities, present):
    views = torch.randn(2, n_modalities, 4, requires_grad=True)
    loss = contrast_loss(views, torch.tensor(present))
    loss.backward()
    assert loss == 0
    assert not views.grad.any()


def test_overlap_is_the_squared_cosine_of_view_and_mean_specific_token():
    views = torch.stack([AXES[0], AXES[0], AXES[0]])[:, None]
    specific = torch.stack(
        [torch.stack([AXES[1], AXES[2]]), torch.stack([AXES[0], AXES[1]]), torch.stack([-AXES[0], -AXES[0]])]
    )[:, None]
    present = torch.ones(3, 1, dtype=torch.bool)
    assert_close(overlap_loss(bound_of(views, specific), present), torch.tensor((0 + 0.5 + 1) / 3))


def test_overlap_does_not_look_at_absent_modalities():
    views = AXES[None, :2]
    specific = torch.stack([AXES[1], AXES[1]])[None, :, None]  # orthogonal, then the same
    bound = bound_of(views, specific)
    assert overlap_loss(bound, torch.tensor([[True, False]])) == 0
    assert overlap_loss(bound, torch.tensor([[False, False]])) == 0


def test_the_shared_token_is_the_mean_of_present_views_by_their_scores():
    torch.manual_seed(0)
    model, x = Binding(8, n_heads=2, n_summaries=3), torch.randn(2, 3, 5, 8)
    mask = torch.ones(2, 3, 5, dtype=torch.bool)
    mask[0, 1] = mask[1] = False
    bound = model(x, mask)
    views = model.shared_view(x[0, [0, 2]].mean(dim=1))
    weights = (model.hidden(views).tanh() @ model.score.weight[0]).softmax(dim=0)
    assert_close(bound.shared[0], weights @ views)
    assert not bound.shared[1].any()


def test_specific_tokens_are_torchs_attention_of_the_questions():
    torch.manual_seed(0)
    model, x = Binding(8, n_heads=2, n_summaries=3), torch.randn(1, 1, 5, 8)
    mask = torch.tensor([[[True, True, False, True, False]]])
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.in_proj_weight.data = torch.cat([model.query.weight, model.key_value.weight])
    theirs.in_proj_bias.data = torch.cat([model.query.bias, model.key_value.bias])
    theirs.out_proj = model.out
    answers, _ = theirs(model.questions[None], x[0], x[0], key_padding_mask=~mask[0])
    assert_close(model(x, mask).specific[0], model.specific_view(answers))
