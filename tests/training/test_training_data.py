"""Batches: standardised, masked, and copied out of read-only memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_ray.errors import TrainingError
from emo_ray.training.data import Affine, shuffled_batches

ROWS = np.array([7, 2, 2, 11])


def shared_affine(shift, scale):
    return Affine(
        shift={"eeg": np.full((1, 5), shift, np.float32), "gsr": np.zeros((1, 2), np.float32)},
        scale={"eeg": np.full((1, 5), scale, np.float32), "gsr": np.ones((1, 2), np.float32)},
    )


def test_shape_tells_a_model_all_it_needs(three_heads):
    shape = three_heads.shape()
    assert shape.tokens == {"eeg": (4, 5), "gsr": (3, 2)}
    assert shape.heads == {"valence": 1, "arousal": 1, "transition": 1}


def test_batch_is_standardised_by_the_shared_row(single_head):
    batch = replace(single_head, affine=shared_affine(2.0, 10.0)).batch(ROWS)
    np.testing.assert_allclose(
        batch.x["eeg"].numpy(), (single_head.values["eeg"][ROWS] - 2) * 10, rtol=1e-5, atol=1e-5
    )


def test_batch_is_standardised_by_the_row_of_the_subject(single_head):
    shift = np.arange(4, dtype=np.float32)[:, None].repeat(5, axis=1)  # subject code s: minus s
    affine = Affine(
        shift={"eeg": shift, "gsr": np.zeros((4, 2), np.float32)},
        scale={"eeg": np.ones((4, 5), np.float32), "gsr": np.ones((4, 2), np.float32)},
    )
    batch = replace(single_head, affine=affine).batch(ROWS)
    expected = single_head.values["eeg"][ROWS] - np.array([3, 2, 2, 3])[:, None, None]  # row % 4
    np.testing.assert_allclose(batch.x["eeg"].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_undefined_features_become_zero_after_scaling(single_head, value):
    values = {name: array.copy() for name, array in single_head.values.items()}
    values["eeg"][7, 1, 3] = value
    batch = replace(single_head, values=values, affine=shared_affine(2.0, 1.0)).batch(ROWS)
    assert batch.x["eeg"][0, 1, 3] == 0
    assert batch.x["eeg"].isfinite().all()


def test_masked_tokens_become_zero_after_scaling(single_head):
    masks = {name: mask.copy() for name, mask in single_head.masks.items()}
    masks["eeg"][7, 1] = False
    batch = replace(single_head, masks=masks, affine=shared_affine(2.0, 1.0)).batch(ROWS)
    assert not batch.x["eeg"][0, 1].any()
    assert batch.mask["eeg"][0].tolist() == [True, False, True, True]


def test_a_constant_channel_becomes_exactly_zero(single_head):
    values = {name: array.copy() for name, array in single_head.values.items()}
    values["eeg"][:, :, 2] = 0.1
    affine = shared_affine(0.0, 1e6)
    affine.shift["eeg"][:, 2] = 0.1
    assert not replace(single_head, values=values, affine=affine).batch(ROWS).x["eeg"][..., 2].any()


def test_batch_leaves_the_shared_arrays_as_they_are(single_head):
    before = single_head.values["eeg"].copy()
    single_head.batch(ROWS).x["eeg"].zero_()
    np.testing.assert_array_equal(single_head.values["eeg"], before)


def test_targets_keep_their_nan(single_head):
    single_head.targets["emotion"][7] = np.nan
    target = single_head.batch(ROWS).targets["emotion"]
    assert target.dtype == torch.float32
    assert target.isnan().tolist() == [True, False, False, False]


def test_rows_without_any_target_are_not_defined(three_heads):
    three_heads.targets["valence"][[2, 7]] = np.nan
    three_heads.targets["arousal"][[2, 7]] = np.nan
    three_heads.targets["transition"][2] = np.nan
    assert three_heads.defined(ROWS).tolist() == [7, 11]


def test_parts_that_do_not_fit_are_refused_all_at_once(single_head):
    with pytest.raises(TrainingError, match=r"shift of 'eeg'.*mask of 'gsr'.*no targets"):
        replace(
            single_head,
            masks={"eeg": single_head.masks["eeg"], "gsr": single_head.masks["eeg"]},
            affine=Affine.identity({"eeg": 4, "gsr": 2}),
            targets={},
        )


def in_trials(data, trial, index, n_context=1):
    """The first segments of the data as those of some trials."""
    n = len(trial)
    return replace(
        data,
        values={name: array[:n] for name, array in data.values.items()},
        masks={name: array[:n] for name, array in data.masks.items()},
        subject=data.subject[:n],
        targets={name: array[:n] for name, array in data.targets.items()},
        trial=np.array(trial, np.int32),
        index=np.array(index, np.int32),
        n_context=n_context,
    )


def test_a_context_puts_the_earlier_segments_before_the_segment(single_head):
    data = in_trials(single_head, [0] * 5, [1, 2, 3, 4, 5], n_context=2)
    batch = data.batch(np.array([4, 2]))
    assert data.shape().tokens == {"eeg": (12, 5), "gsr": (9, 2)}
    for row, segments in enumerate(([2, 3, 4], [0, 1, 2])):
        expected = np.concatenate([single_head.values["eeg"][k] for k in segments])
        np.testing.assert_array_equal(batch.x["eeg"][row], expected)
    assert all(mask.all() for mask in batch.mask.values())
    np.testing.assert_array_equal(batch.targets["emotion"], single_head.targets["emotion"][[4, 2]])


def test_a_context_ends_at_the_trial_and_at_a_missing_segment(single_head):
    # rows 0 and 1 are a trial, 2 to 4 another one, whose third segment is missing
    data = in_trials(single_head, [0, 0, 1, 1, 1], [1, 2, 1, 2, 4], n_context=2)
    mask = data.batch(np.arange(5)).mask["gsr"].view(5, 3, 3)[..., 0]  # rows segments
    assert mask.tolist() == [
        [False, False, True],
        [False, True, True],
        [False, False, True],
        [False, True, True],
        [False, False, True],
    ]
    assert not data.batch(np.arange(5)).x["gsr"].view(5, 3, 3, 2)[~mask].any()


def test_a_context_does_not_reach_past_a_missing_segment(single_head):
    data = in_trials(single_head, [0, 0, 0], [1, 3, 4], n_context=2)
    assert data.batch(np.array([2])).mask["eeg"].view(3, 4)[:, 0].tolist() == [False, True, True]


def test_a_context_is_standardised_by_its_own_subject(single_head):
    shift = np.array([[0.0], [10.0]], np.float32)
    data = in_trials(single_head, [0, 0, 1, 1], [1, 2, 1, 2])
    affine = Affine(
        shift={"eeg": shift.repeat(5, axis=1), "gsr": shift.repeat(2, axis=1)},
        scale={"eeg": np.ones((2, 5), np.float32), "gsr": np.ones((2, 2), np.float32)},
    )
    data = replace(data, affine=affine, subject=np.array([0, 0, 1, 1], np.int32))
    x = data.batch(np.array([3])).x["eeg"]
    np.testing.assert_allclose(x[0], single_head.values["eeg"][[2, 3]].reshape(8, 5) - 10, rtol=1e-5)


def test_a_context_of_other_columns_is_refused(single_head):
    with pytest.raises(TrainingError, match="a context needs trial and index of 60 segments"):
        replace(single_head, n_context=1)


def sizes(n_rows, batch_size):
    return [len(b) for b in shuffled_batches(np.arange(n_rows), batch_size, np.random.default_rng(0))]


@pytest.mark.parametrize(
    ("n_rows", "expected"), [(8, [4, 4]), (9, [4, 5]), (10, [4, 4, 2]), (1, [1]), (3, [3])]
)
def test_a_last_batch_of_one_joins_the_one_before(n_rows, expected):
    assert sizes(n_rows, 4) == expected


def test_shuffled_batches_hold_every_row_once():
    rows = np.arange(100, 143)
    batches = shuffled_batches(rows, 8, np.random.default_rng(0))
    joined = np.concatenate(batches)
    assert sorted(joined) == rows.tolist()
    assert joined.tolist() != rows.tolist()


def test_pieces_keep_the_order_and_never_copy_more_than_they_may(single_head, monkeypatch):
    row_bytes = sum(values[0].nbytes for values in single_head.values.values())
    monkeypatch.setattr("emo_ray.training.data.PIECE_BYTES", 2 * row_bytes)
    assert [piece.tolist() for piece in single_head.pieces(np.array([5, 3, 9]))] == [[5, 3], [9]]


def test_a_row_larger_than_a_piece_is_a_piece_of_its_own(single_head, monkeypatch):
    monkeypatch.setattr("emo_ray.training.data.PIECE_BYTES", 1)
    assert [piece.tolist() for piece in single_head.pieces(np.array([5, 3]))] == [[5], [3]]
