"""One run, start to end: RunSpec -> RunResult, a pure function of the spec and of the features."""

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64

from emo_ray.errors import ProtocolError, TrainingError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.models.blocks import count_weights
from emo_ray.protocols.fold import FinalFold
from emo_ray.protocols.lineage import check_unseen
from emo_ray.protocols.normalize import Scaler, fit_scaler
from emo_ray.provenance import library_versions
from emo_ray.published import Material, published_material
from emo_ray.references.registry import REFERENCES
from emo_ray.results.run_result import Predictions, RunRecord, RunResult
from emo_ray.results.search_results import Chosen
from emo_ray.store.segment_table import SegmentTable
from emo_ray.tasks.base import Head
from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.checkpoint import weights_digest, weights_to_bytes
from emo_ray.training.data import SegmentData
from emo_ray.training.loop import FittedModel, Runtime, Split, predict, train
from emo_ray.training.metrics import choose_threshold, score
from emo_ray.training.precision import precision_name
from emo_ray.training.seeding import Streams, reset_process

Rows = Int64[np.ndarray, " rows"]
ON_THIS_CPU = Runtime()
HeadPredictions = Mapping[str, Float32[np.ndarray, "rows ..."]]


@dataclass(frozen=True)
class Fit:
    """A fitted model, what was fitted beside it, and whom each part has seen."""

    model: FittedModel
    data: SegmentData
    thresholds: Mapping[str, float]
    lineage: Mapping[str, frozenset[str]]
    n_rows: Mapping[str, int]
    material: Material | None = None  # of a published procedure


def execute(
    spec: RunSpec,
    table: SegmentTable,
    runtime: Runtime = ON_THIS_CPU,
    attempt: int = 1,
    chosen: Chosen | None = None,
) -> RunResult:
    """Train on the fold's training subjects, then test once on its test subjects.

    ``chosen`` is what a search inside the training side came to, where the spec asks for one: the settings
    and the number of epochs. Neither observer nor checkpoint file (``runtime``) nor ``attempt`` can change
    the result; the device can in its last digits, so the record names it.

    The test rows do not exist before training has ended and the best weights are restored. A published
    procedure has them at hand, and its record tells what has seen them (``leaks``).

    Raises
    ------
    ProtocolError : something fitted, or the choice of settings, has seen a test subject
    TrainingError : the loss became NaN, or the fold has nothing to train or to test on
    """
    if spec.search is not None and chosen is None:
        raise ProtocolError(f"fold {spec.fold.name!r} tests what a search has chosen, and nothing was chosen")
    if isinstance(spec.fold, FinalFold):
        return _untested(spec, table, runtime, attempt)
    started = time.time()
    clock = time.perf_counter()
    fitted = fit(spec, table, runtime, chosen)
    references = _fit_references(spec, table, fitted)
    lineage = {**fitted.lineage, **references.lineage}
    if fitted.material is None:
        # Before any test row is looked at; what was fitted can not change any more.
        check_unseen(spec.fold.test, _judged(spec, lineage))
        test = labelled_rows(table, fitted.data, spec.fold.test, "test", spec)
    else:
        test = fitted.material.test
    outputs = predict(fitted.model, fitted.data, test)
    # On the same rows, seen through the references' own scaler.
    reference_outputs = references.predict(test)
    targets = {head: values[test] for head, values in fitted.data.targets.items()}
    heads = fitted.data.heads
    record = RunRecord(
        **identity_of(spec),
        status="finished",
        scores=score(heads, outputs, targets, fitted.thresholds),
        references={name: score(heads, found, targets) for name, found in reference_outputs.items()},
        history=fitted.model.history,
        best_epoch=fitted.model.best_epoch,
        n_parameters=count_weights(fitted.model.model),
        weights_digest=weights_digest(fitted.model.model),
        lineage={thing: tuple(sorted(seen)) for thing, seen in lineage.items()},
        leaks=_leaks(spec, lineage) if fitted.material else {},
        thresholds=fitted.thresholds,
        rows={**fitted.n_rows, "test": len(test)},
        seconds={"train": fitted.model.seconds, "total": time.perf_counter() - clock},
        started_unix=started,
        host=socket.gethostname(),
        attempt=attempt,
        versions={**library_versions(), "device": _precision(runtime, spec.experiment)},
        chosen=asdict(chosen) if chosen else {},
    )
    columns = {
        **_identity_columns(table, fitted.material.origin[test] if fitted.material else test),
        **{f"target/{head}": values for head, values in targets.items()},
        **_prediction_columns(heads, outputs),
    }
    for name, found in reference_outputs.items():
        columns |= _prediction_columns(heads, found, prefix=f"reference/{name}/")
    return RunResult(record, Predictions(columns), weights_to_bytes(fitted.model.model))


def _untested(spec: RunSpec, table: SegmentTable, runtime: Runtime, attempt: int) -> RunResult:
    """A final model: its weights and how they came about, and no score, for nobody is left to test it on."""
    started, clock = time.time(), time.perf_counter()
    fitted = fit(spec, table, runtime)
    record = RunRecord(
        **identity_of(spec),
        status="finished",
        history=fitted.model.history,
        best_epoch=fitted.model.best_epoch,
        n_parameters=count_weights(fitted.model.model),
        weights_digest=weights_digest(fitted.model.model),
        lineage={thing: tuple(sorted(seen)) for thing, seen in fitted.lineage.items()},
        rows=fitted.n_rows,
        seconds={"train": fitted.model.seconds, "total": time.perf_counter() - clock},
        started_unix=started,
        host=socket.gethostname(),
        attempt=attempt,
        versions={**library_versions(), "device": _precision(runtime, spec.experiment)},
    )
    return RunResult(record, weights=weights_to_bytes(fitted.model.model))


def failed(spec: RunSpec, error: str, attempt: int = 1) -> RunResult:
    """The row of a run that failed: as good a record as any other, with its error instead of scores."""
    record = RunRecord(
        **identity_of(spec),
        status="failed",
        error=error,
        started_unix=time.time(),
        host=socket.gethostname(),
        attempt=attempt,
        versions=library_versions(),
    )
    return RunResult(record)


def identity_of(spec: RunSpec) -> dict[str, Any]:
    """The fields of a record that its spec alone decides."""
    return {
        "fingerprint": spec.fingerprint,
        "column": spec.column,
        "candidate": spec.candidate,
        "subjects": spec.fold.test,
        "spec": spec.content,
    }


def segment_data(
    experiment: ExperimentConfig, table: SegmentTable, scaler: Scaler, targets: HeadPredictions | None = None
) -> SegmentData:
    """The table as training sees it: chosen modalities, the task's targets, a scaler; no array is copied.

    ``targets`` take the place of the task's, for recordings without labels.
    """
    chosen = experiment.modalities or tuple(modality.name for modality in table.modalities)
    return SegmentData(
        values={name: table.values[name] for name in chosen},
        masks={name: table.masks[name] for name in chosen},
        subject=table.subject,
        targets=experiment.task.targets(table.columns) if targets is None else targets,
        heads=experiment.task.heads,
        affine=scaler.affine,
        nuisance=table.nuisance,
        features={modality.name: modality.features for modality in table.modalities},
        trial=table.trial,
        dataset=table.dataset,
        n_context=experiment.model.n_context,
        index=table.index,
    )


def _precision(runtime: Runtime, experiment: ExperimentConfig) -> str:
    """Where and how exactly it was computed: the one part of a runtime that shows in the last digits."""
    name = precision_name(experiment.training.amp, torch.device(runtime.device))
    return f"{runtime.device} {name}"


def fit(spec: RunSpec, table: SegmentTable, runtime: Runtime, chosen: Chosen | None = None) -> Fit:
    """Train as the spec says, or with chosen settings on the whole training side.

    Raises
    ------
    TrainingError : the loss became NaN, or the fold has nothing to train on
    """
    fold = spec.fold
    experiment = _with_choice(spec.experiment, chosen) if chosen else spec.experiment
    streams = Streams(experiment.seed).child("run", fold.name)
    reset_process(streams, experiment.training.deterministic)
    if experiment.procedure.kind == "published":
        return _fit_published(spec, table, streams, runtime)
    scaler = fit_scaler(table, fold.train, experiment.scaling)
    data = segment_data(experiment, table, scaler)
    split = Split(
        train=labelled_rows(table, data, fold.train, "training", spec),
        validation=_validation_rows(table, data, spec),
    )
    model = experiment.model.build(data.shape())
    trained = train(model, data, split, experiment.resolved_training, streams, runtime)
    # Read back from the rows that were used, not from the plan: a wrong row would show here.
    trained_on, validated_on = table.subjects_at(split.train), table.subjects_at(split.validation)
    steered_by = trained_on | validated_on | frozenset(chosen.subjects if chosen else ())
    return Fit(
        model=trained,
        data=data,
        thresholds=chosen.thresholds if chosen else _thresholds(trained, data, split.validation),
        lineage={
            "scaler": scaler.seen,  # nobody, where it is transductive
            "weights": trained_on,
            # validation subjects chose the epoch and the thresholds, so these have seen them, too
            "epoch": steered_by,
            "thresholds": steered_by,
            **_settings_lineage(spec, chosen),
        },
        n_rows={"train": len(split.train), "validation": len(split.validation)},
    )


def _fit_published(spec: RunSpec, table: SegmentTable, streams: Streams, runtime: Runtime) -> Fit:
    """Train as a published procedure does, its flaws included."""
    experiment = spec.experiment
    unscaled = segment_data(experiment, table, fit_scaler(table, spec.fold.train, "train"))
    material = published_material(spec, table, unscaled, streams)
    data, split = material.data, material.split
    training = experiment.resolved_training
    if experiment.procedure.augment_first:  # the children are there already
        training = training.model_copy(update={"augmentation": AugmentationConfig()})
    trained = train(experiment.model.build(data.shape()), data, split, training, streams, runtime)
    trained_on = table.subjects_at(material.origin[split.train])
    steered_by = trained_on | table.subjects_at(material.origin[split.validation])
    return Fit(
        model=trained,
        data=data,
        thresholds=_thresholds(trained, data, split.validation),
        lineage={"weights": trained_on, "epoch": steered_by, "thresholds": steered_by, **material.lineage},
        n_rows={"train": len(split.train), "validation": len(split.validation)},
        material=material,
    )


def _leaks(spec: RunSpec, lineage: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    """What has seen which of the tested subjects."""
    seen = {thing: tuple(sorted(names & set(spec.fold.test))) for thing, names in lineage.items()}
    return {thing: names for thing, names in seen.items() if names}


def _settings_lineage(spec: RunSpec, chosen: Chosen | None) -> dict[str, frozenset[str]]:
    """Whose data chose the settings; nobody's, where they were given by hand."""
    source = chosen or spec.selection
    return {"settings": frozenset(source.subjects)} if source else {}


def _judged(spec: RunSpec, lineage: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    """What must not have seen a test subject: everything, but for settings that are declared flat."""
    if spec.selection is None or not spec.selection.as_flat:
        return lineage
    return {thing: seen for thing, seen in lineage.items() if thing != "settings"}


def _with_choice(experiment: ExperimentConfig, chosen: Chosen) -> ExperimentConfig:
    """The experiment with the settings that a search chose, to be trained for as long as it chose."""
    changed = experiment.changed(chosen.params)
    training = changed.training.model_copy(update={"max_epochs": chosen.n_epochs})
    return changed.model_copy(update={"training": training})


def _validation_rows(table: SegmentTable, data: SegmentData, spec: RunSpec) -> Rows:
    if not spec.fold.validation:
        return np.empty(0, dtype=np.int64)
    return labelled_rows(table, data, spec.fold.validation, "validation", spec)


def _thresholds(fitted: FittedModel, data: SegmentData, validation: Rows) -> dict[str, float]:
    """The decision threshold of each event head, chosen on validation subjects."""
    events = [head.name for head in data.heads if head.kind == "event"]
    # A final model has nobody to choose them on: it takes those of the study that speaks for it.
    if not events or len(validation) == 0:
        return {}
    outputs = predict(fitted, data, validation)
    return {name: choose_threshold(outputs[name], data.targets[name][validation]) for name in events}


@dataclass(frozen=True)
class _References:
    """Models to beat: they stop nowhere, so they train on training and validation subjects alike."""

    names: tuple[str, ...]
    data: SegmentData
    train: Rows
    seed: int
    lineage: Mapping[str, frozenset[str]]

    def predict(self, test: Rows) -> dict[str, HeadPredictions]:
        """Each reference fitted, then asked about the test rows."""
        return {
            name: REFERENCES[name].fit_predict(self.data, self.train, test, self.seed) for name in self.names
        }


def _fit_references(spec: RunSpec, table: SegmentTable, fitted: Fit) -> _References:
    fold, names = spec.fold, spec.experiment.references
    seed = Streams(spec.experiment.seed).child("references", fold.name).integer("draws")
    if fitted.material is not None:  # the same rows as the network, for they are to show the same leaks
        material = fitted.material
        # A test side that validates has not trained the network, and must not train what it is measured by.
        rows = np.setdiff1d(np.union1d(material.split.train, material.split.validation), material.test)
        seen = table.subjects_at(material.origin[rows])
        return _References(names, material.data, rows, seed, {"references": seen})
    subjects = sorted({*fold.train, *fold.validation})
    # Not the network's scaler: this one may see the validation subjects, that one must not.
    scaler = fit_scaler(table, subjects, spec.experiment.scaling)
    data = replace(fitted.data, affine=scaler.affine)
    rows = labelled_rows(table, data, subjects, "training", spec)
    lineage = {"reference scaler": scaler.seen, "references": table.subjects_at(rows)}
    return _References(names, data, rows, seed, lineage)


def labelled_rows(
    table: SegmentTable, data: SegmentData, subjects: Sequence[str], side: str, spec: RunSpec
) -> Rows:
    """The rows of some subjects that have a target for at least one head.

    Raises
    ------
    TrainingError : there is none
    """
    rows = table.rows_of(subjects)
    labelled = data.defined(rows)
    if len(labelled) == 0:
        raise TrainingError(
            f"the {side} subjects of fold {spec.fold.name!r} ({', '.join(subjects)}) have {len(rows)} "
            "segments and not one has a label for this task: leave them out with --subjects, or choose "
            "another --task"
        )
    return labelled


def _identity_columns(table: SegmentTable, rows: Rows) -> dict[str, np.ndarray]:
    return {
        "subject": np.asarray(table.subjects, dtype=object)[table.subject[rows]],
        "session": np.asarray(table.sessions, dtype=object)[table.session[rows]],
        "trial": np.asarray(table.trials, dtype=object)[table.trial[rows]],
        "index": table.index[rows],
        "start_s": table.start_s[rows],
    }


def _prediction_columns(
    heads: Sequence[Head], outputs: HeadPredictions, prefix: str = ""
) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for head in heads:
        found, name = outputs[head.name], f"{prefix}prediction/{head.name}"
        if head.kind == "classes":
            # found: (rows, classes)
            columns |= {f"{name}/{outcome}": found[:, code] for code, outcome in enumerate(head.classes)}
        else:
            columns[name] = found
    return columns
