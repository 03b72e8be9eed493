"""The store without a cluster: one subject after the other, in this process; for notebooks and tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emo_ray.corpora.base import CorpusConfig
from emo_ray.extraction.base import ExtractionConfig
from emo_ray.store.address import stored_path, subject_keys
from emo_ray.store.reader import find_stored, load_table
from emo_ray.store.segment_table import SegmentTable
from emo_ray.store.writer import check_writable, store_subject


@dataclass(frozen=True)
class StorePlan:
    """Where each subject's features lie or will lie, under which key, and whose are missing."""

    paths: Mapping[str, Path]
    keys: Mapping[str, str]
    missing: tuple[str, ...]


def plan_store(
    corpus: CorpusConfig,
    extraction: ExtractionConfig,
    files: Mapping[str, Sequence[Path]],
    store: Path,
    refresh: bool = False,
) -> StorePlan:
    """Look up what the store has of some subjects; ``refresh`` takes none of it.

    Raises
    ------
    StoreError : the store can not be written
    """
    check_writable(store)
    keys = subject_keys(corpus, extraction, files, store)
    paths = {subject: stored_path(store, subject, key) for subject, key in keys.items()}
    missing = tuple(name for name, path in paths.items() if refresh or find_stored(path, keys[name]) is None)
    return StorePlan(paths, keys, missing)


def load_corpus(corpus: CorpusConfig, extraction: ExtractionConfig, store: Path) -> SegmentTable:
    """The segment table of a whole corpus; features that the store lacks are computed here and now.

    Raises
    ------
    CorpusError, StoreError : a subject can not be read, or its features can not be stored
    """
    plan = plan_store(corpus, extraction, corpus.find_subjects(), store)
    for subject in plan.missing:
        store_subject(corpus, extraction, subject, plan.keys[subject], plan.paths[subject])
    return load_table(plan.paths)
