"""Plan: from experiments to run specifications, and every reason to refuse before anything starts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emo_ray.errors import ConfigError, ProtocolError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.files import text_digest
from emo_ray.protocols.fold import Fold
from emo_ray.store.segment_table import SegmentTable
from emo_ray.tasks.base import Head


@dataclass(frozen=True)
class Plan:
    """All runs of a study, in the order that tables show them, and what a reader should know beforehand."""

    specs: tuple[RunSpec, ...]
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Names the plan: changes with any experiment, fold, feature or line of code that could change a result."""
        return text_digest("\n".join(spec.fingerprint for spec in self.specs))[:8]


def make_plan(experiments: Sequence[ExperimentConfig], table: SegmentTable) -> Plan:
    """One run for every experiment and fold.

    Raises
    ------
    ProtocolError : too few subjects, or a training side lacks a class altogether
    ConfigError : a modality is not in the features, or holds no valid value at all
    """
    specs: list[RunSpec] = []
    for experiment in experiments:
        _check_modalities(experiment, table)
        labelled = _labelled_subjects(experiment, table)
        folds = experiment.protocol.folds({name: table.groups[name] for name in labelled}, experiment.seed)
        for fold in folds:
            _check_classes(experiment, table, fold)
        specs += [RunSpec(experiment, fold, table.keys) for fold in folds]
    notes = (*_unlabelled_notes(experiments, table), *_group_notes(experiments, table), *_silent_notes(table))
    return Plan(tuple(specs), notes)


def _labelled_subjects(experiment: ExperimentConfig, table: SegmentTable) -> tuple[str, ...]:
    """Subjects with a target for at least one segment: the others can neither train nor test anything."""
    targets = experiment.task.targets(table.columns).values()
    codes = np.unique(table.subject[np.any([np.isfinite(values) for values in targets], axis=0)])
    return tuple(table.subjects[code] for code in codes)


def _unlabelled_notes(experiments: Sequence[ExperimentConfig], table: SegmentTable) -> list[str]:
    labelled = {name for experiment in experiments for name in _labelled_subjects(experiment, table)}
    left_out = [name for name in table.subjects if name not in labelled]
    return [f"left out, for they have no label for this task: {', '.join(left_out)}"] if left_out else []


def _check_modalities(experiment: ExperimentConfig, table: SegmentTable) -> None:
    known = [modality.name for modality in table.modalities]
    unknown = sorted(set(experiment.modalities) - set(known))
    if unknown:
        raise ConfigError(f"modalities: {', '.join(unknown)} not in the features, which have {', '.join(known)}")
    for name in experiment.modalities or known:
        if not table.masks[name].any():
            others = ", ".join(other for other in known if other != name) or "none"
            raise ConfigError(
                f"modality {name!r} holds not one valid value in the recordings of {len(table.subjects)} subjects: check the "
                f"sensor's files, or leave it out by naming the others (modalities: {others})"
            )


def _check_classes(experiment: ExperimentConfig, table: SegmentTable, fold: Fold) -> None:
    """A class that no training subject has can not be learnt; one that the test subject lacks is no error."""
    rows = table.rows_of(fold.train)
    targets = experiment.task.targets(table.columns)
    for head in experiment.task.heads:
        found = targets[head.name][rows]
        missing = [name for code, name in enumerate(_outcomes(head)) if not (found == code).any()]
        if missing:
            raise ProtocolError(
                f"fold {fold.name!r}: no training subject has a segment of {head.name} = {', '.join(missing)}, so it can not be "
                f"learnt (training subjects: {', '.join(fold.train)}): use more subjects or another --task"
            )


def _outcomes(head: Head) -> tuple[str, ...]:
    return {"classes": head.classes, "event": ("no", "yes"), "value": ()}[head.kind]


def _group_notes(experiments: Sequence[ExperimentConfig], table: SegmentTable) -> list[str]:
    shared = [subject for subject in table.subjects if list(table.groups.values()).count(table.groups[subject]) > 1]
    if not shared or all(experiment.protocol.kind == "logo" for experiment in experiments):
        return []
    return [
        f"{len(shared)} subjects were recorded in groups: leaving one of them out leaves people in training who shared the "
        "room and the stimulus at the same moment; --protocol logo tests whole groups"
    ]


def _silent_notes(table: SegmentTable) -> list[str]:
    """Subjects who lack a whole modality: their folds run, on what is there."""
    notes = []
    for name, mask in table.masks.items():
        valid = np.zeros(len(table.subjects), dtype=bool)
        valid[np.unique(table.subject[mask.any(axis=1)])] = True
        silent = [subject for subject, is_valid in zip(table.subjects, valid, strict=True) if not is_valid]
        if silent:
            notes.append(f"{name} holds no valid value in {', '.join(silent)}: masked there")
    return notes
