"""Every corpus: its synthetic files are recognised, surveyed as declared, and trained on."""

import pytest
from corpus_rows import OWN_DATA, ROWS

from emo_ray.corpora.recognition import corpus_at, with_settings
from emo_ray.corpora.registry import CORPORA
from emo_ray.corpora.survey import survey_subject
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.registry import default_extraction
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.run import execute
from emo_ray.store.local import load_corpus
from emo_ray.testing.registry import WRITERS
from emo_ray.training.config import TrainingConfig


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.name)
def row(request):
    return request.param


@pytest.fixture(scope="module")
def corpus(row, tmp_path_factory):
    folder = tmp_path_factory.mktemp(row.kind)
    small = WRITERS[row.kind].small(n_subjects=3)
    type(small).model_validate(small.model_dump() | row.files).write(folder)
    return with_settings(corpus_at(folder), row.corpus)


def test_every_published_corpus_has_a_row_and_a_writer():
    assert {row.kind for row in ROWS} == set(CORPORA) - OWN_DATA == set(WRITERS)


def test_the_files_are_recognised_as_their_corpus(row, corpus):
    assert corpus.kind == row.kind


def test_its_card_says_who_may_use_it(corpus):
    card = corpus.card
    assert all((card.title, card.licence, card.citation, card.access))


def test_the_survey_finds_labelled_trials_and_nothing_against_the_declaration(corpus):
    for subject in corpus.find_subjects():
        survey, _ = survey_subject(corpus, corpus.tasks(), subject)
        assert not survey.problem
        assert survey.n_trials > 0
        assert any(sum(classes.values()) for classes in survey.labels.values())
        assert not [
            note for note in survey.notes if "where the release has" in note and " trials" not in note
        ]


def test_one_epoch_of_loso_runs(row, corpus, tmp_path):
    extraction = default_extraction(corpus)
    extraction = type(extraction).model_validate(extraction.model_dump() | row.extraction)
    experiment = ExperimentConfig(
        corpus=corpus,
        extraction=extraction,
        task=next(iter(corpus.tasks().values())),
        model=MlpConfig(hidden=(4,)),
        training=TrainingConfig(max_epochs=1),
        protocol=LeaveOneSubjectOut(),
        references=("majority",),
    )
    table = load_corpus(corpus, extraction, tmp_path)
    folds = experiment.protocol.folds(table.groups, 0)
    records = [execute(RunSpec(experiment, fold, table.keys), table).record for fold in folds]
    assert [record.status for record in records] == ["finished"] * 3, [record.error for record in records]
