"""Smoothing of feature series by a linear dynamical system: a random walk, seen through noise.

Every series (one feature over the tokens of one trial) is taken as ``x[t + 1] = x[t] + N(0, q)`` seen as
``y[t] = x[t] + N(0, r)``. The Kalman filter estimates x from the past, the Rauch-Tung-Striebel smoother from
the whole trial. Neither looks at the values for its gains, so that without gaps all series of a trial are
smoothed by one matrix.

With the published settings the gain settles at 0.031, which is a time constant of 31.6 tokens: over a trial
of 60 tokens the smoother leaves little but the trial's mean, and it reads the future. The filter does not.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.errors import SignalError

MAX_MATRIX_TIMES = 1024  # 8 MiB a matrix; longer series are run through step by step


class LdsConfig(BaseModel):
    """How feature series are smoothed; variances in squared units of the series."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["none", "causal", "smooth"] = Field(
        "none",
        description="none: as they are; causal: Kalman filter, uses the past alone; smooth: filter and "
        "smoother, uses the whole trial and can not be run live",
    )
    q: float = Field(0.001, ge=0, description="variance of a step of the random walk")
    r: float = Field(1.0, gt=0, description="variance of the noise")
    p0: float = Field(0.1, gt=0, description="variance of the first state about m0")
    m0: Literal["mean", "first"] = Field(
        "first",
        description="first state expected - first: the first value; mean: that of the series, which reads "
        "the future (published)",
    )


PUBLISHED_LDS = LdsConfig(kind="smooth", m0="mean")


def lds_smooth(
    series: Float[np.ndarray, "times series"], config: LdsConfig
) -> Float[np.ndarray, "times series"]:
    """Every column smoothed by itself.

    A value that is NaN or infinite is a missing observation: the estimate goes on without it, and stands in
    its place in the result, so mask the tokens that were missing. NaN remains where nothing is known: in a
    series without any value and, where ``m0`` is ``"first"``, before the first value of a causal filter.

    Parameters
    ----------
    series : any unit, the tokens of one trial in time order, at one distance
    config : kind and variances

    References
    ----------
    Shi & Lu (2010), "Off-line and on-line vigilance estimation based on linear dynamical system and manifold
    learning", EMBC, 6587-6590.
    """
    n_times = len(series)
    if config.kind == "none" or series.size == 0:
        return series.copy()
    seen = np.isfinite(series)
    if n_times <= MAX_MATRIX_TIMES and seen.all():
        smoothed = lds_matrix(n_times, config) @ series.astype(np.float64)
    else:
        smoothed = _smoothed(np.where(seen, series, 0.0).astype(np.float64), seen, config)
    result: Float[np.ndarray, "times series"] = smoothed.astype(series.dtype)
    return result


@lru_cache(maxsize=32)
def lds_matrix(n_times: int, config: LdsConfig) -> Float[np.ndarray, "times times"]:
    """What `lds_smooth` multiplies a series without gaps by; its rows sum to 1, read only.

    Parameters
    ----------
    n_times : length of the series
    config : of the kind ``causal`` or ``smooth``
    """
    # a linear map is known by what it does to the unit vectors, m0 included
    matrix = _smoothed(np.eye(n_times), np.ones((n_times, n_times), dtype=bool), config)
    matrix.flags.writeable = False
    return matrix


def fit_lds(
    series: Float[np.ndarray, "times series"], start: LdsConfig = PUBLISHED_LDS, n_iterations: int = 5
) -> LdsConfig:
    """The variances q, r and p0 that explain the series best, by expectation-maximisation (pykalman).

    All series share them: the maximisation of a shared variance is the mean of the series' own ones. Fit on
    training subjects only. pykalman needs about 10 ms for each series of 60 tokens and iteration, so give it
    a sample of series rather than all.

    Parameters
    ----------
    series : of one length; NaN where missing; a series with less than two values is passed over
    start : variances to begin with; its kind and m0 stay
    n_iterations : rounds of expectation and maximisation

    Raises
    ------
    SignalError : no series has two values
    """
    from pykalman import KalmanFilter

    masked = np.ma.masked_invalid(series.astype(np.float64))
    usable = masked[:, masked.count(axis=0) >= 2].T  # series times
    if not len(usable):
        raise SignalError(
            f"none of {series.shape[1]} series has two finite values to fit variances to: look for missing "
            "tokens, or keep the published variances"
        )
    first = _first_states(usable.filled(0.0).T, ~np.ma.getmaskarray(usable).T, start)
    q, r, p0 = start.q, start.r, start.p0
    for _ in range(n_iterations):
        rounds = []
        for values, mean in zip(usable, first, strict=True):
            model = KalmanFilter([[1]], [[1]], [[q]], [[r]], [0], [0], [mean], [[p0]])
            model.em(values, n_iter=1, em_vars=list(EM_VARIABLES))
            rounds.append([getattr(model, name).item() for name in EM_VARIABLES])
        # noise is averaged over values, the other two over series of one length
        q, r, p0 = (
            float(np.average(own, weights=weights))
            for own, weights in zip(np.transpose(rounds), (None, usable.count(axis=1), None), strict=True)
        )
    return LdsConfig(kind=start.kind, q=q, r=r, p0=p0, m0=start.m0)


EM_VARIABLES = ("transition_covariance", "observation_covariance", "initial_state_covariance")


def _smoothed(
    values: Float[np.ndarray, "times series"], seen: Bool[np.ndarray, "times series"], config: LdsConfig
) -> Float[np.ndarray, "times series"]:
    """Filter forward and, if asked for, smooth backward; values that were not seen are 0."""
    # without gaps the variances are those of one series
    weight = np.ones((len(values), 1)) if seen.all() else seen.astype(np.float64)
    mean, variance = _first_states(values, seen, config), np.full(weight.shape[1], config.p0)
    means, variances = np.empty_like(values), np.empty_like(weight)
    for t in range(len(values)):
        gain = weight[t] * variance / (variance + config.r)
        mean = mean + gain * (values[t] - mean)
        means[t], variances[t] = mean, (1.0 - gain) * variance
        variance = variances[t] + config.q  # of the next state, before it is seen
    if config.kind == "smooth":
        for t in range(len(values) - 2, -1, -1):
            share = variances[t] / (variances[t] + config.q)
            means[t] += share * (means[t + 1] - means[t])
    elif config.m0 == "first":
        means[~np.logical_or.accumulate(seen, axis=0)] = np.nan  # the first value still lies ahead
    return means


def _first_states(
    values: Float[np.ndarray, "times series"], seen: Bool[np.ndarray, "times series"], config: LdsConfig
) -> Float[np.ndarray, " series"]:
    """m0 of every series, NaN for one without a value."""
    if config.m0 == "first":
        first = values[np.argmax(seen, axis=0), np.arange(values.shape[1])]
        return np.where(seen.any(axis=0), first, np.nan)
    count = seen.sum(axis=0)
    return np.where(count > 0, values.sum(axis=0) / np.maximum(count, 1), np.nan)
