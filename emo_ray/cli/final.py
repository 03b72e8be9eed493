"""``jobs/train_final.py``: a chosen configuration on all people, as a package and in MLflow's registry."""

import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emo_ray.cli.definition import LosoJob
from emo_ray.cli.flags import shared_parser
from emo_ray.cli.guard import guarded
from emo_ray.cli.places import find_root, find_tracking_uri
from emo_ray.corpora.base import PLACES
from emo_ray.errors import ConfigError

if TYPE_CHECKING:
    from emo_ray.deployment.choice import Choice
    from emo_ray.experiment import ExperimentConfig
    from emo_ray.orchestration.final import FinalModel, FinalTraining

OTHERS_SAY = ("model", "training")
"""Flags that say what a study or a sweep has said already."""


def run_final(job: LosoJob, arguments: Sequence[str] | None = None) -> None:
    """Run the job from its command line; ends the process with its exit code."""
    options = final_parser(job).parse_intermixed_args(arguments)
    sys.exit(guarded(lambda: _run(job, options), options.debug))


def final_parser(job: LosoJob) -> ArgumentParser:
    """The parser of a job that trains a final model."""
    parser = shared_parser(job.name, job.description)
    add = parser.add_argument
    add("--from-study", metavar="STUDY", help="settings, epochs and thresholds of this evaluation study")
    add("--from-sweep", metavar="STUDY", help="settings, epochs and thresholds that this sweep has chosen")
    add("--name", default="", help="of the model; by default corpus, task and network")
    # Nobody is tested here, so nobody can be tested who has chosen.
    parser.set_defaults(as_flat=True)
    return parser


def _run(job: LosoJob, options: Namespace) -> int:
    # Late, for what follows loads torch.
    from emo_ray.cli.flags import command_line
    from emo_ray.cli.outcome import check_in_background
    from emo_ray.orchestration.cluster import cluster
    from emo_ray.orchestration.final import train_final
    from emo_ray.tracking.registered import ModelRegistry

    root = find_root(options.root)
    uri = find_tracking_uri(options.tracking_uri, root)
    wanted = final_training(job, options, root)
    registry = ModelRegistry(uri, job.name, root / "artifacts") if uri else None
    check = check_in_background(registry.store.check if registry else None, root)
    print(f"{wanted.choice.source}: {_epochs(wanted.choice.n_epochs)}", file=sys.stderr)
    check.result()
    with cluster(options.address):
        found = train_final(wanted)
    _tell(found)
    if registry is not None:
        registered = registry.register(found.folder, command_line())
        print(f"registered  {registered.uri}{'' if registered.is_new else ' (it was there)'}")
        print(f"serve       {_serve_command(uri, registered.uri)}")
    print(found.folder)
    return 0


def final_training(job: LosoJob, options: Namespace, root: Path) -> "FinalTraining":
    """What a command asks for.

    Raises
    ------
    EmoRayError : a flag, a file or a setting is wrong
    """
    from emo_ray.cli.flags import resources_of
    from emo_ray.cli.settings import cohort_of
    from emo_ray.orchestration.final import FinalTraining

    if options.from_study and options.from_sweep:
        raise ConfigError("--from-study and --from-sweep: give one, for each has settings of its own")
    if options.scaling == "both":
        raise ConfigError("--scaling both: a model has one; give train or transductive")
    experiment, choice = _chosen(job, options, root)
    if options.epochs is not None:
        choice = replace(
            choice, n_epochs=options.epochs, source=f"{choice.source}; --epochs {options.epochs}"
        )
    training = experiment.training.model_copy(update={"max_epochs": choice.n_epochs})
    experiment = experiment.model_copy(update={"training": training})
    cohort = cohort_of(options)
    files = cohort.files(experiment.corpus)
    n_subjects = cohort.protocol.get("n_subjects")
    if n_subjects is not None:
        files = dict(list(files.items())[:n_subjects])
    return FinalTraining(
        experiment=experiment,
        files=files,
        root=root,
        name=_name(options, experiment),
        choice=choice,
        resources=resources_of(options),
        refresh=options.refresh,
    )


def _chosen(job: LosoJob, options: Namespace, root: Path) -> "tuple[ExperimentConfig, Choice]":
    if options.from_sweep:
        return _of_sweep(job, options, root)
    if options.from_study:
        return _of_study(job, options, root)
    return _by_hand(job, options)


def _by_hand(job: LosoJob, options: Namespace) -> "tuple[ExperimentConfig, Choice]":
    from emo_ray.cli.settings import SMOKE_EPOCHS, experiment_of, find_corpus, given_settings
    from emo_ray.deployment.choice import Choice

    n_epochs = SMOKE_EPOCHS if options.smoke and options.epochs is None else options.epochs
    if n_epochs is None:
        raise ConfigError(
            f"{job.name} needs --epochs: nobody is set aside to tell when to stop. --from-study or "
            "--from-sweep takes the number that their people told"
        )
    base = experiment_of(job, options, find_corpus(job, options), {})
    settings = {**given_settings(options), **({"scaling": options.scaling} if options.scaling else {})}
    return base.changed(settings), Choice(n_epochs=n_epochs)


def _of_sweep(job: LosoJob, options: Namespace, root: Path) -> "tuple[ExperimentConfig, Choice]":
    from emo_ray.cli.from_sweep import handed_on
    from emo_ray.deployment.choice import Choice
    from emo_ray.deployment.package import StudyScore
    from emo_ray.results.search_journal import load_search
    from emo_ray.search.desk import chosen_from

    experiment, selection, _ = handed_on(job, options, root)
    results = load_search(root / "studies" / options.from_sweep)
    best = results.best("")
    assert best is not None, "handed_on refuses a sweep without a winner"
    chosen = chosen_from(best, selection.subjects)
    metric = results.objectives[0]
    return experiment, Choice(
        n_epochs=chosen.n_epochs,
        thresholds=chosen.thresholds,
        source=f"candidate {best.number} of sweep {selection.study}",
        study=selection.study,
        seen=selection.subjects,
        scores=(StudyScore(metric=metric, mean=best.values[0], n_subjects=len(selection.subjects)),),
        meaning=(
            f"{metric} on the people who chose these settings in sweep {selection.study}: optimistic. Sweep "
            "with --set-aside or --nested for a score on people whom the sweep has not seen"
        ),
        selection=selection,
    )


def _of_study(job: LosoJob, options: Namespace, root: Path) -> "tuple[ExperimentConfig, Choice]":
    from emo_ray.cli.settings import given_settings
    from emo_ray.deployment.choice import choice_of_study
    from emo_ray.experiment import validated
    from emo_ray.results.study_folder import load_study

    given = [f"--{flag}" for flag in OTHERS_SAY if getattr(options, flag)]
    own = [name for name in given_settings(options) if not _is_ours(name)]
    if given or own:
        raise ConfigError(
            f"--from-study {options.from_study}: its settings are what was evaluated; leave out "
            f"{', '.join([*given, *own])}"
        )
    results = load_study(root / "studies" / options.from_study)
    column = "transductive" if options.scaling == "transductive" else "flat"
    settings, choice = choice_of_study(results, column)
    return validated({**settings, "corpus": corpus_of_study(job, options, settings)}), choice


def _is_ours(name: str) -> bool:
    """Fields that say where data lie, or how long to train: the command's to say."""
    part, _, field = name.partition(".")
    return name == "training.max_epochs" or (part == "corpus" and field.partition(".")[0] in PLACES)


def corpus_of_study(job: LosoJob, options: Namespace, settings: Mapping[str, Any]) -> Any:
    """The corpus as the study read it, at the places that this command names.

    Raises
    ------
    ConfigError : the data are of another kind
    """
    from emo_ray.cli.settings import find_corpus, is_layout

    given, known = find_corpus(job, options), settings["corpus"]
    if given.kind != known["kind"]:
        raise ConfigError(
            f"--from-study {options.from_study}: the study read {known['kind']} and --data holds "
            f"{given.kind}: name the data that the study was about"
        )
    if options.task and given.tasks().get(options.task) is None:
        raise ConfigError(f"--task {options.task!r}: the corpus has {', '.join(given.tasks())}")
    # A layout file describes new data; a bare path is read as the study read its own.
    if options.data and is_layout(options.data):
        return given
    return {**known, **given.model_dump(include=PLACES)}


def _name(options: Namespace, experiment: "ExperimentConfig") -> str:
    if not options.name:
        heads = "_".join(head.name for head in experiment.task.heads)
        found = f"{experiment.corpus.kind}-{heads}-{experiment.model.kind}"
        return re.sub(r"[^A-Za-z0-9._-]+", "_", found)[:80]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", options.name):
        raise ConfigError(f"--name {options.name!r}: use letters, digits, '.', '_' and '-' only, at most 80")
    return str(options.name)


def _tell(found: "FinalModel") -> None:
    content, lineage = found.content, found.content.lineage
    made = "trained" if found.is_new else "found, trained before"
    print(
        f"{content.name}: {made} on {lineage.n_segments} segments of {len(lineage.subjects)} people, "
        f"{_epochs(lineage.n_epochs)}, {lineage.n_parameters} weights"
    )
    for score in lineage.scores:
        shown = "undefined" if score.mean is None else f"{score.mean:.3f}"
        ends = (
            f" [{score.low:.3f}, {score.high:.3f}]"
            if score.low is not None and score.high is not None
            else ""
        )
        print(f"{score.metric}: {shown}{ends}")
    print(lineage.meaning)


def _epochs(number: int) -> str:
    return f"{number} epoch{'' if number == 1 else 's'}"


def _serve_command(uri: str, model: str) -> str:
    import shlex

    from emo_ray.files import shown_uri

    store = shlex.quote(f"MLFLOW_TRACKING_URI={shown_uri(uri)}")
    return f"env {store} mlflow models serve -m {model} --env-manager local --port 5001"
