"""Figures of a nested study: all its searches together, and how far they agree."""

from collections.abc import Mapping, Sequence

import matplotlib.figure
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from emo_ray.reports.drawing import NETWORK_COLOUR, PALE, Figure, canvas, png, share_y
from emo_ray.reports.search_axes import SearchAxis, last_value
from emo_ray.reports.search_figures import draw_history, limit_y, metric_label, outside_words
from emo_ray.reports.search_settings_figures import dress_x
from emo_ray.results.search_results import Candidate, SearchResults

HISTORY_COLUMNS, STRIP_COLUMNS = 4, 4


def nested_history(results: SearchResults, names: Mapping[str, str]) -> Figure:
    """The history of every search, a small panel each, on the same axes; ``names`` are short."""
    searches = [(name, found) for name, found in results.searches.items() if found]
    columns = min(HISTORY_COLUMNS, len(searches))
    n_rows = -(-len(searches) // columns)
    drawing, panels = canvas(
        height_in=0.8 + 1.45 * n_rows, width_in=2.1 * columns + 0.5, columns=columns, panels=len(searches)
    )
    values = [last_value(one) for _, found in searches for one in found]
    last = max(one.number for _, found in searches for one in found)
    for axes, (name, found) in zip(panels, searches, strict=True):
        draw_history(axes, found, results.directions[0])
        axes.set_title(names[name], fontsize=8, pad=3, parse_math=False)
        axes.set_xlim(-0.8, last + 0.8)
    share_y(panels, columns)
    n_outside = 0
    for axes in panels:
        n_outside = limit_y(axes, values)
    drawing.supxlabel("candidate", fontsize=9)
    drawing.supylabel(metric_label(results), fontsize=9)
    _one_legend(drawing, panels)
    caption = (
        "The search of every outer subject, inside the others: candidates in their order and the best so "
        "far. Scores of two searches are of other people, so levels are not to be compared."
        f"{outside_words(n_outside)}"
    )
    return png(drawing, "search-history", caption)


def _one_legend(drawing: matplotlib.figure.Figure, panels: Sequence[Axes]) -> None:
    handles: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    drawing.legend(
        list(handles.values()), list(handles), loc="outside upper left", ncols=5, fontsize=8, frameon=False
    )


def chosen_settings(
    results: SearchResults, axes_of: Sequence[SearchAxis], names: Mapping[str, str]
) -> Figure:
    """What each search chose, a strip of dots a setting; the searched range is the width of a strip."""
    best = {name: found for name in results.searches if (found := results.best(name))}
    columns = min(STRIP_COLUMNS, len(axes_of))
    n_rows = -(-len(axes_of) // columns)
    drawing, panels = canvas(
        height_in=n_rows * (0.9 + 0.17 * len(best)),
        width_in=2.1 * columns + 0.8,
        columns=columns,
        panels=len(axes_of),
    )
    places = np.arange(len(best))
    for place, (axes, axis) in enumerate(zip(panels, axes_of, strict=True)):
        dress_x(axes, axis)
        _draw_strip(axes, axis, list(best.values()))
        axes.set_yticks(places, [names[name] for name in best], parse_math=False, fontsize=7)
        axes.tick_params(labelleft=place % columns == 0, axis="y", length=0)
        axes.set_ylim(len(best) - 0.5, -0.5)
        axes.grid(axis="y", color=PALE, linewidth=0.4)
    caption = (
        "Settings that each search chose; a strip is as wide as what was searched. Dots above each other: "
        "the searches agree. No dot: the chosen candidate does not have the setting."
    )
    return png(drawing, "search-chosen", caption)


def _draw_strip(axes: Axes, axis: SearchAxis, best: Sequence[Candidate]) -> None:
    points = [
        (axis.place(one.params[axis.key]), row) for row, one in enumerate(best) if axis.key in one.params
    ]
    if points:
        axes.plot(*zip(*points, strict=True), "o", color=NETWORK_COLOUR, markersize=5, zorder=3)
