"""A small experiment and its table, shared by the tests of this folder."""

import os
from pathlib import Path

import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.experiment import ExperimentConfig
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.store.local import load_corpus
from emo_ray.training.config import TrainingConfig

# The workers of a cluster that a test starts unpickle a model of ours: they must find its module here.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
)
CORPUS = FakeCorpus(n_subjects=5, n_trials=12, seed=3, pairs=True)


@pytest.fixture(scope="session")
def experiment():
    return ExperimentConfig(
        corpus=CORPUS,
        extraction=RawTokens(),
        task=CORPUS.tasks()["label"],
        model=MlpConfig(hidden=(4,)),
        training=TrainingConfig(max_epochs=2, batch_size=8),
        protocol=LeaveOneSubjectOut(),
    )


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    return load_corpus(CORPUS, RawTokens(), tmp_path_factory.mktemp("store"))
