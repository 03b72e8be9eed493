"""Figures of what was searched: which settings mattered, and where good ones lie."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize

from emo_ray.reports.content import shown_name
from emo_ray.reports.drawing import (
    HOLE_COLOUR,
    NETWORK_COLOUR,
    PALE,
    QUIET,
    REFERENCE_COLOUR,
    Figure,
    canvas,
    png,
    share_y,
)
from emo_ray.reports.importance import Importance
from emo_ray.reports.search_axes import SearchAxis, last_value, short_names, space_of
from emo_ray.reports.search_figures import limit_y, metric_label, outside_words
from emo_ray.results.search_results import Candidate, SearchResults

COLUMNS = 3
DOTS: dict[str, Any] = {"color": REFERENCE_COLOUR, "markersize": 4.5, "markeredgecolor": "black"}
UNUSED = -0.13
"""Where a line of the parallel coordinates passes an axis that its candidate does not have."""


def importance_bars(results: SearchResults, found: Sequence[Importance]) -> Figure:
    """Mean share of every setting over the searches, and a dot a search where there are several."""
    names = short_names(tuple(space_of(results)))
    keys = {key for importance in found for key in importance.shares}
    # of each key its share in every search
    shares = {key: [importance.shares.get(key, 0.0) for importance in found] for key in keys}
    ordered = sorted(shares, key=lambda key: (-float(np.mean(shares[key])), key))
    drawing, (axes,) = canvas(height_in=1.0 + 0.32 * len(ordered))
    places = np.arange(len(ordered))
    means = [float(np.mean(shares[key])) for key in ordered]
    axes.barh(places, means, height=0.6, color=NETWORK_COLOUR)
    for place, (key, mean) in enumerate(zip(ordered, means, strict=True)):
        if len(found) > 1:
            axes.plot(shares[key], np.full(len(found), place), "o", **DOTS)
        else:
            axes.text(mean + 0.01, place, f"{mean:.2f}", va="center", fontsize=8)
    axes.set_yticks(places, [names[key] for key in ordered], parse_math=False, fontsize=9)
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    longest = max(max(found) for found in shares.values())
    name = shown_name(results.objectives[0])
    axes.set(xlabel=f"share of the variance of {name}", xlim=(0, min(1.05, 1.15 * longest)))
    return png(drawing, "search-importance", _importance_caption(found, names))


def _importance_caption(found: Sequence[Importance], names: Mapping[str, str]) -> str:
    counts = sorted(importance.n_candidates for importance in found)
    n = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    dots = f" Bars: mean over {len(found)} searches; dots: each of them." if len(found) > 1 else ""
    left_out = dict.fromkeys(names[key] for importance in found for key in importance.left_out)
    conditional = (
        f" Left out, for not every complete candidate has it: {', '.join(left_out)}." if left_out else ""
    )
    return (
        f"Which settings explain the score (fANOVA over {n} complete candidates; stopped ones do not "
        f"count): a hint, not a proof.{dots}{conditional}"
    )


def parallel_coordinates(
    results: SearchResults, axes_of: Sequence[SearchAxis], candidates: Sequence[Candidate]
) -> Figure:
    """One line a candidate through all its settings to its score."""
    complete = [one for one in candidates if one.state == "complete"]
    scores = [one.values[0] for one in complete]
    score = SearchAxis("", metric_label(results), low=min(scores, default=0.0), high=max(scores, default=1.0))
    width_in = float(np.clip(1.15 * (len(axes_of) + 1), 6.6, 11))
    drawing, (axes,) = canvas(height_in=4.0, width_in=width_in)
    sign = 1.0 if results.directions[0] == "max" else -1.0
    # By rank, not by value: one that went astray would make all the others equally dark.
    ranks = {
        one.number: place for place, one in enumerate(sorted(complete, key=lambda c: sign * c.values[0]))
    }
    for one in candidates:
        shares = [axis.share(one.params[axis.key]) if axis.key in one.params else UNUSED for axis in axes_of]
        ends = [score.share(one.values[0])] if one.state == "complete" else []
        rank = ranks.get(one.number, 0) / max(1, len(complete) - 1)
        _draw_line(axes, one, [*shares, *ends], rank)
    shown = (*axes_of, score) if complete else axes_of
    for place, axis in enumerate(shown):
        _draw_axis(axes, place, axis)
    is_conditional = any(axis.key not in one.params for one in candidates for axis in axes_of)
    if is_conditional:
        axes.text(-0.25, UNUSED, "not used", ha="right", va="center", fontsize=7, style="italic")
    _dress_parallel(axes, [axis.label.replace(" (", "\n(") for axis in shown])
    caption = (
        "Every candidate as a line through its settings; the darker, the better. Grey: stopped, without a "
        "final score; dotted: failed."
    )
    return png(drawing, "search-parallel", caption)


def _draw_line(axes: Axes, one: Candidate, shares: Sequence[float], rank: float) -> None:
    places = range(len(shares))
    if one.state == "complete":
        # The better, the darker and the more on top.
        axes.plot(places, shares, color=_blues()(rank), linewidth=0.8 + rank, zorder=3 + rank)
    elif one.state == "fail":
        axes.plot(places, shares, color=HOLE_COLOUR, linewidth=0.9, linestyle=":", zorder=2)
    else:
        axes.plot(places, shares, color=PALE, linewidth=0.8, alpha=0.7, zorder=1)


def _draw_axis(axes: Axes, place: int, axis: SearchAxis) -> None:
    axes.plot([place, place], [0, 1], color="black", linewidth=0.9, zorder=6)
    for tick, text in axis.ticks():
        share = axis.share_of_place(tick)
        axes.plot([place - 0.03, place + 0.03], [share, share], color="black", linewidth=0.9, zorder=6)
        # Lines pass behind the texts: white below keeps them legible.
        axes.text(
            place + 0.05,
            share,
            text,
            fontsize=7,
            va="center",
            parse_math=False,
            zorder=7,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        )


def _dress_parallel(axes: Axes, labels: Sequence[str]) -> None:
    texts = [
        label.replace(" ", "\n", 1) if len(label) > 12 and "\n" not in label else label for label in labels
    ]
    axes.set_xticks(range(len(labels)), texts, parse_math=False, fontsize=8)
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xlim(-0.3, len(labels) - 0.45)
    axes.set_ylim(UNUSED - 0.05, 1.05)


def _blues() -> Colormap:
    """Pale to dark; the palest ones of matplotlib's own can not be seen on white."""
    blues = matplotlib.colormaps["Blues"](np.linspace(0.3, 1.0, 64))
    return LinearSegmentedColormap.from_list("blues", list(map(tuple, blues)))


def slices(results: SearchResults, axes_of: Sequence[SearchAxis], candidates: Sequence[Candidate]) -> Figure:
    """The score against each setting by itself."""
    columns = min(COLUMNS, len(axes_of))
    n_rows = -(-len(axes_of) // columns)
    drawing, panels = canvas(
        height_in=0.5 + 2.0 * n_rows, width_in=2.3 * columns + 0.6, columns=columns, panels=len(axes_of)
    )
    n_outside = 0
    for axes, axis in zip(panels, axes_of, strict=True):
        _draw_slice(axes, axis, candidates, results)
        n_outside = limit_y(axes, [last_value(one) for one in candidates])
    share_y(panels, columns)
    for axes in panels[::columns]:
        axes.set_ylabel(metric_label(results).replace(" (", "\n("), fontsize=8)
    numbers = Normalize(0, max(one.number for one in candidates))
    drawing.colorbar(
        matplotlib.cm.ScalarMappable(numbers, _blues()), ax=panels, label="candidate", shrink=0.7
    )
    caption = (
        "Score against each setting. Dots: complete, the darker the later in the search; open triangles: "
        f"where a candidate stood when it was stopped; ring: the best.{outside_words(n_outside)}"
    )
    return png(drawing, "search-slices", caption)


def _draw_slice(
    axes: Axes, axis: SearchAxis, candidates: Sequence[Candidate], results: SearchResults
) -> None:
    having = [one for one in candidates if axis.key in one.params and last_value(one) is not None]
    complete = [one for one in having if one.state == "complete"]
    stopped = [one for one in having if one.state == "pruned"]
    where = {one.number: axis.place(one.params[axis.key]) for one in having}
    axes.plot(
        [where[one.number] for one in stopped],
        [last_value(one) or np.nan for one in stopped],
        "^",
        color=QUIET,
        markerfacecolor="none",
        markersize=4,
        alpha=0.7,
    )
    axes.scatter(
        [where[one.number] for one in complete],
        [one.values[0] for one in complete],
        c=[one.number for one in complete],
        cmap=_blues(),
        vmin=0,
        vmax=max(one.number for one in candidates),
        s=22,
        zorder=3,
    )
    best = results.best(candidates[0].search)
    if best is not None and best.number in where:
        axes.plot(
            where[best.number],
            best.values[0],
            "o",
            color=REFERENCE_COLOUR,
            markerfacecolor="none",
            markersize=9,
            markeredgewidth=1.6,
            zorder=4,
        )
    dress_x(axes, axis)


def dress_x(axes: Axes, axis: SearchAxis) -> None:
    """Scale, range, ticks and title of an x axis that is a setting."""
    if axis.is_log:
        axes.set_xscale("log")
    places, texts = zip(*axis.ticks(), strict=True)
    if axis.labels:
        axes.set_xlim(-0.5, len(texts) - 0.5)
    elif axis.high > axis.low:
        ends = np.log([axis.low, axis.high]) if axis.is_log else np.array([axis.low, axis.high])
        padded = ends + np.array([-0.06, 0.06]) * np.ptp(ends)
        axes.set_xlim(*(np.exp(padded) if axis.is_log else padded))
    axes.minorticks_off()
    is_crowded = sum(map(len, texts)) > 26
    turned: dict[str, Any] = {"rotation": 25, "ha": "right"} if is_crowded else {}
    axes.set_xticks(places, texts, parse_math=False, fontsize=7, **turned)
    axes.set_title(axis.label, fontsize=9, parse_math=False)
