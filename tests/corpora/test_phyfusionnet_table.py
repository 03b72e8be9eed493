"""The merged table of Phy-FusionNet: participants stay, clocks go, sparse rows are not dropped together."""

import numpy as np
import pytest

from emo_ray.corpora import phyfusionnet_table
from emo_ray.corpora.phyfusionnet_table import PhyFusionNetTable
from emo_ray.corpora.ppb_emo import PpbEmo
from emo_ray.errors import CorpusError
from emo_ray.testing.ppb_emo_files import PhyFusionNetFiles, PpbEmoFiles

SIZES = {"n_subjects": 2, "trial_s": 4.0, "sfreq": 250}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    phyfusionnet_table._read.cache_clear()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return PhyFusionNetFiles(**SIZES).write(tmp_path_factory.mktemp("merged"))[0]


@pytest.fixture
def edited(table, tmp_path):
    """Writes the table anew with each row changed."""

    def write(change):
        place = tmp_path / "merged_data.csv"
        rows = [line.split(",") for line in table.read_text().replace('"', "").splitlines()]
        place.write_text("\n".join(",".join(change(number, row)) for number, row in enumerate(rows)) + "\n")
        return PhyFusionNetTable(path=place)

    return write


def test_it_is_recognised_as_a_file_and_in_its_folder(table):
    assert PhyFusionNetTable.recognise(table) == PhyFusionNetTable(path=table)
    assert PhyFusionNetTable.recognise(table.parent) is not None
    assert PhyFusionNetTable.recognise(table.parent / "other.csv") is None


def test_every_participant_is_a_subject(table):
    assert list(PhyFusionNetTable(path=table).find_subjects()) == ["phyfusionnet/P02", "phyfusionnet/P03"]


def test_raw_rows_equal_those_of_the_exports(table, tmp_path):
    PpbEmoFiles(**SIZES).write(tmp_path)
    one = PhyFusionNetTable(path=table, content="raw").read_subject("phyfusionnet/P03").recordings
    other = {r.trial: r for r in PpbEmo(path=tmp_path).read_subject("ppb_emo/P03").recordings}
    for recording in one:
        values = other[recording.trial].signals["eeg"].values
        np.testing.assert_array_equal(recording.signals["eeg"].values, values)


def test_band_rows_are_kept_without_the_raw_ones(table):
    recording = PhyFusionNetTable(path=table).read_subject("phyfusionnet/P02").recordings[0]
    assert recording.signals["bands"].values.shape == (160, 33)
    assert recording.ratings == {"label": 0.0}


def test_clock_columns_are_features_only_where_asked_for(table):
    plain, published = (
        PhyFusionNetTable(path=table, content="rows", with_clock=asked).read_subject("phyfusionnet/P02")
        for asked in (False, True)
    )
    assert plain.recordings[0].signals["rows"].values.shape == (192, 33)
    assert published.recordings[0].signals["rows"].channels[-2:] == ("rec_time", "utc")


def test_the_rate_of_band_powers_is_measured(table, edited):
    recording = PhyFusionNetTable(path=table).read_subject("phyfusionnet/P02").recordings[0]
    assert recording.signals["bands"].sfreq == pytest.approx(250 * 33 / 1000)  # 33 of 1,000 rows
    read = edited(lambda number, row: [*row[:4], "", "", *row[6:]] if number else row).read_subject(
        "phyfusionnet/P02"
    )
    assert read.recordings[0].signals["bands"].sfreq == 8.0
    assert any("no time column tells the rate, 8 Hz taken" in note for note in read.notes)


@pytest.mark.parametrize("content", ["bands", "raw", "rows"])
def test_trials_that_lie_in_several_pieces_of_the_file_are_read_whole(table, content, monkeypatch):
    corpus = PhyFusionNetTable(path=table, content=content, with_clock=content == "rows")
    whole = corpus.read_subject("phyfusionnet/P03").recordings
    phyfusionnet_table._read.cache_clear()
    monkeypatch.setattr("emo_ray.corpora.neband_table.BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr("emo_ray.corpora.phyfusionnet_table.MAX_CLOCK_ROWS", 100)
    pieces = corpus.read_subject("phyfusionnet/P03").recordings
    for one, other in zip(whole, pieces, strict=True):
        (signal,), (again,) = one.signals.values(), other.signals.values()
        assert signal.sfreq == again.sfreq
        np.testing.assert_array_equal(signal.values, again.values)


def test_clocks_as_features_count_from_the_earliest_row(table):
    corpus = PhyFusionNetTable(path=table, content="rows", with_clock=True)
    recording = corpus.read_subject("phyfusionnet/P02").recordings[0]
    times = recording.signals["rows"].values[192]
    # band powers stand in every 31st of the rows at 250 Hz
    np.testing.assert_allclose(times, 31 / 250 * np.arange(33), atol=1e-5)


def test_clocks_as_features_are_as_many_as_the_rows_of_a_long_trial(table, monkeypatch):
    monkeypatch.setattr("emo_ray.corpora.phyfusionnet_table.MAX_CLOCK_ROWS", 10)
    corpus = PhyFusionNetTable(path=table, content="rows", with_clock=True)
    assert corpus.read_subject("phyfusionnet/P03").recordings[0].signals["rows"].values.shape == (194, 33)


def test_a_shuffled_table_is_refused(edited):
    corpus = edited(lambda number, row: [*row[:3], ("SD", "AD")[number % 2], *row[4:]] if number else row)
    with pytest.raises(CorpusError, match="do not shuffle"):
        corpus.read_subject("phyfusionnet/P02")


def test_a_table_without_participants_is_refused(edited):
    corpus = edited(lambda number, row: row[:2] + row[3:])
    with pytest.raises(CorpusError, match="no column participant"):
        corpus.find_subjects()


def test_a_row_without_participant_is_refused(edited):
    corpus = edited(lambda number, row: [*row[:2], "", *row[3:]] if number == 7 else row)
    with pytest.raises(CorpusError, match="rows without a participant"):
        corpus.find_subjects()


def test_an_unknown_category_is_a_rejected_trial(edited):
    corpus = edited(lambda number, row: [*row[:3], "XX", *row[4:]] if number > 0 and row[3] == "AD" else row)
    read = corpus.read_subject("phyfusionnet/P02")
    assert [(trial.trial, trial.reason) for trial in read.rejected] == [
        ("XX", "category 'XX' is none of SD, FD, DD, HD, SAD, AD, ND")
    ]
    assert len(read.recordings) == 6


def test_a_category_that_comes_back_is_a_trial_of_its_own(edited):
    corpus = edited(lambda number, row: [*row[:3], "SD", *row[4:]] if number > 0 and row[3] == "DD" else row)
    trials = [recording.trial for recording in corpus.read_subject("phyfusionnet/P02").recordings]
    assert trials == ["SD", "FD", "SD-2", "HD", "SAD", "AD", "ND"]


def test_raw_rows_without_a_clock_ask_for_the_rate(edited):
    corpus = edited(lambda number, row: [*row[:4], "", "", *row[6:]] if number else row)
    raw = corpus.model_copy(update={"content": "raw"})
    with pytest.raises(CorpusError, match=r"corpus\.sfreq=500"):
        raw.read_subject("phyfusionnet/P02")


def test_a_changed_table_is_read_anew(edited):
    corpus = edited(lambda number, row: row)
    assert len(corpus.find_subjects()) == 2
    kept = [line for line in corpus.path.read_text().splitlines() if ",P03," not in line]
    corpus.path.write_text("\n".join(kept) + "\n")
    assert list(corpus.find_subjects()) == ["phyfusionnet/P02"]
