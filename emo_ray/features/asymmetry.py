"""Asymmetry of the head: band features of one electrode against those of its counterpart.

Left against right (DASM, RASM) pairs the electrodes whose names differ by an odd and the next even number, as
10-20 names do: 27 pairs of the 62-channel cap, 14 of DEAP's 32 channels, 7 of Emotiv's 14. Front against back
(DCAU) takes the 23 pairs of Zheng & Lu.
"""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from emo_ray.errors import SignalError

Pairs = tuple[tuple[str, str], ...]

FRONT_BACK_ROWS = (("F", "P"), ("FC", "CP"), ("FT", "TP"))
"""Letters that a front electrode changes to become its counterpart at the back; the number stays."""

FRONT_BACK_OUTER = (("FP1", "O1"), ("FPZ", "OZ"), ("FP2", "O2"), ("AF3", "CB1"), ("AF4", "CB2"))

ODD_NUMBER = re.compile(r"([A-Za-z]+?)(\d*[13579])$")


def left_right_pairs(channels: Sequence[str]) -> Pairs:
    """Pairs of a left electrode and its right counterpart, in the order of the left ones.

    Case does not matter; an electrode without its counterpart, and the midline, are left out.

    Parameters
    ----------
    channels : names of the 10-20 system, old (T3, T5) or new (T7, P7)
    """
    by_upper = {channel.upper(): channel for channel in channels}
    pairs = []
    for channel in channels:
        match = ODD_NUMBER.match(channel)
        right = by_upper.get(f"{match[1]}{int(match[2]) + 1}".upper()) if match else None
        if right is not None:
            pairs.append((channel, right))
    return tuple(pairs)


def front_back_pairs(channels: Sequence[str]) -> Pairs:
    """Pairs of a frontal electrode and its counterpart at the back, in the order of the frontal ones.

    All 23 pairs are there on the 62-channel cap; a pair of which one is missing is left out.

    Parameters
    ----------
    channels : names of the 10-20 system, any case

    References
    ----------
    Zheng & Lu (2015), "Investigating critical frequency bands and channels for EEG-based emotion recognition
    with deep neural networks", IEEE Trans. Autonomous Mental Development 7(3), 162-175.
    """
    by_upper = {channel.upper(): channel for channel in channels}
    back_row, outer = dict(FRONT_BACK_ROWS), dict(FRONT_BACK_OUTER)
    pairs = []
    for channel in channels:
        match = re.match(r"([A-Z]+?)(Z|\d+)$", channel.upper())
        row = back_row.get(match[1]) if match else None
        back = f"{row}{match[2]}" if match and row else outer.get(channel.upper(), "")
        if back in by_upper:
            pairs.append((channel, by_upper[back]))
    return tuple(pairs)


def asymmetry(
    features: Float[np.ndarray, "tokens features"],
    channels: Sequence[str],
    pairs: Pairs,
    kind: Literal["difference", "ratio"] = "difference",
) -> Float[np.ndarray, "tokens pair_features"]:
    """Difference (DASM, DCAU) or ratio (RASM) of the first and second electrode of every pair.

    Columns are pair-major, in the bands' own order. NaN stands where one of the two is NaN, as for a silent
    channel, and where a ratio would divide by 0. A ratio of entropies jumps where the second one passes 0,
    which powers do not.

    Parameters
    ----------
    features : channel-major, as `token_band_features` gives them; any unit, which a difference keeps
    channels : of the features
    pairs : as `left_right_pairs` or `front_back_pairs` gives them
    kind : of comparison

    Raises
    ------
    SignalError : the number of features is no multiple of that of the channels, or a pair is not among these
    """
    unknown = sorted({name for pair in pairs for name in pair} - set(channels))
    if unknown or features.shape[1] % len(channels):
        raise SignalError(
            f"{features.shape[1]} features of {len(channels)} channels, and pairs with the unknown names "
            f"{unknown}: give the channels that the features are of, and pairs of these"
        )
    by_channel = features.reshape(len(features), len(channels), -1)  # tokens channels values
    place = {channel: index for index, channel in enumerate(channels)}
    one, other = (by_channel[:, [place[pair[side]] for pair in pairs]] for side in (0, 1))
    compared = one - other if kind == "difference" else one / np.where(other == 0, np.nan, other)
    flat: Float[np.ndarray, "tokens pair_features"] = compared.reshape(len(features), -1)
    return flat


def asymmetry_names(
    pairs: Pairs, values: Sequence[str], kind: Literal["difference", "ratio"] = "difference"
) -> tuple[str, ...]:
    """Column names of `asymmetry`: ``"F3-F4/alpha"`` for a difference, ``"F3:F4/alpha"`` for a ratio.

    Parameters
    ----------
    pairs : as given to `asymmetry`
    values : names of the features of one channel, such as the bands
    kind : as given to `asymmetry`
    """
    sign = "-" if kind == "difference" else ":"
    return tuple(f"{one}{sign}{other}/{value}" for one, other in pairs for value in values)
