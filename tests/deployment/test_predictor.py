from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.corpora.recording import Signal
from emo_ray.deployment.package import read_package, write_package
from emo_ray.deployment.predictor import Predictor
from emo_ray.deployment.requests import from_rows
from emo_ray.deployment.segments import table_of
from emo_ray.errors import ConfigError, CorpusError
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.protocols.fold import FinalFold
from emo_ray.run import ON_THIS_CPU, fit
from emo_ray.training.loop import predict

PROBABILITIES = ("label/low", "label/high")


def with_signal(recording, **changes):
    return replace(recording, signals={"features": replace(recording.signals["features"], **changes)})


def probabilities(answer):
    return np.stack([answer.segments[name] for name in PROBABILITIES], axis=1)


def test_predictions_are_those_of_the_model_as_it_was_trained(package, table, tmp_path):
    from emo_ray.corpora.fake import FakeCorpus
    from emo_ray.experiment import RunSpec

    spec = RunSpec(package.experiment, FinalFold("everybody", table.subjects, (), ()), table.keys)
    fitted = fit(spec, table, ON_THIS_CPU)
    expected = predict(fitted.model, fitted.data, table.rows_of(["fake/S02"]))["label"]
    write_package(package, tmp_path / "model")
    recordings = FakeCorpus(n_subjects=3, n_trials=8, seed=5).read_subject("fake/S02").recordings
    answer = Predictor(read_package(tmp_path / "model")).answer(recordings)
    assert_array_equal(probabilities(answer), expected)


def test_the_class_is_the_most_probable_one(package, person):
    answer = Predictor(package).answer(person)
    likelier = answer.segments["label/high"] > answer.segments["label/low"]
    assert_array_equal(answer.segments["label"] == "high", likelier)


def test_a_trial_is_the_mean_of_its_segments(package, person):
    long = with_signal(
        person[0],
        values=np.concatenate([one.signals["features"].values for one in person[:3]], axis=1),
    )
    answer = Predictor(package).answer([long, person[3]])
    trial = list(answer.trials["trial"]).index(long.trial)
    own = answer.segments["trial"] == long.trial
    assert answer.trials["n_segments"][trial] == own.sum() == 3
    assert_allclose(answer.trials["label/high"][trial], answer.segments["label/high"][own].mean(), rtol=1e-6)


@pytest.mark.parametrize("task", ["label", "score"])
def test_nothing_is_said_of_segments_in_which_nothing_was_measured(make_package, person, task):
    package = make_package(task=task)
    name = package.description.heads[0].name
    values = person[0].signals["features"].values
    dead = with_signal(person[0], values=np.concatenate([values, np.full_like(values, np.nan)], axis=1))
    answer = Predictor(package).answer([dead])
    assert list(pd.isna(answer.segments[name])) == [False, True]
    assert (answer.trials["n_segments"], answer.trials[name][0]) == (1, answer.segments[name][0])
    assert "1 of 2 segments hold no valid value" in answer.notes[0]


def test_values_come_in_the_unit_of_the_labels(make_package, person):
    package = make_package(task="score")
    (head,) = package.description.heads
    mean, sd = package.description.target_mean[head.name], package.description.target_sd[head.name]
    stretched = package.description.model_copy(update={"target_sd": {head.name: 2 * sd}})
    doubled = replace(package, description=stretched)
    one, two = (Predictor(made).answer(person).segments[head.name] for made in (package, doubled))
    assert_allclose(two - mean, 2 * (one - mean), atol=1e-6)


def test_channels_are_taken_by_name_in_whatever_order(package, person):
    order = [4, 0, 3, 1, 2]
    signal = person[0].signals["features"]
    shuffled = with_signal(
        person[0], values=signal.values[order], channels=tuple(signal.channels[row] for row in order)
    )
    extra = Signal(np.ones((1, 9), np.float32), 1.0, "V", ("x",))
    shuffled = replace(shuffled, signals={**shuffled.signals, "other": extra})
    found, expected = (Predictor(package).answer([one]) for one in (shuffled, person[0]))
    assert_array_equal(probabilities(found), probabilities(expected))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda one: replace(one, signals={}), "signal 'features' is missing; the recording has nothing"),
        (lambda one: with_signal(one, unit="uV"), "in 'uV', and the model was trained on 'arbitrary'"),
        (lambda one: with_signal(one, channels=("a", "f1", "f2", "f3", "f4")), "lacks channel f0"),
        (lambda one: with_signal(one, sfreq=2.0), "sampled at 2 Hz and the model takes samples at 1 Hz"),
        (
            lambda one: with_signal(one, values=one.signals["features"].values[:, :2]),
            "not one segment",
        ),
    ],
    ids=["signal", "unit", "channel", "rate", "length"],
)
def test_a_recording_that_does_not_fit_is_refused_in_words(package, person, change, problem):
    with pytest.raises(CorpusError, match=problem):
        Predictor(package).answer([change(person[0])])


def test_a_model_that_needs_the_persons_own_recordings_uses_and_tells_it(own_scaling, person):
    answer = Predictor(own_scaling).answer(person)
    shifted = [with_signal(one, values=one.signals["features"].values * 3 + 100) for one in person]
    moved = Predictor(own_scaling).answer(shifted)
    assert_allclose(probabilities(moved), probabilities(answer), atol=1e-4)
    assert "fake/S04 is standardised by the mean and spread of its own 8 segments in 8" in answer.notes[0]


def test_one_short_recording_is_too_little_to_standardise_by(own_scaling, person):
    notes = Predictor(own_scaling).answer(person[:1]).notes
    assert any(note.startswith("WARNING: 1 segments in 1 recordings") for note in notes)


def test_a_model_that_brings_its_scaler_answers_each_recording_alone(package, person):
    together = probabilities(Predictor(package).answer(person))
    alone = [probabilities(Predictor(package).answer([one])) for one in person]
    assert_allclose(np.concatenate(alone), together, rtol=1e-5)


def test_weights_of_another_network_are_refused(package, make_package):
    from emo_ray.models.mlp import MlpConfig

    other = make_package(model=MlpConfig(hidden=(5,)))
    with pytest.raises(ConfigError, match="weights do not belong to its settings"):
        Predictor(replace(package, weights=other.weights))


def test_the_example_can_be_asked(package):
    recordings = from_rows(package.example["dataframe_records"], "example")
    assert len(Predictor(package).answer(recordings).segments["label"]) >= 1


def test_a_change_of_the_code_that_makes_features_is_told(package, person):
    old = replace(package, lineage=package.lineage.model_copy(update={"feature_code": "0" * 16}))
    assert not any("has changed" in note for note in Predictor(package).answer(person).notes)
    assert any("has changed since" in note for note in Predictor(old).answer(person).notes)


def test_rows_come_sorted_as_in_the_store(table, person):
    backwards = table_of(person[::-1], RawTokens(), table.modalities)
    assert backwards.trials == tuple(one.trial for one in person)
