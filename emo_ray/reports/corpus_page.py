"""What a corpus holds, as tables for the terminal and as a page with one trial of each modality."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
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
SLOW = ("gsr", "eda", "temp", "resp")  # what these show takes minutes, whatever their rate
SLOW_S = {"resp": 60.0}  # a breath would be a line in ten minutes
MAX_POINTS = 4000  # of a line
MAX_CHANNELS = 8
MAX_RATINGS = 10  # in the caption
PANEL_IN = 1.5
INNER = (0.2, 99.8)  # percentiles; a spike in one channel is no reason to flatten the others
UNLIKE = 8.0  # times: channels that differ by more are drawn each at its own scale


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
    found = grouped_notes([*survey.corpus.notes(), *told], _names(survey))
    return Table(found.header, tuple((note, subjects or "the corpus") for note, subjects in found.rows))


def trial_figure(recording: Recording) -> Figure:
    """One panel a modality of one trial: ten seconds of fast signals from its middle, slow ones whole."""
    drawing, panels = canvas(PANEL_IN * len(recording.signals) + 0.4, panels=len(recording.signals))
    for axes, (name, signal) in zip(panels, recording.signals.items(), strict=True):
        _draw(axes, name, signal)
    panels[-1].set_xlabel("seconds from the start of the trial", fontsize=8)
    rated = [f"{name} {value:g}" for name, value in recording.ratings.items() if np.isfinite(value)]
    more = [f"{len(rated) - MAX_RATINGS} more"] if len(rated) > MAX_RATINGS else []
    told = ", ".join(rated[:MAX_RATINGS] + more)
    caption = f"{recording.subject}, session {recording.session}, trial {recording.trial}: "
    return png(drawing, "trial", f"{caption}{told or 'unrated'}.")


def _draw(axes: Axes, name: str, signal: Signal) -> None:
    times, shown = _shown(name, signal)
    n_channels = len(shown)
    title = f"{name}, {signal.unit}, {signal.sfreq:g} Hz"
    if n_channels == 1:
        axes.plot(times, shown[0], color=NETWORK_COLOUR, linewidth=0.5)
    else:
        lines, apart = stacked(shown)
        for line in lines:
            axes.plot(times, line, color=NETWORK_COLOUR, linewidth=0.5)
        axes.set_yticks(-np.arange(n_channels), signal.channels[:n_channels], fontsize=6)
        of = f" of {len(signal.channels)}" if len(signal.channels) > MAX_CHANNELS else ""
        axes.set_ylabel(f"{n_channels}{of} channels", fontsize=7)
        title += (
            f"; {float(f'{apart:.2g}'):g} {signal.unit} from line to line"
            if apart
            else "; each at its own scale"
        )
    axes.set_title(title, fontsize=8, loc="left", color=QUIET)


def _shown(
    name: str, signal: Signal
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, "channels points"]]:
    """Times in seconds and the samples to draw: a stretch from the middle, thinned where it is long."""
    n_times = signal.values.shape[1]
    slow = next((kind for kind in SLOW if kind in name), "")
    seconds = SLOW_S.get(slow, np.inf) if slow or signal.sfreq < FAST_HZ else SHOWN_S
    n_shown = n_times if seconds * signal.sfreq >= n_times else round(seconds * signal.sfreq)
    first = (n_times - n_shown) // 2
    step = max(1, n_shown // MAX_POINTS) if slow else 1
    index = np.arange(first, first + n_shown, step)
    return signal.start_s + index / signal.sfreq, signal.values[:MAX_CHANNELS, index].astype(np.float64)


def stacked(
    values: Float[np.ndarray, "channels points"],
) -> tuple[Float[np.ndarray, "channels points"], float | None]:
    """Channels below each other, one unit apart, and how much a unit is; None where it differs by channel.

    Parameters
    ----------
    values : NaN where missing; a channel may be NaN throughout
    """
    known = np.isfinite(values).any(axis=1)
    middles, ranges = np.zeros(len(values)), np.ones(len(values))
    if known.any():
        low, middles[known], high = np.nanpercentile(values[known], (INNER[0], 50, INNER[1]), axis=1)
        ranges[known] = np.where(high > low, high - low, 1.0)
    alike = known.any() and ranges[known].max() <= UNLIKE * ranges[known].min()
    scale = np.full(len(values), np.median(ranges[known])) if alike else ranges
    lines = (values - middles[:, None]) / scale[:, None] - np.arange(len(values))[:, None]
    return lines, float(scale[0]) if alike else None


def _first_labels(subject: SubjectSurvey) -> str:
    first: Mapping[str, int] = next(iter(subject.labels.values()), {})
    return ", ".join(f"{name} {n}" for name, n in first.items())


def _names(survey: CorpusSurvey) -> tuple[str, ...]:
    return longest_first(one.subject for one in survey.subjects)


def _number(n: int, unit: str) -> str:
    return f"{n} {unit}" if n == 1 else f"{n} {unit}s"
