"""``emo-ray inspect``: what a folder holds, before anything is computed from it."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from emo_ray.cli.overrides import parse_overrides
from emo_ray.cli.places import find_root
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.corpus_files import choose_files
from emo_ray.corpora.recognition import corpus_at, with_settings
from emo_ray.corpora.recording import Recording
from emo_ray.corpora.survey import SubjectSurvey
from emo_ray.files import text_digest, write_atomically
from emo_ray.processes import in_processes
from emo_ray.progress import StageBar
from emo_ray.protocols.duplicates import duplicates_among
from emo_ray.reports.corpus_page import (
    CorpusSurvey,
    corpus_page,
    count_lines,
    found_line,
    label_table,
    notes,
    problem_lines,
    rejections,
    signal_table,
)
from emo_ray.reports.terminal import aligned, fit
from emo_ray.store.identity import survey_and_identify

EXIT_FOUND_PROBLEMS = 3
MAX_CHANNELS = 8  # that are named as lacking samples


def inspect(options: argparse.Namespace) -> int:
    """Survey a corpus, print it, draw its page; the exit code tells of problems."""
    place = options.data.expanduser().resolve()
    corpus = with_settings(corpus_at(place, options.corpus), parse_overrides(options.fields))
    wanted = [name.strip() for name in options.subjects.split(",") if name.strip()]
    survey = survey_of(corpus, list(choose_files(corpus.find_subjects(), wanted)))
    _print(survey)
    page = options.page or _default_page(options.root, corpus)
    write_atomically(page, corpus_page(survey))
    print(f"\npage        {page}")
    return EXIT_FOUND_PROBLEMS if problem_lines(survey) or survey.duplicates else 0


def survey_of(corpus: CorpusConfig, subjects: list[str]) -> CorpusSurvey:
    """Read all subjects, one process a core, and compare them."""
    tasks = corpus.tasks()
    with StageBar("inspect", len(subjects), "subject") as bar:
        calls = {subject: (corpus, tasks, subject) for subject in subjects}
        found = in_processes(bar, survey_and_identify, calls)
    surveys = tuple(survey for survey, _ in found.values())
    pairs = duplicates_among({subject: identity for subject, (_, identity) in found.items()})
    alike = tuple(f"near copies of one recording: {pair}" for pair in pairs)
    return CorpusSurvey(corpus, surveys, alike, _example(corpus, surveys))


def _example(corpus: CorpusConfig, found: tuple[SubjectSurvey, ...]) -> Recording | None:
    """The first trial with most modalities, of the first subject that could be read."""
    for one in found:
        if one.n_trials:
            recordings = corpus.read_subject(one.subject).recordings
            return max(recordings, key=lambda recording: len(recording.signals))
    return None


def _print(survey: CorpusSurvey) -> None:
    print("\n".join([survey.corpus.card.title, found_line(survey), *count_lines(survey)]))
    for line in (*problem_lines(survey), *survey.duplicates):
        print(fit(f"PROBLEM  {line}"))
    if not survey.duplicates:
        print("no two subjects look like one person")
    for table in (signal_table(survey.subjects), label_table(survey.subjects)):
        print("", *aligned(table), sep="\n")
    for line in missing_lines(survey.subjects):
        print(fit(line))
    for title, table in (("rejected", rejections(survey)), ("note", notes(survey))):
        for row in table.rows:
            print(fit(f"{title}: {' | '.join(row)}"))


def missing_lines(subjects: Sequence[SubjectSurvey]) -> tuple[str, ...]:
    """One line a modality that lacks samples: how many in which channels, the worst first."""
    counts: dict[str, Counter[str]] = {}
    for one in subjects:
        for name, signal in one.signals.items():
            counts.setdefault(name, Counter()).update(signal.missing_in)
    lines = []
    for name, channels in counts.items():
        shown = [f"{channel} {n}" for channel, n in channels.most_common(MAX_CHANNELS)]
        more = [f"and {len(channels) - MAX_CHANNELS} more"] if len(channels) > MAX_CHANNELS else []
        if shown:
            lines.append(f"samples missing in {name}: {', '.join(shown + more)}")
    return tuple(lines)


def _default_page(root: Path | None, corpus: CorpusConfig) -> Path:
    digest = text_digest(corpus.model_dump_json())[:8]
    return find_root(root) / "inspected" / f"{corpus.kind}-{digest}.html"
