"""Which candidate is best, and which are beaten by none."""

import numpy as np
import pytest

from emo_ray.results.search_results import Candidate, InnerRecord, best_of, pareto_front


def complete(number, *values):
    return Candidate("", number, {}, state="complete", values=values)


@pytest.mark.parametrize(("direction", "best"), [("max", 1), ("min", 2)])
def test_the_best_is_the_earliest_with_the_best_first_objective(direction, best):
    scores = [(0.5, 9.0), (0.7, 1.0), (0.2, 5.0), (0.7, 0.0), (0.2, 7.0)]
    candidates = [complete(number, *values) for number, values in enumerate(scores)]
    # The order in which they are handed over is no part of the question.
    for order in (candidates, candidates[::-1]):
        assert best_of(order, (direction, "min")).number == best


@pytest.mark.parametrize("state", ["running", "pruned", "fail"])
def test_only_a_complete_candidate_can_be_best(state):
    other = Candidate("", 0, {}, state=state, steps=((1, 0.99),))
    assert best_of([other, complete(1, 0.1)], ("max",)).number == 1
    assert best_of([other], ("max",)) is None
    assert pareto_front([other], ("max",)) == ()


def beaten(mine, yours):
    """Accuracy up, parameters down: yours is nowhere worse, and somewhere better."""
    return yours[0] >= mine[0] and yours[1] <= mine[1] and yours != mine


def test_the_front_holds_whom_nobody_beats_as_trying_all_pairs_tells():
    draw = np.random.default_rng(0)
    for _ in range(20):
        # coarse numbers, so that equals and ties in one objective occur
        points = [(float(a), float(b)) for a, b in draw.integers(0, 5, size=(12, 2))]
        candidates = [complete(number, *point) for number, point in enumerate(points)]
        naive = [n for n, mine in enumerate(points) if not any(beaten(mine, yours) for yours in points)]
        assert [one.number for one in pareto_front(candidates, ("max", "min"))] == naive


def test_two_equal_candidates_are_both_on_the_front():
    front = pareto_front(
        [complete(0, 0.5, 10.0), complete(1, 0.5, 10.0), complete(2, 0.5, 11.0)], ("max", "min")
    )
    assert [one.number for one in front] == [0, 1]


def test_the_epochs_of_a_candidate_are_those_of_all_its_folds():
    folds = tuple(
        InnerRecord("", 0, fold, str(fold), ("a",), status, curve=(0.1,) * n)
        for fold, (status, n) in enumerate([("finished", 4), ("finished", 2), ("stopped", 3), ("failed", 0)])
    )
    assert Candidate("", 0, {}, folds=folds).n_epochs == 9
    assert Candidate("", 0, {}).n_epochs == 0


def test_a_candidate_is_called_by_its_search_and_number():
    assert Candidate("P03", 7, {}).name == "P03/7"
    assert Candidate("", 7, {}).name == "7"
