"""Write the report of a study into its folder; a reader never meets half a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emo_ray.files import write_atomically
from emo_ray.reports.document import as_html, as_markdown
from emo_ray.reports.drawing import Figure
from emo_ray.reports.figures import section_figures
from emo_ray.reports.markdown import markdown_report
from emo_ray.reports.page import html_report
from emo_ray.reports.search_axes import space_of
from emo_ray.reports.search_writing import FIGURES, chosen_section
from emo_ray.reports.setting import with_searched
from emo_ray.results.search_results import SearchResults
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


def write_report(results: StudyResults, summary: Summary, search: SearchResults | None = None) -> ReportPaths:
    """Write ``report/`` in the study folder: report.md, report.html, summary.json and figures/.

    Safe to repeat: each file is replaced in one step, and figures of an earlier report go.

    Parameters
    ----------
    search : of a nested study; the report then tells how the settings were chosen

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
    chosen = chosen_section(search) if search else []
    told = with_searched(summary, tuple(space_of(search))) if search else summary
    for name, text in {
        "report.md": markdown_report(told, figures, as_markdown(chosen)),
        "report.html": html_report(told, figures, as_html(chosen)),
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
    for stale in set(folder.glob("*.png")) - set(folder.glob(FIGURES)) - set(paths):
        stale.unlink()
    return tuple(paths)
