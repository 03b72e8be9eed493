"""Extraction: from recordings to segment rows, fixed-length token sequences a modality."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from pydantic import BaseModel, ConfigDict

from emo_ray.corpora.recording import Recording, RejectedTrial


@dataclass(frozen=True)
class Modality:
    """Name and shape of one modality of a segment: ``n_tokens`` steps of ``len(features)`` numbers."""

    name: str
    n_tokens: int
    features: tuple[str, ...]

    @property
    def n_features(self) -> int:
        """Numbers a token."""
        return len(self.features)


@dataclass(frozen=True)
class SegmentRows:
    """The segments of one recording, in time order.

    Attributes
    ----------
    start_s : seconds from the start of the recording (baseline included) to the start of the segment
    values : by modality; NaN where a feature is undefined
    masks : by modality, True where the token is valid; a token with more than half its features
        undefined, or cut from a silent or missing sensor, is not
    ratings : by name, one value a segment, NaN where missing
    rejected : why segments or the whole trial were left out
    notes : what was done to the signals that a reader of the report should know; the store tells a note of
        several trials once, and what follows a first ``": "`` is what may differ between them
    """

    start_s: Float32[np.ndarray, " segments"]
    values: Mapping[str, Float32[np.ndarray, "segments _ _"]]  # segments tokens features
    masks: Mapping[str, Bool[np.ndarray, "segments _"]]  # segments tokens
    ratings: Mapping[str, Float32[np.ndarray, " segments"]]
    rejected: tuple[RejectedTrial, ...] = ()
    notes: tuple[str, ...] = ()


class ExtractionConfig(BaseModel, ABC):
    """How segments and their features are made from a recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str

    @abstractmethod
    def segments(self, recording: Recording) -> SegmentRows:
        """Cut one recording into segments and compute their features; pure."""

    @abstractmethod
    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """Names and shapes of what `segments` returns, equal for all recordings of a corpus."""
