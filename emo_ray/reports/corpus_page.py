"""What a corpus holds, as tables for the terminal and as a page with one trial of each modality."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.recording import Recording, Signal
from emo_ray.corpora.survey import UNLABELLED, SubjectSurvey
from emo_ray.reports.content import Table
from emo_ray.reports.document import Block, Heading, Line, Shown, as_html
from emo_ray.reports.drawing import NETWORK_COLOUR, QUIET, Figure, canvas, png
from emo_ray.reports.grouping import grouped_notes, grouped_rejections, longest_first
from emo_ray.reports.page import html_page
from emo_ray.results.summary import Rejected

SHOWN_S = 10.0  # of a fast signal; slow ones are shown whole
FAST_HZ = 30.0
MAX_CHANNELS = 8
PANEL_IN = 1.5
SPREAD = 6.0  # robust standard deviations from one channel to the next


@dataclass(frozen=True)
class CorpusSurvey:
    """All that `inspect` found.

    Attributes
    ----------
    corpus : how it was read
    subjects : one survey a person
    duplicates : sentences on subjects who look like one person
    example : a trial to draw, with as many modalities as any; None where nothing could be read
    """

    corpus: CorpusConfig
    subjects: tuple[SubjectSurvey, ...]
    duplicates: tuple[str, ...] = ()
    example: Recording | None = None


def corpus_page(survey: CorpusSurvey) -> str:
    """The page as one HTML file that needs no other."""
    title = survey.corpus.card.title
    return html_page(title, as_html(corpus_blocks(survey)))


def corpus_blocks(survey: CorpusSurvey) -> list[Block]:
    """The page as blocks."""
    blocks: list[Block] = [Heading(survey.corpus.card.title, 1), Line(found_line(survey), "headline")]
    blocks += [Line(text, "hole") for text in (*problem_lines(survey), *survey.duplicates)]
    blocks += [Line(text, "hole") for text in count_lines(survey)]
    if not survey.duplicates:
        blocks.append(Line("No two subjects look like one person."))
    blocks += [Heading("Signals"), Shown(signal_table(survey.subjects))]
    blocks += [Heading("Labels"), Shown(label_table(survey.subjects))]
    if survey.example:
        blocks += [Heading("One trial"), trial_figure(survey.example)]
    for heading, table in (("Rejected trials", rejections(survey)), ("Notes", notes(survey))):
        if table.rows:
            blocks += [Heading(heading), Shown(table, words=True)]
    blocks += [Heading("Subjects"), Shown(subject_table(survey.subjects))]
    return [*blocks, Heading("Who may use it"), Shown(card_table(survey.corpus), words=True)]


def found_line(survey: CorpusSurvey) -> str:
    """How much there is, in one sentence."""
    readable = [one for one in survey.subjects if not one.problem]
    n_trials = sum(one.n_trials for one in readable)
    n_sessions = max([0, *(len(one.sessions) for one in readable)])
    n_rejected = sum(len(one.rejected) for one in readable)
    counts = (
        _number(len(survey.subjects), "subject"),
        f"{_number(n_trials, 'trial')} in up to {_number(n_sessions, 'session')} each",
        f"{_number(n_rejected, 'trial')} rejected",
    )
    return f"{survey.corpus.kind}: {', '.join(counts)}"


def count_lines(survey: CorpusSurvey) -> tuple[str, ...]:
    """Where the number of subjects is not that of the release."""
    expected = survey.corpus.declaration.n_subjects
    found = len(survey.subjects)
    return () if expected in (None, found) else (f"{found} of the {expected} subjects of the release",)


def problem_lines(survey: CorpusSurvey) -> tuple[str, ...]:
    """Subjects whose files can not be read, and why."""
    return tuple(f"{one.subject} can not be read: {one.problem}" for one in survey.subjects if one.problem)


def signal_table(subjects: Sequence[SubjectSurvey]) -> Table:
    """A row a modality and rate: how many subjects and trials have it, its hours, what is missing."""
    kinds: dict[tuple[str, int, float, str], list[SubjectSurvey]] = {}
    for subject in subjects:
        for name, signal in subject.signals.items():
            kinds.setdefault((name, signal.n_channels, signal.sfreq, signal.unit), []).append(subject)
    rows = []
    for (name, n_channels, sfreq, unit), having in kinds.items():
        found = [subject.signals[name] for subject in having]
        seconds = sum(signal.seconds for signal in found)
        missing = sum(signal.missing * signal.seconds for signal in found) / max(seconds, 1e-9)
        counts = (str(len(having)), str(sum(signal.n_trials for signal in found)))
        share = f"{100 * missing:.2g} %"
        rows.append((name, str(n_channels), f"{sfreq:g}", unit, *counts, f"{seconds / 3600:.2f}", share))
    header = ("signal", "channels", "Hz", "unit", "subjects", "trials", "hours", "samples missing")
    return Table(header, tuple(rows))


def label_table(subjects: Sequence[SubjectSurvey]) -> Table:
    """A row a task: trials of each class, and how few of a class the poorest subject has."""
    totals: dict[str, Counter[str]] = {}
    for subject in subjects:
        for task, classes in subject.labels.items():
            totals.setdefault(task, Counter()).update(classes)
    rows = []
    for task, counts in totals.items():
        known = [name for name in counts if name != UNLABELLED]
        poorest = min(
            (one.labels[task].get(name, 0) for one in subjects if task in one.labels for name in known),
            default=0,
        )
        shown = ", ".join(f"{name} {counts[name]}" for name in known)
        rows.append((task, shown, str(counts.get(UNLABELLED, 0)), str(poorest)))
    return Table(
        ("task", "trials (or stretches) of each class", UNLABELLED, "least of a subject"), tuple(rows)
    )


def subject_table(subjects: Sequence[SubjectSurvey]) -> Table:
    """A row a subject."""
    rows = tuple(
        (one.subject, ", ".join(one.sessions), str(one.n_trials), str(len(one.rejected)), _first_labels(one))
        for one in subjects
    )
    marked = frozenset(index for index, one in enumerate(subjects) if one.problem)
    return Table(("subject", "sessions", "trials", "rejected", "labels of the first task"), rows, marked)


def card_table(corpus: CorpusConfig) -> Table:
    """Licence, citation and access."""
    card = corpus.card
    told = {
        "licence": card.licence,
        "citation": card.citation,
        "doi": card.doi,
        "access": card.access,
        "checked in the files, as sources are few": "; ".join(corpus.declaration.unverified),
    }
    return Table(("", ""), tuple((name, text) for name, text in told.items() if text))


def rejections(survey: CorpusSurvey) -> Table:
    """Rejected trials by reason."""
    rejected = [
        Rejected(subject=trial.subject, trial=trial.trial, reason=trial.reason)
        for one in survey.subjects
        for trial in one.rejected
    ]
    return grouped_rejections(rejected, _names(survey))


def notes(survey: CorpusSurvey) -> Table:
    """What readers told, each note once."""
    told = [
        note if note.startswith(f"{one.subject}:") else f"{one.subject}: {note}"
        for one in survey.subjects
        for note in one.notes
    ]
    return grouped_notes([*survey.corpus.notes(), *told], _names(survey))


def trial_figure(recording: Recording) -> Figure:
    """One panel a modality of one trial: ten seconds of fast signals from its middle, slow ones whole."""
    drawing, panels = canvas(PANEL_IN * len(recording.signals) + 0.4, panels=len(recording.signals))
    for axes, (name, signal) in zip(panels, recording.signals.items(), strict=True):
        _draw(axes, name, signal)
    panels[-1].set_xlabel("seconds from the start of the trial", fontsize=8)
    rated = ", ".join(f"{name} {value:g}" for name, value in recording.ratings.items() if np.isfinite(value))
    caption = (
        f"{recording.subject}, session {recording.session}, trial {recording.trial}: {rated or 'unrated'}."
    )
    return png(drawing, "trial", caption)


def _draw(axes: Axes, name: str, signal: Signal) -> None:
    n_times = signal.values.shape[1]
    n_shown = min(n_times, round(SHOWN_S * signal.sfreq)) if signal.sfreq >= FAST_HZ else n_times
    first = (n_times - n_shown) // 2
    shown = signal.values[:MAX_CHANNELS, first : first + n_shown].astype(np.float64)
    times = signal.start_s + (first + np.arange(n_shown)) / signal.sfreq
    step = SPREAD * _spread(shown) if len(shown) > 1 else 0.0
    for row, values in enumerate(shown):
        centre = np.nanmedian(values) if len(shown) > 1 and np.isfinite(values).any() else 0.0
        axes.plot(times, values - centre - row * step, color=NETWORK_COLOUR, linewidth=0.5)
    more = f" of {len(signal.channels)}" if len(signal.channels) > MAX_CHANNELS else ""
    axes.set_title(f"{name}, {signal.unit}, {signal.sfreq:g} Hz", fontsize=8, loc="left", color=QUIET)
    if len(shown) > 1:
        names = [*signal.channels[: len(shown)]]
        axes.set_yticks([-row * step for row in range(len(shown))], names, fontsize=6)
        axes.set_ylabel(f"{len(shown)}{more} channels", fontsize=7)


def _spread(values: np.ndarray) -> float:
    """Median over channels of a robust standard deviation; 1 where nothing is defined."""
    if not np.isfinite(values).any():
        return 1.0
    centred = values - np.nanmedian(values, axis=1, keepdims=True)
    # 1.4826: of a normal distribution the median absolute deviation is so much smaller than its sd
    return float(1.4826 * np.nanmedian(np.abs(centred))) or 1.0


def _first_labels(subject: SubjectSurvey) -> str:
    first: Mapping[str, int] = next(iter(subject.labels.values()), {})
    return ", ".join(f"{name} {n}" for name, n in first.items())


def _names(survey: CorpusSurvey) -> tuple[str, ...]:
    return longest_first(one.subject for one in survey.subjects)


def _number(n: int, unit: str) -> str:
    return f"{n} {unit}" if n == 1 else f"{n} {unit}s"
