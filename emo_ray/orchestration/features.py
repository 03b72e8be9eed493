"""Features of all subjects, computed once: a Ray task for each subject that the store does not have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emo_ray.corpora.base import CorpusConfig
from emo_ray.extraction.base import ExtractionConfig
from emo_ray.orchestration.parallel import run_tasks
from emo_ray.progress import StageBar
from emo_ray.store.address import stored_path, subject_keys
from emo_ray.store.reader import find_stored
from emo_ray.store.writer import check_writable, store_subject


@dataclass(frozen=True)
class FeatureRequest:
    """Which subjects' features are wanted, made how, kept where."""

    corpus: CorpusConfig
    extraction: ExtractionConfig
    files: Mapping[str, Sequence[Path]]
    store: Path
    refresh: bool = False


def ensure_features(request: FeatureRequest) -> dict[str, Path]:
    """Compute what the store lacks; returns where each subject's features lie, in the order of the files.

    Subjects that were stored before an error stay stored.

    Raises
    ------
    CorpusError : a subject's files can not be read
    StoreError : the store can not be written
    ClusterError : a worker was lost twice
    """
    check_writable(request.store)
    keys = subject_keys(request.corpus, request.extraction, request.files, request.store)
    paths = {subject: stored_path(request.store, subject, key) for subject, key in keys.items()}
    missing = [
        subject
        for subject, path in paths.items()
        if request.refresh or find_stored(path, keys[subject]) is None
    ]
    with StageBar("features", len(paths), "subject", done=len(paths) - len(missing)) as bar:
        calls = {
            subject: (request.corpus, request.extraction, subject, keys[subject], paths[subject])
            for subject in missing
        }
        run_tasks(bar, store_subject, calls)
    return paths
