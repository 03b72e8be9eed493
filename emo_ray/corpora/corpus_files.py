"""Finding the files of a corpus: by name at any depth, none twice, none outside the folder."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from emo_ray.errors import CorpusError

Key = TypeVar("Key", bound=Hashable)

APPLE_DOUBLE = "._"  # what macOS leaves on foreign disks beside every file, under its name


def matching_files(folder: Path, pattern: re.Pattern[str]) -> dict[Path, re.Match[str]]:
    """All files below a folder whose whole name a pattern matches, sorted by path.

    At any depth, as most corpora travel in several packagings; hidden folders count, too.

    Raises
    ------
    CorpusError : there is no such folder; a file is a link that leads out of it, or nowhere
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is no folder: set the path to the folder of the corpus")
    found: dict[Path, re.Match[str]] = {}
    for file in sorted(folder.rglob("*")):
        match = pattern.fullmatch(file.name)
        if match is None or file.name.startswith(APPLE_DOUBLE) or file.is_dir():
            continue
        check_inside(file, folder)
        found[file] = match
    return found


def check_inside(file: Path, folder: Path) -> None:
    """Refuse links that lead out of the corpus folder, or nowhere.

    Raises
    ------
    CorpusError : names the link and where it leads
    """
    target = file.resolve()
    if not target.is_relative_to(folder.resolve()):
        raise CorpusError(
            f"{file} is a link to {target}, outside {folder}: set the path to the folder of the files"
        )
    if not target.is_file():
        raise CorpusError(f"{file} is not a file (it leads to {target}): remove it or restore the file")


def one_each(found: Iterable[tuple[Key, Path]], what: str) -> dict[Key, Path]:
    """One file a key, in the order given.

    Parameters
    ----------
    found : for instance ``((subject, session), file)``
    what : a key stands for, for the message: ``"subject and session"``

    Raises
    ------
    CorpusError : two files have one key
    """
    files: dict[Key, Path] = {}
    for key, file in found:
        if key in files:
            named = ", ".join(map(str, key)) if isinstance(key, tuple) else key
            raise CorpusError(
                f"{files[key]} and {file} are the same {what} ({named}): remove one, or give the folder "
                "of one"
            )
        files[key] = file
    return files


def files_of(subject: str, found: Mapping[str, tuple[Path, ...]], folder: Path) -> tuple[Path, ...]:
    """The files of one subject.

    Raises
    ------
    CorpusError : there is no such subject; names those there are
    """
    if subject not in found:
        raise CorpusError(f"no subject {subject!r} in {folder}: choose one of {', '.join(found)}")
    return found[subject]


def choose_files(
    found: Mapping[str, tuple[Path, ...]], subjects: Sequence[str], flag: str = "--subjects"
) -> Mapping[str, tuple[Path, ...]]:
    """Files of the subjects that were asked for; "P01" stands for "amigos/P01".

    Raises
    ------
    CorpusError : a subject that was asked for is not in the corpus
    """
    if not subjects:
        return found
    # Full names go in last: they win over a short name that looks the same.
    by_name = {name.rpartition("/")[2]: name for name in found} | {name: name for name in found}
    unknown = [name for name in subjects if name not in by_name]
    if unknown:
        known = ", ".join(name.rpartition("/")[2] for name in found)
        raise CorpusError(f"{flag}: no {', '.join(unknown)} in the corpus, which has {known}")
    wanted = {by_name[name] for name in subjects}
    return {name: files for name, files in found.items() if name in wanted}
