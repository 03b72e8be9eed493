"""SignalWindows: segments of tokens from the raw signals of any corpus, whatever sensors it has."""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field, model_validator

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import SignalError
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.extraction.eeg_tokens import (
    EegDescription,
    EegExtra,
    Electrodes,
    at_least_half,
    cleaned_trial,
)
from emo_ray.extraction.segment_rows import mean_over_tokens, ratings_at, rejected_rows, single_precision
from emo_ray.extraction.token_grid import TokenGrid, sliding_grid, whole_grid
from emo_ray.extraction.used_signals import EEG, KNOWN_SIGNALS, SignalNames, end_s, used_signals
from emo_ray.features.band_features import BandFeatures
from emo_ray.features.connectivity import ConnectivityConfig
from emo_ray.features.families import find_family, sensor_of, upright
from emo_ray.features.smoothing import LdsConfig, lds_smooth
from emo_ray.signals.eeg_cleaning import EegCleaning
from emo_ray.signals.electrodes import ELECTRODE_SETS
from emo_ray.signals.segments import ROUNDING, sliding_segments

Tokens = Float[np.ndarray, "tokens features"]


class SignalWindows(ExtractionConfig):
    """Segments of fixed length, or whole trials, of one token or of many; features by kind of sensor.

    Signals are cleaned and filtered over the whole trial, baseline included, and read off at the tokens:
    no filter has its edge in a segment, and no segment reaches into another trial. EEG has band features
    (`EegDescription`); every other sensor those of its family (`emo_ray.features.families`), taken from the
    token alone: a heart needs tokens of 10 s or more, and of 60 s for frequencies. A signal without a family
    (a shipped feature series) is passed over.

    A recording is as long as its EEG, or as its longest signal where it has none; what another signal lacks
    of that is NaN. A token is valid where at least half of its features are defined; features of electrodes
    that the montage does not have do not count.

    Every rating is repeated for all segments. Annotations with a ``start_s`` and a ``stop_s`` (seconds from
    the start of the recording) become ratings of the segments whose centre lies in that row; annotations
    without them belong to another geometry and are left out.
    """

    kind: Literal["signal_windows"] = "signal_windows"
    segment_s: float | None = Field(10.0, gt=0, description="seconds of a segment; none: the whole trial")
    hop_s: float = Field(10.0, gt=0, description="seconds from one segment to the next; not of whole trials")
    token_s: float | None = Field(None, gt=0, description="seconds of a token; none: one token a segment")
    max_tokens: int = Field(
        60, ge=1, description="tokens of a whole trial, a shorter one is masked behind its end"
    )
    longer: Literal["crop", "cut"] = Field(
        "crop",
        description="a trial of more than max_tokens - crop: its first ones alone; cut: further segments",
    )
    signals: SignalNames = Field(
        (),
        description=f"sensors to use, of {', '.join(KNOWN_SIGNALS)}, or one of several of a kind "
        "(wrist_eda); none named: all",
    )
    baseline: Literal["include", "drop", "subtract"] = Field(
        "drop",
        description="the seconds before the stimulus - include: segments start there; drop: they start with "
        "the stimulus; subtract: so too, and the mean of the baseline's tokens is taken off each feature",
    )
    eeg: BandFeatures = Field(default_factory=BandFeatures, description="features of every EEG channel")
    eeg_extras: tuple[EegExtra, ...] = Field(
        (),
        description="hjorth: parameters of every channel; difference, ratio: left against right electrodes",
    )
    connectivity: ConnectivityConfig | None = Field(None, description="of all pairs of EEG channels")
    cleaning: EegCleaning = Field(default_factory=EegCleaning, description="what is done to EEG first")
    smoothing: LdsConfig = Field(
        default_factory=LdsConfig, description="of EEG features over the tokens of a trial"
    )
    electrodes: Electrodes = Field(
        (),
        description=f"names to map EEG onto, or one of {', '.join(ELECTRODE_SETS)}; absent ones are NaN; "
        "none named: channels as they are",
    )

    @model_validator(mode="after")
    def check_lengths(self) -> "SignalWindows":
        """Refuse lengths that do not go together."""
        if self.segment_s is None:
            if self.token_s is None:
                raise ValueError("a whole trial has no length of its own: give token_s")
            return self
        if self.token_s is not None and not _is_whole(self.segment_s / self.token_s):
            raise ValueError(
                f"a segment of {self.segment_s:g} s is no whole number of tokens of {self.token_s:g} s: "
                "change one of them"
            )
        step_s = self.token_s or self.hop_s
        has_holes = self.token_s is not None and self.hop_s > self.segment_s
        if self.smoothing.kind != "none" and (has_holes or not _is_whole(self.hop_s / step_s)):
            raise ValueError(
                f"smoothing needs tokens at one distance: make hop_s ({self.hop_s:g} s) a whole number of "
                f"tokens of {step_s:g} s, and no longer than a segment ({self.segment_s:g} s)"
            )
        return self

    @property
    def n_tokens(self) -> int:
        """Tokens a segment."""
        return self.max_tokens if self.segment_s is None else round(self.segment_s / self._token_s)

    @property
    def _token_s(self) -> float:
        """Seconds of a token; a whole trial has been checked to have them."""
        length_s = self.token_s if self.token_s is not None else self.segment_s
        assert length_s is not None
        return length_s

    @property
    def _description(self) -> EegDescription:
        return EegDescription(self.eeg, self.eeg_extras, self.connectivity, self.electrodes)

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """Those that this recording has."""
        return tuple(
            Modality(name, self.n_tokens, self._names(name, signal))
            for name, signal in self._used(recording).items()
        )

    def segments(self, recording: Recording) -> SegmentRows:
        """Cut one trial and describe its tokens.

        A trial is rejected, with the numbers, when it is shorter than a segment (a token, of whole trials),
        has no usable signal, has no baseline to subtract, or when a filter or feature is not defined for it.
        """
        used = self._used(recording)
        grid = self._grid(recording, used)
        reason = self._reason_to_reject(recording, used, grid)
        if reason:
            return rejected_rows(recording, reason)
        starts_s, index = grid.distinct()
        values, masks = {}, {}
        notes: list[str] = []
        try:
            for name, signal in used.items():
                tokens, valid, said = self._tokens(name, signal, starts_s, recording.baseline_s)
                notes += [f"{name} {note}" for note in said]
                # one more row stands for the tokens behind the end, whose index is -1
                behind = np.full((1, tokens.shape[1]), np.nan)
                values[name] = np.vstack([tokens, behind])[index]  # segments tokens features
                masks[name] = np.append(valid, False)[index]
        except SignalError as error:
            return rejected_rows(recording, str(error))
        return SegmentRows(
            start_s=grid.segment_starts_s.astype(np.float32),
            values={name: single_precision(part) for name, part in values.items()},
            masks=masks,
            ratings=ratings_at(recording, grid.centres_s),
            notes=tuple(notes),
        )

    def _used(self, recording: Recording) -> dict[str, Signal]:
        """The signals that features are known of and asked for, in one order for all recordings."""
        return used_signals(recording, self.signals)

    def _names(self, name: str, signal: Signal) -> tuple[str, ...]:
        family = find_family(name, signal.unit)
        if family is None:
            return self._description.names(signal.channels)
        return family.names(signal.channels, self._token_s)

    def _grid(self, recording: Recording, used: Mapping[str, Signal]) -> TokenGrid:
        """Where the segments and their tokens lie."""
        first_s = 0.0 if self.baseline == "include" else recording.baseline_s
        span_s = (first_s, max(end_s(used), first_s))  # a trial may end inside its baseline
        if self.segment_s is None:
            return whole_grid(span_s, self._token_s, self.max_tokens, self.longer)
        return sliding_grid(span_s, self.segment_s, self.hop_s, self._token_s)

    def _reason_to_reject(
        self, recording: Recording, used: Mapping[str, Signal], grid: TokenGrid
    ) -> str | None:
        """Why this trial can not be cut, or None."""
        if not used:
            known = ", ".join(sorted(recording.signals)) or "nothing"
            return (
                f"it records {known}, and features are known for {', '.join(self.signals or KNOWN_SIGNALS)}"
            )
        if not len(grid.starts_s):
            what, least_s = (
                ("token", self._token_s) if self.segment_s is None else ("segment", self.segment_s)
            )
            before = "" if self.baseline == "include" else f", {recording.baseline_s:g} s of them baseline"
            return f"{end_s(used):.1f} s long{before}: shorter than one {what} of {least_s:g} s"
        if self.baseline == "subtract" and recording.baseline_s < self._token_s:
            return f"its baseline of {recording.baseline_s:g} s is shorter than a token ({self._token_s:g} s)"
        return None

    def _tokens(
        self, name: str, signal: Signal, starts_s: Float[np.ndarray, " tokens"], baseline_s: float
    ) -> tuple[Tokens, Bool[np.ndarray, " tokens"], tuple[str, ...]]:
        """Features of one signal at every token, which tokens are valid, and what was done to the signal."""
        if self.baseline == "subtract":
            before_s = sliding_segments(baseline_s, self._token_s, self._token_s)
        else:
            before_s = np.zeros(0)
        # in one call, so that the trial is cleaned once; on the signal's own clock
        both_s = np.concatenate([before_s, starts_s]) - signal.start_s
        notes: tuple[str, ...] = ()
        if sensor_of(name) == EEG:
            tokens, notes = self._eeg_tokens(signal, both_s)
            possible = self._description.possible(signal.channels)
        else:
            tokens = self._family_tokens(name, signal, both_s)
            possible = np.ones(tokens.shape[1], dtype=bool)
        before, tokens = tokens[: before_s.size], tokens[before_s.size :]
        if sensor_of(name) == EEG and self.smoothing.kind != "none":
            # the smoother fills in what is missing; a mask says what was there
            tokens = np.where(np.isfinite(tokens), lds_smooth(tokens, self.smoothing), np.nan)
        if self.baseline == "subtract":
            # a feature that the baseline leaves undefined becomes NaN: it can not be compared
            tokens = tokens - mean_over_tokens(before)
        return tokens, at_least_half(tokens, possible), notes

    def _eeg_tokens(
        self, eeg: Signal, starts_s: Float[np.ndarray, " tokens"]
    ) -> tuple[Tokens, tuple[str, ...]]:
        """Band features and the like of the cleaned EEG, and what cleaning did."""
        if not np.isfinite(eeg.values).any():
            # all masked: a reference or bad channels would be refused for want of a good channel
            return np.full((starts_s.size, len(self._description.names(eeg.channels))), np.nan), ()
        cleaned, notes = cleaned_trial(eeg, self.cleaning, starts_s, self._token_s)
        return self._description.tokens(cleaned, starts_s, self._token_s), notes

    def _family_tokens(self, name: str, signal: Signal, starts_s: Float[np.ndarray, " tokens"]) -> Tokens:
        family = find_family(name, signal.unit)
        assert family is not None  # `_used` leaves no other
        values = upright(signal.values, signal.unit).astype(np.float64)
        return family.compute(values, signal.sfreq, starts_s, self._token_s)


def _is_whole(number: float) -> bool:
    return number >= 1 - ROUNDING and math.isclose(number, round(number), rel_tol=1e-6)
