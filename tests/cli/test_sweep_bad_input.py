"""What a sweep is refused for: sentences with the next step, in one message, before Ray or MLflow start."""

import pytest

from emo_ray.cli.sweep import SweepJob, run_sweep_job
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.models.mlp import MlpConfig

JOB = SweepJob("sweep_fake", lambda data: FakeCorpus(path=data, n_subjects=5), MlpConfig())


@pytest.fixture
def complain(tmp_path, capsys, monkeypatch):
    """Runs a sweep that must be refused before anything starts; returns what it told the user."""
    monkeypatch.chdir(tmp_path)
    # a start would be a bug, and so exit code 2
    monkeypatch.setattr("emo_ray.cli.sweep.cluster", None)

    def run(*arguments):
        shared = ["--data", ".", "--root", str(tmp_path / "root"), "--tracking-uri", "none"]
        with pytest.raises(SystemExit) as ended:
            run_sweep_job(JOB, [*shared, *arguments])
        told = capsys.readouterr().err
        assert ended.value.code == 1
        assert "Traceback" not in told
        assert not (tmp_path / "root").exists()
        return told

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--search", "model.dropuot={uniform: [0, 0.5]}"], ["model.dropuot", "did you mean 'dropout'?"]),
        (["--search", "training.batch_size=[16, many]"], ["training.batch_size", "'many'"]),
        (["--search", "model.dropout={uniform: [0.5, 0.1]}"], ["model.dropout: the range is empty"]),
        (["--search", "training.optimizer.learning_rate={log: [0, 1]}"], ["log range", "uniform"]),
        (["--search", "model.dropout={logg: [0.1, 1]}"], ["'logg'", "did you mean 'log'?"]),
        (["--search", "model.dropout"], ["KEY=SPEC"]),
        (["--search", "model.hidden=[[3]]", "--search", "model.hidden=[[4]]"], ["given twice"]),
        (["--search", "model.hidden=[[3], [4]]", "model.hidden=[3]"], ["pins it", "give one of them"]),
        (
            ["--search", "model.dropout={uniform: [0, 1], when: {training.batch_size: [7]}}"],
            ["when asks for training.batch_size = 7", "not offered: 32, 64, 128"],
        ),
        (["--search", "seed=[1, 2]"], ["seed", "luckiest draw"]),
        (["--objective", "acuracy"], ["no score 'acuracy'", "balanced_accuracy"]),
        (["--objective", "n_parameters"], ["can not be the first"]),
        (["--sampler", "tpee"], ["--sampler 'tpee': did you mean 'tpe'?"]),
        (["--sampler", "grid"], ["grid has no place for", "model.dropout"]),
        (["--stopping", "ashaa"], ["did you mean 'asha'?"]),
        (["--stopping", "none", "--grace-epochs", "2"], ["leave it out"]),
        (["--epochs", "2"], ["grace_epochs 3", "lower it"]),
        (["--scoring", "leave"], ["holdout, kfold, flat"]),
        (["--scoring", "flat", "--inner-folds", "3"], ["--inner-folds", "not with flat"]),
        (["--inner-folds", "1"], ["n_folds", "greater than or equal to 2"]),
        (["--candidates", "many"], ["n_candidates", "'many'"]),
        (["--budget", "phy_fusionet"], ["did you mean 'phy_fusionnet'?"]),
        (["--model", "mpl"], ["did you mean 'mlp'?"]),
        (["--storage", "redis"], ["storage 'redis'", "journal, sqlite"]),
        (["--space", "nowhere.yaml"], ["nowhere.yaml", "No such file"]),
        (["--first", "nowhere.yaml"], ["nowhere.yaml", "No such file"]),
        (["--warm-start", "nothing"], ["nothing", "no study"]),
        (["--set-aside", "S99"], ["no S99", "S01"]),
        (["--set-aside", "4"], ["leaves 1 of 5"]),
        (["--scaling", "both"], ["a plain sweep searches one column", "--nested"]),
        (["--nested", "--scoring", "flat"], ["--nested and --scoring flat exclude each other"]),
        (["--nested", "--hours", "2"], ["--nested and a budget of hours exclude", "--candidates"]),
        (["--nested", "--budget", "phy_fusionnet"], ["--nested and a budget of hours exclude"]),
        (["--nested", "--set-aside", "2"], ["--nested and --set-aside exclude"]),
        (["--nested", "--objective", "primary", "--objective", "latency_ms"], ["between machines"]),
        (["--study", "a/b"], ["'a/b'"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_bad_input_is_refused_in_words(complain, arguments, words):
    told = complain(*arguments)
    assert all(word in told for word in words)


def test_a_storage_that_does_not_answer_is_refused(complain, tmp_path):
    told = complain("--storage", f"sqlite:///{tmp_path / 'no_folder'}/optuna.db")
    assert "no_folder/optuna.db can not be used" in told
    assert "--storage" in told


def test_a_password_is_never_shown(complain):
    told = complain("--storage", "nosuch://me:very-secret@host/database")
    assert "me:***@host" in told
    assert "very-secret" not in told


def test_points_to_try_first_have_to_be_a_list(complain, tmp_path):
    (tmp_path / "first.yaml").write_text("model.dropout: 0.2")
    assert "first.yaml: points to try first are a list" in complain("--first", "first.yaml")


def test_a_first_point_outside_the_space_is_refused(complain, tmp_path):
    (tmp_path / "first.yaml").write_text("- {model.dropout: 0.9}\n- {model.dropot: 0.1}")
    told = complain("--first", "first.yaml")
    assert "first point 1: model.dropout: 0.9 is outside 0 to 0.6" in told
    assert "first point 2: model.dropot" in told


def test_all_problems_come_in_one_message(complain):
    told = complain(
        "training.batchsize=3",
        "--search=model.dropout={uniform: [0.5, 0.5]}",
        "--search=training.nothing=[1, 2]",
        "--objective=acuracy",
        "--set-aside=S99",
        "--nested",
        "--hours=2",
        "--scoring=flat",
        "--storage=redis",
    )
    assert "the sweep: 9 problems" in told
    named = ["batchsize", "one value", "training.nothing", "acuracy", "S99", "hours", "flat", "redis"]
    assert all(name in told for name in named)


def test_a_condition_that_can_not_hold_leaves_the_rest_to_be_judged(complain):
    told = complain(
        "--search=model.dropout={uniform: [0, 1], when: {model.nothing: [7]}}", "--objective=acuracy"
    )
    assert "when names 'model.nothing'" in told
    assert "acuracy" in told
