"""Whether recordings are what a model was trained on: signals by name, unit, channels, sampling rate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from emo_ray.config_errors import problem_list
from emo_ray.corpora.recording import Recording, Signal
from emo_ray.deployment.package import PackageContent, SignalFacts
from emo_ray.errors import CorpusError
from emo_ray.extraction.eeg_tokens import present_electrodes
from emo_ray.extraction.used_signals import EEG
from emo_ray.features.families import sensor_of

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
        takes = "; ".join(f"{name} in {facts.unit} at {facts.sfreq:g} Hz" for name, facts in needed.items())
        raise CorpusError(
            problem_list(f"the recording does not fit model {package.name} ({takes})", list(problems))
        )
    known = package.description.signals
    electrodes = _electrodes(package)
    kept = tuple(replace(one, signals=_ordered(one.signals, known, electrodes)) for one in recordings)
    notes = dict.fromkeys(note for one in kept for note in _notes(one, known, electrodes))
    return kept, tuple(notes)


def needed_signals(package: PackageContent) -> Mapping[str, SignalFacts]:
    """The signals that the model's modalities are made from."""
    known = package.description.signals
    used = set(package.experiment.modalities or (item.name for item in package.description.modalities))
    # Where modalities have other names than signals, no signal can be said to be of no use.
    return {name: facts for name, facts in known.items() if name in used} if used <= set(known) else known


def _electrodes(package: PackageContent) -> tuple[str, ...]:
    """Onto which extraction maps EEG by name, so that any montage will do; none: channels as they are."""
    return tuple(getattr(package.experiment.extraction, "electrodes", ()))


def _problems(
    recording: Recording, needed: Mapping[str, SignalFacts], package: PackageContent
) -> Iterator[str]:
    electrodes = _electrodes(package)
    for name, facts in needed.items():
        signal = recording.signals.get(name)
        if signal is None:
            has = ", ".join(recording.signals) or "nothing"
            yield f"signal {name!r} is missing; the recording has {has}"
            continue
        lacking = _lacking(signal, facts)
        if lacking and not (electrodes and sensor_of(name) == EEG):
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


def _lacking(signal: Signal, facts: SignalFacts) -> list[str]:
    return [channel for channel in facts.channels if channel not in signal.channels]


def _ordered(
    signals: Mapping[str, Signal], known: Mapping[str, SignalFacts], electrodes: tuple[str, ...]
) -> dict[str, Signal]:
    """Signals as trained on; those that no modality needs stay where they fit, for segments end with them."""
    kept = {}
    for name, facts in known.items():
        signal = signals.get(name)
        if signal is None or signal.unit != facts.unit:
            continue
        if signal.channels == facts.channels or (electrodes and sensor_of(name) == EEG):
            kept[name] = signal
        elif not _lacking(signal, facts):
            rows = [signal.channels.index(channel) for channel in facts.channels]
            kept[name] = replace(signal, values=signal.values[rows], channels=facts.channels)
    return kept


def _notes(
    recording: Recording, known: Mapping[str, SignalFacts], electrodes: tuple[str, ...]
) -> Iterator[str]:
    for name, signal in recording.signals.items():
        facts = known[name]
        if signal.sfreq not in (facts.sfreq, *facts.other_rates):
            yield (
                f"{name} is sampled at {signal.sfreq:g} Hz, the training recordings at {facts.sfreq:g} Hz: "
                "features are computed all the same"
            )
        if electrodes and sensor_of(name) == EEG:
            n_there = int(present_electrodes(signal.channels, electrodes).sum())
            if 0 < n_there < len(electrodes):
                yield (
                    f"{name} has {n_there} of the model's {len(electrodes)} electrodes: the others count as "
                    "missing"
                )
