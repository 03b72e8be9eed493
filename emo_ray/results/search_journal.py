"""The journal of a study's searches: what was asked, what inner runs came to, how candidates ended."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np

from emo_ray.errors import JournalError
from emo_ray.results.lines import LineFile, finite
from emo_ray.results.search_results import Candidate, CandidateState, Direction, InnerRecord, SearchResults
from emo_ray.results.study_folder import load_study
from emo_ray.results.study_results import StudyResults

SEARCH_JOURNAL = "search.jsonl"
_NUMBER_LISTS = ("curve", "standing", "train_loss", "validation_loss", "values")
_NUMBER_MAPS = ("scores", "subject_scores", "thresholds")


@dataclass(frozen=True)
class Outcome:
    """How a candidate ended."""

    state: CandidateState
    values: tuple[float, ...] = ()
    error: str = ""


class SearchJournal:
    """Lines ``asked``, ``fold`` and ``told``: appended and fsynced, never rewritten.

    It is the truth about a search; the Optuna storage and MLflow are made to say what it says. Whoever
    writes it holds the study's lock (`Journal`).
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / SEARCH_JOURNAL
        self._lines = LineFile(self.path)

    def __enter__(self) -> "SearchJournal":
        try:
            self._lines.open()
        except OSError as error:
            raise JournalError(
                f"can not open {self.path} ({error.strerror or error}): make its folder writable, or use "
                "--root to name another"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()

    def asked(self, candidate: Candidate) -> None:
        """A candidate was drawn: its settings, before anything runs with them."""
        drawn = {"params": dict(candidate.params), "elapsed_s": candidate.elapsed_s}
        self._append("asked", _name(candidate) | drawn)

    def fold(self, record: InnerRecord) -> None:
        """A run of a candidate on one inner fold has ended."""
        self._append("fold", asdict(record))

    def told(self, candidate: Candidate) -> None:
        """A candidate has ended; its state is final."""
        found = {"state": candidate.state, "values": candidate.values, "error": candidate.error}
        self._append("told", _name(candidate) | found | {"elapsed_s": candidate.elapsed_s})

    def _append(self, event: str, content: Mapping[str, Any]) -> None:
        line = json.dumps({"event": event, **finite(content)}, allow_nan=False).encode() + b"\n"
        try:
            self._lines.append(line)
        except OSError as error:
            raise JournalError(
                f"can not write {self.path}: {error.strerror or error}; what was recorded before is intact: "
                "make room or make the folder writable, then give the same command again"
            ) from error


def read_candidates(path: Path) -> dict[str, dict[int, Candidate]]:
    """Candidates by search and number, as the journal tells them; empty where there is no journal yet.

    Raises
    ------
    JournalError : a line other than a torn last one can not be read
    """
    found: dict[str, dict[int, Candidate]] = {}
    if not path.exists():
        return found
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            # Torn by a kill, which can only happen to the last line.
            break
        try:
            _take(json.loads(line), found)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise JournalError(
                f"line {number} of {path} can not be read ({error}): the file was changed by something other "
                "than emo_ray; restore it, or start anew under another --study"
            ) from error
    return found


def load_search(folder: Path) -> SearchResults:
    """Everything that is known of a study's searches by now.

    Raises
    ------
    JournalError : there is no study in the folder, no search in it, or its files are damaged
    """
    study = load_study(folder)
    if "search" not in study.header:
        raise JournalError(f"{folder} holds a study without a search: `emo-ray studies` tells which have one")
    return search_of(study)


def search_of(study: StudyResults) -> SearchResults:
    """What the journal in a study's folder tells of its searches; nothing, where there is none yet.

    Raises
    ------
    JournalError : the journal is damaged
    """
    header = study.header["search"]
    found = read_candidates(study.folder / SEARCH_JOURNAL)
    return SearchResults(
        study=study,
        objectives=tuple(header["objectives"]),
        directions=tuple(cast(Direction, direction) for direction in header["directions"]),
        searches={
            name: tuple(with_steps(one, header["epochs_a_fold"]) for one in found.get(name, {}).values())
            for name in header["study_names"]
        },
    )


def with_steps(candidate: Candidate, epochs_a_fold: int) -> Candidate:
    """The candidate with its intermediate values, made from its inner runs."""
    return replace(candidate, steps=steps_of(candidate.folds, epochs_a_fold))


def steps_of(folds: Sequence[InnerRecord], epochs_a_fold: int) -> tuple[tuple[int, float], ...]:
    """The first objective as it stood at each step.

    A step is an epoch, counted over all inner folds; a fold that ends early jumps to the start of the next.
    The value is the mean over the folds that have ended and the one that runs, as if it ended there.
    """
    steps: dict[int, float] = {}
    ended: list[float] = []
    for record in sorted(folds, key=lambda one: one.fold):
        start = record.fold * epochs_a_fold
        for epoch, value in enumerate(record.standing):
            steps[start + epoch + 1] = float(np.mean([*ended, value]))
        if record.status == "finished":
            ended.append(record.values[0])
            steps[start + epochs_a_fold] = float(np.mean(ended))
    return tuple(sorted(steps.items()))


def _name(candidate: Candidate) -> dict[str, Any]:
    return {"search": candidate.search, "number": candidate.number}


def _take(content: dict[str, Any], found: dict[str, dict[int, Candidate]]) -> None:
    event, search, number = content.pop("event"), content["search"], content["number"]
    rows = found.setdefault(search, {})
    if event == "asked":
        rows[number] = Candidate(search, number, content["params"], elapsed_s=content.get("elapsed_s", 0.0))
    elif event == "fold":
        known = rows[number]
        record = _record(content)
        # A run that a lost driver had not heard to its end is recorded again, in place of what there was.
        others = [one for one in known.folds if one.fold != record.fold]
        rows[number] = replace(known, folds=tuple(sorted([*others, record], key=lambda one: one.fold)))
    elif event == "told":
        values = tuple(_nan_for_null(content["values"]))
        outcome = {"state": content["state"], "values": values, "error": content["error"]}
        rows[number] = replace(rows[number], **outcome, elapsed_s=content["elapsed_s"])


def _record(content: Mapping[str, Any]) -> InnerRecord:
    known = {field.name for field in fields(InnerRecord)}
    values: dict[str, Any] = {name: value for name, value in content.items() if name in known}
    values |= {name: tuple(_nan_for_null(values[name])) for name in _NUMBER_LISTS}
    for name in _NUMBER_MAPS:
        values[name] = dict(zip(values[name], _nan_for_null(values[name].values()), strict=True))
    return InnerRecord(**values | {"subjects": tuple(values["subjects"])})


def _nan_for_null(values: Iterable[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
