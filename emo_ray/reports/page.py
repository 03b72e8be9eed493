"""The report as one HTML file that needs nothing else: figures inline, no scripts, no network."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

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
from emo_ray.reports.drawing import DPI, Figure
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

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; max-width: 66rem;
       margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
.headline { font-size: 1.1rem; border-left: 4px solid #0072b2; padding: .25rem .75rem; background: #f3f8fb; }
.verdict { font-weight: 600; } .hole { color: #8c2f00; font-weight: 600; }
.small { font-size: .8rem; color: #444; margin: .25rem 0 0; }
/* a shadow at an edge says that the table goes on behind it; white that scrolls along covers it at the end */
.scroll { overflow-x: auto; background: linear-gradient(90deg, #fff 30%, #fff0) local,
  linear-gradient(-90deg, #fff 30%, #fff0) right local, linear-gradient(90deg, #0006, #0000),
  linear-gradient(-90deg, #0006, #0000) right; background-repeat: no-repeat;
  background-size: 3rem 100%, 3rem 100%, .8rem 100%, .8rem 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { padding: .2rem .5rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { border-bottom: 2px solid #888; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
table.wide { font-size: .78rem; width: min-content; } table.wide th, table.wide td { padding: .2rem .35rem; }
table.wide th { white-space: normal; overflow-wrap: normal; }
table.words td, table.words th { text-align: left; white-space: normal; vertical-align: top; }
table.words th { overflow-wrap: normal; }
table.words { font-size: .82rem; } table.words td:first-child { min-width: 9rem; }
td.long { white-space: normal; min-width: 14rem; text-align: left; }
tr.marked td { background: #fdf0e8; color: #8c2f00; } tr.network td { font-weight: 600; }
figure { margin: 1.5rem 0; break-inside: avoid; } img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; color: #444; }
details { margin: .5rem 0; } summary { cursor: pointer; }
@media print {
  @page { margin: 12mm; }
  body { max-width: none; padding: 0; font-size: 11pt; } h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; background: none; } tr { break-inside: avoid; }
  table, table.wide { font-size: 7pt; } th, td, table.wide th, table.wide td { padding: 1pt 3pt; }
  th { white-space: normal; overflow-wrap: normal; } td.long { min-width: 8rem; }
}
"""

SHOWN_DPI = 110
"""Pixels of the page to an inch of a figure."""

WIDE = 9
"""Columns from which a table is set smaller."""
LONG_CELL = 40
"""Characters from which a cell wraps."""


def html_report(summary: Summary, figures: Mapping[str, Sequence[Figure]], chosen: Sequence[str] = ()) -> str:
    """The whole page; every text that came from a file is escaped.

    Parameters
    ----------
    chosen : HTML on how the settings were chosen, if a search did
    """
    body = [f"<h1>{escape(summary.name)}</h1>", f'<p class="headline">{escape(headline(summary))}</p>']
    body += ["<h2>Setting</h2>", html_table(setting_table(summary), words=True), *chosen]
    body += _if_any(GAP_TITLE, gap_table(summary), words=False)
    for section in summary.sections:
        body += _section(summary, section, figures.get(section.candidate, ()))
    body += _if_any("Failed runs", failure_table(summary))
    body += _if_any("Rejected trials", rejected_table(summary))
    body += _if_any("Notes", notes_table(summary))
    body += ["<h2>Provenance</h2>", html_table(provenance_table(summary), words=True)]
    return html_page(summary.name, body)


def html_page(title: str, body: Sequence[str]) -> str:
    """A file that needs no other, from parts that are HTML already."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    content = "\n".join(body)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{content}\n</body></html>\n'


def _section(summary: Summary, section: Section, figures: Sequence[Figure]) -> list[str]:
    *context, verdict = section_lines(summary, section)  # the verdict is its last line
    subjects, primary = subject_table(summary, section), summary.primary_metric
    parts = [f"<h2>{escape(section_title(section))}</h2>"]
    parts += [_sentence(line) for line in (own_setting(summary, section), *context) if line]
    parts += [f'<p class="verdict">{escape(verdict)}</p>']
    if section.counts.finished:
        scores, metrics = score_table(section, primary), metric_table(section)
        parts += [f"<h3>{escape(shown_name(primary))}</h3>", html_table(scores)]
        parts += _small((RULE, *small_print(scores, primary)))
        parts += _beside(section, primary)
        parts += ["<h3>All metrics, means over subjects</h3>", html_table(metrics)]
        parts += _small(small_print(metrics))
        parts += [html_figure(figure) for figure in figures]
    return [*parts, "<h3>Subjects</h3>", html_table(subjects), *_small(small_print(subjects, primary))]


def _beside(section: Section, primary: str) -> list[str]:
    probes, parts = probe_table(section, primary), []
    if probes.rows:
        parts += [f"<h3>{PROBE_TITLE}</h3>", html_table(probes), *_small((probe_note(section, primary),))]
    for head, table in class_tables(section):
        parts += [f"<h3>Classes of {escape(head)}, over all segments</h3>", html_table(table)]
    return parts


def _small(lines: Sequence[str]) -> list[str]:
    return [f'<p class="small">{escape(line)}</p>' for line in lines]


def _sentence(line: str) -> str:
    # The openings of an incomplete section and of a published procedure.
    is_warning = line.startswith(("INCOMPLETE", "Published procedure"))
    return f'<p class="hole">{escape(line)}</p>' if is_warning else f"<p>{escape(line)}</p>"


def _if_any(title: str, table: Table, *, words: bool = True) -> list[str]:
    return [f"<h2>{title}</h2>", html_table(table, words=words)] if table.rows else []


def html_figure(figure: Figure) -> str:
    """The picture inside the page, with its caption."""
    data = b64encode(figure.png).decode("ascii")
    caption = escape(figure.caption)
    # equal type in all figures, however wide: bytes 16 to 20 of a PNG are its width
    width = int.from_bytes(figure.png[16:20]) * SHOWN_DPI // DPI
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def html_table(table: Table, *, words: bool = False) -> str:
    """A table that scrolls sideways on a narrow screen; ``words`` wraps its cells instead."""
    header = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "".join(_row(row, marked=index in table.marked) for index, row in enumerate(table.rows))
    kind = ' class="words"' if words else ' class="wide"' if len(table.header) >= WIDE else ""
    return f'<div class="scroll"><table{kind}><tr>{header}</tr>{rows}</table></div>'


def _row(cells: Sequence[str], *, marked: bool) -> str:
    kind = "marked" if marked else "network" if cells[0] == "network" else ""
    shown = "".join(_cell(cell) for cell in cells)
    return f'<tr class="{kind}">{shown}</tr>' if kind else f"<tr>{shown}</tr>"


def _cell(text: str) -> str:
    kind = ' class="long"' if len(text) > LONG_CELL else ""
    return f"<td{kind}>{escape(text)}</td>"
