"""From AMIGOS files to the journal: a scrambled test subject changes nothing that was trained."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from emo_ray.corpora.amigos import Amigos
from emo_ray.errors import ProtocolError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.amigos_tokens import AmigosTokens
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.protocols.lineage import check_unseen
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.results.journal import JOURNAL, Journal, read_records
from emo_ray.run import execute
from emo_ray.store.local import load_corpus
from emo_ray.testing.amigos_files import AmigosFiles
from emo_ray.training.config import TrainingConfig

TESTED = "amigos/P02"


def scramble(path):
    """Replace every sample and every rating of one participant's file by noise."""
    draw = np.random.default_rng(99)
    content = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    for cell in content["joined_data"][0]:
        cell[...] = 50 * draw.standard_normal(cell.shape)
    for key, low, high in (("labels_ext_annotation", -0.4, 0.4), ("labels_selfassessment", 1, 9)):
        for cell in content[key][0]:
            first = 1 if key == "labels_ext_annotation" else 0  # column 0 there is the segment's number
            cell[:, first:] = draw.uniform(low, high, cell[:, first:].shape)
    savemat(path, content, do_compression=True)


def journal_of(folder, work, scaling):
    """Files to features to store to table to run to journal; returns the journaled record."""
    corpus, extraction = Amigos(path=folder), AmigosTokens()
    table = load_corpus(corpus, extraction, work)
    experiment = ExperimentConfig(
        corpus=corpus,
        extraction=extraction,
        task=corpus.tasks()["affect"],
        model=AmigosLstmConfig(variant="lightweight"),
        training=TrainingConfig(max_epochs=3, batch_size=8),
        protocol=LeaveOneSubjectOut(),
        scaling=scaling,
    )
    groups = {subject: table.groups[subject] for subject in table.subjects}
    (fold,) = (fold for fold in experiment.protocol.folds(groups, seed=0) if fold.test == (TESTED,))
    with Journal(work / "study") as journal:
        journal.append(execute(RunSpec(experiment, fold, table.keys), table))
    return next(iter(read_records(work / "study" / JOURNAL).values()))


@pytest.fixture(scope="module", params=["train", "transductive"])
def records(request, tmp_path_factory):
    """The journaled run before and after its test subject's file was scrambled."""
    folder = tmp_path_factory.mktemp("amigos")
    AmigosFiles(n_subjects=4, videos=("10", "13"), seed=5).write(folder)
    before = journal_of(folder, tmp_path_factory.mktemp("before"), request.param)
    scramble(next(folder.rglob("*P02.mat")))
    return before, journal_of(folder, tmp_path_factory.mktemp("after"), request.param)


def test_weights_epoch_and_thresholds_are_bit_identical(records):
    before, after = records
    for name in ("weights_digest", "best_epoch", "history", "thresholds"):
        assert getattr(before, name) == getattr(after, name), name


def test_the_scramble_did_reach_the_test(records):
    before, after = records
    assert before.scores["valence/mae"] != after.scores["valence/mae"]
    assert before.fingerprint != after.fingerprint


def test_the_journaled_lineage_lets_the_tested_subject_pass_and_no_other(records):
    lineage = {thing: frozenset(seen) for thing, seen in records[0].lineage.items()}
    check_unseen([TESTED], lineage)
    for other in ("amigos/P01", "amigos/P03", "amigos/P04"):
        with pytest.raises(ProtocolError, match=other):
            check_unseen([other], lineage)
