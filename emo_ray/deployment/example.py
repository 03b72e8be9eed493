"""A made-up recording in the shape of real ones: what a signature and an input example are made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.deployment.package import SignalFacts
from emo_ray.deployment.requests import as_request
from emo_ray.extraction.base import ExtractionConfig

SHORTEST_S = 10.0
GROWTH = 1.5
DIGITS = 4
COARSE_DIGITS = 2
EXAMPLE_SEED = 0


def signal_facts(recordings: Sequence[Recording]) -> dict[str, SignalFacts]:
    """Every signal of some recordings: unit, channels and rate as they are met first; the other rates."""
    found: dict[str, list[Signal]] = {}
    for recording in recordings:
        for name, signal in recording.signals.items():
            found.setdefault(name, []).append(signal)
    return {name: _facts(signals) for name, signals in found.items()}


def _facts(signals: Sequence[Signal]) -> SignalFacts:
    first = signals[0]
    others = sorted({signal.sfreq for signal in signals} - {first.sfreq})
    return SignalFacts(unit=first.unit, channels=first.channels, sfreq=first.sfreq, other_rates=tuple(others))


def example_request(recordings: Sequence[Recording], extraction: ExtractionConfig) -> Mapping[str, Any]:
    """Noise in the shape of a real recording, as short as gives a segment; nobody's data."""
    # The one with most signals: some recordings lack a sensor.
    model = max(recordings, key=lambda one: len(one.signals))
    made = _noise(model)
    for candidate in _ever_longer(made):
        if len(extraction.segments(candidate).start_s):
            return as_request([candidate])
    return as_request([made])


def _noise(model: Recording) -> Recording:
    draw = np.random.default_rng(EXAMPLE_SEED)
    return Recording(
        subject="example/person",
        session="1",
        trial="1",
        clip="1",
        group="example/person",
        signals={name: _like(signal, draw) for name, signal in model.signals.items()},
        baseline_s=model.baseline_s,
    )


def _like(signal: Signal, draw: np.random.Generator) -> Signal:
    """A random walk for slow sensors would be no truer: what counts is the shape."""
    values = signal.values.astype(np.float64)
    defined = np.where(np.isfinite(values), values, np.nan)
    has_any = np.isfinite(defined).any(axis=1, keepdims=True)
    safe = np.where(has_any, defined, 0.0)
    center, spread = np.nanmean(safe, axis=1, keepdims=True), np.nanstd(safe, axis=1, keepdims=True)
    # Coarse: the range of such a signal, not a person's numbers.
    middle, width = _rounded(center, COARSE_DIGITS), _rounded(spread, COARSE_DIGITS)
    noise = _rounded(middle + width * draw.standard_normal(values.shape), DIGITS)
    return replace(signal, values=noise.astype(np.float32), start_s=0.0)


def _rounded(values: Float[np.ndarray, "channels _"], digits: int) -> Float[np.ndarray, "channels _"]:
    """To so many significant digits."""
    sizes = np.maximum(np.abs(values), np.finfo(np.float64).tiny)
    unit = 10.0 ** (np.floor(np.log10(sizes)) - digits + 1)
    rounded: Float[np.ndarray, "channels _"] = np.where(values == 0, 0.0, np.round(values / unit) * unit)
    return rounded


def _ever_longer(whole: Recording) -> Iterator[Recording]:
    longest_s = max(signal.values.shape[1] / signal.sfreq for signal in whole.signals.values())
    length_s = min(SHORTEST_S, longest_s)
    while length_s < longest_s:
        yield _cut(whole, length_s)
        length_s *= GROWTH
    yield whole


def _cut(whole: Recording, length_s: float) -> Recording:
    cut = {
        name: replace(signal, values=signal.values[:, : max(1, round(length_s * signal.sfreq))])
        for name, signal in whole.signals.items()
    }
    return replace(whole, signals=cut)
