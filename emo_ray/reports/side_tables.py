"""Tables beside the scores: probes without any signal, single classes, and published against clean."""

from emo_ray.references.probes import PREFIX
from emo_ray.reports.content import (
    UNDEFINED,
    Table,
    interval,
    number,
    p_value,
    probe_names,
    shown_name,
)
from emo_ray.results.pooling import NETWORK
from emo_ray.results.summary import MetricRow, Section, Summary

SEES = {
    "length": "how long the trial is",
    "clock": "seconds since the session began",
    "place": "which segment of the trial it is",
    "dataset": "which corpus it is from",
    "channels": "how many channels live",
    "clip": "which clip was shown",
}
PROBE_TITLE = "What can be told without any signal"
GAP_TITLE = "Published, leaks included (not a result), against clean"


def probe_table(section: Section, metric: str) -> Table:
    """Each probe that varies, its score, and how much better the network is."""
    compared = {comparison.reference: comparison for comparison in section.verdict.probes}
    rows = []
    for name in probe_names(section):
        row = section.models[name].get(metric)
        if row is None or name in constant_probes(section, metric):
            continue
        cells = [name, SEES.get(name.removeprefix(PREFIX), ""), number(row.mean), interval(row)]
        if name in compared:
            gain = compared[name].advantage
            cells += [number(gain.mean), interval(gain), p_value(compared[name].p_better)]
            cells += [compared[name].outcome]
        else:
            cells += [UNDEFINED] * 3 + [""]
        rows.append(tuple(cells))
    header = ("probe", "what it is told", "mean", "95 % interval", "network's advantage")
    return Table((*header, "its interval", "p", "outcome"), tuple(rows))


def constant_probes(section: Section, metric: str) -> tuple[str, ...]:
    """Probes whose number never varies in train: they gave the answer of `majority` throughout."""
    constant = section.models.get("majority", {}).get(metric)
    return tuple(
        name
        for name in probe_names(section)
        if constant is not None and section.models[name].get(metric) == constant
    )


def probe_note(section: Section, metric: str) -> str:
    """Small print under the probes."""
    names = [name.removeprefix(PREFIX) for name in constant_probes(section, metric)]
    note = "A probe is a lookup of what train rows of about the same number were."
    return (
        f"{note} As good as majority, most often for it does not vary: {', '.join(names)}." if names else note
    )


def class_tables(section: Section) -> tuple[tuple[str, Table], ...]:
    """A table a head of classes: precision, recall and F1 of each class, and what it was taken for."""
    found = []
    for head, classes in section.classes.items():
        header = ("class", "segments", "recall", "precision", "F1", *(f"as {one.name}" for one in classes))
        rows = tuple(
            (
                one.name,
                str(one.n_segments),
                number(one.recall),
                number(one.precision),
                number(one.f1),
                *map(str, one.called),
            )
            for one in classes
        )
        found.append((head, Table(header, rows)))
    return tuple(found)


def gap_table(summary: Summary) -> Table:
    """Every published section against the clean ones, those of its own model where there are any."""
    rows = []
    scored = [section for section in summary.sections if section.counts.finished]
    clean = [section for section in scored if section.procedure == "clean"]
    for published in scored:
        if published.procedure == "published":
            alike = [section for section in clean if section.model == published.model] or clean
            rows += [_gap(summary, published, section) for section in alike]
    header = ("published", "clean", "published mean", "clean mean", "gap", "published pooled", "clean pooled")
    return Table((*header, "gap, pooled"), tuple(rows))


def gap_lines(summary: Summary) -> tuple[str, ...]:
    """The same in sentences, for a terminal."""
    name = shown_name(summary.primary_metric)
    return tuple(
        f"{theirs}: {name} {mean}; {ours}: {own}; gap {gap}; pooled {pooled} and {other}, gap {pooled_gap}"
        for theirs, ours, mean, own, gap, pooled, other, pooled_gap in gap_table(summary).rows
    )


def _gap(summary: Summary, published: Section, clean: Section) -> tuple[str, ...]:
    metric, both = summary.primary_metric, (published, clean)
    theirs, ours = (section.models[NETWORK].get(metric) or MetricRow() for section in both)
    means, pooled = (theirs.mean, ours.mean), (theirs.pooled, ours.pooled)
    names = [_called(summary, section) for section in both]
    return (*names, *map(number, means), _signed(*means), *map(number, pooled), _signed(*pooled))


def _called(summary: Summary, section: Section) -> str:
    """Column and network; the candidate, too, where the column has several."""
    n_rivals = sum(other.column == section.column for other in summary.sections)
    name = f"{section.column}: {section.model}"
    return f"{name} ({section.candidate})" if n_rivals > 1 else name


def _signed(first: float | None, second: float | None) -> str:
    return UNDEFINED if first is None or second is None else f"{first - second:+.3f}"
