import contextlib
import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from emo_ray.corpora.column_names import is_clock_name, is_label_name
from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.errors import CorpusError, EmoRayError
from emo_ray.tasks.base import SegmentColumns
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.value import ValueTask

WESAD = Path(__file__).parents[2].parent / "shared" / "data" / "wesad_features" / "wesad_features_30s.csv"
needs_wesad = pytest.mark.skipif(not WESAD.exists(), reason="the shared data are not here")
SMALL = "subject,label,hr,eda\nP10,calm,60,0.1\nP2,stress,80,0.5\nP10,stress,85,0.4\nP2,calm,61,0.2\n"
CLOCKS = (
    "Start_Sample, startTime, END, window, windowId, sample index, row, Date, fold, split, "
    "rec_time, Unnamed: 0, utc, timestamp, time_s, segment_no, trialNumber, subjectID, "
    "starttime, device_id"
)
MEASUREMENTS = (
    "Heart_Rate, SDNN, SD1, EMG_Mean, Wrist_SCR_Count, rr_index, time_domain_sd, rise_time, "
    "pNN50, HRV_TriangularIndex, SampEn, sample_entropy, BVP_Std, n, min, stress_index, "
    "fold_change, S"
)


@pytest.fixture
def table(tmp_path):
    def write(content, name="table.csv", **fields):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return FeatureTable(path=path, **fields)

    return write


def features(corpus):
    first = next(iter(corpus.find_subjects()))
    return corpus.read_subject(first).recordings[0].signals["features"].channels


def rows(corpus, subject):
    recordings = corpus.read_subject(subject).recordings
    return np.concatenate([recording.signals["features"].values for recording in recordings], axis=1).T


def left_out(corpus):
    return next(note for note in corpus.notes() if "Left out" in note)


def many_rows(n_rows=60, **columns):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"subject": np.repeat(["a", "b", "c"], n_rows // 3), "label": np.arange(n_rows) // 5 % 2}
    )
    return frame.assign(hr=rng.normal(70, 5, n_rows), **columns).to_csv(index=False)


@needs_wesad
def test_wesad_table_needs_no_layout():
    corpus = FeatureTable(path=WESAD)
    header = pd.read_csv(WESAD, nrows=0).columns
    assert features(corpus) == tuple(header[6:])
    assert len(features(corpus)) == 26
    assert corpus.tasks()["label"].classes == (
        ("baseline", (1.0,)),
        ("stress", (2.0,)),
        ("amusement", (3.0,)),
    )
    assert [name.split("/")[1] for name in corpus.find_subjects()] == [
        str(i) for i in range(2, 18) if i != 12
    ]
    for name in ("Segment", "Start_Sample", "End_Sample", "Condition_Name"):
        assert name in left_out(corpus)


@needs_wesad
def test_wesad_rows_equal_those_that_pandas_reads():
    frame = pd.read_csv(WESAD)
    own = frame[frame["Subject_ID"] == 10].sort_values("Start_Sample")
    corpus = FeatureTable(path=WESAD, name="w")
    np.testing.assert_array_equal(rows(corpus, "w/10"), own.iloc[:, 6:].to_numpy(np.float32))
    labels = [recording.annotations["label"] for recording in corpus.read_subject("w/10").recordings]
    np.testing.assert_array_equal(np.concatenate(labels), own["Condition"])


def test_subjects_come_in_natural_order_and_carry_the_name_of_the_table(table):
    assert list(table(SMALL, "My Table-3.csv").find_subjects()) == ["my_table_3/P2", "my_table_3/P10"]


def test_text_labels_get_codes_in_sorted_order(table):
    corpus = table(SMALL)
    assert corpus.tasks()["label"] == ClassTask(classes=(("calm", (0.0,)), ("stress", (1.0,))))
    labels = [
        recording.annotations["label"].tolist() for recording in corpus.read_subject("table/P10").recordings
    ]
    assert labels == [[0.0, 1.0]]


@pytest.mark.parametrize(
    "content",
    [
        SMALL.replace(",", ";").replace("0.", "0,"),
        "\ufeff" + SMALL,
        SMALL.replace("\n", ",\n"),
        SMALL.replace("\n", ",\n").replace("eda,\n", "eda\n"),
        SMALL.replace("\n", "\r\n"),
        SMALL.replace("60", '"60"').replace("0.1", '" 0.1 "'),
        SMALL + ",,,\n\n",
        SMALL.replace(",", "\t"),
    ],
    ids=["semicolons", "BOM", "trailing commas", "in rows only", "CRLF", "quotes", "empty rows", "tabs"],
)
def test_quirks_of_csv_change_nothing(table, content):
    corpus = table(content)
    assert features(corpus) == ("hr", "eda")
    np.testing.assert_array_equal(rows(corpus, "table/P2"), np.float32([[80, 0.5], [61, 0.2]]))


@pytest.mark.parametrize("name", ["t.csv.gz", "t.parquet"])
def test_gzip_and_parquet_read_as_csv_does(tmp_path, name):
    path = tmp_path / name
    frame = pd.DataFrame({"subject": ["a", "a", "b"], "label": [0, 1, 0], "hr": [60.0, np.nan, 62.5]})
    frame.to_parquet(path) if name.endswith("parquet") else path.write_bytes(
        gzip.compress(frame.to_csv().encode())
    )
    corpus = FeatureTable(path=tmp_path, name="t")
    assert features(corpus) == ("hr",)
    np.testing.assert_array_equal(rows(corpus, "t/a"), np.float32([[60], [np.nan]]))


@pytest.mark.parametrize(
    "name",
    CLOCKS.split(", "),
)
def test_names_of_clocks_and_counters_are_known(name):
    assert is_clock_name(name)


@pytest.mark.parametrize(
    "name",
    MEASUREMENTS.split(", "),
)
def test_names_of_measurements_are_left_alone(name):
    assert not is_clock_name(name)
    assert not is_label_name(name)


@pytest.mark.parametrize(
    "name", ["valence", "self_arousal", "Emotion", "stress_level", "labelCode", "is_stress"]
)
def test_names_of_other_labels_are_known(name):
    assert is_label_name(name)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ((np.arange(60) // 5 % 2) * -3.0 + 1, "copy of the label"),
        (np.where(np.arange(60) // 5 % 2 == 1, "yes", "no"), "names of the classes"),
        (np.arange(60) // 5, "copy of the label"),
        (np.tile(np.arange(20) * 0.25 + 7, 3), "rises from row to row"),
        (np.tile(np.arange(20) // 2 * 1.5, 3), "rises from row to row"),
        (np.tile(300 - np.arange(20) * 7.5, 3), "falls from row to row"),
        (np.where(np.arange(60) % 3 == 1, np.nan, np.arange(60) * 0.5), "rises from row to row"),
        (np.full(60, 4.5), "constant"),
        (np.full(60, np.nan), "empty"),
        ([f"remark {i}" for i in range(60)], "text"),
    ],
)
def test_values_that_give_a_leak_away_are_no_feature(table, column, reason):
    corpus = table(many_rows(odd=column))
    assert features(corpus) == ("hr",)
    assert reason in left_out(corpus).split("odd (")[1].split(")")[0]


def test_a_counter_that_restarts_every_trial_is_no_feature(table):
    content = many_rows(trial=np.arange(60) // 5, tick=np.arange(60) % 5 * 1.5)
    assert "tick (it rises" in left_out(table(content))


@pytest.mark.parametrize("spoilt", [slice(20, 60), slice(0, 20)], ids=["one-rises", "one-does-not"])
def test_a_measurement_that_rises_in_some_subjects_only_is_a_feature(table, spoilt):
    trend = np.tile(30 + np.arange(20) ** 0.5, 3)
    trend[spoilt] += np.tile([0.0, 4.0], 30)[spoilt]
    assert "trend" in features(table(many_rows(trend=trend)))


def test_a_measurement_that_moves_in_one_subject_only_is_a_feature(table):
    once = np.concatenate([np.arange(40) * 0.5, np.full(80, 3.0)])
    content = many_rows(120, steps=once)
    assert "steps" in features(table(content))


def test_a_session_countdown_that_stands_still_in_a_trial_is_no_feature(table):
    trial = np.tile(np.arange(60) // 7, 3)  # 8 steps a subject, none of them inside a trial
    assert "left (it falls" in left_out(table(many_rows(180, trial=trial, left=100 - 10.0 * trial)))


def test_a_sparse_measurement_is_no_copy_of_the_label(table):
    sparse = np.full(240, np.nan)
    sparse[::8] = np.random.default_rng(3).normal(size=30)  # each of 30 values is seen once
    binary = np.full(240, np.nan)
    binary[[0, 1, 5, 6]] = [0, 0, 1, 1]  # four rows agree with the label by chance
    corpus = table(many_rows(240, sparse=sparse, binary=binary))
    assert features(corpus) == ("hr", "sparse", "binary")


def test_a_sparse_copy_of_the_label_is_found_in_the_rows_that_it_has(table):
    copy = np.where(np.arange(240) % 8 == 0, np.arange(240) // 5 % 2 * 2.0, np.nan)
    assert "odd (a copy of the label" in left_out(table(many_rows(240, odd=copy)))


@pytest.mark.parametrize(("first", "second"), [("1000001", "1000002"), ("0.1234567", "0.1234568")])
def test_labels_that_differ_in_their_seventh_digit_are_two_classes(table, first, second):
    lines = [f"{'abc'[i % 3]},{(first, second)[i % 2]},{i * i % 7}" for i in range(12)]
    corpus = table("\n".join(["subject,label,hr", *lines]))
    assert corpus.tasks()["label"].classes == ((first, (float(first),)), (second, (float(second),)))


def test_a_binned_label_leaves_a_note_on_the_score_behind_it(table):
    score = np.where(np.arange(60) // 5 % 2 == 1, 50, 10) + np.linspace(0, 1, 60)[::-1] ** 2
    notes = table(many_rows(score_x=score)).notes()
    assert any("without one error" in note and "score_x" in note for note in notes)


def test_a_named_feature_is_taken_with_a_note(table):
    corpus = table(many_rows(window=np.arange(60)), features=["window", "hr"])
    assert features(corpus) == ("window", "hr")
    assert any("'window' is a feature only because it is named" in note for note in corpus.notes())


def test_drop_leaves_a_column_out(table):
    assert features(table(SMALL, drop=["hr"])) == ("eda",)


def test_runs_of_one_label_are_trials(table):
    labels = "aabbbaac"
    content = "subject,label,hr\n" + "".join(
        f"p,{label},{60 + i * i % 7}\n" for i, label in enumerate(labels)
    )
    recordings = table(content).read_subject("table/p").recordings
    assert [len(r.annotations["label"]) for r in recordings] == [2, 3, 2, 1]
    assert [r.trial for r in recordings] == sorted({r.trial for r in recordings})


def test_rows_follow_the_order_column_within_session_and_trial(table):
    content = (
        "subject,session,trial,time,label,hr\np,2,a,5,x,1\np,1,b,9,x,2\n"
        "p,1,b,3,x,3\nq,1,a,1,y,4\np,1,a,7,y,5\n"
    )
    recordings = table(content).read_subject("table/p").recordings
    assert [(r.session, r.trial, r.signals["features"].values[0].tolist()) for r in recordings] == [
        ("1", "a", [5.0]),
        ("1", "b", [3.0, 2.0]),
        ("2", "a", [1.0]),
    ]


def test_a_clock_that_restarts_does_not_shuffle_the_rows(table):
    content = "subject,time,label,hr\n" + "".join(f"p,{i % 3},{i // 3},{i * i}\n" for i in range(6))
    corpus = table(content)
    np.testing.assert_array_equal(rows(corpus, "table/p")[:, 0], np.arange(6) ** 2)
    assert any("repeats" in note for note in corpus.notes())


def test_dates_order_rows_in_seconds(table):
    times = ("2024-01-01 00:00:30", "2024-01-01 00:00:00.5", "2024-01-01 00:01:00")
    content = "subject,time,label,hr\n" + "".join(
        f"p,{t},{c},{i * i}\n" for i, (t, c) in enumerate(zip(times, "xxy", strict=True))
    )
    starts = [r.annotations["start"] for r in table(content).read_subject("table/p").recordings]
    np.testing.assert_allclose(np.diff(np.concatenate(starts)), [29.5, 30.0])


def test_missing_stays_missing_and_infinite_becomes_missing_with_a_note(table):
    corpus = table("subject,label,hr,eda\na,0,,1\na,1,inf,2\nb,0,NaN,3\nb,1,5,4\n")
    np.testing.assert_array_equal(rows(corpus, "table/a")[:, 0], [np.nan, np.nan])
    assert any("1 infinite values in 'hr'" in note for note in corpus.notes())


def test_rows_without_a_label_are_kept_unlabelled(table):
    corpus = table("subject,label,hr\na,x,1\na,,2\na,y,3\n")
    labels = np.concatenate([r.annotations["label"] for r in corpus.read_subject("table/a").recordings])
    np.testing.assert_array_equal(labels, [0, np.nan, 1])


def test_rows_copied_from_another_subject_are_noted(table):
    notes = table("subject,label,hr,eda\na,0,1.5,2\nb,1,1.5,2\nb,1,1.5,2\nb,0,3,4\n").notes()
    assert any(note.startswith("1 rows have the very features of a row of another subject") for note in notes)
    assert any(note.startswith("1 rows repeat") for note in notes)


def test_classes_gather_labels_and_leave_the_rest_unlabelled(table):
    content = "subject,label,hr\n" + "".join(
        f"a,{code},{i * i % 7}\n" for i, code in enumerate((1, 2, 3, 4) * 3)
    )
    task = table(content, classes={"rest": [1, 3], "stress": 2}).tasks()["label"]
    ratings = {"label": np.float32([1, 2, 3, 4])}
    nothing = np.zeros(4, np.int32)
    targets = task.targets(SegmentColumns(nothing, nothing, nothing, ratings))["label"]
    np.testing.assert_array_equal(targets, [0, 1, 0, np.nan])


def test_a_continuous_label_is_a_value(table):
    content = "subject,valence,hr\n" + "".join(f"a,{i * 0.37:.2f},{i * 7 % 11}\n" for i in range(30))
    corpus = table(content)
    assert list(corpus.tasks().items()) == [("value", ValueTask())]
    assert len(corpus.read_subject("table/a").recordings) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("subject,label,hr\n", "no rows"),
        ("subject,label,hr,hr\na,0,1,2\n", "hr"),
        ("subject,label,hr\na,0,1\nb,1\n", "row 3 has 2"),
        ("subject,label,hr\na,0,1\n,1,2\n", "first 2"),
        ("subject,label,hr\na,0,1\nb,1,x7\nc,0,3\nd,1,4\n", "'x7' in row 2"),
        ("subject,label,hr\na,0,1\nb,0,2\n", "two classes"),
        (b"subject,label,hr\na,0,1\nb,1,\xe9\n", "line 3: byte 0xe9"),
        ("subject,label,remark\na,0,x\nb,1,y\n", "no column is left"),
        ("subject,label,hr\na/b,0,1\nb,1,2\n", "a/b"),
        ("subject,label,hr\n1.5,0,1\n2.5,1,2\n", "1.5"),
    ],
)
def test_a_broken_table_is_named_with_place_and_reason(table, content, words):
    corpus = table(content)
    with pytest.raises(CorpusError) as error:
        corpus.find_subjects()
    assert words in str(error.value)
    assert str(corpus.path) in str(error.value)


def test_ambiguous_roles_come_with_a_layout_to_complete(table):
    corpus = table(
        "who,valence,arousal,hr\n" + "".join(f"p{i % 3},{i % 4},{i % 5},{i * i}\n" for i in range(20))
    )
    with pytest.raises(CorpusError) as error:
        corpus.find_subjects()
    for words in (
        "'valence' and 'arousal'",
        "kind: feature_table",
        "subject: ???    # one of: who",
        "label: ???",
    ):
        assert words in str(error.value)


def test_a_misspelt_column_gets_a_suggestion(table):
    with pytest.raises(CorpusError, match="did you mean 'subject'"):
        table(SMALL, subject="subjet").find_subjects()
    with pytest.raises(CorpusError, match="did you mean 'eda'"):
        table(SMALL, features=["edda"]).find_subjects()


def test_an_unknown_class_label_names_those_there_are(table):
    with pytest.raises(CorpusError, match=r"'joy'.*calm, stress"):
        table(SMALL, classes={"good": ["joy"], "bad": ["stress"]}).find_subjects()


def test_a_yaml_yes_is_no_label(table):
    with pytest.raises(ValidationError, match="in quotes"):
        table(SMALL, classes={"a": [True], "b": [False]})


def test_spreadsheets_and_pickles_are_refused(table):
    for name in ("t.xlsx", "t.pkl"):
        with pytest.raises(CorpusError, match="save the table as CSV"):
            table(b"PK", name).find_subjects()


def test_a_folder_of_two_tables_is_refused(table, tmp_path):
    table(SMALL, "a.csv"), table(SMALL, "b.csv")
    with pytest.raises(CorpusError, match=r"a\.csv, b\.csv"):
        FeatureTable(path=tmp_path).find_subjects()


def test_a_changed_file_is_read_again(table):
    corpus = table(SMALL)
    corpus.find_subjects()
    table(SMALL.replace("P2", "P3"))
    os.utime(corpus.path, ns=(1, 1))
    assert "table/P3" in corpus.find_subjects()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from([*",;\n\r\"'\x00é.-1 ", "", "NaN", "inf", "1e999"])),
        max_size=8,
    )
)
def test_no_mutation_of_a_table_escapes_our_errors(table, edits):
    text = SMALL * 2
    for place, piece in edits:
        text = text[:place] + piece + text[place + 1 :]
    corpus = table(text)
    with contextlib.suppress(EmoRayError):
        assert corpus.tasks()
        assert all(corpus.read_subject(subject).recordings for subject in corpus.find_subjects())


def test_a_table_alone_or_with_texts_is_recognised(tmp_path):
    (tmp_path / "features.csv").write_text("subject,label,x\n")
    (tmp_path / "SUMS.txt").touch()
    for place in (tmp_path, tmp_path / "features.csv"):
        assert FeatureTable.recognise(place) == FeatureTable(path=place)
    assert FeatureTable.recognise(tmp_path / "SUMS.txt") is None


@pytest.mark.parametrize("more", ["second.csv", "s01.edf", "folder/x.csv"])
def test_a_folder_of_something_else_is_no_table(tmp_path, more):
    for name in ("features.csv", more):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert FeatureTable.recognise(tmp_path) is None


def test_a_table_with_a_reader_of_its_own_is_left_to_it(tmp_path):
    (tmp_path / "merged_data.csv").touch()
    assert FeatureTable.recognise(tmp_path) is None
