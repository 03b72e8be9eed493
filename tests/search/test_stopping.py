"""The stopping rules: worked by hand, and against Tune's own schedulers."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from emo_ray.search.config import Asha, Hyperband, MedianRule, NoStopping
from emo_ray.search.stopping import Curve, bracket, milestones, verdict

THIRD = Asha(grace_epochs=1, reduction_factor=3)


def curve(number, *values, first_step=1):
    return Curve(number, tuple((first_step + place, value) for place, value in enumerate(values)))


def test_asha_listens_at_powers_of_its_factor_and_not_at_the_end():
    assert milestones(THIRD, 27, number=0) == (1, 3, 9)
    assert milestones(Asha(grace_epochs=3, reduction_factor=2.5), 30, number=0) == (3, 8, 19)
    assert milestones(Asha(grace_epochs=5), 5, number=0) == ()


def test_the_median_rule_listens_at_every_step_after_its_grace():
    assert milestones(MedianRule(grace_epochs=3), 6, number=0) == (3, 4, 5)


def test_without_a_rule_nobody_is_asked_and_nobody_ends():
    assert milestones(NoStopping(), 9, number=0) == ()
    assert verdict(NoStopping(), 9, curve(1, 0.0), [curve(0, 1.0)]) == ""


def test_the_first_comer_goes_on():
    assert verdict(THIRD, 27, curve(0, 0.1), [curve(0, 0.1), curve(1)]) == ""


def test_asha_ends_who_is_below_the_best_third_and_says_so_with_numbers():
    known = [curve(number, value) for number, value in enumerate([0.1, 0.2, 0.3, 0.4])]
    # two thirds of the way from 0.1 to 0.4: position 2.0 of 0..3, so 0.3
    said = verdict(THIRD, 27, curve(9, 0.29), known)
    assert said == "at step 1: 0.29, below 0.3, the best third of 4 candidates that came so far"
    assert verdict(THIRD, 27, curve(9, 0.3001), known) == ""


def test_a_loss_is_shown_as_it_was_measured():
    said = verdict(Asha(grace_epochs=1, reduction_factor=2.5), 9, curve(1, -2.0), [curve(0, -1.5)], "min")
    assert said == "at step 1: 2, above 1.5, the best 40 % of 1 candidate that came so far"


def test_between_milestones_nobody_ends():
    assert verdict(THIRD, 27, curve(1, 0.9, 0.0), [curve(0, 0.5, 0.5)]) == ""


def test_nobody_ends_at_the_last_step():
    known = [curve(0, 0.5, 0.5, 0.5)]
    assert verdict(Asha(grace_epochs=3), 3, curve(1, 0.9, 0.9, 0.0), known) == ""
    assert verdict(MedianRule(grace_epochs=1, min_candidates=1), 3, curve(1, 0.1, 0.1, 0.1), known) == ""


def test_a_jump_over_several_milestones_is_judged_at_each():
    jumped = Curve(2, ((1, 0.9), (10, 0.5)))
    # at 3 only candidate 0 came (0.4); at 9 it had 0.6 by then
    known = [Curve(0, ((1, 0.4), (2, 0.4), (3, 0.4), (9, 0.6)))]
    assert verdict(THIRD, 27, jumped, known).startswith("at step 10: 0.5, below 0.6")


def test_who_jumped_over_a_milestone_counts_there_with_what_it_had_next():
    known = [Curve(0, ((1, 0.1), (20, 0.7)))]
    assert "below 0.7" in verdict(THIRD, 27, curve(1, 0.9, 0.9, 0.6), known)


def test_who_did_not_come_so_far_or_had_nan_does_not_count():
    known = [curve(0, 0.9, 0.9), curve(1, 0.9, 0.9, float("nan"))]
    assert verdict(THIRD, 27, curve(2, 0.9, 0.9, 0.1), known) == ""


def test_the_median_of_running_means_counts_from_the_grace_on():
    rule = MedianRule(grace_epochs=2, min_candidates=3)
    # means of steps 2 and 3: 0.3, 0.5, 0.7
    known = [curve(0, 9.0, 0.2, 0.4), curve(1, 9.0, 0.4, 0.6), curve(2, 9.0, 0.6, 0.8, 0.0)]
    said = verdict(rule, 9, curve(7, 0.1, 0.49, 0.2), known)
    assert said == (
        "at step 3: best so far 0.49, below 0.5, the median of the running means of "
        "3 candidates that came so far"
    )
    assert verdict(rule, 9, curve(7, 0.5, 0.1, 0.1), known) == ""
    assert verdict(rule, 9, curve(7, 0.1, 0.1, 0.1), known[:2]) == ""
    assert verdict(rule, 9, curve(7, 0.1), known) == ""


def test_brackets_come_as_often_as_in_tune():
    rule = Hyperband(grace_epochs=1, reduction_factor=3, n_brackets=3)
    drawn = np.bincount([bracket(rule, 27, number) for number in range(3000)]) / 3000
    weights = np.exp([4, 3, 2])  # rungs 1 3 9 27, then 3 9 27, then 9 27
    np.testing.assert_allclose(drawn, weights / weights.sum(), atol=0.03)


def test_hyperband_compares_inside_a_bracket_only():
    rule = Hyperband(grace_epochs=1, reduction_factor=3, n_brackets=2)
    zeros = [number for number in range(40) if bracket(rule, 27, number) == 0]
    one = next(number for number in range(40) if bracket(rule, 27, number) == 1)
    assert milestones(rule, 27, zeros[0]) == (1, 3, 9)
    assert milestones(rule, 27, one) == (3, 9)
    own = curve(zeros[0], 0.1)
    assert verdict(rule, 27, own, [curve(one, 0.9)]) == ""
    assert "below 0.9" in verdict(rule, 27, own, [curve(one, 0.9), curve(zeros[1], 0.9)])


def test_an_answer_depends_on_the_curves_and_not_on_their_order():
    known = [curve(number, value) for number, value in enumerate([0.3, 0.1, 0.4, 0.2])]
    own = curve(9, 0.15)
    assert verdict(THIRD, 27, own, known) == verdict(THIRD, 27, own, [*reversed(known), own])


def ends_of(rule, total, curves):
    """Where each candidate ends when they run one after the other and report every step."""
    known = []
    for number, values in enumerate(curves):
        for step in range(1, total + 1):
            own = curve(number, *values[:step])
            if step in milestones(rule, total, number) and verdict(rule, total, own, known):
                break
        known.append(own)
    return [one.last_step for one in known]


@dataclass(frozen=True)
class _TuneTrial:
    trial_id: str


def ends_in_tune(scheduler, total, curves):
    ends, controller = [], SimpleNamespace(get_live_trials=list)
    for number, values in enumerate(curves):
        trial = _TuneTrial(str(number))
        scheduler.on_trial_add(None, trial)
        for step, value in enumerate(values, start=1):
            if scheduler.on_trial_result(controller, trial, {"t": step, "score": value}) == "STOP":
                break
        ends.append(step)
    return ends


@pytest.mark.parametrize(("grace", "factor", "seed"), [(1, 2, 0), (3, 3, 1), (2, 2.5, 2), (1, 4, 3)])
def test_asha_decides_as_tune_does(grace, factor, seed):
    from ray.tune.schedulers import AsyncHyperBandScheduler

    curves = np.random.default_rng(seed).normal(size=(40, 27)).round(2)
    tune = AsyncHyperBandScheduler(
        time_attr="t", metric="score", mode="max", max_t=27, grace_period=grace, reduction_factor=factor
    )
    ours = ends_of(Asha(grace_epochs=grace, reduction_factor=factor), 27, curves.tolist())
    assert ours == ends_in_tune(tune, 27, curves.tolist())
    assert len(set(ours)) > 2


@pytest.mark.parametrize("seed", range(3))
def test_the_median_rule_decides_as_tune_does(seed):
    from ray.tune.schedulers import MedianStoppingRule

    curves = np.random.default_rng(seed).normal(size=(40, 20)).cumsum(axis=1).round(2)
    tune = MedianStoppingRule(
        time_attr="t", metric="score", mode="max", grace_period=4, min_samples_required=3
    )
    ours = ends_of(MedianRule(grace_epochs=4, min_candidates=3), 20, curves.tolist())
    assert ours == ends_in_tune(tune, 20, curves.tolist())
    assert len(set(ours)) > 2
