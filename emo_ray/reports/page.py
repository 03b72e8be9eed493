"""The report as one HTML file that needs nothing else: figures inline, no scripts, no network."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

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

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; max-width: 60rem;
       margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
.headline { font-size: 1.1rem; border-left: 4px solid #0072b2; padding: .25rem .75rem; background: #f3f8fb; }
.verdict { font-weight: 600; } .hole { color: #8c2f00; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { border-bottom: 2px solid #888; } th:first-child, td:first-child { text-align: left; }
table.words td, table.words th { text-align: left; white-space: normal; vertical-align: top; }
td.long { white-space: normal; min-width: 16rem; text-align: left; }
tr.marked td { background: #fdf0e8; color: #8c2f00; } tr.network td { font-weight: 600; }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; color: #444; }
"""

LONG_CELL = 40
"""Characters from which a cell wraps."""


def html_report(summary: Summary, figures: Mapping[str, Sequence[Figure]]) -> str:
    """The whole page; every text that came from a file is escaped."""
    body = [f"<h1>{escape(summary.name)}</h1>", f'<p class="headline">{escape(headline(summary))}</p>']
    body.append(f"<p>Protocol: {escape(summary.protocol)}.</p>")
    for section in summary.sections:
        body += _section(summary, section, figures.get(section.candidate, ()))
    body += _if_any("Failed runs", failure_table(summary))
    body += _if_any("Rejected trials", rejected_table(summary))
    if summary.notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in summary.notes)
        body += ["<h2>Notes</h2>", f"<ul>{items}</ul>"]
    body += ["<h2>Provenance</h2>", html_table(provenance_table(summary), words=True)]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(summary.name)}</title><style>{STYLE}</style>"
    )
    content = "\n".join(body)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{content}\n</body></html>\n'


def _section(summary: Summary, section: Section, figures: Sequence[Figure]) -> list[str]:
    *context, verdict = section_lines(summary, section)
    parts = [f"<h2>{escape(section_title(section))}</h2>"]
    parts += [_sentence(line) for line in context]
    parts += [f'<p class="verdict">{escape(verdict)}</p>']
    if section.counts.finished:
        parts += [f"<h3>{escape(shown_name(summary.primary_metric))}</h3>"]
        parts += [html_table(score_table(section, summary.primary_metric))]
        parts += ["<h3>All metrics, means over subjects</h3>", html_table(metric_table(section))]
        parts += [_figure(figure) for figure in figures]
    return [*parts, "<h3>Subjects</h3>", html_table(subject_table(summary, section))]


def _sentence(line: str) -> str:
    is_warning = line.startswith(("INCOMPLETE", "This reproduces"))
    return f'<p class="hole">{escape(line)}</p>' if is_warning else f"<p>{escape(line)}</p>"


def _if_any(title: str, table: Table) -> list[str]:
    return [f"<h2>{title}</h2>", html_table(table, words=True)] if table.rows else []


def _figure(figure: Figure) -> str:
    data = b64encode(figure.png).decode("ascii")
    caption = escape(figure.caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def html_table(table: Table, *, words: bool = False) -> str:
    """A table that scrolls sideways on a narrow screen; ``words`` wraps its cells instead."""
    header = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "".join(_row(row, marked=index in table.marked) for index, row in enumerate(table.rows))
    kind = ' class="words"' if words else ""
    return f'<div class="scroll"><table{kind}><tr>{header}</tr>{rows}</table></div>'


def _row(cells: Sequence[str], *, marked: bool) -> str:
    kind = "marked" if marked else "network" if cells[0] == "network" else ""
    shown = "".join(_cell(cell) for cell in cells)
    return f'<tr class="{kind}">{shown}</tr>' if kind else f"<tr>{shown}</tr>"


def _cell(text: str) -> str:
    kind = ' class="long"' if len(text) > LONG_CELL else ""
    return f"<td{kind}>{escape(text)}</td>"
