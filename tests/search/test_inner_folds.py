"""Folds inside a search: names, groups and a seed make them; nobody else has a say."""

import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import ProtocolError
from emo_ray.experiment import ExperimentConfig
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.subject_protocols import LeaveOneGroupOut, LeaveOneSubjectOut
from emo_ray.search.config import FlatScoring, HoldOutScoring, KFoldScoring
from emo_ray.search.inner_folds import inner_folds

# five pairs and two who came alone
PAIRED = {f"S{n:02d}": f"pair{n // 2}" if n < 10 else f"alone{n}" for n in range(12)}
ALONE = {f"S{n:02d}": f"S{n:02d}" for n in range(12)}
SCORINGS = [HoldOutScoring(), HoldOutScoring(share=0.6), KFoldScoring(n_folds=2), KFoldScoring(n_folds=5)]


def experiment(**fields):
    corpus = FakeCorpus()
    known = {
        "corpus": corpus,
        "extraction": RawTokens(),
        "task": corpus.tasks()["label"],
        "model": MlpConfig(),
        "protocol": LeaveOneSubjectOut(),
    }
    return ExperimentConfig(**{**known, **fields})


@pytest.mark.parametrize("scoring", SCORINGS, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_people_recorded_together_are_never_divided_and_everybody_takes_part(scoring, seed):
    for fold in inner_folds("P1", PAIRED, scoring, experiment(seed=seed)):
        assert set(fold.train) | set(fold.validation) == set(PAIRED)
        assert not {PAIRED[name] for name in fold.train} & {PAIRED[name] for name in fold.validation}
        assert fold.test == ()


@pytest.mark.parametrize("groups", [ALONE, PAIRED], ids=["alone", "paired"])
@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_every_subject_scores_exactly_once_under_kfold(groups, n_folds):
    folds = inner_folds("", groups, KFoldScoring(n_folds=n_folds), experiment())
    assert len(folds) == n_folds
    assert sorted(name for fold in folds for name in fold.validation) == sorted(groups)


def test_parts_of_kfold_differ_by_one_group_at_most():
    folds = inner_folds("", ALONE, KFoldScoring(n_folds=5), experiment())
    assert sorted(len(fold.validation) for fold in folds) == [2, 2, 2, 3, 3]


@pytest.mark.parametrize(("share", "n"), [(0.01, 1), (0.25, 3), (0.5, 6), (0.99, 11)])
def test_a_hold_out_keeps_the_share_of_the_subjects_and_never_all(share, n):
    (fold,) = inner_folds("", ALONE, HoldOutScoring(share=share), experiment())
    assert len(fold.validation) == n


def test_a_hold_out_of_pairs_is_at_most_one_person_too_many():
    for seed in range(10):
        (fold,) = inner_folds("", PAIRED, HoldOutScoring(share=0.25), experiment(seed=seed))
        assert len(fold.validation) in {3, 4}


def test_a_draw_depends_on_names_seed_and_search_and_on_nothing_else():
    scoring, groups = KFoldScoring(n_folds=3), dict(reversed(PAIRED.items()))
    there = inner_folds("P1", PAIRED, scoring, experiment())
    inner_folds("P2", PAIRED, scoring, experiment())
    other_data = experiment(corpus=FakeCorpus(seed=9, strength=0.0), scaling="transductive")
    assert inner_folds("P1", groups, scoring, other_data) == there


def test_another_seed_or_another_search_draws_other_people():
    def scored(search, seed):
        folds = inner_folds(search, ALONE, KFoldScoring(n_folds=3), experiment(seed=seed))
        return [fold.validation for fold in folds]

    assert scored("P1", 0) != scored("P2", 0)
    assert scored("P1", 0) != scored("P1", 1)


def test_folds_are_called_by_their_search_and_place():
    assert [fold.name for fold in inner_folds("P1", ALONE, KFoldScoring(n_folds=2), experiment())] == [
        "P1/inner-1",
        "P1/inner-2",
    ]
    assert inner_folds("", ALONE, HoldOutScoring(), experiment())[0].name == "inner-1"


@pytest.mark.parametrize("protocol", [LeaveOneSubjectOut(), LeaveOneGroupOut()], ids=["loso", "logo"])
def test_a_flat_search_scores_on_the_folds_of_the_protocol_itself(protocol):
    base = experiment(protocol=protocol, seed=3)
    folds = inner_folds("", PAIRED, FlatScoring(), base)
    assert folds == protocol.folds(PAIRED, 3)
    assert {name for fold in folds for name in fold.test} == set(PAIRED)


@pytest.mark.parametrize(
    ("scoring", "groups", "words"),
    [
        (KFoldScoring(n_folds=3), {"a": "x", "b": "x", "c": "y"}, r"3 subjects in 2 groups.*kfold.*needs 3"),
        (HoldOutScoring(), {"a": "x", "b": "x"}, r"2 subjects in 1 groups.*holdout.*needs 2"),
    ],
)
def test_too_few_groups_are_refused_in_words(scoring, groups, words):
    with pytest.raises(ProtocolError, match=rf"the search for 'P1' has {words}: use more subjects"):
        inner_folds("P1", groups, scoring, experiment())
