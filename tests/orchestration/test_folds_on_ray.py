"""Folds as Tune trials on a real local cluster: each once, failures as rows, a lost worker no loss."""

import json
import threading
import time

import psutil
import pytest

from emo_ray.errors import JournalError
from emo_ray.orchestration.folds import FoldRun, run_missing
from emo_ray.orchestration.plan import make_plan
from emo_ray.orchestration.resources import Resources
from emo_ray.results.journal import JOURNAL, Journal
from emo_ray.run import execute
from emo_ray.training.config import TrainingConfig
from emo_ray.training.optimizer import OptimizerConfig

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("local_cluster"),
]


def run(specs, table, folder):
    heard = []
    with Journal(folder) as journal:
        tables = {specs[0].experiment.features: table}
        run_missing(specs, tables, FoldRun(journal, Resources(), heard.append))
        return dict(journal.records), heard


def test_every_run_is_recorded_once_and_a_second_start_runs_nothing(experiment, table, tmp_path):
    specs = make_plan([experiment], table).specs
    records, heard = run(specs, table, tmp_path)
    assert {spec.fingerprint for spec in specs} == set(records)
    assert all(record.status == "finished" for record in heard)
    _, heard_again = run(specs, table, tmp_path)
    assert heard_again == []
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == len(specs)


def test_a_run_in_a_warm_worker_equals_the_same_run_alone(experiment, table, tmp_path):
    specs = make_plan([experiment], table).specs
    records, _ = run(specs, table, tmp_path)
    for spec in (specs[0], specs[-1]):
        alone = execute(spec, table).record
        together = records[spec.fingerprint]
        assert (alone.weights_digest, alone.best_epoch) == (together.weights_digest, together.best_epoch)
        assert alone.scores == together.scores


def test_a_run_that_fails_is_a_row_with_its_error_and_the_others_go_on(experiment, table, tmp_path):
    training = TrainingConfig(max_epochs=2, batch_size=8, optimizer=OptimizerConfig(learning_rate=1e38))
    broken = experiment.model_copy(update={"training": training})
    specs = [*make_plan([broken], table).specs[:1], *make_plan([experiment], table).specs]
    records, _ = run(specs, table, tmp_path)
    assert records[specs[0].fingerprint].status == "failed"
    assert "loss is nan" in records[specs[0].fingerprint].error
    assert [records[spec.fingerprint].status for spec in specs[1:]] == ["finished"] * 5


def test_a_full_disk_ends_the_study_with_its_own_error_and_no_false_row(
    experiment, table, tmp_path, monkeypatch
):
    def full(journal, result):
        if journal.records:
            raise JournalError("No space left on device")
        return append(journal, result)

    append = Journal.append
    monkeypatch.setattr(Journal, "append", full)
    specs = make_plan([experiment], table).specs
    with pytest.raises(JournalError, match="No space left"):
        run(specs, table, tmp_path)
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["finished"]


def test_a_killed_worker_costs_no_run_and_changes_no_result(experiment, table, tmp_path):
    long = experiment.model_copy(
        update={"training": TrainingConfig(max_epochs=500, batch_size=4, patience=500)}
    )
    specs = make_plan([long], table).specs[:3]
    killer = threading.Thread(target=kill_one_fold_worker, daemon=True)
    killer.start()
    records, _ = run(specs, table, tmp_path)
    killer.join(timeout=1)
    assert [records[spec.fingerprint].status for spec in specs] == ["finished"] * 3
    assert max(record.attempt for record in records.values()) == 2
    retried = next(spec for spec in specs if records[spec.fingerprint].attempt == 2)
    assert execute(retried, table).record.weights_digest == records[retried.fingerprint].weights_digest


def kill_one_fold_worker():
    """Wait until a fold trains, then kill its process as the system does when memory runs out."""
    for _ in range(600):
        for process in psutil.Process().children(recursive=True):
            if is_training(process):
                time.sleep(0.5)
                process.kill()
                return
        time.sleep(0.05)


def is_training(process):
    try:
        return "ImplicitFunc.train" in " ".join(process.cmdline())
    except psutil.Error:
        return False
