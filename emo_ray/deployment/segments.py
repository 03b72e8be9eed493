"""From recordings to a segment table in memory: the same rows that the store would hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from emo_ray.corpora.recording import Recording, RejectedTrial
from emo_ray.errors import CorpusError
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.processes import one_thread
from emo_ray.store.moments import measure
from emo_ray.store.segment_table import SegmentTable


@dataclass(frozen=True)
class _Cut:
    recording: Recording
    rows: SegmentRows

    @property
    def order(self) -> tuple[str, str, str, float]:
        one = self.recording
        return one.subject, one.session, one.trial, float(self.rows.start_s[0])


def table_of(
    recordings: Sequence[Recording], extraction: ExtractionConfig, modalities: Sequence[Modality]
) -> SegmentTable:
    """Segments of recordings, sorted as a store sorts them; labels and keys are not in it.

    Raises
    ------
    CorpusError : no recording gives a segment, or features of other names or shapes come out than the model
        was trained on
    """
    # As in the workers that made the training features.
    with one_thread("scipy.linalg"):
        found = [_Cut(one, extraction.segments(one)) for one in recordings]
    rejected = tuple(trial for cut in found for trial in cut.rows.rejected)
    kept = sorted((cut for cut in found if len(cut.rows.start_s)), key=lambda cut: cut.order)
    if not kept:
        raise CorpusError(f"the recording gives not one segment: {_reasons(rejected)}")
    for cut in kept:
        _check_same(extraction.modalities(cut.recording), modalities)
    return _table(kept, tuple(modalities), rejected)


def empty_table(modalities: Sequence[Modality]) -> SegmentTable:
    """A table of no segments, from which a model's shape can be told."""
    return _table([], tuple(modalities), ())


def _table(
    kept: Sequence[_Cut], modalities: tuple[Modality, ...], rejected: tuple[RejectedTrial, ...]
) -> SegmentTable:
    lengths = [len(cut.rows.start_s) for cut in kept]
    subjects, subject = _codes([cut.recording.subject for cut in kept], lengths)
    sessions, session = _codes([cut.recording.session for cut in kept], lengths)
    clips, clip = _codes([cut.recording.clip for cut in kept], lengths)
    values = {item.name: _joined(kept, item) for item in modalities}
    masks = {item.name: _joined_masks(kept, item) for item in modalities}
    start_s = np.concatenate([np.zeros(0, np.float32), *(cut.rows.start_s for cut in kept)])
    return SegmentTable(
        modalities=modalities,
        subjects=subjects,
        sessions=sessions,
        trials=tuple(cut.recording.trial for cut in kept),
        clips=clips,
        subject=subject,
        session=session,
        trial=np.repeat(np.arange(len(kept), dtype=np.int32), lengths),
        clip=clip,
        # from 1 in each recording
        index=np.concatenate(
            [np.zeros(0, np.int32), *(np.arange(1, n + 1, dtype=np.int32) for n in lengths)]
        ),
        start_s=start_s,
        session_s=start_s,
        ratings={},
        values=values,
        masks=masks,
        moments={
            name: {
                item.name: measure(values[item.name][subject == code], masks[item.name][subject == code])
                for item in modalities
            }
            for code, name in enumerate(subjects)
        },
        groups={name: name for name in subjects},
        keys={},
        rejected=rejected,
        notes={},
    )


def _codes(
    names: Sequence[str], lengths: Sequence[int]
) -> tuple[tuple[str, ...], Shaped[np.ndarray, " segments"]]:
    known = tuple(sorted(set(names)))
    codes = np.array([known.index(name) for name in names], dtype=np.int32)
    return known, np.repeat(codes, lengths)


def _joined(kept: Sequence[_Cut], item: Modality) -> Shaped[np.ndarray, "segments tokens features"]:
    shape = (item.n_tokens, item.n_features)
    parts = [
        cut.rows.values.get(item.name, np.full((len(cut.rows.start_s), *shape), np.nan, np.float32))
        for cut in kept
    ]
    return np.concatenate([np.zeros((0, *shape), np.float32), *parts])


def _joined_masks(kept: Sequence[_Cut], item: Modality) -> Shaped[np.ndarray, "segments tokens"]:
    parts = [
        cut.rows.masks.get(item.name, np.zeros((len(cut.rows.start_s), item.n_tokens), bool)) for cut in kept
    ]
    return np.concatenate([np.zeros((0, item.n_tokens), bool), *parts])


def _check_same(found: Sequence[Modality], trained: Sequence[Modality]) -> None:
    known = {item.name: item for item in trained}
    for item in found:
        expected = known.get(item.name)
        if expected is None or item == expected:
            continue
        new = [name for name in item.features if name not in expected.features][:4]
        raise CorpusError(
            f"{item.name!r} gives {item.n_tokens} x {item.n_features} features a segment, and the model was "
            f"trained on {expected.n_tokens} x {expected.n_features}"
            f"{'; not known to it: ' + ', '.join(new) if new else ''}: record with the same channels and rate"
        )


def _reasons(rejected: Sequence[RejectedTrial]) -> str:
    reasons = dict.fromkeys(f"{trial.trial}: {trial.reason}" for trial in rejected)
    return "; ".join(list(reasons)[:5]) or "it is shorter than a segment, or holds nothing valid"
