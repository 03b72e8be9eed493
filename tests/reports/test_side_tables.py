"""Probes, single classes, and published against clean, as reports show them."""

from html import unescape

import pytest

from emo_ray.cli.studies import _run_counts
from emo_ray.reports.artifacts import experiment_summary
from emo_ray.reports.content import PUBLISHED_LABEL, headline, metric_table, score_table, subject_table
from emo_ray.reports.figures import section_figures
from emo_ray.reports.side_tables import GAP_TITLE, class_tables, gap_table, probe_note, probe_table
from emo_ray.reports.terminal import results_table
from emo_ray.reports.writing import write_report
from emo_ray.results.pooling import concatenate, read_run
from emo_ray.results.summary import summarise
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study
from emo_ray.tracking.entries import run_tags, study_tags

# the network of these studies has a skill of 1; a probe without any is the majority, number for number
PROBES = (("probe_clock", 0.3), ("probe_dataset", 0.0), ("probe_clip", 3.0))
PRIMARY = "balanced_accuracy"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    config = FakeStudyConfig(n_subjects=6, n_segments=20, columns=("flat", "published"), probes=PROBES)
    return fake_study(tmp_path_factory.mktemp("sides"), config)


@pytest.fixture(scope="module")
def summary(study):
    return summarise(study)


@pytest.fixture(scope="module")
def texts(study, summary):
    paths = write_report(study, summary)
    return [
        " ".join(unescape(text).replace("\\_", "_").split())
        for text in (paths.page.read_text(), paths.markdown.read_text(), results_table(summary))
    ]


def test_a_probe_stands_in_its_own_table_with_the_networks_advantage(summary):
    section = summary.sections[0]
    cells = {
        row[0]: dict(zip(probe_table(section, PRIMARY).header, row, strict=True))
        for row in probe_table(section, PRIMARY).rows
    }
    network, clock = (section.models[name][PRIMARY].mean for name in ("network", "probe_clock"))
    assert list(cells) == ["probe_clock", "probe_clip"]
    assert float(cells["probe_clock"]["network's advantage"]) == pytest.approx(network - clock, abs=6e-4)
    assert cells["probe_clock"]["what it is told"] == "seconds since the session began"


def test_a_probe_that_equals_the_majority_is_named_below_the_table(summary):
    assert probe_note(summary.sections[0], PRIMARY).endswith("does not vary: dataset.")


@pytest.mark.parametrize("table", [score_table, metric_table], ids=["scores", "metrics"])
def test_other_tables_are_not_made_wider_by_probes(summary, table):
    found = table(summary.sections[0], PRIMARY) if table is score_table else table(summary.sections[0])
    assert not any("probe" in cell for row in (found.header, *found.rows) for cell in row)


def test_subjects_have_three_metrics_beside_the_primary_one(summary):
    header = subject_table(summary, summary.sections[0]).header
    assert header[1:] == (
        *("balanced accuracy", "majority", "prior", "linear", "macro f1", "auroc", "accuracy"),
        *("segments", "best epoch", "seconds"),
    )


def test_probes_stand_in_every_form_of_the_report(texts):
    for text in texts:
        assert "What can be told without any signal" in text
        assert "probe_clock" in text


def test_a_probe_that_is_not_beaten_stands_in_the_headline(tmp_path):
    config = FakeStudyConfig(n_subjects=6, n_segments=20, skill=0.2, probes=(("probe_length", 2.0),))
    assert "does not beat probe_length, which sees no signal." in headline(
        summarise(fake_study(tmp_path, config))
    )


def test_a_clip_that_tells_more_than_the_network_is_told(texts):
    for text in texts:
        assert "Knowing which clip was shown does as well or better" in text
        assert "recognising the stimulus is not ruled out" in text


def test_classes_show_what_each_was_taken_for(study, summary):
    ((head, table),) = class_tables(summary.sections[0])
    row = dict(zip(table.header, table.rows[0], strict=True))
    calm = [
        (run["target/emotion"] == 0)
        for run in (study.predictions(f"flat{number:04d}") for number in range(6))
    ]
    called = sum(int(row[f"as {name}"]) for name in ("calm", "joy", "fear"))
    assert head == "emotion"
    assert int(row["segments"]) == called == sum(hits.sum() for hits in calm)
    assert float(row["recall"]) == pytest.approx(int(row["as calm"]) / called, abs=6e-4)


def test_a_published_section_is_labelled_and_lists_what_leaked(texts, summary):
    assert summary.sections[-1].leaks == {"weights": 6, "scaler": 6}
    for text in texts:
        assert f"made_up (candidate c-published), {PUBLISHED_LABEL}" in text
        assert "have seen test subjects, and how many of them: weights (6), scaler (6)." in text


def test_a_published_section_beats_nothing(summary):
    published = summary.sections[-1]
    assert (published.column, published.procedure) == ("published", "published")
    assert not published.verdict.beats_every_reference
    assert "beats" not in published.verdict.sentence
    assert {row[-1] for row in score_table(published, PRIMARY).rows} == {""}
    assert {row[-1] for row in probe_table(published, PRIMARY).rows} == {""}


def test_the_gap_is_published_less_clean(summary, texts):
    (row,) = gap_table(summary).rows
    flat, published = (section.models["network"][PRIMARY] for section in summary.sections)
    assert row[4] == f"{published.mean - flat.mean:+.3f}"
    assert row[7] == f"{published.pooled - flat.pooled:+.3f}"
    assert all(GAP_TITLE in text for text in texts)


def test_without_a_published_section_there_is_no_gap(tmp_path):
    clean = summarise(fake_study(tmp_path, FakeStudyConfig(n_subjects=2, n_segments=20)))
    assert gap_table(clean).rows == ()
    assert GAP_TITLE not in results_table(clean)


def test_no_line_of_the_terminal_is_wider_than_100(summary):
    assert max(map(len, results_table(summary).splitlines())) <= 100


def test_a_published_column_without_a_score_has_no_gap(summary):
    *clean, published = summary.sections
    unfinished = published.model_copy(
        update={"counts": published.counts.model_copy(update={"finished": 0, "failed": 6})}
    )
    assert gap_table(summary.model_copy(update={"sections": (*clean, unfinished)})).rows == ()


def test_mlflow_is_told_that_a_published_run_is_no_result(study):
    tags = {record.column: run_tags(study, record) for record in study.records.values()}
    assert tags["published"]["emo.procedure"] == "published"
    assert "not a result" in tags["published"]["mlflow.note.content"]
    assert tags["published"]["emo.leaks"].startswith("weights (")
    assert tags["flat"]["emo.procedure"] == "clean"
    assert not {"emo.leaks", "mlflow.note.content"} & tags["flat"].keys()
    assert study_tags(study)["emo.procedure"] == "clean and published"


def test_the_files_of_a_published_column_open_with_what_they_are(study, summary):
    section = summary.sections[-1]
    records = [record for record in study.records.values() if record.column == "published"]
    pooled = concatenate([read_run(study, record.fingerprint) for record in records])
    content = experiment_summary(study, section, records, pooled)
    assert content["notes"][0].startswith(PUBLISHED_LABEL)
    assert "weights (6)" in content["notes"][0]


def test_figures_and_the_list_of_studies_tell_what_is_as_published(study, summary):
    captions = {
        section.column: [figure.caption for figure in section_figures(study, summary, section)]
        for section in summary.sections
    }
    assert all(caption.endswith("not a result.") for caption in captions["published"])
    assert not any("result" in caption for caption in captions["flat"])
    assert _run_counts(study) == "12/12 finished, 6 as published"
