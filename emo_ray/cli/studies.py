"""Commands on studies: what is there, pages that show it, reports again, late deliveries."""

import argparse
import subprocess
import time
from pathlib import Path

from emo_ray.cli.places import default_tracking_uri, find_root, find_tracking_uri
from emo_ray.cli.sweep_end import INSTALL_DASHBOARD, find_dashboard, outcome_words, write_sweep
from emo_ray.errors import ConfigError, EmoRayError, TrackingError
from emo_ray.reports.terminal import results_table
from emo_ray.reports.writing import write_report
from emo_ray.results.journal import Journal
from emo_ray.results.search_journal import load_search
from emo_ray.results.search_results import SearchResults
from emo_ray.results.study_folder import HEADER, load_study
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import summarise
from emo_ray.search.storage import JOURNAL, storage_target
from emo_ray.tracking.mlflow import MlflowTracker, ui_command
from emo_ray.tracking.outbox import Outbox, SearchOutbox
from emo_ray.tracking.search import SearchTracker


def ui(options: argparse.Namespace) -> int:
    """Open the MLflow UI."""
    root = find_root(options.root)
    uri = find_tracking_uri(options.tracking_uri, root)
    database = root / "mlflow.db"
    # MLflow would make an empty database here and show empty pages.
    if uri == default_tracking_uri(root) and not database.exists():
        raise ConfigError(f"{root} holds no mlflow.db: run a job first, or name another --root")
    print(f"MLflow UI on http://127.0.0.1:{options.port} (Ctrl-C ends it)")
    return subprocess.run(ui_command(uri, options.port), check=False).returncode


def dashboard(options: argparse.Namespace) -> int:
    """Open the candidates of a sweep in optuna-dashboard."""
    results = load_search(find_root(options.root) / "studies" / options.study)
    storage = options.storage or str(results.header["storage"])
    if "***" in storage:
        raise ConfigError(f"the storage {storage} has a password, which is not kept: give it with --storage")
    program = find_dashboard()
    if program is None:
        raise ConfigError(f"optuna-dashboard is not installed: {INSTALL_DASHBOARD}")
    target = storage_target(storage, results.folder)
    # It would make an empty one, and show an empty page.
    if storage == "journal" and not Path(target).exists():
        raise ConfigError(f"{results.folder} holds no {JOURNAL}: the same sweep command writes it again")
    print(f"optuna-dashboard on http://127.0.0.1:{options.port} (Ctrl-C ends it)", flush=True)
    command = [program, target, "--host", "127.0.0.1", "--port", str(options.port)]
    return subprocess.run(command, check=False).returncode


def studies(options: argparse.Namespace) -> int:
    """List the studies of a root."""
    root = find_root(options.root)
    folders = sorted(path.parent for path in (root / "studies").glob(f"*/{HEADER}"))
    if not folders:
        print(f"no studies in {root}")
    for folder in folders:
        # One damaged study must not hide the others.
        try:
            print(_study_line(folder))
        except EmoRayError as error:
            print(f"{folder.name:<40} can not be read: {error}")
    return 0


def _study_line(folder: Path) -> str:
    results = load_study(folder)
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(results.header.get("created_unix", 0)))
    counts = _search_counts(load_search(folder)) if _is_sweep(results) else _run_counts(results)
    return f"{results.name:<40} {made}  {counts:<38} {results.folder}"


def _is_sweep(results: StudyResults) -> bool:
    return results.header.get("search") is not None


def _run_counts(results: StudyResults) -> str:
    states = [results.records[name].status for name, _, _ in results.planned if name in results.records]
    failed = f", {states.count('failed')} failed" if "failed" in states else ""
    columns = [results.header["candidates"][candidate]["column"] for _, candidate, _ in results.planned]
    published = f", {columns.count('published')} as published" if "published" in columns else ""
    return f"{states.count('finished')}/{len(results.planned)} finished{failed}{published}"


def _search_counts(results: SearchResults) -> str:
    states = [one.state for rows in results.searches.values() for one in rows]
    per_search = results.header["budget"]["n_candidates"]
    # It may have been continued with more than the header says.
    of = max(per_search * len(results.searches), len(states)) if per_search else len(states)
    told = len(states) - states.count("running")
    failed = f", {states.count('fail')} failed" if "fail" in states else ""
    candidates = f"{told}/{of} candidates{failed}"
    return (
        f"nested, {_run_counts(results.study)}, {candidates}" if results.is_nested else f"sweep, {candidates}"
    )


def report(options: argparse.Namespace) -> int:
    """Make the report of a study again from its journal."""
    folder = find_root(options.root) / "studies" / options.study
    results = load_study(folder)
    if _is_sweep(results):
        reports = write_sweep(load_search(folder))
        print(outcome_words(reports))
        print(reports.last)
        return 0
    summary = summarise(results)
    report = write_report(results, summary)
    print(results_table(summary))
    print(f"\nreport      {report.page}\n{report.summary}")
    return 0


def artifacts(options: argparse.Namespace) -> int:
    """Write a study as the files that the published Phy-FusionNet script leaves behind."""
    from emo_ray.reports.artifacts import write_artifacts

    studies = find_root(options.root) / "studies"
    results = load_study(studies / options.study)
    search = None
    if options.sweep or _is_sweep(results):
        search = load_search(studies / (options.sweep or options.study))
    out = options.out.expanduser().resolve()
    try:
        files = write_artifacts(results, summarise(results), out, search)
    except OSError as error:
        raise ConfigError(f"can not write to {out}: {error.strerror or error}") from error
    print(f"{len(files)} files and folders of {results.name} in {out}")
    return 0


def sync(options: argparse.Namespace) -> int:
    """Deliver to MLflow what it lacks of a study."""
    root = find_root(options.root)
    folder = root / "studies" / options.study
    load_study(folder)  # a study that is not there makes no folder
    uri = find_tracking_uri(options.tracking_uri, root)
    with Journal(folder):  # MLflow has one writer a study: not beside a driver that runs it
        # Read again, now that no driver can add to it.
        results = load_study(folder)
        experiment, artifacts = results.header["experiment"], root / "artifacts"
        if _is_sweep(results):
            told = _sync_sweep(load_search(folder), SearchTracker(uri, experiment, artifacts))
        else:
            told = _sync_runs(results, MlflowTracker(uri, experiment, artifacts))
    print(f"MLflow has all {told} of {results.name}")
    return 0


def _sync_runs(results: StudyResults, tracker: MlflowTracker) -> str:
    tracker.check()
    outbox = Outbox(tracker)
    outbox.opened(results)
    _close(outbox, results)
    summary = summarise(results)
    tracker.finish_study(summary, write_report(results, summary).folder)
    return f"{len(results.records)} recorded runs"


def _sync_sweep(results: SearchResults, tracker: SearchTracker) -> str:
    tracker.check()
    outbox = SearchOutbox(tracker)
    outbox.opened(results)
    _close(outbox, results.study)
    reports = write_sweep(results)
    tracker.finish(results, reports.search.folder, reports.summary)
    ended = [one for rows in results.searches.values() for one in rows if one.state != "running"]
    tests = f" and {len(results.study.records)} tests" if results.is_nested else ""
    return f"{len(ended)} ended candidates{tests}"


def _close(outbox: Outbox | SearchOutbox, results: StudyResults) -> None:
    left = outbox.close()
    if left:
        raise TrackingError(
            f"{left} runs of {results.name} are still not in MLflow: try again once it answers"
        )
