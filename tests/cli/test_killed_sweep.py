"""kill -9 of a sweep's driver at random moments, the same command again: nothing repeated, lost or stuck."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from runpy import run_path

import numpy as np
import optuna
import pytest

from emo_ray.cli.sweep import run_sweep_job
from emo_ray.results.search_journal import SEARCH_JOURNAL, load_search
from emo_ray.search.desk import STATES
from emo_ray.search.storage import open_storage

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]

PROJECT = Path(__file__).parents[2]
JOB = PROJECT / "jobs" / "sweep_table.py"
N_SUBJECTS = 4
# What may differ between two executions.
OF_THE_CLOCK = ("seconds", "started_unix", "host", "attempt", "elapsed_s")
# One slot, where the order of candidates is that of one who is never disturbed.
PLAIN = ("--candidates", "12", "--inner-folds", "2", "--cpus-per-run", "2")
NESTED = ("--nested", "--yes", "--candidates", "3", "--inner-folds", "2")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    draw = np.random.default_rng(0)
    lines = ["subject,label,heart_rate,skin_level"]
    for subject in range(N_SUBJECTS):
        for row in range(40):
            label = row % 2
            lines.append(
                f"s{subject},{label},{draw.normal(70 + 5 * label):.4f},{draw.normal(label + subject):.4f}"
            )
    path = tmp_path_factory.mktemp("data") / "table.csv"
    path.write_text("\n".join(lines))
    return path


def arguments(table, root, flags):
    """Long enough to be killed in its middle."""
    place = ["--data", str(table), "--root", str(root), "--study", "killed", "--scaling", "train"]
    return [*place, *flags, "training.max_epochs=30", "training.patience=30"]


def start(table, root, flags):
    """The job in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(JOB), *arguments(table, root, flags)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err


def n_lines(root):
    path = root / "studies" / "killed" / SEARCH_JOURNAL
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_after(process, root, n_new, more_s):
    """Kill the driver some time after the search has grown by so many lines."""
    before = n_lines(root)
    while n_lines(root) < before + n_new and process.poll() is None:
        time.sleep(0.01)
    time.sleep(more_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()


def found_by(root):
    """All candidates with their inner runs, less what belongs to the clock."""
    results = load_search(root / "studies" / "killed")
    return {
        name: [timeless(asdict(candidate)) for candidate in rows] for name, rows in results.searches.items()
    }


def timeless(content):
    if isinstance(content, dict):
        return {key: timeless(value) for key, value in content.items() if key not in OF_THE_CLOCK}
    return [timeless(one) for one in content] if isinstance(content, list | tuple) else content


def outer_runs(root):
    records = load_search(root / "studies" / "killed").study.records.values()
    return {
        one.subjects: (one.weights_digest, timeless(dict(one.chosen)), dict(one.scores)) for one in records
    }


def check(root, undisturbed):
    """The same candidates and tests; each finished fold once; Optuna and MLflow tell the same."""
    # As text: NaN is not equal to itself.
    assert json.dumps(found_by(root)) == json.dumps(found_by(undisturbed))
    assert outer_runs(root) == outer_runs(undisturbed)
    lines = [json.loads(line) for line in (root / "studies" / "killed" / SEARCH_JOURNAL).open()]
    done = [one for one in lines if one["event"] == "fold" and one["status"] != "stopped"]
    assert set(Counter((one["search"], one["number"], one["fold"]) for one in done).values()) == {1}
    check_optuna(root)
    check_mlflow(root)


def check_optuna(root):
    results = load_search(root / "studies" / "killed")
    storage = open_storage("journal", results.folder)
    for name, rows in results.searches.items():
        trials = optuna.load_study(study_name=results.header["study_names"][name], storage=storage).trials
        assert [trial.state for trial in trials] == [STATES[one.state] for one in rows]


def check_mlflow(root):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=5000)
    assert "RUNNING" not in {run.info.status for run in runs}
    results = load_search(root / "studies" / "killed")
    told = [tags for tags in (run.data.tags for run in runs) if tags.get("emo.kind") == "candidate"]
    names = Counter((tags.get("emo.search", ""), tags["emo.number"]) for tags in told)
    assert set(names.values()) == {1}
    assert len(names) == sum(len(rows) for rows in results.searches.values())
    tested = [run for run in runs if run.data.tags.get("emo.kind") == "run"]
    assert len(tested) == len(results.study.planned)


@pytest.fixture(scope="module")
def undisturbed(local_cluster, request, table, tmp_path_factory):
    """Root of the sweep from one go, in this process, and its flags."""
    root = tmp_path_factory.mktemp("undisturbed")
    with pytest.raises(SystemExit) as ended:
        run_sweep_job(run_path(str(JOB))["JOB"], arguments(table, root, request.param))
    assert ended.value.code == 0
    return root, request.param


def killed_and_continued(table, root, flags, moments):
    for n_new, more_s in moments:
        kill_after(start(table, root, flags), root, n_new, more_s)
    finish(start(table, root, flags))


# The plain form at every line of its journal, without a cluster: tests/search/test_desk.py.
@pytest.mark.parametrize("undisturbed", [NESTED], ids=["nested"], indirect=True)
def test_killed_twice_it_ends_where_an_undisturbed_sweep_ends(table, undisturbed, tmp_path):
    whole, flags = undisturbed
    killed_and_continued(table, tmp_path, flags, [(5, 0.03), (9, 0.0)])
    check(tmp_path, whole)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("undisturbed", [PLAIN, NESTED], ids=["plain", "nested"], indirect=True)
def test_killed_at_ten_random_moments_it_ends_where_an_undisturbed_sweep_ends(table, undisturbed, tmp_path):
    whole, flags = undisturbed
    draw = np.random.default_rng(20)
    moments = [(int(draw.integers(0, 5)), float(draw.uniform(0, 0.4))) for _ in range(10)]
    killed_and_continued(table, tmp_path, flags, moments)
    check(tmp_path, whole)
