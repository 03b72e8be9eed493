"""The command line that jobs share: flags, and dotted overrides of any field of the experiment."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from emo_ray.config_errors import explain
from emo_ray.errors import ConfigError
from emo_ray.files import shown_uri

if TYPE_CHECKING:
    from emo_ray.orchestration.resources import Resources

# Copies of what the registries hold: to ask these would load torch before a command line is even read.
MODEL_KINDS = (
    "amigos_lstm",
    "dgcnn",
    "eegnet",
    "gru_xnet",
    "mlp",
    "phy_fusionnet",
    "phy_fusionnet_row",
    "res_attentio_net",
)
PROTOCOL_KINDS = ("loso", "logo", "lodo", "hold_out", "random_rows")
DUPLICATE_RULES = ("refuse", "group", "ignore")
PUBLISHED_PROCEDURES = (
    "lightweight",
    "moderate",
    "loso",
    "30-7",
    "loso-all",
    "phy-fusionnet-trial",
    "phy-fusionnet",
    "gru-xnet",
    "res-attentio-net-annex",
    "res-attentio-net",
)
SCALINGS = {"train": ("train",), "transductive": ("transductive",), "both": ("train", "transductive")}


def shared_parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser with the flags of every job."""
    # No abbreviations: a flag that is added later could change what one means in somebody's script.
    parser = argparse.ArgumentParser(prog=name, description=description, allow_abbrev=False)
    add = parser.add_argument
    add("--data", type=Path, help="folder or file of the corpus, or a YAML that describes your own data")
    add("--corpus", default="", help="kind of corpus in --data, where the job's own kind is not meant")
    add("--task", help="which target; the corpus says which there are")
    add("--model", help=f"one of {', '.join(MODEL_KINDS)}, with a variant after a colon: amigos_lstm:loso")
    add(
        "--training",
        choices=PUBLISHED_PROCEDURES,
        help="train as a published run did; never a default",
    )
    add("--protocol", choices=PROTOCOL_KINDS, help="rule that yields folds")
    add(
        "--duplicates",
        choices=DUPLICATE_RULES,
        help="two subjects who are near copies of each other: refuse to start (default), group or ignore",
    )
    add(
        "--subjects",
        help="a number (the first so many; features are made of all), seeded:N (a seeded choice), or names: "
        "P01,P02,P05",
    )
    add("--exclude", default="", help="names of subjects to leave out, for instance with a broken file: P03")
    add(
        "--scaling",
        choices=list(SCALINGS),
        help="whose moments standardise a subject; 'both' gives both columns",
    )
    add("--epochs", type=int, help="most epochs of a run")
    add("--seed", type=int, help="the one integer that all random streams come from")
    add("--study", default="", help="name of the study; the default names it by its content")
    add(
        "--root",
        type=Path,
        help="holds store, studies and MLflow; else EMO_RAY_ROOT, else the user's data folder",
    )
    add(
        "--tracking-uri",
        help="MLflow store; else MLFLOW_TRACKING_URI, else SQLite below the root; 'none' for no tracking",
    )
    add(
        "--address", help="Ray cluster to run on; else RAY_ADDRESS, else a cluster of its own on this machine"
    )
    add("--cpus-per-run", type=float, default=1.0, help="cores a fold takes (it uses one thread)")
    add("--gpus-per-run", type=float, default=0.0, help="GPUs a fold takes; a fraction lets folds share one")
    add(
        "--workers-per-run", type=int, default=1, help="workers that train one fold together, each with these"
    )
    add("--smoke", action="store_true", help="a few subjects and two epochs: does everything work here?")
    add("--refresh", action="store_true", help="compute the features again")
    add("--debug", action="store_true", help="show tracebacks")
    add(
        "overrides",
        nargs="*",
        metavar="FIELD=VALUE",
        help="any field: training.batch_size=32 extraction.baseline=mask",
    )
    return parser


def loso_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The parser of a job that evaluates one setting."""
    parser = shared_parser(name, description)
    parser.add_argument(
        "--procedure",
        choices=("clean", "published"),
        default="clean",
        help="published: run the job's system as its authors did, leaks included, beside the clean one",
    )
    parser.add_argument(
        "--from-sweep",
        metavar="STUDY",
        help="evaluate what this sweep of the same root has chosen, on the people that it has not seen",
    )
    parser.add_argument(
        "--as-flat",
        action="store_true",
        help="with --from-sweep: test those people, too, in a result that says that it is optimistic",
    )
    return parser


def command_line() -> str:
    """The command of this process as one could type it again."""
    # Without passwords: it stands in study.json, in MLflow and in the report.
    return shlex.join([Path(sys.executable).name, *map(shown_uri, sys.argv)])


def resources_of(options: argparse.Namespace) -> "Resources":
    """What a run gets.

    Raises
    ------
    ConfigError : a share that is no share
    """
    from emo_ray.orchestration.resources import Resources

    try:
        return Resources(
            cpus_per_run=options.cpus_per_run,
            gpus_per_run=options.gpus_per_run,
            workers_per_run=options.workers_per_run,
        )
    except ValidationError as error:
        raise ConfigError(explain(error, Resources, "resources of a run")) from error


def parse_subjects(text: str | None) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Names of subjects, or how many of them as protocol fields: "10" and "seeded:10".

    Raises
    ------
    ConfigError : neither a number nor names
    """
    if not text:
        return (), {}
    # "10" leaves the choice empty.
    choice, _, number = text.rpartition(":")
    if number.isdigit() and choice in ("", "first", "seeded"):
        return (), {"n_subjects": int(number), "choice": choice or "first"}
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names or choice:
        raise ConfigError(f"--subjects {text!r}: give a number, seeded:N, or names with commas between")
    return names, {}
