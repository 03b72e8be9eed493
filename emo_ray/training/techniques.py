"""Augmentation techniques: pure functions on standardised batches, each child altered by its own draw.

All take ``x`` (children, tokens, features), standardised, zero where undefined, and ``mask`` (children,
tokens); all leave masked tokens as they are and make none valid. Time is counted in valid tokens alone.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

from emo_ray.models.feature_grid import FeatureGrid

Children = Float[Tensor, "children tokens features"]
Valid = Bool[Tensor, "children tokens"]
Numbers = Float64[np.ndarray, " children"]


def add_noise(x: Children, mask: Valid, sd: Numbers, keys: Int64[np.ndarray, " children"]) -> Children:
    """Gaussian noise; ``sd`` in units of the training sd, which is 1 after standardisation.

    Exact zeros stay: they are undefined features, and channels that never vary.
    """
    shape = tuple(x.shape[1:])
    noise = np.stack([_generator(key).standard_normal(shape, np.float32) for key in keys])
    scaled = torch.from_numpy(noise * sd.astype(np.float32)[:, None, None]).to(x.device)
    return torch.where((x != 0) & mask[..., None], x + scaled, x)


def shift_time(x: Children, mask: Valid, share: Numbers) -> Children:
    """Rotate the valid tokens by a signed share of them, at least one; what leaves at one end comes back."""
    ranks, order, count = _valid_ranks(mask)
    wanted = _column(share, x) * count
    step = wanted.sign() * wanted.abs().round().clamp_min(1)
    source = (ranks - step).remainder(count).long()
    return _taken(x, mask, order, source)


def crop_time(x: Children, mask: Valid, share: Numbers, place: Numbers) -> Children:
    """Stretch a part of the valid tokens over all of them, linearly interpolated.

    Parameters
    ----------
    share : of the segment that is kept
    place : 0 keeps its beginning, 1 its end
    """
    ranks, order, count = _valid_ranks(mask)
    last, kept = (count - 1).clamp_min(0), _column(share, x)
    position = _column(place, x) * last * (1 - kept) + ranks * kept
    low = position.floor()
    # a weight near 0 or 1 where the token exists on one side only
    high = torch.minimum(low + 1, last)
    weight = (position - low)[..., None].to(x.dtype)
    return torch.lerp(_taken(x, mask, order, low.long()), _taken(x, mask, order, high.long()), weight)


def scale_amplitude(x: Children, mask: Valid, factor: Numbers) -> Children:
    """All features of a child by one factor."""
    return x * _column(factor, x)[..., None].to(x.dtype)


def drop_channels(
    x: Children, mask: Valid, share: Numbers, keys: Int64[np.ndarray, " children"], grid: FeatureGrid
) -> Children:
    """A share of the channels, at least one, is zero in all tokens and bins; a lone channel stays."""
    if grid.n_channels < 2:
        return x
    n_dropped = np.maximum(1, np.rint(share * grid.n_channels)).astype(np.int64)
    kept = np.ones((len(x), grid.n_channels), np.float32)
    for child, (key, n) in enumerate(zip(keys, n_dropped, strict=True)):
        kept[child, _generator(key).permutation(grid.n_channels)[:n]] = 0
    by_feature = torch.from_numpy(kept.repeat(grid.n_bins, axis=1)).to(x.device)
    return x * by_feature[:, None]


def shift_frequency(x: Children, mask: Valid, shift_hz: Numbers, grid: FeatureGrid) -> Children:
    """Move spectra up (or down, where negative) by some Hz, linearly interpolated, ends held."""
    if not grid.hz:
        return x
    hz = np.asarray(grid.hz)
    position = np.interp(hz - shift_hz[:, None], hz, np.arange(len(hz)))  # (children, bins)
    low = np.floor(position).astype(np.int64)
    weight = torch.from_numpy((position - low).astype(np.float32)).to(x.device)[:, None, None]
    spectra = x.view(*x.shape[:2], grid.n_channels, grid.n_bins)
    ends = (low, np.minimum(low + 1, len(hz) - 1))
    below, above = (
        spectra.gather(3, torch.from_numpy(end).to(x.device)[:, None, None].expand_as(spectra))
        for end in ends
    )
    return torch.lerp(below, above, weight.expand_as(below)).flatten(2)


def mask_block(
    x: Children, mask: Valid, share: Numbers, places: Float64[np.ndarray, "children 2"], grid: FeatureGrid
) -> Children:
    """Zero, the training mean, in one block of tokens and in one of frequency bins, at least one of each.

    An axis of one step is left alone. Tokens stay valid.
    """
    ranks, _, count = _valid_ranks(mask)
    in_time = _in_block(ranks, count, _column(share, x), _column(places[:, 0], x)) & mask
    bins = torch.arange(grid.n_bins, device=x.device, dtype=torch.float64).expand(len(x), -1)
    n_bins = torch.full((len(x), 1), float(grid.n_bins), device=x.device, dtype=torch.float64)
    in_bins = _in_block(bins, n_bins, _column(share, x), _column(places[:, 1], x))
    by_feature = in_bins.repeat(1, grid.n_channels)  # channel-major, as the features are
    return x.masked_fill(in_time[..., None] | by_feature[:, None], 0.0)


def blend(x: Children, mask: Valid, partner: Children, partner_mask: Valid, own_share: Numbers) -> Children:
    """``share * own + (1 - share) * partner`` in tokens that are valid in both; else the child's own."""
    share = _column(own_share, x)[..., None].to(x.dtype)
    return torch.where((mask & partner_mask)[..., None], share * x + (1 - share) * partner, x)


def _generator(key: np.int64) -> np.random.Generator:
    # Philox, for it starts at once: a generator a child must cost next to nothing
    return np.random.Generator(np.random.Philox(key=int(key)))


def _column(numbers: Float64[np.ndarray, " children"], x: Tensor) -> Float[Tensor, "children 1"]:
    return torch.from_numpy(np.ascontiguousarray(numbers)).to(x.device)[:, None]


def _valid_ranks(
    mask: Valid,
) -> tuple[Float[Tensor, "children tokens"], Int[Tensor, "children tokens"], Float[Tensor, "children 1"]]:
    """Place of each valid token among the valid ones, the valid tokens in order, and how many (1 if none)."""
    ranks = (mask.long().cumsum(dim=1) - 1).clamp_min(0)
    order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)
    # float64: a place in a segment of a million tokens is still exact
    return ranks.double(), order, mask.sum(dim=1, keepdim=True).clamp_min(1).double()


def _taken(x: Tensor, mask: Tensor, order: Tensor, ranks: Tensor) -> Tensor:
    """Each valid token replaced by the valid token of that rank."""
    source = order.gather(1, ranks)[..., None].expand_as(x)
    return torch.where(mask[..., None], x.gather(1, source), x)


def _in_block(steps: Tensor, count: Tensor, share: Tensor, place: Tensor) -> Tensor:
    """Which steps lie in a block of a share of them, at least one, that starts at a random place."""
    length = (share * count).round().clamp_min(1)
    start = (place * (count - length + 1)).floor()
    return (steps >= start) & (steps < start + length) & (count > 1)
