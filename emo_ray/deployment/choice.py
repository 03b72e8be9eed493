"""What a finished study hands to a final model: settings, epochs, thresholds, and what they are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emo_ray.deployment.package import NO_SCORE, StudyScore
from emo_ray.errors import ConfigError
from emo_ray.experiment import Selection
from emo_ray.protocols.lineage import perhaps_among
from emo_ray.results.pooling import NETWORK
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import Section, summarise


@dataclass(frozen=True)
class Choice:
    """How a final model is to be trained, and where that comes from.

    Attributes
    ----------
    n_epochs : to train for, for nobody tells when to stop
    thresholds : by event head; 0.5 where nothing is known
    source : in words
    study : its name, if it was one
    seen : whose data chose settings, epochs or thresholds
    scores, meaning : of the study, and what they say of the final model
    selection : where a sweep has chosen the settings
    """

    n_epochs: int
    thresholds: Mapping[str, float] = field(default_factory=dict)
    source: str = "settings given on the command line"
    study: str = ""
    seen: tuple[str, ...] = ()
    scores: tuple[StudyScore, ...] = ()
    meaning: str = NO_SCORE
    selection: Selection | None = None


def choice_of_study(results: StudyResults, column: str) -> tuple[Mapping[str, Any], Choice]:
    """The settings of a study's candidate, as its journal declares them, and what its folds came to.

    Raises
    ------
    ConfigError : the study has no such column, or no finished fold in it
    """
    candidate = _candidate(results, column)
    records = [
        results.records[fingerprint]
        for fingerprint, name, _ in results.planned
        if name == candidate and fingerprint in results.records
    ]
    finished = [record for record in records if record.status == "finished"]
    if not finished:
        raise ConfigError(
            f"--from-study {results.name}: not one fold of column {column} has finished; the command that "
            "started the study goes on with it"
        )
    section = next(one for one in summarise(results).sections if one.candidate == candidate)
    settings = {
        name: value
        for name, value in results.header["candidates"][candidate].items()
        if name not in ("column", "search", "selection")
    }
    return settings, Choice(
        n_epochs=median_epochs(finished),
        thresholds=median_thresholds(finished),
        source=f"study {results.name}, column {column}; epochs and thresholds are medians of its folds",
        study=results.name,
        seen=tuple(sorted({name for record in finished for name in _took_part(record)})),
        scores=(_score(section, results.primary_metric),),
        meaning=_meaning(results, section, column),
        selection=_selection(results, candidate),
    )


def median_epochs(records: Sequence[RunRecord]) -> int:
    """Epochs until the best one, the median over folds; at least 1."""
    return max(1, round(float(np.median([record.best_epoch + 1 for record in records]))))


def median_thresholds(records: Sequence[RunRecord]) -> dict[str, float]:
    """Decision threshold of each event head, the median over folds."""
    heads = sorted({head for record in records for head in record.thresholds})
    return {
        head: float(np.median([one.thresholds[head] for one in records if head in one.thresholds]))
        for head in heads
    }


def _candidate(results: StudyResults, column: str) -> str:
    known = {name: declared["column"] for name, declared in results.header["candidates"].items()}
    if "nested" in known.values() or results.header.get("search") is not None:
        raise ConfigError(
            f"--from-study {results.name}: a search chose other settings in every fold. Sweep without "
            "--nested, and give --from-sweep"
        )
    found = [name for name, has in known.items() if has == column]
    if len(found) != 1:
        raise ConfigError(
            f"--from-study {results.name}: it has {len(found)} candidates in column {column}, one is "
            f"needed; its columns are {', '.join(sorted(set(known.values())))} (--scaling train means flat)"
        )
    return str(found[0])


def _took_part(record: RunRecord) -> tuple[str, ...]:
    return tuple(sorted({*record.subjects, *(name for seen in record.lineage.values() for name in seen)}))


def _score(section: Section, metric: str) -> StudyScore:
    row = section.models[NETWORK][metric]
    return StudyScore(metric=metric, mean=row.mean, low=row.low, high=row.high, n_subjects=row.n_subjects)


def _meaning(results: StudyResults, section: Section, column: str) -> str:
    missing = section.counts.planned - section.counts.finished
    gaps = f" {missing} of {section.counts.planned} folds are missing." if missing else ""
    how = "with their own unlabelled data for standardisation" if column == "transductive" else "unseen"
    return (
        f"{results.primary_metric} in study {results.name}: each person tested, {how}, by a model trained on "
        "others with these settings. It speaks for the procedure; this very model was tested on nobody."
        f"{_optimism(results, section)}{gaps} {section.verdict.sentence}"
    )


def _optimism(results: StudyResults, section: Section) -> str:
    """A sentence, where people were tested whose data had chosen the settings."""
    selection = _selection(results, section.candidate)
    tested = {row.subject for row in section.subjects if row.status == "finished"}
    n_seen = len(perhaps_among(tested, selection.subjects)) if selection else 0
    if selection is None or not n_seen:
        return ""
    return (
        f" OPTIMISTIC: sweep {selection.study} chose these settings on the data of {n_seen} of the "
        f"{len(tested)} people tested."
    )


def _selection(results: StudyResults, candidate: str) -> Selection | None:
    told = results.header["candidates"][candidate].get("selection")
    return Selection(told["study"], tuple(told["subjects"]), bool(told["as_flat"])) if told else None
