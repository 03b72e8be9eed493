"""What MLflow is told about a search, its candidates and their folds, as plain values."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from emo_ray.files import shown_uri
from emo_ray.results.search_results import Candidate, InnerRecord, SearchResults, pareto_front
from emo_ray.results.summary import Summary
from emo_ray.tracking.entries import (
    MAX_PARAM_CHARS,
    MAX_TAG_CHARS,
    MetricPoint,
    StudyEntry,
    defined,
    git_tags,
    parameters,
    shortened,
    storable_key,
    study_metrics,
    study_tags,
    verdict_tags,
)

ENDINGS = {"complete": "FINISHED", "pruned": "KILLED", "fail": "FAILED"}
"""How MLflow calls the state of a candidate."""

FOLD_ENDINGS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
SUBJECTS_FILE = "subjects.json"
# of the search's header: told in another form, or lists as long as the study has subjects
_NOT_PARAMETERS = {
    *("space", "objectives", "directions", "bases"),
    *("subjects", "set_aside", "study_names", "inner_folds", "prior_subjects"),
}
# What a candidate shows of the experiment beside what was searched: enough to compare two sweeps.
_SHOWN_OF_BASE = ("corpus.kind", "extraction.kind", "task.kind", "model.kind", "training.max_epochs")
FLAT_NOTE = (
    "OPTIMISTIC: a flat search. Its candidates were compared by the scores of the test subjects themselves, "
    "so the best score says how well settings can be fitted to these subjects, not how well the model does "
    "on a person it has never seen. Nested LOSO says that."
)


def search_entry(results: SearchResults) -> StudyEntry:
    """The parent run of a study with a search in it."""
    scoring = str(results.header["scoring"]["kind"])
    tags = study_tags(results.study) | {
        # A study whose folder was removed and begun anew may draw other candidates: other runs, too.
        "emo.created": created(results),
        "emo.sampler": str(results.header["sampler"]),
        "emo.scoring": scoring,
        # As of this start: a search may be continued with more.
        "emo.budget": _budget_text(results.header["budget"]),
    }
    if scoring == "flat":
        tags |= {"emo.optimistic": "true", "mlflow.note.content": FLAT_NOTE}
    names = ("emo.study", "emo.kind", "emo.plan", "emo.created")
    return StudyEntry({name: tags[name] for name in names}, shortened(tags), search_parameters(results))


def created(results: SearchResults) -> str:
    """Milliseconds since 1970 at which the study was begun: tells two studies of one name apart."""
    return str(int(1000 * results.study.header.get("created_unix", 0.0)))


def search_parameters(results: SearchResults) -> dict[str, str]:
    """Space and settings of the search; passwords in addresses hidden."""
    header = results.header
    settings = {name: value for name, value in header.items() if name not in _NOT_PARAMETERS}
    aims = zip(results.objectives, results.directions, strict=True)
    settings["objectives"] = ", ".join(f"{direction} {name}" for name, direction in aims)
    settings["n_subjects"] = len(header.get("subjects", ()))
    space = {
        storable_key(f"space/{key}"): dimension_text(dimension)[:MAX_PARAM_CHARS]
        for key, dimension in header["space"].items()
    }
    return {name: shown_uri(text) for name, text in (parameters(settings | _base(results)) | space).items()}


def _base(results: SearchResults) -> dict[str, Any]:
    """The experiment that the search changes; of several, which differ by column alone, the first."""
    bases = results.header.get("bases") or ()
    return {"base": bases[0]} if bases else {}


def dimension_text(dimension: Mapping[str, Any]) -> str:
    """``log 0.0001..0.003``, ``choice 32, 64``; with its condition, if it has one."""
    kind = str(dimension["kind"])
    if kind == "choice":
        values = dimension.get("choices", dimension.get("values", ()))
        text = f"choice {', '.join(_short(value) for value in values)}"
    else:
        text = f"{kind} {_short(dimension['low'])}..{_short(dimension['high'])}"
        if dimension.get("step", 1) not in (1, None):
            text += f" by {_short(dimension['step'])}"
    conditions = [
        f"{other} in {', '.join(_short(value) for value in allowed)}"
        for other, allowed in (dimension.get("when") or {}).items()
    ]
    return f"{text} if {' and '.join(conditions)}" if conditions else text


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def _budget_text(budget: Mapping[str, Any]) -> str:
    limits = (("n_candidates", "candidates"), ("hours", "hours"))
    return " or ".join(f"{_short(budget[key])} {word}" for key, word in limits if budget.get(key))


def candidate_name(candidate: Candidate) -> str:
    """As the table of runs shows it: ``candidate 7``, in a nested study ``P03 candidate 7``."""
    return f"{candidate.search} candidate {candidate.number}".strip()


def search_tags(results: SearchResults, search: str) -> dict[str, str]:
    """Tags of the run above the candidates of one outer fold."""
    return shortened(_common_tags(results, search) | {"emo.kind": "search"})


def candidate_tags(results: SearchResults, candidate: Candidate) -> dict[str, str]:
    """Tags of a candidate's run; study, search and number are its identity."""
    tags = _common_tags(results, candidate.search) | {
        "emo.kind": "candidate",
        "emo.number": str(candidate.number),
        "emo.state": candidate.state,
        "emo.error": shown_uri(candidate.error),
    }
    if _subject_rows(candidate):
        # MLflow's pages draw a file that is named here as a table
        tags["mlflow.loggedArtifacts"] = json.dumps([{"path": SUBJECTS_FILE, "type": "table"}])
    return shortened(tags | git_tags(results.study))


def fold_tags(results: SearchResults, record: InnerRecord) -> dict[str, str]:
    """Tags of the run of one inner fold."""
    tags = {
        "emo.study": results.study.name,
        "emo.kind": "inner_fold",
        "emo.search": record.search,
        "emo.number": str(record.number),
        "emo.fold": str(record.fold),
        "emo.fingerprint": record.fingerprint,
        "emo.status": record.status,
        "emo.subjects": ", ".join(record.subjects),
        "emo.host": record.host,
        "emo.error": shown_uri(record.error),
    }
    return shortened(tags)


def _common_tags(results: SearchResults, search: str) -> dict[str, str]:
    scoring = str(results.header["scoring"]["kind"])
    return {
        "emo.study": results.study.name,
        "emo.created": created(results),
        "emo.search": search,
        "emo.scoring": scoring,
        "emo.optimistic": "true" if scoring == "flat" else "",
    }


def candidate_parameters(results: SearchResults, candidate: Candidate) -> dict[str, str]:
    """The searched settings by dotted key, and the few others that tell one sweep from another."""
    base = parameters(_base(results).get("base", {}))
    return {name: base[name] for name in _SHOWN_OF_BASE if name in base} | parameters(candidate.params)


def candidate_metrics(results: SearchResults, candidate: Candidate) -> list[MetricPoint]:
    """Objectives, mean scores over the inner folds, the curve of intermediate values, and costs.

    A candidate that did not complete has no scores: a mean over fewer folds would stand in one column with
    means over all. Its curve tells how far it came.
    """
    start_ms, end_ms = candidate_times_ms(results, candidate)
    last = max((step for step, _ in candidate.steps), default=1)
    curve = f"curve/{results.objectives[0]}"
    # steps carry no clock: they are spread evenly over the time of the candidate
    points: list[tuple[str, Any, int, int]] = [
        (curve, value, step, start_ms + (end_ms - start_ms) * step // max(last, 1))
        for step, value in candidate.steps
    ]
    folds = candidate.folds
    final: dict[str, float] = {
        "epochs": candidate.n_epochs,
        "folds": len(folds),
        "seconds": sum(record.seconds for record in folds),
    }
    if any(record.n_parameters for record in folds):
        final["n_parameters"] = max(record.n_parameters for record in folds)
    if candidate.state == "complete":
        final |= _mean_scores(folds)
        final["best_epoch"] = _mean([float(record.best_epoch) for record in folds])
        for name, value in zip(results.objectives, candidate.values, strict=True):
            final |= {f"objective/{name}": value, name: value}
    points += [(name, value, 0, end_ms) for name, value in final.items()]
    return defined(points)


def _mean_scores(folds: Sequence[InnerRecord]) -> dict[str, float]:
    names = {name: None for record in folds for name in record.scores}
    return {name: _mean([record.scores.get(name, math.nan) for record in folds]) for name in names}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def candidate_times_ms(results: SearchResults, candidate: Candidate) -> tuple[int, int]:
    """Start of a candidate's first fold and end of its last one, in milliseconds since 1970."""
    if candidate.folds:
        times = [fold_times_ms(record) for record in candidate.folds]
        return min(start for start, _ in times), max(end for _, end in times)
    told_ms = int(created(results)) + int(1000 * candidate.elapsed_s)
    return told_ms, told_ms


def fold_times_ms(record: InnerRecord) -> tuple[int, int]:
    """Start and end of the run of an inner fold, in milliseconds since 1970."""
    start_ms = int(1000 * record.started_unix)
    return start_ms, start_ms + int(1000 * record.seconds)


def fold_metrics(results: SearchResults, record: InnerRecord) -> list[MetricPoint]:
    """Losses and validation score of every epoch, then the scores."""
    start_ms, end_ms = fold_times_ms(record)
    n_epochs = max(len(record.curve), len(record.train_loss), 1)
    series = (
        ("train/loss", record.train_loss),
        ("validation/loss", record.validation_loss),
        (f"validation/{results.objectives[0]}", record.curve),
    )
    points: list[tuple[str, Any, int, int]] = [
        (name, value, epoch, start_ms + (end_ms - start_ms) * (epoch + 1) // n_epochs)
        for name, values in series
        for epoch, value in enumerate(values)
    ]
    final = {**record.scores, "seconds": record.seconds}
    if record.status == "finished":
        final["best_epoch"] = record.best_epoch
    points += [(name, value, 0, end_ms) for name, value in final.items()]
    return defined(points)


def subjects_table(results: SearchResults, candidate: Candidate) -> str:
    """Score of every subject in every inner fold, as the JSON that MLflow's pages draw as a table.

    Empty where no fold has scored anybody.
    """
    rows = _subject_rows(candidate)
    if not rows:
        return ""
    columns = ["subject", "inner_fold", results.objectives[0]]
    return json.dumps({"columns": columns, "data": rows})


def _subject_rows(candidate: Candidate) -> list[list[Any]]:
    # JSON has no NaN: an undefined score is null
    return [
        [subject, record.fold, value if math.isfinite(value) else None]
        for record in candidate.folds
        for subject, value in record.subject_scores.items()
    ]


def search_metrics(results: SearchResults, search: str, time_ms: int) -> list[MetricPoint]:
    """Counts of candidates by state, and the best one's objectives, of one search."""
    candidates = results.searches[search]
    counts = _counts(candidates)
    ended = sum(counts[state] for state in ENDINGS)
    best = results.best(search)
    final: dict[str, float] = {f"candidates/{state}": count for state, count in counts.items()}
    if best is not None:
        aims = zip(results.objectives, best.values, strict=True)
        final |= {f"best/{name}": value for name, value in aims} | {"best/number": best.number}
    return defined([(name, value, ended, time_ms) for name, value in final.items()])


def _counts(candidates: Sequence[Candidate]) -> dict[str, int]:
    return {state: sum(one.state == state for one in candidates) for state in (*ENDINGS, "running")}


def candidates_page(results: SearchResults, experiment_id: str) -> str:
    """Where MLflow's pages list the candidates of a study, best first: what follows their address.

    Sorted by a metric, they stand in one list; otherwise they hide below their study. All of them marked,
    "Compare" opens them side by side.
    """
    condition = f"tags.emo.kind = 'candidate' and tags.emo.study = '{results.study.name}'"
    order = f"metrics.`objective/{results.objectives[0]}`"
    asked = {
        "searchFilter": condition,
        "orderByKey": order,
        "orderByAsc": str(results.directions[0] == "min").lower(),
    }
    return f"#/experiments/{experiment_id}/runs?{urlencode(asked, quote_via=quote)}"


def finish_metrics(results: SearchResults, summary: Summary | None, time_ms: int) -> list[MetricPoint]:
    """Of the study's run: its search, or counts over all searches and the scores on outer subjects."""
    points = [] if summary is None else study_metrics(summary, time_ms)
    if not results.is_nested:
        return points + [p for name in results.searches for p in search_metrics(results, name, time_ms)]
    counts = _counts([one for candidates in results.searches.values() for one in candidates])
    ended = sum(counts[state] for state in ENDINGS)
    return points + defined([(f"candidates/{state}", n, ended, time_ms) for state, n in counts.items()])


def finish_tags(results: SearchResults, summary: Summary | None) -> dict[str, str]:
    """Of the study's run: verdicts, and a note with the label of a flat search and what was chosen."""
    verdicts = {} if summary is None else verdict_tags(summary)
    flat = results.header["scoring"]["kind"] == "flat"
    parts = ([FLAT_NOTE] if flat else []) + [verdicts.get("mlflow.note.content", "")]
    parts += [_choice_text(results, search) for search in results.searches]
    note = "\n\n".join(part for part in parts if part)
    return shortened(verdicts | {"mlflow.note.content": note[:MAX_TAG_CHARS]})


def _choice_text(results: SearchResults, search: str) -> str:
    best = results.best(search)
    where = f"{search}: " if search else ""
    if best is None:
        return f"{where}no candidate is complete"
    aims = zip(results.objectives, best.values, strict=True)
    values = ", ".join(f"{name} {value:.4g}" for name, value in aims)
    settings = ", ".join(f"{key} = {_short(value)}" for key, value in best.params.items())
    whose = "test" if results.header["scoring"]["kind"] == "flat" else "inner validation"
    return f"{where}best is candidate {best.number} ({values} on {whose} subjects): {settings}"


def chosen(results: SearchResults) -> dict[str, set[str]]:
    """Tags that mark candidates, to the names of those that carry them: the best, and the Pareto front."""
    best = (results.best(search) for search in results.searches)
    marks = {"emo.best": {one.name for one in best if one is not None}, "emo.pareto": set()}
    if len(results.objectives) > 1:
        marks["emo.pareto"] = {one.name for one in _fronts(results)}
    return marks


def _fronts(results: SearchResults) -> Iterator[Candidate]:
    for candidates in results.searches.values():
        yield from pareto_front(candidates, results.directions)
