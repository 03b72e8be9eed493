"""``emo-ray predict``: a model by folder, name or version, asked about files or a request."""

from pathlib import Path

import pytest

from emo_ray.cli.main import main
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.tracking.registered import ModelRegistry

pytestmark = pytest.mark.filterwarnings("ignore")
CORPUS = FakeCorpus(n_subjects=3, n_trials=8)


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_package):
    """A root with a registered model in it."""
    place = tmp_path_factory.mktemp("root")
    folder = tiny_package(place / "models" / "tiny" / "package", place / "store")
    registry = ModelRegistry(f"sqlite:///{place}/mlflow.db", "final", place / "artifacts")
    registry.store.check()
    registry.register(folder)
    return place


@pytest.fixture
def model(root):
    return root / "models" / "tiny"


@pytest.fixture
def ask(root, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["predict", *map(str, arguments), "--root", str(root)])
        told = capsys.readouterr()
        return end.value.code, told.out, told.err

    return run


@pytest.fixture
def request_file(ask, root, tmp_path):
    path = tmp_path / "request.json"
    assert ask("tiny", root, "--subject", "S02", "--as-request", path)[0] == 0
    return path


def test_folder_name_and_request_give_one_answer(model, ask, root, request_file, tmp_path):
    asked = [(model, root), (model / "package", root), ("tiny/1", root), ("models:/tiny/1", request_file)]
    tables = []
    for number, (name, recording) in enumerate(asked):
        out = tmp_path / f"{number}.csv"
        assert ask(name, recording, "--subject", "S02", "--out", out)[0] == 0
        tables.append(out.read_text())
    assert len(set(tables)) == 1
    assert len(tables[0].splitlines()) == 1 + 8


def test_the_terminal_shows_segments_and_means(model, ask, root):
    code, out, _ = ask(model, root, "--subject", "S01")
    assert code == 0
    assert "means by trial" in out
    assert "label/high" in out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nothing", "."], "no model 'nothing' in MLflow"),
        (["tiny/7", "."], "has no version 7: it has 1"),
        (["tiny", "there.csv"], "there.csv does not exist"),
        (["tiny", ".", "--subject", "S99"], "--subject: no S99 in the corpus"),
        (["tiny", ".", "--out", "a.xls"], "give a name that ends with"),
        (["tests", "."], "holds no model"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_can_not_be_asked_is_told_in_words(ask, arguments, problem, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    code, _, err = ask(*arguments)
    assert code == 1
    assert problem in err


@pytest.mark.parametrize("flag", ["--out", "--as-request"])
def test_what_is_asked_about_is_not_written_over(ask, request_file, flag):
    before = request_file.read_bytes()
    code, _, err = ask("tiny", request_file, flag, request_file)
    assert (code, request_file.read_bytes()) == (1, before)
    assert "is part of the recording, and would be overwritten" in err


def test_the_model_is_not_written_over(ask, model, request_file):
    code, _, err = ask(model, request_file, "--out", model / "package" / "lineage.json")
    assert code == 1
    assert "is part of the model" in err
