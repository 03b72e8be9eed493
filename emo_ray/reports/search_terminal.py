"""What a search found as plain text, for the end of a job; never wider than 100 columns."""

from emo_ray.reports.content import Table
from emo_ray.reports.search_axes import value_text
from emo_ray.reports.search_numbers import all_candidates
from emo_ray.reports.search_tables import candidate_table, chosen_table, ranked, reason_table
from emo_ray.reports.search_words import search_headline, warnings_of, whose_data
from emo_ray.reports.terminal import WIDTH, aligned, fit
from emo_ray.results.search_results import Candidate, SearchResults

N_SHOWN = 10


def search_table(results: SearchResults) -> str:
    """Headline, whose data chose, the best ten candidates (or what each search chose), and failures."""
    blocks = [search_headline(results), *warnings_of(results), *whose_data(results)]
    table = _chosen(results) if results.is_nested else _best_ten(results)
    if table.rows:
        # Settings in words, and cut: a column each would not fit the width.
        blocks.append(
            "\n".join(line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..." for line in _lines(table))
        )
    blocks += [f"FAILED {times} x {reason}" for reason, times, _ in reason_table(results).rows]
    return "\n\n".join(fit(block) for block in blocks) + "\n"


def _best_ten(results: SearchResults) -> Table:
    best = ranked(results, all_candidates(results))[:N_SHOWN]
    table = candidate_table(results, best)
    n_columns = 2 + len(results.objectives)
    rows = [(*row[:n_columns], _settings(one)) for row, one in zip(table.rows, best, strict=True)]
    return Table((*table.header[:n_columns], "settings"), tuple(rows))


def _chosen(results: SearchResults) -> Table:
    table = chosen_table(results)
    rows = [
        (row[0], *row[-3:], _settings(best) if (best := results.best(name)) else "")
        for row, name in zip(table.rows, results.searches, strict=True)
    ]
    return Table((table.header[0], *table.header[-3:], "settings"), tuple(rows))


def _settings(one: Candidate) -> str:
    return ", ".join(f"{key.split('.')[-1]}={value_text(value)}" for key, value in one.params.items())


def _lines(table: Table) -> list[str]:
    """Numbers to the right as elsewhere; the last column, in words, to the left."""
    lines = aligned(Table(table.header[:-1], tuple(row[:-1] for row in table.rows)))
    ends = [table.header[-1], *(row[-1] for row in table.rows)]
    return [f"{line}  {end}" for line, end in zip(lines, ends, strict=True)]
