import tracemalloc
import zlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import loadmat, savemat

from emo_ray.corpora import dreamer_file
from emo_ray.corpora.declared import disagreements
from emo_ray.corpora.dreamer import TARGETS, Dreamer
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import EMO14
from emo_ray.tasks.base import SegmentColumns
from emo_ray.testing.dreamer_files import DreamerFiles, cells
from emo_ray.testing.mat_v73 import save_v73


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("dreamer")
    DreamerFiles(n_subjects=11, baseline_s=1, shortest_s=2, longest_s=3).write(made)
    return made


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """One person as `person` makes them, of full length."""
    return write(tmp_path_factory.mktemp("full"), [person(seconds=65)])


def person(number=1, n_clips=18, seconds=2, **changed):
    """Stimuli, and baselines of 61/65 of their length, whose numbers tell person, clip and channel.

    ECG has one sample more than twice those of EEG; samples rise by 0.001.
    """

    def column(n_times, width, start):
        time = 0.001 * np.arange(n_times)[:, None]
        return [
            start + 1e4 * number + 100.0 * clip + np.arange(width) + time for clip in range(1, n_clips + 1)
        ]

    before = round(seconds * 61 / 65 * 128)
    values = {
        "Age": "22",
        "EEG": {"baseline": cells(column(before, 14, 5000)), "stimuli": cells(column(128 * seconds, 14, 0))},
        "ECG": {
            "baseline": cells(column(2 * before, 2, 5000)),
            "stimuli": cells(column(256 * seconds + 1, 2, 0)),
        },
        "ScoreValence": np.tile(np.arange(1, 6), 4)[:n_clips, None].astype(np.uint8),
        "ScoreArousal": np.full((n_clips, 1), 3, np.uint8),
        "ScoreDominance": np.full((n_clips, 1), 5, np.uint8),
    }
    return values | changed


def write(folder, people, *, compressed=False, **first):
    content = {**first, "Data": cells(people).reshape(1, -1), "noOfSubjects": float(len(people))}
    savemat(folder / "DREAMER.mat", {"DREAMER": content}, do_compression=compressed)
    return folder


def read(folder, subject="dreamer/1", **options):
    return Dreamer(path=folder, **options).read_subject(subject)


def one_of(folder, **options):
    return read(folder, **options).recordings[6]  # the seventh clip


def test_it_is_read_as_declared(folder):
    for lead in ("first", "second", "both"):
        corpus = Dreamer(path=folder, ecg_lead=lead)
        result = corpus.read_subject("dreamer/11")
        assert disagreements(corpus.declaration, result) == ()
        assert (len(result.recordings), result.rejected) == (18, ())


def test_a_person_read_alone_is_the_person_in_the_whole_file(folder):
    whole = loadmat(folder / "DREAMER.mat")["DREAMER"][0, 0]["Data"]
    assert whole.shape == (1, 11)
    for index in (0, 4, 10):
        alone = dreamer_file.read_person(folder / "DREAMER.mat", index)
        for modality, part, clip in (("EEG", "stimuli", 17), ("ECG", "baseline", 0)):
            expected = whole[0, index][0, 0][modality][0, 0][part][clip, 0]
            assert_array_equal(alone[0, 0][modality][0, 0][part][clip, 0], expected)
        assert_array_equal(alone[0, 0]["ScoreArousal"], whole[0, index][0, 0]["ScoreArousal"])


def test_counting_people_reads_the_first_bytes_alone(folder, tmp_path):
    start = (folder / "DREAMER.mat").read_bytes()[:60_000]
    (tmp_path / "DREAMER.mat").write_bytes(
        start[:132] + (len(start) - 136).to_bytes(4, "little") + start[136:]
    )
    assert dreamer_file.n_people(tmp_path / "DREAMER.mat") == 11


@pytest.mark.parametrize("compressed", [True, False])
def test_people_are_found_behind_other_fields_and_in_plain_files(tmp_path, compressed):
    people = [person(number) for number in (1, 2, 3)]
    write(tmp_path, people, compressed=compressed, Disclaimer="x" * 777, Version="1.0.2")
    assert list(Dreamer(path=tmp_path).find_subjects()) == ["dreamer/1", "dreamer/2", "dreamer/3"]
    eeg = read(tmp_path, "dreamer/3").recordings[6].signals["eeg"]
    assert_array_equal(eeg.values[:, 0], 30_700 + np.arange(14))


def test_a_file_whose_people_lie_far_behind_is_read_whole_and_once(tmp_path, monkeypatch):
    write(tmp_path, [person(1, 2), person(2, 2)], Disclaimer=np.random.default_rng(0).standard_normal(9000))
    dreamer_file._read_whole.cache_clear()
    assert list(Dreamer(path=tmp_path).find_subjects()) == ["dreamer/1", "dreamer/2"]
    assert read(tmp_path, "dreamer/2").recordings[1].signals["eeg"].values[3, 0] == 20_203
    assert dreamer_file._read_whole.cache_info().misses == 1
    dreamer_file._read_whole.cache_clear()


def test_a_file_saved_anew_as_v73_is_read_the_same(tmp_path):
    people = [person(number, 3) for number in (1, 2)]
    save_v73(tmp_path / "DREAMER.mat", {"DREAMER": {"Data": cells(people).reshape(1, 2)}})
    recordings = read(tmp_path, "dreamer/2", ecg_lead="both").recordings
    (tmp_path / "v5").mkdir()
    expected = read(write(tmp_path / "v5", people) / "DREAMER.mat", "dreamer/2", ecg_lead="both").recordings
    assert_array_equal(recordings[2].signals["eeg"].values, expected[2].signals["eeg"].values)
    assert_array_equal(recordings[2].signals["ecg"].values, expected[2].signals["ecg"].values)
    assert recordings[2].ratings == expected[2].ratings


def test_signals_come_channel_first_with_their_names_and_units(full):
    recording = one_of(full, ecg_lead="both")
    eeg, ecg = recording.signals["eeg"], recording.signals["ecg"]
    assert (eeg.channels, eeg.sfreq, eeg.unit, eeg.values.shape) == (EMO14, 128.0, "uV", (14, 8320))
    assert (ecg.channels, ecg.sfreq, ecg.unit) == (("ECG 1", "ECG 2"), 256.0, "arbitrary")
    assert_array_equal(eeg.values[:, 0], 10_700 + np.arange(14))
    assert_array_equal(ecg.values[:, 0], [10_700, 10_701])


def test_one_lead_is_chosen_and_none_are_averaged(full):
    for lead, value in (("first", 10_700), ("second", 10_701)):
        ecg = one_of(full, ecg_lead=lead).signals["ecg"]
        assert ecg.values.shape == (1, 16_641)
        assert ecg.values[0, 0] == value


def test_a_recording_says_whose_and_of_what_it_is(full):
    recording = one_of(full)
    assert (recording.subject, recording.session, recording.trial) == ("dreamer/1", "1", "7")
    assert (recording.clip, recording.group, recording.baseline_s) == ("dreamer/7", "dreamer/1", 0.0)
    assert recording.ratings == {"self_valence": 2.0, "self_arousal": 3.0, "self_dominance": 5.0}


def test_the_baseline_can_stand_before_the_stimulus(full):
    recording = one_of(full, baseline="prepend")
    assert recording.baseline_s == 61.0
    eeg, ecg = recording.signals["eeg"].values, recording.signals["ecg"].values
    assert (eeg.shape, ecg.shape) == ((14, 7808 + 8320), (1, 15_616 + 16_641))
    assert (eeg[0, 0], eeg[0, 7808], ecg[0, 15_616]) == (15_700, 10_700, 10_700)


def test_a_baseline_of_unequal_length_keeps_what_both_have(tmp_path):
    changed = person(n_clips=2, seconds=65)
    changed["ECG"]["baseline"] = cells([block[:-5000] for block in changed["ECG"]["baseline"].flat])
    result = read(write(tmp_path, [changed]), baseline="prepend")
    # 10,616 samples at 256 Hz are 5,308 of EEG
    assert result.recordings[0].baseline_s == 5308 / 128
    assert result.recordings[0].signals["eeg"].values.shape == (14, 5308 + 8320)
    assert any("baseline: ECG has not twice the samples of EEG, in 2 trials" in note for note in result.notes)
    assert any("baseline is not 61 s" in note for note in result.notes)


def test_the_last_seconds_of_a_stimulus_can_be_chosen(full):
    recording = one_of(full, last_s=60.0)
    eeg, ecg = recording.signals["eeg"].values, recording.signals["ecg"].values
    assert (eeg.shape, ecg.shape) == ((14, 7680), (1, 15_360))
    assert eeg[0, 0] == np.float32(10_700 + 0.001 * (8320 - 7680))


def test_a_stimulus_shorter_than_asked_for_is_taken_whole_and_noted(full):
    result = read(full, last_s=66.0)
    assert result.recordings[0].signals["eeg"].values.shape == (14, 8320)
    assert any("shorter than the last 66 s, taken whole" in note for note in result.notes)


def test_facts_that_nobody_confirmed_are_looked_at(tmp_path):
    changed = person()
    changed["EEG"]["stimuli"] = cells([block[:128] - 1e4 for block in changed["EEG"]["stimuli"].flat])
    result = read(write(tmp_path, [changed]))
    assert any("stimuli other than 65 to 393 s long, in 18 trials (1: 1.0 s" in note for note in result.notes)
    assert any("stimuli: ECG has not twice the samples of EEG" in note for note in result.notes)
    # channel 7 of 14 in the first clip: 100 + 6.5; from the tenth clip on 1000 and more, and half of 0.128
    assert any("offset of about 4000 uV, in 9 trials (1: 107 uV" in note for note in result.notes)


@pytest.mark.parametrize("compressed", [True, False])
def test_what_the_file_says_of_itself_is_compared(tmp_path, compressed):
    made = person(seconds=1)
    odd = {"EEG_SamplingRate": 256.0, "EEG_Electrodes": cells(EMO14[::-1]), "noOfVideoSequences": 18.0}
    content = {"Data": cells([made, made]).reshape(1, -1), "noOfSubjects": 3.0, **odd}
    savemat(tmp_path / "DREAMER.mat", {"DREAMER": content}, do_compression=compressed)
    told = "\n".join(Dreamer(path=tmp_path).notes()[1:])
    assert "EEG_SamplingRate 256, not 128" in told
    assert "EEG_Electrodes AF4 F8 F4" in told
    assert "noOfSubjects 3, not 2" in told
    assert told.count("\n") == 2  # and nothing of the number of clips


def test_a_file_as_released_says_of_itself_what_is_expected(folder):
    assert len(Dreamer(path=folder).notes()) == 1


def test_damage_behind_the_people_is_told_and_costs_nobody(tmp_path):
    file = write(tmp_path, [person(seconds=1)]) / "DREAMER.mat"
    damaged = bytearray(file.read_bytes())
    damaged[-72 + damaged[-72:].index(b"\x0e\0\0\0")] = 9  # the type of the last field's element
    file.write_bytes(damaged)
    assert any("can not be compared" in note for note in Dreamer(path=tmp_path).notes())
    assert len(read(tmp_path).recordings) == 18


def test_scores_outside_one_to_five_are_missing(tmp_path):
    scores = np.array([0, 1, 5, 6, np.nan, *[3] * 13])[:, None]
    result = read(write(tmp_path, [person(ScoreArousal=scores)]))
    found = [recording.ratings["self_arousal"] for recording in result.recordings[:6]]
    assert_array_equal(found, [np.nan, 1, 5, np.nan, np.nan, 3])
    assert any(
        "self_arousal outside 1 to 5 set to NaN, in 3 trials (1: 0; 4: 6; 5: nan)" in n for n in result.notes
    )


def test_the_middle_score_is_low_by_default_and_high_by_name(folder):
    counted = np.arange(5, dtype=np.int32)
    scores = {"self_valence": np.array([1, 2, 3, 4, 5], np.float32)}
    columns = SegmentColumns(counted * 0, counted, counted, scores)
    tasks = Dreamer(path=folder).tasks()
    assert next(iter(tasks)) == "valence"
    assert_array_equal(tasks["valence"].targets(columns)["valence"], [0, 0, 0, 1, 1])
    assert_array_equal(tasks["valence_ge_3"].targets(columns)["valence"], [0, 0, 1, 1, 1])


def test_nine_target_emotions_have_two_clips_each(folder):
    assert {target: TARGETS.count(target) for target in TARGETS} == dict.fromkeys(
        (
            "calmness",
            "surprise",
            "amusement",
            "fear",
            "excitement",
            "disgust",
            "happiness",
            "anger",
            "sadness",
        ),
        2,
    )
    assert "4 fear" in Dreamer(path=folder).notes()[0]


@pytest.mark.parametrize(
    ("modality", "block"),
    [
        ("EEG", np.zeros((0, 0))),
        ("EEG", np.zeros((100, 13))),
        ("ECG", np.zeros((2, 100))),
        ("ECG", "text"),
    ],
    ids=["empty", "narrow", "transposed", "text"],
)
def test_an_unusable_cell_rejects_its_trial_alone(tmp_path, modality, block):
    changed = person()
    changed[modality]["stimuli"][3, 0] = block
    result = read(write(tmp_path, [changed]))
    assert [one.trial for one in result.rejected] == ["4"]
    assert f"{modality}.stimuli" in result.rejected[0].reason
    assert len(result.recordings) == 17


def test_another_number_of_clips_is_noted(tmp_path):
    result = read(write(tmp_path, [person(n_clips=3)]))
    assert len(result.recordings) == 3
    assert any("EEG.stimuli has 3 clips, not 18" in note for note in result.notes)


def test_a_clip_without_one_of_its_signals_is_rejected(tmp_path):
    result = read(write(tmp_path, [person(ECG=person(n_clips=17)["ECG"])]))
    assert [(one.trial, one.reason) for one in result.rejected] == [("18", "no ECG.stimuli of this clip")]


def test_scores_that_are_no_whole_numbers_are_kept_and_noted(tmp_path):
    scores = np.full((18, 1), 3.0)
    scores[4] = 2.5
    result = read(write(tmp_path, [person(ScoreArousal=scores)]))
    assert result.recordings[4].ratings["self_arousal"] == 2.5
    assert any("self_arousal is no whole number, kept, in 1 trial (5: 2.5)" in note for note in result.notes)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"EEG": {"stimuli": 1.0}}, "EEG.stimuli"),
        ({"ECG": 3.0}, "no field stimuli"),
        ({"ScoreValence": "x"}, "Score"),
        ({"ScoreValence": np.ones((18, 2))}, r"\(18, 2\), not a column"),
    ],
)
def test_a_person_laid_out_otherwise_is_refused(tmp_path, changed, word):
    with pytest.raises(CorpusError, match=word):
        read(write(tmp_path, [person(**changed)]))


@pytest.mark.parametrize("n_bytes", [0, 100, 140, 5000, 500_000])
def test_a_file_cut_off_anywhere_is_refused(folder, tmp_path, n_bytes):
    (tmp_path / "DREAMER.mat").write_bytes((folder / "DREAMER.mat").read_bytes()[:n_bytes])
    with pytest.raises(CorpusError, match=r"DREAMER\.mat"):
        read(tmp_path, "dreamer/11")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_damaged_bytes_are_refused(folder, tmp_path, share):
    content = bytearray((folder / "DREAMER.mat").read_bytes())
    at = int(share * len(content))
    content[at : at + 64] = bytes(64)
    (tmp_path / "DREAMER.mat").write_bytes(content)
    with pytest.raises(CorpusError, match=r"DREAMER\.mat"):
        read(tmp_path, "dreamer/11")


def test_other_matlab_files_of_that_name_are_refused(tmp_path):
    for content, words in (
        ({"other": 1.0}, "no variable DREAMER"),
        ({"DREAMER": np.zeros(3)}, "no struct"),
        ({"DREAMER": {"People": 1.0}}, "no field Data"),
        ({"DREAMER": {"Data": np.zeros(200)}}, "no cell array"),
        ({"DREAMER": {"Data": cells([1.0] * 20)}}, "no struct"),
    ):
        savemat(tmp_path / "DREAMER.mat", content)
        with pytest.raises(CorpusError, match=words):
            read(tmp_path, "dreamer/1")


def test_a_file_that_states_absurd_numbers_is_refused(tmp_path):
    write(tmp_path, [person(n_clips=1)], compressed=False)
    content = (tmp_path / "DREAMER.mat").read_bytes()
    # the dimensions of Data, 1 x 1, the first after the names of the fields
    at = content.index(np.array([1, 1], "<i4").tobytes(), content.index(b"noOfSubjects"))
    huge = content[:at] + np.array([1, 2**31 - 1], "<i4").tobytes() + content[at + 8 :]
    (tmp_path / "DREAMER.mat").write_bytes(huge)
    with pytest.raises(CorpusError, match="no cell array of people"):
        Dreamer(path=tmp_path).find_subjects()


def test_a_small_file_that_unpacks_to_much_is_passed_over_in_chunks(tmp_path):
    packed = zlib.compress(bytes(1 << 26))
    (tmp_path / "packed").write_bytes(packed)
    place = dreamer_file.People(0, 0, 0, (), "<", dreamer_file.COMPRESSED, 0, len(packed))
    tracemalloc.start()
    with (tmp_path / "packed").open("rb") as stream:
        unpacked = dreamer_file.Unpacked.of(stream, place)
        unpacked.skip((1 << 26) - 3)
        assert unpacked.take_most(10) == bytes(3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


def test_the_file_can_be_named_itself_and_lies_at_any_depth(folder, tmp_path):
    assert len(Dreamer(path=folder / "DREAMER.mat").find_subjects()) == 11
    assert list(Dreamer(path=folder.parent / folder.name).find_subjects())[-2:] == [
        "dreamer/10",
        "dreamer/11",
    ]
    with pytest.raises(CorpusError, match=r"holds no DREAMER\.mat"):
        Dreamer(path=tmp_path).find_subjects()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "DREAMER.mat").touch()
    with pytest.raises(CorpusError, match="are the same file"):
        Dreamer(path=tmp_path).find_subjects()


def test_it_is_recognised_by_its_name_alone(folder, tmp_path):
    assert Dreamer.recognise(folder) == Dreamer(path=folder)
    assert Dreamer.recognise(folder / "DREAMER.mat") is not None
    (tmp_path / "DREAMER_notes.mat").touch()
    assert Dreamer.recognise(tmp_path) is None


def test_both_classes_of_every_rating_come_in_a_small_corpus(folder):
    for subject in ("dreamer/1", "dreamer/2", "dreamer/3"):
        for name in ("self_valence", "self_arousal"):
            high = [one.ratings[name] > 3 for one in read(folder, subject).recordings]
            assert 2 <= sum(high) <= 16


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        DreamerFiles(n_subjects=1, baseline_s=1, shortest_s=2, longest_s=3).write(tmp_path / name)
    assert len({(tmp_path / name / "DREAMER.mat").read_bytes() for name in ("a", "b")}) == 1
