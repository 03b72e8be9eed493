from collections import Counter

from emo_ray.testing.fake_search import FakeSearchConfig, fake_search


def test_search_has_candidates_of_every_state(tmp_path):
    found = fake_search(tmp_path, FakeSearchConfig(failed=(5,), running=(24,))).searches[""]
    counts = Counter(one.state for one in found)
    assert counts["fail"] == counts["running"] == 1
    assert counts["complete"] >= 4
    assert counts["pruned"] >= 1
    assert sum(counts.values()) == 25


def test_same_seed_makes_the_same_search(tmp_path):
    one, same, other = (
        fake_search(tmp_path / str(place), FakeSearchConfig(n_candidates=3, seed=seed)).searches
        for place, seed in enumerate((0, 0, 1))
    )
    assert one == same != other


def test_condition_of_a_dimension_holds_in_every_candidate(tmp_path):
    for one in fake_search(tmp_path, FakeSearchConfig()).searches[""]:
        is_deep = one.params["model.kind"] == "made_deep"
        assert ("model.n_layers" in one.params) == is_deep
        assert ("model.widths" in one.params) != is_deep


def test_value_of_a_candidate_is_the_mean_over_its_inner_folds(tmp_path):
    best = fake_search(tmp_path, FakeSearchConfig(n_folds=3)).best("")
    assert abs(best.values[0] - sum(max(record.curve) for record in best.folds) / 3) < 1e-12


def test_nested_search_never_scores_its_own_subject(tmp_path):
    results = fake_search(tmp_path, FakeSearchConfig(nested=True, n_subjects=4, n_candidates=5, n_folds=2))
    assert len(results.searches) == 4
    for subject, found in results.searches.items():
        scored = {name for one in found for record in one.folds for name in record.subjects}
        assert subject not in scored
        assert len(scored) == 3
