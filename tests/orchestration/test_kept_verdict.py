"""Looking for copies is done once for the same features."""

import dataclasses

from emo_ray.orchestration import duplicates
from emo_ray.orchestration.duplicates import known_duplicates
from emo_ray.protocols.duplicates import DuplicatePair

FOUND = (DuplicatePair("fake/S01", "fake/S02", 0.99, "told"),)


def test_a_second_start_does_not_look_again(table, tmp_path, monkeypatch):
    monkeypatch.setattr(duplicates, "find_duplicates", lambda table: FOUND)
    assert known_duplicates(table, tmp_path) == FOUND
    monkeypatch.setattr(duplicates, "find_duplicates", lambda table: ())
    assert known_duplicates(table, tmp_path) == FOUND


def test_other_features_or_a_damaged_file_are_looked_at_anew(table, tmp_path, monkeypatch):
    monkeypatch.setattr(duplicates, "find_duplicates", lambda table: FOUND)
    known_duplicates(table, tmp_path)
    monkeypatch.setattr(duplicates, "find_duplicates", lambda table: ())
    changed = dataclasses.replace(table, keys={name: f"{key}x" for name, key in table.keys.items()})
    assert known_duplicates(changed, tmp_path) == ()
    for path in tmp_path.rglob("*.json"):
        path.write_text("{")
    assert known_duplicates(table, tmp_path) == ()
