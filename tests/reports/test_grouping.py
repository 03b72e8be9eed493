from dataclasses import replace

import pytest

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.reports.grouping import notes_table, rejected_table
from emo_ray.results.summary import summarise
from emo_ray.testing.fake_study import FakeStudyConfig, fake_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return fake_study(tmp_path_factory.mktemp("grouping"), FakeStudyConfig(n_subjects=12, n_segments=20))


def notes(study, *said):
    return notes_table(summarise(replace(study, notes=said, rejected=()))).rows


def rejections(study, *trials):
    return rejected_table(summarise(replace(study, rejected=tuple(RejectedTrial(*t) for t in trials)))).rows


def test_the_same_note_on_many_subjects_is_one_line(study):
    text = "2 self-ratings of 0 taken as missing"
    assert notes(study, *(f"fake/S0{n}: {text}" for n in (3, 1, 2))) == ((text, "S03, S01, S02"),)


def test_a_subject_is_not_named_twice(study):
    said = ("fake/S03: fake/S03, relax: eda lacks 1.5 s", "fake/S04: fake/S04: eda lacks 1.5 s")
    assert notes(study, *said) == (("relax: eda lacks 1.5 s", "S03"), ("eda lacks 1.5 s", "S04"))


def test_numbers_that_differ_stand_with_their_subjects(study):
    rows = notes(
        study,
        "fake/S03: relax_3_end: eda lacks 1.5 s of 1202.0 s",
        "fake/S05: relax_3_end: eda lacks 2.0 s of 955.0 s",
        "fake/S05: relax_3_end: eda lacks 2.0 s of 900.0 s",
    )
    assert rows == (
        ("relax_3_end: eda lacks ... s of ... s", "S03 (1.5, 1202.0); S05 (2.0, 955.0; 2.0, 900.0)"),
    )


def test_numbers_that_all_share_stay_in_the_note(study):
    rows = notes(study, "fake/S01: video 5: 1 of 9 NaN", "fake/S01: video 7: 1 of 9 NaN")
    assert rows == (("video ...: 1 of 9 NaN", "S01 (5, 7)"),)


def test_names_of_files_that_differ_by_subject_are_one_kind(study):
    said = [f"fake/S0{n}: Data_S0{n}.mat, video 4: no annotation" for n in (1, 2)]
    assert notes(study, *said) == (("Data_*.mat, video 4: no annotation", "S01, S02"),)
    assert notes(study, said[0]) == (("Data_S01.mat, video 4: no annotation", "S01"),)


def test_notes_on_the_study_and_on_subjects_without_labels_are_kept(study):
    rows = notes(study, "left out, for they have no label: fake/S77", "fake/S77: no annotation")
    assert rows == (("left out, for they have no label: fake/S77", ""), ("no annotation", "S77"))


def test_numeric_subjects_keep_their_corpus(study):
    assert notes(study, "fake/2: 26 features", "fake/2: rows a class: 2") == (
        ("26 features", "fake/2"),
        ("rows a class: 2", "fake/2"),
    )


def test_a_subject_is_not_taken_for_one_whose_name_it_begins(study):
    assert notes(study, "fake/S1: a", "fake/S11: a", "fake/S1x: a") == (("a", "S1, S11, S1x"),)


def test_subjects_without_the_same_trials_are_listed_together(study):
    trials = [(f"fake/S0{n}", video, "no signals") for n in (1, 2, 3) for video in ("N1", "P1")]
    assert rejections(study, *trials) == (("no signals", "6", "S01, S02, S03 (each N1, P1)"),)


def test_reasons_are_grouped_whatever_their_numbers_and_the_most_frequent_first(study):
    rows = rejections(
        study,
        ("fake/S01", "(all)", "no row of labels.csv"),
        ("fake/S01", "t1", "9.5 s long, shorter than one segment of 60 s"),
        ("fake/S02", "t2", "8.0 s long, shorter than one segment of 60 s"),
    )
    assert rows == (
        ("... s long, shorter than one segment of 60 s", "2", "S01 (t1: 9.5); S02 (t2: 8.0)"),
        ("no row of labels.csv", "1", "S01 (all)"),
    )


def test_very_many_trials_are_cut_and_counted(study):
    trials = [("fake/S01", f"t{n:02d}", "no signals") for n in range(25)]
    ((_, count, told),) = rejections(study, *trials)
    assert count == "25"
    assert told.startswith("S01 (t00, t01,")
    assert told.endswith("t19, and 5 more)")
