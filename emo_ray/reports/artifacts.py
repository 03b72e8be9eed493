"""A study as the folder of files that the published Phy-FusionNet script leaves behind, from its journal.

Names are the script's own, so that whatever reads its folders reads these. What it saved as a pickle
(``final_best_model.pth``) is ``final_best_model.safetensors`` here.
"""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from emo_ray.errors import JournalError
from emo_ray.files import write_atomically
from emo_ray.progress import CONSOLE
from emo_ray.reports.content import PUBLISHED_LABEL
from emo_ray.reports.figures import confusion_matrix
from emo_ray.reports.importance import importance_of
from emo_ray.reports.search_figures import history
from emo_ray.reports.search_settings_figures import importance_bars
from emo_ray.results.journal import weights_path
from emo_ray.results.pooling import NETWORK, PooledPredictions, concatenate, read_run
from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_results import SearchResults
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import Section, Summary
from emo_ray.tasks.base import Head
from emo_ray.training.metrics import direction_of
from emo_ray.training.scalars import Scalars

NOTES = (
    "metrics are of test segments of all folds together; the report has intervals over subjects",
    "final_best_model is the fold with the best validation score: no test score chose it",
)


def write_artifacts(
    results: StudyResults, summary: Summary, folder: Path, search: SearchResults | None = None
) -> tuple[Path, ...]:
    """Write one folder a column of the study; returns its files.

    Parameters
    ----------
    search : the sweep that chose the settings, whose figures and best settings go along

    Raises
    ------
    JournalError : no run has finished, or the files of one are missing
    """
    finished = [section for section in summary.sections if section.counts.finished]
    if not finished:
        raise JournalError(f"study {results.name} has no finished run: there is nothing to write")
    files: list[Path] = []
    for number, section in enumerate(finished):
        # Two candidates of one column would write over each other.
        twins = [other.column for other in finished].count(section.column) > 1
        name = f"{section.column}-{number}" if twins else section.column
        files += _write_section(results, section, folder / name, search)
    return tuple(files)


def _write_section(
    results: StudyResults, section: Section, folder: Path, search: SearchResults | None
) -> list[Path]:
    names = dict.fromkeys(row.fingerprint for row in section.subjects if row.status == "finished")
    records = [results.records[name] for name in names]
    pooled = concatenate([read_run(results, name) for name in names])
    folder.mkdir(parents=True, exist_ok=True)
    best = best_validated(records, results.primary_metric)
    written = [
        _copied(weights_path(results.folder, best.fingerprint), folder / "final_best_model.safetensors")
    ]
    for head in (head for head in results.heads if head.kind == "classes"):
        several = sum(other.kind == "classes" for other in results.heads) > 1
        file = folder / (f"confusion_matrix_{head.name}.png" if several else "confusion_matrix.png")
        write_atomically(file, confusion_matrix(pooled, head, file.stem).png)
        written.append(file)
    if search is not None:
        written += _search_figures(search, folder)
    for record in records:
        # Names of subjects hold a slash, and come from the plan, not from a file.
        run = folder / "runs" / "+".join(record.subjects[:3]).replace("/", "_")
        _write_scalars(run, record)
        written.append(run)
    console = results.folder / CONSOLE
    if console.exists():
        written.append(_copied(console, folder / "console_output.log"))
    content = experiment_summary(results, section, records, pooled)
    content["optuna"] = _best_of(search) if search else {}
    content["artifacts"] = sorted(str(file.relative_to(folder)) for file in written)
    file = folder / "experiment_summary.json"
    write_atomically(file, json.dumps(content, indent=2, allow_nan=False))
    return [*written, file]


def _write_scalars(folder: Path, record: RunRecord) -> None:
    # TensorBoard shows all files of a folder: those of an earlier time would double every curve.
    for old in folder.glob("events.out.*"):
        old.unlink()
    with Scalars(folder) as scalars:
        for entry in record.history:
            sides = {side: entry.get(side) or {} for side in ("train", "validation")}
            scalars.report(int(entry["epoch"]), sides, record.best_epoch)


def best_validated(records: Sequence[RunRecord], metric: str) -> RunRecord:
    """The run with the best validation score at its best epoch; the first one where none was validated."""
    sign = 1.0 if direction_of(metric) == "max" else -1.0

    def quality(record: RunRecord) -> float:
        value = _validation_of(record).get(metric)
        return -np.inf if value is None or not np.isfinite(value) else sign * float(value)

    return max(records, key=quality)


def experiment_summary(
    results: StudyResults, section: Section, records: Sequence[RunRecord], pooled: PooledPredictions
) -> dict[str, Any]:
    """The published keys, and what they lack: protocol, folds, references, number of weights."""
    best = best_validated(records, results.primary_metric)
    started = min(record.started_unix for record in records)
    split = [[list(record.subjects), record.spec["fold"]] for record in records]
    return {
        "timestamp": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seed": section.settings.get("seed"),
        "config": section.settings,
        "software": dict(best.versions) | {"python": platform.python_version()},
        "hardware": _hardware(records),
        "notes": [*_label(section), *NOTES, *results.notes],
        "metrics": _metrics(results, section, best, pooled),
        "runtime_sec": round(sum(float(record.seconds.get("total", 0.0)) for record in records), 3),
        # A published procedure has its own, beside the study's.
        "protocol": section.settings.get("protocol", {}).get("kind", results.header["protocol"]),
        "procedure": section.procedure,
        "split_ids_sha256": hashlib.sha256(json.dumps(split, sort_keys=True).encode()).hexdigest(),
        "n_weights": list(section.n_weights),
        "folds": [
            {
                "subjects": list(record.subjects),
                "best_epoch": record.best_epoch,
                "test": _finite(record.scores),
                "validation": _finite(_validation_of(record)),
            }
            for record in records
        ],
        "references": {
            name: {metric: row.mean for metric, row in rows.items()}
            for name, rows in section.models.items()
            if name != NETWORK
        },
    }


def _label(section: Section) -> tuple[str, ...]:
    """What a reader has to know before any number of a published procedure."""
    if section.procedure == "clean":
        return ()
    seen = ", ".join(f"{thing} ({count})" for thing, count in section.leaks.items()) or "none"
    return (f"{PUBLISHED_LABEL}; fitted things that have seen test subjects, and how many: {seen}",)


def _metrics(
    results: StudyResults, section: Section, best: RunRecord, pooled: PooledPredictions
) -> dict[str, Any]:
    validation, scores = _validation_of(best), pooled.scores(NETWORK, results.heads)
    found: dict[str, Any] = {
        "final_best_val_f1": _number(validation.get("macro_f1")),
        "test_loss": None,
        "test_accuracy": _number(scores.get("accuracy")),
        "test_f1_macro": _number(scores.get("macro_f1")),
        "all": _finite(scores),
    }
    heads = [head for head in results.heads if head.kind == "classes"]
    if heads:
        found["test_loss"] = _cross_entropy(pooled, heads[0])
        found["classification_report"] = {head.name: _class_report(pooled, head) for head in heads}
    return found


def _class_report(pooled: PooledPredictions, head: Head) -> dict[str, Any]:
    from sklearn.metrics import classification_report

    truth, probability = _known(pooled, head)
    report: dict[str, Any] = classification_report(
        truth,
        probability.argmax(axis=1),
        labels=range(len(head.classes)),
        target_names=head.classes,
        output_dict=True,
        zero_division=0.0,
    )
    return report


def _cross_entropy(pooled: PooledPredictions, head: Head) -> float | None:
    """Nats a segment, unweighted."""
    truth, probability = _known(pooled, head)
    if not len(truth):
        return None
    of_truth = probability[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(of_truth.clip(1e-12)).mean())


def _known(pooled: PooledPredictions, head: Head) -> tuple[np.ndarray, np.ndarray]:
    defined = np.isfinite(pooled.targets[head.name])
    return pooled.targets[head.name][defined].astype(np.int64), pooled.models[NETWORK][head.name][defined]


def _search_figures(search: SearchResults, folder: Path) -> list[Path]:
    candidates = [one for rows in search.searches.values() for one in rows]
    figures = {"optuna_history.png": history(search, candidates).png}
    found = importance_of(search, candidates)
    if found is not None:
        figures["optuna_importance.png"] = importance_bars(search, [found]).png
    for name, drawn in figures.items():
        write_atomically(folder / name, drawn)
    return [folder / name for name in figures]


def _best_of(search: SearchResults) -> dict[str, Any]:
    best = search.best("") if not search.is_nested else None
    if best is None:
        return {"study": search.study.name}
    return {"study": search.study.name, "best_params": dict(best.params), "best_val": best.values[0]}


def _validation_of(record: RunRecord) -> Mapping[str, Any]:
    if not record.history or record.best_epoch < 0:
        return {}
    found: Mapping[str, Any] = record.history[record.best_epoch].get("validation") or {}
    return found


def _hardware(records: Sequence[RunRecord]) -> dict[str, Any]:
    return {
        "hosts": sorted({record.host for record in records}),
        "devices": sorted({str(record.versions.get("device", "")) for record in records}),
        # of the machine that writes this, which need not be one of them
        "machine": platform.machine(),
        "cores": psutil.cpu_count(),
    }


def _finite(scores: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in scores.items()}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _copied(source: Path, target: Path) -> Path:
    try:
        write_atomically(target, source.read_bytes())
    except OSError as error:
        raise JournalError(f"{source} can not be copied to {target}: {error.strerror or error}") from error
    return target
