"""A made-up search, for tests of what comes after it: no training, no Ray, no Optuna, seeded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_journal import with_steps
from emo_ray.results.search_results import Candidate, Direction, InnerRecord, SearchResults, best_of
from emo_ray.search.desk import chosen_from
from emo_ray.testing.fake_study import EXPERIMENT, FakeStudyConfig, fake_study, fake_subjects

MAX_EPOCHS = 20
GRACE_EPOCHS = 3
RATE = "training.optimizer.learning_rate"
SPACE: Mapping[str, Mapping[str, Any]] = {
    "model.kind": {"kind": "choice", "choices": ["made_up", "made_deep"], "when": {}},
    RATE: {"kind": "log", "low": 1e-4, "high": 1e-2, "when": {}},
    "model.dropout": {"kind": "uniform", "low": 0.0, "high": 0.6, "when": {}},
    "training.batch_size": {"kind": "choice", "choices": [32, 64, 128], "when": {}},
    "model.n_layers": {"kind": "int", "low": 1, "high": 8, "when": {"model.kind": ["made_deep"]}},
    "model.widths": {"kind": "choice", "choices": [[32], [64, 32]], "when": {"model.kind": ["made_up"]}},
}
"""One dimension of each kind, two of them conditional, one with lists as values."""

ERRORS = (
    "TrainingError: the loss is NaN at epoch 3: lower training.optimizer.learning_rate",
    "the worker ran out of memory: 14.2 of 16.0 GiB were in use",
)


@dataclass(frozen=True)
class FakeSearchConfig:
    """What to make up.

    Attributes
    ----------
    n_candidates : of each search
    nested : one search a subject, inside the others, and a finished run on each outer fold
    n_folds : inner folds; 1 is a hold-out
    objectives : the second and later ones, if any, are costs
    failed, running : numbers of the candidates, in every search, that fail or have not ended
    stopping : whether poor candidates are stopped
    flat : candidates are scored on the test subjects themselves
    """

    n_candidates: int = 25
    nested: bool = False
    n_subjects: int = 9
    n_folds: int = 1
    objectives: tuple[str, ...] = ("balanced_accuracy",)
    failed: tuple[int, ...] = (5, 13, 21)
    running: tuple[int, ...] = ()
    stopping: bool = True
    flat: bool = False
    seed: int = 0


def fake_search(
    folder: Path, config: FakeSearchConfig, space: Mapping[str, Mapping[str, Any]] = SPACE
) -> SearchResults:
    """The search as its journal would give it; below ``folder`` lie predictions of a nested study only."""
    subjects = fake_subjects(config.n_subjects)
    study = fake_study(
        folder, FakeStudyConfig(n_subjects=config.n_subjects, n_segments=20, columns=("nested",))
    )
    costs: list[Direction] = ["min" for _ in config.objectives[1:]]
    directions: tuple[Direction, ...] = ("max", *costs)
    names = subjects if config.nested else ("",)
    searches = {name: _search(config, space, name, subjects) for name in names}
    header = {**study.header, "search": _header(config, space, names, directions)}
    records = {name: _with_choice(record, searches) for name, record in study.records.items()}
    runs: dict[str, Any] = {"records": records} if config.nested else {"planned": (), "records": {}}
    return SearchResults(replace(study, header=header, **runs), config.objectives, directions, searches)


def _with_choice(record: RunRecord, searches: Mapping[str, Sequence[Candidate]]) -> RunRecord:
    """The run on an outer fold, told what the search of its subject has chosen."""
    best = best_of(searches.get(record.subjects[0], ()), ("max",))
    if best is None:
        return record
    others = tuple(name for name in searches if name != record.subjects[0])
    return replace(record, chosen=asdict(chosen_from(best, others)))


def _header(
    config: FakeSearchConfig,
    space: Mapping[str, Mapping[str, Any]],
    names: Sequence[str],
    directions: Sequence[Direction],
) -> dict[str, Any]:
    holdout, kfold = {"kind": "holdout", "share": 0.25}, {"kind": "kfold", "n_folds": config.n_folds}
    asha = {"kind": "asha", "grace_epochs": GRACE_EPOCHS, "reduction_factor": 3.0}
    return {
        "nested": config.nested,
        "space": {key: dict(dimension) for key, dimension in space.items()},
        "sampler": "tpe",
        "stopping": asha if config.stopping else {"kind": "none"},
        "scoring": {"kind": "flat"} if config.flat else kfold if config.n_folds > 1 else holdout,
        "budget": {"n_candidates": config.n_candidates, "hours": None},
        "objectives": list(config.objectives),
        "directions": list(directions),
        "subjects": list(fake_subjects(config.n_subjects)),
        "set_aside": [],
        "seed": config.seed,
        "storage": "journal",
        "study_names": {name: f"fake/{name}".rstrip("/") for name in names},
        "prior_subjects": [],
        "epochs_a_fold": MAX_EPOCHS,
        "n_folds": config.n_folds,
        "n_first": 0,
        "at_once": 1 if config.nested else None,
        "bases": [EXPERIMENT],
    }


def _search(
    config: FakeSearchConfig, space: Mapping[str, Mapping[str, Any]], name: str, subjects: Sequence[str]
) -> tuple[Candidate, ...]:
    inner = tuple(subject for subject in subjects if subject != name)
    made: list[Candidate] = []
    for number in range(config.n_candidates):
        stream = subjects.index(name) if name else 0
        rng = np.random.default_rng([config.seed, stream, number])
        params = draw_params(space, rng)
        skill = _skill(params) + float(rng.normal(0, 0.01))
        so_far = [one.values[0] for one in made if one.values]
        # The lower half of those that came so far is stopped, as a rule would do.
        is_poor = config.stopping and len(so_far) > 3 and skill < float(np.median(so_far))
        kind: Literal["running", "fail", "pruned", "complete"] = "pruned" if is_poor else "complete"
        if number in config.failed:
            kind = "fail"
        elif number in config.running:
            kind = "running"
        bare = Candidate(name, number, params, kind, elapsed_s=12.0 * (number + 1))
        made.append(_trained(config, bare, skill, inner, rng))
    return tuple(made)


def draw_params(space: Mapping[str, Mapping[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    """A random point; a dimension whose condition does not hold is left out."""
    params: dict[str, Any] = {}
    for key, dimension in space.items():
        if all(params.get(other) in allowed for other, allowed in dimension["when"].items()):
            params[key] = _draw(dimension, rng)
    return params


def _draw(dimension: Mapping[str, Any], rng: np.random.Generator) -> Any:
    if dimension["kind"] == "choice":
        return dimension["choices"][int(rng.integers(len(dimension["choices"])))]
    low, high = dimension["low"], dimension["high"]
    if dimension["kind"] == "int":
        return int(rng.integers(low, high + 1))
    if dimension["kind"] == "log":
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return float(rng.uniform(low, high))


def _skill(params: Mapping[str, Any]) -> float:
    """Best near a learning rate of 0.001 and a dropout of 0.25; the deep model is a little worse."""
    rate, dropout = params.get(RATE, 1e-3), params.get("model.dropout", 0.25)
    loss = 0.12 * (np.log10(rate) + 3) ** 2 + 0.9 * (dropout - 0.25) ** 2
    return float(0.72 - loss - 0.01 * (params.get("model.n_layers", 0)))


def _trained(
    config: FakeSearchConfig, bare: Candidate, skill: float, inner: Sequence[str], rng: np.random.Generator
) -> Candidate:
    """The candidate with its runs on inner folds, its steps and its values."""
    records: list[InnerRecord] = []
    for fold in range(config.n_folds):
        # a hold-out scores a quarter of the subjects
        scored = tuple(inner[fold :: config.n_folds if config.n_folds > 1 else 4])
        record = _record(config, bare, scored, skill, rng)
        if bare.state == "running" and fold == config.n_folds - 1:
            break  # the journal knows nothing of a run before it ends
        records.append(replace(record, fold=fold, fingerprint=f"{bare.search}-{bare.number:04d}-{fold}"))
        if record.status != "finished":
            break
    by_objective = zip(*(record.values for record in records if record.values), strict=True)
    values = tuple(float(np.mean(found)) for found in by_objective) if bare.state == "complete" else ()
    done = replace(bare, folds=tuple(records), values=values, error=_reason(bare))
    return with_steps(done, MAX_EPOCHS)


def _record(
    config: FakeSearchConfig,
    bare: Candidate,
    scored: tuple[str, ...],
    skill: float,
    rng: np.random.Generator,
) -> InnerRecord:
    n_epochs = {"pruned": int(rng.choice([3, 9])), "fail": 3}.get(bare.state, int(rng.integers(12, 21)))
    epochs = np.arange(n_epochs)
    mine = skill + float(rng.normal(0, 0.02))
    curve = mine - (mine - 0.33) * np.exp(-(epochs + 1) / 4) + rng.normal(0, 0.008, n_epochs)
    best = int(curve.argmax())
    n_parameters = 1_000 * (1 + int(bare.params.get("model.n_layers", 3))) ** 2
    ended: dict[str, Any] = {
        "status": "finished",
        "scores": {config.objectives[0]: float(curve[best])},
        "subject_scores": {subject: float(curve[best] + rng.normal(0, 0.05)) for subject in scored},
        "values": (float(curve[best]), *(float(n_parameters) for _ in config.objectives[1:])),
    }
    early: dict[str, Any] = {
        "status": "failed" if bare.state == "fail" else "stopped",
        "error": _reason(bare) if bare.state == "fail" else "",
    }
    return InnerRecord(
        search=bare.search,
        number=bare.number,
        fold=0,
        fingerprint="",
        subjects=scored,
        curve=tuple(map(float, curve)),
        standing=tuple(map(float, np.maximum.accumulate(curve))),
        train_loss=tuple(map(float, 0.3 + 0.8 * np.exp(-epochs / 6) + rng.normal(0, 0.01, n_epochs))),
        validation_loss=tuple(map(float, 1.1 - curve + 0.004 * epochs)),
        best_epoch=best,
        n_parameters=n_parameters,
        seconds=0.5 * n_epochs,
        started_unix=1_700_000_000.0 + 12 * bare.number,
        host="host-a",
        **(early if bare.state in ("pruned", "fail") else ended),
    )


def _reason(bare: Candidate) -> str:
    return {
        "fail": ERRORS[bare.number // 8 % len(ERRORS)],
        "pruned": "not among the best third at its rung",
    }.get(bare.state, "")
