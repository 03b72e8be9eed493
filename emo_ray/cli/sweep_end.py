"""The end of a sweep: its reports, what MLflow is told, and what a user reads and does next."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emo_ray.cli.outcome import EXIT_FAILED_FOLDS, write_or_explain
from emo_ray.files import shown_uri
from emo_ray.reports.search_terminal import search_table
from emo_ray.reports.search_writing import SearchReportPaths, write_search_report
from emo_ray.reports.terminal import results_table
from emo_ray.reports.writing import write_report
from emo_ray.results.search_results import SearchResults
from emo_ray.results.summary import Summary, summarise
from emo_ray.search.storage import storage_target

INSTALL_DASHBOARD = "pip install optuna-dashboard"


@dataclass(frozen=True)
class SweepReports:
    """What was written of a sweep.

    Attributes
    ----------
    summary : of the tests of a nested study
    pages : what a person opens, by what it shows
    last : the file that a script reads: summary.json of a nested study, search.json of a plain one
    """

    results: SearchResults
    search: SearchReportPaths
    summary: Summary | None
    pages: Mapping[str, Path]
    last: Path

    @property
    def exit_code(self) -> int:
        """Failure where a test failed or is missing, or no candidate is complete."""
        if self.summary is not None:
            counts = self.summary.counts
            return EXIT_FAILED_FOLDS if counts.failed or counts.missing else 0
        return 0 if self.results.best("") is not None else EXIT_FAILED_FOLDS


def write_sweep(results: SearchResults) -> SweepReports:
    """Write the report of a search, and of a nested study the usual one of its tests.

    Raises
    ------
    JournalError : it can not be written
    """

    def write() -> SweepReports:
        search = write_search_report(results)
        if not results.is_nested:
            return SweepReports(results, search, None, {"report": search.page}, search.summary)
        summary = summarise(results.study)
        report = write_report(results.study, summary, results)
        pages = {"report": report.page, "search": search.page}
        return SweepReports(results, search, summary, pages, report.summary)

    return write_or_explain(write, results.folder)


def outcome_words(reports: SweepReports) -> str:
    """The winner, or what each search chose and how that did on its test subject; and the pages on it."""
    found = search_table(reports.results)
    tested = "" if reports.summary is None else f"{results_table(reports.summary)}\n"
    pages = "\n".join(f"{name:<11} {page}" for name, page in reports.pages.items())
    return f"{tested}{found}\n{pages}"


def dashboard_command(results: SearchResults, storage: str = "") -> str:
    """The command that opens the candidates in optuna-dashboard; without a password."""
    target = storage_target(storage or str(results.header["storage"]), results.folder)
    program = find_dashboard()
    shown = os.path.relpath(program) if program else "optuna-dashboard"
    words = shlex.join([shown, shown_uri(target)])
    return words if program else f"{words}   (after: {INSTALL_DASHBOARD})"


def find_dashboard() -> str | None:
    """The program optuna-dashboard: beside this Python, or on the path."""
    own = Path(sys.executable).with_name("optuna-dashboard")
    return str(own) if own.exists() else shutil.which("optuna-dashboard")


def next_words(results: SearchResults, flags: list[str], has_others: bool) -> str:
    """How the winner goes on, and what is to be known of that; empty where there is none to hand on.

    Parameters
    ----------
    flags : that the evaluation needs to find the same data and the same root
    has_others : whether the data hold people who took no part at all
    """
    if results.is_nested or results.best("") is None:
        return ""
    script = Path(sys.argv[0])
    job = str(results.study.header["experiment"]).replace("sweep_", "loso_", 1)
    sibling = script.with_name(f"{job}.py")
    path = os.path.relpath(sibling) if sibling.exists() else f"jobs/{job}.py"
    command = ["python", path, "--from-sweep", results.study.name, *flags]
    if results.header["set_aside"] or has_others:
        return (
            f"{shlex.join(command)}\n            tests those people of the data whom this sweep has not seen"
        )
    return (
        f"{shlex.join([*command, '--as-flat'])}\n            optimistic, for this sweep has seen everybody; "
        "--set-aside N keeps people unseen,\n            --nested searches inside every fold"
    )
