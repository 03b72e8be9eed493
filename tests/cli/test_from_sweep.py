"""A winner that is handed on says whose data chose it, and does not test these people as if unseen."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from emo_ray.cli.job import LosoJob, run_loso
from emo_ray.cli.sweep import SweepJob, run_sweep_job
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.models.mlp import MlpConfig
from emo_ray.results.study_folder import load_study, open_folder
from emo_ray.testing.fake_search import FakeSearchConfig, fake_search

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("local_cluster"),
]

CORPUS = {"corpus": lambda data: FakeCorpus(path=data, n_subjects=6), "model": MlpConfig(hidden=(4,))}
SWEEP, LOSO = SweepJob("sweep_fake", **CORPUS), LosoJob("loso_fake", **CORPUS)


@pytest.fixture(scope="module")
def root(local_cluster, tmp_path_factory):
    """A root with a sweep that leaves two people unseen, one that has seen everybody, and a nested one."""
    root = tmp_path_factory.mktemp("root")
    shared = ["--data", ".", "--root", str(root), "--tracking-uri", "none", "--epochs", "4"]
    for arguments in (
        ["--study", "aside", "--set-aside", "2", "--candidates", "2", "training.patience=3"],
        ["--study", "all", "--candidates", "2", "--warm-start", "aside", "training.patience=3"],
    ):
        with pytest.raises(SystemExit) as ended:
            run_sweep_job(SWEEP, [*shared, *arguments])
        assert ended.value.code == 0
    nested = fake_search(root / "studies" / "nested", FakeSearchConfig(n_candidates=2, nested=True)).study
    open_folder(replace(nested, header={**nested.header, "experiment": "sweep_fake"}))
    return root


@pytest.fixture
def evaluate(root, capsys):
    """Runs the evaluation; its exit code, standard output and error."""

    def run(*arguments, job=LOSO):
        shared = ["--data", ".", "--root", str(root), "--tracking-uri", "none"]
        with pytest.raises(SystemExit) as ended:
            run_loso(job, [*shared, *arguments])
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


def study_of(out):
    return json.loads(Path(out.strip().splitlines()[-1]).parents[1].joinpath("study.json").read_text())


def best_of(root, study):
    content = json.loads((root / "studies" / study / "report" / "search.json").read_text())
    return content["searches"][""]["best"]["params"]


@pytest.fixture(scope="module")
def evaluated(root):
    """What the evaluation of the first sweep's winner has left."""
    shared = ["--data", ".", "--root", str(root), "--tracking-uri", "none"]
    with pytest.raises(SystemExit) as ended:
        run_loso(LOSO, [*shared, "--from-sweep", "aside", "--study", "evaluated"])
    assert ended.value.code == 0
    return load_study(root / "studies" / "evaluated")


def test_only_people_who_were_set_aside_are_tested(evaluated):
    assert [tested for _, _, (tested,) in evaluated.planned] == ["fake/S01", "fake/S02"]
    assert {record.status for record in evaluated.records.values()} == {"finished"}
    assert "none of them is tested" in evaluated.notes[0]


def test_the_winners_settings_are_what_is_evaluated(evaluated, root):
    (declared,) = evaluated.header["candidates"].values()
    assert declared["model"]["hidden"] == best_of(root, "aside")["model.hidden"]
    assert declared["training"]["batch_size"] == best_of(root, "aside")["training.batch_size"]
    assert (declared["training"]["patience"], declared["training"]["max_epochs"]) == (3, 4)
    assert declared["selection"]["subjects"] == ["fake/S03", "fake/S04", "fake/S05", "fake/S06"]


def test_a_winner_that_has_seen_everybody_is_refused(evaluate):
    code, _, err = evaluate("--from-sweep", "all")
    assert code == 1
    assert "nobody is left who is surely unseen" in err
    assert "--as-flat" in err


def test_as_flat_tests_them_and_says_that_it_is_optimistic(evaluate):
    code, out, _ = evaluate("--from-sweep", "all", "--as-flat")
    study = study_of(out)
    assert code == 0
    assert len(study["planned"]) == 6
    assert "OPTIMISTIC" in out
    assert [one["column"] for one in study["candidates"].values()] == ["flat"]


def test_a_warm_start_hands_on_whose_data_chose(root):
    header = json.loads((root / "studies" / "all" / "study.json").read_text())["search"]
    assert header["prior_subjects"] == ["fake/S03", "fake/S04", "fake/S05", "fake/S06"]


def test_a_nested_study_has_no_one_winner(evaluate):
    code, _, err = evaluate("--from-sweep", "nested")
    assert code == 1
    assert "a nested study chooses for every subject anew" in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model", "mlp"], "--model mlp"),
        (["--training", "loso"], "--training loso"),
        (["--scaling", "both"], "--scaling both"),
        (["training.batch_size=7"], "training.batch_size: the sweep has chosen"),
        (["model.kind=amigos_lstm"], "model.kind"),
        (["--task", "score"], "another task"),
    ],
)
def test_flags_that_contradict_the_sweep_are_refused(evaluate, flags, words):
    code, _, err = evaluate("--from-sweep", "aside", *flags)
    assert code == 1
    assert words in err


def test_a_sweep_of_another_corpus_is_refused(evaluate, tmp_path):
    from emo_ray.corpora.amigos import Amigos

    other = LosoJob("loso_other", lambda data: Amigos(path=data), MlpConfig())
    code, _, err = evaluate("--from-sweep", "aside", job=other)
    assert code == 1
    assert "the sweep read fake and this command reads amigos" in err


def test_a_sweep_that_is_not_there_is_named(evaluate):
    assert "nothing holds no study" in evaluate("--from-sweep", "nothing")[2]


def test_as_flat_needs_a_sweep(evaluate):
    assert "give --from-sweep STUDY" in evaluate("--as-flat")[2]
