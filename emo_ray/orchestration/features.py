"""Features of all subjects, computed once: a Ray task for each subject that the store does not have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emo_ray.corpora.base import CorpusConfig
from emo_ray.errors import CorpusError
from emo_ray.extraction.base import ExtractionConfig
from emo_ray.orchestration.parallel import run_tasks
from emo_ray.progress import StageBar
from emo_ray.store.local import plan_store
from emo_ray.store.writer import store_subject


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
    corpus, extraction = request.corpus, request.extraction
    plan = plan_store(corpus, extraction, request.files, request.store, request.refresh)
    with StageBar("features", len(plan.paths), "subject", done=len(plan.paths) - len(plan.missing)) as bar:
        # Names and settings travel, no data: each worker reads and writes its subject's files itself.
        calls = {
            subject: (corpus, extraction, subject, plan.keys[subject], plan.paths[subject])
            for subject in plan.missing
        }
        try:
            run_tasks(bar, store_subject, calls)
        except CorpusError as error:
            raise CorpusError(
                f"{error}\n(the others are stored; --exclude NAME goes on without one)"
            ) from error
    return dict(plan.paths)
