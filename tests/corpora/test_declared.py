"""What is declared against what is read: every difference is told once, with its trials."""

import numpy as np

from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal, disagreements
from emo_ray.corpora.recording import Recording, RejectedTrial, Signal, SubjectRecordings

DECLARATION = Declaration(
    n_subjects=1,
    sessions=("1",),
    n_trials=2,
    signals={
        "eeg": DeclaredSignal(("Fz", "Cz"), (128.0, 256.0), "uV"),
        "ecg": DeclaredSignal(("I",), (128.0,), "mV"),
    },
    ratings={"valence": DeclaredRating(1.0, 9.0, "own")},
)


def signal(channels=("Fz", "Cz"), sfreq=128.0, unit="uV"):
    return Signal(np.ones((len(channels), 4), np.float32), sfreq, unit, channels)


def recording(trial="a", session="1", valence=5.0, **signals):
    found = {"eeg": signal(), "ecg": signal(("I",), unit="mV")} | signals
    kept = {name: one for name, one in found.items() if one is not None}
    return Recording("c/s", session, trial, "clip", "c/s", kept, {"valence": valence})


def told(*recordings, rejected=()):
    return disagreements(DECLARATION, SubjectRecordings(recordings, rejected))


def test_files_as_declared_are_told_nothing_of():
    assert told(recording("a"), recording("b", eeg=signal(sfreq=256.0))) == ()


def test_a_missing_rating_is_no_disagreement():
    assert told(recording("a", valence=float("nan")), recording("b")) == ()


def test_a_rejected_trial_counts_as_found():
    assert told(recording("a"), rejected=(RejectedTrial("c/s", "b", "broken"),)) == ()


def test_another_number_of_trials_is_told():
    assert told(recording("a")) == ("1 trials, where the release has 2",)


def test_another_rate_is_told_once_with_both_trials():
    other = signal(sfreq=200.0)
    assert told(recording("a", eeg=other), recording("b", eeg=other)) == (
        "eeg at 200 Hz, where the release has 128 or 256 Hz, in 2 trials (a, b)",
    )


def test_channels_in_another_order_are_told():
    assert (
        "eeg of Cz Fz, where the release has Fz Cz"
        in told(recording("a", eeg=signal(("Cz", "Fz"))), recording("b"))[0]
    )


def test_a_unit_a_session_and_a_rating_outside_are_told():
    found = told(recording("a", session="2", valence=11.0, ecg=signal(("I",), unit="V")), recording("b"))
    assert [line.split(", in 1")[0] for line in found] == [
        "session 2, where the release has 1",
        "ecg in V, where the release has mV",
        "valence outside 1 to 9",
    ]


def test_a_lacking_and_an_unknown_modality_are_told():
    found = told(recording("a", ecg=None, eog=signal(("E",))), recording("b"))
    assert [line.split(", in 1")[0] for line in found] == [
        "no ecg, which the release has",
        "eog, which the release is not known to have",
    ]


def test_a_user_s_own_data_are_compared_with_nothing():
    assert disagreements(Declaration(), SubjectRecordings((recording("a", eeg=signal(sfreq=3.0)),))) == ()
