"""The planned runs of a study: what the journal lacks, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emo_ray.experiment import RunSpec
from emo_ray.orchestration.engine import run_source
from emo_ray.orchestration.policy import MAX_RETRIES
from emo_ray.orchestration.resources import Resources
from emo_ray.orchestration.work import Item, TestRun, Work
from emo_ray.progress import StageBar
from emo_ray.results.journal import Journal
from emo_ray.results.run_result import RunRecord, RunResult
from emo_ray.run import failed
from emo_ray.store.segment_table import SegmentTable


@dataclass(frozen=True)
class FoldRun:
    """Everything that `run_missing` needs beside the plan."""

    journal: Journal
    resources: Resources
    heard: Callable[[RunRecord], None]


def run_missing(specs: Sequence[RunSpec], tables: Mapping[str, SegmentTable], study: FoldRun) -> None:
    """Run every planned run that the journal has no finished record of; each ends as a record.

    ``tables`` are by the digest of the features. ``study.heard`` is called with every new record, after it is
    safe on disk.
    """
    missing = [spec for spec in specs if not study.journal.is_finished(spec.fingerprint)]
    with StageBar("folds", len(specs), "fold", done=len(specs) - len(missing)) as bar:
        if missing:
            source = FoldSource(missing, study, bar)
            run_source(source, tables, study.resources, study.journal.folder / "checkpoints")


class FoldSource:
    """Runs that do not depend on each other, in plan order."""

    n_ahead = 1

    def __init__(self, specs: Sequence[RunSpec], study: FoldRun, bar: StageBar) -> None:
        self._waiting = list(reversed(specs))
        self._specs = {spec.fingerprint: spec for spec in specs}
        self._study, self._bar = study, bar
        self._heard: set[str] = set()

    def is_over(self) -> bool:
        """Whether all have been started."""
        return not self._waiting

    def next(self) -> Work | None:
        """The next run of the plan."""
        return TestRun(self._waiting.pop()) if self._waiting else None

    def started(self, name: str) -> None:
        """Count it."""
        self._bar.started()

    def restarted(self, name: str) -> Work | None:
        """The same run once more."""
        self._bar.started(-1)
        return None

    def heard(self, name: str, item: Item) -> bool:
        """Record a result; that is all there is of a run."""
        assert isinstance(item, RunResult), "a planned run hands in nothing else"
        self._record(item)
        return True

    def ended(self, name: str) -> None:
        """A run that left no result has failed."""
        if name not in self._heard:
            lost = "ClusterError: its worker ended without leaving a result"
            self._record(failed(self._specs[name], lost))

    def lost(self, name: str, error: str) -> None:
        """A failed row, unless its result had arrived before."""
        if name not in self._heard:
            again = f"{error}; the same command tries it again"
            self._record(failed(self._specs[name], again, MAX_RETRIES + 1))

    def _record(self, result: RunResult) -> None:
        record = self._study.journal.append(result)
        self._heard.add(record.fingerprint)
        self._bar.finished(failed=record.status == "failed")
        self._study.heard(record)
