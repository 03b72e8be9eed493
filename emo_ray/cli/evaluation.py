"""One evaluation, from its judged flags to its report; loads what training needs."""

import sys
from argparse import Namespace
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from emo_ray.cli.console import Console
from emo_ray.cli.definition import LosoJob
from emo_ray.cli.from_sweep import handed_on
from emo_ray.cli.outcome import (
    EXIT_FAILED_FOLDS,
    check_in_background,
    finish_tracking,
    undelivered_words,
    where_to_look,
    write_or_explain,
)
from emo_ray.cli.places import find_tracking_uri
from emo_ray.cli.settings import (
    cohort_of,
    columns_of,
    experiment_of,
    find_corpus,
    given_settings,
    published_experiment,
    scalings,
    study_of,
)
from emo_ray.errors import ConfigError
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.study import Study, run_study
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import summarise
from emo_ray.tracking.mlflow import MlflowTracker
from emo_ray.tracking.outbox import Outbox


@dataclass(frozen=True)
class Evaluation:
    """An evaluation that can start: its flags and files are judged, its tracking store is being asked."""

    study: Study
    options: Namespace
    uri: str
    tracker: MlflowTracker | None
    outbox: Outbox | None
    check: Future[None]
    console: Console

    def opened(self, results: StudyResults) -> None:
        """Refuse a tracking store that does not answer; nothing has been started yet."""
        self.console.keep(results.folder)
        self.check.result()
        if self.outbox:
            self.outbox.opened(results)

    def heard(self, record: RunRecord) -> None:
        """Pass a record on."""
        if self.outbox:
            self.outbox.heard(record)


def judge(job: LosoJob, options: Namespace, root: Path, console: Console) -> Evaluation:
    """The evaluation that a command asks for.

    Raises
    ------
    EmoRayError : a flag, a file or a setting is wrong
    """
    uri = find_tracking_uri(options.tracking_uri, root)
    # Flags and files are judged before MLflow costs any time.
    study = _study(job, options, root)
    tracker = MlflowTracker(uri, experiment=job.name, artifact_root=root / "artifacts") if uri else None
    return Evaluation(
        study=study,
        options=options,
        uri=uri,
        tracker=tracker,
        outbox=Outbox(tracker) if tracker else None,
        check=check_in_background(tracker.check if tracker else None, root),
        console=console,
    )


def evaluate(evaluation: Evaluation) -> StudyResults:
    """Run what is missing of it, in the cluster that is there or in one of its own."""
    with cluster(evaluation.options.address):
        return run_study(evaluation.study, evaluation)


def tell(evaluation: Evaluation, results: StudyResults) -> int:
    """Write its report, show its results, deliver them; returns the exit code."""
    # Late, for figures and tables wait until there is something to show.
    from emo_ray.reports.terminal import fit, results_table
    from emo_ray.reports.writing import write_report

    root, tracker, uri = evaluation.study.root, evaluation.tracker, evaluation.uri
    summary = summarise(results)
    report = write_or_explain(lambda: write_report(results, summary), results.folder)
    undelivered = ""
    if tracker and evaluation.outbox:
        # After the report is written: MLflow gets a copy of it, and may be away.
        undelivered = finish_tracking(
            evaluation.outbox.close, lambda: tracker.finish_study(summary, report.folder), "runs"
        )
    print(results_table(summary))
    if evaluation.study.selection:
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
        if options.procedure == "published":
            raise ConfigError(
                "--procedure published and --from-sweep exclude each other: what was published has settings "
                "of its own. Run the job once with each"
            )
        experiment, selection, line = handed_on(job, options, root)
        print(line, file=sys.stderr)
        return study_of(job, options, root, (experiment,), selection)
    if options.as_flat:
        raise ConfigError("--as-flat says how to test what a sweep has chosen: give --from-sweep STUDY, too")
    corpus = find_corpus(job, options)
    base = experiment_of(job, options, corpus, cohort_of(options).protocol).changed(given_settings(options))
    columns = columns_of(base, scalings(options, base, job.scaling))
    if options.procedure == "published":
        columns = (*columns, published_experiment(job, options, corpus, base))
    return study_of(job, options, root, columns)
