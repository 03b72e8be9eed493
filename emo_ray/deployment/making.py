"""From a final run to its package: what stands beside the weights."""

from collections.abc import Sequence
from dataclasses import dataclass

from emo_ray.deployment.choice import Choice
from emo_ray.deployment.example import example_request, signal_facts
from emo_ray.deployment.package import (
    Description,
    HeadFacts,
    Lineage,
    ModalityFacts,
    PackageContent,
    package_fingerprint,
)
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.files import text_digest
from emo_ray.protocols.normalize import fit_scaler
from emo_ray.provenance import FEATURE_ROOMS, code_digest, git_state
from emo_ray.results.run_result import RunRecord
from emo_ray.run import labelled_rows, segment_data
from emo_ray.store.segment_table import SegmentTable
from emo_ray.tasks.base import Head
from emo_ray.training.losses import fit_targets


@dataclass(frozen=True)
class Trained:
    """A final run: what was asked for, what came out."""

    spec: RunSpec
    record: RunRecord
    weights: bytes


def package_of(
    trained: Trained, table: SegmentTable, name: str, choice: Choice, workers: int = 1
) -> PackageContent:
    """The package of a final run; the scaler and what was learnt of targets are made again, from equal rows.

    Reads the recordings of one person, or of a few, for the shape of a recording.
    """
    spec = trained.spec
    experiment = spec.experiment
    scaler = fit_scaler(table, spec.fold.train, experiment.scaling)
    data = segment_data(experiment, table, scaler)
    rows = labelled_rows(table, data, spec.fold.train, "training", spec)
    # As the run fitted them, from the same rows.
    statistics = fit_targets(data.heads, data.targets, rows, experiment.training.loss.standardise_values)
    people = _typical(table, spec.fold.train)
    recordings = [one for name in people for one in experiment.corpus.read_subject(name).recordings]
    fingerprint = package_fingerprint(spec.fingerprint, choice.thresholds, choice.source)
    return PackageContent(
        name=name,
        fingerprint=fingerprint,
        experiment=experiment,
        description=Description(
            heads=tuple(_head_facts(head) for head in experiment.task.heads),
            modalities=tuple(
                ModalityFacts(name=item.name, n_tokens=item.n_tokens, features=item.features)
                for item in table.modalities
            ),
            signals=signal_facts(recordings),
            target_mean=dict(statistics.mean),
            target_sd=dict(statistics.sd),
            thresholds=_thresholds(experiment, choice),
        ),
        lineage=_lineage(trained, table, choice, workers),
        affine=None if experiment.scaling == "transductive" else scaler.affine,
        weights=trained.weights,
        example=example_request(recordings, experiment.extraction),
    )


def _typical(table: SegmentTable, people: Sequence[str]) -> tuple[str, ...]:
    """Who tell the shape of a recording: one of each data set, and one more for a sensor that these lack."""
    chosen = list({name.partition("/")[0]: name for name in reversed(people)}.values())
    for item in table.modalities:
        mask = table.masks[item.name]
        having = [name for name in people if mask[table.rows_of([name])].any()]
        if having and not set(having) & set(chosen):
            chosen.append(having[0])
    return tuple(sorted(chosen))


def _thresholds(experiment: ExperimentConfig, choice: Choice) -> dict[str, float]:
    events = [head.name for head in experiment.task.heads if head.kind == "event"]
    return {name: choice.thresholds.get(name, 0.5) for name in events}


def _head_facts(head: Head) -> HeadFacts:
    unit = {"classes": "probability of each class", "event": "probability", "value": "that of the labels"}
    return HeadFacts(name=head.name, kind=head.kind, classes=head.classes, unit=unit[head.kind])


def _lineage(trained: Trained, table: SegmentTable, choice: Choice, workers: int) -> Lineage:
    record, subjects = trained.record, trained.spec.fold.train
    return Lineage(
        subjects=subjects,
        n_segments=record.rows["train"],
        keys_digest=text_digest("\n".join(f"{name} {table.keys[name]}" for name in subjects)),
        source=choice.source,
        study=choice.study,
        settings_seen=choice.seen,
        n_epochs=len(record.history),
        scores=choice.scores,
        meaning=choice.meaning,
        weights_digest=record.weights_digest,
        n_parameters=record.n_parameters,
        feature_code=code_digest(FEATURE_ROOMS),
        git=dict(git_state()),
        versions=dict(sorted(record.versions.items())),  # as the journal gives them back
        workers=workers,
    )
