"""People who are in the data twice are found, by signals and by features, and strangers are not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.recording import Recording, Signal
from emo_ray.errors import ProtocolError
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.protocols.duplicates import DuplicatePair, check_no_duplicates, find_duplicates, units_of
from emo_ray.protocols.subject_protocols import HoldOut, LeaveOneGroupOut, LeaveOneSubjectOut
from emo_ray.store.identity import signatures_of
from emo_ray.store.local import load_corpus
from emo_ray.testing.physiology import ecg, eeg, n_knots, skin_conductance

SFREQ, N_SUBJECTS = 128.0, 40
N_TIMES = int(90 * SFREQ)


def sensors(rng):
    """EEG, ECG and skin conductance of one trial of 90 s."""
    knots = n_knots(N_TIMES)
    mixing = np.eye(2, dtype=np.float32)
    return {
        "eeg": eeg(rng, np.zeros((4, 2, knots)), mixing, N_TIMES),
        "ecg": ecg(rng, np.full(knots, 70.0), N_TIMES)[:1],  # everybody's heart beats at one rate
        "gsr": skin_conductance(rng, np.full(knots, 0.1), np.full(knots, 5.0), N_TIMES)[None],
    }


def recordings(trials):
    names = ("a", "b")
    return [
        Recording(
            subject="x",
            session="1",
            trial=f"{number}",
            clip="c",
            group="x",
            signals={
                name: Signal(values.astype(np.float32), SFREQ, "uV", names[: len(values)])
                for name, values in trial.items()
            },
        )
        for number, trial in enumerate(trials)
    ]


def exported_again(name, values, rng):
    """Trimmed by 10 s, band-limited, rescaled, with 20 dB of noise."""
    band = (0.02, 1.0) if name == "gsr" else (1.0, 20.0)
    filtered = sosfiltfilt(butter(2, band, "band", fs=SFREQ, output="sos"), values[:, int(10 * SFREQ) :])
    noise = 0.1 * filtered.std() * rng.standard_normal(filtered.shape)
    return -3.0 * (filtered + noise) + 7.0


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    return [[sensors(rng) for _ in range(3)] for _ in range(N_SUBJECTS)]


@pytest.fixture(scope="module")
def empty_table(tmp_path_factory):
    # rows too few to be compared: the signals alone decide
    corpus = FakeCorpus(n_subjects=N_SUBJECTS, n_trials=4)
    return load_corpus(corpus, RawTokens(), tmp_path_factory.mktemp("store"))


def with_signatures(table, people):
    found = [signatures_of(recordings(trials)) for trials in people]
    return replace(table, signatures=dict(zip(table.subjects, found, strict=True)))


@pytest.mark.parametrize("modality", ["eeg", "ecg", "gsr"])
def test_a_planted_copy_is_found_among_forty_by_each_sensor_alone(people, empty_table, modality):
    rng = np.random.default_rng(1)
    alone = [[{modality: trial[modality]} for trial in trials] for trials in people]
    alone[30] = [{modality: exported_again(modality, trial[modality], rng)} for trial in alone[7]]
    (pair,) = find_duplicates(with_signatures(empty_table, alone))
    assert (pair.one, pair.other) == ("fake/S08", "fake/S31")
    assert modality in pair.why


def test_forty_strangers_raise_no_alarm(people, empty_table):
    assert find_duplicates(with_signatures(empty_table, people)) == ()


def test_two_people_with_the_same_test_tone_raise_no_alarm(empty_table):
    tone = np.sin(2 * np.pi * 10.0 * np.arange(N_TIMES) / SFREQ)[None]
    assert find_duplicates(with_signatures(empty_table, [[{"eeg": tone}]] * N_SUBJECTS)) == ()


@pytest.mark.parametrize("n_features", [4, 26, 100])
def test_a_copy_of_feature_rows_is_found(tmp_path, n_features):
    table = load_corpus(FakeCorpus(n_subjects=10, n_trials=40, n_features=n_features), RawTokens(), tmp_path)
    rng, values = np.random.default_rng(0), table.values["features"].copy()
    copy = values[80:120] + 0.03 * rng.standard_normal((40, 4, n_features))
    values[200:240] = 5 + copy * rng.uniform(0.1, 9, n_features)
    values[:, :, 0] = 3.0  # a constant tells nothing and harms nothing
    (pair,) = find_duplicates(replace(table, values={"features": values.astype(np.float32)}))
    assert (pair.one, pair.other) == ("fake/S03", "fake/S06")


@pytest.mark.parametrize("make", ["noise", "trend", "counts", "constant", "missing"])
def test_rows_of_strangers_raise_no_alarm(tmp_path, make):
    table = load_corpus(FakeCorpus(n_subjects=8, n_trials=30, n_tokens=1), RawTokens(n_tokens=1), tmp_path)
    values = table.values["features"].copy()
    trial = np.tile(np.arange(30, dtype=np.float32), 8)
    made = {
        "noise": values,
        "trend": np.stack([trial, *values[:, 0, :1].T], axis=1)[:, None],
        "counts": np.round(np.stack([trial % 3, values[:, 0, 0], trial // 10], axis=1))[:, None],
        "constant": np.full_like(values, 2.0),
        "missing": np.full_like(values, np.nan),
    }[make]
    masks = {"features": np.ones(made.shape[:2], dtype=bool)}
    assert find_duplicates(replace(table, values={"features": made}, masks=masks)) == ()


def test_groups_are_joined_along_chains_of_copies():
    groups = {name: name for name in "abcde"}
    pairs = [
        DuplicatePair("a", "d", 1.0, ""),
        DuplicatePair("d", "e", 1.0, ""),
        DuplicatePair("b", "x", 1.0, ""),
    ]
    assert units_of(groups, pairs) == {"a": "a", "b": "b", "c": "c", "d": "a", "e": "a"}


@pytest.mark.parametrize("protocol", [LeaveOneSubjectOut(), LeaveOneGroupOut(), HoldOut(n_test=2)], ids=repr)
@pytest.mark.parametrize("seed", range(4))
def test_no_protocol_puts_a_person_on_two_sides(protocol, seed):
    groups = {name: name for name in "abcdefgh"}
    folds = protocol.folds(groups, seed, [DuplicatePair("b", "f", 1.0, "")])
    for fold in folds:
        assert [{"b", "f"} <= set(side) for side in (fold.train, fold.validation, fold.test)].count(True) == 1
    tested = [name for fold in folds for name in fold.test]
    assert len(tested) == len(set(tested))


def test_the_refusal_names_the_pair_and_the_ways_out():
    pair = DuplicatePair("x/S1", "x/S2", 0.97, "eeg 7-13 Hz: likeness 0.97")
    with pytest.raises(ProtocolError, match=r"x/S1 and x/S2 \(eeg.*0\.97\).*--subjects.*group.*ignore"):
        check_no_duplicates([pair])
    check_no_duplicates([])
