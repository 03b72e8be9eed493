"""Files that were damaged or made to harm: every reader answers with an error of its own, or reads on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from corpus_rows import ROWS

from emo_ray.testing.registry import WRITERS

N_QUICK, N_SLOW = 6, 150
SECONDS_EACH = 5


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.name)
def row(request):
    return request.param


@pytest.fixture(scope="module")
def folder(row, tmp_path_factory):
    place = tmp_path_factory.mktemp("sound")
    small = WRITERS[row.kind].small(n_subjects=1)
    type(small).model_validate(small.model_dump() | row.files).write(place)
    return place


def read_mutants(row, folder, work, n_mutants):
    """What a process of its own says that reads so many mutated copies: a crash costs that process only."""
    program = Path(__file__).parent / "read_mutants.py"
    command = [
        sys.executable,
        str(program),
        row.kind,
        repr(row.corpus),
        str(folder),
        str(work),
        str(n_mutants),
    ]
    limit_s = 60 + SECONDS_EACH * n_mutants
    environment = os.environ | {"CANARY": str(work / "executed"), "XDG_CACHE_HOME": str(work / "cache")}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=limit_s, check=False, env=environment
    )


@pytest.mark.parametrize(
    "n_mutants", [N_QUICK, pytest.param(N_SLOW, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]
)
def test_mutated_files_never_crash_hang_or_execute(row, folder, tmp_path, n_mutants):
    done = read_mutants(row, folder, tmp_path, n_mutants)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert not (tmp_path / "executed").exists()


def test_the_mutants_are_not_all_the_same(row, folder, tmp_path):
    from read_mutants import mutated

    largest = max(
        (file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size
    )
    content = largest.read_bytes()
    made = {mutated(content, np.random.default_rng(seed))[:1_000_000] for seed in range(12)}
    assert len(made) >= 8
    shutil.rmtree(tmp_path, ignore_errors=True)
