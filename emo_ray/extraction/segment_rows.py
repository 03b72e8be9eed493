"""What extractions share: ratings of segments, rejected trials, valid tokens, means, single precision."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Float32

from emo_ray.corpora.recording import Recording, RejectedTrial
from emo_ray.extraction.base import SegmentRows

START, STOP = "start_s", "stop_s"
"""Annotations that tell where the others lie, in seconds from the start of the recording."""


def ratings_at(
    recording: Recording, centres_s: Float[np.ndarray, " segments"]
) -> Mapping[str, Float32[np.ndarray, " segments"]]:
    """The trial's ratings for every segment, and the annotations at the centre of each; NaN where none is.

    A row of the annotations holds from its ``start_s`` up to its ``stop_s``; the first such row counts.
    Annotations without these two belong to another geometry and are left out.

    Parameters
    ----------
    recording : with ratings and annotations
    centres_s : seconds from the start of the recording
    """
    ratings = {}
    rows = recording.annotations
    if START in rows and STOP in rows:
        inside = (rows[START] <= centres_s[:, None]) & (centres_s[:, None] < rows[STOP])  # segments rows
        first = np.argmax(np.pad(inside, ((0, 0), (0, 1)), constant_values=True), axis=1)  # the pad: no row
        for name in sorted(set(rows) - {START, STOP}):
            ratings[name] = np.append(rows[name], np.nan)[first].astype(np.float32)
    for name, value in recording.ratings.items():
        ratings[name] = np.full(centres_s.size, value, dtype=np.float32)
    return ratings


def rejected_rows(recording: Recording, reason: str) -> SegmentRows:
    """No segment of a trial, and why."""
    return SegmentRows(
        start_s=np.zeros(0, dtype=np.float32),
        values={},
        masks={},
        ratings={},
        rejected=(RejectedTrial(recording.subject, recording.trial, reason),),
    )


def single_precision(
    values: Float[np.ndarray, "segments tokens features"],
) -> Float32[np.ndarray, "segments tokens features"]:
    """Features as they are stored; what single precision can not hold is NaN."""
    held = np.abs(values) < np.finfo(np.float32).max  # NaN is not
    return np.where(held, values, np.nan).astype(np.float32)


def mean_over_tokens(tokens: Float[np.ndarray, "tokens features"]) -> Float[np.ndarray, " features"]:
    """Mean of each feature where it is defined, NaN where it never is."""
    n_defined = np.isfinite(tokens).sum(axis=0)
    return np.where(n_defined > 0, np.nansum(tokens, axis=0) / np.maximum(n_defined, 1), np.nan)


def half_defined(
    values: Float[np.ndarray, "segments tokens features"],
) -> Bool[np.ndarray, "segments tokens"]:
    """Valid tokens: those with at least half of their features defined."""
    valid: Bool[np.ndarray, "segments tokens"] = 2 * np.isfinite(values).sum(axis=-1) >= values.shape[-1]
    return valid
