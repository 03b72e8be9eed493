"""Augmented training: no row of another side gets in, a resumed run is the same, and off costs nothing."""

from dataclasses import replace

import numpy as np
import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.run import execute
from emo_ray.space import parse_space
from emo_ray.store.local import load_corpus
from emo_ray.training import loop, state
from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.checkpoint import Checkpointer, weights_digest
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, Split, train
from emo_ray.training.seeding import Streams, reset_process

SPLIT = Split(train=np.arange(0, 40), validation=np.arange(40, 50))
AUGMENTED = TrainingConfig(max_epochs=4, batch_size=8, augmentation=AugmentationConfig(ratio=2.0))
CORPUS = FakeCorpus(n_subjects=4, n_trials=10, seed=3)
RATIO = "training.augmentation.ratio"


class Killer:
    """Observer that ends the run after an epoch."""

    def report(self, epoch, metrics, best_epoch):
        if epoch == 2:
            raise KeyboardInterrupt


def fit(data, config=AUGMENTED, rows=SPLIT, **runtime):
    streams = Streams(0)
    reset_process(streams)
    return train(MlpConfig(dropout=0.2).build(data.shape()), data, rows, config, streams, Runtime(**runtime))


def experiment(**fields):
    known = {
        "corpus": CORPUS,
        "extraction": RawTokens(),
        "task": CORPUS.tasks()["label"],
        "model": MlpConfig(),
        "training": AUGMENTED,
        "protocol": LeaveOneSubjectOut(),
    }
    return ExperimentConfig(**{**known, **fields})


def spec_of(table, config):
    folds = config.protocol.folds({subject: table.groups[subject] for subject in table.subjects}, config.seed)
    return RunSpec(config, folds[1], table.keys)


@pytest.mark.parametrize("resample", ["epoch", "once"])
def test_rows_outside_the_training_side_change_nothing(single_head, resample):
    config = AUGMENTED.model_copy(update={"augmentation": AugmentationConfig(ratio=2.0, resample=resample)})
    rows = replace(SPLIT, validation=np.arange(0))  # validation chooses the epoch, so it is left out here
    before = fit(single_head, config, rows)
    values = {name: array.copy() for name, array in single_head.values.items()}
    targets = {"emotion": single_head.targets["emotion"].copy()}
    for array in values.values():
        array[40:] = 1e6
    targets["emotion"][40:] = 2
    after = fit(replace(single_head, values=values, targets=targets), config, rows)
    assert weights_digest(before.model) == weights_digest(after.model)
    assert before.history == after.history


def test_scrambling_the_test_subject_leaves_an_augmented_run_bit_identical(tmp_path):
    loud = CORPUS.model_copy(update={"noise_subjects": ("S02",)})
    tables = [load_corpus(corpus, RawTokens(), tmp_path) for corpus in (CORPUS, loud)]
    clean, scrambled = (execute(spec_of(table, experiment()), table) for table in tables)
    assert clean.record.subjects == ("fake/S02",)
    assert clean.weights == scrambled.weights
    assert clean.record.history == scrambled.record.history
    plain = experiment(training=TrainingConfig(max_epochs=4, batch_size=8))
    record = execute(spec_of(tables[0], plain), tables[0]).record
    assert record.lineage == clean.record.lineage  # children bring nobody in
    assert record.rows == clean.record.rows  # and are not counted as data
    assert record.weights_digest != clean.record.weights_digest


def test_an_augmented_run_is_the_same_whatever_ran_before(three_heads, single_head):
    first = fit(three_heads)
    fit(single_head)
    second = fit(three_heads)
    assert weights_digest(first.model) == weights_digest(second.model)
    assert first.history == second.history


def test_a_resumed_augmented_run_equals_the_undisturbed_one_bit_for_bit(single_head, tmp_path):
    undisturbed = fit(single_head)
    safety = {"checkpointer": Checkpointer(tmp_path / "state.pt", 0.0, "run")}
    with pytest.raises(KeyboardInterrupt):
        fit(single_head, observer=Killer(), **safety)
    resumed = fit(single_head, **safety)
    assert weights_digest(resumed.model) == weights_digest(undisturbed.model)
    assert resumed.history == undisturbed.history


def test_without_augmentation_nothing_of_it_is_made(single_head, monkeypatch):
    monkeypatch.setattr(state, "Augmenter", None)  # calling it would fail
    off = AUGMENTED.model_copy(update={"augmentation": AugmentationConfig(mixup_alpha=0.4)})
    plain = AUGMENTED.model_copy(update={"augmentation": AugmentationConfig()})
    assert weights_digest(fit(single_head, off).model) == weights_digest(fit(single_head, plain).model)


def test_an_augmented_epoch_takes_its_share_of_steps(single_head, monkeypatch):
    sizes = []
    train_step = loop.train_step

    def counted(run, step, batches, tally):
        sizes.append(step.n_rows)
        train_step(run, step, batches, tally)

    monkeypatch.setattr(loop, "train_step", counted)
    fit(single_head, AUGMENTED.model_copy(update={"max_epochs": 1}))
    assert sum(sizes) == pytest.approx(3 * 40, abs=9)  # rounding down costs each technique one child at most


def test_the_ratio_can_be_searched_by_its_dotted_name():
    space = parse_space(
        {RATIO: {"uniform": [0, 2]}, "training.augmentation.contributions.mixup": [0, 0.3]}, ""
    )
    for key, dimension in space.dimensions.items():
        for value in dimension.examples():
            changed = experiment().changed({key: value}).training.augmentation
            found = changed.ratio if key == RATIO else changed.contributions.mixup
            assert found == value
    assert experiment().changed({RATIO: 0.5}).candidate != experiment().candidate
