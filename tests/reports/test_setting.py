import json
from dataclasses import replace

import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.experiment import ExperimentConfig
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.reports.markdown import markdown_report
from emo_ray.reports.page import html_report
from emo_ray.reports.setting import own_setting, setting_table
from emo_ray.reports.terminal import results_table
from emo_ray.results.summary import summarise
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study

CARD = {"title": "Made up", "licence": "CC0", "citation": "Nobody (2020)", "doi": "10.1/x", "access": "here"}
SETTINGS = {
    "corpus": {"kind": "fake", "exclude": [], "gsr_unit": "arbitrary"},
    "extraction": {"kind": "tokens", "token_s": 1.0, "bands": {"theta": [4.0, 8.0]}},
    "task": {"kind": "affect", "theta": 0.1, "pairs": "disjoint"},
    "model": {"kind": "mlp", "hidden": [64, 32], "dropout": 0.5, "l2": None},
    "training": {
        "optimizer": {"kind": "adam", "learning_rate": 0.003, "momentum": 0.9},
        "clip_norm": 1.0,
        "monitor": "primary",
        "max_epochs": 60,
        "batch_size": 64,
        "patience": 12,
    },
    "protocol": {"kind": "loso", "n_subjects": None, "choice": "first", "validation_share": 0.2},
    "scaling": "train",
    "references": ["majority", "linear"],
    "modalities": [],
    "seed": 3,
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    config = FakeStudyConfig(n_subjects=3, n_segments=20, columns=("flat", "transductive"))
    return fake_study(tmp_path_factory.mktemp("setting"), config)


def summary_of(study, flat=SETTINGS, transductive=SETTINGS):
    candidates = {
        "c-flat": {"column": "flat", **flat},
        "c-transductive": {"column": "transductive", **transductive},
    }
    header = {**study.header, "candidates": candidates, "corpus": CARD, "n_subjects": 4, "n_segments": 1060}
    return summarise(replace(study, header=header))


def test_setting_tells_what_a_methods_section_would(study):
    assert dict(setting_table(summary_of(study)).rows) == {
        "corpus": "Made up",
        "licence": "CC0",
        "citation": "Nobody (2020), doi 10.1/x",
        "subjects, segments": "4 subjects, 1,060 segments; 3 subjects are tested",
        "reader": "fake: gsr unit = arbitrary",
        "task": "valence and arousal of a segment; transition: one of them differs from the segment before "
        "by more than 0.1 (theta; disjoint pairs)",
        "primary metric": "balanced accuracy, higher is better",
        "protocol": "leave one subject out (loso)",
        "validation": "20 % of the training subjects",
        "scaling": "by the moments of the training subjects (train)",
        "modalities": "all",
        "extraction": "tokens: token = 1 s, bands (theta = [4, 8])",
        "model": "mlp: hidden = [64, 32], dropout = 0.5, weights = 12,345",
        "training": "max epochs = 60, batch size = 64, patience = 12, monitor = balanced accuracy",
        "optimizer": "adam: learning rate = 0.003",
        "other training": "clip norm = 1",
        "references": "majority, linear",
        "seed": "3",
        "command": "python -m jobs.fake --root there",
    }


def test_what_differs_stands_in_its_section_and_not_in_the_table(study):
    other = {**SETTINGS, "scaling": "transductive", "model": {**SETTINGS["model"], "dropout": 0.1}}
    summary = summary_of(study, transductive=other)
    rows = dict(setting_table(summary).rows)
    assert "scaling" not in rows
    assert rows["model"] == "mlp: hidden = [64, 32], weights = 12,345"
    assert own_setting(summary, summary.sections[1]) == (
        "Setting of this section: model dropout = 0.1; scaling each subject by its own moments, test "
        "subjects too (transductive)."
    )


def test_a_model_of_another_kind_differs_as_a_whole(study):
    other = {**SETTINGS, "model": {"kind": "lstm", "dropout": 0.5}}
    summary = summary_of(study, transductive=other)
    assert "model" not in dict(setting_table(summary).rows)
    assert own_setting(summary, summary.sections[1]) == (
        "Setting of this section: model kind = lstm; model dropout = 0.5; model weights = 12,345."
    )


def test_nothing_is_said_of_a_section_where_all_are_alike(study):
    summary = summary_of(study)
    assert own_setting(summary, summary.sections[0]) == ""


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (
            {"kind": "classes", "column": "label", "classes": [["rest", [1.0, 3.0]], ["stress", [2.0]]]},
            "classes of label: rest (1, 3), stress (2)",
        ),
        (
            {"kind": "rating", "rating": "self_valence", "rule": "ge_5"},
            "low or high self valence; high is 5 or more",
        ),
        ({"kind": "value", "column": "score"}, "value: column = score"),
    ],
)
def test_label_rule_is_told_in_words(study, task, told):
    settings = {**SETTINGS, "task": task}
    assert dict(setting_table(summary_of(study, settings, settings)).rows)["task"] == told


def test_folders_of_one_machine_are_not_told(study):
    settings = {**SETTINGS, "corpus": {"kind": "fake", "file": "/home/me/a.csv", "other": "C:\\data\\b.csv"}}
    assert dict(setting_table(summary_of(study, settings, settings)).rows)["reader"] == (
        "fake: file = a.csv, other = b.csv"
    )


def test_setting_is_in_the_reports_and_not_in_the_terminal(study):
    summary = summary_of(study)
    assert "<h2>Setting</h2>" in html_report(summary, {})
    assert "## Setting" in markdown_report(summary, {})
    assert "CC0" not in results_table(summary)


def test_every_setting_of_a_real_experiment_is_told(study):
    corpus = FakeCorpus()
    experiment = ExperimentConfig(
        corpus=corpus,
        extraction=RawTokens(),
        task=next(iter(corpus.tasks().values())),
        model=MlpConfig(),
        protocol=LeaveOneSubjectOut(),
    )
    settings = json.loads(json.dumps(experiment.identity()))
    rows = dict(setting_table(summary_of(study, settings, settings)).rows)
    assert {
        "task",
        "protocol",
        "validation",
        "scaling",
        "extraction",
        "model",
        "training",
        "optimizer",
    } <= set(rows)
    assert str(settings["training"]["max_epochs"]) in rows["training"]


def test_study_without_a_known_setting_has_a_table(study):
    rows = dict(setting_table(summarise(study)).rows)
    assert rows["model"] == "made_up: dropout = 0.1, weights = 12,345"
    assert "licence" not in rows


def test_what_was_published_differently_does_not_empty_the_table(tmp_path):
    config = FakeStudyConfig(n_subjects=3, n_segments=20, columns=("flat", "published"))
    study = fake_study(tmp_path, config)
    published = {**SETTINGS, "protocol": {"kind": "random_rows"}, "model": {"kind": "row_net"}}
    candidates = {
        "c-flat": {"column": "flat", **SETTINGS},
        "c-published": {"column": "published", **published},
    }
    summary = summarise(replace(study, header={**study.header, "candidates": candidates}))
    assert dict(setting_table(summary).rows)["model"].startswith("mlp: hidden = [64, 32]")
    assert own_setting(summary, summary.sections[0]) == ""
    told = own_setting(summary, summary.sections[1])
    assert "model kind = row_net" in told
    assert "protocol kind = random_rows" in told
