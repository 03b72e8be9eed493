"""SMOTE on flat rows: classes of one size, made of train rows alone, on the lines between them."""

from dataclasses import replace

import numpy as np
import pytest

from emo_ray.errors import TrainingError
from emo_ray.tasks.base import Head
from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.config import TrainingConfig
from emo_ray.training.data import Affine, SegmentData
from emo_ray.training.losses import fit_targets
from emo_ray.training.seeding import Streams
from emo_ray.training.synthetic import synthetic_rows

CLASSES = Head("emotion", "classes", ("calm", "glad", "sad"))
VALENCE = Head("valence", "value")
TRAIN = np.arange(30)


@pytest.fixture
def flat():
    """18 calm rows and 12 glad ones to train on, ten more; x is standardised to (v - 1) * 2."""
    rng = np.random.default_rng(0)
    codes = np.array([0] * 18 + [1] * 12 + [2] * 10, np.float32)
    return SegmentData(
        values={
            name: rng.normal(size=(40, 1, width)).astype(np.float32)
            for name, width in (("eeg", 3), ("gsr", 2))
        },
        masks={name: np.ones((40, 1), bool) for name in ("eeg", "gsr")},
        subject=np.zeros(40, np.int32),
        targets={"emotion": codes, "valence": codes + 3},
        heads=(CLASSES, VALENCE),
        affine=Affine(
            shift={name: np.ones((1, width), np.float32) for name, width in (("eeg", 3), ("gsr", 2))},
            scale={name: np.full((1, width), 2, np.float32) for name, width in (("eeg", 3), ("gsr", 2))},
        ),
        trial=np.arange(40, dtype=np.int32),
    )


def made_by(data, rows=TRAIN, seed=0):
    return synthetic_rows(data, rows, Streams(seed))


def test_all_classes_that_are_there_come_to_the_size_of_the_largest(flat):
    made = made_by(flat)
    np.testing.assert_array_equal(made.targets["emotion"], np.ones(6))  # 18 - 12
    assert np.isnan(made.targets["valence"]).all()
    assert made.examples.tolist() == [*range(30), -1, -2, -3, -4, -5, -6]
    counts = made.statistics(fit_targets(flat.heads, flat.targets, TRAIN)).class_counts
    assert counts == {"emotion": (18, 18, 0)}


def test_a_synthetic_row_lies_between_two_standardised_rows_of_its_class(flat):
    made = made_by(flat)
    x = np.concatenate([(flat.values[name][18:30, 0] - 1) * 2 for name in ("eeg", "gsr")], axis=1)
    for row in np.concatenate([made.values["eeg"], made.values["gsr"]], axis=1):
        first = row - x  # offsets from every row: one pair of them is opposite, in proportion
        norms = np.linalg.norm(first, axis=1)
        cosines = first @ first.T / np.maximum(np.outer(norms, norms), 1e-9)
        assert cosines.min() == pytest.approx(-1, abs=1e-4)


def test_a_batch_holds_originals_and_synthetic_rows_as_asked(flat):
    made = made_by(flat)
    batch = made.batch(np.array([5, -2, 29]))
    plain = flat.batch(np.array([5, 29]))
    for name in flat.values:
        np.testing.assert_array_equal(batch.x[name][[0, 2]], plain.x[name])
        np.testing.assert_array_equal(batch.x[name][1, 0], made.values[name][1])
        assert batch.mask[name].all()
    assert batch.targets["emotion"].tolist() == [0, 1, 1]
    assert batch.facts.trial.tolist() == [5, -2, 29]


def test_rows_out_of_training_and_rows_that_lack_a_modality_are_no_parents(flat):
    before = made_by(flat)
    values = {name: part.copy() for name, part in flat.values.items()}
    values["eeg"][30:] = 1e6
    values["eeg"][20] = 1e6
    masks = {name: mask.copy() for name, mask in flat.masks.items()}
    masks["eeg"][20] = False
    after = made_by(replace(flat, values=values, masks=masks))
    assert len(after.targets["emotion"]) == 18 - 11
    assert np.abs(after.values["eeg"]).max() < 1e3
    again = made_by(
        replace(
            flat, values=values | {"eeg": np.where(np.arange(40)[:, None, None] < 30, flat.values["eeg"], 9)}
        )
    )
    np.testing.assert_array_equal(again.values["eeg"], before.values["eeg"])


def test_the_seed_decides(flat):
    assert made_by(flat).values["eeg"].tolist() == made_by(flat).values["eeg"].tolist()
    assert made_by(flat).values["eeg"].tolist() != made_by(flat, seed=1).values["eeg"].tolist()


def test_small_classes_have_fewer_neighbours_and_single_rows_none(flat, caplog):
    assert len(made_by(flat, np.arange(20)).targets["emotion"]) == 16  # 18 calm, 2 glad: k is 1
    caplog.set_level("INFO")
    assert made_by(flat, np.arange(19)) is None
    assert made_by(flat, np.arange(18)) is None
    assert "no SMOTE: 2 classes, the smallest with 1 rows" in caplog.text


def test_sequences_and_tasks_without_classes_are_refused(flat, single_head):
    with pytest.raises(TrainingError, match=r"segments of 4 tokens: set training\.sampling"):
        made_by(single_head)
    with pytest.raises(TrainingError, match="this task has none"):
        made_by(replace(flat, heads=(VALENCE,)))


def test_smote_and_other_ways_to_balance_exclude_each_other():
    for other in ({"augmentation": AugmentationConfig(ratio=1)}, {"sampling": {"classes": "balanced"}}):
        with pytest.raises(ValueError, match="smote fills up the classes itself"):
            TrainingConfig(smote=True, **other)
