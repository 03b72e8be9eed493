"""Bad input gets a sentence with the next step, a non-zero exit code, and no traceback."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from emo_ray.cli.demo import amigos_demo
from emo_ray.cli.job import LosoJob, run_loso
from emo_ray.corpora.amigos import Amigos
from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.models.mlp import MlpConfig
from emo_ray.testing.amigos_files import AmigosFiles

pytestmark = pytest.mark.filterwarnings("ignore")

AMIGOS = LosoJob("loso_amigos", lambda data: Amigos(path=data), MlpConfig(), scaling="train")
TABLE = LosoJob("loso_table", lambda data: FeatureTable(path=data), MlpConfig(), scaling="train")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    AmigosFiles(n_subjects=4, videos=("10",), seed=0).write(folder)
    return folder


@pytest.fixture
def corpus(written, tmp_path):
    """A copy, for some tests break it."""
    return Path(shutil.copytree(written, tmp_path / "amigos"))


@pytest.fixture
def complain(tmp_path, capsys, monkeypatch):
    """Runs a job that must fail before any fold; returns what it told the user."""
    monkeypatch.chdir(tmp_path)

    def run(job, *arguments):
        with pytest.raises(SystemExit) as ended:
            run_loso(job, ["--root", str(tmp_path / "root"), "--tracking-uri", "none", *arguments])
        told = capsys.readouterr().err
        assert ended.value.code == 1
        assert "Traceback" not in told
        return told

    return run


def test_a_missing_folder_is_named(complain):
    assert "nowhere" in complain(AMIGOS, "--data", "nowhere")


def test_an_empty_folder_is_named_with_what_was_looked_for(complain, tmp_path):
    (tmp_path / "empty").mkdir()
    told = complain(AMIGOS, "--data", "empty")
    assert "empty" in told
    assert "Data_Preprocessed_P" in told


def test_a_job_without_embedded_data_asks_for_some(complain):
    assert "needs --data" in complain(TABLE)


def test_a_cache_folder_that_can_not_be_written_is_named_with_the_ways_out(complain, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    told = complain(LosoJob("demo", AMIGOS.corpus, MlpConfig(), demo=amigos_demo), "--smoke")
    assert str(tmp_path / "file") in told
    assert "XDG_CACHE_HOME" in told


def test_an_unknown_subject_is_named_beside_those_there_are(complain, corpus):
    told = complain(AMIGOS, "--data", str(corpus), "--subjects", "P01,P99")
    assert "P99" in told
    assert "P01, P02, P03, P04" in told


@pytest.mark.parametrize("wrong", ["10:many", "P01:3", ","])
def test_a_malformed_choice_of_subjects_is_explained(complain, corpus, wrong):
    assert "seeded:N" in complain(AMIGOS, "--data", str(corpus), "--subjects", wrong)


def test_an_unknown_task_is_named_beside_those_there_are(complain, corpus):
    assert "affect, valence, arousal" in complain(AMIGOS, "--data", str(corpus), "--task", "joy")


def test_an_unknown_model_is_named_beside_those_there_are(complain, corpus):
    assert "amigos_lstm" in complain(AMIGOS, "--data", str(corpus), "--model", "transformer")


def test_a_misspelt_field_gets_a_suggestion(complain, corpus):
    told = complain(AMIGOS, "--data", str(corpus), "training.batchsize=3")
    assert "training.batchsize" in told
    assert "batch_size" in told


def test_all_wrong_fields_come_in_one_message(complain, corpus):
    told = complain(AMIGOS, "--data", str(corpus), "training.max_epochs=0", "model.dropout=2", "seed=x")
    assert all(name in told for name in ("training.max_epochs", "model.dropout", "seed"))


def test_an_override_without_a_value_is_explained(complain, corpus):
    assert "FIELD=VALUE" in complain(AMIGOS, "--data", str(corpus), "training.batch_size")


def test_a_column_asked_for_twice_is_refused(complain, corpus):
    told = complain(AMIGOS, "--data", str(corpus), "--scaling", "both", "scaling=train")
    assert "not both" in told


def test_a_share_of_a_core_that_is_none_is_explained(complain, corpus):
    assert "cpus_per_run" in complain(AMIGOS, "--data", str(corpus), "--cpus-per-run", "0")


def test_a_name_that_is_no_folder_name_is_refused_before_any_work(complain, corpus, tmp_path):
    assert "'a/b'" in complain(AMIGOS, "--data", str(corpus), "--study", "a/b")
    assert not (tmp_path / "root").exists()


def test_a_tracking_store_of_an_unusable_kind_is_refused(complain, corpus, capsys):
    told = complain(AMIGOS, "--data", str(corpus), "--tracking-uri", "./mlruns")
    assert "sqlite" in told


def test_a_root_that_is_a_file_is_refused_with_the_next_step(complain, corpus, tmp_path):
    (tmp_path / "file").write_text("")
    assert "--root" in complain(AMIGOS, "--data", str(corpus), "--root", str(tmp_path / "file"))


@pytest.mark.ray
@pytest.mark.usefixtures("local_cluster")
class TestInsideACluster:
    """What only turns up when features are computed or folds are planned."""

    def test_a_truncated_file_is_named_and_the_other_subjects_stay_stored(self, complain, corpus, tmp_path):
        path = next(corpus.rglob("*P02.mat"))
        path.write_bytes(path.read_bytes()[:5000])
        assert "Data_Preprocessed_P02.mat" in complain(AMIGOS, "--data", str(corpus))
        assert len(list((tmp_path / "root" / "store").rglob("*.parquet"))) == 3

    def test_one_subject_only_is_refused_with_how_many_are_needed(self, complain, corpus):
        assert "at least 3 subjects" in complain(AMIGOS, "--data", str(corpus), "--subjects", "P01")

    def test_a_class_absent_from_a_fold_is_named(self, complain, tmp_path):
        cells = [
            (s, "joy" if s == 3 and row % 2 else "calm", 60 + 7 * (row % 3))
            for s in range(4)
            for row in range(6)
        ]
        rows = [",".join(map(str, cell)) for cell in cells]
        (tmp_path / "table.csv").write_text("\n".join(["subject,label,heart_rate", *rows]))
        assert "label = joy" in complain(TABLE, "--data", "table.csv")

    def test_an_all_nan_modality_is_named_with_the_way_out(self, complain, corpus):
        from scipy.io import loadmat, savemat

        for path in corpus.rglob("*.mat"):
            content = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
            for cell in content["joined_data"][0]:
                if cell.size:
                    cell[:, 16] = np.nan
            savemat(path, content, do_compression=True)
        told = complain(AMIGOS, "--data", str(corpus))
        assert "'gsr' holds not one valid value" in told
        assert "ecg, eeg" in told or "eeg, ecg" in told

    def test_an_mlflow_server_that_does_not_answer_stops_the_job_before_its_folds(
        self, complain, corpus, tmp_path
    ):
        told = complain(AMIGOS, "--data", str(corpus), "--tracking-uri", "http://127.0.0.1:9")
        assert "127.0.0.1:9" in told
        assert (
            not list((tmp_path / "root").rglob("journal.jsonl"))
            or not next((tmp_path / "root").rglob("journal.jsonl")).read_bytes()
        )

    def test_another_experiment_under_the_same_name_is_refused_and_keeps_the_first(
        self, complain, corpus, tmp_path
    ):
        arguments = [
            "--data",
            str(corpus),
            "--study",
            "mine",
            "--root",
            str(tmp_path / "root"),
            "--tracking-uri",
            "none",
        ]
        with pytest.raises(SystemExit):
            run_loso(AMIGOS, [*arguments, "--epochs", "1"])
        journal = tmp_path / "root" / "studies" / "mine" / "journal.jsonl"
        before = journal.read_bytes()
        told = complain(AMIGOS, *arguments, "--epochs", "2")
        assert "training.max_epochs was 1, is 2" in told
        assert journal.read_bytes() == before

    @pytest.mark.parametrize("kind", ["cpu", "gpu"])
    def test_more_than_the_cluster_has_is_refused_instead_of_waited_for(self, complain, corpus, kind):
        told = complain(AMIGOS, "--data", str(corpus), f"--{kind}s-per-run", "64")
        assert f"a run asks for 64 {kind.upper()}" in told

    def test_a_folder_that_vanishes_names_itself(self, complain, corpus):
        shutil.rmtree(corpus)
        assert str(corpus) in complain(AMIGOS, "--data", str(corpus))
