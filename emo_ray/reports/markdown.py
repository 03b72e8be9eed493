"""The report as Markdown, with figures beside it."""

import re
from collections.abc import Mapping, Sequence

from emo_ray.reports.content import (
    RULE,
    Table,
    failure_table,
    headline,
    metric_table,
    provenance_table,
    score_table,
    section_lines,
    section_title,
    shown_name,
    small_print,
    subject_table,
)
from emo_ray.reports.drawing import Figure
from emo_ray.reports.grouping import notes_table, rejected_table
from emo_ray.reports.setting import own_setting, setting_table
from emo_ray.reports.side_tables import (
    GAP_TITLE,
    PROBE_TITLE,
    class_tables,
    gap_table,
    probe_note,
    probe_table,
)
from emo_ray.results.summary import Section, Summary


def markdown_report(
    summary: Summary, figures: Mapping[str, Sequence[Figure]], chosen: Sequence[str] = ()
) -> str:
    """The whole report; ``figures`` has those of each candidate, drawn or not.

    Parameters
    ----------
    chosen : Markdown on how the settings were chosen, if a search did
    """
    parts = [f"# {plain(summary.name)}", f"**{plain(headline(summary))}**"]
    parts += ["## Setting", markdown_table(setting_table(summary)), *chosen]
    parts += _if_any(GAP_TITLE, gap_table(summary))
    for section in summary.sections:
        parts += _section(summary, section, figures.get(section.candidate, ()))
    parts += _if_any("Failed runs", failure_table(summary))
    parts += _if_any("Rejected trials", rejected_table(summary))
    parts += _if_any("Notes", notes_table(summary))
    parts += ["## Provenance", markdown_table(provenance_table(summary))]
    return "\n\n".join(parts) + "\n"


def _section(summary: Summary, section: Section, figures: Sequence[Figure]) -> list[str]:
    subjects, primary = subject_table(summary, section), summary.primary_metric
    parts = [f"## {plain(section_title(section))}"]
    parts += [
        plain(line) for line in (own_setting(summary, section), *section_lines(summary, section)) if line
    ]
    if section.counts.finished:
        scores, metrics = score_table(section, primary), metric_table(section)
        parts += [f"### {plain(shown_name(primary))}", markdown_table(scores)]
        parts += _small((RULE, *small_print(scores, primary)))
        parts += _beside(section, primary)
        parts += [
            "### All metrics, means over subjects",
            markdown_table(metrics),
            *_small(small_print(metrics)),
        ]
        parts += [f"![{plain(figure.caption)}](figures/{figure.name}.png)" for figure in figures]
    return [*parts, "### Subjects", markdown_table(subjects), *_small(small_print(subjects, primary))]


def _beside(section: Section, primary: str) -> list[str]:
    probes, parts = probe_table(section, primary), []
    if probes.rows:
        parts += [f"### {PROBE_TITLE}", markdown_table(probes), *_small((probe_note(section, primary),))]
    for head, table in class_tables(section):
        parts += [f"### Classes of {plain(head)}, over all segments", markdown_table(table)]
    return parts


def _small(lines: Sequence[str]) -> list[str]:
    return [f"<sub>{plain(line)}</sub>" for line in lines]


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
    # A line break would end a row of a table.
    one_line = " ".join(text.split())
    marked = re.sub(r"([\\`*_\[\]|])", r"\\\1", one_line)
    # & first, or it would escape the other two once more.
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
