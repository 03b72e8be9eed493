"""A study from start to end: features, plan, folds, journal; who listens is told by the journal's records."""

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from emo_ray.errors import ConfigError
from emo_ray.experiment import ExperimentConfig, RunSpec, Selection
from emo_ray.files import text_digest
from emo_ray.orchestration.duplicates import known_duplicates
from emo_ray.orchestration.features import FeatureRequest, ensure_features
from emo_ray.orchestration.folds import FoldRun, run_missing
from emo_ray.orchestration.plan import Plan, make_plan
from emo_ray.orchestration.resources import Resources
from emo_ray.provenance import git_state
from emo_ray.results.journal import Journal
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_folder import load_study, open_folder
from emo_ray.results.study_results import StudyResults
from emo_ray.store.reader import load_table
from emo_ray.store.segment_table import SegmentTable


@runtime_checkable
class StudyObserver(Protocol):
    """Someone who follows a study; nothing it does or fails to do can cost a result."""

    def opened(self, results: StudyResults) -> None:
        """The plan stands; records of an earlier start are in ``results``."""

    def heard(self, record: RunRecord) -> None:
        """A run was recorded."""


@dataclass(frozen=True)
class Study:
    """What to run and where to keep it.

    Attributes
    ----------
    experiments : the columns of the study: of the same people, with the same heads; clean ones share their
        features with the first, a published one may have its own
    root : holds ``store/`` and ``studies/``
    files : subjects to use and the files of each, as the corpus finds them
    name : folder below ``studies/``; empty makes one from the job and a digest of the plan
    job : what started it
    experiment : MLflow experiment that shows it
    command : the command line, for the report
    selection : where the settings come from, if a sweep has chosen them
    """

    experiments: tuple[ExperimentConfig, ...]
    files: Mapping[str, tuple[Path, ...]]
    root: Path
    name: str = ""
    job: str = ""
    experiment: str = "emo_ray"
    command: str = ""
    refresh: bool = False
    resources: Resources = field(default_factory=Resources)
    selection: Selection | None = None

    def __post_init__(self) -> None:
        if self.name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.name):
            raise ConfigError(
                f"--study {self.name!r}: use letters, digits, '.', '_' and '-' only, at most 100 of them"
            )


def run_study(study: Study, observer: StudyObserver) -> StudyResults:
    """Run what is missing of a study, inside a cluster; returns all that is known of it afterwards.

    Raises
    ------
    EmoRayError : anything that stops the study before its folds start; failed folds are rows instead
    """
    table = load_features(study)
    pairs = known_duplicates(table, study.root / "store")
    others = _other_features(study)
    plan = make_plan(study.experiments, table, study.selection, pairs, others)
    results = _with_published(describe(study, plan, table, plan.subjects), others.values(), plan.subjects)
    with Journal(results.folder) as journal:
        # Under the journal's lock: two starts of one command can not both write the header.
        open_folder(results)
        observer.opened(load_study(results.folder))
        tables = {study.experiments[0].features: table, **others}
        shared = {features: one.without_signatures() for features, one in tables.items()}
        run_missing(plan.specs, shared, FoldRun(journal, study.resources, observer.heard))
    return load_study(results.folder)


def load_features(study: Study, experiment: ExperimentConfig | None = None) -> SegmentTable:
    """The table of the chosen subjects, computed where the store lacks it.

    ``experiment`` says which features; by default the study's first one.
    """
    first = study.experiments[0]
    wanted, files = experiment or first, study.files
    if wanted.corpus != first.corpus:  # read in another way: the same people may be in other files
        files = {name: there for name, there in wanted.corpus.find_subjects().items() if name in study.files}
    request = FeatureRequest(wanted.corpus, wanted.extraction, files, study.root / "store", study.refresh)
    return load_table(ensure_features(request))


def _other_features(study: Study) -> dict[str, SegmentTable]:
    """The tables of experiments that do not share the features of the first one."""
    first = study.experiments[0]
    others = {one.features: one for one in study.experiments if one.features != first.features}
    return {features: load_features(study, one) for features, one in others.items()}


def describe(study: Study, plan: Plan, table: SegmentTable, used: Sequence[str]) -> StudyResults:
    """What is known of a study before it starts.

    Subjects that are not used (no label, or beyond n_subjects) are no part of its data.
    """
    first = study.experiments[0]
    name = study.name or f"{study.job}-{plan.digest[:8]}"
    header: dict[str, Any] = {
        "plan": plan.digest,
        "job": study.job,
        "experiment": study.experiment,
        "command": study.command,
        "created_unix": time.time(),
        "task": {
            "heads": [
                {"name": head.name, "kind": head.kind, "classes": list(head.classes)}
                for head in first.task.heads
            ],
            "primary_metric": first.task.primary_metric,
        },
        "protocol": first.protocol.kind,
        "data_digest": text_digest("\n".join(f"{subject} {table.keys[subject]}" for subject in used))[:32],
        "n_subjects": len(used),
        "n_segments": len(table.rows_of(used)),
        "git": dict(git_state()),
        "candidates": {
            name: _declared(spec) for name, spec in {spec.candidate: spec for spec in plan.specs}.items()
        },
        "corpus": asdict(first.corpus.card),
        "people": dict(plan.people),
    }
    return StudyResults(
        name=name,
        folder=study.root / "studies" / name,
        header=header,
        planned=tuple((spec.fingerprint, spec.candidate, spec.fold.test) for spec in plan.specs),
        records={},
        rejected=tuple(trial for trial in table.rejected if trial.subject in used),
        notes=(*plan.notes, *first.corpus.notes(), *_subject_notes(table, used)),
    )


def _with_published(
    results: StudyResults, tables: Collection[SegmentTable], used: Sequence[str]
) -> StudyResults:
    """With what the readers told of features that a published procedure has for itself."""
    rejected = [trial for table in tables for trial in table.rejected if trial.subject in used]
    told = [note for table in tables for note in _subject_notes(table, used)]
    known = {(trial.subject, trial.trial, trial.reason) for trial in results.rejected}
    return replace(
        results,
        rejected=(
            *results.rejected,
            *(
                replace(trial, reason=f"published column alone: {trial.reason}")
                for trial in rejected
                if (trial.subject, trial.trial, trial.reason) not in known
            ),
        ),
        notes=(*results.notes, *(note for note in dict.fromkeys(told) if note not in results.notes)),
    )


def _declared(spec: RunSpec) -> dict[str, Any]:
    """What a reader of the study is told of one candidate."""
    declared = {"column": spec.column, **spec.experiment.identity()}
    if spec.search is not None:
        declared["search"] = spec.search
    if spec.selection is not None:
        declared["selection"] = asdict(spec.selection)
    return declared


def _subject_notes(table: SegmentTable, subjects: Sequence[str]) -> list[str]:
    """What the readers told of the subjects that take part, with the subject before it."""
    return [
        note if note.startswith(f"{subject}:") else f"{subject}: {note}"
        for subject in subjects
        for note in table.notes.get(subject, ())
    ]
