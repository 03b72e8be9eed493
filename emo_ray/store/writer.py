"""Features of one subject, from corpus files to one Parquet file that is there whole or not at all."""

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Shaped

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.recording import Recording
from emo_ray.errors import StoreError
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.files import atomic_path
from emo_ray.processes import one_thread
from emo_ray.store.identity import signatures_of
from emo_ray.store.moments import Moments, measure
from emo_ray.store.schema import StoredSubject, schema_of, to_metadata

_PROBE_BYTES = 1 << 16


def store_subject(
    corpus: CorpusConfig, extraction: ExtractionConfig, subject: str, key: str, path: Path
) -> StoredSubject:
    """Read one subject, compute its features and write them to ``path``; returns what stands in the metadata.

    Raises
    ------
    CorpusError : the subject's files can not be read
    StoreError : the disk is full or the folder can not be written; nothing half-written stays behind
    """
    # On a cluster and in a notebook alike; readers and features load SciPy when they need it.
    with one_thread("scipy.linalg"):
        read = corpus.read_subject(subject)
        found = [(recording, extraction.segments(recording)) for recording in read.recordings]
    refused = [trial for _, rows in found for trial in rows.rejected]
    kept = [(recording, rows) for recording, rows in found if len(rows.start_s)]
    # The table does not depend on the order in which the reader yields recordings.
    kept.sort(key=lambda pair: (pair[0].session, pair[0].trial, float(pair[1].start_s[0])))
    modalities = _all_modalities(extraction, [recording for recording, _ in kept])
    table = _to_arrow(kept, modalities)
    stored = StoredSubject(
        key=key,
        subject=subject,
        group=_group_of(subject, read.recordings),
        modalities=modalities,
        # over every stored segment: which of them have a label is a matter of the task
        moments={
            modality.name: _moments_of(modality.name, [rows for _, rows in kept]) for modality in modalities
        },
        rejected=(*read.rejected, *refused),
        notes=(*read.notes, *disagreements(corpus.declaration, read), *_extraction_notes(subject, kept)),
        signatures=signatures_of(read.recordings),
    )
    _write(table.replace_schema_metadata(to_metadata(stored)), path)
    return stored


def check_writable(store: Path) -> None:
    """Refuse a store folder that can not be written, before any work is done.

    Raises
    ------
    StoreError : names the folder and the next step
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=store, prefix=".writable.") as probe:
            probe.write(bytes(_PROBE_BYTES))  # an empty file can be made on a full disk, too
            probe.flush()
    except OSError as error:
        raise StoreError(_explain(store, error)) from error


def _all_modalities(extraction: ExtractionConfig, recordings: Sequence[Recording]) -> tuple[Modality, ...]:
    """Every modality that some recording gives, in the order in which they are met; one has one shape."""
    found: dict[str, tuple[Modality, str]] = {}
    for recording in recordings:
        for item in extraction.modalities(recording):
            known, trial = found.setdefault(item.name, (item, recording.trial))
            if item != known:
                raise StoreError(
                    f"{recording.subject}: modality {item.name!r} has {item.n_tokens} x {item.n_features} "
                    f"features in trial {recording.trial}, but {known.n_tokens} x {known.n_features} in "
                    f"trial {trial}, or others of as many: all trials of a study need the same; check the "
                    "channels in the files"
                )
    return tuple(item for item, _ in found.values())


def _moments_of(name: str, rows: Sequence[SegmentRows]) -> Moments:
    """Over the trials that have this modality; at least one has."""
    having = [part for part in rows if name in part.values]
    return measure(
        np.concatenate([part.values[name] for part in having]),
        np.concatenate([part.masks[name] for part in having]),
    )


def _group_of(subject: str, recordings: Sequence[Recording]) -> str:
    """The group of a subject: the one it shares with others in any of its recordings, else itself."""
    shared = sorted({recording.group for recording in recordings} - {subject})
    return shared[0] if shared else subject


def _extraction_notes(subject: str, kept: Sequence[tuple[Recording, SegmentRows]]) -> tuple[str, ...]:
    """What extraction did to the signals, each fact once with its trials, as readers tell theirs."""
    account = Account(subject, subject)
    several = len({recording.session for recording, _ in kept}) > 1
    for recording, rows in kept:
        trial = f"{recording.session}/{recording.trial}" if several else recording.trial
        for note in rows.notes:
            fact, _, detail = note.partition(": ")
            account.note(trial, fact, detail)
    return account.notes()


def _to_arrow(kept: Sequence[tuple[Recording, SegmentRows]], modalities: Sequence[Modality]) -> pa.Table:
    ratings = sorted({name for _, rows in kept for name in rows.ratings})
    schema = schema_of(modalities, ratings)
    first = _session_starts(kept)
    parts = [
        _recording_to_arrow(recording, rows, schema, first[recording.session]) for recording, rows in kept
    ]
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _session_starts(kept: Sequence[tuple[Recording, SegmentRows]]) -> dict[str, float]:
    """When the first segment of each session starts, on the clock of that session."""
    first: dict[str, float] = {}
    for recording, rows in kept:
        start_s = recording.start_s + float(rows.start_s.min())
        first[recording.session] = min(start_s, first.get(recording.session, start_s))
    return first


def _recording_to_arrow(
    recording: Recording, rows: SegmentRows, schema: pa.Schema, session_start_s: float
) -> pa.Table:
    n_rows = len(rows.start_s)
    columns: dict[str, Shaped[np.ndarray, " segments"] | pa.Array] = {
        "session": np.full(n_rows, recording.session, dtype=object),
        "trial": np.full(n_rows, recording.trial, dtype=object),
        "clip": np.full(n_rows, recording.clip, dtype=object),
        # from 1 in each recording: a 1 is how the reader of the store finds a new trial
        "index": np.arange(1, n_rows + 1, dtype=np.int32),
        "start_s": rows.start_s,
        "session_s": (rows.start_s + (recording.start_s - session_start_s)).astype(np.float32),
    }
    missing = np.full(n_rows, np.nan, dtype=np.float32)
    for field in schema:
        kind, _, name = field.name.partition("/")
        if kind == "rating":
            columns[field.name] = rows.ratings.get(name, missing)
        elif kind == "values":
            # (segments, tokens, features) to (segments, tokens * features); a modality may be lacking
            columns[field.name] = _fixed_lists(rows.values.get(name), np.nan, n_rows, field.type)
        elif kind == "mask":
            columns[field.name] = _fixed_lists(rows.masks.get(name), 0.0, n_rows, field.type)
    return pa.table(
        {field.name: pa.array(columns[field.name], type=field.type) for field in schema}, schema=schema
    )


def _fixed_lists(
    array: Shaped[np.ndarray, "segments ..."] | None, missing: float, n_rows: int, kind: pa.DataType
) -> pa.Array:
    whole = np.full((n_rows, kind.list_size), missing) if array is None else array
    content = np.ascontiguousarray(whole.reshape(-1), dtype=kind.value_type.to_pandas_dtype())
    return pa.FixedSizeListArray.from_arrays(pa.array(content, type=kind.value_type), type=kind)


def _write(table: pa.Table, path: Path) -> None:
    """Checksummed but not compressed: features are noise to a compressor, and reading is to be quick."""
    try:
        with atomic_path(path) as temporary:
            pq.write_table(
                table,
                temporary,
                compression="none",
                use_dictionary=["session", "trial", "clip"],
                write_page_checksum=True,
            )
    except OSError as error:
        raise StoreError(_explain(path, error)) from error


def _explain(path: Path, error: OSError) -> str:
    where = next(folder for folder in (path, *path.parents) if folder.exists())
    # Arrow may name the reason in its text only.
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        free = shutil.disk_usage(where).free / 2**20
        return (
            f"the disk is full ({free:.0f} MiB free) while writing {path}: "
            "free some space or use another --root"
        )
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM) or not os.access(where, os.W_OK):
        return (
            f"can not write {path}: {where} is not writable for this user; use --root to name another folder"
        )
    return f"can not write {path}: {error.strerror or error}; use --root to name another folder"
