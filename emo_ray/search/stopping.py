"""Stopping rules: whether a candidate goes on, as pure functions of the curves that the record holds.

Why not Tune's scheduler objects: their rungs and means live in the driver's memory, which ``kill -9``
takes, and they hold what was reported to that process, in the order of its reports. Here an answer
depends on nothing but the curves that are passed in, so a driver that restarts and reads them from
``search.jsonl`` decides as the one that died would have. On dense curves that come one after the other the
decisions equal those of Tune's ``AsyncHyperBandScheduler`` and ``MedianStoppingRule`` (a test compares them).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from emo_ray.search.config import Asha, Hyperband, MedianRule, NoStopping

Rule = Asha | Hyperband | MedianRule | NoStopping
_SHARES = {2.0: "half", 3.0: "third", 4.0: "quarter", 5.0: "fifth"}


@dataclass(frozen=True)
class Curve:
    """What a candidate has reported.

    Attributes
    ----------
    number : of the candidate in its search
    steps : step and value, steps rising; higher values are better
    """

    number: int
    steps: tuple[tuple[int, float], ...]

    @property
    def last_step(self) -> int:
        """The newest report; 0 before the first."""
        return self.steps[-1][0] if self.steps else 0

    def at(self, milestone: int) -> float:
        """First value at or after a milestone; NaN if it did not come so far."""
        place = bisect_left(self.steps, milestone, key=_step)
        return self.steps[place][1] if place < len(self.steps) else float("nan")

    def running_mean(self, first: int, last: int) -> float:
        """Mean of the values from one step to another, both included; NaN without any."""
        begin, end = bisect_left(self.steps, first, key=_step), bisect_right(self.steps, last, key=_step)
        return float(np.mean([value for _, value in self.steps[begin:end]])) if begin < end else float("nan")


def milestones(rule: Rule, total_steps: int, number: int) -> tuple[int, ...]:
    """Steps at which a rule wants to hear of a candidate; none at the last step, where all is done.

    Parameters
    ----------
    total_steps : epochs that a candidate can run, over all its inner folds
    number : of the candidate; it draws Hyperband's bracket
    """
    if isinstance(rule, Asha):
        return _rungs(float(rule.grace_epochs), rule.reduction_factor, total_steps)
    if isinstance(rule, Hyperband):
        grace = rule.grace_epochs * rule.reduction_factor ** bracket(rule, total_steps, number)
        return _rungs(grace, rule.reduction_factor, total_steps)
    if isinstance(rule, MedianRule):
        return tuple(range(rule.grace_epochs, total_steps))
    return ()


def bracket(rule: Hyperband, total_steps: int, number: int) -> int:
    """The bracket of a candidate, from 0: drawn from its number alone, with Tune's probabilities.

    A bracket with one rung more is drawn ``e`` times as often.
    """
    grace = [rule.grace_epochs * rule.reduction_factor**s for s in range(rule.n_brackets)]
    sizes = np.array([len(_levels(first, rule.reduction_factor, total_steps)) for first in grace])
    weights = np.exp(sizes - sizes.max())
    return int(np.random.default_rng(number).choice(rule.n_brackets, p=weights / weights.sum()))


def verdict(
    rule: Rule,
    total_steps: int,
    own: Curve,
    known: Sequence[Curve],
    direction: Literal["max", "min"] = "max",
) -> str:
    """Why a candidate ends at its newest report; empty if it goes on.

    Parameters
    ----------
    own : all its reports so far, the newest of which is judged
    known : what the others have reported so far, stopped ones too; ``own`` among them is passed over
    direction : of the metric behind the values, for the wording only: values of ``"min"`` come negated

    References
    ----------
    Li et al. (2020), "A System for Massively Parallel Hyperparameter Tuning", MLSys (ASHA).
    Golovin et al. (2017), "Google Vizier: A Service for Black-Box Optimization", KDD (median rule).
    """
    if isinstance(rule, NoStopping) or not own.steps or own.last_step >= total_steps:
        return ""
    others = [curve for curve in known if curve.number != own.number]
    words = _Words(own.last_step, direction)
    if isinstance(rule, MedianRule):
        return _median_verdict(rule, own, others, words)
    if isinstance(rule, Hyperband):
        mine = bracket(rule, total_steps, own.number)
        others = [curve for curve in others if bracket(rule, total_steps, curve.number) == mine]
    before = own.steps[-2][0] if len(own.steps) > 1 else 0
    # A fold that stopped early makes the step jump: every milestone on the way is judged by this report.
    crossed = [m for m in milestones(rule, total_steps, own.number) if before < m <= own.last_step]
    reasons = (_halving_verdict(rule.reduction_factor, own, others, m, words) for m in crossed)
    return next(filter(None, reasons), "")


@dataclass(frozen=True)
class _Words:
    step: int
    direction: str

    def compare(self, value: float, limit: float) -> str:
        sign, worse = (1.0, "below") if self.direction == "max" else (-1.0, "above")
        return f"{sign * value:.4g}, {worse} {sign * limit:.4g}"


def _halving_verdict(
    factor: float, own: Curve, others: Sequence[Curve], milestone: int, words: _Words
) -> str:
    # NaN: did not come so far, or was not defined there.
    came = [value for value in (curve.at(milestone) for curve in others) if not np.isnan(value)]
    if not came:
        return ""
    value = own.steps[-1][1]
    # Tune's cutoff: the candidate itself is not among those that it is compared with.
    cutoff = float(np.percentile(came, (1 - 1 / factor) * 100))
    if not value < cutoff:
        return ""
    share = _SHARES.get(factor, f"{100 / factor:.0f} %")
    return f"at step {words.step}: {words.compare(value, cutoff)}, the best {share} of {_came(len(came))}"


def _median_verdict(rule: MedianRule, own: Curve, others: Sequence[Curve], words: _Words) -> str:
    if words.step < rule.grace_epochs:
        return ""
    # Vizier's rule: who ended before this step has nothing to say about it.
    as_far = [curve for curve in others if curve.last_step >= words.step]
    means = [curve.running_mean(rule.grace_epochs, words.step) for curve in as_far]
    means = [mean for mean in means if np.isfinite(mean)]
    reported = [value for _, value in own.steps if not np.isnan(value)]
    if len(means) < rule.min_candidates or not reported:
        return ""
    median, best = float(np.median(means)), max(reported)
    if best >= median:
        return ""
    return (
        f"at step {words.step}: best so far {words.compare(best, median)}, the median of the running means "
        f"of {_came(len(means))}"
    )


def _came(count: int) -> str:
    return f"{count} candidate{'s' if count > 1 else ''} that came so far"


def _levels(grace: float, factor: float, total_steps: int) -> list[float]:
    levels: list[float] = []
    while grace * factor ** len(levels) <= total_steps:
        levels.append(grace * factor ** len(levels))
    return levels


def _rungs(grace: float, factor: float, total_steps: int) -> tuple[int, ...]:
    # Steps are whole: a rung at 7.5 is reached with step 8.
    steps = {int(np.ceil(level)) for level in _levels(grace, factor, total_steps)}
    return tuple(sorted(step for step in steps if step < total_steps))


def _step(report: tuple[int, float]) -> int:
    return report[0]
