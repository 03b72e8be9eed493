"""Notes and rejected trials of the same kind, put together: one line a kind, with whom it concerns."""

import re
from collections.abc import Iterable, Mapping, Sequence

from emo_ray.reports.content import Table
from emo_ray.results.summary import Summary

NUMBER = re.compile(r"(?<![\w.,-])\d+(?:\.\d+)?(?![\w-])")
MAX_NAMED = 8
"""So many trials of a subject are named, more are counted."""


def notes_table(summary: Summary) -> Table:
    """Every note once: what it says, and the subjects it is about, with their numbers where those differ."""
    subjects = _subjects(summary)
    kinds: dict[str, list[tuple[str, str]]] = {}
    for note in summary.notes:
        subject, text = _split(note, subjects)
        kinds.setdefault(NUMBER.sub("#", text), []).append((subject, text))
    short = _short_names(subjects)
    rows = []
    for notes in kinds.values():
        template, differing = _template([text for _, text in notes])
        numbers: dict[str, list[str]] = {}
        for subject, text in notes:
            numbers.setdefault(subject, []).append(_numbers(text, differing))
        rows.append((template, _listed(numbers, short)))
    return Table(("note", "subjects"), tuple(rows))


def rejected_table(summary: Summary) -> Table:
    """Trials that were left out, by reason: how many, and which of whom."""
    subjects = _subjects(summary)
    kinds: dict[str, list[tuple[str, str, str]]] = {}
    for trial in summary.rejected:
        reason = _about(trial.reason, trial.subject)
        kinds.setdefault(NUMBER.sub("#", reason), []).append((trial.subject, trial.trial.strip("()"), reason))
    rows = []
    for rejected in sorted(kinds.values(), key=len, reverse=True):
        template, differing = _template([reason for _, _, reason in rejected])
        trials: dict[str, list[str]] = {}
        for subject, trial, reason in rejected:
            numbers = _numbers(reason, differing)
            trials.setdefault(subject, []).append(f"{trial}: {numbers}" if numbers else trial)
        rows.append((template, str(len(rejected)), _listed(trials, _short_names(subjects))))
    return Table(("reason", "trials", "subjects (trials)"), tuple(rows))


def _subjects(summary: Summary) -> tuple[str, ...]:
    """All that are named, longest first: "s/S1" opens no note of "s/S10"."""
    prefixes = (note.partition(": ")[0] for note in summary.notes)
    found = {row.subject for section in summary.sections for row in section.subjects}
    found |= {trial.subject for trial in summary.rejected}
    # a subject without any label has no row, and may have notes all the same
    found |= {prefix for prefix in prefixes if re.fullmatch(r"[^\s/]+/\S+", prefix)}
    return tuple(sorted(found, key=lambda name: (-len(name), name)))


def _split(note: str, subjects: Sequence[str]) -> tuple[str, str]:
    for subject in subjects:
        if note.startswith(f"{subject}: "):
            return subject, _about(note.removeprefix(f"{subject}: "), subject)
    return "", note


def _about(text: str, subject: str) -> str:
    """What is said of a subject, without its name: not again at the start, ``*`` for it in file names."""
    own = re.escape(subject.rpartition("/")[2])
    text = re.sub(rf"^(?:{re.escape(subject)}|{own})[:,] +", "", text)
    return re.sub(rf"(?<![A-Za-z0-9]){own}(?![A-Za-z0-9])", "*", text) if not own.isdigit() else text


def _template(texts: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """The common text, with "..." for the numbers that differ, and the places of these."""
    found = [NUMBER.findall(text) for text in texts]
    differing = tuple(place for place, values in enumerate(zip(*found, strict=True)) if len(set(values)) > 1)
    places = iter(range(len(found[0])))
    return NUMBER.sub(lambda match: "..." if next(places) in differing else match[0], texts[0]), differing


def _numbers(text: str, places: Iterable[int]) -> str:
    found = NUMBER.findall(text)
    return ", ".join(found[place] for place in places)


def _listed(found: Mapping[str, Sequence[str]], short: Mapping[str, str]) -> str:
    """``P01, P02 (4; 9), P07``: subjects in order of appearance; equal ones of many share their bracket."""
    alike: dict[str, list[str]] = {}
    for subject, details in found.items():
        alike.setdefault(_bracket(list(dict.fromkeys(filter(None, details)))), []).append(short.get(subject, subject))
    told = [f"{', '.join(filter(None, names))}{_each(names, bracket)}" for bracket, names in alike.items()]
    return "; ".join(filter(None, told)) if any(alike) else ", ".join(filter(None, told))


def _each(names: Sequence[str], bracket: str) -> str:
    if not bracket:
        return ""
    return f" (each {bracket})" if len(names) > 1 else f" ({bracket})"


def _bracket(details: Sequence[str]) -> str:
    return "; ".join(details) if len(details) <= MAX_NAMED else f"{len(details)} trials"


def _short_names(subjects: Sequence[str]) -> dict[str, str]:
    """Names without the corpus where all have the same one; a lone subject keeps its full name."""
    corpora = {subject.rpartition("/")[0] for subject in subjects}
    if len(corpora) > 1:
        return {}
    return {subject: subject.rpartition("/")[2] for subject in subjects}
