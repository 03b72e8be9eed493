"""Scalers: standardisation merged from per-subject moments; fit on train, apply to all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from emo_ray.store.moments import Moments, merge
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.data import Affine

Scaling = Literal["train", "transductive"]


@dataclass(frozen=True)
class Scaler:
    """A standardisation and the subjects whose data made it.

    ``seen`` holds whose values entered the shift and scale that is applied to *other* subjects. A
    transductive scaler uses each subject's own unlabelled segments for itself and nobody else's, so it
    has seen nobody in that sense; its results stand in a column of their own.
    """

    affine: Affine
    scaling: Scaling
    seen: frozenset[str]


def fit_scaler(table: SegmentTable, subjects: Iterable[str], scaling: Scaling) -> Scaler:
    """The scaler of some training subjects: a merge of their moments, never a pass over the data.

    ``"train"`` standardises everybody by the moments of ``subjects``. ``"transductive"`` standardises each
    subject by its own moments, test subjects included.
    """
    if scaling == "transductive":
        return Scaler(_per_subject(table), scaling, frozenset())
    # Sorted, for the order of a merge shows in the last bits.
    chosen = sorted(set(subjects))
    merged = {
        modality.name: merge(table.moments[subject][modality.name] for subject in chosen)
        for modality in table.modalities
    }
    return Scaler(
        affine_of({name: [moments] for name, moments in merged.items()}), scaling, frozenset(chosen)
    )


def _per_subject(table: SegmentTable) -> Affine:
    return affine_of(
        {
            item.name: [table.moments[subject][item.name] for subject in table.subjects]
            for item in table.modalities
        }
    )


def affine_of(rows: Mapping[str, Sequence[Moments]]) -> Affine:
    """Standardisation by one set of moments a modality, or by one a subject, in the order of their codes."""
    # (1, features) for all alike, or (subjects, features), with rows in the order of subject codes
    return Affine(
        shift={
            name: np.stack([part.mean for part in parts]).astype(np.float32) for name, parts in rows.items()
        },
        scale={
            name: np.stack([part.scale for part in parts]).astype(np.float32) for name, parts in rows.items()
        },
    )
