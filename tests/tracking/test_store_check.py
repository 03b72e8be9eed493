"""A SQLite store that has answered this MLflow before is not asked again: loading MLflow takes seconds."""

import sqlite3
from contextlib import closing

import pytest

from emo_ray.errors import TrackingError
from emo_ray.tracking.store import MlflowStore

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """A database that has passed; from now on asking MLflow is an error."""
    path = tmp_path / "mlflow.db"
    MlflowStore(f"sqlite:///{path}", "study").check()

    def asked(store):
        raise RuntimeError("MLflow was asked")

    monkeypatch.setattr(MlflowStore, "client", property(asked))
    return path


def check(path):
    MlflowStore(f"sqlite:///{path}", "study").check()


def test_what_has_passed_is_not_asked_again(checked):
    check(checked)


def test_a_database_of_another_schema_is_asked(checked):
    with closing(sqlite3.connect(checked)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of another MLflow'")
        connection.commit()
    with pytest.raises(TrackingError, match="MLflow was asked"):
        check(checked)


def test_a_new_database_in_its_place_is_asked(checked):
    checked.rename(checked.with_name("old.db"))
    with pytest.raises(TrackingError, match="MLflow was asked"):
        check(checked)


def test_a_database_that_was_damaged_since_is_refused(checked):
    checked.write_bytes(b"no database at all" * 1000)
    with pytest.raises(TrackingError, match=r"not a database|malformed"):
        check(checked)
