"""A final model: one configuration on all labelled people, through Ray Train, left behind as a package."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emo_ray.deployment.choice import Choice
from emo_ray.deployment.making import Trained, package_of
from emo_ray.deployment.package import (
    PackageContent,
    is_package,
    package_fingerprint,
    read_package,
    write_package,
)
from emo_ray.errors import ConfigError, TrainingError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.orchestration.features import FeatureRequest, ensure_features
from emo_ray.orchestration.folds import FoldRun, FoldSource
from emo_ray.orchestration.groups import run_source_in_groups
from emo_ray.orchestration.plan import check_classes, check_modalities
from emo_ray.orchestration.resources import Resources
from emo_ray.progress import StageBar
from emo_ray.protocols.fold import FinalFold
from emo_ray.results.journal import Journal, weights_path
from emo_ray.results.run_result import RunRecord
from emo_ray.store.reader import load_table
from emo_ray.store.segment_table import SegmentTable

EVERYBODY = "everybody"
PACKAGE = "package"


@dataclass(frozen=True)
class FinalTraining:
    """What to train, on whom, and where it is kept.

    Attributes
    ----------
    experiment : its number of epochs is ``choice.n_epochs``
    files : people to train on, and the files of each
    root : holds ``store/`` and ``models/``
    name : of the model
    choice : where settings, epochs and thresholds come from
    """

    experiment: ExperimentConfig
    files: Mapping[str, tuple[Path, ...]]
    root: Path
    name: str
    choice: Choice
    resources: Resources = field(default_factory=Resources)
    refresh: bool = False


@dataclass(frozen=True)
class FinalModel:
    """A package, and whether it was there before."""

    folder: Path
    content: PackageContent
    is_new: bool


def train_final(wanted: FinalTraining) -> FinalModel:
    """Train on everybody who has a label, inside a cluster; a model that is there is not trained again.

    A kill costs the work since the last checkpoint: the same command goes on from it.

    Raises
    ------
    TrainingError : the run failed, with its reason
    EmoRayError : files, settings or places that can not be used
    """
    spec, table = _plan(wanted)
    fingerprint = package_fingerprint(spec.fingerprint, wanted.choice.thresholds, wanted.choice.source)
    folder = wanted.root / "models" / f"{wanted.name}-{fingerprint[:8]}"
    # The journal's lock: two starts of one command do not write one package together.
    with Journal(folder) as journal:
        if is_package(folder / PACKAGE):
            found = read_package(folder / PACKAGE)
            if found.fingerprint == fingerprint:
                return FinalModel(folder / PACKAGE, found, is_new=False)
        record = _trained(spec, table, wanted, journal)
        weights = weights_path(journal.folder, record.fingerprint).read_bytes()
        trained = Trained(spec, record, weights)
        content = package_of(trained, table, wanted.name, wanted.choice, wanted.resources.workers_per_run)
        write_package(content, folder / PACKAGE)
    # What was written is what is handed out.
    return FinalModel(folder / PACKAGE, read_package(folder / PACKAGE), is_new=True)


def _plan(wanted: FinalTraining) -> tuple[RunSpec, SegmentTable]:
    """The one run, and every reason to refuse it."""
    experiment = wanted.experiment
    if experiment.procedure.kind == "published":
        raise ConfigError("a published procedure is for comparison: train the model that is used cleanly")
    request = FeatureRequest(
        experiment.corpus, experiment.extraction, wanted.files, wanted.root / "store", wanted.refresh
    )
    table = load_table(ensure_features(request))
    check_modalities(experiment, table)
    targets = experiment.task.targets(table.columns)
    labelled = np.any([np.isfinite(values) for values in targets.values()], axis=0)
    subjects = tuple(sorted(table.subjects[code] for code in np.unique(table.subject[labelled])))
    fold = FinalFold(EVERYBODY, subjects, (), ())
    check_classes(experiment.task.heads, targets, table, fold)
    return RunSpec(experiment, fold, table.keys, selection=wanted.choice.selection), table


def _trained(spec: RunSpec, table: SegmentTable, wanted: FinalTraining, journal: Journal) -> RunRecord:
    if not journal.is_finished(spec.fingerprint):
        study = FoldRun(journal, wanted.resources, lambda record: None)
        with StageBar("training", 1, "model") as bar:
            tables = {spec.experiment.features: table.without_signatures()}
            source = FoldSource([spec], study, bar)
            run_source_in_groups(source, tables, wanted.resources, journal.folder / "checkpoints")
    record = journal.records[spec.fingerprint]
    if record.status != "finished":
        raise TrainingError(f"the model was not trained: {record.error}")
    return record
