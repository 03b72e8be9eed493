"""EEG of one trial as features of its tokens: cleaned, mapped onto an electrode set, described by band."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32
from pydantic import AfterValidator, BeforeValidator

from emo_ray.corpora.recording import Signal
from emo_ray.errors import SignalError
from emo_ray.features.asymmetry import asymmetry, asymmetry_names, left_right_pairs
from emo_ray.features.band_features import BandFeatures, band_feature_names, token_band_features
from emo_ray.features.connectivity import ConnectivityConfig, connectivity_names, token_connectivity
from emo_ray.features.hjorth import hjorth_names, token_hjorth
from emo_ray.signals.eeg_cleaning import EegCleaning, clean_eeg
from emo_ray.signals.electrodes import ELECTRODE_SETS, canonical_name, is_electrode, map_electrodes
from emo_ray.signals.tokens import silent_tokens

EegExtra = Literal["hjorth", "difference", "ratio"]


def _set_by_name(electrodes: object) -> object:
    """The electrodes of a set, where its name is given."""
    return ELECTRODE_SETS.get(electrodes, electrodes) if isinstance(electrodes, str) else electrodes


def _in_one_spelling(electrodes: tuple[str, ...]) -> tuple[str, ...]:
    """Canonical names, each once."""
    try:
        known = tuple(canonical_name(name) for name in electrodes)
    except SignalError as error:
        raise ValueError(str(error)) from error
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} named twice: name every electrode once")
    return known


Electrodes = Annotated[tuple[str, ...], BeforeValidator(_set_by_name), AfterValidator(_in_one_spelling)]
"""A set of electrodes in a configuration: names, or the name of one of `ELECTRODE_SETS`."""


@dataclass(frozen=True)
class EegDescription:
    """What a token of EEG is told by.

    Attributes
    ----------
    bands : the band features of every channel
    extras : ``hjorth`` parameters of every channel; ``difference`` or ``ratio`` of the band features of left
        and right electrodes (DASM, RASM)
    connectivity : of every pair of channels, or None
    electrodes : the set to map onto by name; empty: the channels as they are
    """

    bands: BandFeatures
    extras: tuple[EegExtra, ...] = ()
    connectivity: ConnectivityConfig | None = None
    electrodes: tuple[str, ...] = ()

    def names(self, channels: Sequence[str]) -> tuple[str, ...]:
        """Columns of `tokens`; with ``electrodes`` the same for every montage.

        Parameters
        ----------
        channels : of the signal, in order
        """
        return self._names(self.electrodes or tuple(channels))

    def possible(self, channels: Sequence[str]) -> Bool[np.ndarray, " features"]:
        """False for the columns that no recording with these channels can have: of electrodes it lacks.

        Parameters
        ----------
        channels : of the signal, in order
        """
        if not self.electrodes:
            return np.ones(len(self.names(channels)), dtype=bool)
        # by name, as a pair of electrodes has columns of its own
        had = set(
            self._names(tuple(np.array(self.electrodes)[present_electrodes(channels, self.electrodes)]))
        )
        return np.array([name in had for name in self._names(self.electrodes)], dtype=bool)

    def tokens(
        self, eeg: Signal, starts_s: Float[np.ndarray, " tokens"], token_s: float
    ) -> Float[np.ndarray, "tokens features"]:
        """Features of every token; NaN where undefined, for absent electrodes, and for tokens that reach out.

        Parameters
        ----------
        eeg : the whole trial, cleaned if it is to be
        starts_s : seconds from the first sample of the signal
        token_s : seconds

        Raises
        ------
        SignalError : a band does not fit the rate or the length of a token, or no channel is in the set
        """
        # columns are then those of the set, whatever the montage
        values, channels = mapped(eeg, self.electrodes)
        n_times, length = values.shape[1], round(token_s * eeg.sfreq)
        first = np.rint(starts_s * eeg.sfreq)
        # a signal that starts late or ends early has tokens that it does not hold
        inside = (first >= 0) & (first + length <= n_times)
        features = np.full((starts_s.size, len(self._names(channels))), np.nan)
        if inside.any():
            features[inside] = self._described(values, channels, eeg.sfreq, starts_s[inside], token_s)
        return features

    def _names(self, channels: tuple[str, ...]) -> tuple[str, ...]:
        names = band_feature_names(channels, self.bands)
        if "hjorth" in self.extras:
            names += hjorth_names(channels)
        for kind in ("difference", "ratio"):
            if kind in self.extras:
                names += asymmetry_names(left_right_pairs(channels), tuple(self.bands.bands), kind)
        if self.connectivity is not None:
            names += connectivity_names(channels, self.connectivity)
        return names

    def _described(
        self,
        values: Float[np.ndarray, "channels times"],
        channels: tuple[str, ...],
        sfreq: float,
        starts_s: Float[np.ndarray, " tokens"],
        token_s: float,
    ) -> Float[np.ndarray, "tokens features"]:
        """All features of tokens that lie inside the signal, in the order of `_names`."""
        bands = token_band_features(values, sfreq, starts_s, token_s, self.bands)  # tokens channels*bands
        parts = [bands]
        if "hjorth" in self.extras:
            parts.append(token_hjorth(values, sfreq, starts_s, token_s))
        for kind in ("difference", "ratio"):
            if kind in self.extras:
                parts.append(asymmetry(bands, channels, left_right_pairs(channels), kind))
        if self.connectivity is not None:
            parts.append(token_connectivity(values, sfreq, starts_s, token_s, self.connectivity))
        return np.hstack(parts)


def present_electrodes(
    channels: Sequence[str], electrodes: tuple[str, ...]
) -> Bool[np.ndarray, " electrodes"]:
    """Which electrodes of a set are among the channels.

    Parameters
    ----------
    channels : in any spelling that `emo_ray.signals.electrodes.canonical_name` takes
    electrodes : of the set
    """
    return map_electrodes(np.zeros((len(channels), 1)), channels, electrodes)[1]


def mapped(
    eeg: Signal, electrodes: tuple[str, ...]
) -> tuple[Float32[np.ndarray, "channels times"], tuple[str, ...]]:
    """The signal in the order of an electrode set, NaN for absent ones, and its names.

    Parameters
    ----------
    eeg : any unit
    electrodes : of the set; empty: the signal as it is

    Raises
    ------
    SignalError : no channel is in the set
    """
    if not electrodes:
        return eeg.values, eeg.channels
    values, present = map_electrodes(eeg.values, eeg.channels, electrodes)
    if not present.any():
        known = [name for name in eeg.channels if is_electrode(name)]
        raise SignalError(
            f"none of the {len(electrodes)} electrodes asked for is among the channels "
            f"{', '.join(known or eeg.channels)}: take another set of electrodes"
        )
    return values, electrodes


def cleaned_trial(
    eeg: Signal, cleaning: EegCleaning, starts_s: Float[np.ndarray, " tokens"], token_s: float
) -> tuple[Signal, tuple[str, ...]]:
    """The cleaned signal, and what was done to it that a reader of the report should know.

    It is NaN in tokens in which a channel was silent: filters and references fill these.

    Parameters
    ----------
    eeg : the whole trial as recorded
    cleaning : as it is without any step
    starts_s, token_s : seconds from the first sample; what is read off later

    Raises
    ------
    SignalError : the steps do not fit the rate, the length or the channels
    """
    if cleaning == EegCleaning():  # nothing to do, and so no copy either
        return eeg, ()
    cleaned = clean_eeg(eeg.values, eeg.sfreq, eeg.channels, cleaning)
    length = round(token_s * eeg.sfreq)
    first = np.rint(starts_s * eeg.sfreq).astype(np.int64)
    first = first[(first >= 0) & (first + length <= eeg.values.shape[1])]
    # looked for in the recording and erased in the cleaned signal, which may have another rate
    values = cleaned.values.copy()
    for channel, token in np.argwhere(silent_tokens(eeg.values, first, length)):
        start_s = first[token] / eeg.sfreq
        values[channel, round(start_s * cleaned.sfreq) : round((start_s + token_s) * cleaned.sfreq)] = np.nan
    return Signal(values, cleaned.sfreq, eeg.unit, eeg.channels, eeg.start_s), cleaned.notes


def at_least_half(
    tokens: Float[np.ndarray, "tokens features"], possible: Bool[np.ndarray, " features"]
) -> Bool[np.ndarray, " tokens"]:
    """Valid tokens: those with at least half of their features defined.

    Parameters
    ----------
    tokens : NaN where undefined
    possible : features that count (`EegDescription.possible`)
    """
    n_defined = np.isfinite(tokens[:, possible]).sum(axis=1)
    # without any possible feature, half of none would be enough
    valid: Bool[np.ndarray, " tokens"] = (n_defined > 0) & (2 * n_defined >= possible.sum())
    return valid
