"""Plan: from experiments to run specifications, and every reason to refuse before anything starts. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from emo_ray.errors import ConfigError, ProtocolError
from emo_ray.experiment import ExperimentConfig, RunSpec, Selection
from emo_ray.extraction.stft_tokens import StftTokens
from emo_ray.files import text_digest
from emo_ray.protocols.duplicates import DuplicatePair, check_no_duplicates, find_duplicates, units_of
from emo_ray.protocols.fold import Fold
from emo_ray.protocols.lineage import perhaps_among
from emo_ray.store.segment_table import SegmentTable
from emo_ray.tasks.base import Head
from emo_ray.training.metrics import metric_names

Targets = Mapping[str, Float32[np.ndarray, " segments"]]


@dataclass(frozen=True)
class Plan:
    """All runs of a study, in the order that tables show them, and what a reader should know beforehand.

    ``groups`` says of every subject that takes part who was recorded together, or is the same person;
    ``people`` gives those who are tested as one person the first of their names.
    """

    specs: tuple[RunSpec, ...]
    notes: tuple[str, ...]
    groups: Mapping[str, str]
    people: Mapping[str, str]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody who takes part in any run, sorted."""
        return tuple(sorted({name for spec in self.specs for name in spec.subjects}))

    @property
    def digest(self) -> str:
        """Names the plan: changes with whatever could change a result of it."""
        return text_digest("\n".join(spec.fingerprint for spec in self.specs))


def make_plan(
    experiments: Sequence[ExperimentConfig],
    table: SegmentTable,
    selection: Selection | None = None,
    duplicates: Sequence[DuplicatePair] | None = None,
    others: Mapping[str, SegmentTable] | None = None,
) -> Plan:
    """One run for every experiment and fold; settings that a sweep chose are tested on whom it has not seen.

    ``duplicates`` are the near copies in the table, where they are known already; else they are looked for.
    ``others`` are the tables of experiments on other features of the same people, by these features' digest.

    Raises
    ------
    ProtocolError : too few subjects, two of them are copies of each other, a training side lacks a class
        altogether, or the settings have seen all
    ConfigError : a modality is not in the features, or holds no valid value at all
    """
    pairs = find_duplicates(table) if duplicates is None else tuple(duplicates)
    specs: list[RunSpec] = []
    # A set that keeps its order: the columns of a study share most notes.
    notes: dict[str, None] = {}
    first = table
    for experiment in experiments:
        table = (others or {}).get(experiment.features, first)
        check_modalities(experiment, table)
        _check_monitor(experiment)
        _check_procedure(experiment)
        _check_clock(experiment)
        targets = experiment.task.targets(table.columns)
        labelled = _labelled_subjects(targets, table)
        folds, copies = _folds(experiment, {name: table.groups[name] for name in labelled}, pairs)
        folds = _unseen(folds, selection)
        for fold in folds:
            check_classes(experiment.task.heads, targets, table, fold)
        specs += [RunSpec(experiment, fold, table.keys, selection=selection) for fold in folds]
        caveat = experiment.task.caveat(experiment.model.n_context)
        left_out = _unlabelled_notes(labelled, table)
        chosen = _selection_notes(selection, folds)
        groups = _group_notes(experiment, labelled, table)
        notes |= dict.fromkeys([*chosen, *copies, *([caveat] if caveat else []), *left_out, *groups])
    table, used = first, sorted({name for spec in specs for name in spec.subjects})
    joined = pairs if experiments[0].protocol.duplicates == "group" else ()
    groups_of = units_of({name: table.groups[name] for name in used}, joined)
    return Plan(tuple(specs), (*notes, *_silent_notes(table)), groups_of, _people(used, joined))


def _folds(
    experiment: ExperimentConfig, groups: Mapping[str, str], pairs: Sequence[DuplicatePair]
) -> tuple[tuple[Fold, ...], list[str]]:
    """The folds of an experiment, and what is to be told of people who are in the data twice."""
    protocol = experiment.protocol
    folds = protocol.folds(groups, experiment.seed, pairs if protocol.duplicates == "group" else ())
    used = {name for fold in folds for name in (*fold.train, *fold.validation, *fold.test)}
    # Whoever takes no part (no label, beyond n_subjects) leaks nothing.
    here = [pair for pair in pairs if {pair.one, pair.other} <= used]
    if protocol.duplicates == "refuse":
        check_no_duplicates(here)
    told = "; ".join(map(str, here))
    if not here:
        return folds, []
    if protocol.duplicates == "group":
        return folds, [f"near copies of one recording, tested together as one person: {told}"]
    return folds, [
        f"LEAK unless they are two people: near copies of one recording train and test each other, for "
        f"--duplicates ignore was given: {told}"
    ]


def _people(subjects: Sequence[str], joined: Sequence[DuplicatePair]) -> dict[str, str]:
    """Those who are one person, and the first of their names; nobody else."""
    persons = units_of({name: name for name in subjects}, joined)
    n_names = Counter(persons.values())
    return {name: person for name, person in persons.items() if n_names[person] > 1}


def _labelled_subjects(targets: Targets, table: SegmentTable) -> tuple[str, ...]:
    """Subjects with a target for at least one segment: the others can neither train nor test anything."""
    has_target = np.any([np.isfinite(values) for values in targets.values()], axis=0)
    return tuple(table.subjects[code] for code in np.unique(table.subject[has_target]))


def _unseen(folds: tuple[Fold, ...], selection: Selection | None) -> tuple[Fold, ...]:
    """The folds that test nobody whose data chose the settings."""
    if selection is None or selection.as_flat:
        return folds
    kept = tuple(fold for fold in folds if not perhaps_among(fold.test, selection.subjects))
    if not kept:
        raise ProtocolError(
            f"sweep {selection.study!r} chose these settings on the data of {len(selection.subjects)} "
            "subjects, and every fold tests one of them, or somebody of the same id: nobody is left who is "
            "surely unseen. Sweep with --set-aside, or search inside every fold (the sweep's --nested); "
            "--as-flat tests them in the column flat, which is optimistic"
        )
    return kept


def _selection_notes(selection: Selection | None, folds: Sequence[Fold]) -> list[str]:
    if selection is None:
        return []
    tested = {name for fold in folds for name in fold.test}
    told = f"settings chosen by sweep {selection.study} on the data of {', '.join(selection.subjects)}"
    n_seen = len(perhaps_among(tested, selection.subjects))
    if n_seen:
        return [f"OPTIMISTIC: {told}; {n_seen} of the {len(tested)} tested subjects are among them"]
    return [f"{told}; none of them is tested, nor was any tested subject among them"]


def _unlabelled_notes(labelled: Sequence[str], table: SegmentTable) -> list[str]:
    left_out = [name for name in table.subjects if name not in labelled]
    return [f"left out, for they have no label for this task: {', '.join(left_out)}"] if left_out else []


def check_modalities(experiment: ExperimentConfig, table: SegmentTable) -> None:
    """Refuse sensors that the features do not have, or that never worked.

    Raises
    ------
    ConfigError : names them
    """
    known = [modality.name for modality in table.modalities]
    unknown = sorted(set(experiment.modalities) - set(known))
    if unknown:
        raise ConfigError(
            f"modalities: {', '.join(unknown)} not in the features, which have {', '.join(known)}"
        )
    for name in experiment.modalities or known:
        if not table.masks[name].any():
            others = ", ".join(other for other in known if other != name) or "none"
            raise ConfigError(
                f"modality {name!r} holds not one valid value in the recordings of {len(table.subjects)} "
                f"subjects: check the sensor's files, or leave it out by naming the others (modalities: "
                f"{others})"
            )


def _check_clock(experiment: ExperimentConfig) -> None:
    """A network that knows time must be told the seconds of a token as they are."""
    told, true = (getattr(part, "token_s", None) for part in (experiment.model, experiment.extraction))
    if told is not None and true is not None and told != true:
        raise ConfigError(
            f"model.token_s is {told:g} s, and a token has {true:g} s (extraction.token_s): set "
            f"model.token_s={true:g}"
        )


def _check_procedure(experiment: ExperimentConfig) -> None:
    """A clean run that tests whom it trains on would fail its one fold; better said before it starts.

    What shows a network how long a clip is, or when it was shown, would not even fail.
    """
    if experiment.procedure.kind == "published":
        return
    flaws = [told for told, is_so in _published_alone(experiment).items() if is_so]
    if flaws:
        raise ConfigError(
            f"{', '.join(flaws)}: shows the network how long a clip is or when it was shown, as only "
            "published procedures do: leave it out, or set procedure.kind=published"
        )
    if experiment.protocol.kind == "random_rows":
        raise ConfigError(
            "protocol random_rows trains and tests on the same people, as only published procedures do: set "
            "procedure.kind=published, or take --protocol loso"
        )


def _published_alone(experiment: ExperimentConfig) -> dict[str, bool]:
    """Settings of data and networks that are flaws of published procedures, and which of them there are."""
    corpus, extraction, model = experiment.corpus, experiment.extraction, experiment.model
    return {
        "corpus.with_clock=true": bool(getattr(corpus, "with_clock", False)),
        "extraction.kind=amigos_published": extraction.kind == "amigos_published",
        "extraction.whole=true": isinstance(extraction, StftTokens) and extraction.whole,
        "model.mask_padding=false": not getattr(model, "mask_padding", True),
    }


def _check_monitor(experiment: ExperimentConfig) -> None:
    """A metric that the task does not have would fail every fold alike."""
    known = {"loss", *metric_names(experiment.task.heads)}
    monitor = experiment.resolved_training.monitor
    if monitor not in known:
        raise ConfigError(
            f"training.monitor {monitor!r}: the task has {', '.join(sorted(known))} (or 'primary', which is "
            f"{experiment.task.primary_metric})"
        )


def check_classes(heads: Sequence[Head], targets: Targets, table: SegmentTable, fold: Fold) -> None:
    """A class that no training subject has can not be learnt; one that the test subject lacks is no error.

    Raises
    ------
    ProtocolError : names the class and the training subjects
    """
    rows = table.rows_of(fold.train)
    for head in heads:
        found = targets[head.name][rows]
        missing = [name for code, name in enumerate(head.classes) if not (found == code).any()]
        if missing:
            raise ProtocolError(
                f"fold {fold.name!r}: no training subject has a segment of {head.name} = "
                f"{', '.join(missing)}, so it can not be learnt (training subjects: "
                f"{', '.join(fold.train)}): use more subjects or another --task"
            )


def _group_notes(experiment: ExperimentConfig, labelled: Sequence[str], table: SegmentTable) -> list[str]:
    sizes = Counter(table.groups[subject] for subject in labelled)
    n_shared = sum(size for size in sizes.values() if size > 1)
    if not n_shared or experiment.protocol.kind == "logo":
        return []
    return [
        f"{n_shared} subjects were recorded in groups: leaving one of them out leaves people in training "
        "who shared the room and the stimulus at the same moment; --protocol logo tests whole groups"
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
