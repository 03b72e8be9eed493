import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.errors import JournalError
from emo_ray.reports.content import Table, metric_table, number, p_value, small_print, subject_table
from emo_ray.reports.markdown import plain
from emo_ray.reports.terminal import results_table
from emo_ray.reports.writing import write_report
from emo_ray.results.summary import Summary, summarise
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study, fake_subjects

EVIL = "fake/<script>alert(1)</script>|$S{"


class TagCounter(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]


def report_of(study):
    summary = summarise(study)
    return summary, write_report(study, summary)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    config = FakeStudyConfig(n_subjects=4, n_segments=20, failed=("fake/S02",), missing=("fake/S03",))
    return fake_study(tmp_path_factory.mktemp("report"), config)


@pytest.fixture(scope="module")
def written(study):
    return report_of(study)


@pytest.fixture(scope="module")
def evil_page(tmp_path_factory):
    subjects = (EVIL, *fake_subjects(3))
    made = fake_study(tmp_path_factory.mktemp("evil"), FakeStudyConfig(n_segments=20), subjects)
    records = {**made.records, "flat0001": replace(made.records["flat0001"], status="failed", error=EVIL)}
    made = replace(made, records=records, rejected=(RejectedTrial(EVIL, EVIL, EVIL),), notes=(EVIL,))
    return report_of(made)[1]


def test_page_runs_nothing_that_came_from_a_file(evil_page):
    text = evil_page.page.read_text()
    parser = TagCounter()
    parser.feed(text)
    assert "script" not in parser.tags
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5


def test_markdown_runs_nothing_that_came_from_a_file(evil_page):
    assert "<script" not in evil_page.markdown.read_text()


def test_page_asks_the_network_for_nothing(written):
    parser = TagCounter()
    parser.feed(written[1].page.read_text())
    assert parser.sources
    assert all(source.startswith("data:image/png;base64,") for source in parser.sources)
    assert "link" not in parser.tags


def test_failed_and_missing_folds_stand_in_every_form_of_the_report(written):
    summary, paths = written
    error = "the loss is NaN at epoch 3"
    for text in (paths.page.read_text(), paths.markdown.read_text(), results_table(summary)):
        assert "2 of 4 runs finished, 1 FAILED, 1 not run yet" in text
        assert error in " ".join(text.split())
    assert "not run yet" in paths.page.read_text()


def test_references_stand_beside_the_network(written):
    summary, paths = written
    for text in (paths.page.read_text(), paths.markdown.read_text(), results_table(summary)):
        assert all(name in text for name in ("network", "majority", "prior", "linear", "95 % interval"))


def test_verdict_and_its_rule_are_in_every_form_of_the_report(tmp_path):
    config = FakeStudyConfig(n_subjects=6, n_segments=20, skill=0.0)
    summary, paths = report_of(fake_study(tmp_path, config))
    for text in (paths.page.read_text(), paths.markdown.read_text(), results_table(summary)):
        told = " ".join(unescape(text).split())
        assert "is worse than prior and linear" in told
        assert "no evidence that it has learnt anything" in told
        assert "one-sided sign-flip test over subjects has p < 0.025" in told


def test_too_few_subjects_are_told_in_the_headline(written):
    assert "too few subjects to tell for majority, prior, linear" in written[1].page.read_text()


def test_smallest_p_is_not_shown_as_zero():
    assert (p_value(1 / 20_001), p_value(1 / 64), p_value(None)) == ("<0.001", "0.016", "-")


@pytest.fixture(scope="module")
def affect(tmp_path_factory):
    return report_of(
        fake_study(tmp_path_factory.mktemp("affect"), FakeStudyConfig(task="affect", n_subjects=3))
    )


def test_tables_with_pr_auc_say_how_to_read_it(affect, written):
    note = "PR-AUC on few segments a subject lies above the rate even for a random ranking"
    for text in (affect[1].page.read_text(), affect[1].markdown.read_text(), results_table(affect[0])):
        assert text.count(note) == 1  # the score table is about ccc, the subject table has no pr_auc
    assert note not in results_table(written[0])  # the main metrics of classes have none
    assert small_print(Table(("model",), ()), "pr_auc") == small_print(Table(("subject", "pr auc"), ())) != ()


def test_pooled_scores_stand_beside_the_means_of_all_metrics(affect):
    section = affect[0].sections[0]
    table = metric_table(section)
    row = next(row for row in table.rows if row[0] == "transition/pr auc")
    cells = dict(zip(table.header, row, strict=True))
    assert cells["pooled"] == number(section.models["network"]["transition/pr_auc"].pooled)
    assert cells["linear pooled"] == number(section.models["linear"]["transition/pr_auc"].pooled)


def test_status_of_subjects_is_a_column_only_where_there_are_holes(written, affect):
    for (summary, _), has_status in ((written, True), (affect, False)):
        table = subject_table(summary, summary.sections[0])
        assert ("status" in table.header) is has_status
        assert table.header[-3:] == ("segments", "best epoch", "seconds")
        assert all(len(row) == len(table.header) for row in table.rows)


def test_figures_of_all_widths_are_shown_at_one_scale(written):
    shown = [int(width) for width in re.findall(r'<img [^>]*width="(\d+)"', written[1].page.read_text())]
    drawn = [int.from_bytes(path.read_bytes()[16:20]) for path in written[1].figures]
    assert len(set(drawn)) > 1
    assert [round(d / s, 2) for d, s in zip(drawn, shown, strict=True)] == [round(150 / 110, 2)] * len(drawn)


def test_printed_tables_are_not_cut(written):
    style = written[1].page.read_text().partition("@media print")[2].partition("</style>")[0]
    assert re.search(r"\.scroll \{ overflow: visible", style)


def test_terminal_table_fits_100_columns(tmp_path):
    config = FakeStudyConfig(
        task="affect", n_subjects=4, failed=("fake/S01",), columns=("flat", "transductive")
    )
    lines = results_table(summarise(fake_study(tmp_path, config))).splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("linear") for line in lines)


def test_rejected_trials_are_grouped_by_reason(written):
    assert "shorter than one segment | 2 | S01 (t03); S02 (t01)" in written[1].markdown.read_text()


def test_summary_file_is_the_summary(written):
    summary, paths = written
    assert Summary.model_validate_json(paths.summary.read_text()) == summary


def test_markdown_links_only_figures_that_exist(written):
    _, paths = written
    linked = re.findall(r"\]\((figures/.*?)\)", paths.markdown.read_text())
    assert len(linked) == len(paths.figures) == 3  # subjects, confusion, learning
    assert all((paths.folder / name).read_bytes().startswith(b"\x89PNG") for name in linked)


def test_affect_study_has_scatter_and_precision_recall(affect):
    names = [path.stem.rsplit("-", 1)[-1] for path in affect[1].figures]
    assert names == ["subjects", "values", "transition", "learning"]


def test_second_report_replaces_the_first_and_leaves_nothing_over(study, written):
    stale = written[1].folder / "figures" / "of-an-earlier-plan.png"
    stale.write_bytes(b"old")
    before = written[1].page.read_bytes()
    _, paths = report_of(study)
    assert paths.page.read_bytes() == before
    assert not stale.exists()
    assert not list(paths.folder.rglob("*.tmp"))


def test_study_without_finished_runs_has_a_report(study):
    empty = replace(study, records={}, folder=study.folder / "empty")
    _, paths = report_of(empty)
    assert "No verdict" in paths.page.read_text()
    assert paths.figures == ()


def test_lost_predictions_are_an_error_that_names_the_file(tmp_path):
    made = fake_study(tmp_path, FakeStudyConfig(n_subjects=2, n_segments=20))
    (tmp_path / "predictions" / "flat0001.parquet").unlink()
    with pytest.raises(JournalError, match=r"flat0001\.parquet"):
        summarise(made)


def test_markup_is_shown_as_it_stands():
    assert plain("a|b *c* <i>\n[d](e)") == r"a\|b \*c\* &lt;i&gt; \[d\](e)"
