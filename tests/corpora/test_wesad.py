"""WESAD's reader over pickles and questionnaires in its layout."""

import shutil

import numpy as np
import pytest

from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.empatica import EmpaticaFolders
from emo_ray.corpora.wesad import SUBJECTS, Wesad
from emo_ray.corpora.wesad_quest import minutes_seconds, read_quest
from emo_ray.errors import CorpusError
from emo_ray.testing.python2_pickle import write_python2_pickle
from emo_ray.testing.wesad_files import WesadFiles

FILES = WesadFiles.small(n_subjects=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    written = tmp_path_factory.mktemp("wesad")
    FILES.write(written)
    return written


def day(label):
    """A pickle's content of so many label samples: chest values count the samples, wrist ones theirs."""
    n = len(label)
    counted = {700: np.arange(n), 64: np.arange(n * 64 // 700), 32: np.arange(n * 32 // 700)}
    counted[4] = np.arange(n * 4 // 700)
    column = {rate: values[:, None].astype(float) for rate, values in counted.items()}
    chest = dict.fromkeys(("ECG", "EMG", "EDA", "Temp", "Resp"), column[700])
    chest["ACC"] = np.tile(column[700], 3)
    wrist = {"BVP": column[64], "EDA": column[4], "TEMP": column[4], "ACC": np.tile(column[32], 3)}
    signal = {"chest": chest, "wrist": wrist}
    return {"subject": "S2", "signal": signal, "label": np.array(label, dtype=np.int32)}


def corpus_of(content, folder, **fields):
    with (folder / "S2.pkl").open("wb") as target:
        write_python2_pickle(content, target)
    return Wesad(path=folder, **fields)


def label_of(*runs):
    """From pairs of code and seconds."""
    return np.repeat([code for code, _ in runs], [round(700 * seconds) for _, seconds in runs])


@pytest.mark.parametrize("device", ["chest", "wrist", "both"])
def test_files_hold_what_is_declared(device, folder):
    corpus = Wesad(path=folder, device=device)
    for subject in corpus.find_subjects():
        read = corpus.read_subject(subject)
        assert disagreements(corpus.declaration, read) == ()
        assert read.rejected == ()


def test_conditions_are_recordings_in_the_order_of_the_day(folder):
    second = Wesad(path=folder).read_subject("wesad/S3").recordings
    assert [one.trial for one in second] == [
        "baseline", "amusement", "meditation1", "stress", "meditation2",
    ]  # fmt: skip
    assert [one.ratings["label"] for one in second] == [1, 3, 4, 2, 4]
    assert second[2].clip == second[4].clip == "wesad/meditation"
    # gap 1, baseline 76, gap 1, reading 2, gap 1, then amusement
    assert second[1].start_s == 81.0


def test_signals_are_cut_by_the_label_at_their_own_rates(tmp_path):
    """Baseline from 0.5 to 20.5 s: samples 350 to 14350 at 700 Hz, 2 to 82 at 4 Hz, 32 to 1312 at 64 Hz."""
    corpus = corpus_of(day(label_of((0, 0.5), (1, 20), (0, 1))), tmp_path, device="both")
    signals = corpus.read_subject("wesad/S2").recordings[0].signals
    ends = {name: signal.values[0, [0, -1]].tolist() for name, signal in signals.items()}
    assert ends["ecg"] == ends["chest_eda"] == [350, 14349]
    assert ends["wrist_eda"] == ends["wrist_temp"] == [2, 81]
    assert ends["bvp"] == [32, 1311]
    assert ends["wrist_acc"] == [16, 655]


def test_a_slow_sensor_starts_a_little_after_the_condition(tmp_path):
    """From 0.1 s on, the first sample at 4 Hz is that of 0.25 s: 0.15 s in."""
    corpus = corpus_of(day(label_of((0, 0.1), (2, 15), (0, 1))), tmp_path, device="wrist")
    skin = corpus.read_subject("wesad/S2").recordings[0].signals["eda"]
    assert skin.start_s == pytest.approx(0.15)
    assert skin.values[0, 0] == 1


def test_all_is_cut_where_the_shortest_ends(tmp_path):
    content = day(label_of((1, 30)))
    content["signal"]["wrist"]["EDA"] = content["signal"]["wrist"]["EDA"][:80]  # 20 s
    read = corpus_of(content, tmp_path, device="both").read_subject("wesad/S2")
    assert read.recordings[0].signals["ecg"].values.shape == (1, 14000)
    assert "all are cut at 20.0 s, where wrist_eda ends" in read.notes[1]
    content["signal"]["wrist"]["EDA"] = day(label_of((1, 30)))["signal"]["wrist"]["EDA"][:-1]
    again = corpus_of(content, tmp_path, device="both").read_subject("wesad/S2")
    assert not any("cut at" in note for note in again.notes)  # a fraction of a second is as released


def test_ignored_short_and_unknown_labels_are_told(tmp_path):
    runs = [(1, 12), (5, 20), (2, 3), (0, 1), (9, 1), (6, 10)]
    read = corpus_of(day(label_of(*runs)), tmp_path).read_subject("wesad/S2")
    assert [one.trial for one in read.recordings] == ["baseline"]
    notes = " ".join(read.notes)
    assert "reading breaks (labels 5 to 7) left out, in 1 trial (all: 30 s)" in notes
    assert "1 stretches of a condition shorter than 10 s" in notes
    assert "not known to have: 9" in notes


def test_answers_belong_to_the_condition_before_them(tmp_path):
    """S14's second meditation came first: the order of the day counts, not the number in the name."""
    corpus = corpus_of(day(label_of((1, 12), (4, 12), (2, 12), (4, 12))), tmp_path)
    lines = ["# ORDER;Base;Medi 2;TSST;Medi 1", "# START;0.2;1;2;3", "# END;1;2;3;4", ";;"]
    lines += ["# DIM;7;2", "# DIM;6;1", "# DIM;2;9", "# DIM;5;5", "# PANAS;1;Nan", "# STAI;4;1;1;4;2;4"]
    (tmp_path / "S2_quest.csv").write_text("\n".join(lines))
    read = corpus.read_subject("wesad/S2")
    valence = {one.trial: one.ratings["self_valence"] for one in read.recordings}
    assert valence == {"baseline": 7, "meditation1": 6, "stress": 2, "meditation2": 5}
    first = read.recordings[0].ratings
    assert (first["self_arousal"], first["stai_1"], first["stai_6"], first["panas_1"]) == (2, 4, 4, 1)
    assert np.isnan([first["panas_2"], first["panas_26"]]).all()


def test_an_empty_cell_in_the_order_moves_no_time(tmp_path):
    (tmp_path / "S2_quest.csv").write_text("# ORDER;Base;;TSST;;\n# START;0;5;10\n# END;4;6;15\n")
    told = read_quest(tmp_path / "S2_quest.csv")
    assert [(one.condition, one.duration_s) for one in told] == [("baseline", 240), ("stress", 300)]


def test_a_questionnaire_of_another_day_is_noted(tmp_path):
    corpus = corpus_of(day(label_of((1, 12), (2, 12))), tmp_path)
    (tmp_path / "S2_quest.csv").write_text("# ORDER;Base;Fun\n# START;0;10\n# END;5;11\n")
    notes = " ".join(corpus.read_subject("wesad/S2").notes)
    assert "conditions baseline, stress; by the questionnaire baseline, amusement" in notes
    assert "another length by label than by questionnaire, in 1 trial (baseline: 12 s and 300 s)" in notes


def test_without_a_questionnaire_labels_stay(tmp_path):
    read = corpus_of(day(label_of((1, 12))), tmp_path).read_subject("wesad/S2")
    assert read.recordings[0].ratings == {"label": 1.0}
    assert "no S2_quest.csv" in read.notes[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7.08", 428), ("50.3", 3030), ("26.32", 1592), ("85", 5100), ("109", 6540), ("2.5", 170)],
)
def test_times_of_the_questionnaire_are_minutes_and_seconds(text, seconds):
    assert minutes_seconds(text) == seconds


@pytest.mark.parametrize("text", ["7.8", "1.60", "-1.3", "1.234", "x", "1e3"])
def test_what_is_no_such_time_is_refused(text):
    with pytest.raises(ValueError, match=r"no time in minutes\.seconds"):
        minutes_seconds(text)


def test_the_released_questionnaires_are_read(shared_data):
    files = sorted((shared_data / "wesad_wrist").rglob("*_quest.csv"))
    reports = {file.parent.name: read_quest(file) for file in files}
    assert set(reports) == set(SUBJECTS)
    # by hand from S2_quest.csv: 7.08 to 26.32, DIM 7 2; TSST 39.55 to 50.3, DIM 5 4
    first, second = reports["S2"][:2]
    assert (first.condition, first.duration_s, first.answers["self_valence"]) == ("baseline", 1164, 7)
    assert (second.condition, second.duration_s, second.answers["self_arousal"]) == ("stress", 635, 4)
    assert [second.answers[f"sssq_{item}"] for item in range(1, 7)] == [5, 5, 4, 4, 3, 5]
    assert "sssq_1" not in first.answers
    for told in reports.values():
        assert sorted(report.condition for report in told) == sorted(
            ["baseline", "stress", "amusement", "meditation", "meditation"]
        )
        assert all(300 < report.duration_s < 1300 for report in told)


def without(path):
    """The content of a good day with one key taken out."""
    content = day(label_of((1, 12)))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return content


def changed(value, *path):
    content = without(path)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without(["label"]), "no whole numbers 'label'"),
        (without(["signal"]), "holds no 'signal'"),
        (without(["signal", "chest"]), "no numbers signal, chest, ECG"),
        (without(["signal", "chest", "Temp"]), r"no numbers signal, chest, Temp \(it has ECG"),
        (changed(np.ones(9), "signal", "chest", "ECG"), r"ECG are of shape \(9,\)"),
        (changed(np.ones((9, 2)), "signal", "chest", "ACC"), r"ACC are of shape \(9, 2\), not \(times, 3\)"),
        (changed(np.ones((5, 2), dtype=int), "label"), r"label is of shape \(5, 2\)"),
        (changed(np.ones(5), "label"), "no whole numbers 'label'"),
        (changed("S9", "subject"), "is of subject 'S9' by its own content"),
        ("text", "holds no 'signal'"),
    ],
)
def test_another_layout_is_refused_with_what_is_there(content, message, tmp_path):
    with pytest.raises(CorpusError, match=message):
        corpus_of(content, tmp_path).read_subject("wesad/S2")


@pytest.mark.parametrize(
    "text", ["", "# START;1;2", "# ORDER;Base\n# START;7.99", "# ORDER;Base\n# DIM;x;1", "\0"]
)
def test_a_broken_questionnaire_is_refused(text, tmp_path):
    corpus = corpus_of(day(label_of((1, 12))), tmp_path)
    (tmp_path / "S2_quest.csv").write_text(text)
    with pytest.raises(CorpusError, match=r"S2_quest\.csv"):
        corpus.read_subject("wesad/S2")


def test_a_truncated_pickle_is_refused(folder, tmp_path):
    content = (folder / "S2" / "S2.pkl").read_bytes()
    (tmp_path / "S2.pkl").write_bytes(content[: len(content) // 2])
    with pytest.raises(CorpusError, match=r"S2\.pkl: not read.*truncated"):
        Wesad(path=tmp_path).read_subject("wesad/S2")


def test_subjects_come_in_order_and_none_twice(tmp_path):
    for name in ("S10", "S2", "S12"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.pkl").write_bytes(b"")
    corpus = Wesad(path=tmp_path)
    assert list(corpus.find_subjects()) == ["wesad/S2", "wesad/S10", "wesad/S12"]
    assert "the release also has S3" in corpus.notes()[0]
    assert "S12: not of the release" in corpus.notes()[1]
    shutil.copytree(tmp_path / "S2", tmp_path / "copy")
    with pytest.raises(CorpusError, match="are the same subject"):
        corpus.find_subjects()


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"holds no SX\.pkl"):
        Wesad(path=tmp_path).find_subjects()


def test_the_corpus_is_recognised_and_wrist_folders_are_not_taken_for_it(folder, shared_data):
    assert Wesad.recognise(folder).device == "chest"
    assert EmpaticaFolders.recognise(folder) is None
    assert Wesad.recognise(shared_data / "wesad_wrist") is None


def test_protocol_0_holds_the_same(folder, tmp_path):
    FILES.model_copy(update={"protocol": 0}).write_part(1, tmp_path)
    one = Wesad(path=folder, device="wrist").read_subject("wesad/S3").recordings
    other = Wesad(path=tmp_path, device="wrist").read_subject("wesad/S3").recordings
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left.signals["bvp"].values, right.signals["bvp"].values)


def test_tasks_are_those_of_the_authors():
    tasks = Wesad(path=".").tasks()
    assert list(tasks)[:3] == ["three_classes", "stress", "four_classes"]
    assert tasks["stress"].classes == (("no stress", (1.0, 3.0)), ("stress", (2.0,)))
