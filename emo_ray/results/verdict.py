"""The verdict of a study in words: does the network beat every reference, paired over subjects?"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from emo_ray.results.pooling import NETWORK
from emo_ray.results.statistics import OverSubjects, over_subjects


class Comparison(BaseModel):
    """The network against one reference, as the mean of one difference a subject."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    advantage: OverSubjects = Field(
        description="how much better the network is; positive in either direction"
    )
    outcome: Literal["beaten", "not beaten", "not compared"] = Field(
        description="beaten: the whole 95 % interval of the advantage lies above zero"
    )


class Verdict(BaseModel):
    """What may be said about one section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beats_every_reference: bool
    sentence: str
    comparisons: tuple[Comparison, ...]


def judge(
    scores: Mapping[str, Mapping[str, float]], metric: str, direction: Literal["max", "min"]
) -> Verdict:
    """Compare the network with every reference on one metric.

    Parameters
    ----------
    scores : ``"network"`` and each reference, to subject, to its score; undefined scores are left out
    """
    network = scores.get(NETWORK, {})
    comparisons = tuple(
        _compare(name, network, reference, direction) for name, reference in scores.items() if name != NETWORK
    )
    beats = bool(comparisons) and all(comparison.outcome == "beaten" for comparison in comparisons)
    return Verdict(
        beats_every_reference=beats,
        sentence=_sentence(comparisons, metric.replace("_", " "), len(network)),
        comparisons=comparisons,
    )


def _compare(
    name: str, network: Mapping[str, float], reference: Mapping[str, float], direction: Literal["max", "min"]
) -> Comparison:
    sign = 1 if direction == "max" else -1
    paired = [sign * (network[subject] - reference[subject]) for subject in network if subject in reference]
    advantage = over_subjects(paired)
    if advantage.low is None:
        return Comparison(reference=name, advantage=advantage, outcome="not compared")
    return Comparison(
        reference=name, advantage=advantage, outcome="beaten" if advantage.low > 0 else "not beaten"
    )


def _sentence(comparisons: Sequence[Comparison], metric: str, n_subjects: int) -> str:
    beaten = [c for c in comparisons if c.outcome == "beaten"]
    unbeaten = [c for c in comparisons if c.outcome == "not beaten"]
    skipped = [c.reference for c in comparisons if c.outcome == "not compared"]
    if not beaten and not unbeaten:
        return (
            f"No verdict: {metric} can not be compared with any reference over {n_subjects} subject(s); "
            f"at least 2 subjects with defined scores are needed."
        )
    if unbeaten:
        opening = _learnt_nothing(beaten, unbeaten, metric)
    else:
        opening = f"The network beats {_names(beaten)} on {metric}."
    figures = "; ".join(_figures(comparison) for comparison in (*beaten, *unbeaten))
    notes = f" Advantage over {figures} (mean over subjects, 95 % interval)."
    if skipped:
        notes += f" Not compared, for their score is undefined: {', '.join(skipped)}."
    return opening + notes


def _learnt_nothing(beaten: Sequence[Comparison], unbeaten: Sequence[Comparison], metric: str) -> str:
    if not beaten:
        return f"The network does not beat {_names(unbeaten, 'or')} on {metric}: it has learnt nothing."
    return (
        f"The network beats {_names(beaten)} but not {_names(unbeaten, 'or')} on {metric}: it has learnt "
        f"nothing that {_names(unbeaten, 'or')} does not offer already."
    )


def _names(comparisons: Sequence[Comparison], word: str = "and") -> str:
    names = [comparison.reference for comparison in comparisons]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _figures(comparison: Comparison) -> str:
    gain = comparison.advantage
    return f"{comparison.reference} {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
