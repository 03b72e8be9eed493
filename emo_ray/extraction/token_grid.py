"""Where segments and their tokens lie in a trial: fixed segments that slide, or the whole trial as one."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int

from emo_ray.signals.segments import ROUNDING, sliding_segments

SAME_S = 1e-6  # starts that are closer are one; far less than a sample


@dataclass(frozen=True)
class TokenGrid:
    """Starts of all tokens of a trial, by segment.

    Attributes
    ----------
    starts_s : seconds from the start of the recording; NaN where a segment has no more tokens
    token_s : seconds of each token
    """

    starts_s: Float64[np.ndarray, "segments tokens"]
    token_s: float

    @property
    def segment_starts_s(self) -> Float64[np.ndarray, " segments"]:
        """Start of the first token of each segment."""
        starts_s: Float64[np.ndarray, " segments"] = self.starts_s[:, 0]
        return starts_s

    @property
    def centres_s(self) -> Float64[np.ndarray, " segments"]:
        """Middle of the tokens that each segment has; they follow each other without a gap."""
        length_s = self.token_s * np.isfinite(self.starts_s).sum(axis=1)
        centres_s: Float64[np.ndarray, " segments"] = self.segment_starts_s + length_s / 2
        return centres_s

    def distinct(self) -> tuple[Float64[np.ndarray, " distinct"], Int[np.ndarray, "segments tokens"]]:
        """Every start once, ascending, and for each token its place there; -1 for one that is not there.

        Segments that overlap share tokens: what a token costs is then paid once.
        """
        there = np.isfinite(self.starts_s)
        keys, place = np.unique(np.rint(self.starts_s[there] / SAME_S), return_inverse=True)
        index = np.full(self.starts_s.shape, -1, dtype=np.int64)
        index[there] = place.ravel()
        return keys * SAME_S, index


def sliding_grid(span_s: tuple[float, float], segment_s: float, hop_s: float, token_s: float) -> TokenGrid:
    """All whole segments from one second to another; the rest at the end is left out.

    Parameters
    ----------
    span_s : first and last second of the trial that may be used
    segment_s, hop_s : length of a segment, and from one to the next
    token_s : a whole number of them makes a segment
    """
    first_s, end_s = span_s
    starts_s = first_s + sliding_segments(end_s - first_s, segment_s, hop_s)
    n_tokens = round(segment_s / token_s)
    return TokenGrid(starts_s[:, None] + token_s * np.arange(n_tokens), token_s)


def whole_grid(
    span_s: tuple[float, float], token_s: float, max_tokens: int, longer: Literal["crop", "cut"]
) -> TokenGrid:
    """The whole trial as one segment of at most ``max_tokens`` tokens, or as several that follow each other.

    Parameters
    ----------
    span_s : first and last second of the trial that may be used
    token_s : seconds
    max_tokens : tokens of every segment; those beyond the end of the trial are NaN
    longer : what becomes of a longer trial - crop: its first tokens alone; cut: further segments
    """
    first_s, end_s = span_s
    n_tokens = max(math.floor((end_s - first_s) / token_s + ROUNDING), 0)
    if longer == "crop":
        n_tokens = min(n_tokens, max_tokens)
    n_segments = math.ceil(n_tokens / max_tokens)
    number = np.arange(n_segments * max_tokens, dtype=np.float64)
    starts_s = np.where(number < n_tokens, first_s + token_s * number, np.nan)
    return TokenGrid(starts_s.reshape(n_segments, max_tokens), token_s)
