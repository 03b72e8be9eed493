import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import savemat

from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.gameemo import Gameemo
from emo_ray.errors import CorpusError
from emo_ray.testing.gameemo_files import GameemoFiles

ORDER = ("AF3", "AF4", "F3", "F4", "F7", "F8", "FC5", "FC6", "O1", "O2", "P7", "P8", "T7", "T8")
PREPROCESSED = "(S01)/Preprocessed EEG Data/.csv format/S01G1AllChannels.csv"


def csv_text(n_times=4, end=","):
    """Column c holds c + 0.5 throughout."""
    row = ",".join(str(column + 0.5) for column in range(14)) + end
    return "\n".join([",".join(ORDER) + end, *[row] * n_times]) + "\n"


def write(folder, content, name=PREPROCESSED):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    return folder / name


def read(folder, **options):
    return Gameemo(path=folder, **options).read_subject("gameemo/S01")


def reason(folder, **options):
    """Why G1 was rejected; the other games have no file."""
    return read(folder, **options).rejected[0].reason


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gameemo")
    GameemoFiles(n_subjects=2, game_s=10).write(folder)
    return folder


def test_columns_are_taken_by_name_in_the_order_of_the_headset(tmp_path):
    write(tmp_path, csv_text())
    eeg = read(tmp_path).recordings[0].signals["eeg"]
    assert eeg.channels[:3] == ("AF3", "F7", "F3")
    assert_array_equal(eeg.values[:3, 0], [0.5, 4.5, 2.5])
    assert (eeg.values.shape, eeg.values.dtype, eeg.sfreq, eeg.unit) == ((14, 4), np.float32, 128.0, "uV")


@pytest.mark.parametrize("end", [",", "", ",,", ", "])
def test_commas_at_the_end_of_lines_are_no_columns(tmp_path, end):
    write(tmp_path, csv_text(end=end))
    assert read(tmp_path).recordings[0].signals["eeg"].values.shape == (14, 4)


def test_a_comma_at_the_end_may_be_in_the_rows_alone_or_in_the_header_alone(tmp_path):
    header, _, rows = csv_text(end="").partition("\n")
    for text in (header + "\n" + rows.replace("\n", ",\n"), header + ",\n" + rows):
        write(tmp_path, text)
        assert read(tmp_path).recordings[0].signals["eeg"].values.shape == (14, 4)


def test_the_game_is_the_label(written):
    result = read(written)
    found = [(recording.trial, recording.clip, recording.ratings["label"]) for recording in result.recordings]
    assert found == [(f"G{k}", f"gameemo/G{k}", k - 1.0) for k in (1, 2, 3, 4)]
    assert (result.recordings[0].session, result.recordings[0].group) == ("1", "gameemo/S01")


@pytest.mark.parametrize(("rating", "expected"), [("valence", "0101"), ("arousal", "0011")])
def test_binary_tasks_gather_the_games_of_one_side(tmp_path, rating, expected):
    classes = Gameemo(path=tmp_path).tasks()[rating].classes
    of_game = {code: index for index, (_, codes) in enumerate(classes) for code in codes}
    assert "".join(str(of_game[float(game)]) for game in range(4)) == expected


@pytest.mark.parametrize("content", ["preprocessed", "raw"])
@pytest.mark.parametrize("prefer", ["csv", "mat"])
def test_the_files_are_as_declared(written, content, prefer):
    corpus = Gameemo(path=written, content=content, prefer=prefer)
    result = corpus.read_subject("gameemo/S02")
    assert disagreements(corpus.declaration, result) == ()
    assert (len(result.recordings), result.rejected) == (4, ())
    assert [re.sub(r",.*", "", note) for note in result.notes] == [
        "gameemo/S02: another length than about 300 s"
    ]


def test_raw_files_named_as_preprocessed_ones_are_told_by_their_folder(written):
    assert (written / "(S01)/Raw EEG Data/.csv format/S01G2AllChannels.csv").is_file()
    raw, clean = (read(written, content=content).recordings[1] for content in ("raw", "preprocessed"))
    assert_allclose(raw.signals["eeg"].values - clean.signals["eeg"].values, 4200, atol=0.01)


def test_csv_and_mat_hold_the_same(written):
    one, other = (read(written, prefer=prefer).recordings[0].signals["eeg"] for prefer in ("csv", "mat"))
    assert_array_equal(one.values, other.values)


def test_csv_is_read_where_there_are_both_and_mat_where_there_is_no_csv(written, tmp_path):
    files = Gameemo(path=written).find_subjects()["gameemo/S01"]
    assert [file.suffix for file in files] == [".csv"] * 4
    GameemoFiles(n_subjects=1, game_s=10, formats=("mat",), contents=("raw",)).write(tmp_path)
    assert len(read(tmp_path, content="raw").recordings) == 4


@pytest.mark.parametrize("layout", ["rows", "matrix"])
def test_other_layouts_of_mat_files_hold_the_same(tmp_path, layout):
    options = {"n_subjects": 1, "game_s": 10, "formats": ("csv", "mat"), "contents": ("preprocessed",)}
    GameemoFiles(mat_layout=layout, **options).write(tmp_path)
    csv, mat = (read(tmp_path, prefer=prefer) for prefer in ("csv", "mat"))
    assert_array_equal(csv.recordings[3].signals["eeg"].values, mat.recordings[3].signals["eeg"].values)
    assert any("one matrix" in note for note in mat.notes) == (layout == "matrix")


def test_mat_files_of_another_layout_are_rejected_with_what_they_hold(tmp_path):
    file = write(tmp_path, "", PREPROCESSED.replace("csv", "mat"))
    uneven = {name: np.ones((5 + (name == "T8"), 1)) for name in ORDER}
    for content in ({"x": np.ones((3, 3))}, uneven, {"data": np.array([["a" * 14]])}):
        savemat(file, content)
        assert "neither a vector" in reason(tmp_path)
    savemat(file, {name: np.array([["abc"]]) for name in ORDER})
    assert "neither a vector" in reason(tmp_path) or "use the CSV files" in reason(tmp_path)


def test_subjects_come_in_order_and_files_beside_are_no_subjects(tmp_path):
    for number in (10, 2):
        write(tmp_path, csv_text(), PREPROCESSED.replace("S01", f"S{number:02d}"))
    for junk in ("S01G5AllChannels.csv", "S1G1.csv", "S01G12.csv", "._S03G1AllChannels.csv", "S01G1.pdf"):
        write(tmp_path, "", f"Preprocessed EEG Data/{junk}")
    assert list(Gameemo(path=tmp_path).find_subjects()) == ["gameemo/S02", "gameemo/S10"]


def test_a_game_without_a_file_is_rejected(tmp_path):
    write(tmp_path, csv_text())
    result = read(tmp_path)
    assert [(trial.trial, trial.reason) for trial in result.rejected] == [
        (f"G{game}", "no preprocessed file of this game") for game in (2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "columns AF3"),
        (csv_text().replace("T8", "X9"), "columns T8 are not there once"),
        (csv_text().replace("T7,T8", "T8,T8"), "columns T7, T8"),
        (csv_text(n_times=0), "columns in the first line"),
        (csv_text()[:-30], "can not be read"),
        (csv_text().replace("3.5", "three"), "can not be read"),
        (csv_text() + "1,2,3\n", "can not be read"),
        ("\x00" * 2000, "columns AF3"),
        (csv_text().replace(",", ";"), "columns AF3"),
    ],
)
def test_a_broken_table_is_rejected_with_its_file(tmp_path, text, told):
    write(tmp_path, text)
    assert told in reason(tmp_path)
    assert "S01G1AllChannels.csv" in reason(tmp_path)


def test_blanks_and_endless_values_are_nan_and_noted(tmp_path):
    write(tmp_path, csv_text().replace("13.5", "", 1).replace("13.5", "inf", 1))
    result = read(tmp_path)
    values = result.recordings[0].signals["eeg"].values
    assert_array_equal(np.argwhere(np.isnan(values)), [[9, 0], [9, 1]])  # T8 is the tenth
    assert any("samples are NaN" in note for note in result.notes)
    assert any("infinite samples" in note for note in result.notes)


def test_a_game_that_is_there_twice_is_refused(tmp_path):
    for root in ("a", "b"):
        write(tmp_path / root, csv_text())
    with pytest.raises(CorpusError, match="same subject, game and format"):
        Gameemo(path=tmp_path).find_subjects()


def test_content_that_is_not_there_is_told(tmp_path):
    write(tmp_path, csv_text())
    with pytest.raises(CorpusError, match=r"no raw files .*1 of other content"):
        Gameemo(path=tmp_path, content="raw").find_subjects()


def test_the_folder_is_recognised_with_the_content_it_has(written, tmp_path):
    assert Gameemo.recognise(written) == Gameemo(path=written)
    raw = written / "(S01)" / "Raw EEG Data"
    assert Gameemo.recognise(raw) == Gameemo(path=raw, content="raw")
    (tmp_path / "s01.dat").touch()
    assert Gameemo.recognise(tmp_path) is None


SAM = """Subject,Game,Valence,Arousal,Funny
S01,G1,2,3,1
1,2,7.5,,
S01,G4,12,9,10
S02,G1,5,5,5
"""


def test_ratings_of_ones_own_join_the_games(written, tmp_path):
    (tmp_path / "sam.csv").write_text(SAM)
    result = read(written, ratings=tmp_path / "sam.csv")
    found = [
        [r.ratings.get(f"self_{name}") for name in ("valence", "arousal", "funny")] for r in result.recordings
    ]
    nan = float("nan")
    assert_array_equal(found[:2], [[2, 3, 1], [7.5, nan, nan]])
    assert found[2] == [None, None, None]
    assert_array_equal(found[3], [nan, 9, 10])
    assert any("self-ratings of valence outside 1 to 9" in note for note in result.notes)


def test_ratings_of_ones_own_make_tasks_and_are_among_the_files(written, tmp_path):
    (tmp_path / "sam.csv").write_text(SAM)
    corpus = Gameemo(path=written, ratings=tmp_path / "sam.csv")
    assert list(corpus.tasks()) == ["emotion", "valence", "arousal", "self_valence", "self_arousal"]
    assert corpus.find_subjects()["gameemo/S01"][-1] == tmp_path / "sam.csv"
    assert disagreements(corpus.declaration, corpus.read_subject("gameemo/S01")) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SAM.replace("Arousal", "x"), "columns arousal"),
        (SAM.replace("S01,G1", "S01,G4"), "twice"),
        (SAM.replace("7.5", "high"), "'high' as valence"),
        (SAM.replace("S02", "Ann"), "'Ann' as subject"),
        ("", "can not be read"),
    ],
)
def test_ratings_that_can_not_be_used_are_refused(written, tmp_path, text, told):
    (tmp_path / "sam.csv").write_text(text)
    with pytest.raises(CorpusError, match=told):
        read(written, ratings=tmp_path / "sam.csv")


def test_the_same_arguments_write_the_same_bytes(written, tmp_path):
    GameemoFiles(n_subjects=2, game_s=10).write_part(1, tmp_path)
    for file in (file for file in tmp_path.rglob("*") if file.is_file()):
        assert file.read_bytes() == (written / file.relative_to(tmp_path)).read_bytes()
