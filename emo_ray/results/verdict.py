"""The verdict of a study in words: does the network beat every reference, paired over subjects?

Probes, which see no signal, are told apart from the references: only those that are not beaten have words.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from emo_ray.references.probes import PREFIX
from emo_ray.results.pooling import NETWORK
from emo_ray.results.statistics import Number, OverSubjects, over_subjects, sign_flip_p

Direction = Literal["max", "min"]
Outcome = Literal["beaten", "no difference shown", "worse", "too few subjects to tell"]

CLIP_PROBE = f"{PREFIX}clip"
UNBEATEN: tuple[Outcome, ...] = ("no difference shown", "worse")
NO_VERDICT_ON_LEAKS = "No verdict: published procedure, leaks included, which is not a result."

LEVEL = 0.025  # one side of a two-sided 95 % interval
MIN_SUBJECTS = 6
"""With fewer the test can not fall below `LEVEL`: 5 subjects have 2^5 sign patterns, and 1/32 is above it."""


class Comparison(BaseModel):
    """The network against one reference, as the mean of one difference a subject."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    advantage: OverSubjects = Field(
        description="how much better the network is; positive in either direction"
    )
    p_better: Number = Field(
        None, description="one-sided sign-flip test: small where the network is better; null without subjects"
    )
    p_worse: Number = Field(None, description="the same test the other way: small where it is worse")
    outcome: Outcome = Field(
        description="beaten: the 95 % interval of the advantage lies above zero and p_better < 0.025; worse: "
        "it lies below zero and p_worse < 0.025; too few subjects to tell: fewer than 6 have both scores"
    )


class Verdict(BaseModel):
    """What may be said about one section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beats_every_reference: bool = Field(description="the probes are apart")
    sentence: str
    comparisons: tuple[Comparison, ...] = Field(description="with references that see the signals")
    probes: tuple[Comparison, ...] = Field((), description="with probe_..., which see no signal")


def judge(scores: Mapping[str, Mapping[str, float]], metric: str, direction: Direction) -> Verdict:
    """Compare the network with every reference and every probe on one metric.

    The bootstrap interval alone is too narrow for few subjects: under no difference it lies above zero in
    10 % of studies of 4 subjects and 7 % of 7, not in 2.5 %. So the sign-flip test has to agree.

    Parameters
    ----------
    scores : ``"network"`` and each reference, to subject, to its score; undefined scores are left out
    """
    network = scores.get(NETWORK, {})
    everything = [
        _compare(name, network, reference, direction) for name, reference in scores.items() if name != NETWORK
    ]
    comparisons = tuple(c for c in everything if not c.reference.startswith(PREFIX))
    probes = tuple(c for c in everything if c.reference.startswith(PREFIX))
    beats = bool(comparisons) and all(comparison.outcome == "beaten" for comparison in comparisons)
    sentence = _sentence(comparisons, metric.replace("_", " "), direction)
    return Verdict(
        beats_every_reference=beats,
        sentence=" ".join((sentence, *_probe_sentences(probes))),
        comparisons=comparisons,
        probes=probes,
    )


def no_verdict_on_leaks() -> Verdict:
    """Of a published procedure: nothing is compared, for nothing was shown."""
    return Verdict(beats_every_reference=False, sentence=NO_VERDICT_ON_LEAKS, comparisons=())


def best_unbeaten(probes: Sequence[Comparison]) -> Comparison | None:
    """The strongest probe that the network does not beat; the clip's is apart, for it may be right always."""
    unbeaten = [probe for probe in probes if probe.outcome in UNBEATEN and probe.reference != CLIP_PROBE]
    return min(unbeaten, key=lambda probe: probe.advantage.mean or 0.0, default=None)


def _probe_sentences(probes: Sequence[Comparison]) -> list[str]:
    told, best = [], best_unbeaten(probes)
    if best is not None:
        verb = "is worse than" if best.outcome == "worse" else "does not beat"
        told.append(f"The network {verb} {best.reference} ({_difference(best)}), which sees no signal.")
    told += [
        f"Knowing which clip was shown does as well or better ({probe.reference}, {_difference(probe)}): "
        "recognising the stimulus is not ruled out."
        for probe in probes
        if probe.reference == CLIP_PROBE and probe.outcome in UNBEATEN
    ]
    return told


def _difference(probe: Comparison) -> str:
    return f"advantage{_figures([probe])}"


def _compare(
    name: str, network: Mapping[str, float], reference: Mapping[str, float], direction: Direction
) -> Comparison:
    sign = 1 if direction == "max" else -1
    # (subjects,): those with both scores
    paired = np.array(
        [sign * (network[subject] - reference[subject]) for subject in network if subject in reference]
    )
    advantage, p_better, p_worse = over_subjects(list(paired)), sign_flip_p(paired), sign_flip_p(-paired)
    return Comparison(
        reference=name,
        advantage=advantage,
        p_better=p_better,
        p_worse=p_worse,
        outcome=_outcome(advantage, p_better, p_worse),
    )


def _outcome(advantage: OverSubjects, p_better: float, p_worse: float) -> Outcome:
    if advantage.n_subjects < MIN_SUBJECTS or advantage.low is None or advantage.high is None:
        return "too few subjects to tell"
    if advantage.low > 0 and p_better < LEVEL:
        return "beaten"
    return "worse" if advantage.high < 0 and p_worse < LEVEL else "no difference shown"


def _sentence(comparisons: Sequence[Comparison], metric: str, direction: Direction) -> str:
    # In the order in which `Outcome` names them.
    beaten, even, worse, few = (
        [comparison for comparison in comparisons if comparison.outcome == outcome]
        for outcome in get_args(Outcome)
    )
    if not comparisons:
        return f"No verdict: no score on {metric} can be compared with a reference yet."
    if len(few) == len(comparisons):
        return f"No verdict on {metric}: {_too_few(few)}."
    # where lower is better, the advantage is by how much the network is lower
    measure = "difference" if direction == "max" else "reduction"
    clauses: list[str] = []
    for verb, word, found in (
        ("beats", "and", beaten),
        ("does not beat", "or", even),
        ("is worse than", "and", worse),
    ):
        if found:
            about = "" if clauses else f" on {metric}"
            clauses.append(f"{verb} {_names(found, word)}{about} ({measure}{_figures(found)})")
    first, *others = clauses
    opening = f"{first}, but {' and '.join(others)}" if beaten and others else " and ".join(clauses)
    text = f"The network {opening}{_evidence(beaten, [*even, *worse])}."
    # The same clause, as a sentence of its own.
    return f"{text} T{_too_few(few)[1:]}." if few else text


def _evidence(beaten: Sequence[Comparison], unbeaten: Sequence[Comparison]) -> str:
    if not unbeaten:
        return ""
    more = f"more than {_names(unbeaten, 'or')}" if beaten else "anything"
    return f": no evidence that it has learnt {more}"


def _too_few(few: Sequence[Comparison]) -> str:
    counts = sorted({comparison.advantage.n_subjects for comparison in few})
    shown = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    return (
        f"too few subjects to tell whether the network beats {_names(few, 'or')} ({shown} with both scores; "
        f"{MIN_SUBJECTS} are needed)"
    )


def _names(comparisons: Sequence[Comparison], word: str) -> str:
    names = [comparison.reference for comparison in comparisons]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _figures(comparisons: Sequence[Comparison]) -> str:
    figures = [
        f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" for gain in (c.advantage for c in comparisons)
    ]
    if len(figures) == 1:
        return f" {figures[0]}"
    named = (f"{c.reference} {figure}" for c, figure in zip(comparisons, figures, strict=True))
    return f": {', '.join(named)}"
