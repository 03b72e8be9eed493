"""Small final models of made-up people, trained on the spot: one that standardises by its people, one not."""

import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.deployment.choice import Choice
from emo_ray.deployment.making import Trained, package_of
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.fold import FinalFold
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.run import execute
from emo_ray.store.local import load_corpus
from emo_ray.training.config import TrainingConfig

CORPUS = FakeCorpus(n_subjects=3, n_trials=8, seed=5)


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    return load_corpus(CORPUS, RawTokens(), tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def make_package(table):
    """The package of a final model with some fields of the experiment changed."""

    def make(task="label", **changes):
        experiment = ExperimentConfig(
            corpus=CORPUS,
            extraction=RawTokens(),
            task=CORPUS.tasks()[task],
            model=MlpConfig(hidden=(4,)),
            training=TrainingConfig(max_epochs=2, batch_size=8),
            protocol=LeaveOneSubjectOut(),
        ).model_copy(update=changes)
        spec = RunSpec(experiment, FinalFold("everybody", table.subjects, (), ()), table.keys)
        result = execute(spec, table)
        return package_of(Trained(spec, result.record, result.weights), table, "tiny", Choice(n_epochs=2))

    return make


@pytest.fixture(scope="session")
def package(make_package):
    return make_package()


@pytest.fixture(scope="session")
def own_scaling(make_package):
    return make_package(scaling="transductive")


@pytest.fixture(scope="session")
def person():
    """The recordings of somebody whom the models have not seen."""
    return CORPUS.model_copy(update={"n_subjects": 4}).read_subject("fake/S04").recordings
