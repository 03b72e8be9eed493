"""Figures of the results of a study: scores by subject, predictions against truth, learning curves."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from emo_ray.reports.content import PUBLISHED_LABEL, reference_names, shown_name
from emo_ray.reports.drawing import (
    HOLE_COLOUR,
    NETWORK_COLOUR,
    QUIET,
    REFERENCE_COLOUR,
    WIDTH_IN,
    Figure,
    canvas,
    legend_above,
    png,
)
from emo_ray.results.pooling import NETWORK, PooledPredictions, concatenate, read_run
from emo_ray.results.run_result import RunRecord
from emo_ray.results.study_results import StudyResults
from emo_ray.results.summary import Section, Summary, per_subject
from emo_ray.tasks.base import Head
from emo_ray.training.metrics import direction_of


def section_figures(results: StudyResults, summary: Summary, section: Section) -> tuple[Figure, ...]:
    """All figures that one section with finished runs can have.

    Raises
    ------
    JournalError : the predictions of a finished run can not be read
    """
    # A run that tests several subjects has a row for each, and is read once.
    done = dict.fromkeys(row.fingerprint for row in section.subjects if row.status == "finished")
    pooled = concatenate([read_run(results, fingerprint) for fingerprint in done])
    stem = re.sub(r"[^A-Za-z0-9-]+", "-", f"{section.column}-{section.candidate}")
    figures = [subject_bars(section, summary.primary_metric, f"{stem}-subjects")]
    values = [head for head in results.heads if head.kind == "value"]
    if values:
        figures.append(value_scatter(pooled, values, f"{stem}-values"))
    for head in results.heads:
        name = re.sub(r"[^A-Za-z0-9-]+", "-", f"{stem}-{head.name}")
        if head.kind == "classes":
            figures.append(confusion_matrix(pooled, head, name))
        elif head.kind == "event":
            figures.append(precision_recall(pooled, head, name))
    records = [results.records[fingerprint] for fingerprint in done]
    if any(_losses(record, "train").size for record in records):
        figures.append(learning_curves(records, f"{stem}-learning"))
    if section.procedure == "clean":
        return tuple(figures)
    # A figure is soon somewhere else, and its caption with it.
    told = f"{PUBLISHED_LABEL[0].upper()}{PUBLISHED_LABEL[1:]}."
    return tuple(replace(figure, caption=f"{figure.caption} {told}") for figure in figures)


def subject_bars(section: Section, metric: str, name: str) -> Figure:
    """The network against the linear reference, a pair of bars a subject; holes are named, not left out."""
    subjects = list(dict.fromkeys(row.subject for row in section.subjects))
    references = (NETWORK, *reference_names(section))
    reference = "linear" if "linear" in references else references[-1]
    drawing, (axes,) = canvas(height_in=1.3 + 0.28 * len(subjects))
    places = np.arange(len(subjects))
    for model, offset, colour in ((NETWORK, -0.19, NETWORK_COLOUR), (reference, 0.19, REFERENCE_COLOUR)):
        scores = per_subject(section.subjects, model, metric)
        lengths = [scores.get(subject, np.nan) for subject in subjects]
        axes.barh(places + offset, lengths, height=0.36, color=colour, label=model)
        mean = section.models[model][metric].mean
        if mean is not None:
            axes.axvline(mean, color=colour, linewidth=1.2, linestyle="--", label=f"mean, {model}")
    _name_holes(axes, section, subjects, metric)
    # parse_math=False here and below: a "$" in a name is not meant as mathematics.
    axes.set_yticks(places, subjects, parse_math=False, fontsize=8)
    axes.set_ylim(len(subjects) - 0.4, -0.6)  # the first subject on top
    better = "higher" if direction_of(metric) == "max" else "lower"
    axes.set_xlabel(f"{shown_name(metric)} on the test subject ({better} is better)")
    axes.axvline(0, color="black", linewidth=0.8)
    legend_above(axes, columns=4)
    caption = f"{shown_name(metric)} of every subject: network and {reference} reference, {section.column}."
    return png(drawing, name, caption)


def _name_holes(axes: Axes, section: Section, subjects: Sequence[str], metric: str) -> None:
    scored = per_subject(section.subjects, NETWORK, metric)
    status = {row.subject: row.status for row in section.subjects}
    words = {"failed": "failed", "missing": "not run yet", "finished": "undefined"}
    for place, subject in enumerate(subjects):
        if subject not in scored:
            axes.annotate(
                words[status[subject]],
                (0, place),
                xytext=(4, 0),
                textcoords="offset points",
                color=HOLE_COLOUR,
                va="center",
                fontsize=8,
                style="italic",
            )


def confusion_matrix(pooled: PooledPredictions, head: Head, name: str) -> Figure:
    """Counts of segments by true and predicted class; shade is the share of the true class."""
    truth = pooled.targets[head.name]
    defined = np.isfinite(truth)
    guess = pooled.models[NETWORK][head.name][defined].argmax(axis=1)
    n_classes = len(head.classes)
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    # (true, predicted); add.at counts a pair as often as it comes, which += would not.
    np.add.at(counts, (truth[defined].astype(np.int64), guess), 1)
    # A class that nobody has in truth keeps a row of zeros.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(3.6, 1.6 + 0.75 * n_classes)
    drawing, (axes,) = canvas(height_in=side, width_in=side + 1.2)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(n_classes, n_classes):
        share = shares[row, column]
        text = f"{share:.0%}\n{counts[row, column]}"
        axes.text(
            column, row, text, ha="center", va="center", fontsize=8, color="white" if share > 0.5 else "black"
        )
    axes.set_xticks(range(n_classes), head.classes, parse_math=False, rotation=30, ha="right")
    axes.set_yticks(range(n_classes), head.classes, parse_math=False)
    axes.set(xlabel="predicted class", ylabel="true class")
    drawing.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return png(drawing, name, f"{head.name}: true and predicted class of all test segments.")


def value_scatter(pooled: PooledPredictions, heads: Sequence[Head], name: str) -> Figure:
    """Predicted against true value of every segment, a panel a head, with the identity line."""
    drawing, panels = canvas(height_in=WIDTH_IN / max(len(heads), 2) + 0.4, columns=len(heads))
    for axes, head in zip(panels, heads, strict=True):
        truth, guess = pooled.targets[head.name], pooled.models[NETWORK][head.name]  # (segments,) each
        defined = np.isfinite(truth)
        # The more points lie on each other, the fainter each.
        opacity = float(np.clip(200 / max(defined.sum(), 1), 0.05, 0.6))
        axes.scatter(truth[defined], guess[defined], s=6, alpha=opacity, color=NETWORK_COLOUR, linewidths=0)
        _identity_line(axes, truth[defined])
        axes.set_title(head.name, fontsize=10, parse_math=False)
        axes.set(xlabel="true, in units of the rating", ylabel="predicted, same units")
    heads_named = ", ".join(head.name for head in heads)
    return png(drawing, name, f"Predicted against true {heads_named} of all test segments; line: identity.")


def _identity_line(axes: Axes, truth: Float[np.ndarray, " segments"]) -> None:
    if truth.size:
        ends = [truth.min(), truth.max()]
        axes.plot(ends, ends, color="black", linewidth=1, linestyle="--", label="identity")


def precision_recall(pooled: PooledPredictions, head: Head, name: str) -> Figure:
    """Precision over recall of an event: network, linear reference, and its rate, which a coin reaches."""
    from sklearn.metrics import precision_recall_curve

    truth = pooled.targets[head.name]
    drawing, (axes,) = canvas(height_in=4.2, width_in=5.6)
    for model, colour in ((NETWORK, NETWORK_COLOUR), ("linear", REFERENCE_COLOUR)):
        guess = pooled.models.get(model, {}).get(head.name, np.full_like(truth, np.nan))
        defined = np.isfinite(truth) & np.isfinite(guess)
        # Without one event recall is undefined.
        if truth[defined].any():
            precision, recall, _ = precision_recall_curve(truth[defined], guess[defined])
            axes.plot(recall, precision, color=colour, linewidth=1.6, label=model)
    rate = float(np.mean(truth[np.isfinite(truth)])) if np.isfinite(truth).any() else 0.0
    axes.axhline(rate, color=QUIET, linestyle="--", linewidth=1.2, label=f"rate of the event, {rate:.2f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    legend_above(axes, columns=3)
    return png(drawing, name, f"{head.name}: precision and recall over all test segments.")


def learning_curves(records: Sequence[RunRecord], name: str) -> Figure:
    """Loss over epochs, a thin line a fold, and their median as long as at least half of them train."""
    # what a search has chosen trains without anybody to validate on
    splits = [split for split in ("train", "validation") if any(_losses(one, split).size for one in records)]
    drawing, panels = canvas(height_in=3.4, columns=len(splits))
    for axes, split in zip(panels, splits, strict=True):
        curves = [_losses(record, split) for record in records]
        for curve in curves:
            axes.plot(np.arange(curve.size), curve, color=NETWORK_COLOUR, alpha=0.25, linewidth=0.8)
        median = _median_curve(curves)
        axes.plot(np.arange(median.size), median, color="black", linewidth=2, label="median of folds")
        axes.set_title(split, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("loss")
    panels[-1].sharey(panels[0])
    best = [record.best_epoch for record in records if record.best_epoch >= 0]
    # x in epochs, y as a share of the panel's height
    bottom = panels[-1].get_xaxis_transform()
    panels[-1].plot(
        best, np.full(len(best), 0.02), "|", color=HOLE_COLOUR, transform=bottom, label="best epoch"
    )
    panels[-1].legend(fontsize=8, frameon=False)
    return png(drawing, name, "Loss of every fold over epochs; ticks below: epochs whose weights were used.")


def _losses(record: RunRecord, split: str) -> Float[np.ndarray, " epochs"]:
    losses = [entry.get(split, {}).get("loss") for entry in record.history]
    return np.array(
        [np.nan if loss is None else loss for loss in losses if losses[0] is not None], np.float64
    )


def _median_curve(curves: Sequence[Float[np.ndarray, " _"]]) -> Float[np.ndarray, " epochs"]:
    lengths = sorted(curve.size for curve in curves)
    # As far as at least half of the folds reach: beyond, a few long ones would bend the median.
    n_epochs = lengths[len(lengths) // 2]
    running = ([curve[epoch] for curve in curves if curve.size > epoch] for epoch in range(n_epochs))
    return np.array([np.nanmedian(losses) for losses in running], np.float64)
