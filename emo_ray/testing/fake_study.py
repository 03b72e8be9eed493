"""A made-up finished study on disk, for tests of what comes after training: no training, seeded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.experiment import Column
from emo_ray.results.pooling import NETWORK
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults
from emo_ray.tasks.base import Head
from emo_ray.training.metrics import score

SKILL = {NETWORK: 1.0, "majority": 0.0, "prior": 0.05, "linear": 0.6}
"""How much of the target is in the made-up predictions of each model."""

EMOTION_HEADS = (Head("emotion", "classes", ("calm", "joy", "fear")),)
AFFECT_HEADS = (Head("valence", "value"), Head("arousal", "value"), Head("transition", "event"))

EXPERIMENT = {"corpus": {"kind": "fake"}, "model": {"kind": "made_up", "dropout": 0.1}, "seed": 0}


@dataclass(frozen=True)
class FakeStudyConfig:
    """What to make up.

    Attributes
    ----------
    task : one head of three classes, or two values and an event
    failed, missing : subjects whose run has failed, or has no record yet
    skill : of the network; the linear reference has 0.6
    subjects_a_fold : more than 1 makes hold-out folds
    probes : name of a probe, and how much of the target is in what it says
    """

    task: Literal["emotion", "affect"] = "emotion"
    n_subjects: int = 12
    failed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ("flat",)
    skill: float = 1.0
    subjects_a_fold: int = 1
    n_segments: int = 60
    n_epochs: int = 20
    seed: int = 0
    probes: tuple[tuple[str, float], ...] = ()


def fake_subjects(n_subjects: int) -> tuple[str, ...]:
    """Names as a corpus gives them: ``fake/S01``, ``fake/S02``."""
    return tuple(f"fake/S{number:02d}" for number in range(1, n_subjects + 1))


def fake_study(folder: Path, config: FakeStudyConfig, subjects: Sequence[str] = ()) -> StudyResults:
    """Write predictions and weights files below ``folder`` and return the study as the journal would."""
    (folder / "predictions").mkdir(parents=True, exist_ok=True)
    (folder / "weights").mkdir(exist_ok=True)
    names = tuple(subjects) or fake_subjects(config.n_subjects)
    planned = []
    records = {}
    for column in config.columns:
        for start in range(0, len(names), config.subjects_a_fold):
            fold = names[start : start + config.subjects_a_fold]
            fingerprint = f"{column}{start:04d}"
            planned.append((fingerprint, f"c-{column}", fold))
            if not set(fold) & set(config.missing):
                records[fingerprint] = _fake_run(folder, config, planned[-1])
    return StudyResults(
        name=folder.name,
        folder=folder,
        header=_header(config),
        planned=tuple(planned),
        records=records,
        rejected=(
            RejectedTrial("fake/S01", "t03", "shorter than one segment"),
            RejectedTrial("fake/S02", "t01", "shorter than one segment"),
            RejectedTrial("fake/S02", "t07", "no rating"),
        ),
        notes=("Made-up numbers.",),
    )


def _header(config: FakeStudyConfig) -> dict[str, Any]:
    heads = EMOTION_HEADS if config.task == "emotion" else AFFECT_HEADS
    primary = "balanced_accuracy" if config.task == "emotion" else "ccc"
    return {
        "plan": "p1an",
        "job": "fake",
        "command": "python -m jobs.fake --root there",
        "task": {
            "heads": [{"name": h.name, "kind": h.kind, "classes": list(h.classes)} for h in heads],
            "primary_metric": primary,
        },
        "protocol": "leave one subject out",
        "data_digest": "0123456789abcdef" * 4,
        "git": {"commit": "a" * 40, "dirty": True},
        "created_unix": 1_700_000_000.0,
        "candidates": {f"c-{c}": {"column": c, **EXPERIMENT} for c in config.columns},
    }


def _fake_run(folder: Path, config: FakeStudyConfig, planned: tuple[str, str, tuple[str, ...]]) -> RunRecord:
    fingerprint, candidate, fold = planned
    spec = {"experiment": EXPERIMENT, "fold": {"name": fold[0], "test": list(fold)}, "code": "c0de"}
    column = next(c for c in config.columns if f"c-{c}" == candidate)
    common: dict[str, Any] = {
        "fingerprint": fingerprint,
        "column": column,
        "candidate": candidate,
        "subjects": fold,
    }
    started = 1_700_000_000.0 + 10 * int(fingerprint[-4:])
    if set(fold) & set(config.failed):
        error = "TrainingError: the loss is NaN at epoch 3: lower training.learning_rate"
        return RunRecord(status="failed", error=error, spec=spec, started_unix=started, **common)
    rng = np.random.default_rng([config.seed, int(fingerprint[-4:])])
    (folder / "weights" / f"{fingerprint}.safetensors").write_bytes(rng.bytes(2_000))
    scores, references = _write_predictions(
        folder / "predictions" / f"{fingerprint}.parquet", config, fold, rng
    )
    return RunRecord(
        status="finished",
        spec=spec,
        scores=scores,
        references=references,
        history=_history(config.n_epochs, rng),
        best_epoch=int(rng.integers(config.n_epochs)),
        n_parameters=12_345,
        rows={"train": 600, "validation": 120, "test": config.n_segments * len(fold)},
        seconds={"train": 4.0, "total": 5.0},
        started_unix=started,
        host="host-a",
        versions={"numpy": "2.4.0", "torch": "2.13.0"},
        leaks={"weights": fold, "scaler": fold[:1]} if column == "published" else {},
        **common,
    )


def _write_predictions(
    path: Path, config: FakeStudyConfig, fold: Sequence[str], rng: np.random.Generator
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    import pyarrow
    import pyarrow.parquet

    heads = EMOTION_HEADS if config.task == "emotion" else AFFECT_HEADS
    n_rows = config.n_segments * len(fold)
    columns: dict[str, Any] = {
        "subject": np.repeat(np.array(fold, dtype=object), config.n_segments),
        "session": np.full(n_rows, "1", dtype=object),
        "trial": np.array([f"t{row // 10:02d}" for row in range(n_rows)], dtype=object),
        "index": np.arange(n_rows, dtype=np.int32) % 10,
        "start_s": (np.arange(n_rows) % 10 * 4).astype(np.float32),
    }
    targets = {head.name: _target(head, n_rows, rng) for head in heads}
    columns |= {f"target/{name}": values for name, values in targets.items()}
    scores = {}
    for model, skill in (SKILL | {NETWORK: config.skill} | dict(config.probes)).items():
        predictions = {head.name: _predict(head, targets[head.name], skill, rng) for head in heads}
        prefix = "prediction" if model == NETWORK else f"reference/{model}/prediction"
        for head in heads:
            columns |= _as_columns(f"{prefix}/{head.name}", head, predictions[head.name])
        scores[model] = score(heads, predictions, targets)
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return scores.pop(NETWORK), scores


def _as_columns(prefix: str, head: Head, values: Float32[np.ndarray, "segments ..."]) -> dict[str, Any]:
    if head.kind == "classes":
        return {f"{prefix}/{name}": values[:, code] for code, name in enumerate(head.classes)}
    return {prefix: values}


def _target(head: Head, n_rows: int, rng: np.random.Generator) -> Float32[np.ndarray, " segments"]:
    if head.kind == "classes":
        return rng.integers(len(head.classes), size=n_rows).astype(np.float32)
    if head.kind == "event":
        return (rng.random(n_rows) < 0.2).astype(np.float32)
    return rng.normal(0.0, 0.1, n_rows).astype(np.float32)


def _predict(
    head: Head, target: Float32[np.ndarray, " segments"], skill: float, rng: np.random.Generator
) -> Float32[np.ndarray, "segments ..."]:
    if head.kind == "classes":
        logits = rng.normal(size=(len(target), len(head.classes))) * min(skill, 1.0)
        logits[np.arange(len(target)), target.astype(int)] += skill
        logits[:, 0] += 0.1
        return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), np.float32)
    if head.kind == "event":
        noise = rng.normal(-1.5, 1.0, len(target)) * min(skill, 1.0)
        return (1 / (1 + np.exp(-(noise + 2 * skill * target)))).astype(np.float32)
    noise = rng.normal(0.0, 0.08, len(target)) * min(skill, 1.0)
    return (skill * 0.6 * target + noise).astype(np.float32)


def _history(n_epochs: int, rng: np.random.Generator) -> tuple[dict[str, Any], ...]:
    down: Float[np.ndarray, " epochs"] = np.exp(-np.arange(n_epochs) / 5)
    jitter = rng.normal(0, 0.02, (2, n_epochs))
    return tuple(
        {
            "epoch": epoch,
            "train": {"loss": float(0.6 + 0.5 * down[epoch] + jitter[0, epoch])},
            "validation": {"loss": float(0.8 + 0.3 * down[epoch] + 0.01 * epoch + jitter[1, epoch])},
        }
        for epoch in range(n_epochs)
    )
