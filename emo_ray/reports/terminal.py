"""The results as plain text, for the end of a job; never wider than 100 columns."""

import textwrap

from emo_ray.reports.content import (
    RULE,
    Table,
    failure_table,
    holes,
    leaks,
    main_metrics,
    metric_table,
    score_table,
    section_lines,
    section_title,
    shown_name,
    small_print,
)
from emo_ray.reports.grouping import rejected_table
from emo_ray.reports.setting import setting_table
from emo_ray.reports.side_tables import GAP_TITLE, PROBE_TITLE, gap_lines, probe_table
from emo_ray.results.summary import Section, Summary

WIDTH = 100
MAX_FAILURES = 10


def results_table(summary: Summary) -> str:
    """All sections with their references, failed runs and rejected trials."""
    blocks = ["\n".join([f"{summary.name} | {summary.protocol} | {holes(summary)}", *_setting(summary)])]
    blocks += leaks(summary)
    blocks += [_section(summary, section) for section in summary.sections]
    gaps = gap_lines(summary)
    blocks += ["\n".join((f"== {GAP_TITLE}", *gaps))] if gaps else []
    blocks += [RULE if summary.counts.finished else "", _failures(summary), _rejected(summary)]
    return "\n\n".join(fit(block) for block in blocks if block) + "\n"


def _setting(summary: Summary) -> list[str]:
    shown = {"corpus": "corpus", "subjects, segments": "data", "task": "task"}
    return [f"{shown[name]}: {value}" for name, value in setting_table(summary).rows if name in shown]


def _section(summary: Summary, section: Section) -> str:
    arrow = "higher is better" if summary.direction == "max" else "lower is better"
    lines = [f"== {section_title(section)}", *section_lines(summary, section)]
    if section.counts.finished:
        lines += ["", f"{shown_name(summary.primary_metric)} ({arrow})"]
        lines += aligned(score_table(section, summary.primary_metric))
        lines += _probes(summary, section)
        # With pooled scores of every reference, or with every metric, it would not fit the width.
        main = main_metrics(summary, section)
        metrics = metric_table(section, pooled_references=False, metrics=main)
        lines += ["", "means of main metrics", *aligned(metrics)]
        lines += small_print(metrics, summary.primary_metric)
    return "\n".join(lines)


def _probes(summary: Summary, section: Section) -> list[str]:
    table = probe_table(section, summary.primary_metric)
    if not table.rows:
        return []
    # without the columns that tell what a probe is told, and the interval of the difference
    kept = (0, 2, 3, 4, 6, 7)
    short = Table(
        tuple(table.header[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in table.rows)
    )
    return ["", PROBE_TITLE, *aligned(short)]


def _failures(summary: Summary) -> str:
    rows = failure_table(summary).rows
    lines = [f"FAILED {subject} ({column}, run {run}): {error}" for column, subject, run, error in rows]
    if len(lines) > MAX_FAILURES:
        lines[MAX_FAILURES:] = [f"and {len(lines) - MAX_FAILURES} more failed rows: see the report"]
    return "\n".join(lines)


def _rejected(summary: Summary) -> str:
    rows = rejected_table(summary).rows
    return "\n".join(f"rejected trials: {count} x {reason}" for reason, count, _ in rows)


def aligned(table: Table) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]
    return ["  ".join(_cells(row, widths)).rstrip() for row in (table.header, *table.rows)]


def _cells(row: tuple[str, ...], widths: list[int]) -> list[str]:
    first = row[0].ljust(widths[0])
    return [first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def fit(block: str) -> str:
    """The text with no line wider than the terminal."""
    lines = [
        line if len(line) <= WIDTH else textwrap.fill(line, WIDTH, subsequent_indent="    ")
        for line in block.split("\n")
    ]
    return "\n".join(lines)
