"""What a final model can not be made from is told before a cluster starts."""

import pytest

from emo_ray.cli.final import corpus_of_study, final_parser, run_final
from emo_ray.cli.job import LosoJob
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.gameemo import Gameemo
from emo_ray.models.mlp import MlpConfig
from emo_ray.results.study_folder import open_folder
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study

FINAL = LosoJob("train_final", corpus=lambda data: FakeCorpus(path=data), model=MlpConfig(hidden=(4,)))


@pytest.fixture
def root(tmp_path):
    """A root with an evaluation in it."""
    study = fake_study(tmp_path / "studies" / "s", FakeStudyConfig(n_subjects=3, n_segments=20))
    study.header["experiment"] = "fake"
    open_folder(study)
    return tmp_path


@pytest.fixture
def train(root, capsys):
    def run(*arguments):
        words = ["--data", str(root), "--root", str(root), "--tracking-uri", "none", *arguments]
        with pytest.raises(SystemExit) as end:
            run_final(FINAL, words)
        return end.value.code, capsys.readouterr().err

    return run


def test_a_study_is_read_as_it_was_at_the_places_of_this_command(tmp_path):
    job = LosoJob("train_final", corpus=lambda data: Gameemo(path=data), model=MlpConfig())
    files = ["--data", str(tmp_path), f"corpus.ratings={tmp_path}/felt.csv"]
    known = {"kind": "gameemo", "variant": "raw"}
    found = corpus_of_study(job, final_parser(job).parse_intermixed_args(files), {"corpus": known})
    assert found["variant"] == "raw"
    assert (found["path"], found["ratings"]) == (tmp_path, tmp_path / "felt.csv")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "needs --epochs"),
        (["--from-study", "s", "--from-sweep", "s"], "give one"),
        (["--from-study", "s", "--model", "mlp"], "leave out --model"),
        (["--from-study", "s", "model.dropout=0.1"], "leave out model.dropout"),
        (["--from-study", "s", "--scaling", "transductive"], "0 candidates in column transductive"),
        (["--from-study", "other"], "holds no study"),
        (["--epochs", "1", "--scaling", "both"], "a model has one"),
        (["--epochs", "1", "--name", "a/b"], "--name 'a/b'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_final_model_that_can_not_be_made_is_refused_before_anything_starts(train, arguments, problem):
    code, err = train(*arguments)
    assert code == 1
    assert problem in err
