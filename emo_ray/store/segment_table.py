"""SegmentTable: all segments of the subjects of a study, as read-only arrays that workers share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.errors import ProtocolError
from emo_ray.extraction.base import Modality
from emo_ray.signals.signature import Signature
from emo_ray.store.moments import Moments
from emo_ray.tasks.base import SegmentColumns


@dataclass(frozen=True)
class SegmentTable:
    """One row a segment, sorted by subject, session, trial and start.

    Text columns are integer codes into a tuple of names, so that every column is one flat array that
    Ray's object store can hand to all workers of a node without a copy.

    Attributes
    ----------
    subjects, sessions, trials, clips : names; ``trials`` has one name an occurrence (subject, session, trial)
    subject, session, trial, clip : codes into these names
    index : place of the segment in its trial, from 1
    start_s : seconds from the start of the recording
    session_s : seconds from the first segment of the session where the files tell, else of the trial
    ratings : what subjects reported and others annotated; NaN where missing
    values, masks : by modality, ``(segments, tokens, features)`` and ``(segments, tokens)``
    moments : subject to modality to moments over all its valid tokens
    groups : subject to the name it shares with those it was recorded together with
    keys : subject to the content address of its features: names data, configuration and code
    rejected, notes : what the readers and the extraction left out, and what they told of each subject
    signatures : by subject, what copies of its recordings are known by; only the driver needs them
    """

    modalities: tuple[Modality, ...]
    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    trials: tuple[str, ...]
    clips: tuple[str, ...]
    subject: Int32[np.ndarray, " segments"]
    session: Int32[np.ndarray, " segments"]
    trial: Int32[np.ndarray, " segments"]
    clip: Int32[np.ndarray, " segments"]
    index: Int32[np.ndarray, " segments"]
    start_s: Float32[np.ndarray, " segments"]
    session_s: Float32[np.ndarray, " segments"]
    ratings: Mapping[str, Float32[np.ndarray, " segments"]]
    values: Mapping[str, Float32[np.ndarray, "segments _ _"]]
    masks: Mapping[str, Bool[np.ndarray, "segments _"]]
    moments: Mapping[str, Mapping[str, Moments]]
    groups: Mapping[str, str]
    keys: Mapping[str, str]
    rejected: tuple[RejectedTrial, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signatures: Mapping[str, tuple[Signature, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def dataset(self) -> Int32[np.ndarray, " segments"]:
        """Code of the corpus of each segment, corpora in the order of their names."""
        corpora = [name.partition("/")[0] for name in self.subjects]
        codes = np.unique(corpora, return_inverse=True)[1].astype(np.int32)
        return codes[self.subject]

    @property
    def columns(self) -> SegmentColumns:
        """What a label rule may look at."""
        return SegmentColumns(self.subject, self.trial, self.index, self.ratings)

    def without_signatures(self) -> "SegmentTable":
        """What workers are sent."""
        return replace(self, signatures={})

    @property
    def n_bytes(self) -> int:
        """Size of all values and masks."""
        return sum(array.nbytes for part in (self.values, self.masks) for array in part.values())

    @property
    def nuisance(self) -> Float32[np.ndarray, "segments probes"]:
        """What must not tell an emotion: the clock, the place in the trial, how much of the sensors lives.

        Seconds since the first segment of the session, index in the trial, valid tokens, live modalities.
        """
        valid = np.stack([mask.sum(axis=1) for mask in self.masks.values()], axis=1)  # (segments, modalities)
        columns = [self.session_s, self.index, valid.sum(axis=1), (valid > 0).sum(axis=1)]
        return np.stack(columns, axis=1).astype(np.float32)

    def rows_of(self, subjects: Iterable[str]) -> Int64[np.ndarray, " rows"]:
        """Row numbers of some subjects, in table order.

        Raises
        ------
        ProtocolError : a subject is not in the table
        """
        wanted = sorted(set(subjects))
        unknown = [name for name in wanted if name not in self.subjects]
        if unknown:
            raise ProtocolError(
                f"no segments of {', '.join(unknown)} in the table of {len(self.subjects)} subjects"
            )
        codes = np.asarray([self.subjects.index(name) for name in wanted], dtype=np.int32)
        return np.flatnonzero(np.isin(self.subject, codes)).astype(np.int64)

    def subjects_at(self, rows: Int64[np.ndarray, " rows"]) -> frozenset[str]:
        """The subjects that some rows really belong to: what a thing fitted on these rows has seen."""
        return frozenset(self.subjects[code] for code in np.unique(self.subject[rows]))
