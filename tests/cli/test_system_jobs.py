"""The jobs of the published systems, with --smoke on what they generate, clean and as published."""

import json
from pathlib import Path
from runpy import run_path

import pytest

from emo_ray.cli.job import run_loso

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("local_cluster"),
]
JOBS = Path(__file__).parents[2] / "jobs"
# Its published pictures take minutes on a CPU, even of twenty seconds of recording.
SLOW = pytest.param("gru_xnet", marks=pytest.mark.slow)


def summary_of(job, folder, capsys, *arguments):
    job = run_path(str(JOBS / f"{job}.py"))["JOB"]
    shared = ["--smoke", "--root", str(folder), "--tracking-uri", "none", "--epochs", "1"]
    with pytest.raises(SystemExit) as ended:
        run_loso(job, [*shared, *arguments])
    assert ended.value.code == 0
    return json.loads(Path(capsys.readouterr().out.strip().splitlines()[-1]).read_text())


@pytest.mark.parametrize("job", ["loso_amigos", "res_attentio_net", SLOW])
def test_a_system_stands_beside_what_was_published_of_it(job, tmp_path, capsys):
    check_both(summary_of(job, tmp_path, capsys, "--procedure", "published", "--scaling", "train"))


def check_both(summary):
    assert [section["column"] for section in summary["sections"]] == ["flat", "published"]
    clean, published = summary["sections"]
    assert summary["counts"]["failed"] == 0
    assert not clean["leaks"]
    assert published["leaks"]
    assert published["procedure"] == "published"


def test_gru_xnet_runs_clean_on_what_it_generates(tmp_path, capsys):
    summary = summary_of("gru_xnet", tmp_path, capsys, "--scaling", "train")
    assert summary["counts"] == {"planned": 4, "finished": 4, "failed": 0, "missing": 0}
    assert "probe_clip" in summary["sections"][0]["models"]


def test_phy_fusionnet_leaves_the_files_behind_that_its_authors_have(tmp_path, capsys):
    from emo_ray.cli.main import main

    arguments = ("--procedure", "published", "--scaling", "train", "--study", "one")
    check_both(summary_of("phy_fusionnet", tmp_path, capsys, *arguments))
    with pytest.raises(SystemExit) as ended:
        main(["artifacts", "one", str(tmp_path / "out"), "--root", str(tmp_path)])
    assert ended.value.code == 0
    assert "folds " in (tmp_path / "studies" / "one" / "console.log").read_text()
    for column in ("flat", "published"):
        out = tmp_path / "out" / column
        content = json.loads((out / "experiment_summary.json").read_text())
        assert {"classification_report", "test_accuracy"} <= content["metrics"].keys()
        is_published = column == "published"
        assert content["protocol"] == ("random_rows" if is_published else "loso")
        assert any("not a result" in note for note in content["notes"]) == is_published
        for name in ("final_best_model.safetensors", "confusion_matrix.png", "console_output.log", "runs"):
            assert (out / name).exists(), name
