"""SegmentData: read-only views of all segments, and batches of them by row number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int, Int32
from torch import Tensor

from emo_ray.errors import TrainingError
from emo_ray.models.base import RowFacts, SegmentShape
from emo_ray.tasks.base import Head

PIECE_BYTES, PIECE_ROWS = 1 << 20, 512
"""Most that evaluation takes at once: memory does not grow with the table, and a piece stays in the cache."""


@dataclass(frozen=True)
class Affine:
    """Standardisation on the fly: ``(x - shift) * scale``, then 0 where undefined or masked.

    One row of ``shift`` and ``scale`` is shared by all segments; with more rows, the row is the subject
    code of the segment (per-subject normalisation, transductive).
    """

    shift: Mapping[str, Float32[np.ndarray, "_ _"]]
    scale: Mapping[str, Float32[np.ndarray, "_ _"]]

    @classmethod
    def identity(cls, n_features: Mapping[str, int]) -> "Affine":
        """Leaves every feature as it is."""
        return cls(
            shift={name: np.zeros((1, n), np.float32) for name, n in n_features.items()},
            scale={name: np.ones((1, n), np.float32) for name, n in n_features.items()},
        )


@dataclass(frozen=True)
class Batch:
    """One batch on the device; x is standardised, zero where undefined or masked."""

    x: Mapping[str, Tensor]  # modality: batch tokens features
    mask: Mapping[str, Tensor]  # modality: batch tokens
    targets: Mapping[str, Tensor]  # head: batch; NaN where undefined
    facts: RowFacts | None = None

    def split(self, sizes: Sequence[int]) -> "list[Batch]":
        """The rows in so many parts, one after the other; views."""
        x, mask, targets = (_split(part, sizes) for part in (self.x, self.mask, self.targets))
        trials = torch.split(self.facts.trial, list(sizes)) if self.facts else [None] * len(sizes)
        facts = [None if trial is None else RowFacts(trial) for trial in trials]
        return [Batch(*parts) for parts in zip(x, mask, targets, facts, strict=True)]


def _split(tensors: Mapping[str, Tensor], sizes: Sequence[int]) -> list[dict[str, Tensor]]:
    parts = [torch.split(tensor, list(sizes)) for tensor in tensors.values()]
    return [dict(zip(tensors, part, strict=True)) for part in zip(*parts, strict=True)]


@dataclass(frozen=True)
class SegmentData:
    """All segments a run may look at, as views into shared memory; only batches are copied.

    Attributes
    ----------
    values : by modality, NaN where undefined
    masks : by modality, True where the token is valid
    subject : subject codes
    targets : head to class code, value, or 0 and 1; NaN where undefined
    nuisance : what no network is given: clock, place in the trial, live sensors; for the nuisance reference
    features : names of the features by modality, which tell augmentation of channels and frequencies
    trial : code of the trial of each segment, segments of a trial in the order of time; empty: not known
    dataset : code of the corpus of each segment; empty: all of one
    n_context : earlier segments of the trial that stand before each segment in a batch; masked where the
        trial has none that comes directly before
    index : place of each segment in its trial; with a context one row follows the other only where it
        counts on

    Raises
    ------
    TrainingError : parts that do not belong to each other; lists all of them
    """

    values: Mapping[str, Float32[np.ndarray, "segments _ _"]]
    masks: Mapping[str, Bool[np.ndarray, "segments _"]]
    subject: Int32[np.ndarray, " segments"]
    targets: Mapping[str, Float32[np.ndarray, " segments"]]
    heads: tuple[Head, ...]
    affine: Affine
    nuisance: Float32[np.ndarray, "segments _"] | None = None
    features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trial: Int32[np.ndarray, " trials"] = field(default_factory=lambda: np.empty(0, np.int32))
    dataset: Int32[np.ndarray, " datasets"] = field(default_factory=lambda: np.empty(0, np.int32))
    n_context: int = 0
    index: Int32[np.ndarray, " indices"] = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        problems = [problem for name in self.values for problem in self._modality_problems(name)]
        problems += [
            f"head {head.name!r} has no targets" for head in self.heads if head.name not in self.targets
        ]
        if self.n_context and not len(self.trial) == len(self.index) == len(self.subject):
            problems.append(
                f"a context needs trial and index of {len(self.subject)} segments, and there are "
                f"{len(self.trial)} and {len(self.index)}"
            )
        if problems:
            raise TrainingError("the segments can not be trained on: " + "; ".join(problems))

    def _modality_problems(self, name: str) -> Iterator[str]:
        segments, tokens, features = self.values[name].shape
        found = self.masks[name].shape if name in self.masks else None
        if found != (segments, tokens):
            yield f"the mask of {name!r} has shape {found}, its values need {(segments, tokens)}"
        if segments != len(self.subject):
            yield f"{name!r} has {segments} segments, but there are {len(self.subject)} subject codes"
        for part, rows in (("shift", self.affine.shift), ("scale", self.affine.scale)):
            width = rows[name].shape[1] if name in rows else None
            if width != features:
                yield f"the {part} of {name!r} has {width} features, its values have {features}"

    def shape(self) -> SegmentShape:
        """What a model is told about the data: tokens as they arrive, those of the context included."""
        n_segments = 1 + self.n_context
        return SegmentShape(
            tokens={
                name: (n_segments * values.shape[1], values.shape[2]) for name, values in self.values.items()
            },
            heads={head.name: head.n_outputs for head in self.heads},
            features={name: self.features[name] for name in self.values if name in self.features},
        )

    def batch(self, rows: Int[np.ndarray, " batch"], device: str | torch.device = "cpu") -> Batch:
        """Copy these rows out of shared memory, standardise them there, and put them on the device."""
        x, mask = {}, {}
        taken, there = self._with_context(rows) if self.n_context else (rows, None)
        for name, values in self.values.items():
            # index first: the views are read-only, and torch warns about wrapping such memory
            valid = self.masks[name].take(taken, axis=0)  # a third of the time of [taken]
            if there is not None:
                valid &= there[:, None]
            mask[name] = torch.from_numpy(valid).to(device)
            x[name] = torch.from_numpy(values.take(taken, axis=0)).to(device)
            x[name] = self._standardise(name, x[name], taken)
            # asked of NumPy: the device need not be waited for, and the few invalid tokens are quickly filled
            invalid = np.flatnonzero(~valid)
            if len(invalid):
                x[name].flatten(0, 1).index_fill_(0, torch.from_numpy(invalid).to(device), 0.0)
            if self.n_context:
                # the tokens of a row's segments one after the other: batch (1+n)*tokens features
                x[name] = x[name].view(len(rows), -1, values.shape[2])
                mask[name] = mask[name].view(len(rows), -1)
        targets = {
            head.name: torch.from_numpy(self.targets[head.name][rows]).to(device) for head in self.heads
        }
        facts = RowFacts(torch.from_numpy(self.trial[rows]).to(device)) if len(self.trial) else None
        return Batch(x, mask, targets, facts)

    def _with_context(
        self, rows: Int[np.ndarray, " batch"]
    ) -> tuple[Int[np.ndarray, " taken"], Bool[np.ndarray, " taken"]]:
        """The segments of each row, earliest first, and whether they are there; the row itself if not."""
        segments, there = [rows], [np.ones(len(rows), bool)]
        for _ in range(self.n_context):
            latest = segments[-1]
            before = np.maximum(latest - 1, 0)
            follows = there[-1] & (latest > 0) & (self.trial[latest] == self.trial[before])
            # a segment that was left out between two is not bridged
            follows &= self.index[latest] - self.index[before] == 1
            segments.append(np.where(follows, before, latest))
            there.append(follows)
        return np.stack(segments[::-1], axis=1).ravel(), np.stack(there[::-1], axis=1).ravel()

    def _standardise(self, name: str, x: Tensor, rows: Int[np.ndarray, " batch"]) -> Tensor:
        shift, scale = self.affine.shift[name], self.affine.scale[name]
        if len(shift) == 1:
            # all tokens of a row at once: a long inner loop takes a third of the time of many short ones
            n_tokens = x.shape[1]
            flat = x.view(len(x), n_tokens * x.shape[2])
            flat -= torch.from_numpy(np.tile(shift, n_tokens)).to(x.device)
            flat *= torch.from_numpy(np.tile(scale, n_tokens)).to(x.device)
        else:
            codes = self.subject[rows]  # indexing copies, so these arrays may be read-only, too
            x -= torch.from_numpy(shift[codes][:, None]).to(x.device)  # batch 1 features
            x *= torch.from_numpy(scale[codes][:, None]).to(x.device)
        return x.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)

    @property
    def row_bytes(self) -> int:
        """Size of a row in a batch, its context included."""
        return (1 + self.n_context) * sum(values[:1].nbytes for values in self.values.values())

    def pieces(self, rows: Int[np.ndarray, " rows"]) -> Iterator[Int[np.ndarray, " piece"]]:
        """Rows in their order, in pieces for evaluation: at most `PIECE_BYTES` and `PIECE_ROWS`."""
        size = min(PIECE_ROWS, max(1, PIECE_BYTES // max(1, self.row_bytes)))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def defined(self, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, " kept"]:
        """Those rows that have a target for at least one head."""
        known = np.zeros(len(rows), bool)
        for head in self.heads:
            known |= np.isfinite(self.targets[head.name][rows])
        return rows[known]


def shuffled_batches(
    rows: Int[np.ndarray, " rows"], batch_size: int, generator: np.random.Generator
) -> list[Int[np.ndarray, " batch"]]:
    """Rows in random order, cut into batches; a last batch of one joins the one before it."""
    order = generator.permutation(rows)
    starts = list(range(0, len(order), batch_size))
    if len(starts) > 1 and len(order) - starts[-1] == 1:
        starts.pop()  # batch norm can learn nothing from one row
    return np.split(order, starts[1:])
