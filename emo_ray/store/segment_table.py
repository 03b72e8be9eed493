"""SegmentTable: all segments of the subjects of a study, as read-only arrays that workers share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.errors import ProtocolError
from emo_ray.extraction.base import Modality
from emo_ray.signals.signature import Signature
from emo_ray.store.moments import Moments
from emo_ray.tasks.base import SegmentColumns

NUISANCE = ("clock", "place", "tokens", "modalities", "channels", "length", "dataset", "clip")
"""Columns of `SegmentTable.nuisance`; all but the last are numbers whose order means something."""
PIECE = 4096  # segments that are looked through at once: no mask of all values is made


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
        found: np.ndarray = codes[self.subject]
        return found

    @property
    def columns(self) -> SegmentColumns:
        """What a label rule may look at."""
        return SegmentColumns(self.subject, self.trial, self.index, self.ratings)

    def without_signatures(self) -> "SegmentTable":
        """What workers are sent; their nuisance columns are computed here, once for all."""
        sent = replace(self, signatures={})
        _ = sent.nuisance  # kept with the object, so it goes along
        return sent

    @property
    def n_bytes(self) -> int:
        """Size of all values and masks."""
        return sum(array.nbytes for part in (self.values, self.masks) for array in part.values())

    @cached_property
    def nuisance(self) -> Float32[np.ndarray, "segments probes"]:
        """What must not tell an emotion, in the order of `NUISANCE`.

        Seconds since the first segment of the session, index in the trial, valid tokens, live modalities,
        live channels, valid tokens of the whole trial, code of the corpus, code of the clip.
        """
        valid = np.stack([mask.sum(axis=1) for mask in self.masks.values()], axis=1)  # (segments, modalities)
        tokens = valid.sum(axis=1)
        columns = [
            self.session_s,
            self.index,
            tokens,
            (valid > 0).sum(axis=1),
            sum(self._live_channels(modality) for modality in self.modalities),
            np.bincount(self.trial, weights=tokens)[self.trial],
            self.dataset,
            self.clip,
        ]
        return np.stack(columns, axis=1).astype(np.float32)

    def _live_channels(self, modality: Modality) -> Int64[np.ndarray, " segments"]:
        """Channels with any finite feature at a valid token; a modality of none that are named is one."""
        # "FP1/theta" is of FP1; a feature without a channel, such as a heart rate, is of the whole modality
        channels = [name.rpartition("/")[0] for name in modality.features]
        owner = np.unique(channels, return_inverse=True)[1]
        owners = np.eye(owner.max() + 1, dtype=np.float32)[owner]  # features channels
        values, mask = self.values[modality.name], self.masks[modality.name]
        live = np.zeros(len(self), np.int64)
        for start in range(0, len(self), PIECE):
            rows = slice(start, start + PIECE)
            finite = (np.isfinite(values[rows]) & mask[rows, :, None]).any(axis=1)  # rows features
            live[rows] = (finite.astype(np.float32) @ owners > 0).sum(axis=1)
        return live

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
