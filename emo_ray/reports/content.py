"""What a report says: sentences and tables of plain strings, before any form dresses them."""

from collections.abc import Sequence
from dataclasses import dataclass

from emo_ray.references.probes import PREFIX
from emo_ray.results.pooling import NETWORK
from emo_ray.results.statistics import OverSubjects
from emo_ray.results.summary import Section, SubjectRow, Summary
from emo_ray.results.verdict import LEVEL, MIN_SUBJECTS, best_unbeaten

COLUMN_MEANS = {
    "nested": "hyperparameters chosen inside each training set",
    "flat": "one configuration shared by all folds",
    "transductive": "unlabelled data of the test subject was used, for instance to normalise it",
    "published": "trained and tested as published",
}
PUBLISHED_LABEL = "published procedure, leaks included: not a result"
MAIN_METRICS = ("balanced_accuracy", "macro_f1", "f1", "auroc", "accuracy", "ccc", "mae", "r2", "rmse")
N_MAIN = 3
"""Metrics beside the primary one where there is no room for all: the first of these that a study has."""
UNDEFINED = "-"

RULE = (
    "Intervals: 95 %, percentile bootstrap over subjects. A reference is beaten when the interval of the "
    f"paired differences lies above zero and a one-sided sign-flip test over subjects has p < {LEVEL}; "
    f"worse is the same the other way; fewer than {MIN_SUBJECTS} subjects are too few to tell. p: of that "
    "test, small where the network is better."
)
"""Small print under the table of scores."""

PR_AUC_NOTE = (
    "PR-AUC on few segments a subject lies above the rate even for a random ranking; compare with prior (a "
    "random score) and with pooled."
)
"""Small print under every table that holds it."""


@dataclass(frozen=True)
class Table:
    """A table of strings; ``marked`` rows are holes (failed, missing) and are made to stand out."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[int] = frozenset()


def number(value: float | None, digits: int = 3) -> str:
    """Fixed decimals, or a dash where undefined."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def interval(row: OverSubjects) -> str:
    """``[0.590, 0.634]``, or a dash where undefined."""
    return UNDEFINED if row.low is None else f"[{number(row.low)}, {number(row.high)}]"


def p_value(value: float | None) -> str:
    """Three decimals; never ``0.000``, which no test of this kind gives."""
    return "<0.001" if value is not None and value < 0.0005 else number(value)


def shown_name(metric: str) -> str:
    """The name of a metric as a person writes it: ``balanced accuracy``."""
    return metric.replace("_", " ")


def reference_names(section: Section) -> tuple[str, ...]:
    """The models to beat that see signals, or answer as one without any; the probes are apart."""
    return tuple(name for name in section.models if name != NETWORK and not name.startswith(PREFIX))


def probe_names(section: Section) -> tuple[str, ...]:
    """The references that are told one nuisance each."""
    return tuple(name for name in section.models if name.startswith(PREFIX))


def main_metrics(summary: Summary, section: Section) -> tuple[str, ...]:
    """The primary metric and three others over all heads; then the PR-AUC of every single event."""
    bare = [name for name in MAIN_METRICS if name in section.models[NETWORK]]
    others = [name for name in bare if name != summary.primary_metric][:N_MAIN]
    heads = [name.removesuffix("/rate") for name in section.models[NETWORK] if name.endswith("/rate")]
    events = [f"{head}/pr_auc" for head in heads]
    return tuple(dict.fromkeys((summary.primary_metric, *others, *events)))


def section_title(section: Section) -> str:
    """Column, what it means, and which candidate."""
    title = f"{section.column}: {section.model} (candidate {section.candidate})"
    return f"{title}, {PUBLISHED_LABEL}" if section.procedure == "published" else title


def section_lines(summary: Summary, section: Section) -> tuple[str, ...]:
    """Sentences that stand above the tables of one section: what, how complete, and the verdict."""
    lines = [f"Column {section.column}: {COLUMN_MEANS[section.column]}.", section.completeness]
    if section.procedure == "published":
        lines.append(_leak_line(section))
    # Whoever picks one of them picks by test scores.
    rivals = sum(other.column == section.column for other in summary.sections)
    if rivals > 1:
        lines.append(
            f"{rivals} candidates of this column were scored on the same test subjects: the best of them "
            f"looks better than it is."
        )
    return (*lines, section.verdict.sentence)


def _leak_line(section: Section) -> str:
    opening = f"{PUBLISHED_LABEL[0].upper()}{PUBLISHED_LABEL[1:]}."
    if not section.counts.finished:
        return f"{opening} No run has told yet what has seen its test subjects."
    if not section.leaks:
        return f"{opening} Nothing that was fitted has seen a test subject."
    seen = ", ".join(f"{thing} ({count})" for thing, count in section.leaks.items())
    return f"{opening} Fitted things that have seen test subjects, and how many of them: {seen}."


def headline(summary: Summary) -> str:
    """The study in a few sentences; holes come first."""
    # A sweep has a section a candidate: the first three in plan order have to do.
    scores = [score_sentence(summary, section) for section in summary.sections[:3]]
    # First of all, where the people who are tested have chosen the settings.
    warning = ["OPTIMISTIC: these people chose the settings."] if is_optimistic(summary) else []
    if leaks(summary):
        warning.append("LEAK unless they are two people: near copies train and test each other (notes).")
    return " ".join((*warning, holes(summary), *scores))


def leaks(summary: Summary) -> tuple[str, ...]:
    """Notes by which the scores can not be trusted."""
    return tuple(note for note in summary.notes if note.startswith("LEAK"))


def is_optimistic(summary: Summary) -> bool:
    """Whether settings are tested on people whose data have chosen them."""
    return any((section.settings.get("selection") or {}).get("as_flat") for section in summary.sections)


def holes(summary: Summary) -> str:
    """How many runs finished, failed and are missing."""
    counts = summary.counts
    if counts.finished == counts.planned:
        return f"All {counts.planned} runs finished."
    parts = [f"{counts.failed} FAILED"] if counts.failed else []
    parts += [f"{counts.missing} not run yet"] if counts.missing else []
    return f"{counts.finished} of {counts.planned} runs finished, {', '.join(parts)}."


def score_sentence(summary: Summary, section: Section) -> str:
    """The primary score of one section with its interval, and how it stands to the references."""
    row = section.models[NETWORK].get(summary.primary_metric)
    name = shown_name(summary.primary_metric)
    if row is None or row.mean is None:
        return f"{section.column}: no {name} yet."
    if section.procedure == "published":
        return f"{section.column}: {name} {number(row.mean)} ({PUBLISHED_LABEL})."
    return (
        f"{section.column}: {name} {number(row.mean)}, 95 % interval {interval(row)} over "
        f"{row.n_subjects} subjects; {_standing(section)}."
    )


def _standing(section: Section) -> str:
    words = {
        "beaten": "beats",
        "no difference shown": "does not beat",
        "worse": "is worse than",
        "too few subjects to tell": "too few subjects to tell for",
    }
    found = {
        outcome: [c.reference for c in section.verdict.comparisons if c.outcome == outcome]
        for outcome in words
    }
    told = [f"{words[outcome]} {', '.join(names)}" for outcome, names in found.items() if names]
    best = best_unbeaten(section.verdict.probes)
    told += [f"does not beat {best.reference}, which sees no signal"] if best else []
    return "; ".join(told) or "compared with no reference"


def score_table(section: Section, metric: str) -> Table:
    """The network and its references on one metric, with what the comparison came to."""
    compared = {comparison.reference: comparison for comparison in section.verdict.comparisons}
    rows = []
    for model in (NETWORK, *reference_names(section)):
        # The network is compared with the others, and so has no comparison of its own.
        row, comparison = section.models[model].get(metric), compared.get(model)
        if row is not None:
            cells = (number(row.mean), number(row.sd), interval(row), number(row.pooled), str(row.n_subjects))
            p, outcome = (p_value(comparison.p_better), comparison.outcome) if comparison else ("", "")
            rows.append((model, *cells, p, outcome))
    header = ("model", "mean", "sd", "95 % interval", "pooled", "subjects", "p", "outcome")
    return Table(header, tuple(rows))


def metric_table(
    section: Section, *, pooled_references: bool = True, metrics: Sequence[str] | None = None
) -> Table:
    """Every metric of the network, or some: mean, interval, pooled; and means of the references beside it."""
    references = reference_names(section)
    header = ["metric", "network", "sd", "95 % interval", "pooled"]
    for name in references:
        header += [name, f"{name} pooled"] if pooled_references else [name]
    rows = []
    for metric, row in section.models[NETWORK].items():
        if metrics is not None and metric not in metrics:
            continue
        cells = [shown_name(metric), number(row.mean), number(row.sd), interval(row), number(row.pooled)]
        for name in references:
            other = section.models[name].get(metric)
            mean, pooled = (other.mean, other.pooled) if other else (None, None)
            cells += [number(mean), number(pooled)] if pooled_references else [number(mean)]
        rows.append(tuple(cells))
    return Table(tuple(header), tuple(rows))


def small_print(table: Table, metric: str = "") -> tuple[str, ...]:
    """What a reader of a table has to know; ``metric`` is the one that the whole table is about."""
    named = (metric, *table.header, *(row[0] for row in table.rows))
    return (PR_AUC_NOTE,) if any(shown_name(name).endswith("pr auc") for name in named) else ()


def subject_table(summary: Summary, section: Section) -> Table:
    """One row a test subject of a run; a failed or missing run keeps its row, and is told in a column."""
    references = reference_names(section)
    # No metrics of single heads (with a "/"): the table would not fit a page.
    others = [m for m in main_metrics(summary, section) if m != summary.primary_metric and "/" not in m]
    holes = section.counts.finished < section.counts.planned
    header = ["subject", *(["status"] if holes else []), shown_name(summary.primary_metric), *references]
    header += [*map(shown_name, others), "segments", "best epoch", "seconds"]
    rows = []
    for row in section.subjects:
        status = ["not run yet" if row.status == "missing" else row.status] if holes else []
        rows.append((row.subject, *status, *_subject_cells(summary, row, references, others)))
    marked = frozenset(i for i, row in enumerate(section.subjects) if row.status != "finished")
    return Table(tuple(header), tuple(rows), marked)


def _subject_cells(
    summary: Summary, row: SubjectRow, references: Sequence[str], others: Sequence[str]
) -> tuple[str, ...]:
    primary = summary.primary_metric
    scores = [row.scores.get(primary)]
    scores += [row.references.get(name, {}).get(primary) for name in references]
    scores += [row.scores.get(name) for name in others]
    timing = summary.timing.runs.get(row.fingerprint)
    return (
        *map(number, scores),
        str(row.n_segments or UNDEFINED),
        # -1: no epoch's weights were restored
        UNDEFINED if row.best_epoch is None or row.best_epoch < 0 else str(row.best_epoch),
        number(timing.total_s if timing else None, digits=1),
    )


def failure_table(summary: Summary) -> Table:
    """Every failed run with its error, whatever its section."""
    rows = tuple(
        (section.column, row.subject, row.fingerprint, row.error)
        for section in summary.sections
        for row in section.subjects
        if row.status == "failed"
    )
    return Table(("column", "subject", "run", "error"), rows, frozenset(range(len(rows))))


def provenance_table(summary: Summary) -> Table:
    """What made the numbers."""
    made, timing = summary.provenance, summary.timing
    dirty = " with uncommitted changes" if made.git_dirty else ""
    versions = ", ".join(f"{library} {version}" for library, version in made.versions.items())
    rows = (
        ("job", made.job),
        ("code", f"{made.git_commit or 'no git commit'}{dirty}"),
        ("data digest", made.data_digest),
        ("versions", versions),
        (
            "seconds in workers",
            f"{number(timing.total_s, 0)} ({number(timing.train_s, 0)} in training loops)",
        ),
        ("intervals", "percentile bootstrap over subjects, 10,000 resamples, fixed seed"),
        ("predictions", made.paths["predictions"]),
    )
    return Table(("what", "value"), tuple(row for row in rows if row[1]))
