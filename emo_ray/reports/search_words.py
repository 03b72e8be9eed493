"""What a report says of a search: what it found, whose data chose it, and what that is not."""

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from statistics import fmean, stdev
from typing import Any

from emo_ray.reports.content import number, shown_name
from emo_ray.reports.search_axes import search_axes, value_text
from emo_ray.reports.search_numbers import (
    CandidateCounts,
    all_candidates,
    count_epochs,
    count_states,
    fold_values,
    outer_score,
    subject_scores,
)
from emo_ray.results.search_results import Candidate, SearchResults

FLAT = (
    "FLAT: candidates were scored on the test subjects themselves. The best of them is optimistic, and no "
    "estimate for new people."
)
OPTIMISTIC = (
    "This score chose the candidate, so it is optimistic. It is no result: test the candidate on people whom "
    "the search has not seen."
)


def search_headline(results: SearchResults) -> str:
    """The search in a few sentences."""
    counts = count_states(all_candidates(results))
    columns = by_column(results).items()
    nested = " ".join(_nested_found(part, name) for name, part in columns)
    found = nested if results.is_nested else _found(results)
    return f"{found} {counts_sentence(counts)} {epochs_sentence(results)}"


def by_column(results: SearchResults) -> dict[str, SearchResults]:
    """Searches of each column by themselves, for columns are never averaged; one, named "", as a rule."""
    if len(results.header["bases"]) == 1:
        return {"": results}
    names = dict.fromkeys(name.partition("/")[0] for name in results.searches)
    return {
        column: replace(
            results,
            searches={
                name: found for name, found in results.searches.items() if name.startswith(f"{column}/")
            },
        )
        for column in names
    }


def _found(results: SearchResults) -> str:
    best = next((one for name in results.searches if (one := results.best(name))), None)
    if best is None:
        return "No candidate is complete yet."
    score = f"{shown_name(results.objectives[0])} {number(best.values[0])}"
    spread = spread_words(best)
    return (
        f"Best: candidate {best.number}, {score}{f' ({spread})' if spread else ''}: "
        f"{settings_words(results, best)}."
    )


def _nested_found(results: SearchResults, column: str) -> str:
    where = f"{column}: " if column else ""
    best = [one for name in results.searches if (one := results.best(name))]
    n_searches = len(results.searches)
    noun = "search" if n_searches == 1 else "searches"
    if not best:
        return f"{where}{n_searches} {noun}, one an outer subject: none has a complete candidate yet."
    values = [one.values[0] for one in best]
    waiting = f" ({n_searches - len(best)} have none yet)" if len(best) < n_searches else ""
    return (
        f"{where}{n_searches} {noun}, one an outer subject, each inside the others{waiting}. Inner "
        f"{shown_name(results.objectives[0])} of what they chose: mean {number(fmean(values))}, "
        f"{number(min(values))} to {number(max(values))}."
    )


def spread_words(one: Candidate) -> str:
    """``mean over 3 inner folds, 0.650 to 0.760; sd over 9 subjects 0.080``."""
    values = fold_values(one)
    scores = [score for score in subject_scores(one).values() if not isnan(score)]
    words = []
    if len(values) > 1:
        words.append(f"mean over {len(values)} inner folds, {number(min(values))} to {number(max(values))}")
    if len(scores) > 1:
        words.append(f"sd over {len(scores)} subjects {number(stdev(scores))}")
    return "; ".join(words)


def settings_words(results: SearchResults, one: Candidate) -> str:
    """``learning rate = 0.001, dropout = 0.2``."""
    told = [
        f"{axis.label} = {value_text(one.params[axis.key])}"
        for axis in search_axes(results)
        if axis.key in one.params
    ]
    return ", ".join(told)


def counts_sentence(counts: CandidateCounts) -> str:
    """``25 candidates: 14 complete, 9 stopped early, 2 FAILED.``"""
    parts = [(counts.complete, "complete"), (counts.pruned, "stopped early")]
    parts += [(counts.fail, "FAILED"), (counts.running, "not finished")]
    told = ", ".join(f"{n} {words}" for n, words in parts if n)
    return f"{counts.total} candidates: {told}." if told else "No candidate has been tried yet."


def epochs_sentence(results: SearchResults) -> str:
    """Epochs that were trained, and about how many it had been without stopping."""
    epochs = count_epochs(results)
    full = epochs.without_stopping
    if not full or full <= epochs.trained:
        return f"{epochs.trained:,} epochs were trained."
    return (
        f"{epochs.trained:,} epochs were trained, about {100 * epochs.trained / full:.0f} % of the {full:,} "
        "that the same candidates take without stopping."
    )


def warnings_of(results: SearchResults) -> tuple[str, ...]:
    """What has to stand out."""
    return (FLAT,) if results.header["scoring"]["kind"] == "flat" else ()


def whose_data(results: SearchResults) -> tuple[str, ...]:
    """Whose data chose, who was kept out of it, and what that means for the score."""
    lines = _nested_chooser(results) if results.is_nested else _chooser(results)
    prior = results.header["prior_subjects"]
    if prior:
        lines.append(f"The first points come from an earlier study, chosen by data of {listed(prior)}.")
    return (*lines, *([] if results.is_nested else [OPTIMISTIC]))


def _chooser(results: SearchResults) -> list[str]:
    subjects, scoring = results.header["subjects"], results.header["scoring"]["kind"]
    lines = [f"Whose data chose: {listed(subjects)}."]
    scored = dict.fromkeys(s for one in all_candidates(results) for r in one.folds for s in r.subjects)
    if scoring == "holdout" and scored:
        lines[0] += f" Scored on {listed(sorted(scored))}; the others trained."
    elif scoring == "kfold":
        lines[0] += " Each was scored once, by what the other groups trained."
    aside = results.header["set_aside"]
    if aside:
        lines.append(f"Set aside, and never used by this search: {listed(aside)}.")
    else:
        lines.append("Nobody was set aside: nobody of this corpus is left for an unbiased test.")
    return lines


def _nested_chooser(results: SearchResults) -> list[str]:
    subjects = results.header["subjects"]
    lines = [
        f"Whose data chose: for each outer subject the others, of {listed(subjects)}; its own data took no "
        "part in its search."
    ]
    return [*lines, *filter(None, (_optimism(part, column) for column, part in by_column(results).items()))]


def _optimism(results: SearchResults, column: str) -> str:
    pairs = [
        (best.values[0], test)
        for name in results.searches
        if (best := results.best(name)) and (test := outer_score(results, name)) is not None
    ]
    if not pairs:
        return ""
    inner, tested = (fmean(values) for values in zip(*pairs, strict=True))
    where = f"{column}: over" if column else "Over"
    return (
        f"{where} the {len(pairs)} outer subjects that have both: inner {shown_name(results.objectives[0])} "
        f"{number(inner)}, which chose and so is optimistic; on the outer subjects {number(tested)}: "
        "the result."
    )


def listed(subjects: Sequence[str]) -> str:
    """``3 subjects (S01, S02, S07)``."""
    names = short_subjects(subjects)
    plural = "subject" if len(names) == 1 else "subjects"
    return f"{len(names)} {plural} ({', '.join(names[name] for name in subjects)})"


def short_subjects(subjects: Sequence[str]) -> dict[str, str]:
    """Without the corpus, where all are of the same."""
    is_one_corpus = len({name.rpartition("/")[0] for name in subjects}) == 1
    return {name: (name.rpartition("/")[2] if is_one_corpus else name) for name in subjects}


def shown_part(settings: dict[str, Any]) -> str:
    """``asha: grace epochs = 3, reduction factor = 3``."""
    told = [
        f"{shown_name(key)} = {value_text(value)}"
        for key, value in settings.items()
        if key != "kind" and value is not None
    ]
    kind = str(settings.get("kind", ""))
    return f"{kind}: {', '.join(told)}" if kind and told else kind or ", ".join(told)
