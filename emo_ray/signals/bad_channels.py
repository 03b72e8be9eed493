"""Bad EEG channels: missing, flat, clipped, far louder or quieter than others, or unlike their neighbours.

The checks and most limits follow the PREP pipeline (Bigdely-Shamlo et al. 2015, Frontiers in Neuroinformatics
9:16), without its repeated referencing: deviation by robust z of the amplitude, and correlation in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Int
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.signals.electrodes import positions

STRETCH_S = 1.0  # what is judged at a time, as in PREP
MAD_TO_SD = 1.4826  # of a normal distribution
LEAST_SPREAD = 0.2  # of log SD over channels: with less, a channel 20 % louder would be far off
MIN_CHANNELS = 5  # a median over fewer says nothing about one of them
LEVEL_TOLERANCE = 1e-6  # of the range: float32 copies of one ADC level


class BadChannels(BaseModel):
    """When a channel counts as bad, and what is done about it; None leaves a check out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_missing_share: float | None = Field(0.5, ge=0, lt=1, description="share of samples that are NaN")
    max_flat_share: float | None = Field(0.25, ge=0, lt=1, description="share of seconds of one single value")
    max_clipped_share: float | None = Field(
        0.01, ge=0, lt=1, description="share of samples that stay at the highest or lowest value"
    )
    max_z: float | None = Field(
        5.0, gt=0, description="robust z of the log amplitude of the typical second, among all channels"
    )
    min_correlation: float | None = Field(
        0.4, ge=0, lt=1, description="with the best of the nearest electrodes, in the typical second"
    )
    n_neighbours: int = Field(4, ge=1, description="nearest electrodes that a channel is compared with")
    repair: Literal["interpolate", "missing", "keep"] = Field(
        "interpolate", description="spherical splines from the others, NaN, or only named"
    )
    max_bad_share: float = Field(
        0.4, gt=0, le=1, description="with more bad channels than this none is interpolated: all become NaN"
    )


@dataclass(frozen=True)
class Judged:
    """What channels are judged by.

    Attributes
    ----------
    recorded : as in the file, NaN where missing; flat and clipped stretches show here only
    filtered : the same channels without NaN, any rate: drift and hum are no reason to call a channel bad
    sfreq, filtered_sfreq : Hz, of the two
    names : electrodes
    """

    recorded: Float[np.ndarray, "channels times"]
    filtered: Float64[np.ndarray, "channels new_times"]
    sfreq: float
    filtered_sfreq: float
    names: Sequence[str]


def find_bad_channels(judged: Judged, limits: BadChannels) -> dict[str, str]:
    """Bad channels and the reason of each, in the order of the channels.

    The checks run in the order missing, flat, clipped, amplitude, correlation; what an earlier one found
    takes no part in a later one, so that a dead channel is nobody's neighbour. The last two compare channels
    and need five of them.

    Raises
    ------
    SignalError : correlations are asked for, and a name is no electrode
    """
    reasons: dict[int, str] = {}
    for share, limit, words in _shares(judged, limits):
        for row in np.flatnonzero(share > limit):
            reasons.setdefault(int(row), words.format(share=share[row]))
    stretches = _stretches(judged.filtered, judged.filtered_sfreq)  # channels stretches stretch_times
    if limits.max_z is not None:
        reasons |= _far_off(stretches, _others(judged, reasons), limits.max_z)
    if limits.min_correlation is not None:
        reasons |= _unlike_neighbours(stretches, _others(judged, reasons), judged.names, limits)
    return {judged.names[row]: reasons[row] for row in sorted(reasons)}


def flat_share(signal: Float[np.ndarray, "channels times"], sfreq: float) -> Float64[np.ndarray, " channels"]:
    """Share of seconds in which a channel has one value throughout; NaN counts as no change."""
    stretches = _stretches(signal, sfreq)
    there = np.isfinite(stretches)
    highest = np.where(there, stretches, -np.inf).max(axis=-1)
    lowest = np.where(there, stretches, np.inf).min(axis=-1)
    return np.asarray((highest == lowest).mean(axis=-1), dtype=np.float64)


def clipped_share(signal: Float[np.ndarray, "channels times"]) -> Float64[np.ndarray, " channels"]:
    """Share of samples at the highest or lowest value of their channel whose neighbour in time is there too.

    A sine that was never cut touches its extremes for single samples; an amplifier at its end stays.
    """
    there = np.isfinite(signal)
    highest = np.where(there, signal, -np.inf).max(axis=-1, keepdims=True)
    lowest = np.where(there, signal, np.inf).min(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):  # a channel without any sample: inf - inf
        tolerance = LEVEL_TOLERANCE * (highest - lowest)
        at_end = np.stack([signal >= highest - tolerance, signal <= lowest + tolerance])
    stays = at_end[..., 1:] & at_end[..., :-1]
    clipped = np.zeros(at_end.shape, dtype=bool)
    clipped[..., 1:] |= stays
    clipped[..., :-1] |= stays
    share: Float64[np.ndarray, " channels"] = clipped.any(axis=0).sum(axis=-1) / np.maximum(
        there.sum(axis=-1), 1
    )
    return share


def _shares(judged: Judged, limits: BadChannels) -> list[tuple[Float64[np.ndarray, " channels"], float, str]]:
    """The checks that look at one channel at a time: measure, limit, and reason in words."""
    checks: list[tuple[Float64[np.ndarray, " channels"], float, str]] = []
    if limits.max_missing_share is not None:
        missing = np.asarray((~np.isfinite(judged.recorded)).mean(axis=-1), dtype=np.float64)
        checks.append((missing, limits.max_missing_share, "missing: {share:.0%} of the samples"))
    if limits.max_flat_share is not None:
        flat = flat_share(judged.recorded, judged.sfreq)
        checks.append((flat, limits.max_flat_share, "flat: one single value in {share:.0%} of the seconds"))
    if limits.max_clipped_share is not None:
        clipped = clipped_share(judged.recorded)
        checks.append(
            (clipped, limits.max_clipped_share, "clipped: {share:.1%} of the samples stay at an extreme")
        )
    return checks


def _others(judged: Judged, reasons: dict[int, str]) -> Int[np.ndarray, " others"]:
    """Rows that no check has found bad so far."""
    return np.array([row for row in range(len(judged.names)) if row not in reasons], dtype=np.int64)


def _far_off(
    stretches: Float64[np.ndarray, "channels stretches stretch_times"],
    rows: Int[np.ndarray, " others"],
    max_z: float,
) -> dict[int, str]:
    """Channels whose typical second is far louder or quieter than that of the others."""
    if rows.size < MIN_CHANNELS:
        return {}
    # the median second, so that blinks make no frontal channel bad
    amplitude = np.median(stretches[rows].std(axis=-1), axis=-1)
    level = np.log(np.maximum(amplitude, np.finfo(np.float64).tiny))
    typical = np.median(level)
    spread = max(MAD_TO_SD * float(np.median(np.abs(level - typical))), LEAST_SPREAD)
    z = (level - typical) / spread
    return {
        int(
            row
        ): f"amplitude: {np.exp(level[k] - typical):.3g} times the typical channel (robust z {z[k]:.1f})"
        for k, row in enumerate(rows)
        if abs(z[k]) > max_z
    }


def _unlike_neighbours(
    stretches: Float64[np.ndarray, "channels stretches stretch_times"],
    rows: Int[np.ndarray, " others"],
    names: Sequence[str],
    limits: BadChannels,
) -> dict[int, str]:
    """Channels that correlate with none of their nearest electrodes."""
    if rows.size < MIN_CHANNELS or limits.min_correlation is None:
        return {}
    near = _nearest(positions([names[row] for row in rows]), limits.n_neighbours)
    unit = stretches[rows] - stretches[rows].mean(axis=-1, keepdims=True)
    norm = np.sqrt(np.square(unit).sum(axis=-1, keepdims=True))
    unit /= np.where(norm > 0, norm, 1.0)  # others stretches stretch_times
    # pair by pair: all pairs in one product are 15 times as many
    pairs = [np.einsum("cst,cst->cs", unit, unit[neighbour]) for neighbour in near.T]
    best = np.abs(pairs).max(axis=0)  # others stretches
    typical = np.median(best, axis=1)
    return {
        int(row): f"unlike its neighbours: correlation {typical[k]:.2f} at best"
        for k, row in enumerate(rows)
        if typical[k] < limits.min_correlation
    }


def _nearest(places: Float64[np.ndarray, "others 3"], n: int) -> Int[np.ndarray, "others near"]:
    """Rows of the n electrodes nearest to each, or of all others where there are no more."""
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(distances, np.inf)
    near: Int[np.ndarray, "others near"] = np.argsort(distances, axis=1)[:, : min(n, len(places) - 1)]
    return near


def _stretches(
    signal: Float[np.ndarray, "channels times"], sfreq: float
) -> Float[np.ndarray, "channels stretches stretch_times"]:
    """Whole seconds, side by side; the rest at the end is left out, unless it is all there is."""
    length = min(max(round(STRETCH_S * sfreq), 2), signal.shape[-1])
    n_stretches = signal.shape[-1] // length
    return signal[:, : n_stretches * length].reshape(signal.shape[0], n_stretches, length)
