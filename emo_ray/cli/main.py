"""The ``emo-ray`` command: what is there, the MLflow UI on it, reports again, late deliveries."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from emo_ray.cli.flags import default_tracking_uri, find_root, find_tracking_uri
from emo_ray.cli.job import guarded
from emo_ray.errors import ConfigError, EmoRayError, TrackingError
from emo_ray.reports.terminal import results_table
from emo_ray.reports.writing import write_report
from emo_ray.results.journal import Journal
from emo_ray.results.study_folder import HEADER, load_study
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import summarise
from emo_ray.tracking.mlflow import MlflowTracker, ui_command
from emo_ray.tracking.outbox import Outbox


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; ends the process with its exit code."""
    options = _parser().parse_args(arguments)
    sys.exit(guarded(lambda: options.command(options), options.debug))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="emo-ray", description="Look at what emo_ray has computed.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--root", type=Path, help="where the studies are; else EMO_RAY_ROOT, else the user's data folder"
    )
    shared.add_argument(
        "--tracking-uri", help="MLflow store; else MLFLOW_TRACKING_URI, else SQLite below the root"
    )
    shared.add_argument("--debug", action="store_true", help="show tracebacks")

    ui = commands.add_parser("ui", parents=[shared], help="open the MLflow UI")
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(command=_ui)
    studies = commands.add_parser("studies", parents=[shared], help="list the studies")
    studies.set_defaults(command=_studies)
    for name, command, text in (
        ("report", _report, "make the report of a study again from its journal"),
        ("sync", _sync, "deliver to MLflow what it lacks of a study"),
    ):
        one = commands.add_parser(name, parents=[shared], help=text)
        one.add_argument("study")
        one.set_defaults(command=command)
    return parser


def _ui(options: argparse.Namespace) -> int:
    root = find_root(options.root)
    uri = find_tracking_uri(options.tracking_uri, root)
    database = root / "mlflow.db"
    # MLflow would make an empty database here and show empty pages.
    if uri == default_tracking_uri(root) and not database.exists():
        raise ConfigError(f"{root} holds no mlflow.db: run a job first, or name another --root")
    print(f"MLflow UI on http://127.0.0.1:{options.port} (Ctrl-C ends it)")
    return subprocess.run(ui_command(uri, options.port), check=False).returncode


def _studies(options: argparse.Namespace) -> int:
    root = find_root(options.root)
    folders = sorted(path.parent for path in (root / "studies").glob(f"*/{HEADER}"))
    if not folders:
        print(f"no studies in {root}")
    for folder in folders:
        # One damaged study must not hide the others.
        try:
            print(_study_line(load_study(folder)))
        except EmoRayError as error:
            print(f"{folder.name:<40} can not be read: {error}")
    return 0


def _study_line(results: StudyResults) -> str:
    states = [results.records[name].status for name, _, _ in results.planned if name in results.records]
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(results.header.get("created_unix", 0)))
    failed = states.count("failed")
    counts = f"{states.count('finished')}/{len(results.planned)} finished" + (
        f", {failed} failed" if failed else ""
    )
    return f"{results.name:<40} {made}  {counts:<28} {results.folder}"


def _report(options: argparse.Namespace) -> int:
    results = load_study(find_root(options.root) / "studies" / options.study)
    summary = summarise(results)
    report = write_report(results, summary)
    print(results_table(summary))
    print(f"\nreport      {report.page}\n{report.summary}")
    return 0


def _sync(options: argparse.Namespace) -> int:
    root = find_root(options.root)
    folder = root / "studies" / options.study
    load_study(folder)  # a study that is not there makes no folder
    uri = find_tracking_uri(options.tracking_uri, root)
    with Journal(folder):  # MLflow has one writer a study: not beside a driver that runs it
        # Read again, now that no driver can add to it.
        results = load_study(folder)
        tracker = MlflowTracker(uri, results.header["experiment"], artifact_root=root / "artifacts")
        tracker.check()
        outbox = Outbox(tracker)
        outbox.opened(results)
        left = outbox.close()
        if left:
            raise TrackingError(
                f"{left} runs of {results.name} are still not in MLflow: try again once it answers"
            )
        summary = summarise(results)
        tracker.finish_study(summary, write_report(results, summary).folder)
    print(f"MLflow has all {len(results.records)} recorded runs of {results.name}")
    return 0


if __name__ == "__main__":
    main()
