"""kill -9 of the driver half way, the same command again: every fold once, and the same final table."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from emo_ray.cli.job import run_loso
from emo_ray.cli.main import main
from emo_ray.results.journal import JOURNAL

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]

PROJECT = Path(__file__).parents[2]
JOB = PROJECT / "jobs" / "loso_table.py"
N_SUBJECTS = 4


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


def arguments(table, root):
    """Long enough to be killed in its middle."""
    place = ["--data", str(table), "--root", str(root), "--study", "killed"]
    return [*place, "training.max_epochs=50", "training.patience=50"]


def start(table, root):
    """The job in a process of its own."""
    command = [sys.executable, str(JOB), *arguments(table, root)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return json.loads(Path(out.strip().splitlines()[-1]).read_text())


def journal_lines(root):
    path = root / "studies" / "killed" / JOURNAL
    return path.read_text().splitlines() if path.exists() else []


def wait_for_records(process, root, n):
    for _ in range(2400):
        if len(journal_lines(root)) >= n or process.poll() is not None:
            return
        time.sleep(0.05)


def mlflow_runs(root):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return [run for run in found if run.data.tags.get("emo.kind") == "run"], found


@pytest.fixture(scope="module")
def undisturbed(local_cluster, table, tmp_path_factory):
    """Summary of the study from one go, in this process."""
    root = tmp_path_factory.mktemp("undisturbed")
    with pytest.raises(SystemExit) as ended:
        run_loso(run_path(str(JOB))["JOB"], arguments(table, root))
    assert ended.value.code == 0
    return json.loads((root / "studies" / "killed" / "report" / "summary.json").read_text())


@pytest.fixture(scope="module")
def continued(table, tmp_path_factory):
    """Root and summary of a study whose driver was killed before it was let run to its end."""
    root = tmp_path_factory.mktemp("continued")
    process = start(table, root)
    wait_for_records(process, root, 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    return root, finish(start(table, root))


def test_the_final_table_is_that_of_an_undisturbed_run(undisturbed, continued):
    def timeless(summary):
        return {name: part for name, part in summary.items() if name != "timing"}

    assert json.dumps(timeless(continued[1])) == json.dumps(timeless(undisturbed))


def test_every_fold_stands_in_the_journal_exactly_once(continued):
    names = Counter(json.loads(line)["fingerprint"] for line in journal_lines(continued[0]))
    assert len(names) == 2 * N_SUBJECTS
    assert set(names.values()) == {1}


def test_mlflow_holds_exactly_one_finished_run_a_fold_and_none_is_left_running(continued):
    runs, all_runs = mlflow_runs(continued[0])
    assert len({run.data.tags["emo.fingerprint"] for run in runs}) == len(runs) == 2 * N_SUBJECTS
    assert {run.info.status for run in all_runs} == {"FINISHED"}


def test_the_driver_was_really_killed_half_way(continued):
    lines = [json.loads(line) for line in journal_lines(continued[0])]
    starts = sorted(line["started_unix"] for line in lines)
    assert max(np.diff(starts)) > 3  # the pause of a new start lies between two folds


def test_a_late_delivery_adds_no_second_run(continued):
    runs, _ = mlflow_runs(continued[0])
    with pytest.raises(SystemExit) as ended:
        main(["sync", "killed", "--root", str(continued[0])])
    assert ended.value.code == 0
    assert len(mlflow_runs(continued[0])[0]) == len(runs)
