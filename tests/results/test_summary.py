import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emo_ray.results.pooling import NETWORK, concatenate, read_run
from emo_ray.results.statistics import over_subjects
from emo_ray.results.summary import Summary, per_subject, summarise
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study

SCHEMA = Path(__file__).parents[2] / "docs" / "summary.schema.json"


@pytest.fixture
def study(tmp_path):
    return fake_study(tmp_path / "study", FakeStudyConfig(failed=("fake/S05",), missing=("fake/S09",)))


def test_documented_schema_is_current():
    assert json.loads(SCHEMA.read_text()) == Summary.model_json_schema(), (
        "write json.dumps(Summary.model_json_schema(), indent=2) to docs/summary.schema.json"
    )


def test_mean_and_sd_are_over_subjects_with_n_minus_one():
    row = over_subjects([1.0, 2.0, 6.0, float("nan")])
    # mean 9/3; deviations -2, -1, 3; their squares sum to 14; 14/2 = 7
    assert (row.mean, row.n_subjects) == (3.0, 3)
    assert row.sd == pytest.approx(7**0.5)


def test_interval_of_two_subjects_spans_both():
    # of the resamples of (0, 1) a quarter is all 0 and a quarter all 1: both tails are beyond 2.5 %
    row = over_subjects([0.0, 1.0])
    assert (row.low, row.high) == (0.0, 1.0)


def test_bootstrap_interval_agrees_with_normal_theory_for_many_subjects():
    values = np.random.default_rng(3).normal(5.0, 2.0, 400)
    row = over_subjects(list(values))
    half_width = 1.96 * values.std(ddof=1) / 20
    assert row.low == pytest.approx(values.mean() - half_width, abs=0.03)
    assert row.high == pytest.approx(values.mean() + half_width, abs=0.03)


@pytest.mark.parametrize("values", [[], [0.4], [float("nan")]])
def test_fewer_than_two_subjects_have_no_spread(values):
    row = over_subjects(values)
    assert row.sd is None
    assert row.low is None


def test_order_of_completion_does_not_change_the_table(study):
    backwards = replace(study, records=dict(reversed(study.records.items())))
    assert summarise(study).to_json() == summarise(backwards).to_json()


def test_times_hosts_and_attempts_stand_only_in_timing(study):
    later = {
        name: replace(record, seconds={"train": 99.0, "total": 99.0}, started_unix=5.0, host="b", attempt=3)
        for name, record in study.records.items()
    }
    other = replace(study, records=later, header={**study.header, "created_unix": 7.0, "command": "else"})
    first, second = summarise(study), summarise(other)
    assert first.model_dump_json(exclude={"timing"}) == second.model_dump_json(exclude={"timing"})
    assert first.timing != second.timing


def test_failed_and_missing_runs_are_rows_and_counts(study):
    section = summarise(study).sections[0]
    holes = {row.subject: (row.status, row.error[:8]) for row in section.subjects if row.status != "finished"}
    assert holes == {"fake/S05": ("failed", "Training"), "fake/S09": ("missing", "")}
    assert section.counts.model_dump() == {"planned": 12, "finished": 10, "failed": 1, "missing": 1}
    assert "INCOMPLETE: 1 failed and 1 not run yet of 12 runs" in section.completeness


def test_mean_of_the_network_is_the_mean_of_its_records(study):
    row = summarise(study).sections[0].models[NETWORK]["accuracy"]
    scores = [record.scores["accuracy"] for record in study.records.values() if record.status == "finished"]
    assert row.mean == pytest.approx(sum(scores) / 10)


def test_pooled_accuracy_is_counted_over_all_segments(study):
    right = n_rows = 0
    for name, record in study.records.items():
        if record.status == "finished":
            columns = study.predictions(name)
            for row, target in enumerate(columns["target/emotion"]):
                shares = [columns[f"prediction/emotion/{c}"][row] for c in ("calm", "joy", "fear")]
                right += shares.index(max(shares)) == target
                n_rows += 1
    assert summarise(study).sections[0].models[NETWORK]["accuracy"].pooled == pytest.approx(right / n_rows)


def test_columns_are_never_mixed(tmp_path):
    config = FakeStudyConfig(n_subjects=3, columns=("transductive", "flat", "nested"))
    sections = summarise(fake_study(tmp_path, config)).sections
    assert [section.column for section in sections] == ["nested", "flat", "transductive"]
    assert [section.models[NETWORK]["accuracy"].n_subjects for section in sections] == [3, 3, 3]


def test_hold_out_folds_are_scored_subject_by_subject(tmp_path):
    alone = fake_study(tmp_path, FakeStudyConfig(n_subjects=6, subjects_a_fold=3))
    rows = summarise(alone).sections[0].subjects
    columns = alone.predictions("flat0003")
    own = columns["subject"] == "fake/S05"
    shares = np.stack([columns[f"prediction/emotion/{c}"][own] for c in ("calm", "joy", "fear")])
    by_hand = np.mean(shares.argmax(axis=0) == columns["target/emotion"][own])
    assert [row.subject for row in rows] == [f"fake/S0{n}" for n in range(1, 7)]
    assert rows[4].scores["accuracy"] == pytest.approx(by_hand)


def test_two_seeds_of_one_subject_count_as_one_subject(study):
    again = {
        f"again-{name}": replace(record, fingerprint=f"again-{name}")
        for name, record in study.records.items()
    }
    for name in study.records:
        path = study.folder / "predictions" / f"{name}.parquet"
        if path.exists():
            path.with_name(f"again-{name}.parquet").write_bytes(path.read_bytes())
    planned = (*study.planned, *((f"again-{name}", c, subjects) for name, c, subjects in study.planned))
    twice = replace(study, records={**study.records, **again}, planned=planned)
    one, two = summarise(study).sections[0], summarise(twice).sections[0]
    assert two.models[NETWORK]["accuracy"].n_subjects == 10
    assert two.models[NETWORK]["accuracy"].low == one.models[NETWORK]["accuracy"].low


def test_undefined_scores_are_null_in_json(study):
    record = study.records["flat0000"]
    undefined = replace(record, scores={**record.scores, "accuracy": float("nan")})
    summary = summarise(replace(study, records={**study.records, "flat0000": undefined}))
    read = json.loads(summary.to_json())
    assert read["sections"][0]["subjects"][0]["scores"]["accuracy"] is None
    assert read["sections"][0]["models"]["network"]["accuracy"]["n_subjects"] == 9
    assert Summary.model_validate(read) == summary


def test_pooled_event_f1_uses_the_threshold_of_each_run(tmp_path):
    study = fake_study(tmp_path, FakeStudyConfig(task="affect", n_subjects=2))
    records = list(study.records.values())
    chosen = {"flat0000": 0.2, "flat0001": 0.8}
    set_apart = {r.fingerprint: replace(r, thresholds={"transition": chosen[r.fingerprint]}) for r in records}
    runs = [study.predictions(name) for name in chosen]
    truth = np.concatenate([run["target/transition"] for run in runs]) > 0
    guess = np.concatenate(
        [run["prediction/transition"] >= t for run, t in zip(runs, chosen.values(), strict=True)]
    )
    by_hand = 2 * np.sum(truth & guess) / (truth.sum() + guess.sum())
    summary = summarise(replace(study, records=set_apart))
    assert summary.sections[0].models[NETWORK]["transition/f1"].pooled == pytest.approx(by_hand)


def test_a_reference_that_one_run_lacks_is_averaged_over_the_others(study):
    record = study.records["flat0000"]
    lacking = {name: scores for name, scores in record.references.items() if name != "linear"}
    changed = replace(study, records={**study.records, "flat0000": replace(record, references=lacking)})
    linear = summarise(changed).sections[0].models["linear"]["accuracy"]
    assert linear.n_subjects == 9
    pooled = concatenate([read_run(changed, name) for name in ("flat0000", "flat0001")])
    assert np.isnan(pooled.models["linear"]["emotion"][:60]).all()


def test_study_without_any_finished_run_has_a_summary(study):
    summary = summarise(replace(study, records={}))
    assert summary.counts.missing == 12
    assert summary.sections[0].verdict.sentence.startswith("No verdict")


def test_rejected_trials_are_counted_by_reason(study):
    assert summarise(study).rejected_by_reason == {"no rating": 1, "shorter than one segment": 2}


def test_summary_holds_the_setting_of_the_study(study):
    card = {"title": "Made up", "licence": "none", "citation": "none", "doi": "", "access": "here"}
    header = {**study.header, "corpus": card, "n_subjects": 13, "n_segments": 780}
    summary = summarise(replace(study, header=header))
    assert (summary.corpus, summary.n_subjects, summary.n_segments) == (card, 13, 780)
    assert summary.sections[0].settings == {
        "corpus": {"kind": "fake"},
        "model": {"kind": "made_up", "dropout": 0.1},
        "seed": 0,
    }


def test_numbers_of_weights_are_those_of_finished_runs(study):
    other = replace(study.records["flat0000"], n_parameters=99)
    failed = replace(study.records["flat0004"], n_parameters=7)
    assert failed.status == "failed"
    changed = replace(study, records={**study.records, "flat0000": other, "flat0004": failed})
    assert summarise(changed).sections[0].n_weights == (99, 12_345)


def test_mean_of_a_subject_is_over_its_runs(study):
    row = summarise(study).sections[0].subjects[0]
    other = row.model_copy(update={"scores": {"accuracy": row.scores["accuracy"] + 0.2}})
    assert per_subject([row, other], NETWORK, "accuracy") == {
        "fake/S01": pytest.approx(row.scores["accuracy"] + 0.1)
    }
