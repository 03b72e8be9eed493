import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy

from emo_ray.errors import TrackingError
from emo_ray.files import shown_uri
from emo_ray.reports.writing import write_report
from emo_ray.results.summary import summarise
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study
from emo_ray.tracking.mlflow import MlflowTracker, ui_command

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def study(tmp_path, request):
    name = f"study-{request.node.name}"[:90].replace("[", "-").replace("]", "")
    return fake_study(tmp_path / name, FakeStudyConfig(n_subjects=2, n_segments=20, failed=("fake/S02",)))


@pytest.fixture
def tracker(uri, study):
    tracker = MlflowTracker(uri, "emo_ray")
    tracker.check()
    tracker.open_study(study)
    return tracker


def deliver(tracker, study, name="flat0000"):
    predictions = study.folder / "predictions" / f"{name}.parquet"
    weights = study.folder / "weights" / f"{name}.safetensors"
    record = study.records[name]
    tracker.deliver(record, *((predictions, weights) if record.status == "finished" else ()))


def runs_of(tracker, study, kind="run"):
    experiment = tracker._client.get_experiment_by_name("emo_ray").experiment_id
    return tracker._client.search_runs(
        [experiment], f"tags.`emo.study` = '{study.name}' and tags.`emo.kind` = '{kind}'"
    )


def test_a_run_delivered_twice_is_one_run(tracker, study, uri):
    deliver(tracker, study)
    deliver(tracker, study)
    after_restart = MlflowTracker(uri, "emo_ray")
    after_restart.open_study(study)
    deliver(after_restart, study)
    assert [run.info.status for run in runs_of(tracker, study)] == ["FINISHED"]
    assert len(runs_of(tracker, study, "study")) == 1


@pytest.mark.parametrize("broken", ["log_batch", "log_inputs", "log_artifacts", "set_terminated"])
def test_delivery_that_broke_off_is_completed_in_the_same_run(tracker, study, uri, monkeypatch, broken):
    def die(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(tracker._client, broken, die)
    with pytest.raises(TrackingError, match="disk full"):
        deliver(tracker, study)
    assert [run.info.status for run in runs_of(tracker, study)] == ["RUNNING"]
    after_crash = MlflowTracker(uri, "emo_ray")
    after_crash.open_study(study)
    assert "flat0000" in after_crash.missing(study.records)
    deliver(after_crash, study)
    (run,) = runs_of(after_crash, study)
    assert run.info.status == "FINISHED"
    assert len(after_crash._client.get_metric_history(run.info.run_id, "train/loss")) == 20


def test_the_same_tracker_goes_on_after_an_answer_was_lost(tracker, study, monkeypatch):
    create = tracker._client.create_run

    def created_but_not_told(*args, **kwargs):
        create(*args, **kwargs)
        raise ConnectionError("reset")

    with monkeypatch.context() as patch:
        patch.setattr(tracker._client, "create_run", created_but_not_told)
        with pytest.raises(TrackingError, match="reset"):
            deliver(tracker, study)
    deliver(tracker, study)
    assert [run.info.status for run in runs_of(tracker, study)] == ["FINISHED"]


def test_failed_record_is_a_failed_run_with_its_error(tracker, study):
    deliver(tracker, study, "flat0001")
    (run,) = runs_of(tracker, study)
    assert run.info.status == "FAILED"
    assert "the loss is NaN at epoch 3" in run.data.tags["emo.error"]
    assert "accuracy" not in run.data.metrics


def test_failed_run_that_finished_later_is_the_same_run_without_error(tracker, study):
    deliver(tracker, study, "flat0001")
    failed = study.records["flat0001"]
    later = replace(
        study.records["flat0000"], fingerprint="flat0001", spec=failed.spec, subjects=failed.subjects
    )
    assert tracker.missing({"flat0001": later}) == ("flat0001",)
    tracker.deliver(later)
    (run,) = runs_of(tracker, study)
    assert run.info.status == "FINISHED"
    assert "emo.error" not in run.data.tags
    assert run.data.tags["emo.status"] == "finished"


def test_run_carries_scores_references_epochs_and_provenance(tracker, study):
    deliver(tracker, study)
    (run,) = runs_of(tracker, study)
    record = study.records["flat0000"]
    assert run.data.metrics["accuracy"] == record.scores["accuracy"]
    assert run.data.metrics["reference/linear/accuracy"] == record.references["linear"]["accuracy"]
    history = tracker._client.get_metric_history(run.info.run_id, "validation/loss")
    assert [point.step for point in history] == list(range(20))
    assert run.data.params["experiment.model.dropout"] == "0.1"
    assert run.data.tags["mlflow.source.git.commit"] == "a" * 40
    assert run.data.tags["emo.git.dirty"] == "true"
    assert run.inputs.dataset_inputs[0].dataset.digest == "0123456789abcdef" * 2 + "0123"


def test_run_is_nested_below_its_study_and_has_its_tags(tracker, study):
    deliver(tracker, study)
    (run,), (parent,) = runs_of(tracker, study), runs_of(tracker, study, "study")
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    wanted = ("fold", "subject", "protocol", "column", "fingerprint", "candidate", "status")
    assert all(run.data.tags[f"emo.{name}"] for name in wanted)


def test_run_has_predictions_weights_and_config_as_artifacts(tracker, study):
    deliver(tracker, study)
    (run,) = runs_of(tracker, study)
    found = sorted(item.path for item in tracker._client.list_artifacts(run.info.run_id))
    assert found == ["config.yaml", "flat0000.parquet", "flat0000.safetensors"]


def test_finished_study_has_mean_scores_and_the_report(tracker, study):
    summary = summarise(study)
    tracker.finish_study(summary, write_report(study, summary).folder)
    (parent,) = runs_of(tracker, study, "study")
    found = {item.path for item in tracker._client.list_artifacts(parent.info.run_id, "report")}
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["flat/accuracy"] == summary.sections[0].models["network"]["accuracy"].mean
    assert parent.data.metrics["runs/failed"] == 1
    assert {f"report/{name}" for name in ("report.html", "report.md", "summary.json", "figures")} == found


def test_finishing_a_study_twice_keeps_one_parent(tracker, study):
    summary = summarise(study)
    for _ in range(2):
        tracker.open_study(study)
        tracker.finish_study(summary, write_report(study, summary).folder)
    assert [run.info.status for run in runs_of(tracker, study, "study")] == ["FINISHED"]


def test_study_planned_anew_under_an_old_name_adopts_the_runs_it_shares(tracker, study, uri):
    deliver(tracker, study)
    candidates = {"c-flat": {"column": "flat", "model": {"kind": "another"}}}
    anew = replace(study, header={**study.header, "plan": "other", "candidates": candidates})
    second = MlflowTracker(uri, "emo_ray")
    parent = second.open_study(anew)
    (run,) = runs_of(second, study)
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert len(runs_of(second, study, "study")) == 2


def test_what_is_missing_is_told_from_what_was_delivered(tracker, study):
    assert tracker.missing(study.records) == ("flat0000", "flat0001")
    deliver(tracker, study)
    assert tracker.delivered() == {"flat0000": "finished"}
    assert tracker.missing(study.records) == ("flat0001",)


def test_long_history_and_undefined_losses_are_delivered(tracker, study):
    epochs = [
        {"epoch": e, "train": {"loss": 1.0, "lr": None}, "validation": {"loss": 2.0}} for e in range(700)
    ]
    tracker.deliver(replace(study.records["flat0000"], history=tuple(epochs)))
    (run,) = runs_of(tracker, study)
    assert len(tracker._client.get_metric_history(run.info.run_id, "validation/loss")) == 700


def test_artifacts_lie_beside_the_database(tracker, study, uri):
    experiment = tracker._client.get_experiment_by_name("emo_ray")
    folder = uri.removeprefix("sqlite:///").rpartition("/")[0]
    assert experiment.artifact_location == f"file://{folder}/artifacts"


def test_a_reader_of_the_store_does_not_block_delivery(tracker, study, uri):
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchall()
        started = time.monotonic()
        deliver(tracker, study)
    assert time.monotonic() - started < 10  # a blocked writer waits 20 s for the lock


def test_the_store_is_not_synced_at_every_commit_and_other_databases_are(tracker, uri, tmp_path):
    engine = tracker._client._tracking_client.store.engine
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1  # normal
    with sqlalchemy.create_engine(f"sqlite:///{tmp_path}/other.db").connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # full


def test_dead_server_is_told_within_seconds():
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(TrackingError, match=address):
            MlflowTracker(address, "emo_ray").check()
        assert time.monotonic() - started < 15


def test_server_that_never_answers_is_told_within_seconds():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(TrackingError, match="safe in the journal"):
            MlflowTracker(f"http://127.0.0.1:{silent.getsockname()[1]}", "emo_ray").check()
        assert time.monotonic() - started < 15


@pytest.mark.parametrize("bad", ["./mlruns", "file:///tmp/mlruns", ""])
def test_file_stores_are_refused_with_the_next_step(bad):
    with pytest.raises(TrackingError, match="sqlite:///"):
        MlflowTracker(bad, "emo_ray").check()


def test_unwritable_store_is_an_error(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(TrackingError, match="open the store"):
        MlflowTracker(f"sqlite:///{tmp_path}/taken/mlflow.db", "emo_ray").check()


def test_passwords_are_never_shown():
    assert shown_uri("https://me:secret@host/x") == "https://me:***@host/x"


def test_pages_of_a_database_are_opened_on_this_machine_only():
    command = ui_command("sqlite:////there/mlflow.db", 5001)
    assert command[1:4] == ["-m", "mlflow", "ui"]
    assert command[-4:] == ["--host", "127.0.0.1", "--port", "5001"]


def test_pages_of_a_server_are_the_server_itself():
    with pytest.raises(TrackingError, match="http://there:5000"):
        ui_command("http://there:5000")


def test_processes_that_open_a_fresh_store_together_all_find_it_whole(tmp_path):
    code = "import sys; from emo_ray.tracking.mlflow import MlflowTracker as T; T(sys.argv[1], 'e').check()"
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'mlflow.db'}"]
    root = Path(__file__).parents[2]
    processes = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
