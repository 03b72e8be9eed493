"""What happens when an evaluation job runs: from its flags to the results table."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from emo_ray.cli.definition import LosoJob
from emo_ray.cli.flags import loso_parser
from emo_ray.cli.from_sweep import handed_on
from emo_ray.cli.guard import guarded
from emo_ray.cli.outcome import (
    EXIT_FAILED_FOLDS,
    check_in_background,
    finish_tracking,
    undelivered_words,
    where_to_look,
    write_or_explain,
)
from emo_ray.cli.places import find_root, find_tracking_uri
from emo_ray.cli.settings import (
    cohort_of,
    columns_of,
    experiment_of,
    find_corpus,
    given_settings,
    scalings,
    study_of,
)
from emo_ray.errors import ConfigError
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.study import Study, run_study
from emo_ray.reports.terminal import fit, results_table
from emo_ray.reports.writing import write_report
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import summarise
from emo_ray.tracking.mlflow import MlflowTracker
from emo_ray.tracking.outbox import Outbox


@dataclass(frozen=True)
class _Watcher:
    """Follows a study for MLflow: the store is checked while features are computed, before folds start."""

    outbox: Outbox | None
    check: Future[None]

    def opened(self, results: StudyResults) -> None:
        """Refuse a tracking store that does not answer; nothing has been started yet."""
        self.check.result()
        if self.outbox:
            self.outbox.opened(results)

    def heard(self, record: RunRecord) -> None:
        """Pass a record on."""
        if self.outbox:
            self.outbox.heard(record)


def run_loso(job: LosoJob, arguments: Sequence[str] | None = None) -> None:
    """Run a job from its command line; ends the process with its exit code."""
    options = loso_parser(job.name, job.description).parse_intermixed_args(arguments)
    sys.exit(guarded(lambda: _run(job, options), options.debug))


def _run(job: LosoJob, options: Namespace) -> int:
    root = find_root(options.root)
    uri = find_tracking_uri(options.tracking_uri, root)
    # Flags and files are judged before MLflow or Ray costs any time.
    study = _study(job, options, root)
    tracker = MlflowTracker(uri, experiment=job.name, artifact_root=root / "artifacts") if uri else None
    check = check_in_background(tracker.check if tracker else None, root)
    watcher = _Watcher(Outbox(tracker) if tracker else None, check)
    with cluster(options.address):
        results = run_study(study, watcher)
    summary = summarise(results)
    report = write_or_explain(lambda: write_report(results, summary), results.folder)
    undelivered = ""
    if tracker and watcher.outbox:
        # After the report is written: MLflow gets a copy of it, and may be away.
        undelivered = finish_tracking(
            watcher.outbox.close, lambda: tracker.finish_study(summary, report.folder), "runs"
        )
    print(results_table(summary))
    if study.selection:
        print(fit(results.notes[0]))
    print(f"\nreport      {report.page}")
    if tracker:
        print(f"MLflow      {where_to_look(root, uri)}")
    if undelivered:
        # No failure of the job: nothing is lost, so the exit code stays that of the folds.
        print(undelivered_words(undelivered, results.name, root, uri))
    print(report.summary)
    return EXIT_FAILED_FOLDS if summary.counts.failed or summary.counts.missing else 0


def _study(job: LosoJob, options: Namespace, root: Path) -> Study:
    if options.from_sweep:
        experiment, selection, line = handed_on(job, options, root)
        print(line, file=sys.stderr)
        return study_of(job, options, root, (experiment,), selection)
    if options.as_flat:
        raise ConfigError("--as-flat says how to test what a sweep has chosen: give --from-sweep STUDY, too")
    corpus = find_corpus(job, options)
    base = experiment_of(job, options, corpus, cohort_of(options).protocol).changed(given_settings(options))
    return study_of(job, options, root, columns_of(base, scalings(options, base, job.scaling)))


__all__ = ["LosoJob", "run_loso"]
