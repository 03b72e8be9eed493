"""Differential entropy of EEG: half the log of the power in a band, for one segment or for tokens of a trial.

A band-passed segment is taken as Gaussian, so only its variance counts: ``log(2 pi e var) / 2`` (Duan, Zhu &
Lu 2013). Tokens of a trial are cut from one filtered trial, not filtered one by one: the filter is designed
once, its ends touch the first and last token alone, and tokens may overlap at no cost.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from emo_ray.signals.filters import Band, band_pass, check_bands, filter_reach
from emo_ray.signals.gaps import bridge_gaps, widen
from emo_ray.signals.tokens import any_in_tokens, silent_tokens, sum_over_tokens, token_samples

EEG_BANDS: Mapping[str, Band] = MappingProxyType(
    {
        "theta": Band(4, 8),
        "alpha": Band(8, 13),
        "low_beta": Band(13, 20),
        "high_beta": Band(20, 30),
        "gamma": Band(30, 45),
    }
)
"""Five bands inside 4 to 45 Hz, all that the files of AMIGOS (and DEAP) hold.

The usual delta, 1 to 4 Hz, would there be the leakage of the edge at 4 Hz, and the usual gamma, up to 50 Hz,
that of the edge at 45. Beta is halved in delta's place: five bands stay, each with signal of its own.
"""

SJTU_BANDS: Mapping[str, Band] = MappingProxyType(
    {
        "delta": Band(1, 4),
        "theta": Band(4, 8),
        "alpha": Band(8, 14),
        "beta": Band(14, 31),
        "gamma": Band(31, 50),
    }
)
"""The bands of the features that SEED, SEED-IV, SEED-V and SEED-VII ship."""

VARIANCE_FLOOR = 1e-12  # squared microvolts, far below the noise of any amplifier


def differential_entropy(
    segment: Float[np.ndarray, "channels times"], sfreq: float, bands: Mapping[str, Band] = EEG_BANDS
) -> Float[np.ndarray, "channels bands"]:
    """Differential entropy of each channel in each band, in nats.

    A silent channel gives the value of the floor, 1e-12 squared microvolts, never minus infinity.

    Parameters
    ----------
    segment : microvolts, baseline already taken off, without NaN
    sfreq : Hz
    bands : name to edges in Hz; their order is the order of the last axis

    Raises
    ------
    SignalError : a band reaches the Nyquist frequency, or the segment is too short or holds NaN

    References
    ----------
    Duan, Zhu & Lu (2013), "Differential entropy feature for EEG-based emotion classification", NER, 81-84.
    """
    check_bands(bands, sfreq)
    filtered = np.stack([band_pass(segment, sfreq, band) for band in bands.values()], axis=1)
    return gaussian_entropy(filtered.var(axis=-1))


def token_differential_entropy(
    eeg: Float[np.ndarray, "channels times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " tokens"],
    token_s: float = 1.0,
    bands: Mapping[str, Band] = EEG_BANDS,
) -> Float[np.ndarray, "tokens features"]:
    """Differential entropy of every token of a trial, in nats; columns as in `differential_entropy_names`.

    NaN stands where a channel is silent (one value from the first to the last sample of the token) and where
    a missing sample lies in the token or so near that the filter of the band carries more than 1 % of it into
    the token (`filter_reach`). Another channel is not touched by that.

    Parameters
    ----------
    eeg : microvolts, the whole trial; NaN where missing
    sfreq : Hz
    starts_s : seconds from the first sample to the start of each token, in any order; tokens may overlap
    token_s : seconds
    bands : name to edges in Hz

    Raises
    ------
    SignalError : a band does not fit the rate, the trial is too short, or a token reaches out of it
    """
    return gaussian_entropy(token_band_variance(eeg, sfreq, starts_s, token_s, bands))


def token_band_variance(
    eeg: Float[np.ndarray, "channels times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " tokens"],
    token_s: float = 1.0,
    bands: Mapping[str, Band] = EEG_BANDS,
) -> Float[np.ndarray, "tokens features"]:
    """Variance of every token of the band-passed trial, squared microvolts: what the entropy is taken of.

    Columns, NaN, parameters and errors as in `token_differential_entropy`.
    """
    check_bands(bands, sfreq)
    starts, length = token_samples(starts_s, token_s, sfreq, eeg.shape[-1])
    bridged, missing = bridge_gaps(eeg)
    silent = silent_tokens(eeg, starts, length)
    by_band = []  # bands of (channels, tokens); one band at a time keeps a long trial's memory low
    for band in bands.values():
        filtered = band_pass(bridged, sfreq, band)
        mean = sum_over_tokens(filtered, starts, length) / length
        # a band-passed token has next to no mean, so this difference loses no digits
        variance = sum_over_tokens(filtered**2, starts, length) / length - mean**2
        touched = any_in_tokens(widen(missing, filter_reach(sfreq, band)), starts, length)
        by_band.append(np.where(silent | touched, np.nan, np.maximum(variance, 0.0)))
    return np.stack(by_band, axis=1).reshape(-1, starts.size).T  # channel-major: channel * n_bands + band


def differential_entropy_names(
    channels: Sequence[str], bands: Mapping[str, Band] = EEG_BANDS
) -> tuple[str, ...]:
    """Column names of `token_differential_entropy`, channel-major: ``"AF3/theta"``, ``"AF3/alpha"``, ...

    Parameters
    ----------
    channels : in the order of the first axis of the signal
    bands : as given to `token_differential_entropy`
    """
    return tuple(f"{channel}/{band}" for channel in channels for band in bands)


def gaussian_entropy(variance: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Entropy in nats of a Gaussian; that of the floor for variances below it, NaN stays NaN.

    Parameters
    ----------
    variance : squared microvolts
    """
    entropy: Float[np.ndarray, "*any"] = 0.5 * np.log(2 * np.pi * np.e * np.maximum(variance, VARIANCE_FLOOR))
    return entropy
