"""Sweeps from their command line to their last line, on little generated data, in one process."""

import json
from pathlib import Path
from runpy import run_path

import pytest

from emo_ray.cli.main import main
from emo_ray.cli.sweep import SweepJob, run_sweep_job
from emo_ray.cli.sweep_end import write_sweep
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.models.mlp import MlpConfig
from emo_ray.testing.amigos_files import AmigosFiles
from emo_ray.testing.fake_search import FakeSearchConfig, fake_search

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("local_cluster"),
]

JOBS = Path(__file__).parents[2] / "jobs"
FAKE = SweepJob("sweep_fake", lambda data: FakeCorpus(path=data, n_subjects=5), MlpConfig(hidden=(4,)))


@pytest.fixture
def sweep(tmp_path, capsys):
    """Runs a job; its exit code, standard output and error."""

    def run(*arguments, job=FAKE):
        shared = ["--data", ".", "--root", str(tmp_path), "--tracking-uri", "none"]
        with pytest.raises(SystemExit) as ended:
            run_sweep_job(job, [*shared, *arguments])
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


@pytest.fixture
def emo_ray(tmp_path, capsys):
    """Runs a command of emo-ray; its output."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--root", str(tmp_path)])
        assert ended.value.code == 0
        return capsys.readouterr().out

    return run


def last_file(out):
    return Path(out.strip().splitlines()[-1])


def candidates(out):
    """What search.json tells of the candidates of a plain sweep, less what the clock has a say in."""
    rows = json.loads(last_file(out).read_text())["searches"][""]["candidates"]
    return [{key: value for key, value in row.items() if key != "elapsed_s"} for row in rows]


@pytest.fixture(scope="module")
def amigos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("amigos")
    AmigosFiles(n_subjects=4, videos=("10", "13", "18"), seed=1).write(folder)
    return str(folder)


def test_the_amigos_sweep_runs_and_shows_in_mlflow(amigos, sweep, tmp_path):
    from mlflow import MlflowClient

    job = run_path(str(JOBS / "sweep_amigos.py"))["JOB"]
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    code, out, err = sweep("--smoke", "--data", amigos, "--tracking-uri", uri, job=job)
    assert (code, last_file(out).name, len(candidates(out))) == (0, "search.json", 3)
    assert "sweep: 3 candidates x 1 inner fold = 3 trainings" in err
    client = MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'sweep_amigos'")
    found = client.search_runs([experiment.experiment_id])
    assert "RUNNING" not in {run.info.status for run in found}
    assert [run.data.tags.get("emo.best") for run in found].count("true") == 1


def test_the_nested_form_runs_and_is_listed_and_reported_as_one(amigos, sweep, emo_ray):
    job = run_path(str(JOBS / "sweep_amigos.py"))["JOB"]
    code, out, err = sweep("--smoke", "--data", amigos, "--nested", "--study", "mine", job=job)
    assert "nested: 4 subjects x (2 candidates x 1 inner fold + 1 test) = 12 trainings" in err
    summary = json.loads(last_file(out).read_text())
    assert (code, summary["counts"]["finished"], summary["counts"]["failed"]) == (0, 4, 0)
    assert [section["column"] for section in summary["sections"]] == ["nested"]
    assert "nested, 4/4 finished, 8/8 candidates" in emo_ray("studies")
    assert last_file(emo_ray("report", "mine")).name == "summary.json"


def test_a_sweep_is_continued_with_more_candidates_but_not_with_another_space(sweep, emo_ray, tmp_path):
    shared = ["--study", "mine", "--at-once", "1", "--epochs", "3", "--stopping", "none"]
    first = candidates(sweep(*shared, "--candidates", "2")[1])
    _, out, _ = sweep(*shared, "--candidates", "3")
    assert candidates(out)[:2] == first
    assert "sweep, 3/3 candidates" in emo_ray("studies")
    before = (tmp_path / "studies" / "mine" / "search.jsonl").read_bytes()
    code, _, err = sweep(*shared, "--search", "training.batch_size=[8, 16]", "--sampler", "random")
    assert code == 1
    assert "sampler was 'tpe', is 'random'" in err
    assert "training.batch_size was searched over 32, 64, 128, is searched over 8, 16" in err
    assert (tmp_path / "studies" / "mine" / "search.jsonl").read_bytes() == before


def test_too_many_failures_end_it_with_the_reason_and_a_report(sweep, emo_ray, tmp_path):
    failing = ["--candidate-limit-s", "1e-9", "--candidates", "8", "--epochs", "3", "--study", "mine"]
    code, _, err = sweep(*failing)
    assert code == 1
    assert "the commonest reason" in err
    assert "1e-09 s" in err
    assert (tmp_path / "studies" / "mine" / "report" / "sweep.html").exists()
    assert "candidates, " in emo_ray("studies")


@pytest.mark.parametrize(("failed", "code"), [((0,), 0), ((0, 1), 3)])
def test_a_sweep_without_a_complete_candidate_is_a_failure(tmp_path, failed, code):
    config = FakeSearchConfig(n_candidates=2, failed=failed, stopping=False)
    assert write_sweep(fake_search(tmp_path, config)).exit_code == code
