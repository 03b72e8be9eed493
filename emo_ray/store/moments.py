"""Moments of features, merged over subjects instead of computed over data.

Reference: Chan, Golub & LeVeque (1979), "Updating formulae and a pairwise algorithm for computing
sample variances".
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

# A spread below this share of the mean is rounding of a constant in float32, not information.
CONSTANT_SHARE = 1e-7


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations (M2) of each feature over valid tokens."""

    count: Float64[np.ndarray, " features"]
    mean: Float64[np.ndarray, " features"]
    m2: Float64[np.ndarray, " features"]

    @property
    def std(self) -> Float64[np.ndarray, " features"]:
        """Population standard deviation; 0 where there is no value at all."""
        variance: Float64[np.ndarray, " features"] = np.divide(
            self.m2, self.count, out=np.zeros_like(self.m2), where=self.count > 0
        )
        np.sqrt(variance, out=variance)
        return variance

    @property
    def scale(self) -> Float64[np.ndarray, " features"]:
        """``1 / std``; 0 for a constant feature, which so becomes exactly 0 after standardisation."""
        varies = self.std > CONSTANT_SHARE * np.abs(self.mean)
        scale: Float64[np.ndarray, " features"] = np.zeros_like(self.std)
        np.divide(1.0, self.std, out=scale, where=varies)
        return scale


def measure(
    values: Float32[np.ndarray, "segments tokens features"], mask: Bool[np.ndarray, "segments tokens"]
) -> Moments:
    """Moments over the valid tokens; undefined features (NaN) of a valid token do not count."""
    tokens = values[mask].astype(np.float64)  # (valid tokens, features)
    defined = np.isfinite(tokens)
    count = defined.sum(axis=0).astype(np.float64)
    total = np.where(defined, tokens, 0.0).sum(axis=0)
    mean = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    # Two passes: sum(x^2) - n mean^2 would cancel where the mean is large beside the spread.
    m2 = np.where(defined, (tokens - mean) ** 2, 0.0).sum(axis=0)
    return Moments(count, mean, m2)


def no_moments(n_features: int) -> Moments:
    """Moments of nothing: merging them changes nothing."""
    return Moments(*(np.zeros(n_features, dtype=np.float64) for _ in range(3)))


def merge(parts: Iterable[Moments]) -> Moments:
    """Moments of the union of disjoint parts, in the order given (the order is part of the result)."""
    first, *rest = parts
    count, mean, m2 = first.count, first.mean, first.m2  # each (features,)
    for part in rest:
        total = count + part.count
        # The pairwise update of Chan et al.; a feature that neither part has keeps count 0.
        weight = np.divide(part.count, total, out=np.zeros_like(total), where=total > 0)
        delta = part.mean - mean
        m2 = m2 + part.m2 + delta**2 * count * weight
        mean = mean + delta * weight
        count = total
    return Moments(count, mean, m2)
