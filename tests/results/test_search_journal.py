"""The journal of a search: what was written is read, what a kill spoils is dropped, the rest is named."""

import json
import os
from dataclasses import asdict, replace

import numpy as np
import pytest

from emo_ray.errors import JournalError
from emo_ray.results.search_journal import SEARCH_JOURNAL, SearchJournal, read_candidates, steps_of
from emo_ray.results.search_results import Candidate, InnerRecord

ASKED = Candidate("P03", 0, {"model.hidden": [64, 32], "training.batch_size": 16})
FOLD = InnerRecord(
    search="P03",
    number=0,
    fold=0,
    fingerprint="f" * 32,
    subjects=("x/S1", "x/S2"),
    status="finished",
    curve=(0.1, 0.3),
    standing=(0.1, 0.3),
    train_loss=(1.0, 0.9),
    validation_loss=(1.1, 1.2),
    best_epoch=1,
    scores={"macro_f1": 0.1 + 0.2},
    subject_scores={"x/S1": 0.4, "x/S2": 0.5},
    values=(0.3,),
    thresholds={"transition": 0.4},
    n_parameters=7,
    seconds=1.5,
)


def write(folder, *lines):
    with SearchJournal(folder) as journal:
        for line in lines:
            journal.fold(line) if isinstance(line, InnerRecord) else journal.asked(line)
    return folder / SEARCH_JOURNAL


def read(folder, search="P03", number=0):
    return read_candidates(folder / SEARCH_JOURNAL)[search][number]


def test_a_candidate_reads_back_as_it_was_written(tmp_path):
    told = replace(ASKED, state="complete", values=(0.3,), error="", elapsed_s=12.5)
    with SearchJournal(tmp_path) as journal:
        journal.asked(ASKED)
        journal.fold(FOLD)
        journal.told(told)
    assert read(tmp_path) == replace(told, folds=(FOLD,))


def test_a_search_without_a_journal_has_no_candidates(tmp_path):
    assert read_candidates(tmp_path / SEARCH_JOURNAL) == {}


def test_what_is_undefined_stays_undefined_on_its_way_through_the_file(tmp_path):
    nan = float("nan")
    found = write(
        tmp_path,
        ASKED,
        replace(FOLD, curve=(nan, 0.3), standing=(nan, 0.3), subject_scores={"x/S1": nan, "x/S2": 0.5}),
    )
    assert "NaN" not in found.read_text()
    (record,) = read(tmp_path).folds
    np.testing.assert_array_equal(record.curve, [nan, 0.3])
    np.testing.assert_array_equal(record.standing, [nan, 0.3])
    np.testing.assert_array_equal(list(record.subject_scores.values()), [nan, 0.5])
    assert list(record.subject_scores) == ["x/S1", "x/S2"]


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_line_that_a_kill_cut_off_is_dropped_and_the_next_starts_afresh(tmp_path, cut):
    path = write(tmp_path, ASKED)
    torn = json.dumps({"event": "fold", **asdict(FOLD)}).encode() + b"\n"
    path.write_bytes(path.read_bytes() + torn[:cut])
    assert read(tmp_path) == ASKED
    write(tmp_path, FOLD)
    assert read(tmp_path).folds == (FOLD,)


@pytest.mark.parametrize(
    "damage", ["{broken}", "[]", '{"event": "told"}', '{"event": "told", "search": "P03", "number": 9}']
)
def test_a_damaged_line_is_named_by_its_number(tmp_path, damage):
    path = write(tmp_path, ASKED)
    path.write_bytes(path.read_bytes() + damage.encode() + b"\n")
    write(tmp_path, FOLD)
    with pytest.raises(JournalError, match=rf"line 2 of .*{SEARCH_JOURNAL} can not be read"):
        read_candidates(path)


def test_a_fold_that_was_recorded_twice_counts_once_as_the_last_time_told(tmp_path):
    write(tmp_path, ASKED, replace(FOLD, status="stopped", values=()), replace(FOLD, fold=1), FOLD)
    assert [(record.fold, record.status) for record in read(tmp_path).folds] == [
        (0, "finished"),
        (1, "finished"),
    ]


def test_candidates_of_two_searches_are_kept_apart(tmp_path):
    write(
        tmp_path, ASKED, replace(ASKED, search="P04"), replace(FOLD, search="P04"), replace(ASKED, number=1)
    )
    found = read_candidates(tmp_path / SEARCH_JOURNAL)
    assert {search: list(rows) for search, rows in found.items()} == {"P03": [0, 1], "P04": [0]}
    assert (len(found["P03"][0].folds), len(found["P04"][0].folds)) == (0, 1)


def test_fields_that_a_later_version_writes_are_passed_over(tmp_path):
    path = write(tmp_path, ASKED, FOLD)
    lines = [json.loads(line) | {"colour": "blue"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read(tmp_path) == replace(ASKED, folds=(FOLD,))


def test_a_line_that_a_full_disk_cut_off_does_not_spoil_the_next(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with SearchJournal(tmp_path) as journal:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(JournalError, match=r"No space left.*same command again"):
                journal.asked(ASKED)
        journal.asked(replace(ASKED, number=1))
    assert list(read_candidates(tmp_path / SEARCH_JOURNAL)["P03"]) == [1]


def inner(fold, standing, status="finished", value=None):
    values = () if value is None else (value,)
    return replace(FOLD, fold=fold, standing=standing, status=status, values=values)


def test_a_fold_that_stopped_early_jumps_to_the_start_of_the_next():
    # 5 epochs a fold; the first ended after 2, its score is 0.6 and not what stood: it is of all subjects
    folds = (inner(0, (0.2, 0.5), value=0.6), inner(1, (0.1, 0.3, 0.3), "stopped"))
    by_hand = [(1, 0.2), (2, 0.5), (5, 0.6), (6, 0.35), (7, 0.45), (8, 0.45)]
    steps = steps_of(folds, epochs_a_fold=5)
    assert [step for step, _ in steps] == [step for step, _ in by_hand]
    np.testing.assert_allclose([value for _, value in steps], [value for _, value in by_hand])


def test_the_last_step_of_a_complete_candidate_is_the_mean_of_its_folds():
    # handed over out of order; the first used all of its 2 epochs
    folds = (inner(1, (0.4,), value=0.8), inner(0, (0.2, 0.5), value=0.6))
    steps = dict(steps_of(folds, epochs_a_fold=2))
    assert steps == pytest.approx({1: 0.2, 2: 0.6, 3: 0.5, 4: 0.7})


def test_an_undefined_epoch_is_an_undefined_step():
    steps = dict(steps_of((inner(0, (float("nan"), 0.5), "stopped"),), epochs_a_fold=3))
    assert np.isnan(steps[1])
    assert steps[2] == 0.5
