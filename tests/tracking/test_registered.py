"""A registered model answers as its package does, is registered once, and is found by its name."""

import json

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.deployment.package import read_package
from emo_ray.deployment.predictor import Predictor
from emo_ray.deployment.requests import to_rows
from emo_ray.errors import TrackingError
from emo_ray.tracking.registered import ModelRegistry, parse_reference

pytestmark = pytest.mark.filterwarnings("ignore")
CORPUS = FakeCorpus(n_subjects=3, n_trials=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_package):
    """The package of a small final model."""
    place = tmp_path_factory.mktemp("final")
    return tiny_package(place / "package", place / "store", study="s")


@pytest.fixture(scope="module")
def registry(folder):
    made = ModelRegistry(f"sqlite:///{folder.parent}/mlflow.db", "final", folder.parent / "artifacts")
    made.store.check()
    made.register(folder)
    return made


@pytest.fixture(scope="module")
def served(registry):
    import mlflow

    return mlflow.pyfunc.load_model(str(registry.folder_of("tiny").parents[1]))


@pytest.fixture(scope="module")
def person():
    return CORPUS.model_copy(update={"n_subjects": 4}).read_subject("fake/S04").recordings


def test_the_loaded_model_answers_as_the_package_does(served, folder, person):
    expected = Predictor(read_package(folder)).answer(person)
    found = served.predict(pd.DataFrame(to_rows(person)))
    assert list(found.columns) == list(expected.segments)
    for name, values in expected.segments.items():
        np.testing.assert_array_equal(found[name].to_numpy(), values)


def test_means_by_trial_can_be_asked_for(served, folder, person):
    expected = Predictor(read_package(folder)).answer(person).trials
    found = served.predict(pd.DataFrame(to_rows(person)), params={"level": "trial"})
    np.testing.assert_array_equal(found["label/high"].to_numpy(), expected["label/high"])


def test_means_of_anything_else_are_refused(served, person):
    with pytest.raises(MlflowException, match="level is 'trials': give segment or trial"):
        served.predict(pd.DataFrame(to_rows(person[:1])), params={"level": "trials"})


def test_whole_numbers_are_numbers(served, person):
    rows = [{**row, "values": [1, 2, 3, 4], "sfreq": 1} for row in to_rows(person[:1])]
    assert len(served.predict(pd.DataFrame(rows))) == 1


def test_what_does_not_fit_is_refused_in_a_sentence(served, person):
    rows = [{**row, "unit": "uV"} for row in to_rows(person[:1])]
    with pytest.raises(MlflowException, match="in 'uV', and the model was trained on 'arbitrary'"):
        served.predict(pd.DataFrame(rows))


def test_what_the_example_shows_can_be_sent(registry, served):
    place = registry.folder_of("tiny").parents[1]
    assert len(served.predict(served.metadata.load_input_example(str(place)))) >= 1


def test_a_model_is_registered_once(registry, folder):
    again = registry.register(folder)
    assert (again.name, again.version, again.is_new) == ("tiny", "1", False)


def test_a_registration_that_was_killed_after_its_run_is_completed_without_a_second_run(registry, folder):
    client = registry.store.client
    client.delete_model_version("tiny", "1")
    made = registry.register(folder)
    runs = client.search_runs([registry.store.experiment_id])
    assert (made.version, made.is_new, len(runs)) == ("2", True, 1)


@pytest.mark.parametrize("reference", ["tiny", "models:/tiny"])
def test_the_newest_version_is_meant_where_none_is_said(registry, reference):
    assert read_package(registry.folder_of(reference)).name == "tiny"


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("tany", "no model 'tany' in MLflow at .* it has tiny"),
        ("tiny/9", "has no version 9"),
        ("a/b/c", "'a/b/c' is no model"),
        ("it's", '"it\'s" is no model'),
    ],
)
def test_a_model_that_is_not_there_is_told(registry, reference, problem):
    with pytest.raises(TrackingError, match=problem):
        registry.folder_of(reference)


def test_names_and_versions_are_read_from_references():
    assert parse_reference("models:/wrist/12") == ("wrist", "12")
    assert parse_reference("wrist") == ("wrist", "")


def test_nothing_pickled_is_registered(registry):
    names = {path.name for path in registry.folder_of("tiny").parents[1].rglob("*")}
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pth", ".bin"))]
    assert {"served_model.py", "preprocessing.yaml", "package.json", "input_example.json"} <= names


def test_lineage_stands_in_the_tags_of_the_version(registry):
    (version,) = registry.store.client.search_model_versions("name = 'tiny'")
    assert version.tags["emo.study"] == "s"
    assert version.tags["emo.subjects"] == "fake/S01, fake/S02, fake/S03"
    assert json.dumps(version.tags).count("S04") == 0
