"""Every job with every task of its corpus runs to its end on a little generated data, in one process."""

import json
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from emo_ray.cli.job import run_loso
from emo_ray.testing.amigos_files import AmigosFiles

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("local_cluster"),
]
JOBS = Path(__file__).parents[2] / "jobs"


@pytest.fixture(scope="module")
def amigos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("amigos")
    AmigosFiles(n_subjects=4, videos=("10", "13", "18", "20"), seed=1).write(folder)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One root for all jobs: the second job on the same recordings finds their features."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    draw = np.random.default_rng(0)
    rows = [
        (s, ["calm", "joy"][row % 2], draw.normal(70 + 9 * (row % 2)), draw.normal(s))
        for s in range(4)
        for row in range(12)
    ]
    path = tmp_path_factory.mktemp("table") / "features.csv"
    path.write_text(
        "\n".join(["subject,label,heart_rate,skin_level", *(",".join(map(str, row)) for row in rows)])
    )
    return path


def run(job, root, capsys, *arguments):
    """Run a job script's job; its summary."""
    job = run_path(str(JOBS / f"{job}.py"))["JOB"]
    shared = ["--root", str(root), "--tracking-uri", "none", "--epochs", "1"]
    with pytest.raises(SystemExit) as ended:
        run_loso(job, [*shared, *arguments])
    assert ended.value.code == 0
    return json.loads(Path(capsys.readouterr().out.strip().splitlines()[-1]).read_text())


def test_amigos_runs_its_default_task_in_both_columns(amigos, root, capsys):
    summary = run("loso_amigos", root, capsys, "--data", str(amigos))
    assert summary["counts"] == {"planned": 8, "finished": 8, "failed": 0, "missing": 0}
    assert [section["column"] for section in summary["sections"]] == ["flat", "transductive"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--task", "valence", "--protocol", "hold_out", "protocol.n_test=1", "--model", "mlp"],
        ["--task", "arousal", "--protocol", "logo", "--model", "amigos_lstm:loso15847"],
        [
            "--training",
            "moderate",
            "--subjects",
            "seeded:3",
            "extraction.baseline=subtract",
            "modalities=[eeg,ecg]",
        ],
    ],
    ids=" ".join,
)
def test_amigos_runs_with_its_switches(amigos, root, capsys, arguments):
    summary = run("loso_amigos", root, capsys, "--data", str(amigos), "--scaling", "train", *arguments)
    assert summary["counts"]["failed"] == 0
    assert summary["counts"]["finished"] >= 1


def test_a_table_of_classes_runs(table, tmp_path, capsys):
    summary = run("loso_table", tmp_path, capsys, "--data", str(table), "--scaling", "both")
    assert summary["primary_metric"] == "balanced_accuracy"
    assert summary["counts"]["finished"] == 8


def test_a_table_of_values_runs(table, tmp_path, capsys):
    path = tmp_path / "values.csv"
    lines = table.read_text().splitlines()
    draw = np.random.default_rng(1)
    scored = [
        line.replace("calm", f"{draw.normal():.3f}").replace("joy", f"{draw.normal():.3f}")
        for line in lines[1:]
    ]
    path.write_text("\n".join([lines[0], *scored]))
    assert run("loso_table", tmp_path, capsys, "--data", str(path))["primary_metric"] == "ccc"


def test_real_wrist_recordings_run(shared_data, tmp_path, capsys):
    data = str(shared_data / "wesad_wrist")
    summary = run(
        "loso_wesad", tmp_path, capsys, "--data", data, "--task", "stress", "--subjects", "S2,S3,S4,S5"
    )
    assert summary["counts"]["finished"] == 8
