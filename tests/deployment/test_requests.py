import json

import numpy as np
import pytest

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.deployment.requests import as_request, from_rows, read_request, to_rows
from emo_ray.errors import CorpusError

ROW = {"signal": "ecg", "channel": "lead", "sfreq": 4, "unit": "mV", "values": [1, 2, 3]}


def test_a_recording_survives_the_way_through_json(tmp_path):
    values = np.array([[0.1, np.nan, 3.0], [4.0, 5.0, 1e-30]], np.float32)
    signals = {"eeg": Signal(values, 128.0, "uV", ("Cz", "Pz"), start_s=0.5)}
    given = Recording(
        "lab/a", "2", "t1", "c", "lab/a", signals, annotations={"start": np.arange(3.0)}, baseline_s=5.0
    )
    path = tmp_path / "request.json"
    path.write_text(json.dumps(as_request([given]), allow_nan=False))
    (found,) = read_request(path)
    np.testing.assert_array_equal(found.signals["eeg"].values, values)
    facts = found.signals["eeg"]
    assert (facts.sfreq, facts.unit, facts.channels, facts.start_s) == (128.0, "uV", ("Cz", "Pz"), 0.5)
    assert (found.subject, found.session, found.trial, found.baseline_s) == ("lab/a", "2", "t1", 5.0)
    np.testing.assert_array_equal(found.annotations["start"], [0, 1, 2])


def test_labels_do_not_travel():
    signals = {"x": Signal(np.zeros((1, 3), np.float32), 1.0, "V", ("x",))}
    labelled = Recording(
        "a", "1", "1", "c", "a", signals, ratings={"valence": 7.0}, annotations={"label": np.ones(3)}
    )
    assert "valence" not in json.dumps(to_rows([labelled]))
    assert "label" not in json.dumps(to_rows([labelled]))


def test_what_is_not_said_of_a_person_has_a_default():
    (found,) = from_rows([ROW], "request")
    assert (found.subject, found.session, found.trial, found.baseline_s) == ("new/person", "1", "1", 0.0)


def test_rows_of_two_trials_are_two_recordings():
    assert len(from_rows([{**ROW, "trial": "a"}, {**ROW, "trial": "b"}], "request")) == 2


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "0 rows"),
        ([{**ROW, "values": None}], "row 1 lacks values"),
        ([{**ROW, "colour": "red"}], "unknown colour"),
        ([{**ROW, "values": ["a"]}], "no list of numbers"),
        ([{**ROW, "values": [[1]]}], "one list of numbers"),
        ([{**ROW, "values": []}], "one list of numbers"),
        ([{**ROW, "sfreq": 0}], "above 0"),
        ([{**ROW, "sfreq": "fast"}], "a number is needed"),
        ([{**ROW, "sfreq": 1e9}], "at most 1e"),
        ([{**ROW, "sfreq": 1e-9}], r"its length is 3e\+09 s"),
        ([{**ROW, "start_s": -1e12}], "start_s is -1e"),
        ([{**ROW, "baseline_s": -1}], "0 or more"),
        ([{**ROW, "values": [1, float("inf")]}], "value 2 is inf"),
        ([{**ROW, "values": [1e39]}], "no sensor measures"),
        ([ROW, {**ROW, "channel": "b", "unit": "uV"}], "have unit mV, uV"),
        ([ROW, {**ROW, "channel": "b", "values": [1]}], r"\[1, 3\] values"),
        ([ROW, ROW], "each channel once"),
    ],
    ids=str,
)
def test_a_wrong_row_is_told_with_what_is_wrong(rows, problem):
    with pytest.raises(CorpusError, match=problem):
        from_rows(rows, "request")


@pytest.mark.parametrize("text", ["", "[]", '{"dataframe_records": 3}', '{"dataframe_records": [1]}'])
def test_a_file_that_is_no_request_is_an_error_for_people(tmp_path, text):
    path = tmp_path / "request.json"
    path.write_text(text)
    with pytest.raises(CorpusError, match=r"request\.json"):
        read_request(path)
