"""Figures of one search: how it went, and how its candidates learnt."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator

from emo_ray.reports.content import shown_name
from emo_ray.reports.drawing import (
    HOLE_COLOUR,
    NETWORK_COLOUR,
    PALE,
    QUIET,
    REFERENCE_COLOUR,
    Figure,
    canvas,
    legend_above,
    png,
    share_y,
)
from emo_ray.reports.search_axes import last_value
from emo_ray.results.search_results import (
    Candidate,
    CandidateState,
    Direction,
    InnerRecord,
    SearchResults,
    pareto_front,
)

N_BEST = 5
"""Candidates whose learning curves are drawn."""
COLOURS: Mapping[CandidateState, str] = {
    "complete": NETWORK_COLOUR,
    "pruned": QUIET,
    "fail": HOLE_COLOUR,
    "running": PALE,
}


def metric_label(results: SearchResults, place: int = 0) -> str:
    """Name of an objective, and which way is better."""
    better = "higher" if results.directions[place] == "max" else "lower"
    return f"{shown_name(results.objectives[place])} ({better} is better)"


def history(results: SearchResults, candidates: Sequence[Candidate]) -> Figure:
    """The first objective of every candidate, in the order in which they were drawn."""
    drawing, (axes,) = canvas(height_in=3.4)
    draw_history(axes, candidates, results.directions[0])
    n_outside = limit_y(axes, [last_value(one) for one in candidates])
    axes.set(xlabel="candidate", ylabel=metric_label(results))
    legend_above(axes, columns=5)
    caption = (
        "Every candidate in the order of the search. Line: the best so far. Open triangles: where a "
        f"candidate stood when it was stopped. Ticks below: failed.{outside_words(n_outside)}"
    )
    return png(drawing, "search-history", caption)


def draw_history(axes: Axes, candidates: Sequence[Candidate], direction: Direction) -> None:
    """Dots, triangles, ticks and the line of the best so far, on a panel that is there."""
    complete = _points(candidates, "complete")
    if complete:
        numbers, values = zip(*complete, strict=True)
        best = (np.maximum if direction == "max" else np.minimum).accumulate(values)
        # As far as the search has come: the last step would else end at the last complete candidate.
        ends = [*numbers, max(one.number for one in candidates)]
        axes.step(
            ends,
            [*best, best[-1]],
            where="post",
            color=REFERENCE_COLOUR,
            linewidth=1.4,
            label="best so far",
            zorder=1,
        )
        axes.plot(numbers, values, "o", color=NETWORK_COLOUR, markersize=4.5, label="complete")
    for state, marker, label in (("pruned", "^", "stopped"), ("running", "o", "not finished")):
        points = _points(candidates, state)
        if points:
            axes.plot(
                *zip(*points, strict=True),
                marker,
                color=QUIET,
                markerfacecolor="none",
                markersize=4.5,
                label=label,
            )
    failed = [one.number for one in candidates if one.state == "fail"]
    if failed:
        # x in candidates, y as a share of the panel's height
        at_bottom = axes.get_xaxis_transform()
        axes.plot(
            failed,
            np.full(len(failed), 0.025),
            "|",
            color=HOLE_COLOUR,
            transform=at_bottom,
            markersize=9,
            markeredgewidth=1.8,
            label="failed",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.margins(y=0.1)


def _points(candidates: Sequence[Candidate], state: str) -> list[tuple[int, float]]:
    found = [(one.number, last_value(one)) for one in candidates if one.state == state]
    return [(number, value) for number, value in found if value is not None and np.isfinite(value)]


def limit_y(axes: Axes, values: Sequence[float | None]) -> int:
    """Keep one that went astray from making a line of all the others; how many now lie outside."""
    finite = np.array([value for value in values if value is not None and np.isfinite(value)])
    if finite.size < 4:
        return 0
    quarter, half, three_quarters = np.percentile(finite, (25, 50, 75))
    reach = 5 * max(three_quarters - quarter, 1e-3 * abs(half), 1e-9)
    low, high = max(finite.min(), quarter - reach), min(finite.max(), three_quarters + reach)
    is_outside = (finite < low) | (finite > high)
    if is_outside.any():
        axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    return int(is_outside.sum())


def outside_words(n_outside: int) -> str:
    """What a caption says of values beyond the axis."""
    return f" {n_outside} lie far outside and are not shown." if n_outside else ""


def intermediate_values(results: SearchResults) -> Figure:
    """The course of every candidate of all searches over epochs, and where it ended before its time."""
    drawing, (axes,) = canvas(height_in=3.8)
    candidates = [one for found in results.searches.values() for one in found]
    best = {id(results.best(name)) for name in results.searches}
    for one in candidates:
        if id(one) in best:
            # the best ones of many searches are not to hide the others
            width = 2.2 if len(results.searches) == 1 else 1.1
            _draw_course(axes, one, REFERENCE_COLOUR, width, 1.0)
        else:
            _draw_course(axes, one, COLOURS[one.state], 0.9, max(0.15, 1 - len(candidates) / 120))
    n_epochs = int(results.header["epochs_a_fold"])
    last = max((step for one in candidates for step, _ in one.steps), default=0)
    for end in range(n_epochs, last, n_epochs):
        axes.axvline(end + 0.5, color=PALE, linewidth=0.8, linestyle=":")
    n_outside = limit_y(axes, [value for one in candidates for _, value in one.steps])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="step: epochs, counted over the inner folds", ylabel=metric_label(results))
    _legend_of_courses(axes)
    between = " Dotted: the next inner fold begins." if last > n_epochs else ""
    caption = (
        "What each candidate had reached at each step, which is what the stopping rule saw; a cross is where "
        f"it was stopped or failed.{between}{outside_words(n_outside)}"
    )
    return png(drawing, "search-intermediate", caption)


def _draw_course(axes: Axes, one: Candidate, colour: str, width: float, opacity: float) -> None:
    if not one.steps:
        return
    steps, values = zip(*one.steps, strict=True)
    axes.plot(steps, values, color=colour, linewidth=width, alpha=opacity, zorder=1 + width)
    if one.state in ("pruned", "fail"):
        axes.plot(steps[-1], values[-1], "x", color=colour, markersize=5, markeredgewidth=1.3, zorder=4)


def _legend_of_courses(axes: Axes) -> None:
    # Hundreds of lines have no label of their own.
    for colour, marker, label in (
        (REFERENCE_COLOUR, "", "best"),
        (NETWORK_COLOUR, "", "complete"),
        (QUIET, "x", "stopped"),
        (HOLE_COLOUR, "x", "failed"),
    ):
        axes.plot([], [], color=colour, marker=marker, label=label)
    legend_above(axes, columns=4)


def learning_curves(results: SearchResults, candidates: Sequence[Candidate]) -> Figure:
    """Train and validation loss of the best candidates, a panel each."""
    sign = 1 if results.directions[0] == "max" else -1
    complete = [one for one in candidates if one.state == "complete" and one.folds]
    best = sorted(complete, key=lambda one: (-sign * one.values[0], one.number))[:N_BEST]
    drawing, panels = canvas(height_in=2.7, width_in=max(3.6, 1.9 * len(best) + 0.4), columns=len(best))
    for axes, one in zip(panels, best, strict=True):
        for colour, name in ((NETWORK_COLOUR, "train"), (REFERENCE_COLOUR, "validation")):
            _draw_losses(axes, [getattr(record, f"{name}_loss") for record in one.folds], colour, name)
        _mark_epochs(axes, one.folds)
        axes.set_title(f"candidate {one.number}\n{one.values[0]:.3f}", fontsize=9)
        axes.set_xlabel("epoch", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    share_y(panels, len(panels))
    panels[0].set_ylabel("loss")
    drawing.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    thin = (
        " Thin lines: inner folds; thick: their mean, as far as all of them train."
        if _n_folds(best) > 1
        else ""
    )
    caption = f"Loss of the best {len(best)} candidates over epochs.{thin}"
    return png(drawing, "search-learning", caption)


def _n_folds(candidates: Sequence[Candidate]) -> int:
    return max(len(one.folds) for one in candidates)


def _draw_losses(axes: Axes, curves: Sequence[Sequence[float]], colour: str, name: str) -> None:
    shortest = min(len(curve) for curve in curves)
    if len(curves) > 1:
        for curve in curves:
            axes.plot(range(len(curve)), curve, color=colour, linewidth=0.7, alpha=0.35)
    # (folds, epochs)
    mean = np.mean([curve[:shortest] for curve in curves], axis=0)
    axes.plot(range(shortest), mean, color=colour, linewidth=1.8, label=name)


def _mark_epochs(axes: Axes, records: Sequence[InnerRecord]) -> None:
    best = [record.best_epoch for record in records if record.best_epoch >= 0]
    axes.plot(
        best,
        np.full(len(best), 0.03),
        "|",
        color=HOLE_COLOUR,
        transform=axes.get_xaxis_transform(),
        markeredgewidth=1.5,
        label="best epoch",
    )


def pareto(results: SearchResults, candidates: Sequence[Candidate]) -> Figure:
    """The first objective against each other one; what no candidate beats in both is joined by a line."""
    complete = [one for one in candidates if one.state == "complete"]
    front = pareto_front(complete, results.directions)
    others = range(1, len(results.objectives))
    drawing, panels = canvas(height_in=3.8, width_in=max(5.6, 4.0 * len(others)), columns=len(others))
    for axes, place in zip(panels, others, strict=True):
        on_front = {one.number for one in front}
        behind = [one for one in complete if one.number not in on_front]
        axes.plot(*_pairs(behind, place), "o", color=PALE, markersize=4.5, label="beaten by another")
        axes.plot(*_pairs(front, place), "o", color=NETWORK_COLOUR, markersize=5.5, label="front")
        if len(results.objectives) == 2:
            _draw_front(axes, results, front)
        for one in front:
            axes.annotate(
                str(one.number),
                (one.values[place], one.values[0]),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=7,
            )
        costs = [one.values[place] for one in complete]
        if min(costs) > 0 and max(costs) > 10 * min(costs):
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
            axes.xaxis.set_major_formatter("{x:,.6g}")
            axes.minorticks_off()
        axes.set_xlabel(metric_label(results, place))
    panels[0].set_ylabel(metric_label(results))
    legend_above(panels[0], columns=2)
    caption = (
        f"{len(front)} of {len(complete)} complete candidates are beaten by no other in one objective "
        "without being better in another: numbers name them."
    )
    return png(drawing, "search-pareto", caption)


def _pairs(candidates: Sequence[Candidate], place: int) -> tuple[list[float], list[float]]:
    return [one.values[place] for one in candidates], [one.values[0] for one in candidates]


def _draw_front(axes: Axes, results: SearchResults, front: Sequence[Candidate]) -> None:
    cost, score = (np.array(values) for values in _pairs(front, 1))
    order = np.argsort(cost)
    # What a cost buys is what the next cheaper point of the front has: a step, held until the next.
    where: Literal["post", "pre"] = "post" if results.directions[1] == "min" else "pre"
    axes.step(cost[order], score[order], where=where, color=NETWORK_COLOUR, linewidth=1, alpha=0.6)
