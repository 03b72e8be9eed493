"""The report as Markdown, with figures beside it."""

import re
from collections.abc import Mapping, Sequence

from emo_ray.reports.content import (
    Table,
    failure_table,
    headline,
    metric_table,
    provenance_table,
    rejected_table,
    score_table,
    section_lines,
    section_title,
    shown_name,
    subject_table,
)
from emo_ray.reports.figures import Figure
from emo_ray.results.summary import Section, Summary


def markdown_report(summary: Summary, figures: Mapping[str, Sequence[Figure]]) -> str:
    """The whole report; ``figures`` has those of each candidate, drawn or not."""
    parts = [f"# {plain(summary.name)}", f"**{plain(headline(summary))}**"]
    parts.append(f"Protocol: {plain(summary.protocol)}.")
    for section in summary.sections:
        parts += _section(summary, section, figures.get(section.candidate, ()))
    parts += _if_any("Failed runs", failure_table(summary))
    parts += _if_any("Rejected trials", rejected_table(summary))
    if summary.notes:
        parts += ["## Notes", "\n".join(f"- {plain(note)}" for note in summary.notes)]
    parts += ["## Provenance", markdown_table(provenance_table(summary))]
    return "\n\n".join(parts) + "\n"


def _section(summary: Summary, section: Section, figures: Sequence[Figure]) -> list[str]:
    parts = [f"## {plain(section_title(section))}"]
    parts += [plain(line) for line in section_lines(summary, section)]
    if section.counts.finished:
        parts += [f"### {plain(shown_name(summary.primary_metric))}"]
        parts += [markdown_table(score_table(section, summary.primary_metric))]
        parts += ["### All metrics, means over subjects", markdown_table(metric_table(section))]
        parts += [f"![{plain(figure.caption)}](figures/{figure.name}.png)" for figure in figures]
    return [*parts, "### Subjects", markdown_table(subject_table(summary, section))]


def _if_any(title: str, table: Table) -> list[str]:
    return [f"## {title}", markdown_table(table)] if table.rows else []


def markdown_table(table: Table) -> str:
    """A GitHub table; holes are bold."""
    lines = [_line(table.header), _line(("---",) * len(table.header), escape=False)]
    for index, row in enumerate(table.rows):
        lines.append(_line(row, bold=index in table.marked))
    return "\n".join(lines)


def _line(cells: Sequence[str], *, bold: bool = False, escape: bool = True) -> str:
    shown = [plain(cell) if escape else cell for cell in cells]
    shown = [f"**{cell}**" if bold and cell != "-" else cell for cell in shown]
    return f"| {' | '.join(shown)} |"


def plain(text: str) -> str:
    """Text that Markdown shows as it stands: on one line, with no markup, link, table bar or HTML tag."""
    one_line = " ".join(text.split())
    marked = re.sub(r"([\\`*_\[\]|])", r"\\\1", one_line)
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
