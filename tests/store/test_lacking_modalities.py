"""Recordings and subjects that lack a sensor which others have are stored and read, masked there."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from emo_ray.corpora.declared import Declaration, DeclaredSignal
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.errors import StoreError
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.store.local import load_corpus
from emo_ray.store.moments import merge

TOKENS = RawTokens(n_tokens=2)


class Sensors(FakeCorpus):
    """Subjects by name, and which sensors each trial has: ``"eeg ecg, ecg"``; "eeg3" has three channels."""

    people: dict[str, str]

    def find_subjects(self):
        return dict.fromkeys(self.people, ())

    @property
    def declaration(self):
        return Declaration(
            signals={name: DeclaredSignal((), (1.0,), "uV", name == "ecg") for name in ("eeg", "ecg")}
        )

    def read_subject(self, subject):
        trials = [trial.split() for trial in self.people[subject].split(",")]
        return SubjectRecordings(
            tuple(
                Recording(
                    subject=subject,
                    session="1",
                    trial=f"{number}",
                    clip="c",
                    group=subject,
                    signals={name[:3]: signal(name) for name in names},
                    ratings={"label": 0.0},
                )
                for number, names in enumerate(trials)
            )
        )


def signal(name):
    channels = tuple("abc"[: int(name[3:] or 2)])
    return Signal(np.arange(4 * len(channels), dtype=np.float32).reshape(-1, 4), 1.0, "uV", channels)


def load(folder, **people):
    return load_corpus(Sensors(people=people), TOKENS, Path(folder))


def test_a_trial_without_a_sensor_is_masked_and_the_others_stay(tmp_path):
    table = load(tmp_path, S1="eeg ecg, ecg", S2="eeg ecg")
    assert [item.name for item in table.modalities] == ["eeg", "ecg"]
    assert_array_equal(table.masks["eeg"].all(axis=1), [True, True, False, False, True, True])
    assert np.isnan(table.values["eeg"][2:4]).all()
    assert_array_equal(table.values["eeg"][0], [[0, 4], [1, 5]])


def test_a_subject_without_a_sensor_is_masked_and_has_no_moments(tmp_path):
    table = load(tmp_path, S1="ecg", S2="eeg ecg")
    assert_array_equal(table.masks["eeg"].any(axis=1), [False, False, True, True])
    assert_array_equal(table.moments["S1"]["eeg"].count, [0, 0])
    merged = merge([table.moments["S1"]["eeg"], table.moments["S2"]["eeg"]])
    assert_array_equal(merged.mean, table.moments["S2"]["eeg"].mean)
    assert_array_equal(merged.count, [4, 4])


def test_a_sensor_of_two_shapes_is_refused_with_both_subjects(tmp_path):
    with pytest.raises(StoreError, match=r"S2 has 2 x 3 features \(c\) in modality 'eeg', but S1 has 2 x 2"):
        load(tmp_path, S1="eeg", S2="eeg3")


def test_a_sensor_of_two_shapes_in_one_subject_is_refused_with_both_trials(tmp_path):
    with pytest.raises(
        StoreError, match=r"S1: modality 'eeg' has 2 x 3 features in trial 1, but 2 x 2 in trial 0"
    ):
        load(tmp_path, S1="eeg, eeg3")


def test_what_the_files_hold_otherwise_than_declared_is_a_note(tmp_path):
    notes = load(tmp_path, S1="ecg", S2="eeg ecg").notes
    assert any("no eeg, which the release has" in note for note in notes["S1"])
    assert not any("no eeg" in note for note in notes["S2"])
