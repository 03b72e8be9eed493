"""What happens when a sweep job runs: from its flags to the winner."""

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from emo_ray.cli.definition import SweepJob
from emo_ray.cli.guard import guarded
from emo_ray.cli.outcome import (
    check_in_background,
    finish_tracking,
    own_command,
    undelivered_words,
    where_to_look,
)
from emo_ray.cli.places import find_root, find_tracking_uri
from emo_ray.cli.sweep_end import SweepReports, dashboard_command, next_words, outcome_words, write_sweep
from emo_ray.cli.sweep_flags import sweep_parser
from emo_ray.cli.sweep_settings import SweepSettings, sweep_of
from emo_ray.cli.sweep_words import confirmed, cost_words
from emo_ray.errors import EmoRayError
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.probe import Estimate
from emo_ray.orchestration.sweep import run_sweep
from emo_ray.orchestration.sweep_plan import SweepRequest
from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_journal import load_search
from emo_ray.results.search_results import Candidate, SearchResults
from emo_ray.tracking.outbox import SearchOutbox
from emo_ray.tracking.search import SearchTracker

log = logging.getLogger(__name__)


@dataclass
class _Watcher:
    """Says what a sweep will cost, and follows it for MLflow.

    Attributes
    ----------
    asks : whether a person is asked before it starts
    folder : of the study, once it stands
    """

    request: SweepRequest
    outbox: SearchOutbox | None
    check: Future[None]
    asks: bool
    folder: Path | None = None

    def approved(self, estimate: Estimate) -> bool:
        """Print what it will cost; ask, where somebody sits there."""
        # First: nobody should say yes to a sweep that is then refused.
        self.check.result()
        print(cost_words(self.request, estimate), file=sys.stderr)
        is_new = estimate.n_done < estimate.n_trainings
        return not (self.asks and is_new) or confirmed()

    def opened(self, results: SearchResults) -> None:
        """The study stands."""
        self.folder = results.folder
        if self.outbox:
            self.outbox.opened(results)

    def heard(self, record: RunRecord) -> None:
        """Pass a test on."""
        if self.outbox:
            self.outbox.heard(record)

    def heard_candidate(self, candidate: Candidate) -> None:
        """Pass a candidate on."""
        if self.outbox:
            self.outbox.heard_candidate(candidate)


def run_sweep_job(job: SweepJob, arguments: Sequence[str] | None = None) -> None:
    """Run a sweep from its command line; ends the process with its exit code."""
    options = sweep_parser(job.name, job.description).parse_intermixed_args(arguments)
    sys.exit(guarded(lambda: _run(job, options), options.debug))


def _run(job: SweepJob, options: Namespace) -> int:
    root = find_root(options.root)
    uri = find_tracking_uri(options.tracking_uri, root)
    # Flags and files are judged before MLflow or Ray costs any time.
    settings = sweep_of(job, options, root)
    for note in settings.notes:
        print(note, file=sys.stderr)
    tracker = SearchTracker(uri, experiment=job.name, artifact_root=root / "artifacts") if uri else None
    watcher = _Watcher(
        request=settings.sweep.request,
        outbox=SearchOutbox(tracker) if tracker else None,
        check=check_in_background(tracker.check if tracker else None, root),
        asks=options.nested and not options.yes and not options.smoke,
    )
    results = _searched(settings, options, watcher, tracker)
    reports = write_sweep(results)
    undelivered = _deliver(tracker, watcher, reports)
    print(outcome_words(reports))
    if tracker:
        print(f"MLflow      {where_to_look(root, uri)}")
    print(f"Optuna      {dashboard_command(results, options.storage)}")
    following = next_words(results, _same_place(options), _has_others(options))
    if following:
        print(f"next        {following}")
    if undelivered:
        # No failure of the job: nothing is lost, so the exit code stays that of the sweep.
        print(undelivered_words(undelivered, results.study.name, root, uri))
    print(reports.last)
    return reports.exit_code


def _searched(
    settings: SweepSettings, options: Namespace, watcher: _Watcher, tracker: SearchTracker | None
) -> SearchResults:
    """Run the sweep; one that breaks off leaves a report, and MLflow what was found by then."""
    try:
        with cluster(options.address):
            return run_sweep(settings.sweep, watcher)
    except KeyboardInterrupt:
        if watcher.folder is not None:
            again = own_command("report", watcher.folder.name, "--root", str(settings.sweep.study.root))
            print(f"\n{again} shows what it has found", file=sys.stderr)
        raise
    except Exception:
        if watcher.folder is not None:
            _salvage(watcher.folder, watcher, tracker)
        raise


def _salvage(folder: Path, watcher: _Watcher, tracker: SearchTracker | None) -> None:
    try:
        reports = write_sweep(load_search(folder))
        undelivered = _deliver(tracker, watcher, reports)
    except EmoRayError as error:
        # The error that ended the sweep is the one to be told.
        log.warning("no report of what was found: %s", error)
        return
    print(f"\nthe sweep broke off; what it found: {reports.search.page}", file=sys.stderr)
    if undelivered:
        log.warning("MLflow lacks %s", undelivered)


def _deliver(tracker: SearchTracker | None, watcher: _Watcher, reports: SweepReports) -> str:
    if tracker is None or watcher.outbox is None:
        return ""
    # After the report is written: MLflow gets a copy of it, and may be away.
    return finish_tracking(
        watcher.outbox.close,
        lambda: tracker.finish(reports.results, reports.search.folder, reports.summary),
        "candidates or runs",
    )


def _same_place(options: Namespace) -> list[str]:
    """Flags with which another job finds the same data and the same root."""
    data = ["--data", str(options.data)] if options.data else []
    return [*data, *(["--root", str(options.root)] if options.root else [])]


def _has_others(options: Namespace) -> bool:
    return bool(options.subjects) or (options.smoke and options.data is not None)


__all__ = ["SweepJob", "run_sweep_job"]
