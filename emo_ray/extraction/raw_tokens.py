"""Raw tokens: samples of a signal as they are, for signals that are feature series already."""

from typing import Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from emo_ray.corpora.recording import Recording, RejectedTrial, Signal
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.extraction.segment_rows import half_defined, ratings_at
from emo_ray.features.smoothing import LdsConfig, lds_smooth


class RawTokens(ExtractionConfig):
    """Every sample is a token; ``n_tokens`` of them are a segment, or a whole trial is.

    A rest at the end is left out, except of a whole trial: there the tokens behind its end are masked.
    Signals are taken to be on one clock, and are cut to the shortest. A token is valid where at least half of
    its features are defined.
    """

    kind: Literal["raw_tokens"] = "raw_tokens"
    n_tokens: int = Field(4, ge=1, description="samples a segment; of a whole trial: at most")
    hop: int | None = Field(
        None, ge=1, description="samples from one segment to the next; none: segments do not overlap"
    )
    whole: bool = Field(
        False,
        description="one segment a trial: its first n_tokens samples, a shorter one masked behind its end",
    )
    signals: tuple[str, ...] = Field((), description="signals to take, by name; none named: all")
    smoothing: LdsConfig = Field(
        default_factory=LdsConfig, description="of every feature over the samples of a trial"
    )

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """One modality a signal, with its channels as features."""
        return tuple(
            Modality(name, self.n_tokens, signal.channels) for name, signal in self._used(recording).items()
        )

    def segments(self, recording: Recording) -> SegmentRows:
        """Cut all signals alike; ratings of the trial, and annotations at the centre of each (`ratings_at`).

        A trial without a whole segment (without a sample, for whole trials) is rejected with its length.
        """
        used = self._used(recording)
        n_times = min((signal.values.shape[1] for signal in used.values()), default=0)
        starts = self._starts(n_times)
        values = {name: self._cut(signal, n_times, starts) for name, signal in used.items()}
        # of the first signal: all are cut by the number of samples, so one clock is assumed
        sfreq = next((signal.sfreq for signal in used.values()), 1.0)
        return SegmentRows(
            start_s=(starts / sfreq).astype(np.float32),
            values=values,
            masks={name: half_defined(cut) for name, cut in values.items()},
            ratings=ratings_at(recording, (starts + min(self.n_tokens, n_times) / 2) / sfreq),
            rejected=() if starts.size else (self._too_short(recording, used, n_times),),
        )

    def _used(self, recording: Recording) -> dict[str, Signal]:
        return {
            name: signal
            for name, signal in recording.signals.items()
            if not self.signals or name in self.signals
        }

    def _starts(self, n_times: int) -> np.ndarray:
        """First sample of every segment."""
        if self.whole:
            return np.zeros(min(n_times, 1), dtype=np.int64)
        return np.arange(0, n_times - self.n_tokens + 1, self.hop or self.n_tokens)

    def _cut(
        self, signal: Signal, n_times: int, starts: np.ndarray
    ) -> Float32[np.ndarray, "segments tokens features"]:
        series = _smoothed(signal.values[:, :n_times].T, self.smoothing)  # samples channels
        if self.whole:
            # what lies behind the end is NaN, and so masked
            behind = ((0, max(self.n_tokens - n_times, 0)), (0, 0))
            series = np.pad(series, behind, constant_values=np.nan)
        index = starts[:, None] + np.arange(self.n_tokens)  # segments tokens
        return np.ascontiguousarray(series[index])

    def _too_short(self, recording: Recording, used: dict[str, Signal], n_times: int) -> RejectedTrial:
        least = "one sample" if self.whole else f"a segment of {self.n_tokens}"
        reason = f"{n_times} samples, less than {least}"
        if not used:
            known = ", ".join(sorted(recording.signals)) or "nothing"
            reason = f"no signal of those asked for ({', '.join(self.signals)}): it has {known}"
        return RejectedTrial(recording.subject, recording.trial, reason)


def _smoothed(
    series: Float32[np.ndarray, "samples features"], config: LdsConfig
) -> Float32[np.ndarray, "samples features"]:
    """The series smoothed over time; what was missing stays missing."""
    return np.where(np.isfinite(series), lds_smooth(series, config), np.nan).astype(np.float32)
