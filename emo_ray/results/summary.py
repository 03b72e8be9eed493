"""Summary: the final table of a study. The same journal gives the same bytes, but for ``timing``."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.experiment import Column
from emo_ray.results.pooling import NETWORK, PooledPredictions, concatenate, read_run
from emo_ray.results.run_result import RunRecord
from emo_ray.results.statistics import Number, OverSubjects, over_subjects
from emo_ray.results.study_results import StudyResults
from emo_ray.results.verdict import Verdict, judge, no_verdict_on_leaks
from emo_ray.training.metrics import confusion, direction_of, f1s, precisions, recalls

COLUMNS: tuple[Column, ...] = ("nested", "flat", "transductive", "published")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricRow(OverSubjects):
    """One metric of one model."""

    pooled: Number = Field(None, description="metric over the segments of all subjects taken together")


class SubjectRow(_Part):
    """One test subject of one run; a failed or missing run keeps its rows."""

    subject: str
    fingerprint: str = Field(description="of the run; names predictions/<fingerprint>.parquet")
    status: Literal["finished", "failed", "missing"]
    error: str = ""
    scores: dict[str, Number] = Field(default_factory=dict)
    references: dict[str, dict[str, Number]] = Field(default_factory=dict)
    n_segments: int = Field(0, description="segments that were scored")
    best_epoch: int | None = Field(None, description="epoch whose weights were restored; counts from 0")


class Counts(_Part):
    """Runs by what became of them; ``planned`` is the sum of the three others."""

    planned: int
    finished: int
    failed: int
    missing: int


class ClassRow(_Part):
    """One class of a head, over the segments of all test subjects together."""

    name: str
    n_segments: int
    precision: Number = Field(None, description="null for a class that no segment has, like the others")
    recall: Number = None
    f1: Number = None
    called: tuple[int, ...] = Field(description="its segments by what the network called them: confusion")


class Section(_Part):
    """One candidate in one column. Sections are never averaged with each other."""

    column: Column
    candidate: str
    model: str
    procedure: Literal["clean", "published"] = Field(
        "clean", description="published, of that column: reproduces a procedure with its flaws, no result"
    )
    settings: dict[str, Any] = Field(description="configuration of the candidate, without folders")
    n_weights: tuple[int, ...] = Field((), description="of the model; several where folds differ")
    counts: Counts
    completeness: str = Field(description="in words; says so when runs failed or have not been run")
    models: dict[str, dict[str, MetricRow]] = Field(description="network and references, to metric, to row")
    classes: dict[str, tuple[ClassRow, ...]] = Field(default_factory=dict, description="by head of classes")
    subjects: tuple[SubjectRow, ...]
    verdict: Verdict
    leaks: dict[str, int] = Field(
        default_factory=dict,
        description="of a published procedure: fitted thing to test subjects it saw",
    )


class Rejected(_Part):
    """A trial that was left out before training."""

    subject: str
    trial: str
    reason: str


class Provenance(_Part):
    """What made the numbers."""

    job: str
    git_commit: str
    git_dirty: bool
    data_digest: str
    versions: dict[str, str] = Field(description="library to version; several where runs differ")
    fingerprints: tuple[str, ...] = Field(description="of all planned runs, in plan order")
    paths: dict[str, str] = Field(description="relative to the folder of the study")


class RunTiming(_Part):
    """When, where and how long one run went."""

    train_s: Number = None
    total_s: Number = None
    started_unix: Number = None
    host: str = ""
    attempt: int = 1


class Timing(_Part):
    """All that may differ between two executions of one study."""

    command: str = Field("", description="the command line; it names folders of one machine")
    created_unix: Number = None
    train_s: Number = Field(None, description="seconds in the training loop, summed over runs")
    total_s: Number = Field(None, description="seconds in workers, summed over runs; not wall time")
    runs: dict[str, RunTiming] = Field(default_factory=dict, description="by fingerprint")


class Summary(_Part):
    """The results of a study; intervals are 95 %, by percentile bootstrap over subjects."""

    name: str
    protocol: str
    corpus: dict[str, str] = Field(description="title, licence, citation, doi, access; empty if not known")
    n_subjects: int | None = Field(None, description="in the feature table, also those without a label")
    n_segments: int | None = Field(None, description="in the feature table")
    primary_metric: str
    direction: Literal["max", "min"] = Field(description="whether a larger or a smaller score is better")
    counts: Counts
    rejected: tuple[Rejected, ...]
    rejected_by_reason: dict[str, int]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    provenance: Provenance
    timing: Timing

    def to_json(self) -> str:
        """Indented JSON; undefined numbers are ``null``."""
        return self.model_dump_json(indent=2) + "\n"


def summarise(results: StudyResults) -> Summary:
    """Make the final table of what a study has so far; in plan order, whatever the order of completion.

    Raises
    ------
    JournalError : the predictions of a finished run can not be read
    """
    reasons = Counter(rejected.reason for rejected in results.rejected)
    return Summary(
        name=results.name,
        protocol=str(results.header.get("protocol", "")),
        corpus={str(key): str(value) for key, value in (results.header.get("corpus") or {}).items()},
        n_subjects=results.header.get("n_subjects"),
        n_segments=results.header.get("n_segments"),
        primary_metric=results.primary_metric,
        direction=direction_of(results.primary_metric),
        counts=_counts(results, [fingerprint for fingerprint, _, _ in results.planned]),
        rejected=tuple(
            Rejected(subject=trial.subject, trial=trial.trial, reason=trial.reason)
            for trial in results.rejected
        ),
        rejected_by_reason=dict(sorted(reasons.items())),
        sections=_sections(results),
        notes=results.notes,
        provenance=_provenance(results),
        timing=_timing(results),
    )


def _sections(results: StudyResults) -> tuple[Section, ...]:
    planned: dict[tuple[Column, str], list[str]] = {}
    for fingerprint, candidate, _ in results.planned:
        planned.setdefault((_column(results, candidate, fingerprint), candidate), []).append(fingerprint)
    ordered = sorted(planned, key=lambda key: COLUMNS.index(key[0]))  # stable: plan order within a column
    return tuple(_section(results, column, name, planned[column, name]) for column, name in ordered)


def _column(results: StudyResults, candidate: str, fingerprint: str) -> Column:
    record = results.records.get(fingerprint)
    declared = results.header["candidates"][candidate]["column"]
    # the record knows best: it was written by the worker that ran it
    return record.column if record else cast(Column, declared)


def _section(results: StudyResults, column: Column, candidate: str, runs: list[str]) -> Section:
    read = {name: read_run(results, name) for name in runs if _status(results, name) == "finished"}
    subjects = _subject_rows(results, runs, read)
    counts = _counts(results, runs)
    pooled = concatenate(list(read.values())) if read else None
    # References are known from predictions, so there are none before a run has finished.
    models = tuple(pooled.models) if pooled else (NETWORK,)
    declared = results.header["candidates"][candidate]
    return Section(
        column=column,
        candidate=candidate,
        model=_model_name(declared.get("model", "")),
        procedure="published" if column == "published" else "clean",
        settings={key: value for key, value in declared.items() if _is_setting(key, column)},
        n_weights=tuple(sorted({results.records[name].n_parameters for name in read})),
        counts=counts,
        completeness=_completeness(counts),
        models={name: _metric_rows(results, name, subjects, pooled) for name in models},
        classes=_class_rows(results, pooled) if pooled else {},
        subjects=subjects,
        verdict=_verdict(results, column, models, subjects),
        leaks=_leaks([results.records[name] for name in read]),
    )


def _is_setting(key: str, column: Column) -> bool:
    # a clean procedure has no settings of its own, a published one has its flaws
    return key != "column" and (key != "procedure" or column == "published")


def _verdict(
    results: StudyResults, column: Column, models: Sequence[str], subjects: Sequence[SubjectRow]
) -> Verdict:
    if column == "published":
        return no_verdict_on_leaks()
    primary = results.primary_metric
    by_model = {name: per_person(subjects, name, primary, results.people) for name in models}
    return judge(by_model, primary, direction_of(primary))


def _leaks(records: Sequence[RunRecord]) -> dict[str, int]:
    seen: dict[str, set[str]] = {}
    for record in records:
        for thing, subjects in record.leaks.items():
            seen.setdefault(thing, set()).update(subjects)
    return {thing: len(subjects) for thing, subjects in seen.items() if subjects}


def _class_rows(results: StudyResults, pooled: PooledPredictions) -> dict[str, tuple[ClassRow, ...]]:
    found = {}
    for head in (head for head in results.heads if head.kind == "classes"):
        confused = confusion(pooled.models[NETWORK][head.name], pooled.targets[head.name])
        scores = zip(precisions(confused), recalls(confused), f1s(confused), strict=True)
        found[head.name] = tuple(
            ClassRow(
                name=name,
                n_segments=int(called.sum()),
                precision=precision,
                recall=recall,
                f1=f1,
                called=tuple(called.tolist()),
            )
            for name, called, (precision, recall, f1) in zip(head.classes, confused, scores, strict=True)
        )
    return found


def _model_name(model: Any) -> str:
    return str(model.get("kind", "")) if isinstance(model, Mapping) else str(model)


def _completeness(counts: Counts) -> str:
    if counts.finished == counts.planned:
        return f"All {counts.planned} runs finished."
    holes = [f"{n} {word}" for n, word in ((counts.failed, "failed"), (counts.missing, "not run yet")) if n]
    return (
        f"INCOMPLETE: {' and '.join(holes)} of {counts.planned} runs; "
        f"means are over the {counts.finished} that finished."
    )


def per_subject(rows: Sequence[SubjectRow], model: str, metric: str) -> dict[str, float]:
    """One score a subject, the mean over its runs (seeds) where it has several; undefined ones left out."""
    found: dict[str, list[float]] = {}
    for row in rows:
        scores = row.scores if model == NETWORK else row.references.get(model, {})
        # `Number` has made None of every NaN.
        value = scores.get(metric)
        if value is not None:
            found.setdefault(row.subject, []).append(value)
    return {subject: float(np.mean(values)) for subject, values in found.items()}


def per_person(
    rows: Sequence[SubjectRow], model: str, metric: str, people: Mapping[str, str]
) -> dict[str, float]:
    """`per_subject`, with the mean over their names for ``people`` who are in the data under several.

    Who is there twice would else count twice in means, intervals and tests.
    """
    found: dict[str, list[float]] = {}
    for subject, value in per_subject(rows, model, metric).items():
        found.setdefault(people.get(subject, subject), []).append(value)
    return {person: float(np.mean(values)) for person, values in found.items()}


def _metric_rows(
    results: StudyResults, model: str, subjects: Sequence[SubjectRow], pooled: PooledPredictions | None
) -> dict[str, MetricRow]:
    if pooled is None:
        return {}
    together = pooled.scores(model, results.heads)
    # The primary metric, then those over all heads, then those of one head, whose names have a "/".
    by_importance = sorted(together, key=lambda name: (name != results.primary_metric, "/" in name, name))
    return {
        metric: MetricRow(
            pooled=together[metric],
            **over_subjects(list(per_person(subjects, model, metric, results.people).values())).model_dump(),
        )
        for metric in by_importance
    }


def _subject_rows(
    results: StudyResults, runs: Sequence[str], read: Mapping[str, PooledPredictions]
) -> tuple[SubjectRow, ...]:
    subjects = {fingerprint: names for fingerprint, _, names in results.planned}
    rows: list[SubjectRow] = []
    for fingerprint in runs:
        record = results.records.get(fingerprint)
        if record is not None and record.status == "finished":
            rows.extend(_finished_rows(results, record, read[fingerprint]))
        else:
            rows.extend(_hole(fingerprint, name, record) for name in subjects[fingerprint])
    return tuple(rows)


def _hole(fingerprint: str, subject: str, record: RunRecord | None) -> SubjectRow:
    if record is None:
        return SubjectRow(subject=subject, fingerprint=fingerprint, status="missing")
    return SubjectRow(subject=subject, fingerprint=fingerprint, status="failed", error=record.error)


def _finished_rows(results: StudyResults, record: RunRecord, run: PooledPredictions) -> list[SubjectRow]:
    rows = []
    for subject in record.subjects:
        own = run.rows(run.subject == subject)
        scores, references = record.scores, record.references
        if len(record.subjects) > 1:
            # the record scores all test subjects of the fold together: here each is scored alone
            alone = {name: own.scores(name, results.heads) if own.subject.size else {} for name in own.models}
            scores, references = alone.pop(NETWORK), alone
        rows.append(
            SubjectRow(
                subject=subject,
                fingerprint=record.fingerprint,
                status="finished",
                scores=scores,
                references=references,
                n_segments=own.subject.size,
                best_epoch=record.best_epoch,
            )
        )
    return rows


def _status(results: StudyResults, fingerprint: str) -> Literal["finished", "failed", "missing"]:
    record = results.records.get(fingerprint)
    return record.status if record else "missing"


def _counts(results: StudyResults, runs: Sequence[str]) -> Counts:
    found = Counter(_status(results, fingerprint) for fingerprint in runs)
    return Counts(
        planned=len(runs), finished=found["finished"], failed=found["failed"], missing=found["missing"]
    )


def _provenance(results: StudyResults) -> Provenance:
    header, git = results.header, results.header.get("git") or {}
    return Provenance(
        job=str(header.get("job", "")),
        git_commit=str(git.get("commit") or ""),
        git_dirty=bool(git.get("dirty", False)),
        data_digest=str(header.get("data_digest", "")),
        versions=_versions(list(results.records.values())),
        fingerprints=tuple(fingerprint for fingerprint, _, _ in results.planned),
        paths={
            "predictions": "predictions/<fingerprint>.parquet",
            "report": "report/report.html",
            "summary": "report/summary.json",
        },
    )


def _versions(records: Sequence[RunRecord]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for record in records:
        for library, version in record.versions.items():
            found.setdefault(library, set()).add(version)
    return {library: ", ".join(sorted(found[library])) for library in sorted(found)}


def _timing(results: StudyResults) -> Timing:
    # In plan order: the journal's own is the order of completion, which differs between executions.
    runs = {
        fingerprint: _run_timing(results.records[fingerprint])
        for fingerprint, _, _ in results.planned
        if fingerprint in results.records
    }
    return Timing(
        command=str(results.header.get("command", "")),
        created_unix=results.header.get("created_unix"),
        train_s=_total(run.train_s for run in runs.values()),
        total_s=_total(run.total_s for run in runs.values()),
        runs=runs,
    )


def _run_timing(record: RunRecord) -> RunTiming:
    seconds: Mapping[str, float] = record.seconds
    return RunTiming(
        train_s=seconds.get("train"),
        total_s=seconds.get("total"),
        started_unix=record.started_unix,
        host=record.host,
        attempt=record.attempt,
    )


def _total(seconds: Iterable[float | None]) -> float:
    return float(sum(value for value in seconds if value is not None))
