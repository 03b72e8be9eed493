"""The rooms of the house: who may import whom, and what nobody may do."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "emo_ray"
BELOW_FEATURES = [
    "errors",
    "files",
    "provenance",
    "progress",
    "processes",
    "config_errors",
    "unpickling",
    "signals",
]
TO_THE_STORE = ["features", "tasks", "corpora", "extraction", "store", "space"]
TO_THE_RUN = [
    "models",
    "training",
    "protocols",
    "references",
    "experiment",
    "published",
    "results",
    "run",
    "search",
    "deployment",
]
AROUND_RUNS = ["orchestration", "tracking", "reports", "testing", "cli"]
ORDER = [*BELOW_FEATURES, *TO_THE_STORE, *TO_THE_RUN, *AROUND_RUNS]
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def unit_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path):
    """Dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_unit_has_its_place_in_the_order():
    assert {unit_of(path) for path in FILES} == set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_unit_imports_only_units_before_it(path):
    targets = {name.split(".")[1] for name in imports_of(path) if name.startswith("emo_ray.")}
    later = {target for target in targets if ORDER.index(target) > ORDER.index(unit_of(path))}
    assert not later


@pytest.mark.parametrize(("library", "room"), [("ray", "orchestration"), ("mlflow", "tracking")])
def test_ray_and_mlflow_stay_in_their_rooms(library, room):
    users = {unit_of(path) for path in FILES for name in imports_of(path) if name.split(".")[0] == library}
    assert users == {room}


def test_nobody_but_driver_and_workers_uses_pickle():
    """They unpickle what they left in their own mailbox; pickles of others go through emo_ray.unpickling."""
    users = {str(path.relative_to(PACKAGE)) for path in FILES if "pickle" in imports_of(path)}
    writes_alone = {"testing/seed_v_files.py"}  # SEED-V ships pickles, so its writer makes some
    names = ("worker", "engine", "group_worker", "groups")
    assert users - writes_alone == {f"orchestration/{name}.py" for name in names}
