"""Write the report of a study into its folder; a reader never meets half a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emo_ray.files import write_atomically
from emo_ray.reports.figures import Figure, section_figures
from emo_ray.reports.markdown import markdown_report
from emo_ray.reports.page import html_report
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import Summary

MAX_SECTIONS_WITH_FIGURES = 6
"""A wide sweep has a section a candidate; figures are drawn for the first ones in plan order."""


@dataclass(frozen=True)
class ReportPaths:
    """Where the parts of a report lie."""

    folder: Path
    markdown: Path
    page: Path
    summary: Path
    figures: tuple[Path, ...]


def write_report(results: StudyResults, summary: Summary) -> ReportPaths:
    """Write ``report/`` in the study folder: report.md, report.html, summary.json and figures/.

    Safe to repeat: each file is replaced in one step, and figures of an earlier report go.

    Raises
    ------
    JournalError : the predictions of a finished run can not be read
    """
    folder = results.folder / "report"
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    figures = {
        section.candidate: section_figures(results, summary, section)
        for section in summary.sections[:MAX_SECTIONS_WITH_FIGURES]
        if section.counts.finished
    }
    # Before the pages that show them; the pages name only figures that are there.
    paths = _write_figures(folder / "figures", figures)
    for name, text in {
        "report.md": markdown_report(summary, figures),
        "report.html": html_report(summary, figures),
        "summary.json": summary.to_json(),
    }.items():
        write_atomically(folder / name, text)
    return ReportPaths(folder, folder / "report.md", folder / "report.html", folder / "summary.json", paths)


def _write_figures(folder: Path, figures: Mapping[str, tuple[Figure, ...]]) -> tuple[Path, ...]:
    paths = []
    for figure in (figure for drawn in figures.values() for figure in drawn):
        paths.append(folder / f"{figure.name}.png")
        write_atomically(paths[-1], figure.png)
    # Last: until now the old report may still be read, with its figures.
    for stale in set(folder.glob("*.png")) - set(paths):
        stale.unlink()
    return tuple(paths)
