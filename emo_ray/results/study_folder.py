"""A study's folder: what was planned (study.json), what came of it (the journal)."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.errors import ConfigError, JournalError
from emo_ray.files import write_atomically
from emo_ray.results.journal import JOURNAL, read_records
from emo_ray.results.study_results import StudyResults

HEADER = "study.json"


def open_folder(results: StudyResults) -> None:
    """Write what is planned; a folder that holds the same plan is taken up again.

    Raises
    ------
    ConfigError : the folder holds another experiment; names what differs
    JournalError : the folder can not be written
    """
    path = results.folder / HEADER
    if path.exists():
        _refuse_other_plan(_read_header(path), results)
        return
    # Written by the first start alone: its command, time and git state stay.
    content = {
        **results.header,
        "planned": [list(run) for run in results.planned],
        "rejected": [asdict(trial) for trial in results.rejected],
        "notes": list(results.notes),
    }
    try:
        write_atomically(path, json.dumps(content, indent=2))
    except OSError as error:
        raise JournalError(
            f"can not write {path}: {error.strerror or error}; use --root to name another folder"
        ) from error


def load_study(folder: Path) -> StudyResults:
    """Everything that is known of a study by now.

    Raises
    ------
    JournalError : there is no study in the folder, or its files are damaged
    """
    content = _read_header(folder / HEADER)
    return StudyResults(
        name=folder.name,
        folder=folder,
        header={
            name: value for name, value in content.items() if name not in ("planned", "rejected", "notes")
        },
        planned=tuple((name, candidate, tuple(subjects)) for name, candidate, subjects in content["planned"]),
        records=read_records(folder / JOURNAL),
        rejected=tuple(RejectedTrial(**trial) for trial in content["rejected"]),
        notes=tuple(content["notes"]),
    )


def _read_header(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        missing = {"planned", "rejected", "notes", "task", "plan", "experiment"} - set(content)
    except FileNotFoundError as error:
        raise JournalError(
            f"{path.parent} holds no study: `emo-ray studies` lists those there are"
        ) from error
    except (OSError, ValueError) as error:
        raise JournalError(
            f"{path} can not be read ({error}): restore it, or start anew under another --study"
        ) from error
    if missing:
        raise JournalError(
            f"{path} lacks {', '.join(sorted(missing))}: it was not written by this version of emo_ray"
        )
    return content


def _refuse_other_plan(known: Mapping[str, Any], results: StudyResults) -> None:
    if known["plan"] == results.header["plan"]:
        return
    # The digests have decided; settings are compared only to say what differs.
    old, new = _flat(known.get("candidates", {})), _flat(results.header["candidates"])
    changed = [
        f"{name} was {old.get(name, 'absent')!r}, is {new.get(name, 'absent')!r}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    reason = (
        "; ".join(changed[:6])
        or "the recordings, or the code that makes features or results, have changed since"
    )
    commit = known.get("git", {}).get("commit") or "unknown"
    raise ConfigError(
        f"study {results.name!r} in {results.folder} is another experiment: {reason}. Its results stay "
        "as they are. Give this one another --study (or none, for a name of its own), or go back to what it "
        f"was started with (commit {commit[:12]})"
    )


def _flat(candidates: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of all candidates by dotted name; candidates in order, since their hashes differ by nature."""
    found: dict[str, Any] = {}
    for number, candidate in enumerate(candidates.values()):
        found.update(_walk(candidate, f"candidate {number}" if len(candidates) > 1 else ""))
    return found


def _walk(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found.update(_walk(item, f"{name}.{key}" if name else str(key)))
    return found
