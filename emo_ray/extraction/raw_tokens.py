"""Raw tokens: samples of a signal as they are, for signals that are feature series already."""

from typing import Literal

import numpy as np
from pydantic import Field

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows


class RawTokens(ExtractionConfig):
    """Every ``n_tokens`` samples are a segment, every sample a token; a rest at the end is left out."""

    kind: Literal["raw_tokens"] = "raw_tokens"
    n_tokens: int = Field(4, ge=1, description="samples a segment")

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """One modality a signal, with its channels as features."""
        return tuple(
            Modality(name, self.n_tokens, signal.channels) for name, signal in recording.signals.items()
        )

    def segments(self, recording: Recording) -> SegmentRows:
        """Cut all signals alike; ratings of the trial are those of every segment."""
        n_segments = min(signal.values.shape[1] for signal in recording.signals.values()) // self.n_tokens
        values = {name: self._cut(signal, n_segments) for name, signal in recording.signals.items()}
        # of the first signal: all are cut by the number of samples, so one clock is assumed
        sfreq = next(iter(recording.signals.values())).sfreq
        return SegmentRows(
            start_s=(np.arange(n_segments) * self.n_tokens / sfreq).astype(np.float32),
            values=values,
            # segments tokens; valid from half of the features on
            masks={name: 2 * np.isfinite(cut).sum(axis=-1) >= cut.shape[-1] for name, cut in values.items()},
            ratings={
                name: np.full(n_segments, rating, dtype=np.float32)
                for name, rating in recording.ratings.items()
            },
        )

    def _cut(self, signal: Signal, n_segments: int) -> np.ndarray:
        kept = signal.values[:, : n_segments * self.n_tokens].T  # (samples, channels)
        return np.ascontiguousarray(kept.reshape(n_segments, self.n_tokens, len(signal.channels)))
