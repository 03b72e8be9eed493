"""``emo-ray synthesize``: files in the layout of a corpus, to try everything before the licence comes."""

import argparse
from pathlib import Path

from pydantic import ValidationError

from emo_ray.cli.demo import write
from emo_ray.cli.overrides import parse_overrides
from emo_ray.config_errors import explain, suggestion
from emo_ray.errors import ConfigError
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.registry import WRITERS

SMALL_SUBJECTS = 4  # so many take part in a job with --smoke


def synthesize(options: argparse.Namespace) -> int:
    """Write what the command line asks for."""
    files = files_of(options)
    folder = options.out.expanduser().resolve()
    _check_empty(folder)
    try:
        n_files = write(files, folder)
    except OSError as error:
        raise ConfigError(f"can not write to {folder}: {error.strerror or error}") from error
    print(f"{n_files} files of {files.n_subjects} synthetic subjects in {folder}")
    print(f"look at them with: emo-ray inspect {folder}")
    return 0


def files_of(options: argparse.Namespace) -> CorpusFiles:
    """What to write, from the command line.

    Raises
    ------
    ConfigError : a field that the writer does not have, or a value that it does not take; all at once
    """
    if options.kind not in WRITERS:
        raise ConfigError(f"synthesize {options.kind!r}: {suggestion(options.kind, list(WRITERS))}")
    writer = WRITERS[options.kind]
    base = writer.small(SMALL_SUBJECTS) if options.small else writer()
    given = {"n_subjects": options.subjects, "seed": options.seed, **parse_overrides(options.fields)}
    content = base.model_dump() | {name: value for name, value in given.items() if value is not None}
    try:
        return writer.model_validate(content)
    except ValidationError as error:
        raise ConfigError(explain(error, writer, f"synthesize {options.kind}")) from error


def _check_empty(folder: Path) -> None:
    # Beside genuine recordings they could be taken for genuine.
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not an empty folder: name a new one, so that nothing is mixed up")
    folder.mkdir(parents=True, exist_ok=True)
