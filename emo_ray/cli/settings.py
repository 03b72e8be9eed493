"""From the flags that all jobs share to an experiment and its subjects."""

from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emo_ray.cli.definition import LosoJob
from emo_ray.cli.flags import SCALINGS, command_line, parse_subjects, resources_of
from emo_ray.cli.overrides import parse_overrides
from emo_ray.cli.systems import published_parts
from emo_ray.config_errors import suggestion
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.corpus_files import choose_files
from emo_ray.corpora.layout import read_layout
from emo_ray.corpora.recognition import corpus_of_kind, recognised, with_settings
from emo_ray.errors import ConfigError
from emo_ray.experiment import ExperimentConfig, Selection, validated
from emo_ray.extraction.registry import default_extraction
from emo_ray.models.registry import MODELS
from emo_ray.orchestration.study import Study
from emo_ray.training.published import published_training

SMOKE_SUBJECTS = 4
SMOKE_EPOCHS = 2
EPOCHS = "training.max_epochs"
CORPUS = "corpus."


@dataclass(frozen=True)
class Cohort:
    """Who takes part.

    Attributes
    ----------
    names : subjects by name; empty is all
    excluded : subjects by name who are left out, for instance because a file of theirs is broken
    protocol : fields of the protocol: how many of them, which, and what if two are one person
    n_files : read those of so many subjects at most
    """

    names: tuple[str, ...]
    protocol: Mapping[str, Any]
    n_files: int | None = None
    excluded: tuple[str, ...] = ()

    def files(self, corpus: CorpusConfig) -> Mapping[str, tuple[Path, ...]]:
        """Subjects to read, and the files of each."""
        everybody = corpus.find_subjects()
        left_out = choose_files(everybody, self.excluded, "--exclude") if self.excluded else {}
        found = choose_files(everybody, self.names)
        kept = [(subject, files) for subject, files in found.items() if subject not in left_out]
        return dict(kept[: self.n_files])


def cohort_of(options: Namespace) -> Cohort:
    """Who takes part, from --subjects, --duplicates and --smoke."""
    names, number = parse_subjects(options.subjects)
    excluded = tuple(name.strip() for name in options.exclude.split(",") if name.strip())
    # Left out where it is not given, so that an override of the field holds.
    protocol = {**number, **({"duplicates": options.duplicates} if options.duplicates else {})}
    # The demo of --smoke is small as it is made; data of one's own are cut here.
    if options.smoke and options.data and not options.subjects:
        # a few more files than it takes, for some may have no label
        return Cohort(names, {**protocol, "n_subjects": SMOKE_SUBJECTS}, 2 * SMOKE_SUBJECTS, excluded)
    return Cohort(names, protocol, excluded=excluded)


def find_corpus(job: LosoJob, options: Namespace) -> CorpusConfig:
    """The corpus of --data, or of the job's embedded data.

    Raises
    ------
    ConfigError : neither is there, or the layout file is wrong
    """
    if options.data is None and job.demo is None:
        raise ConfigError(
            f"{job.name} needs --data: the folder or file of the corpus, or a YAML that describes it"
        )
    if options.data is None:
        assert job.demo is not None, "refused above"
        return job.corpus(job.demo(options.smoke))
    data = options.data.expanduser().resolve()
    corpus = _corpus_at(job, data, options.corpus)
    fields = {
        name.removeprefix(CORPUS): value
        for name, value in parse_overrides(options.overrides).items()
        if name.startswith(CORPUS)
    }
    # What is read decides which tasks and which extraction there are. A field that is wrong is told of later,
    # together with all others.
    with suppress(ConfigError):
        corpus = with_settings(corpus, fields)
    return corpus


def _corpus_at(job: LosoJob, data: Path, kind: str) -> CorpusConfig:
    if is_layout(data):
        return read_layout(data)
    if kind:
        return corpus_of_kind(data, kind)
    corpus = job.corpus(data)
    # Asked of its own kind first: to ask all of them is to look through the whole folder for each.
    is_its_own = not data.exists() or type(corpus).recognise(data) is not None
    others = [] if is_its_own else [other.kind for other in recognised(data)]
    if others:
        raise ConfigError(
            f"{data} looks like {' or '.join(others)}, and {job.name} reads {corpus.kind}: use jobs/loso.py, "
            f"or say --corpus {corpus.kind} if it is that after all"
        )
    return corpus


def is_layout(data: Path) -> bool:
    """Whether a file describes data, rather than holds them."""
    return data.suffix in (".yaml", ".yml")


def experiment_of(
    job: LosoJob, options: Namespace, corpus: CorpusConfig, protocol: Mapping[str, Any]
) -> ExperimentConfig:
    """The job's experiment with its flags; its dotted overrides are not in it yet."""
    usual = {
        "extraction": default_extraction(corpus),
        "task": next(iter(corpus.tasks().values())),
        "model": job.own_model,
        "training": job.own_training,
    }
    own = job.system().clean(corpus) if job.system else {}
    kind = {"kind": options.protocol or "loso"}
    return validated(
        {
            **usual,
            **own,
            "corpus": corpus,
            **_asked(options, corpus),
            "protocol": {**kind, **protocol, **_small_hold_out(options, options.protocol)},
        }
    )


def published_experiment(
    job: LosoJob, options: Namespace, corpus: CorpusConfig, clean: ExperimentConfig
) -> ExperimentConfig:
    """The job's system as published on such a corpus, on the same people and task as the clean one.

    Raises
    ------
    ConfigError : nothing was published, or it has other targets than the clean experiment
    """
    parts = dict(published_parts(job.system() if job.system else None, corpus, job.name))
    # The same people, whether flags or dotted overrides chose them.
    people = clean.protocol.model_dump(include={"n_subjects", "choice", "duplicates"})
    protocol = {**parts.pop("protocol"), **people}
    if "n_test" in protocol:
        n_people = clean.protocol.n_subjects or len(cohort_of(options).files(corpus))
        # Of fewer people than its authors had, as many as leave one to train and one to validate.
        protocol["n_test"] = max(1, min(protocol["n_test"], n_people - 2))
    protocol |= _small_hold_out(options, protocol["kind"])
    usual = {"task": clean.task, "references": clean.references, "seed": clean.seed}
    content = {**usual, "corpus": corpus, **parts, **_asked(options, corpus, "task"), "protocol": protocol}
    given = {key: value for key, value in given_settings(options).items() if key in (EPOCHS, "seed")}
    experiment = validated(content).changed(given)
    if experiment.task.heads != clean.task.heads:
        raise ConfigError(
            f"--procedure published: it predicts {_targets(experiment)}, and the clean experiment "
            f"{_targets(clean)}: leave --task out, so that both answer the same question"
        )
    return experiment


def _targets(experiment: ExperimentConfig) -> str:
    return ", ".join(
        f"{head.name} ({' / '.join(head.classes) or head.kind})" for head in experiment.task.heads
    )


def _asked(options: Namespace, corpus: CorpusConfig, *names: str) -> dict[str, Any]:
    """Parts of an experiment that flags name, of all or of some."""
    found: dict[str, Any] = {}
    if options.task:
        tasks = corpus.tasks()
        if options.task not in tasks:
            raise ConfigError(f"--task {options.task!r}: the corpus has {', '.join(tasks)}")
        found["task"] = tasks[options.task]
    if options.model:
        found["model"] = model_of(options.model)
    if options.training:
        found["training"] = published_training(options.training)
    return {name: part for name, part in found.items() if not names or name in names}


def given_settings(options: Namespace) -> dict[str, Any]:
    """Values of fields by dotted name: the flags that are short for one, then the dotted overrides."""
    epochs = SMOKE_EPOCHS if options.smoke and options.epochs is None else options.epochs
    flags = {EPOCHS: epochs, "seed": options.seed}
    # Checked alike, and a dotted one beside a flag wins.
    return {
        **{name: value for name, value in flags.items() if value is not None},
        **parse_overrides(options.overrides),
    }


def scalings(options: Namespace, base: ExperimentConfig, default: str) -> tuple[str, ...]:
    """The columns of the study: --scaling, else an override of the field, else the job's."""
    is_override = any(override.startswith("scaling=") for override in options.overrides)
    if is_override and options.scaling:
        raise ConfigError("give either --scaling or scaling=..., not both")
    # An override pins one column, even for a job that shows both.
    return (base.scaling,) if is_override else SCALINGS[options.scaling or default]


def columns_of(base: ExperimentConfig, names: tuple[str, ...]) -> tuple[ExperimentConfig, ...]:
    """One experiment a column."""
    return tuple(base.model_copy(update={"scaling": scaling}) for scaling in names)


def study_of(
    job: LosoJob,
    options: Namespace,
    root: Path,
    experiments: tuple[ExperimentConfig, ...],
    selection: Selection | None = None,
) -> Study:
    """What is run, for whom, and where it is kept."""
    return Study(
        experiments=experiments,
        files=cohort_of(options).files(experiments[0].corpus),
        root=root,
        name=options.study,
        job=job.name + ("-smoke" if options.smoke else ""),
        experiment=job.name,
        command=command_line(),
        refresh=options.refresh,
        resources=resources_of(options),
        selection=selection,
    )


def model_of(text: str) -> dict[str, str]:
    """A model's settings from ``kind`` or ``kind:variant``.

    Raises
    ------
    ConfigError : there is no such model
    """
    kind, _, variant = text.partition(":")
    if kind not in MODELS:
        raise ConfigError(f"--model {kind!r}: {suggestion(kind, list(MODELS))}")
    # A variant that does not exist is told of together with all other problems.
    return {"kind": kind, MODELS[kind].variant_field: variant} if variant else {"kind": kind}


def _small_hold_out(options: Namespace, protocol: str | None) -> dict[str, int]:
    # The default of 7 test subjects is more than a smoke run has.
    return {"n_test": 1} if options.smoke and protocol == "hold_out" else {}
