"""The linear dynamical system against pykalman, by hand, and as a linear map."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pykalman import KalmanFilter

from emo_ray.errors import SignalError
from emo_ray.features.smoothing import (
    MAX_MATRIX_TIMES,
    PUBLISHED_LDS,
    LdsConfig,
    fit_lds,
    lds_matrix,
    lds_smooth,
)

CAUSAL = LdsConfig(kind="causal")
CONFIGS = [
    PUBLISHED_LDS,
    CAUSAL,
    LdsConfig(kind="smooth", q=0.3, r=0.2, p0=2.0),
    LdsConfig(kind="causal", m0="mean"),
]


def series(n_times: int = 60, n_series: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(20, 3, (n_times, n_series))


def pykalman(values: np.ndarray, config: LdsConfig) -> np.ndarray:
    masked, out = np.ma.masked_invalid(values), np.empty_like(values)
    for column in range(values.shape[1]):
        seen = values[np.isfinite(values[:, column]), column]
        m0 = seen[0] if config.m0 == "first" else seen.mean()
        model = KalmanFilter([[1]], [[1]], [[config.q]], [[config.r]], [0], [0], [m0], [[config.p0]])
        run = model.smooth if config.kind == "smooth" else model.filter
        out[:, column] = run(masked[:, column])[0][:, 0]
    return out


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_it_equals_pykalman(config):
    assert_allclose(lds_smooth(series(), config), pykalman(series(), config), rtol=0, atol=1e-10)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_it_equals_pykalman_with_missing_values(config):
    gappy = series()
    gappy[[5, 6, 30], 0], gappy[-1, 1], gappy[::2, 2] = np.nan, -np.inf, np.nan
    gappy[0, 2] = 20.0
    assert_allclose(lds_smooth(gappy, config), pykalman(gappy, config), rtol=0, atol=1e-10)


@pytest.mark.parametrize("config", CONFIGS[:2], ids=repr)
def test_a_long_series_is_run_through_step_by_step_and_equals_pykalman(config):
    long = series(MAX_MATRIX_TIMES + 1, 1)
    assert_allclose(lds_smooth(long, config), pykalman(long, config), rtol=0, atol=1e-10)


def test_two_tokens_worked_by_hand():
    config = LdsConfig(kind="causal", q=1.0, r=1.0, p0=1.0, m0="mean")
    # m0 = 2; gain 1/2: 2 + (0 - 2)/2 = 1, variance 1/2; then variance 3/2, gain 3/5: 1 + 3/5 * 3 = 2.8
    assert_allclose(lds_smooth(np.array([[0.0], [4.0]]), config), [[1.0], [2.8]])
    # back: share (1/2) / (3/2): 1 + 1.8 / 3
    smoothed = lds_smooth(np.array([[0.0], [4.0]]), config.model_copy(update={"kind": "smooth"}))
    assert_allclose(smoothed, [[1.6], [2.8]])


def test_a_causal_filter_does_not_read_the_future():
    values = series()
    late = values.copy()
    late[31:] += 100.0
    assert_array_equal(lds_smooth(values, CAUSAL)[:31], lds_smooth(late, CAUSAL)[:31])
    gappy = np.where(np.arange(60)[:, None] < 3, np.nan, values)
    filtered = lds_smooth(gappy, CAUSAL)
    assert np.isnan(filtered[:3]).all()
    assert_allclose(filtered[3:], pykalman(gappy, CAUSAL)[3:])


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_a_constant_series_stays_and_the_rows_of_the_matrix_sum_to_one(config):
    assert_allclose(lds_smooth(np.full((60, 2), 7.0), config), 7.0, rtol=1e-12)
    assert_allclose(lds_matrix(60, config).sum(axis=1), 1.0, rtol=1e-12)


def test_the_published_smoother_leaves_a_thirtieth_of_white_noise():
    noise = np.random.default_rng(1).normal(size=(60, 2000))
    smoothed = lds_smooth(noise, PUBLISHED_LDS) - noise.mean(axis=0)
    assert smoothed.std() == pytest.approx(0.03, abs=0.01)


def test_nothing_known_is_nan_and_none_leaves_all_as_it_is():
    values = series()
    values[:, 1] = np.nan
    for config in CONFIGS:
        assert np.isnan(lds_smooth(values, config)[:, 1]).all()
        assert np.isfinite(lds_smooth(values, config)[:, [0, 2, 3]]).all()
    assert_array_equal(lds_smooth(values, LdsConfig()), values)
    assert lds_smooth(np.zeros((0, 3)), PUBLISHED_LDS).shape == (0, 3)


def test_single_precision_stays_single():
    smoothed = lds_smooth(series().astype(np.float32), PUBLISHED_LDS)
    assert smoothed.dtype == np.float32
    assert_allclose(smoothed, lds_smooth(series(), PUBLISHED_LDS), rtol=1e-6)


def test_a_fit_of_one_series_is_pykalmans():
    values = np.cumsum(np.random.default_rng(2).normal(0, 0.5, (60, 1)), axis=0)
    values[7] = np.nan
    fitted = fit_lds(values, n_iterations=3)
    names = ["transition_covariance", "observation_covariance", "initial_state_covariance"]
    mean = [np.nanmean(values)]
    model = KalmanFilter([[1]], [[1]], [[0.001]], [[1.0]], [0], [0], mean, [[0.1]])
    model.em(np.ma.masked_invalid(values), n_iter=3, em_vars=names)
    assert_allclose([fitted.q, fitted.r, fitted.p0], [getattr(model, name).item() for name in names])


def test_a_fit_of_many_series_finds_the_variances_that_made_them():
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(0, 0.5, (80, 12)), axis=0)
    fitted = fit_lds(walk + rng.normal(0, 1.0, walk.shape), LdsConfig(kind="causal", q=0.1), n_iterations=15)
    assert fitted.kind == "causal"
    assert fitted.q == pytest.approx(0.25, rel=0.3)
    assert fitted.r == pytest.approx(1.0, rel=0.2)


def test_a_fit_of_nothing_is_refused():
    with pytest.raises(SignalError, match="none of 2 series has two finite values"):
        fit_lds(np.full((60, 2), np.nan))
