"""Write the report of a search into the folder of its study: sweep.html, sweep.md, search.json, figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emo_ray.files import write_atomically
from emo_ray.reports.document import Block, Folded, Heading, Line, Link, Shown, as_html, as_markdown
from emo_ray.reports.drawing import Figure
from emo_ray.reports.importance import MIN_COMPLETE, importance_of
from emo_ray.reports.nested_figures import chosen_settings, nested_history
from emo_ray.reports.page import html_page
from emo_ray.reports.search_axes import search_axes
from emo_ray.reports.search_figures import history, intermediate_values, learning_curves, pareto
from emo_ray.reports.search_numbers import all_candidates, count_states, summarise_search
from emo_ray.reports.search_settings_figures import importance_bars, parallel_coordinates, slices
from emo_ray.reports.search_tables import (
    agreement_sentence,
    agreement_table,
    candidate_table,
    chosen_table,
    left_out_sentence,
    reason_table,
    settings_table,
    space_table,
)
from emo_ray.reports.search_words import (
    by_column,
    counts_sentence,
    search_headline,
    short_subjects,
    warnings_of,
    whose_data,
)
from emo_ray.results.search_results import Candidate, SearchResults

FIGURES = "search-*.png"
"""Names of the figures of a search, which lie beside those of the usual report."""


@dataclass(frozen=True)
class SearchReportPaths:
    """Where the parts of the report of a search lie."""

    folder: Path
    markdown: Path
    page: Path
    summary: Path
    figures: tuple[Path, ...]


def write_search_report(results: SearchResults, folder: Path | None = None) -> SearchReportPaths:
    """Write sweep.md, sweep.html, search.json and figures/search-*.png into ``report/`` of the study.

    Safe to repeat, also while the search runs: each file is replaced in one step.
    """
    folder = folder or results.folder / "report"
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    figures = search_figures(results)
    # Before the pages that show them; the pages name only figures that are there.
    paths = tuple(folder / "figures" / f"{figure.name}.png" for figure in figures)
    for path, figure in zip(paths, figures, strict=True):
        write_atomically(path, figure.png)
    blocks = search_document(results, figures)
    title = f"{results.study.name}: search"
    write_atomically(folder / "sweep.md", "\n\n".join(as_markdown(blocks)) + "\n")
    write_atomically(folder / "sweep.html", html_page(title, as_html(blocks)))
    write_atomically(folder / "search.json", summarise_search(results).to_json())
    for stale in set((folder / "figures").glob(FIGURES)) - set(paths):
        stale.unlink()
    return SearchReportPaths(
        folder, folder / "sweep.md", folder / "sweep.html", folder / "search.json", paths
    )


def search_figures(results: SearchResults) -> tuple[Figure, ...]:
    """All figures that a search can have by now; none before a candidate has a value."""
    return _nested_figures(results) if results.is_nested else _plain_figures(results)


def _plain_figures(results: SearchResults) -> tuple[Figure, ...]:
    candidates, axes = all_candidates(results), search_axes(results)
    if not any(one.steps or one.values for one in candidates):
        return ()
    figures = [history(results, candidates)]
    importance = importance_of(results, candidates)
    if importance:
        figures.append(importance_bars(results, [importance]))
    figures += [parallel_coordinates(results, axes, candidates), slices(results, axes, candidates)]
    figures.append(intermediate_values(results))
    complete = [one for one in candidates if one.state == "complete"]
    if any(record.train_loss for one in complete for record in one.folds):
        figures.append(learning_curves(results, candidates))
    if len(results.objectives) > 1 and complete:
        figures.append(pareto(results, candidates))
    return tuple(figures)


def _nested_figures(results: SearchResults) -> tuple[Figure, ...]:
    if not any(one.steps or one.values for one in all_candidates(results)):
        return ()
    names, axes = short_subjects(tuple(results.searches)), search_axes(results)
    figures = [nested_history(results, names)]
    if any(map(results.best, results.searches)):
        figures.append(chosen_settings(results, axes, names))
    found = [importance_of(results, candidates) for candidates in results.searches.values()]
    known = [importance for importance in found if importance]
    if known:
        figures.append(importance_bars(results, known))
    return (*figures, intermediate_values(results))


def search_document(results: SearchResults, figures: Sequence[Figure]) -> list[Block]:
    """The report in blocks; words come first."""
    blocks: list[Block] = [Heading(f"{results.study.name}: search", 1)]
    blocks += [Line(search_headline(results), "headline")]
    blocks += [Line(warning, "hole") for warning in warnings_of(results)]
    blocks += [Line(line) for line in whose_data(results)]
    if results.is_nested:
        blocks += [*_chosen(results), Link("The report of the study", "report")]
    blocks += [Heading("What was searched"), Shown(space_table(results), words=True)]
    blocks += [Heading("How it was searched"), Shown(settings_table(results), words=True)]
    reasons = reason_table(results)
    if reasons.rows:
        blocks += [Heading("Failed candidates"), Shown(reasons, words=True)]
    blocks += [Heading("Figures")] if figures else []
    blocks += [*figures, *_importance_hole(results)]
    blocks += [Heading("Candidates"), Line(BRACKETS, "small"), *_candidates(results)]
    return blocks


BRACKETS = "In brackets: where a candidate stood that was not finished; not to be compared with the others."


def _importance_hole(results: SearchResults) -> list[Block]:
    n_complete = max((count_states(found).complete for found in results.searches.values()), default=0)
    if n_complete >= MIN_COMPLETE:
        return []
    return [
        Line(
            f"Importance of settings: not computed from fewer than {MIN_COMPLETE} complete candidates.",
            "small",
        )
    ]


def _candidates(results: SearchResults) -> list[Block]:
    if not results.is_nested:
        return [block for found in results.searches.values() for block in _candidate_blocks(results, found)]
    names = short_subjects(tuple(results.searches))
    return [
        Folded(
            f"{names[name]}: {counts_sentence(count_states(found))}", tuple(_candidate_blocks(results, found))
        )
        for name, found in results.searches.items()
    ]


def _candidate_blocks(results: SearchResults, candidates: Sequence[Candidate]) -> list[Line | Shown]:
    more = left_out_sentence(candidates)
    table = Shown(candidate_table(results, candidates))
    return [table, Line(more, "small")] if more else [table]


def chosen_section(results: SearchResults) -> list[Block]:
    """The section of a nested study's usual report on how its settings were chosen."""
    blocks = [Line(warning, "hole") for warning in warnings_of(results)]
    return [
        Heading("How the settings were chosen"),
        Line(search_headline(results)),
        *blocks,
        *(Line(line) for line in whose_data(results)),
        *_chosen(results)[1:],
        Link("The searches in full: candidates, space, failures, figures", "sweep"),
    ]


def _chosen(results: SearchResults) -> list[Block]:
    blocks: list[Block] = [Heading("What each search chose")]
    for column, part in by_column(results).items():
        blocks += [Heading(column, 3)] if column else []
        blocks.append(Shown(chosen_table(part)))
        agreement = agreement_sentence(part)
        if agreement:
            blocks += [Line(agreement, "verdict"), Shown(agreement_table(part), words=True)]
    return blocks
