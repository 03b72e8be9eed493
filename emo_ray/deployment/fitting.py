"""Whether recordings are what a model was trained on: signals by name, unit, channels, sampling rate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from emo_ray.config_errors import problem_list
from emo_ray.corpora.recording import Recording, Signal
from emo_ray.deployment.package import Description, PackageContent, SignalFacts
from emo_ray.errors import CorpusError

RATE_BOUND = ("raw_tokens",)
"""Extractions whose tokens are samples: at another rate a token would be another stretch of time."""


def fitted_recordings(
    recordings: Sequence[Recording], package: PackageContent
) -> tuple[tuple[Recording, ...], tuple[str, ...]]:
    """The recordings with the model's channels in the model's order, and what a reader should know.

    Raises
    ------
    CorpusError : a signal or a channel is missing, or has another unit or rate; all problems at once
    """
    needed = needed_signals(package)
    problems = dict.fromkeys(
        problem for recording in recordings for problem in _problems(recording, needed, package)
    )
    if problems:
        known = "; ".join(f"{name} in {facts.unit} at {facts.sfreq:g} Hz" for name, facts in needed.items())
        raise CorpusError(
            problem_list(f"the recording does not fit model {package.name} ({known})", list(problems))
        )
    kept = tuple(replace(one, signals=_ordered(one.signals, needed)) for one in recordings)
    return kept, tuple(dict.fromkeys(note for one in kept for note in _rate_notes(one, needed)))


def needed_signals(package: PackageContent) -> Mapping[str, SignalFacts]:
    """The signals that the model's modalities are made from."""
    description = package.description
    return {name: facts for name, facts in description.signals.items() if name in _used(package, description)}


def _used(package: PackageContent, description: Description) -> set[str]:
    chosen = set(package.experiment.modalities)
    by_name = chosen & set(description.signals)
    # Where modalities have other names than signals, no signal can be said to be of no use.
    return by_name if chosen and len(by_name) == len(chosen) else set(description.signals)


def _problems(
    recording: Recording, needed: Mapping[str, SignalFacts], package: PackageContent
) -> Iterator[str]:
    for name, facts in needed.items():
        signal = recording.signals.get(name)
        if signal is None:
            has = ", ".join(recording.signals) or "nothing"
            yield f"signal {name!r} is missing; the recording has {has}"
            continue
        lacking = [channel for channel in facts.channels if channel not in signal.channels]
        if lacking:
            shown = ", ".join(lacking[:8]) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
            has = ", ".join(signal.channels[:8]) + (", ..." if len(signal.channels) > 8 else "")
            yield f"{name!r} lacks channel {shown}; it has {has}"
        if signal.unit != facts.unit:
            yield f"{name!r} is in {signal.unit!r}, and the model was trained on {facts.unit!r}: convert it"
        if signal.sfreq != facts.sfreq and package.experiment.extraction.kind in RATE_BOUND:
            yield (
                f"{name!r} is sampled at {signal.sfreq:g} Hz and the model takes samples at {facts.sfreq:g} "
                "Hz as they are: resample it"
            )


def _ordered(signals: Mapping[str, Signal], needed: Mapping[str, SignalFacts]) -> dict[str, Signal]:
    kept = {}
    for name, facts in needed.items():
        signal = signals[name]
        rows = [signal.channels.index(channel) for channel in facts.channels]
        is_as_is = signal.channels == facts.channels
        kept[name] = (
            signal if is_as_is else replace(signal, values=signal.values[rows], channels=facts.channels)
        )
    return kept


def _rate_notes(recording: Recording, needed: Mapping[str, SignalFacts]) -> Iterator[str]:
    for name, signal in recording.signals.items():
        if signal.sfreq != needed[name].sfreq:
            yield (
                f"{name} is sampled at {signal.sfreq:g} Hz, the training recordings at "
                f"{needed[name].sfreq:g} Hz: features are computed all the same"
            )
