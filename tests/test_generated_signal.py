"""What the generator puts into its recordings comes out of the whole path, and nothing else does."""

from runpy import run_path

import numpy as np
import pytest

from emo_ray.corpora.amigos import Amigos
from emo_ray.experiment import ExperimentConfig
from emo_ray.extraction.amigos_tokens import AmigosTokens
from emo_ray.orchestration.plan import make_plan
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.run import execute
from emo_ray.store.local import load_corpus
from emo_ray.testing.amigos_files import AmigosFiles

pytestmark = pytest.mark.slow


def loso(pytestconfig, work, strength):
    """LOSO of the job's own model over ten generated people; records of all folds."""
    job = run_path(str(pytestconfig.rootpath / "jobs" / "loso_amigos.py"))["JOB"]
    AmigosFiles(n_subjects=11, long_videos=False, seed=11, strength=strength).write(work / "files")
    corpus, extraction = Amigos(path=work / "files"), AmigosTokens()
    table = load_corpus(corpus, extraction, work)
    experiment = ExperimentConfig(
        corpus=corpus,
        extraction=extraction,
        task=corpus.tasks()["affect"],
        model=job.own_model,
        training=job.own_training,
        protocol=LeaveOneSubjectOut(),
    )
    return [execute(spec, table).record for spec in make_plan([experiment], table).specs]


@pytest.mark.parametrize("metric", ["ccc", "valence/ccc", "arousal/ccc"])
def test_where_nothing_is_to_be_learnt_scores_lie_within_three_standard_errors_of_the_mean_guess(
    noise, metric
):
    scores = np.array([record.scores[metric] for record in noise])
    trivial = np.array([record.references["majority"][metric] for record in noise])
    difference = scores - trivial
    assert abs(difference.mean()) < 3 * difference.std(ddof=1) / np.sqrt(len(difference))


@pytest.mark.parametrize("reference", ["majority", "prior", "linear", "nuisance"])
def test_at_default_strength_the_network_beats_every_reference(signal, reference):
    ahead = [record.scores["ccc"] - record.references[reference]["ccc"] for record in signal]
    assert np.mean(ahead) > 2 * np.std(ahead, ddof=1) / np.sqrt(len(ahead))


def test_at_default_strength_results_are_not_perfect(signal):
    assert np.mean([record.scores["ccc"] for record in signal]) < 0.8


@pytest.fixture(scope="module")
def noise(pytestconfig, tmp_path_factory):
    return loso(pytestconfig, tmp_path_factory.mktemp("noise"), strength=0.0)


@pytest.fixture(scope="module")
def signal(pytestconfig, tmp_path_factory):
    return loso(pytestconfig, tmp_path_factory.mktemp("signal"), strength=1.0)
