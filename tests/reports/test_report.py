import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.errors import JournalError
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


def test_verdict_is_in_every_form_of_the_report(tmp_path):
    summary, paths = report_of(fake_study(tmp_path, FakeStudyConfig(n_subjects=4, n_segments=20, skill=0.0)))
    for text in (paths.page.read_text(), paths.markdown.read_text(), results_table(summary)):
        assert "learnt nothing" in " ".join(text.split())


def test_terminal_table_fits_100_columns(tmp_path):
    config = FakeStudyConfig(
        task="affect", n_subjects=4, failed=("fake/S01",), columns=("flat", "transductive")
    )
    lines = results_table(summarise(fake_study(tmp_path, config))).splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("linear") for line in lines)


def test_rejected_trials_are_grouped_by_reason(written):
    assert re.search(
        r"shorter than one segment \| 2 \| fake/S01 \(1\), fake/S02 \(1\)", written[1].markdown.read_text()
    )


def test_summary_file_is_the_summary(written):
    summary, paths = written
    assert Summary.model_validate_json(paths.summary.read_text()) == summary


def test_markdown_links_only_figures_that_exist(written):
    _, paths = written
    linked = re.findall(r"\]\((figures/.*?)\)", paths.markdown.read_text())
    assert len(linked) == len(paths.figures) == 3  # subjects, confusion, learning
    assert all((paths.folder / name).read_bytes().startswith(b"\x89PNG") for name in linked)


def test_affect_study_has_scatter_and_precision_recall(tmp_path):
    _, paths = report_of(fake_study(tmp_path, FakeStudyConfig(task="affect", n_subjects=3)))
    names = [path.stem.rsplit("-", 1)[-1] for path in paths.figures]
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
