"""Mean, spread, bootstrap interval, sign-flip test: a subject is the unit, never a segment."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

N_RESAMPLES = 10_000
SEED = 20_260

MAX_EXACT = 16
"""Up to so many subjects the sign-flip test goes through all 2^n patterns."""
N_FLIPS = 20_000


def _null_where_undefined(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


Number = Annotated[float | None, BeforeValidator(_null_where_undefined)]
"""A number, or None (``null`` in JSON) where it is undefined."""


class OverSubjects(BaseModel):
    """One quantity over subjects; each subject counts once, however many segments it has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: Number = Field(None, description="mean over subjects")
    sd: Number = Field(
        None, description="standard deviation over subjects, n - 1 below; null for one subject"
    )
    low: Number = Field(None, description="lower end of the bootstrap 95 % interval of the mean")
    high: Number = Field(None, description="upper end; both are null for one subject")
    n_subjects: int = Field(0, description="subjects on which the quantity is defined")


def over_subjects(values: Sequence[float]) -> OverSubjects:
    """Mean, sd and percentile bootstrap interval of one value a subject; NaN values are left out.

    The draws depend on the number of values and a fixed seed alone, so equal values give equal intervals.

    References
    ----------
    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13 (percentile interval).
    """
    defined = np.asarray(values, dtype=np.float64)
    defined = defined[np.isfinite(defined)]
    if defined.size < 2:
        return OverSubjects(mean=defined[0] if defined.size else None, n_subjects=defined.size)
    low, high = _bootstrap_interval(defined)
    return OverSubjects(
        mean=defined.mean(), sd=defined.std(ddof=1), low=low, high=high, n_subjects=defined.size
    )


def _bootstrap_interval(values: Float[np.ndarray, " subjects"]) -> tuple[float, float]:
    drawn = np.random.default_rng(SEED).integers(values.size, size=(N_RESAMPLES, values.size))
    # values[drawn]: (resamples, subjects)
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def sign_flip_p(differences: Float[np.ndarray, " subjects"]) -> float:
    """One-sided p that the mean of paired differences is above zero; NaN without any.

    Under the null a difference is as likely to have either sign. p is the share of sign patterns whose sum
    is at least the one observed: of all 2^n up to 16 subjects, of 20,000 seeded draws and the observed one
    beyond that. It can not fall below 2^-n.

    References
    ----------
    Fisher (1935), "The Design of Experiments", section 21; Phipson & Smyth (2010), "Permutation p-values
    should never be zero", SAGMB 9(1), for the observed pattern among the draws.
    """
    size = differences.size
    if size == 0:
        return float("nan")
    observed = differences.sum()
    # sums in another order differ in their last bits: a tie must count as one
    least = observed - 1e-12 * np.abs(differences).sum()
    if size <= MAX_EXACT:
        flipped = np.arange(2**size)[:, None] >> np.arange(size) & 1  # patterns subjects
        return float(np.mean((1 - 2 * flipped) @ differences >= least))
    # (draws, subjects), 1 where the sign is flipped
    flipped = np.random.default_rng(SEED).integers(2, size=(N_FLIPS, size), dtype=np.int8)
    # the sum over the flipped ones is taken off twice
    as_large = np.sum(observed - 2 * (flipped @ differences) >= least)
    return float((1 + as_large) / (1 + N_FLIPS))
