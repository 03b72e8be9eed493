"""Tables of a search: candidates, space, settings, failures; and of a nested study what each search chose."""

from collections import Counter
from collections.abc import Sequence
from math import inf, isnan
from statistics import median, quantiles

from emo_ray.files import shown_uri
from emo_ray.reports.content import UNDEFINED, Table, number, shown_name
from emo_ray.reports.grouping import NUMBER
from emo_ray.reports.search_axes import SearchAxis, last_value, search_axes, space_of, value_text
from emo_ray.reports.search_numbers import all_candidates, fold_values, outer_score
from emo_ray.reports.search_words import short_subjects, shown_part
from emo_ray.results.search_results import Candidate, SearchResults
from emo_ray.search.desk import chosen_from

MAX_CANDIDATES = 50
STATES = {"complete": "complete", "pruned": "stopped", "fail": "FAILED", "running": "not finished"}
ORDER = ("complete", "pruned", "running", "fail")
AGREE_SHARE, AGREE_RANGE = 0.8, 0.25
"""Searches agree where so many chose the same, or half of them lie within so much of the range."""


def ranked(results: SearchResults, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Best first; then stopped ones by where they stood, then the others."""
    sign = 1.0 if results.directions[0] == "max" else -1.0

    def rank(one: Candidate) -> tuple[int, float, int]:
        value = last_value(one)
        # nan and None have no place among values: last of their state
        gain = -inf if value is None or isnan(value) else sign * value
        return ORDER.index(one.state), -gain, one.number

    return sorted(candidates, key=rank)


def candidate_table(results: SearchResults, candidates: Sequence[Candidate]) -> Table:
    """At most fifty candidates, best first, and what became of them."""
    axes, shown = search_axes(results), ranked(results, candidates)[:MAX_CANDIDATES]
    has_folds = any(len(one.folds) > 1 for one in candidates)
    has_reason = any(one.error for one in shown)
    header = ["candidate", "state", *map(shown_name, results.objectives)]
    header += [*(["inner folds"] if has_folds else []), *(axis.label for axis in axes), "epochs"]
    rows = []
    for one in shown:
        cells = [str(one.number), STATES[one.state], *_objective_cells(results, one)]
        cells += [_fold_cell(one)] if has_folds else []
        cells += [_setting(one, axis) for axis in axes]
        cells += [str(one.n_epochs), *([one.error] if has_reason else [])]
        rows.append(tuple(cells))
    marked = frozenset(place for place, one in enumerate(shown) if one.state == "fail")
    return Table((*header, *(["reason"] if has_reason else [])), tuple(rows), marked)


def left_out_sentence(candidates: Sequence[Candidate]) -> str:
    """How many candidates the table does not show; empty if it shows all."""
    n_more = len(candidates) - MAX_CANDIDATES
    return f"and {n_more} more candidates: see search.json." if n_more > 0 else ""


def _objective_cells(results: SearchResults, one: Candidate) -> list[str]:
    if one.values:
        names = zip(results.objectives, one.values, strict=True)
        return [f"{value:,.0f}" if name == "n_parameters" else number(value) for name, value in names]
    value = last_value(one)
    # In brackets: it was not finished, and is not to be compared.
    first = UNDEFINED if value is None else f"({number(value)})"
    return [first, *(UNDEFINED for _ in results.objectives[1:])]


def _fold_cell(one: Candidate) -> str:
    values = fold_values(one)
    if not values:
        return UNDEFINED
    return f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else number(values[0])


def _setting(one: Candidate, axis: SearchAxis) -> str:
    return value_text(one.params[axis.key]) if axis.key in one.params else UNDEFINED


def space_table(results: SearchResults) -> Table:
    """Every dimension: what was searched, when it counts, and what the best candidate has."""
    best = None if results.is_nested else next(map(results.best, results.searches), None)
    rows = []
    for key, dimension in space_of(results).items():
        if dimension["kind"] == "choice":
            searched = ", ".join(map(value_text, dimension["choices"]))
        else:
            searched = f"{value_text(dimension['low'])} to {value_text(dimension['high'])}"
        when = "; ".join(
            f"{other} is {' or '.join(map(value_text, allowed))}"
            for other, allowed in dimension["when"].items()
        )
        chosen = [] if best is None else [value_text(best.params[key]) if key in best.params else UNDEFINED]
        rows.append((key, dimension["kind"], searched, when or "always", *chosen))
    return Table(("setting", "kind", "searched", "used when", *(["best"] if best else [])), tuple(rows))


def settings_table(results: SearchResults) -> Table:
    """How the search was done."""
    header = results.header
    objectives = [
        f"{shown_name(name)} ({'higher' if direction == 'max' else 'lower'} is better)"
        for name, direction in zip(results.objectives, results.directions, strict=True)
    ]
    rows = (
        ("objective", ", ".join(objectives)),
        ("sampler", str(header["sampler"])),
        ("stopping", shown_part(header["stopping"])),
        ("scoring", shown_part(header["scoring"])),
        ("budget", shown_part(header["budget"])),
        ("candidates of a search at a time", str(header["at_once"] or "as many as there was room for")),
        ("known-good points, tried first", str(header["n_first"] or "")),
        ("seed", str(header["seed"])),
        ("storage", shown_uri(str(header["storage"]))),
        ("Optuna study", _study_names(list(map(str, header["study_names"].values())))),
    )
    return Table(("setting", "value"), tuple(row for row in rows if row[1]))


def _study_names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}, {len(names)} studies"


def reason_table(results: SearchResults) -> Table:
    """Failed candidates by reason, the commonest first; reasons are alike but for their numbers."""
    failed = [one for one in all_candidates(results) if one.state == "fail"]
    kinds = Counter(NUMBER.sub("#", one.error) for one in failed)
    rows = []
    for kind, count in kinds.most_common():
        alike = [one for one in failed if NUMBER.sub("#", one.error) == kind]
        more = f" and {len(alike) - 12} more" if len(alike) > 12 else ""
        rows.append((alike[0].error, str(count), ", ".join(one.name for one in alike[:12]) + more))
    return Table(("reason", "times", "candidates"), tuple(rows), frozenset(range(len(rows))))


def chosen_table(results: SearchResults) -> Table:
    """What each search of a nested study chose, on what score, and what it came to."""
    axes, names = search_axes(results), short_subjects(tuple(results.searches))
    header = ["outer subject", *(axis.label for axis in axes), "epochs", "inner score", "test score"]
    rows = []
    for name in results.searches:
        best = results.best(name)
        cells = [names[name]]
        cells += [_setting(best, axis) if best else UNDEFINED for axis in axes]
        cells += [str(chosen_from(best, ()).n_epochs) if best else UNDEFINED]
        cells += [number(best.values[0] if best else None), number(outer_score(results, name))]
        rows.append(tuple(cells))
    holes = frozenset(place for place, name in enumerate(results.searches) if results.best(name) is None)
    return Table(tuple(header), tuple(rows), holes)


def agreement_table(results: SearchResults) -> Table:
    """How far the searches of a nested study agree on each setting."""
    rows = [(axis.label, *_agreement(results, axis)) for axis in search_axes(results)]
    return Table(("setting", "chosen by the searches", "do they agree?"), tuple(rows))


def agreement_sentence(results: SearchResults) -> str:
    """On which settings the searches agree, and how to read it; empty before there are two."""
    if sum(results.best(name) is not None for name in results.searches) < 2:
        return ""
    rows = agreement_table(results).rows
    told = {answer: [row[0] for row in rows if row[2] == answer] for answer in ("yes", "no")}
    parts = [
        f"The searches agree on {', '.join(told['yes'])}."
        if told["yes"]
        else "The searches agree on no setting."
    ]
    if told["no"]:
        parts.append(
            f"They differ on {', '.join(told['no'])}: such a setting matters little, or can not be told from "
            "so few people."
        )
    return " ".join(parts)


def _agreement(results: SearchResults, axis: SearchAxis) -> tuple[str, str]:
    best = [one for name in results.searches if (one := results.best(name)) and axis.key in one.params]
    if not best:
        return "by none", UNDEFINED
    values = [one.params[axis.key] for one in best]
    if axis.labels:
        found = Counter(map(value_text, values)).most_common()
        told = ", ".join(f"{text} ({count})" for text, count in found)
        return told, _answer(found[0][1] / len(best) >= AGREE_SHARE, len(best), len(results.searches))
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values * 3)
    width = axis.share(high) - axis.share(low) if axis.high > axis.low else 0.0
    told = (
        f"median {value_text(median(values))} of {len(best)}, half of them {value_text(low)} to "
        f"{value_text(high)}: {100 * width:.0f} % of the range"
    )
    return told, _answer(width <= AGREE_RANGE, len(best), len(results.searches))


def _answer(agrees: bool, n_having: int, n_searches: int) -> str:
    # Two that happen to have a setting and agree on it do not speak for thirteen others.
    if n_having < 2 or 2 * n_having < n_searches:
        return UNDEFINED
    return "yes" if agrees else "no"
