"""Blinks and eye movements taken out of EEG by independent components (MNE)."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.signals.cleaning_filters import Passband, filter_channels
from emo_ray.signals.electrodes import canonical_name, is_electrode

# The first group of which one is there stands in for electrodes at the eyes.
FRONTAL_GROUPS = (("Fp1", "Fpz", "Fp2"), ("AF7", "AF8"), ("AF3", "AF4"))
FIT_LOW_HZ = 1.0  # slower drifts make ICA find drifts (Winkler et al. 2015, IEEE EMBC, 4101-4105)
EYE_BAND = Passband(1.0, 10.0)  # Hz, what blinks and saccades are made of
RANK_TOLERANCE = 1e-10  # of power: files in single precision leave 1e-14 where nothing should be
SAMPLES_A_WEIGHT = 20  # samples for each of n x n weights, the rule of thumb of EEGLAB's authors


class EyeComponents(BaseModel):
    """Which independent components are taken for the eyes and removed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_components: int = Field(20, ge=2, description="principal components that are unmixed; at most the rank")
    eye_channels: tuple[str, ...] = Field(
        (), description="channels that see the eyes (VEO, Fp1); empty for the first of Fp1/z/2, AF7/8, AF3/4"
    )
    min_correlation: float = Field(
        0.7, gt=0, le=1, description="with an eye channel in 1-10 Hz, from which a component is removed"
    )
    max_removed: int = Field(3, ge=1, description="the most components that are removed, the clearest first")
    max_iterations: int = Field(500, ge=1)
    seed: int = 0


@dataclass(frozen=True)
class Unmixed:
    """What is left without the eyes, and what was done in words."""

    values: Float64[np.ndarray, "channels times"]
    notes: tuple[str, ...]


def remove_eye_components(
    signal: Float64[np.ndarray, "channels times"],
    sfreq: float,
    eyes: Mapping[str, Float64[np.ndarray, " times"]],
    usable: Bool[np.ndarray, " times"],
    config: EyeComponents,
) -> Unmixed:
    """Take out the components that go with the eyes.

    The weights are fitted on a copy without what is below 1 Hz, at samples that all channels have, and
    applied to the signal as it is. A trial with less than ``20 * n_components ** 2`` of those samples is left
    alone and says so: its weights would be chance.

    Parameters
    ----------
    signal : good channels only, any unit, without NaN
    sfreq : Hz, above 20
    eyes : signals that see the eyes, by name (`eye_signals`)
    usable : samples at which no channel was made up
    config : of the decomposition
    """
    reason = _why_not(signal.shape[0], eyes, int(np.count_nonzero(usable)), config)
    if reason:
        return Unmixed(signal, (f"ICA left out: {reason}",))
    slow_free = filter_channels(signal, sfreq, Passband(FIT_LOW_HZ))
    rank = _rank(slow_free[:, usable])
    if rank < 2:
        return Unmixed(signal, ("ICA left out: all channels are one and the same",))
    ica, notes = _fitted(slow_free[:, usable], sfreq, rank, config)
    sources = ica.get_sources(_raw(slow_free, sfreq)).get_data(verbose="error")
    # both in the band of the eyes: muscles in a component do not hide its blinks
    correlation = _correlation(
        _eye_band(np.stack(list(eyes.values())), sfreq)[:, usable], _eye_band(sources, sfreq)[:, usable]
    )
    found = _eye_like(correlation, tuple(eyes), config)
    cleaned = ica.apply(_raw(signal, sfreq), exclude=list(found), verbose="error").get_data(verbose="error")
    words = ", ".join(found.values()) or f"the clearest has {correlation.max():.2f}"
    return Unmixed(cleaned, (*notes, f"ICA removed {len(found)} of {len(sources)} components: {words}"))


def _why_not(
    n_channels: int,
    eyes: Mapping[str, Float64[np.ndarray, " times"]],
    n_usable: int,
    config: EyeComponents,
) -> str:
    """Why a signal can not be unmixed; empty if it can."""
    n_components = min(config.n_components, n_channels)
    needed = SAMPLES_A_WEIGHT * n_components**2
    if not eyes:
        return "no channel sees the eyes"
    if n_usable < needed:
        return f"{n_usable} samples are too few for {n_components} components, which take {needed}"
    return ""


def _fitted(
    signal: Float64[np.ndarray, "channels times"], sfreq: float, rank: int, config: EyeComponents
) -> tuple[Any, tuple[str, ...]]:
    """The decomposition, and what it warned about."""
    from mne.preprocessing import ICA  # 1 s: only for those who unmix

    ica = ICA(
        n_components=min(config.n_components, rank),
        random_state=config.seed,
        max_iter=config.max_iterations,
        verbose="error",
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ica.fit(_raw(signal, sfreq), verbose="error")
    # "FastICA did not converge. Consider increasing tolerance ...": the first sentence says it
    said = sorted({str(warning.message).split(".")[0] for warning in caught})
    return ica, tuple(f"ICA: {line}" for line in said)


def eye_signals(
    signal: Float64[np.ndarray, "channels times"], names: Sequence[str], config: EyeComponents
) -> dict[str, Float64[np.ndarray, " times"]]:
    """The channels that see the eyes: those named, else the first frontal group of which one is there."""
    if config.eye_channels:
        # "FP1" in the settings finds "EEG Fp1" in the file
        wanted = {_one_spelling(name) for name in config.eye_channels}
        return {name: signal[row] for row, name in enumerate(names) if {name, _one_spelling(name)} & wanted}
    for group in FRONTAL_GROUPS:
        found = {name: signal[row] for row, name in enumerate(names) if _one_spelling(name) in group}
        if found:
            return found
    return {}


def _rank(signal: Float64[np.ndarray, "channels times"]) -> int:
    """How many channels are no mixture of others: one less after an average reference."""
    return int(np.linalg.matrix_rank(signal @ signal.T, rtol=RANK_TOLERANCE))


def _one_spelling(name: str) -> str:
    return canonical_name(name) if is_electrode(name) else name


def _eye_band(signal: Float64[np.ndarray, "rows times"], sfreq: float) -> Float64[np.ndarray, "rows times"]:
    return filter_channels(signal, sfreq, EYE_BAND)


def _correlation(
    eyes: Float64[np.ndarray, "eyes times"], sources: Float64[np.ndarray, "components times"]
) -> Float64[np.ndarray, "eyes components"]:
    """Size of Pearson's r; 0 with a flat eye channel."""
    with np.errstate(invalid="ignore", divide="ignore"):
        full = np.corrcoef(eyes, sources)
    return np.asarray(np.abs(np.nan_to_num(full[: len(eyes), len(eyes) :])), dtype=np.float64)


def _eye_like(
    correlation: Float64[np.ndarray, "eyes components"], names: Sequence[str], config: EyeComponents
) -> dict[int, str]:
    """Components to remove, the clearest first, each with its correlation in words."""
    best = correlation.max(axis=0)
    order = [int(index) for index in np.argsort(-best) if best[index] >= config.min_correlation]
    return {
        index: f"{best[index]:.2f} with {names[int(correlation[:, index].argmax())]}"
        for index in order[: config.max_removed]
    }


def _raw(signal: Float64[np.ndarray, "channels times"], sfreq: float) -> Any:
    """The signal as MNE wants it; names and units take no part."""
    import mne

    names = [f"E{row}" for row in range(len(signal))]
    return mne.io.RawArray(signal.copy(), mne.create_info(names, sfreq, "eeg"), verbose="error")
