"""The test of what an inner search chose: trained on everybody else, steered by nobody who is tested."""

import dataclasses

import numpy as np
import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import ProtocolError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.fold import Fold
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.results.search_results import Chosen
from emo_ray.run import execute
from emo_ray.search.config import Budget, SearchConfig
from emo_ray.space import parse_space
from emo_ray.store.local import load_corpus
from emo_ray.tasks.affect import AffectTask
from emo_ray.training.config import TrainingConfig

CORPUS = FakeCorpus(n_subjects=5, n_trials=12, seed=3)
SUBJECTS = tuple(CORPUS.find_subjects())
TEST, OTHERS = SUBJECTS[1], (SUBJECTS[0], *SUBJECTS[2:])
SPACE = parse_space({"model.dropout": {"uniform": [0, 0.6]}}, "a test")
SEARCH = SearchConfig(space=SPACE, budget=Budget(n_candidates=3))
CHOSEN = Chosen(
    search=TEST,
    number=2,
    params={"model.hidden": [7], "training.batch_size": 16},
    n_epochs=4,
    thresholds={"transition": 0.25},
    subjects=OTHERS,
    value=0.7,
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return load_corpus(CORPUS, RawTokens(), tmp_path_factory.mktemp("store"))


def spec_of(table, test=TEST, search=SEARCH, **fields):
    known = {
        "corpus": CORPUS,
        "extraction": RawTokens(),
        "task": CORPUS.tasks()["label"],
        "model": MlpConfig(hidden=(4,)),
        "training": TrainingConfig(max_epochs=9, batch_size=8, patience=1),
        "protocol": LeaveOneSubjectOut(),
        "references": ("majority",),
    }
    fold = Fold(test, tuple(name for name in SUBJECTS if name != test), (), (test,))
    identity = search.identity() if search else None
    return RunSpec(ExperimentConfig(**{**known, **fields}), fold, table.keys, search=identity)


def test_it_trains_on_everybody_else_for_as_long_as_the_search_said(table):
    record = execute(spec_of(table), table, chosen=CHOSEN).record
    assert len(record.history) == 4
    assert record.best_epoch == 3
    assert record.rows == {"train": 4 * 12, "validation": 0, "test": 12}
    assert record.lineage["weights"] == OTHERS == record.lineage["scaler"]
    assert record.chosen["n_epochs"] == 4


def test_it_trains_with_the_settings_that_were_chosen(table):
    record = execute(spec_of(table), table, chosen=CHOSEN).record
    # 5 features to 7 units to 2 classes, each with a bias
    assert record.n_parameters == 5 * 7 + 7 + 7 * 2 + 2
    by_hand = spec_of(
        table,
        search=None,
        model=MlpConfig(hidden=(7,)),
        training=TrainingConfig(max_epochs=4, batch_size=16, patience=1),
    )
    assert execute(by_hand, table).record.weights_digest == record.weights_digest


def test_settings_epoch_and_thresholds_have_seen_whom_the_search_has_seen(table):
    # somebody who chose and does not train, as people of an earlier study would
    chosen = dataclasses.replace(CHOSEN, subjects=(*OTHERS, "other/S9"))
    record = execute(spec_of(table), table, chosen=chosen).record
    for thing in ("settings", "epoch", "thresholds"):
        assert record.lineage[thing] == (*OTHERS, "other/S9"), thing
    assert record.lineage["weights"] == OTHERS


def test_settings_that_nobody_chose_have_no_lineage(table):
    assert "settings" not in execute(spec_of(table, search=None), table).record.lineage


@pytest.mark.parametrize("seen", [SUBJECTS, (TEST,)])
def test_a_choice_that_the_test_subject_had_a_part_in_is_refused(table, seen):
    leaky = dataclasses.replace(CHOSEN, subjects=seen)
    with pytest.raises(ProtocolError, match=f"settings has seen {TEST}"):
        execute(spec_of(table), table, chosen=leaky)


@pytest.mark.parametrize("scaling", ["train", "transductive"])
def test_scrambling_the_test_subject_leaves_the_weights_bit_identical(table, tmp_path, scaling):
    noisy = CORPUS.model_copy(update={"noise_subjects": ("S02",)})
    loud = load_corpus(noisy, RawTokens(), tmp_path)
    clean, scrambled = (execute(spec_of(t, scaling=scaling), t, chosen=CHOSEN) for t in (table, loud))
    assert clean.weights == scrambled.weights
    assert clean.record.weights_digest == scrambled.record.weights_digest
    assert clean.record.history == scrambled.record.history
    high = (result.predictions.columns["prediction/label/high"] for result in (clean, scrambled))
    assert not np.array_equal(*high)


def test_scrambling_somebody_else_does_change_the_weights(table, tmp_path):
    loud = load_corpus(CORPUS.model_copy(update={"noise_subjects": ("S03",)}), RawTokens(), tmp_path)
    one, other = (execute(spec_of(t), t, chosen=CHOSEN).record for t in (table, loud))
    assert one.weights_digest != other.weights_digest


def with_transitions(table):
    """The table with one trial of 12 segments a subject, and annotations that change."""
    draw = np.random.default_rng(0)
    told = ("external_valence", "external_arousal")
    return dataclasses.replace(
        table,
        ratings={name: draw.random(len(table)).astype(np.float32) for name in told},
        trial=table.subject,
        index=np.tile(np.arange(1, 13, dtype=np.int32), 5),
    )


@pytest.mark.parametrize("threshold", [0.0, 1.1], ids=["all are called", "none is called"])
def test_the_thresholds_of_the_search_decide_and_are_recorded(table, threshold):
    told, task = with_transitions(table), AffectTask(theta=0.4)
    chosen = dataclasses.replace(CHOSEN, thresholds={"transition": threshold})
    record = execute(spec_of(told, task=task), told, chosen=chosen).record
    events = task.targets(told.columns)["transition"][told.rows_of([TEST])]
    n, n_true = np.isfinite(events).sum(), np.nansum(events)
    assert 0 < n_true < n
    f1 = 2 * n_true / (n + n_true) if threshold == 0 else 0
    assert record.scores["transition/f1"] == pytest.approx(f1)
    assert record.thresholds == {"transition": threshold}


def test_its_column_says_that_it_is_nested(table):
    assert spec_of(table).column == "nested"
    assert spec_of(table, search=None).column == "flat"
    for search in (SEARCH, None):
        assert spec_of(table, search=search, scaling="transductive").column == "transductive"
    assert execute(spec_of(table), table, chosen=CHOSEN).record.column == "nested"


def test_a_candidate_is_what_all_folds_of_a_nested_study_share(table):
    names = {spec_of(table, test=subject).candidate for subject in SUBJECTS}
    assert len(names) == 1
    wider = SEARCH.model_copy(update={"space": parse_space({"model.dropout": [0.1, 0.2]}, "a test")})
    assert spec_of(table, search=wider).candidate not in names
    assert spec_of(table, search=None).candidate not in names
    assert execute(spec_of(table), table, chosen=CHOSEN).record.candidate in names


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"sampler": "random"}, {"candidate_limit_s": 5.0}, {"first": ({"model.dropout": 0.1},)}],
)
def test_whatever_can_change_the_choice_changes_the_fingerprint(table, change):
    other = SEARCH.model_copy(update=change)
    assert spec_of(table, search=other).fingerprint != spec_of(table).fingerprint


@pytest.mark.parametrize(
    "change",
    [{"budget": Budget(n_candidates=3, hours=2.0)}, {"max_failed_share": 0.9}],
    ids=["hours", "failures"],
)
def test_when_a_search_is_given_up_does_not_change_the_fingerprint(table, change):
    other = SEARCH.model_copy(update=change)
    assert spec_of(table, search=other).fingerprint == spec_of(table).fingerprint


def test_the_choice_is_an_outcome_and_no_part_of_the_fingerprint(table):
    other = dataclasses.replace(CHOSEN, n_epochs=2)
    one, two = (execute(spec_of(table), table, chosen=chosen).record for chosen in (CHOSEN, other))
    assert one.fingerprint == two.fingerprint
    assert one.weights_digest != two.weights_digest
