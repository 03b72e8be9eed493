"""AMIGOS: the 20 s segments of the external annotators as 1 s tokens of EEG, ECG and skin conductance."""

import math
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field, model_validator

from emo_ray.corpora.amigos import EEG_CHANNELS
from emo_ray.corpora.recording import Recording, RejectedTrial, Signal
from emo_ray.extraction.annotated import annotated_ratings, annotated_starts, reason_not_annotated
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.extraction.segment_rows import mean_over_tokens
from emo_ray.features.differential_entropy import (
    EEG_BANDS,
    differential_entropy_names,
    token_differential_entropy,
)
from emo_ray.features.ecg import ECG_FEATURES, ecg_tokens
from emo_ray.features.eda import GSR_FEATURES, gsr_tokens
from emo_ray.signals.filters import Bands
from emo_ray.signals.tokens import silent_tokens, token_samples

MODALITIES = ("eeg", "ecg", "gsr")  # in the order of the store and of the model's branches
MAX_UNDEFINED = 0.5  # share of the features of a token
ROUNDING_S = 1e-6  # far less than a sample

Tokens = Float[np.ndarray, "tokens features"]


class AmigosTokens(ExtractionConfig):
    """Segments as annotated (`external_segments`), each of ``segment_s / token_s`` tokens a modality.

    EEG has the differential entropy of every channel and band, ECG twelve numbers on the heart, GSR ten on
    skin conductance. Features are computed on the whole trial and read off at the tokens, so that neither a
    filter nor a heart beat ends at the edge of a segment. Where the baseline is masked or subtracted, no
    context of heart or skin reaches across the onset. A token is masked when more than half of its features
    are undefined; a silent or missing sensor leaves none defined.
    """

    kind: Literal["amigos_tokens"] = "amigos_tokens"
    token_s: float = Field(1.0, gt=0, description="seconds")
    segment_s: float = Field(20.0, gt=0, description="seconds; the annotations are of 20")
    bands: Bands = Field(
        default_factory=lambda: dict(EEG_BANDS), description="name to edges in Hz; kept in order of the edges"
    )
    baseline: Literal["include", "mask", "subtract"] = Field(
        "include",
        description="the seconds before the stimulus, which only the first segment holds - include: tokens "
        "like any other; mask: marked invalid; subtract: marked invalid, and their mean is taken off every "
        "token of the trial, a feature at a time",
    )

    @model_validator(mode="after")
    def check_whole_tokens(self) -> "AmigosTokens":
        """Refuse segments that are no whole number of tokens."""
        if not math.isclose(self.n_tokens * self.token_s, self.segment_s) or self.n_tokens < 1:
            raise ValueError(
                f"a segment of {self.segment_s:g} s is no whole number of tokens of {self.token_s:g} s: "
                "change one of them"
            )
        return self

    @property
    def n_tokens(self) -> int:
        """Tokens a segment."""
        return round(self.segment_s / self.token_s)

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """EEG, ECG and GSR, whether or not this recording has them."""
        eeg = recording.signals.get("eeg")
        names = {
            "eeg": differential_entropy_names(eeg.channels if eeg else EEG_CHANNELS, self.bands),
            "ecg": ECG_FEATURES,
            "gsr": GSR_FEATURES,
        }
        return tuple(Modality(name, self.n_tokens, names[name]) for name in MODALITIES)

    def segments(self, recording: Recording) -> SegmentRows:
        """Cut one trial by the geometry of the annotations.

        A trial is rejected, with the numbers, when it is shorter than a segment, when its signals are not on
        one clock, when it has another number of annotations than of segments, or when a baseline is to be
        subtracted that it does not have.

        Raises
        ------
        SignalError : a band or feature does not fit the sampling rate
        """
        starts_s = annotated_starts(_used_signals(recording), recording.baseline_s, self.segment_s)
        reason = self._reason_to_reject(recording, starts_s)
        if reason:
            return self._no_rows(recording, reason)
        # segments and their tokens in one row of starts: (segments * n_tokens,)
        token_starts_s = (starts_s[:, None] + self.token_s * np.arange(self.n_tokens)).ravel()
        values, masks = {}, {}
        for modality in self.modalities(recording):
            tokens = self._tokens(recording, modality, token_starts_s)
            values[modality.name], masks[modality.name] = self._referenced(
                tokens, token_starts_s, recording.baseline_s
            )
        by_segment = (len(starts_s), self.n_tokens)  # values then: segments tokens features
        return SegmentRows(
            start_s=starts_s.astype(np.float32),
            values={name: part.reshape(*by_segment, -1).astype(np.float32) for name, part in values.items()},
            masks={name: part.reshape(by_segment) for name, part in masks.items()},
            ratings=annotated_ratings(recording, len(starts_s)),
        )

    def _reason_to_reject(self, recording: Recording, starts_s: Float[np.ndarray, " segments"]) -> str | None:
        """Why this trial can not be cut, or None."""
        reason = reason_not_annotated(recording, _used_signals(recording), starts_s, self.segment_s)
        if reason is None and self.baseline == "subtract" and recording.baseline_s < self.token_s:
            return (
                f"its baseline of {recording.baseline_s:g} s holds no token of {self.token_s:g} s to subtract"
            )
        return reason

    def _no_rows(self, recording: Recording, reason: str) -> SegmentRows:
        """A rejected trial."""
        modalities = self.modalities(recording)
        return SegmentRows(
            start_s=np.zeros(0, dtype=np.float32),
            values={m.name: np.zeros((0, m.n_tokens, m.n_features), dtype=np.float32) for m in modalities},
            masks={m.name: np.zeros((0, m.n_tokens), dtype=bool) for m in modalities},
            ratings=annotated_ratings(recording, 0),
            rejected=(RejectedTrial(recording.subject, recording.trial, reason),),
        )

    def _tokens(
        self, recording: Recording, modality: Modality, starts_s: Float[np.ndarray, " tokens"]
    ) -> Tokens:
        """Features of one modality at every token, NaN where undefined."""
        signal = recording.signals.get(modality.name)
        if signal is None or not np.isfinite(signal.values).any():
            return np.full((len(starts_s), modality.n_features), np.nan)  # all masked
        if modality.name == "eeg":
            return token_differential_entropy(signal.values, signal.sfreq, starts_s, self.token_s, self.bands)
        # a baseline is only one if heart and skin are not looked at beyond its end
        onset_s = None if self.baseline == "include" else recording.baseline_s
        if modality.name == "ecg":
            return ecg_tokens(signal.values[0], signal.sfreq, starts_s, self.token_s, onset_s)
        return self._gsr_tokens(signal, starts_s, onset_s)

    def _gsr_tokens(
        self, signal: Signal, starts_s: Float[np.ndarray, " tokens"], onset_s: float | None
    ) -> Tokens:
        """`gsr_tokens`, all NaN in a segment whose sensor is silent.

        Skin conductance is slow, so one second of one value is nothing odd; a whole segment of it is.
        """
        gsr = signal.values[0].astype(np.float64)
        tokens = gsr_tokens(gsr, signal.sfreq, starts_s, self.token_s, onset_s)
        # every n_tokens-th token opens a segment: (segments,)
        first, length = token_samples(
            starts_s[:: self.n_tokens], self.segment_s, signal.sfreq, signal.values.shape[1]
        )
        silent = silent_tokens(signal.values[:1], first, length)[0]
        tokens[np.repeat(silent, self.n_tokens)] = np.nan
        return tokens

    def _referenced(
        self, tokens: Tokens, starts_s: Float[np.ndarray, " tokens"], baseline_s: float
    ) -> tuple[Tokens, Bool[np.ndarray, " tokens"]]:
        """Values and masks, the baseline treated as asked for."""
        if self.baseline == "subtract":
            inside = starts_s + self.token_s <= baseline_s + ROUNDING_S
            # a feature that the baseline leaves undefined becomes NaN: it can not be compared
            tokens = tokens - mean_over_tokens(tokens[inside])
        valid = np.isnan(tokens).mean(axis=1) <= MAX_UNDEFINED
        if self.baseline != "include":
            # also a token that straddles the onset goes
            valid &= starts_s >= baseline_s - ROUNDING_S
        return tokens, valid


def _used_signals(recording: Recording) -> dict[str, Signal]:
    """Those of `MODALITIES` that the recording has."""
    return {name: recording.signals[name] for name in MODALITIES if name in recording.signals}
