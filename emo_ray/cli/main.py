"""The ``emo-ray`` command: its subcommands and their flags."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from emo_ray.cli.guard import guarded

Add = Callable[..., Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; ends the process with its exit code."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse takes no positional argument after a flag: FIELD=VALUE may stand anywhere.
    unknown = [word for word in rest if word.startswith("-") or "=" not in word]
    if unknown or (rest and "fields" not in options):
        parser.error(f"unrecognized arguments: {' '.join(unknown or rest)}")
    if rest:
        options.fields += rest
    sys.exit(guarded(lambda: _run(options), options.debug))


def _run(options: argparse.Namespace) -> int:
    # Imported now: what one command needs (MLflow, readers) the others need not wait for.
    module, function = options.command
    exit_code: int = getattr(import_module(f"emo_ray.cli.{module}"), function)(options)
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emo-ray", description="Look at corpora, and at what emo_ray has computed."
    )
    parser.set_defaults(debug=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", help="show tracebacks")
    root = argparse.ArgumentParser(add_help=False)
    root.add_argument(
        "--root", type=Path, help="where the studies are; else EMO_RAY_ROOT, else the user's data folder"
    )
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument(
        "--tracking-uri", help="MLflow store; else MLFLOW_TRACKING_URI, else SQLite below the root"
    )

    def command(name: str, module: str, text: str, parents: list[argparse.ArgumentParser]) -> Add:
        one = commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=parents
        )
        one.set_defaults(command=(module, name))
        return one.add_argument

    _inspect(
        command("inspect", "inspect", "recognise a corpus, count what it holds, draw a trial", [root, debug])
    )
    _synthesize(
        command("synthesize", "synthesize", "write synthetic files in the layout of a corpus", [debug])
    )
    add = command("ui", "studies", "open the MLflow UI", [root, store, debug])
    add("--port", type=int, default=5000)
    command("studies", "studies", "list the studies", [root, debug])
    add = command("dashboard", "studies", "open the candidates of a sweep in optuna-dashboard", [root, debug])
    add("study")
    add("--port", type=int, default=8080)
    add("--storage", default="", help="with its password, where it is a database that has one")
    add = command("report", "studies", "make the report of a study again from its journal", [root, debug])
    add("study")
    add = command(
        "artifacts", "studies", "write a study as Phy-FusionNet's files: JSON, PNG, scalars", [root, debug]
    )
    add("study")
    add("out", type=Path, help="folder to write to; files of an earlier time are replaced")
    add("--sweep", default="", help="the sweep that chose the settings, for Optuna's figures")
    add = command("sync", "studies", "deliver to MLflow what it lacks of a study", [root, store, debug])
    add("study")
    _predict(
        command("predict", "predict", "say what a final model says of a recording", [root, store, debug])
    )
    return parser


def _inspect(add: Add) -> None:
    add("data", type=Path, help="folder or file of a corpus, or a YAML that describes your own data")
    add("fields", nargs="*", metavar="FIELD=VALUE", help="fields of the corpus, for instance content=de_LDS")
    add("--corpus", default="", help="kind of corpus, where it is not recognised")
    add("--subjects", default="", help="names of some subjects: s01,s02")
    add("--page", type=Path, help="HTML file to write; else inspected/ below the root")


def _predict(add: Add) -> None:
    add("model", metavar="MODEL", help="folder of a model, or NAME, NAME/3 or models:/NAME/3 in MLflow")
    add("recording", metavar="RECORDING", type=Path, help="files in a corpus's layout, or a request (.json)")
    add("--subject", default="", help="whose recordings, where the files hold several people's")
    add("--out", type=Path, help="write the predictions: .csv or .parquet (segments), .json (trials, too)")
    add(
        "--as-request", type=Path, metavar="FILE", help="write what a scoring server is sent; predict nothing"
    )


def _synthesize(add: Add) -> None:
    add("kind", metavar="CORPUS", help="whose layout; a wrong name lists them")
    add("out", type=Path, help="folder to write to; new or empty")
    add("fields", nargs="*", metavar="FIELD=VALUE", help="quirks and sizes, for instance strength=0")
    add("--subjects", type=int, help="how many people")
    add("--seed", type=int, default=0)
    add(
        "--small",
        action="store_true",
        help="few and short trials, quickly written; not the release's sizes",
    )


if __name__ == "__main__":
    main()
