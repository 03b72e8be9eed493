"""FeatureGrid: how the features of a token lie on channels and frequencies, read from their names."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

_FREQUENCY = re.compile(r"(\d+(?:\.\d+)?)\s*(?:Hz)?")


@dataclass(frozen=True)
class FeatureGrid:
    """How the features of a token lie on channels and frequencies: feature = channel * n_bins + bin.

    Attributes
    ----------
    hz : frequency of each bin, ascending; empty where the bins have names but no frequencies
    """

    n_channels: int
    n_bins: int
    hz: tuple[float, ...] = ()

    @classmethod
    def of(cls, features: Sequence[str]) -> "FeatureGrid":
        """The grid behind names such as ``"Cz/4.5"`` or ``"Cz/alpha"``; else each feature is a channel."""
        parts = [name.rpartition("/") for name in features]
        channels = tuple(dict.fromkeys(channel for channel, _, _ in parts))
        bins = tuple(dict.fromkeys(label for _, _, label in parts))
        product = [(channel, "/", label) for channel, label in itertools.product(channels, bins)]
        if parts != product:
            return cls(len(features), 1)
        return cls(len(channels), len(bins), _frequencies(bins))


def _frequencies(labels: Sequence[str]) -> tuple[float, ...]:
    found = [_FREQUENCY.fullmatch(label) for label in labels]
    hz = tuple(float(match[1]) for match in found if match)
    is_axis = len(hz) == len(labels) > 1 and all(low < high for low, high in itertools.pairwise(hz))
    return hz if is_axis else ()
