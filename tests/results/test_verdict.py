from itertools import product
from math import erfc, sqrt

import numpy as np
import pytest

from emo_ray.results.statistics import over_subjects, sign_flip_p
from emo_ray.results.verdict import judge

ABOVE = (0.2, 0.3, 0.1, 0.2, 0.3, 0.2)
BELOW = tuple(-value for value in ABOVE)
AROUND = (0.2, -0.1, 0.1, -0.2, 0.15, -0.1)


def against(direction="max", metric="ccc", **differences):
    """The verdict on a network that lies above each reference by these differences, subject by subject."""
    scores = {"network": {f"s{n}": 0.5 for n in range(max(map(len, differences.values())))}}
    for name, values in differences.items():
        scores[name] = {f"s{n}": 0.5 - value for n, value in enumerate(values)}
    return judge(scores, metric, direction)


def outcomes(verdict):
    return {comparison.reference: comparison.outcome for comparison in verdict.comparisons}


def test_sign_flips_of_three_differences_counted_by_hand():
    # of the 8 sums of +-1 +-2 +-3 only 6 reaches 6; five of them reach 0: 6, 4, 2, 0, 0
    assert sign_flip_p(np.array([1.0, 2.0, 3.0])) == 1 / 8
    assert sign_flip_p(np.array([1.0, 2.0, -3.0])) == 5 / 8
    assert sign_flip_p(np.array([0.1, 0.2, -0.3])) == 5 / 8  # 0.1 + 0.2 is not 0.3 in binary


def test_sign_flips_agree_with_a_naive_count():
    values = np.random.default_rng(5).normal(0.3, 1.0, 9)
    sums = [
        sum(sign * v for sign, v in zip(signs, values, strict=True)) for signs in product((1, -1), repeat=9)
    ]
    reached = [total >= sum(values) - 1e-9 for total in sums]
    assert sign_flip_p(values) == pytest.approx(sum(reached) / 512)


def test_drawn_sign_flips_agree_with_normal_theory():
    values = np.random.default_rng(7).normal(0.15, 1.0, 100)
    normal = erfc(values.sum() / sqrt(np.square(values).sum()) / sqrt(2)) / 2
    assert sign_flip_p(values) == pytest.approx(normal, abs=0.01)
    assert sign_flip_p(values) == sign_flip_p(values)


def test_drawn_p_is_never_zero():
    assert sign_flip_p(np.ones(40)) == 1 / 20_001
    assert np.isnan(sign_flip_p(np.array([])))


def test_without_a_difference_seven_subjects_beat_a_reference_seldom_enough():
    draws = np.random.default_rng(1).normal(size=(400, 7))
    beaten = np.mean([outcomes(against(linear=tuple(row)))["linear"] == "beaten" for row in draws])
    by_interval = np.mean([(over_subjects(list(row)).low or 0) > 0 for row in draws])
    assert beaten <= 0.025
    assert by_interval > 0.04  # why the interval alone does not do


def test_better_on_each_of_six_subjects_is_beaten_and_of_five_too_few():
    verdict = against(linear=ABOVE)
    assert outcomes(verdict) == {"linear": "beaten"}
    assert verdict.beats_every_reference
    assert verdict.comparisons[0].p_better == 1 / 64
    assert outcomes(against(linear=ABOVE[:5])) == {"linear": "too few subjects to tell"}


def test_an_interval_above_zero_is_not_enough_without_the_test():
    verdict = against(linear=(0.5, 0.4, 0.6, 0.3, 0.0, 0.0))
    # the two without a difference count on both sides: 4 of the 64 patterns reach the sum
    assert verdict.comparisons[0].p_better == 4 / 64
    assert (verdict.comparisons[0].advantage.low or 0) > 0
    assert outcomes(verdict) == {"linear": "no difference shown"}


def test_worse_is_said_to_be_worse():
    verdict = against(linear=BELOW)
    assert outcomes(verdict) == {"linear": "worse"}
    assert verdict.comparisons[0].p_worse == 1 / 64
    assert verdict.sentence.startswith("The network is worse than linear on ccc (difference -0.217 [")
    assert verdict.sentence.endswith("]): no evidence that it has learnt anything.")


def test_no_difference_is_not_told_as_nothing_learnt_but_as_no_evidence():
    sentence = against(majority=ABOVE, linear=AROUND).sentence
    assert "The network beats majority on ccc (difference +0.217 [" in sentence
    assert "but does not beat linear (difference +0.008 [" in sentence
    assert sentence.endswith(": no evidence that it has learnt more than linear.")
    assert "learnt nothing" not in sentence


def test_where_no_reference_is_beaten_there_is_no_evidence_of_anything():
    sentence = against(majority=AROUND, linear=BELOW).sentence
    assert "The network does not beat majority on ccc (" in sentence
    assert ") and is worse than linear (" in sentence
    assert sentence.endswith("no evidence that it has learnt anything.")


def test_differences_from_several_references_are_named():
    sentence = against(majority=ABOVE, linear=ABOVE).sentence
    assert "beats majority and linear on ccc (difference: majority +0.217 [" in sentence
    assert "evidence" not in sentence


def test_for_an_error_smaller_is_better():
    verdict = against("min", "mae", linear=BELOW)
    assert verdict.beats_every_reference
    assert "(reduction +0.217 [" in verdict.sentence


def test_comparison_is_paired_over_subjects_that_both_have():
    assert against(prior=ABOVE, linear=ABOVE[:4]).comparisons[1].advantage.n_subjects == 4


def test_a_reference_without_scores_is_named_and_not_counted_as_beaten():
    verdict = against(linear=ABOVE, Prior=())
    assert outcomes(verdict)["Prior"] == "too few subjects to tell"
    assert not verdict.beats_every_reference
    assert verdict.sentence.endswith(
        "Too few subjects to tell whether the network beats Prior (0 with both scores; 6 are needed)."
    )


def test_with_too_few_subjects_for_all_there_is_no_verdict():
    assert against(prior=ABOVE[:3], linear=ABOVE[:2]).sentence == (
        "No verdict on ccc: too few subjects to tell whether the network beats prior or linear "
        "(2 to 3 with both scores; 6 are needed)."
    )


def test_probes_are_apart_from_the_references():
    verdict = against(linear=ABOVE, probe_clock=ABOVE, probe_length=AROUND)
    assert verdict.beats_every_reference
    assert outcomes(verdict) == {"linear": "beaten"}
    assert [probe.outcome for probe in verdict.probes] == ["beaten", "no difference shown"]


def test_the_best_probe_that_is_not_beaten_is_named():
    sentence = against(linear=ABOVE, probe_clock=AROUND, probe_length=BELOW, probe_place=ABOVE).sentence
    assert "The network is worse than probe_length (advantage -0.217 [" in sentence
    assert sentence.endswith("), which sees no signal.")
    assert "probe_clock" not in sentence


def test_probes_that_are_beaten_need_no_words():
    assert "probe" not in against(linear=ABOVE, probe_clock=ABOVE, probe_clip=ABOVE).sentence


def test_a_clip_that_tells_as_much_is_told_apart_from_other_probes():
    sentence = against(linear=ABOVE, probe_clip=BELOW).sentence
    assert "Knowing which clip was shown does as well or better (probe_clip, advantage -0.217 [" in sentence
    assert "sees no signal" not in sentence
