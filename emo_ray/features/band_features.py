"""Band features of the tokens of a trial: one configuration and one function for all ways to compute them."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.features.differential_entropy import (
    SJTU_BANDS,
    VARIANCE_FLOOR,
    differential_entropy_names,
    gaussian_entropy,
    token_band_variance,
)
from emo_ray.features.published_entropy import published_band_power, published_entropy
from emo_ray.features.spectral import token_band_power
from emo_ray.features.windowed_entropy import windowed_band_variance
from emo_ray.signals.filters import Bands

POWER = {
    "clean": token_band_power,
    "filtered": token_band_variance,
    "windowed": windowed_band_variance,
    "published": published_band_power,
}


class BandFeatures(BaseModel):
    """Which number describes a band of a token, and how it is computed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["clean", "filtered", "windowed", "published"] = Field(
        "clean",
        description="clean: one tapered FFT a token; filtered: variance of slices of the band-passed trial; "
        "windowed: each token filtered by itself, from rest; published: the oddities of the published code",
    )
    quantity: Literal["entropy", "power", "log_power"] = Field(
        "entropy",
        description="entropy: nats, in published mode log2(100 P); power: squared microvolts; log_power: its "
        "natural logarithm",
    )
    bands: Bands = Field(
        default_factory=lambda: dict(SJTU_BANDS),
        description="name to edges in Hz; kept in order of the edges",
    )


def token_band_features(
    eeg: Float[np.ndarray, "channels times"],
    sfreq: float,
    starts_s: Float[np.ndarray, " tokens"],
    token_s: float,
    config: BandFeatures,
) -> Float[np.ndarray, "tokens features"]:
    """The quantity of every token, channel and band; columns as in `band_feature_names`.

    NaN stands where a channel is silent in a token or misses a sample of it (``clean``: more than the few
    that `token_band_power` bridges; ``filtered``: or one within reach of the filter; ``published``: only the
    samples that are read count, and a channel that is constant but not 0 has the power of its offset). Powers
    below 1e-12 squared microvolts count as that before a logarithm is taken, so no value is infinite.

    Parameters
    ----------
    eeg : microvolts, the whole trial; NaN where missing
    sfreq : Hz
    starts_s : seconds from the first sample to the start of each token, in any order; tokens may overlap
    token_s : seconds
    config : mode, quantity and bands

    Raises
    ------
    SignalError : a band does not fit the rate or the length of a token, or a token reaches out of the trial
    """
    power = POWER[config.mode](eeg, sfreq, starts_s, token_s, config.bands)
    if config.quantity == "power":
        return power
    if config.quantity == "log_power":
        log_power: Float[np.ndarray, "tokens features"] = np.log(np.maximum(power, VARIANCE_FLOOR))
        return log_power
    return published_entropy(power) if config.mode == "published" else gaussian_entropy(power)


def band_feature_names(channels: Sequence[str], config: BandFeatures) -> tuple[str, ...]:
    """Column names of `token_band_features`, channel-major: ``"FP1/delta"``, ``"FP1/theta"``, ...

    Parameters
    ----------
    channels : in the order of the first axis of the signal
    config : as given to `token_band_features`
    """
    return differential_entropy_names(channels, config.bands)
