"""What a job script says, and what happens when it runs: from its flags to the results table."""

import logging
import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emo_ray.cli.flags import (
    SCALINGS,
    apply_overrides,
    command_line,
    default_tracking_uri,
    find_root,
    find_tracking_uri,
    job_parser,
    parse_subjects,
    resources_of,
    validated,
)
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.layout import read_layout
from emo_ray.errors import ConfigError, EmoRayError, JournalError, TrackingError
from emo_ray.experiment import ExperimentConfig
from emo_ray.extraction.registry import default_extraction
from emo_ray.models.base import ModelConfig
from emo_ray.models.registry import MODELS
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.study import Study, choose_files, run_study
from emo_ray.reports.terminal import results_table
from emo_ray.reports.writing import ReportPaths, write_report
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import Summary, summarise
from emo_ray.tracking.mlflow import MlflowTracker, shown_uri
from emo_ray.tracking.outbox import Outbox
from emo_ray.training.config import TrainingConfig, published_training

# 1 is an error of ours; 2 a bug, or (argparse) a command line that can not be read.
EXIT_FAILED_FOLDS = 3
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
SMOKE_SUBJECTS = 4


@dataclass(frozen=True)
class LosoJob:
    """What one evaluation job is about.

    Attributes
    ----------
    name : of the script, and of its studies
    corpus : the corpus at a folder or file
    model : the network to evaluate, unless --model names another
    training : how it is trained, unless --training names a published procedure
    scaling : key of `SCALINGS`
    demo : makes the embedded default data (``smoke`` or not) and returns where they lie; None asks for --data
    """

    name: str
    corpus: Callable[[Path], CorpusConfig]
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    scaling: str = "both"
    demo: Callable[[bool], Path] | None = None
    description: str = ""


@dataclass(frozen=True)
class _Watcher:
    """Follows a study for MLflow: the store is checked while features are computed, before folds start."""

    outbox: Outbox | None
    check: Future[None]

    def opened(self, results: StudyResults) -> None:
        """Refuse a tracking store that does not answer; nothing has been started yet."""
        self.check.result()
        if self.outbox:
            self.outbox.opened(results)

    def heard(self, record: RunRecord) -> None:
        """Pass a record on."""
        if self.outbox:
            self.outbox.heard(record)


def run_loso(job: LosoJob, arguments: Sequence[str] | None = None) -> None:
    """Run a job from its command line; ends the process with its exit code."""
    options = job_parser(job.name, job.description).parse_intermixed_args(arguments)
    sys.exit(guarded(lambda: _run(job, options), options.debug))


def guarded(action: Callable[[], int], debug: bool) -> int:
    """Run an action so that errors are sentences for people; ``debug`` shows tracebacks."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        return action()
    except KeyboardInterrupt:
        print(
            "\nstopped: what was finished is recorded; the same command goes on from there", file=sys.stderr
        )
        return EXIT_INTERRUPTED
    except EmoRayError as error:
        if debug:
            raise
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if debug:
            raise
        print(
            f"\nunexpected error: {type(error).__name__}: {error}\nresults that were recorded are intact; "
            "--debug shows where it happened, which belongs into a bug report",
            file=sys.stderr,
        )
        return 2


def _run(job: LosoJob, options: Namespace) -> int:
    root = find_root(options.root)
    uri = find_tracking_uri(options.tracking_uri, root)
    data = options.data.expanduser().resolve() if options.data else _demo_data(job, options)
    # Flags and files are judged before MLflow or Ray costs any time.
    study = _study(job, options, data, root)
    tracker = MlflowTracker(uri, experiment=job.name, artifact_root=root / "artifacts") if uri else None
    watcher = _Watcher(Outbox(tracker) if tracker else None, _check_in_background(tracker, root))
    with cluster(options.address):
        results = run_study(study, watcher)
    summary = summarise(results)
    report = _write(results, summary)
    # After the report is written: MLflow gets a copy of it, and may be away.
    undelivered = _finish_tracking(tracker, watcher, summary, report.folder)
    print(results_table(summary))
    print(f"\nreport      {report.page}")
    if tracker:
        print(f"MLflow      {where_to_look(root, uri)}")
    if undelivered:
        # No failure of the job: nothing is lost, so the exit code stays that of the folds.
        again = own_command("sync", results.name, *_place(root, uri))
        print(f"MLflow lacks {undelivered}: the same command, or {again}, delivers it once MLflow answers")
    print(report.summary)
    return EXIT_FAILED_FOLDS if summary.counts.failed or summary.counts.missing else 0


def _write(results: StudyResults, summary: Summary) -> ReportPaths:
    try:
        return write_report(results, summary)
    except OSError as error:
        raise JournalError(
            f"can not write the report of {results.name} in {results.folder} "
            f"({error.strerror or error}): "
            f"all folds are recorded; once there is room, {own_command('report', results.name)} writes it"
        ) from error


def _check_in_background(tracker: MlflowTracker | None, root: Path) -> Future[None]:
    """Creating a fresh SQLite store takes seconds: it is done once, here, while features are computed."""
    if tracker is None:
        done: Future[None] = Future()
        done.set_result(None)
        return done
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"can not make {root} ({error.strerror}): use --root to name another folder"
        ) from error
    # `_Watcher.opened` asks for its result, which is where it may still refuse.
    return ThreadPoolExecutor(1, "mlflow-check").submit(tracker.check)


def _finish_tracking(tracker: MlflowTracker | None, watcher: _Watcher, summary: Summary, report: Path) -> str:
    """Deliver what waits and close the study's run; returns in words what could not be delivered."""
    if tracker is None or watcher.outbox is None:
        return ""
    left = watcher.outbox.close()
    if left:
        return f"{left} runs"
    try:
        tracker.finish_study(summary, report)
    except TrackingError as error:
        logging.getLogger(__name__).warning("%s", error)
        return "the study's report"
    return ""


def _demo_data(job: LosoJob, options: Namespace) -> Path:
    if job.demo is None:
        raise ConfigError(
            f"{job.name} needs --data: the folder or file of the corpus, or a YAML that describes it"
        )
    return job.demo(options.smoke)


def _study(job: LosoJob, options: Namespace, data: Path, root: Path) -> Study:
    subjects, protocol = parse_subjects(options.subjects)
    # The demo of --smoke is small as it is made; data of one's own are cut here.
    is_small_try = options.smoke and options.data and not options.subjects
    if is_small_try:
        protocol = {"n_subjects": SMOKE_SUBJECTS}
    base = _experiment(job, options, data, protocol)
    files = choose_files(base.corpus.find_subjects(), subjects)
    if is_small_try:  # a few more than it takes, for some may have no label
        files = dict(list(files.items())[: 2 * SMOKE_SUBJECTS])
    return Study(
        experiments=tuple(
            base.model_copy(update={"scaling": scaling}) for scaling in _scalings(job, options, base)
        ),
        files=files,
        root=root,
        name=options.study,
        job=job.name + ("-smoke" if options.smoke else ""),
        experiment=job.name,
        command=command_line(),
        refresh=options.refresh,
        resources=resources_of(options),
    )


def _scalings(job: LosoJob, options: Namespace, base: ExperimentConfig) -> tuple[str, ...]:
    """The columns of the study: --scaling, else an override of the field, else the job's."""
    is_override = any(override.startswith("scaling=") for override in options.overrides)
    if is_override and options.scaling:
        raise ConfigError("give either --scaling or scaling=..., not both")
    # An override pins one column, even for a job that shows both.
    return (base.scaling,) if is_override else SCALINGS[options.scaling or job.scaling]


def _experiment(job: LosoJob, options: Namespace, data: Path, protocol: dict[str, Any]) -> ExperimentConfig:
    """The job's experiment with its flags, then its dotted overrides."""
    corpus = read_layout(data) if data.suffix in (".yaml", ".yml") else job.corpus(data)
    tasks = corpus.tasks()
    task = options.task or next(iter(tasks))
    if task not in tasks:
        raise ConfigError(f"--task {task!r}: the corpus has {', '.join(tasks)}")
    base = validated(
        {
            "corpus": corpus,
            "extraction": default_extraction(corpus),
            "task": tasks[task],
            "model": _model(options.model) if options.model else job.model,
            "training": published_training(options.training) if options.training else job.training,
            "protocol": {"kind": options.protocol or "loso", **protocol, **_small_hold_out(options)},
        }
    )
    # Flags are overrides with a short name: checked alike, and a dotted one beside them wins.
    flags = {
        "training.max_epochs": 2 if options.smoke and options.epochs is None else options.epochs,
        "seed": options.seed,
    }
    given = [f"{name}={value}" for name, value in flags.items() if value is not None]
    return apply_overrides(base, [*given, *options.overrides])


def _small_hold_out(options: Namespace) -> dict[str, int]:
    # The default of 7 test subjects is more than a smoke run has.
    return {"n_test": 1} if options.smoke and options.protocol == "hold_out" else {}


def _model(text: str) -> dict[str, str]:
    kind, _, variant = text.partition(":")
    if kind not in MODELS:
        raise ConfigError(f"--model {kind!r}: there are {', '.join(MODELS)}")
    # A variant that does not exist is told of together with all other problems.
    return {"kind": kind, "variant": variant} if variant else {"kind": kind}


def where_to_look(root: Path, uri: str) -> str:
    """The exact command that opens the MLflow UI, or the address of the server that has it already."""
    if uri.startswith(("http://", "https://")):
        return shown_uri(uri)
    return own_command("ui", *_place(root, uri))


def own_command(*words: str) -> str:
    """A command of ``emo-ray`` as one can type it here, quoted where it has to be."""
    script = Path(sys.executable).with_name("emo-ray")
    program = [os.path.relpath(script)] if script.exists() else [sys.executable, "-m", "emo_ray.cli.main"]
    return shlex.join([*program, *words])


def _place(root: Path, uri: str) -> list[str]:
    # A command to copy: short where the default holds, and never with a password in it.
    is_default = uri == default_tracking_uri(root)
    return ["--root", str(root), *([] if is_default else ["--tracking-uri", shown_uri(uri)])]


__all__ = ["LosoJob", "guarded", "own_command", "run_loso", "where_to_look"]
