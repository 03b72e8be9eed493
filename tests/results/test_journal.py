"""The journal: nothing lost, nothing twice, no line that a kill can spoil."""

import json
import os

import numpy as np
import pytest

from emo_ray.errors import JournalError
from emo_ray.results.journal import JOURNAL, Journal, predictions_path, read_records, to_line
from emo_ray.results.lines import LineFile
from emo_ray.results.run_result import Predictions, RunRecord, RunResult


def record(name="a" * 32, status="finished", **fields):
    known = {"column": "flat", "candidate": "c", "subjects": ("x/S1",), "spec": {"seed": 0}}
    return RunRecord(fingerprint=name, status=status, **known, **fields)


def test_a_record_reads_back_as_it_was_written(tmp_path):
    full = record(
        scores={"accuracy": 0.1 + 0.2, "undefined": float("nan")},
        references={"linear": {"accuracy": 0.5}},
        history=({"epoch": 0, "train": {"loss": 1.5}},),
        lineage={"scaler": ("x/S2", "x/S3")},
        leaks={"weights": ("x/S1",)},
    )
    with Journal(tmp_path) as journal:
        journal.append(RunResult(full))
    (found,) = read_records(tmp_path / JOURNAL).values()
    assert np.isnan(found.scores["undefined"])
    assert {**vars(found), "scores": 0} == {**vars(full), "scores": 0}
    assert found.scores["accuracy"] == full.scores["accuracy"]


def test_a_finished_run_is_never_recorded_twice(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append(RunResult(record(best_epoch=1)))
        journal.append(RunResult(record(best_epoch=2)))
        journal.append(RunResult(record(status="failed")))
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == 1


def test_a_failed_run_is_superseded_by_a_finished_one(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append(RunResult(record(status="failed", error="out of memory")))
        assert not journal.is_finished("a" * 32)
        journal.append(RunResult(record()))
    assert read_records(tmp_path / JOURNAL)["a" * 32].status == "finished"


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_line_that_a_kill_cut_off_is_dropped_and_the_next_starts_afresh(tmp_path, cut):
    whole, torn = to_line(record("a" * 32)), to_line(record("b" * 32))[:cut]
    (tmp_path / JOURNAL).write_bytes(whole + torn)
    with Journal(tmp_path) as journal:
        assert set(journal.records) == {"a" * 32}
        journal.append(RunResult(record("c" * 32)))
    assert set(read_records(tmp_path / JOURNAL)) == {"a" * 32, "c" * 32}


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    (tmp_path / JOURNAL).write_bytes(to_line(record()) + b"{broken}\n" + to_line(record("b" * 32)))
    with pytest.raises(JournalError, match=r"line 2 of .*journal.jsonl"):
        read_records(tmp_path / JOURNAL)


def test_a_second_driver_is_refused_while_the_first_runs(tmp_path):
    with Journal(tmp_path), pytest.raises(JournalError, match=f"process {os.getpid()}"), Journal(tmp_path):
        pass


def test_predictions_are_on_disk_before_the_line_that_announces_them(tmp_path, monkeypatch):
    def full(self, line):
        assert predictions_path(tmp_path, "a" * 32).exists()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LineFile, "append", full)
    columns = {"subject": np.array(["x/S1"], dtype=object), "prediction/label/yes": np.ones(1, np.float32)}
    with (
        Journal(tmp_path) as journal,
        pytest.raises(JournalError, match=r"No space left.*same command again"),
    ):
        journal.append(RunResult(record(), Predictions(columns)))
    assert (tmp_path / JOURNAL).read_bytes() == b""


def test_a_line_that_a_full_disk_cut_off_does_not_spoil_the_next(tmp_path, monkeypatch):
    with Journal(tmp_path) as journal:
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(JournalError):
            journal.append(RunResult(record()))
        monkeypatch.setattr(os, "fsync", real)
        journal.append(RunResult(record("b" * 32)))
    lines = (tmp_path / JOURNAL).read_bytes().splitlines()
    assert [json.loads(line)["fingerprint"] for line in lines] == ["b" * 32]
