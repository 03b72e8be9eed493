from dataclasses import replace

import pytest

from emo_ray.reports.importance import importance_of
from emo_ray.reports.search_axes import SearchAxis, search_axes, short_names, value_text
from emo_ray.reports.search_numbers import count_epochs, subject_scores
from emo_ray.reports.search_tables import agreement_table, candidate_table, left_out_sentence, ranked
from emo_ray.reports.search_words import epochs_sentence, spread_words
from emo_ray.results.search_results import Candidate, InnerRecord
from emo_ray.testing.fake_search import RATE, FakeSearchConfig, fake_search

DROPOUT = "model.dropout"


def one(number, state, value=None, n_epochs=0, params=None):
    curve = (0.5,) * n_epochs
    record = InnerRecord("", number, 0, "", ("a", "b"), "finished", curve=curve)
    values = (value,) if state == "complete" else ()
    steps = () if value is None else ((1, value),)
    return Candidate("", number, params or {}, state, values, steps, folds=(record,) if n_epochs else ())


@pytest.fixture
def results(tmp_path):
    return fake_search(tmp_path, FakeSearchConfig(n_candidates=1))


@pytest.fixture
def made(results):
    return lambda *candidates: replace(results, searches={"": candidates})


def test_short_names_are_as_long_as_they_must_be():
    keys = (RATE, "model.kind", "model.head.dropout", "model.body.dropout", "seed")
    assert list(short_names(keys).values()) == [
        "learning rate",
        "model kind",
        "head dropout",
        "body dropout",
        "seed",
    ]


def test_middle_of_a_log_axis_is_the_geometric_mean():
    axis = SearchAxis("k", "k", low=1e-4, high=1e-2, is_log=True)
    assert axis.share(1e-3) == pytest.approx(0.5)
    assert [text for _, text in axis.ticks()] == ["0.0001", "0.001", "0.01"]


def test_whole_numbers_have_whole_ticks():
    assert [text for _, text in SearchAxis("k", "k", low=1.0, high=8.0, is_whole=True).ticks()] == [
        "1",
        "4",
        "8",
    ]


def test_value_outside_the_space_widens_its_axis(made):
    found = made(one(0, "complete", 0.5, 1, {DROPOUT: 0.9, "model.widths": [7]}))
    axes = {axis.key: axis for axis in search_axes(found)}
    assert axes[DROPOUT].high == 0.9
    assert axes["model.widths"].labels == ("[32]", "[64, 32]", "[7]")


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (0.00123456, "0.00123"), ([64, [1.5]], "[64, [1.5]]"), (None, "none"), (64, "64")],
)
def test_values_are_told_as_a_person_writes_them(value, text):
    assert value_text(value) == text


def test_best_comes_first_then_stopped_then_failed(made):
    candidates = (
        one(0, "fail"),
        one(1, "pruned", 0.9),
        one(2, "complete", 0.4, 1),
        one(3, "pruned", float("nan")),
        one(4, "complete", 0.6, 1),
        one(5, "running"),
    )
    found = made(*candidates)
    assert [c.number for c in ranked(found, candidates)] == [4, 2, 1, 3, 5, 0]
    lower = replace(found, directions=("min",))
    assert [c.number for c in ranked(lower, candidates)][:2] == [2, 4]


def test_table_shows_fifty_candidates_and_counts_the_others(made):
    candidates = tuple(one(number, "complete", 0.5, 1) for number in range(53))
    assert len(candidate_table(made(*candidates), candidates).rows) == 50
    assert left_out_sentence(candidates).startswith("and 3 more")
    assert left_out_sentence(candidates[:50]) == ""


def test_value_of_a_stopped_candidate_stands_in_brackets_and_a_failure_is_marked(made):
    candidates = (one(0, "complete", 0.5, 1), one(1, "pruned", 0.25, 1), replace(one(2, "fail"), error="why"))
    table = candidate_table(made(*candidates), candidates)
    assert [row[2] for row in table.rows] == ["0.500", "(0.250)", "-"]
    assert table.marked == {2}
    assert table.rows[2][-1] == "why"


def test_epochs_without_stopping_count_a_stopped_one_as_the_mean_complete_one(made):
    found = made(
        one(0, "complete", 0.5, 10), one(1, "complete", 0.5, 20), one(2, "pruned", 0.1, 3), one(3, "fail")
    )
    # 10 + 20 + 15, and nothing more of the one that failed
    assert (count_epochs(found).trained, count_epochs(found).without_stopping) == (33, 45)
    assert "33 epochs were trained, about 73 % of the 45" in epochs_sentence(found)


def test_epochs_without_stopping_are_not_guessed_before_one_is_complete(made):
    assert count_epochs(made(one(0, "pruned", 0.1, 3))).without_stopping is None


def test_spread_is_over_folds_and_over_subjects_with_a_score():
    def record(fold, value, scores):
        return InnerRecord("", 0, fold, "", tuple(scores), "finished", values=(value,), subject_scores=scores)

    folds = (record(0, 0.5, {"a": 0.25, "b": float("nan")}), record(1, 0.7, {"c": 0.75}))
    best = Candidate("", 0, {}, "complete", (0.6,), folds=folds)
    # two subjects at 0.25 and 0.75: sd with n - 1 is 0.5 / sqrt(2)
    assert spread_words(best) == "mean over 2 inner folds, 0.500 to 0.700; sd over 2 subjects 0.354"
    assert subject_scores(best)["c"] == 0.75


def test_importance_finds_the_setting_that_made_the_score(made):
    space = [(rate / 10, dropout / 20) for rate in range(1, 7) for dropout in range(1, 7)]
    candidates = tuple(
        one(number, "complete", dropout**2, 1, {RATE: 10 ** -(2 + rate), DROPOUT: dropout})
        for number, (rate, dropout) in enumerate(space)
    )
    found = importance_of(made(*candidates), candidates)
    assert found.shares[DROPOUT] > 0.9
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found == importance_of(made(*candidates), candidates)


def test_importance_leaves_out_what_not_every_candidate_has(made):
    candidates = tuple(
        one(n, "complete", n / 10, 1, {DROPOUT: n / 20, **({"model.n_layers": n} if n > 2 else {})})
        for n in range(1, 7)
    )
    found = importance_of(made(*candidates), candidates)
    assert set(found.shares) == {DROPOUT}
    assert found.left_out == ("model.n_layers",)


def test_importance_needs_four_complete_candidates_that_differ(made):
    few = tuple(one(n, "complete", n / 10, 1, {DROPOUT: n / 20}) for n in range(1, 4))
    same = tuple(one(n, "complete", 0.5, 1, {DROPOUT: n / 20}) for n in range(1, 7))
    unvaried = tuple(one(n, "complete", n / 10, 1, {DROPOUT: 0.2}) for n in range(1, 7))
    assert [importance_of(made(*found), found) for found in (few, same, unvaried)] == [None, None, None]


def test_searches_agree_on_what_most_of_them_chose(results):
    sizes, dropouts = (32, 32, 32, 32, 64), (0.20, 0.21, 0.22, 0.23, 0.60)
    chosen = zip(sizes, dropouts, strict=True)
    searches = {
        f"fake/S{n}": (
            one(0, "complete", 0.5, 1, {"training.batch_size": size, DROPOUT: dropout, RATE: 10**-n}),
        )
        for n, (size, dropout) in enumerate(chosen)
    }
    rows = {row[0]: row[1:] for row in agreement_table(replace(results, searches=searches)).rows}
    assert rows["batch size"] == ("32 (4), 64 (1)", "yes")
    # the space is 0 to 0.6: 0.21 to 0.23 is 3 % of it
    assert rows["dropout"] == ("median 0.22 of 5, half of them 0.21 to 0.23: 3 % of the range", "yes")
    assert rows["learning rate"][1] == "no"
    assert rows["widths"] == ("by none", "-")
