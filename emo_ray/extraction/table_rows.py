"""Rows of a feature table as segments: one token each, nothing computed."""

from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import ConfigError
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.extraction.segment_rows import half_defined

MODALITY = "features"
START = "start"


class TableRows(ExtractionConfig):
    """Each row of a table (`FeatureTable`) is a segment of one token, and its annotations are its ratings.

    ``start_s`` is the table's order column, counted from the first row of the trial and in the unit of that
    column, which need not be seconds; without an order column it is the number of the row. Counting from the
    first row is what keeps it exact: as float32 a Unix time in seconds is good to 128 s only, and sample
    numbers are exact up to 2^24 (6.6 h at 700 Hz).
    """

    kind: Literal["table_rows"] = "table_rows"

    def segments(self, recording: Recording) -> SegmentRows:
        """One segment a row; its token is valid where at least half of the features are defined.

        Raises
        ------
        ConfigError : the recording is of another corpus than a feature table
        """
        values = _table(recording).values.T[:, None, :]  # rows 1 features
        ratings = {
            name: given.astype(np.float32) for name, given in recording.annotations.items() if name != START
        }
        return SegmentRows(
            start_s=_from_first(recording.annotations.get(START, np.arange(len(values), dtype=np.float64))),
            values={MODALITY: np.ascontiguousarray(values)},
            masks={MODALITY: half_defined(values)},
            ratings=ratings,
        )

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """The one modality, named by the columns of the table."""
        return (Modality(MODALITY, 1, _table(recording).channels),)


def _from_first(start: Float64[np.ndarray, " rows"]) -> Float32[np.ndarray, " rows"]:
    # subtracted in float64 and rounded once, after
    relative: Float32[np.ndarray, " rows"] = (start - start[0]).astype(np.float32)
    return relative


def _table(recording: Recording) -> Signal:
    if MODALITY not in recording.signals:
        raise ConfigError(
            f"{recording.subject}: extraction table_rows needs a feature table, and this corpus records "
            f"{', '.join(sorted(recording.signals))}: use the extraction of that corpus"
        )
    return recording.signals[MODALITY]
