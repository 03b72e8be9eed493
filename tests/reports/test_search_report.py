import json
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from emo_ray.reports.search_numbers import summarise_search
from emo_ray.reports.search_terminal import search_table
from emo_ray.reports.search_writing import write_search_report
from emo_ray.reports.writing import write_report
from emo_ray.results.search_results import Candidate
from emo_ray.results.summary import summarise
from emo_ray.testing.fake_search import FakeSearchConfig, fake_search

EVIL = "<script>alert(1)</script>|$S{"


class TagCounter(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]


def texts_of(results):
    paths = write_search_report(results)
    forms = (unescape(paths.page.read_text()), paths.markdown.read_text(), search_table(results))
    return [" ".join(text.replace("\\_", "_").split()) for text in forms]


def changed(results, **header):
    study = results.study
    return replace(
        results, study=replace(study, header={**study.header, "search": {**results.header, **header}})
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fake_search(tmp_path_factory.mktemp("sweep"), FakeSearchConfig(n_candidates=16, running=(15,)))


@pytest.fixture(scope="module")
def written(results):
    return write_search_report(results)


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    config = FakeSearchConfig(nested=True, n_subjects=4, n_candidates=8, n_folds=2, failed=(5,))
    return fake_search(tmp_path_factory.mktemp("nested"), config)


def test_headline_counts_candidates_of_every_state(results):
    states = [one.state for one in results.searches[""]]
    told = f"16 candidates: {states.count('complete')} complete, {states.count('pruned')} stopped early, "
    for text in texts_of(results):
        assert told + "2 FAILED, 1 not finished." in text


def test_every_form_says_that_the_score_is_optimistic_and_whose_data_chose(results):
    for text in texts_of(results):
        assert "This score chose the candidate, so it is optimistic." in text
        assert "Whose data chose: 9 subjects (S01, S02, S03, S04, S05, S06, S07, S08, S09)." in text
        assert "Nobody was set aside" in text
        assert "FLAT" not in text


def test_flat_search_says_so_loudly_in_every_form(results):
    flat = changed(results, scoring={"kind": "flat"})
    for text in texts_of(flat):
        assert "FLAT: candidates were scored on the test subjects themselves." in text
    assert '<p class="hole">FLAT' in write_search_report(flat).page.read_text()


def test_people_who_were_set_aside_or_chose_before_are_named(results):
    told = changed(results, set_aside=["fake/S10"], prior_subjects=["old/P1", "old/P2"])
    for text in texts_of(told):
        assert "Set aside, and never used by this search: 1 subject (S10)." in text
        assert "chosen by data of 2 subjects (P1, P2)." in text


def test_failures_are_told_with_their_reasons_and_counts(tmp_path):
    results = fake_search(tmp_path, FakeSearchConfig(n_candidates=25))
    for text in texts_of(results):
        assert "the loss is NaN at epoch 3" in text
    page = write_search_report(results).page.read_text()
    # candidates 5 and 21 have one reason, 13 another
    assert "<td>2</td><td>5, 21</td>" in page
    assert page.index("<td>2</td><td>5, 21</td>") < page.index("<td>1</td><td>13</td>")


def test_page_runs_nothing_and_asks_the_network_for_nothing(results):
    bad = replace(results.searches[""][5], error=EVIL, params={"model.kind": EVIL})
    evil = replace(results, searches={"": (*results.searches[""][:5], bad, *results.searches[""][6:])})
    paths = write_search_report(evil, results.folder / "evil")
    parser = TagCounter()
    parser.feed(paths.page.read_text())
    assert "script" not in parser.tags
    assert "link" not in parser.tags
    assert all(source.startswith("data:image/png;base64,") for source in parser.sources)
    assert "<script" not in paths.markdown.read_text()


def test_all_figures_of_a_plain_search_are_drawn_and_shown(written):
    names = [path.stem for path in written.figures]
    kinds = ("history", "importance", "parallel", "slices", "intermediate", "learning")
    assert names == [f"search-{kind}" for kind in kinds]
    assert written.page.read_text().count("<img ") == len(names)
    assert all(f"(figures/{name}.png)" in written.markdown.read_text() for name in names)


def test_second_objective_adds_the_pareto_front(tmp_path):
    config = FakeSearchConfig(
        n_candidates=9, objectives=("balanced_accuracy", "n_parameters"), stopping=False
    )
    paths = write_search_report(fake_search(tmp_path, config))
    assert paths.figures[-1].stem == "search-pareto"
    assert "search-pareto" not in [path.stem for path in write_search_report(empty_of(tmp_path)).figures]
    assert not paths.figures[-1].exists()  # a figure that is no longer true goes


def empty_of(folder):
    results = fake_search(folder, FakeSearchConfig(n_candidates=1))
    return replace(results, searches={"": ()})


def test_search_without_candidates_has_a_report(tmp_path):
    for text in texts_of(empty_of(tmp_path)):
        assert "No candidate is complete yet. No candidate has been tried yet. 0 epochs were trained." in text


@pytest.mark.parametrize("state", ["running", "fail", "pruned", "complete"])
def test_search_of_one_candidate_has_a_report(tmp_path, state):
    config = FakeSearchConfig(n_candidates=1, failed=())
    results = fake_search(tmp_path, config)
    (only,) = results.searches[""]
    values = only.values if state == "complete" else ()
    write_search_report(replace(results, searches={"": (replace(only, state=state, values=values),)}))


def test_candidate_without_any_step_or_with_nan_has_a_row(tmp_path):
    results = fake_search(tmp_path, FakeSearchConfig(n_candidates=6, failed=()))
    bare = Candidate("", 6, {}, "fail", error="the worker died")
    nan = replace(bare, number=7, state="pruned", steps=((1, float("nan")),), error="poor")
    for text in texts_of(replace(results, searches={"": (*results.searches[""], bare, nan)})):
        assert "8 candidates" in text
        assert "the worker died" in text


def test_json_holds_every_candidate_with_its_state_and_no_nan(results, written):
    content = json.loads(written.summary.read_text(), parse_constant=pytest.fail)
    rows = content["searches"][""]["candidates"]
    assert [row["number"] for row in rows] == list(range(16))
    assert [row["state"] for row in rows] == [one.state for one in results.searches[""]]
    assert content["searches"][""]["best"]["number"] == results.best("").number
    assert content["settings"]["sampler"] == "tpe"


def test_password_of_the_storage_is_in_no_form_of_the_report(results):
    secret = changed(results, storage="postgresql://me:sesame@host/optuna")
    assert all("sesame" not in text for text in texts_of(secret))
    assert "sesame" not in summarise_search(secret).to_json()


def test_nested_report_has_one_figure_set_and_a_folded_table_a_search(nested):
    paths = write_search_report(nested)
    kinds = [path.stem.removeprefix("search-") for path in paths.figures]
    assert {"history", "chosen", "intermediate"} <= set(kinds)
    assert len(kinds) <= 4
    page = paths.page.read_text()
    assert page.count("<details>") == paths.markdown.read_text().count("<details>") == 4
    assert "its own data took no part in its search" in " ".join(page.split())


def test_usual_report_of_a_nested_study_tells_how_settings_were_chosen(nested):
    write_search_report(nested)
    paths = write_report(nested.study, summarise(nested.study), nested)
    page = paths.page.read_text()
    assert "How the settings were chosen" in page
    assert '<a href="sweep.html">' in page
    assert "](sweep.md)" in paths.markdown.read_text()
    assert "dropout = searched, see below" in page


def test_both_reports_keep_the_figures_of_the_other(nested):
    first = write_search_report(nested).figures
    second = write_report(nested.study, summarise(nested.study), nested).figures
    write_search_report(nested)
    assert first
    assert second
    assert all(path.exists() for path in (*first, *second))


def test_columns_of_a_nested_study_are_never_averaged_with_each_other(nested):
    first = nested.searches["fake/S01"]
    half = tuple(replace(one, values=(0.25,)) if one.values else one for one in first)
    two = changed(
        replace(nested, searches={"nested/fake/S01": first, "transductive/fake/S01": half}), bases=[{}, {}]
    )
    for text in texts_of(two):
        assert "transductive: 1 search, one an outer subject, each inside the others." in text
        assert f"mean {nested.best('fake/S01').values[0]:.3f}, " in text
        assert "mean 0.250, 0.250 to 0.250." in text


def test_terminal_text_is_never_wider_than_a_hundred_columns(results, nested):
    for found in (results, nested):
        assert max(map(len, search_table(found).splitlines())) <= 100
