"""From stored subjects to one SegmentTable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int32

from emo_ray.errors import StoreError
from emo_ray.extraction.base import Modality
from emo_ray.store.moments import Moments, no_moments
from emo_ray.store.schema import TEXT_COLUMNS, StoredSubject, from_metadata
from emo_ray.store.segment_table import SegmentTable


def find_stored(path: Path, key: str) -> StoredSubject | None:
    """The metadata of a stored subject; None where there is no whole file of ours with this key."""
    try:
        # The footer alone: to look up a whole corpus no feature is read.
        stored = from_metadata(pq.read_schema(path).metadata)
    except (OSError, pa.ArrowInvalid):
        return None
    return stored if stored is not None and stored.key == key else None


@dataclass(frozen=True)
class _Part:
    stored: StoredSubject
    table: pa.Table


def load_table(paths: Mapping[str, Path]) -> SegmentTable:
    """Read the stored subjects into one table; subjects in the order given, rows in stored order.

    Raises
    ------
    StoreError : a file is damaged, or no subject has a single segment
    """
    parts = [_read(path) for path in paths.values()]
    rejected = tuple(trial for part in parts for trial in part.stored.rejected)
    filled = [part for part in parts if len(part.table)]
    if not filled:
        reasons = sorted({trial.reason for trial in rejected}) or ["the corpus holds no trial"]
        raise StoreError(
            f"not one segment is left of {len(parts)} subjects: {'; '.join(reasons[:5])}. Where trials are "
            "too short, ask for shorter segments: extraction.segment_s=..., for features that were shipped "
            "extraction.n_tokens=..."
        )
    modalities = _all_modalities(filled)
    text = {name: _codes([part.table[name] for part in filled]) for name in TEXT_COLUMNS}
    names, trial = _occurrences(filled, text["trial"])
    return SegmentTable(
        modalities=modalities,
        subjects=tuple(part.stored.subject for part in filled),
        sessions=text["session"].names,
        trials=names,
        clips=text["clip"].names,
        subject=np.repeat(np.arange(len(filled), dtype=np.int32), [len(part.table) for part in filled]),
        session=text["session"].codes,
        trial=trial,
        clip=text["clip"].codes,
        index=_join(filled, "index"),
        start_s=_join(filled, "start_s"),
        session_s=_join(filled, "session_s"),
        ratings={name: _join_rating(filled, name) for name in _rating_names(filled)},
        values={
            item.name: _join_lists(
                filled, f"values/{item.name}", np.nan, np.float32, item.n_tokens * item.n_features
            ).reshape(-1, item.n_tokens, item.n_features)
            for item in modalities
        },
        # stored as bytes 0 and 1, so a view is enough
        masks={
            item.name: _join_lists(filled, f"mask/{item.name}", 0.0, np.uint8, item.n_tokens).view(np.bool_)
            for item in modalities
        },
        moments={part.stored.subject: _all_moments(part.stored, modalities) for part in filled},
        groups={part.stored.subject: part.stored.group for part in filled},
        keys={part.stored.subject: part.stored.key for part in filled},
        rejected=rejected,
        notes={part.stored.subject: part.stored.notes for part in parts},
        signatures={part.stored.subject: part.stored.signatures for part in filled},
    )


def _read(path: Path) -> _Part:
    try:
        # ParquetFile, for read_table would take "key=value" folders above as columns.
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
        stored = from_metadata(table.schema.metadata)
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(
            f"{path} is damaged ({error}): delete it, or compute it again with --refresh"
        ) from error
    if stored is None:
        raise StoreError(
            f"{path} was not written by this store: delete it, or compute it again with --refresh"
        )
    return _Part(stored, table)


def _all_modalities(parts: Sequence[_Part]) -> tuple[Modality, ...]:
    """Every modality that some subject has, in the order in which they are met; one has one shape."""
    found: dict[str, tuple[Modality, str]] = {}
    for part in parts:
        for item in part.stored.modalities:
            known, owner = found.setdefault(item.name, (item, part.stored.subject))
            if item != known:
                raise StoreError(
                    f"{part.stored.subject} has {_difference(item, known)} in modality {item.name!r}, but "
                    f"{owner} has {_difference(known, item)}: all subjects of a study need the same; read "
                    "the corpus so that its channels are alike, or leave subjects out with --subjects"
                )
    return tuple(item for item, _ in found.values())


def _difference(item: Modality, other: Modality) -> str:
    shape = f"{item.n_tokens} x {item.n_features}"
    own = [name for name in item.features if name not in other.features]
    return f"{shape} features" + (f" ({', '.join(own[:3])}{', ...' if len(own) > 3 else ''})" if own else "")


def _all_moments(stored: StoredSubject, modalities: Sequence[Modality]) -> dict[str, Moments]:
    """Moments of a subject; without any count for a modality that it lacks."""
    return {item.name: stored.moments.get(item.name) or no_moments(item.n_features) for item in modalities}


@dataclass(frozen=True)
class _Coded:
    names: tuple[str, ...]
    codes: Int32[np.ndarray, " segments"]


def _codes(columns: Sequence[pa.ChunkedArray]) -> _Coded:
    # Back to text first: each file has a dictionary, and so codes, of its own.
    joined = pa.chunked_array([chunk.cast(pa.string()) for column in columns for chunk in column.chunks])
    encoded = joined.combine_chunks().dictionary_encode()
    return _Coded(tuple(encoded.dictionary.to_pylist()), encoded.indices.to_numpy().astype(np.int32))


def _occurrences(
    parts: Sequence[_Part], trial: _Coded
) -> tuple[tuple[str, ...], Int32[np.ndarray, " segments"]]:
    """Number each trial of each subject and session: a new one starts where index is 1."""
    index = _join(parts, "index")
    starts = index == 1
    names = tuple(trial.names[code] for code in trial.codes[starts])
    return names, (np.cumsum(starts) - 1).astype(np.int32)


def _rating_names(parts: Sequence[_Part]) -> list[str]:
    names = {name for part in parts for name in part.table.column_names if name.startswith("rating/")}
    return sorted(name.removeprefix("rating/") for name in names)


def _join(parts: Sequence[_Part], column: str) -> np.ndarray:
    return np.concatenate([part.table[column].to_numpy() for part in parts])


def _join_rating(parts: Sequence[_Part], name: str) -> np.ndarray:
    """One rating of all subjects; NaN for subjects whose files do not have it."""
    column = f"rating/{name}"
    return np.concatenate(
        [
            part.table[column].to_numpy()
            if column in part.table.column_names
            else np.full(len(part.table), np.nan, dtype=np.float32)
            for part in parts
        ]
    )


def _join_lists(parts: Sequence[_Part], column: str, missing: float, kind: type, width: int) -> np.ndarray:
    """Fixed-size lists as one array: filled chunk by chunk, so the peak is one table and one subject."""
    # (segments, tokens * features), or (segments, tokens) for a mask
    n_rows = sum(len(part.table) for part in parts)
    joined: np.ndarray = np.empty((n_rows, width), dtype=kind)
    row = 0
    for part in parts:
        if column not in part.table.column_names:
            joined[row : row + len(part.table)] = missing
            row += len(part.table)
            continue
        for chunk in part.table[column].chunks:
            # flatten(), not .values, which overlooks the offset of a sliced chunk
            joined[row : row + len(chunk)] = chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
            row += len(chunk)
    return joined
