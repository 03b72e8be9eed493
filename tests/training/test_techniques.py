"""Techniques, on numbers worked by hand; masked tokens are never touched and never made valid."""

import numpy as np
import pytest
import torch

from emo_ray.models.feature_grid import FeatureGrid
from emo_ray.training.techniques import (
    add_noise,
    blend,
    crop_time,
    drop_channels,
    mask_block,
    scale_amplitude,
    shift_frequency,
    shift_time,
)

ALL = torch.ones(1, 5, dtype=torch.bool)
HOLE = torch.tensor([[True, True, False, True, True]])
SPECTRUM = FeatureGrid(1, 4, (1.0, 2.0, 3.0, 4.0))


def series(*numbers):
    return torch.tensor(numbers, dtype=torch.float32)[None, :, None]  # (1, tokens, 1)


def numbers_of(x):
    return x.squeeze().tolist()


def one(number):
    return np.array([float(number)])


def test_time_goes_round():
    x = series(1, 2, 3, 4, 5)
    assert numbers_of(shift_time(x, ALL, one(0.4))) == [4, 5, 1, 2, 3]
    assert numbers_of(shift_time(x, ALL, one(-0.4))) == [3, 4, 5, 1, 2]


def test_time_goes_round_over_the_valid_tokens_only_and_by_one_at_least():
    assert numbers_of(shift_time(series(1, 2, 0, 4, 5), HOLE, one(0.05))) == [5, 1, 0, 2, 4]


@pytest.mark.parametrize(("place", "expected"), [(0, [0, 5, 10, 15, 20]), (1, [20, 25, 30, 35, 40])])
def test_a_crop_is_stretched_over_the_segment(place, expected):
    x = series(0, 10, 20, 30, 40)
    assert numbers_of(crop_time(x, ALL, one(0.5), one(place))) == expected


def test_a_crop_is_stretched_over_the_valid_tokens():
    x = crop_time(series(0, 10, 0, 20, 30), HOLE, one(0.5), one(1))
    assert numbers_of(x) == [15, 20, 0, 25, 30]


def test_amplitude_is_one_factor_a_child():
    x = torch.ones(2, 3, 2)
    scaled = scale_amplitude(x, torch.ones(2, 3, dtype=torch.bool), np.array([0.5, 2.0]))
    assert scaled[0].unique().tolist() == [0.5]
    assert scaled[1].unique().tolist() == [2.0]


def test_a_share_of_the_channels_is_dropped_with_all_its_bins():
    grid = FeatureGrid(10, 3)
    x = drop_channels(
        torch.ones(4, 2, 30), torch.ones(4, 2, dtype=torch.bool), np.full(4, 0.2), np.arange(4), grid
    )
    by_channel = x.view(4, 2, 10, 3)
    dropped = (by_channel == 0).all(dim=3)
    assert (dropped.sum(dim=2) == 2).all()  # 0.2 of 10, in every token
    assert (by_channel[~dropped] == 1).all()
    assert len({tuple(child[0].tolist()) for child in dropped}) > 1  # each child loses its own


def test_a_lone_channel_is_not_dropped():
    x = torch.ones(1, 5, 4)
    assert torch.equal(drop_channels(x, ALL, one(0.2), np.arange(1), SPECTRUM), x)


@pytest.mark.parametrize(
    ("hz", "expected"), [(1, [10, 10, 20, 30]), (0.5, [10, 15, 25, 35]), (-1, [20, 30, 40, 40])]
)
def test_a_spectrum_moves_by_hertz(hz, expected):
    x = torch.tensor([10.0, 20, 30, 40]).expand(1, 5, 4)
    moved = shift_frequency(x, ALL, one(hz), SPECTRUM)
    assert moved[0, 0].tolist() == expected
    assert (moved == moved[:, :1]).all()


def test_spectra_of_several_channels_do_not_mix():
    x = torch.tensor([1.0, 2, 30, 40])[None, None]
    moved = shift_frequency(x, torch.ones(1, 1, dtype=torch.bool), one(1), FeatureGrid(2, 2, (5.0, 6.0)))
    assert moved[0, 0].tolist() == [1, 1, 30, 30]


def test_a_block_of_time_and_one_of_frequency_are_zero():
    x, mask = torch.ones(1, 4, 8), torch.ones(1, 4, dtype=torch.bool)
    masked = mask_block(x, mask, one(0.5), np.array([[0.0, 0.99]]), FeatureGrid(2, 4))
    assert masked[0, :2].eq(0).all()  # half of the tokens, from the first
    assert masked[0, 2:].tolist() == [[1, 1, 0, 0, 1, 1, 0, 0]] * 2  # the last bins of both channels


def test_a_block_counts_valid_tokens():
    masked = mask_block(series(1, 2, 0, 4, 5), HOLE, one(0.5), np.array([[0.4, 0.0]]), FeatureGrid(1, 1))
    assert numbers_of(masked) == [1, 0, 0, 0, 5]  # starts at 0.4 of 3 places: at the second valid token


def test_two_rows_are_blended_where_both_are_valid():
    child = blend(series(1, 2, 3, 4, 5), ALL, series(11, 12, 0, 14, 15), HOLE, one(0.75))
    assert numbers_of(child) == [3.5, 4.5, 3, 6.5, 7.5]


def test_noise_has_its_sd_and_leaves_zeros():
    x = torch.ones(2, 100, 100)
    x[:, :, 7] = 0  # undefined, or a channel that never varies
    noisy = add_noise(x, torch.ones(2, 100, dtype=torch.bool), np.array([0.01, 0.05]), np.array([3, 4]))
    spread = (noisy - x)[:, :, :7].std(dim=(1, 2))
    np.testing.assert_allclose(spread, [0.01, 0.05], rtol=0.1)
    assert not noisy[:, :, 7].any()


def test_noise_is_the_childs_own_wherever_it_stands():
    x, mask = torch.ones(2, 5, 3), torch.ones(2, 5, dtype=torch.bool)
    both = add_noise(x, mask, np.array([0.01, 0.05]), np.array([3, 4]))
    alone = add_noise(x[1:], mask[1:], one(0.05), np.array([4]))
    assert torch.equal(both[1:], alone)
    assert not torch.equal(both[0], both[1])


TECHNIQUES = {
    "noise": lambda x, mask: add_noise(x, mask, np.full(len(x), 0.05), np.arange(len(x))),
    "shift": lambda x, mask: shift_time(x, mask, np.full(len(x), -0.2)),
    "crop": lambda x, mask: crop_time(x, mask, np.full(len(x), 0.8), np.full(len(x), 0.3)),
    "amplitude": lambda x, mask: scale_amplitude(x, mask, np.full(len(x), 1.1)),
    "drop": lambda x, mask: drop_channels(
        x, mask, np.full(len(x), 0.2), np.arange(len(x)), FeatureGrid(2, 3)
    ),
    "frequency": lambda x, mask: shift_frequency(
        x, mask, np.full(len(x), 1.5), FeatureGrid(2, 3, (4.0, 5.0, 6.0))
    ),
    "block": lambda x, mask: mask_block(
        x, mask, np.full(len(x), 0.1), np.full((len(x), 2), 0.5), FeatureGrid(2, 3)
    ),
    "blend": lambda x, mask: blend(x, mask, x.flip(0), mask.flip(0), np.full(len(x), 0.5)),
}


@pytest.mark.parametrize("technique", TECHNIQUES.values(), ids=TECHNIQUES)
@pytest.mark.parametrize("n_tokens", [1, 2, 7])
def test_no_mask_is_too_sparse(technique, n_tokens):
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(20, n_tokens, generator=generator) < 0.5
    mask[0] = False  # nothing valid at all
    x = torch.randn(20, n_tokens, 6, generator=generator) * mask[..., None]
    before = x.clone()
    child = technique(x, mask)
    assert child.shape == x.shape
    assert child.isfinite().all()
    assert not child[~mask].any()
    assert torch.equal(x, before)  # parents are left as they are
