"""What made a result: code, library versions, git state."""

import ast
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import platformdirs

from emo_ray.files import text_digest, write_atomically

VERSION = "0.1.0"
FEATURE_ROOMS = ("unpickling.py", "signals", "features", "corpora", "extraction", "store")
# Code that makes features is in the features' own addresses, which every run's identity holds.
RESULT_ROOMS = ("tasks", "models", "training", "protocols", "references", "published.py", "run.py")
SEARCH_ROOMS = (
    "space.py",
    "search",
    "experiment.py",
    "results/search_results.py",
    "results/search_journal.py",
    "orchestration/sweep_plan.py",
)
FEATURE_LIBRARIES = ("numpy", "scipy", "mne", "neurokit2", "pykalman", "pandas", "h5py", "pyarrow")
LIBRARIES = ("torch", "scikit-learn", "ray", "optuna", "cmaes", *FEATURE_LIBRARIES)
_PACKAGE = Path(__file__).parent
_DIGEST_CHARS = 16


@lru_cache
def code_digest(rooms: tuple[str, ...]) -> str:
    """Digest of the code of some rooms of emo_ray: changes when code that could change a number does.

    Comments, docstrings and layout do not count, nor do versions of libraries.
    """
    files = sorted(path for room in rooms for path in _sources(_PACKAGE / room))
    texts = {str(path.relative_to(_PACKAGE)): path.read_text() for path in files}
    # To parse a hundred files takes half a second: done once a state of the code, Python and this file
    # included, for they decide what a syntax tree looks like.
    state = [platform.python_version(), Path(__file__).read_text(), *(f"{n} {t}" for n, t in texts.items())]
    place = platformdirs.user_cache_path("emo_ray") / "code" / text_digest("\n".join(state))
    with suppress(OSError, ValueError):
        known = place.read_text()
        if len(known) == _DIGEST_CHARS:
            return known
    digest = text_digest("\n".join(f"{name} {bare_code(text)}" for name, text in texts.items()))
    with suppress(OSError):
        write_atomically(place, digest[:_DIGEST_CHARS])
    return digest[:_DIGEST_CHARS]


def bare_code(source: str) -> str:
    """What Python makes of a source text: its syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_text(part)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _sources(place: Path) -> list[Path]:
    return [place] if place.is_file() else list(place.rglob("*.py"))


@lru_cache
def library_versions() -> Mapping[str, str]:
    """Versions of Python and of the libraries that could change a number."""
    # "2.8.0+cu128" and "2.8.0+cpu" are one version: a record names its device beside it.
    found = {name: version(name).split("+")[0] for name in LIBRARIES}
    return {"emo_ray": VERSION, "python": platform.python_version(), **found}


def feature_libraries() -> Mapping[str, str]:
    """Versions of Python and of the libraries that features are made with."""
    return {name: library_versions()[name] for name in ("python", *FEATURE_LIBRARIES)}


@lru_cache
def git_state() -> Mapping[str, str | bool]:
    """Commit of the checkout that this code stands in and whether it was changed since; empty outside git."""
    if _git("rev-parse", "--show-toplevel") != str(_PACKAGE.parent):
        return {}  # installed somewhere inside another repository
    commit = _git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_git("status", "--porcelain"))} if commit else {}


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(_PACKAGE.parent), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
