"""The Optuna storage of a study: opened, reopened after a kill, and refused in words."""

import json
import pickle
import sqlite3
import threading
import time
from types import SimpleNamespace

import optuna
import pytest

from emo_ray.errors import SearchError
from emo_ray.files import shown_uri
from emo_ray.search.storage import open_storage, storage_target

KINDS = ["journal", "sqlite"]


def ask_one(storage, *, number_of_params=1):
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(storage=storage, study_name="s", sampler=sampler, load_if_exists=True)
    candidate = study.ask()
    for place in range(number_of_params):
        candidate.suggest_float(f"x{place}", 0, 1)
    return study, candidate


@pytest.mark.parametrize("where", KINDS)
def test_what_was_told_is_there_after_a_reopening(where, tmp_path):
    study, candidate = ask_one(open_storage(where, tmp_path))
    candidate.report(0.25, step=3)
    study.tell(candidate, state=optuna.trial.TrialState.PRUNED)
    (again,) = optuna.load_study(study_name="s", storage=open_storage(where, tmp_path)).trials
    assert (again.state.name, again.params, again.intermediate_values) == (
        "PRUNED",
        candidate.params,
        {3: 0.25},
    )


def test_a_lock_that_a_killed_driver_left_does_not_hold_the_next_one_up(tmp_path):
    ask_one(open_storage("journal", tmp_path))
    (tmp_path / "optuna.journal.lock").symlink_to(tmp_path / "optuna.journal")
    begin = time.monotonic()
    ask_one(open_storage("journal", tmp_path))
    assert time.monotonic() - begin < 5


def test_half_a_line_at_the_end_of_the_journal_is_dropped(tmp_path):
    ask_one(open_storage("journal", tmp_path))
    path = tmp_path / "optuna.journal"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":5,"worker')
    study, _ = ask_one(open_storage("journal", tmp_path))
    assert len(study.trials) == 2
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_journal_that_something_else_wrote_to_is_refused_with_its_path(tmp_path):
    ask_one(open_storage("journal", tmp_path))
    path = tmp_path / "optuna.journal"
    path.write_bytes(b"hello\n" + path.read_bytes())
    with pytest.raises(SearchError, match=r"optuna\.journal can not be read .* Move it away"):
        open_storage("journal", tmp_path)


def test_a_dashboard_reads_sqlite_while_the_driver_writes(tmp_path):
    ask_one(open_storage("sqlite", tmp_path))
    with sqlite3.connect(tmp_path / "optuna.db") as reader:
        reader.execute("BEGIN").execute("SELECT count(*) FROM trials").fetchone()
        study, _ = ask_one(open_storage("sqlite", tmp_path))
    reader.close()
    assert len(study.trials) == 2


@pytest.mark.parametrize("where", KINDS)
def test_a_folder_that_can_not_be_written_is_refused_in_words(where, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SearchError, match=r"storage .*optuna\.\w+ can not be used .* writable"):
        open_storage(where, tmp_path / "file")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "optuna.db").write_bytes(b"no database" * 1000)
    with pytest.raises(SearchError, match="file is not a database"):
        open_storage("sqlite", tmp_path)


def test_a_database_that_another_program_has_locked_is_refused_within_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr("emo_ray.search.storage.ANSWER_S", 0.5)
    open_storage("sqlite", tmp_path)
    holder = sqlite3.connect(tmp_path / "optuna.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    begin = time.monotonic()
    with pytest.raises(SearchError, match="locked"):
        open_storage("sqlite", tmp_path)
    holder.close()
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("postgres", "give journal, sqlite, or an URL"),
        ("redis://localhost", "kind that is not supported"),
        ("://", "no URL of a database that is known"),
        ("oracle+oracledb://u:secret@h/d", "kind that is not supported"),
        ("postgresql://u:secret@h:port/d", "no URL of a database that is known"),
        ("sqlite://", "in memory only"),
        ("postgresql+psycopg2://u:secret@localhost/d", "pip install psycopg2-binary"),
    ],
)
def test_a_storage_that_can_not_be_is_refused_with_the_next_step(where, words, tmp_path):
    with pytest.raises(SearchError) as refused:
        open_storage(where, tmp_path)
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_server_that_does_not_answer_is_refused_within_seconds(tmp_path, monkeypatch):
    """A stand-in for the driver, since none is installed here: it waits as a driver does."""
    import sqlalchemy

    given_up = threading.Event()
    monkeypatch.setattr(sqlalchemy, "create_engine", lambda url: SimpleNamespace(connect=given_up.wait))
    monkeypatch.setattr("emo_ray.search.storage.ANSWER_S", 0.2)
    with pytest.raises(SearchError, match=r"//u:\*\*\*@localhost/d can not be used \(no answer in 0.2 s\)"):
        open_storage("postgresql://u:secret@localhost/d", tmp_path)
    given_up.set()


def test_no_password_is_shown():
    assert shown_uri("postgresql://me:secret@host/d") == "postgresql://me:***@host/d"
    assert shown_uri("postgresql://me:se@cret@host/d") == "postgresql://me:***@host/d"
    assert shown_uri("postgresql://host/d?user=me&password=secret&x=1").endswith("password=***&x=1")
    assert shown_uri("sqlite:////some/where.db") == "sqlite:////some/where.db"


def test_the_dashboard_is_told_a_path_or_an_url(tmp_path):
    assert storage_target("journal", tmp_path) == str(tmp_path / "optuna.journal")
    assert storage_target("sqlite", tmp_path) == f"sqlite:///{tmp_path}/optuna.db"
    assert storage_target("postgresql://h/d", tmp_path) == "postgresql://h/d"


def test_the_error_survives_the_trip_between_processes():
    assert str(pickle.loads(pickle.dumps(SearchError("in words")))) == "in words"
