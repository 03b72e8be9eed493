"""What MLflow is told about a run or a study, as plain values; a pure view of the journal."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from emo_ray.results.pooling import NETWORK
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import Section, Summary
from emo_ray.results.verdict import NO_VERDICT_ON_LEAKS

# Limits of older MLflow servers; newer ones take longer values.
MAX_PARAM_CHARS = 500
MAX_TAG_CHARS = 5_000
MAX_KEY_CHARS = 250
PUBLISHED = "published"
"""The column of runs that reproduce a published procedure, leaks included."""


@dataclass(frozen=True)
class MetricPoint:
    """One value of one metric; its time comes from the record, so a second delivery repeats it exactly."""

    key: str
    value: float
    step: int
    time_ms: int


@dataclass(frozen=True)
class StudyEntry:
    """What the parent run of a study says.

    Attributes
    ----------
    identity : tags by which it is found again
    params : as of the first start: MLflow never changes them
    """

    identity: Mapping[str, str]
    tags: Mapping[str, str]
    params: Mapping[str, str]


def study_entry(results: StudyResults) -> StudyEntry:
    """The parent run of a study of planned runs."""
    tags = study_tags(results)
    candidates = results.header["candidates"]
    if len(candidates) == 1:
        params = parameters(next(iter(candidates.values())))
    else:
        params = {"candidates": ", ".join(candidates)[:MAX_PARAM_CHARS]}
    return StudyEntry({name: tags[name] for name in ("emo.study", "emo.kind", "emo.plan")}, tags, params)


def study_tags(results: StudyResults) -> dict[str, str]:
    """Tags of the parent run of a study."""
    tags = {
        "emo.study": results.name,
        "emo.kind": "study",
        "emo.job": str(results.header.get("job", "")),
        "emo.protocol": str(results.header.get("protocol", "")),
        "emo.data_digest": str(results.header.get("data_digest", "")),
        "emo.plan": str(results.header.get("plan", "unknown")),
        "emo.planned": str(len(results.planned)),
    }
    columns = {str(declared.get("column", "")) for declared in results.header["candidates"].values()}
    if PUBLISHED in columns:
        tags["emo.procedure"] = "published" if columns == {PUBLISHED} else "clean and published"
    return shortened(tags | git_tags(results))


def run_tags(results: StudyResults, record: RunRecord) -> dict[str, str]:
    """Tags of the child run of one record; ``emo.fingerprint`` is its identity."""
    tags = {
        "emo.study": results.name,
        "emo.kind": "run",
        "emo.fingerprint": record.fingerprint,
        "emo.fold": str(record.spec.get("fold", {}).get("name", ", ".join(record.subjects))),
        "emo.subject": ", ".join(record.subjects),
        "emo.protocol": _protocol_of(results, record),
        "emo.procedure": "published" if record.column == PUBLISHED else "clean",
        "emo.column": record.column,
        "emo.candidate": record.candidate,
        "emo.status": record.status,
        "emo.host": record.host,
        "emo.attempt": str(record.attempt),
        "emo.weights_digest": record.weights_digest,
    }
    if record.error:
        tags["emo.error"] = record.error
    if (record.spec.get("selection") or {}).get("as_flat"):
        tags["emo.optimistic"] = "true"  # tested on people whose data chose the settings
    if record.column == PUBLISHED:
        tags["mlflow.note.content"] = NO_VERDICT_ON_LEAKS  # what the page of the run shows first
        tags["emo.leaks"] = ", ".join(f"{thing} ({len(seen)})" for thing, seen in record.leaks.items())
    return shortened(tags | git_tags(results))


def _protocol_of(results: StudyResults, record: RunRecord) -> str:
    """The run's own: a published procedure has another than the study that it stands in."""
    own = record.spec.get("experiment", {}).get("protocol", {})
    return str(own.get("kind") or results.header.get("protocol", ""))


def git_tags(results: StudyResults) -> dict[str, str]:
    """Source of a run, where MLflow's pages look for it."""
    git = results.header.get("git") or {}
    return {
        "mlflow.source.git.commit": str(git.get("commit") or ""),
        "emo.git.dirty": str(bool(git.get("dirty", False))).lower(),
        "mlflow.source.name": str(results.header.get("command") or results.header.get("job") or "emo_ray"),
        "mlflow.source.type": "JOB",
    }


def shortened(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags cut to what MLflow takes, without the empty ones."""
    return {key: value[:MAX_TAG_CHARS] for key, value in tags.items() if value}


def parameters(spec: Mapping[str, Any]) -> dict[str, str]:
    """Settings by dotted name; lists as JSON, long values cut."""
    return {
        storable_key(name)[:MAX_KEY_CHARS]: _as_text(value)[:MAX_PARAM_CHARS]
        for name, value in _flattened(spec)
    }


def _flattened(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _flattened(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def storable_key(name: str) -> str:
    """A name with what MLflow refuses in keys replaced by ``_``."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)


def run_metrics(record: RunRecord) -> list[MetricPoint]:
    """Metrics of every epoch, then final scores, reference scores and seconds; undefined ones left out."""
    start_ms, end_ms = times_ms(record)
    n_epochs = max(len(record.history), 1)
    points = []
    for position, entry in enumerate(record.history):
        # epochs carry no clock: they are spread evenly over the training seconds
        time_ms = start_ms + (end_ms - start_ms) * (position + 1) // n_epochs
        for split in ("train", "validation"):
            for name, value in entry.get(split, {}).items():
                points.append((f"{split}/{name}", value, int(entry.get("epoch", position)), time_ms))
    final = {**record.scores, **{f"seconds/{name}": value for name, value in record.seconds.items()}}
    final |= {f"rows/{name}": value for name, value in record.rows.items()}
    final |= {f"threshold/{head}": value for head, value in record.thresholds.items()}
    for reference, scores in record.references.items():
        final |= {f"reference/{reference}/{name}": value for name, value in scores.items()}
    if record.status == "finished":
        # A failed run's -1 and 0 would be drawn as values.
        final |= {"best_epoch": record.best_epoch, "n_parameters": record.n_parameters}
    points += [(name, value, 0, end_ms) for name, value in final.items()]
    return defined(points)


def times_ms(record: RunRecord) -> tuple[int, int]:
    """Start and end of a run in milliseconds since 1970, as its record tells them."""
    start_ms = int(1000 * record.started_unix)
    return start_ms, start_ms + int(1000 * record.seconds.get("total", 0.0))


def defined(points: list[tuple[str, Any, int, int]]) -> list[MetricPoint]:
    """Points from key, value, step and time in milliseconds; undefined values left out."""
    return [
        MetricPoint(storable_key(key), float(value), step, time_ms)
        for key, value, step, time_ms in points
        if isinstance(value, int | float) and np.isfinite(value)
    ]


def study_metrics(summary: Summary, time_ms: int) -> list[MetricPoint]:
    """Counts of runs and mean scores: ``flat/accuracy``, ``flat/reference/linear/accuracy``."""
    # The step of all points is the number of finished runs: a study taken up again shows as a curve.
    counts, done = summary.counts, summary.counts.finished
    points: list[tuple[str, Any, int, int]] = [
        (f"runs/{word}", getattr(counts, word), done, time_ms)
        for word in ("planned", "finished", "failed", "missing")
    ]
    for section in summary.sections:
        prefix = section_key(summary, section)
        for model, metrics in section.models.items():
            stem = prefix if model == NETWORK else f"{prefix}/reference/{model}"
            points += [(f"{stem}/{name}", row.mean, done, time_ms) for name, row in metrics.items()]
    return defined(points)


def verdict_tags(summary: Summary) -> dict[str, str]:
    """The verdict of each section, and a note that the page of the study's run shows."""
    tags = {
        f"emo.verdict.{section_key(summary, section)}": section.verdict.sentence
        for section in summary.sections
    }
    lines = [f"{s.column}: {s.completeness} {s.verdict.sentence}" for s in summary.sections]
    return tags | {"mlflow.note.content": "\n\n".join(lines)[:MAX_TAG_CHARS]}


def section_key(summary: Summary, section: Section) -> str:
    """The column; with its candidate where the column has several."""
    rivals = sum(other.column == section.column for other in summary.sections)
    return section.column if rivals == 1 else f"{section.column}/{section.candidate}"
