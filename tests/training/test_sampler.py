"""Odds of rows, worked by hand, and what they do to the weights of the loss."""

from dataclasses import replace

import numpy as np
import pytest

from emo_ray.tasks.base import Head
from emo_ray.training.config import TrainingConfig
from emo_ray.training.data import Affine, SegmentData
from emo_ray.training.feed import Feed
from emo_ray.training.losses import fit_targets
from emo_ray.training.sampler import SamplingConfig, as_drawn, row_odds
from emo_ray.training.seeding import Streams
from emo_ray.training.state import Examples
from emo_ray.training.team import Alone

NAN = float("nan")
HEADS = (Head("emotion", "classes", ("calm", "glad")), Head("turn", "event"))
ROWS = np.arange(6)


@pytest.fixture
def six():
    """Corpus 0 has four rows (three calm, one glad), corpus 1 has two (one calm, one glad)."""
    return SegmentData(
        values={"eeg": np.zeros((6, 1, 1), np.float32)},
        masks={"eeg": np.ones((6, 1), bool)},
        subject=np.zeros(6, np.int32),
        targets={
            "emotion": np.array([0, 0, 0, 1, 0, 1], np.float32),
            "turn": np.array([1, 0, 0, 0, NAN, 0], np.float32),
        },
        heads=HEADS[:1],
        affine=Affine.identity({"eeg": 1}),
        dataset=np.array([0, 0, 0, 0, 1, 1], np.int32),
    )


@pytest.mark.parametrize(
    ("classes", "datasets", "expected"),
    [
        ("none", "none", [1 / 6] * 6),
        ("balanced", "none", [1 / 8, 1 / 8, 1 / 8, 1 / 4, 1 / 8, 1 / 4]),
        ("none", "equal", [1 / 8] * 4 + [1 / 4] * 2),
        # corpora 2 to sqrt 2
        ("none", "sqrt", [2 / (2 + 2**0.5) / 4] * 4 + [2**0.5 / (2 + 2**0.5) / 2] * 2),
        ("balanced", "equal", [1 / 12, 1 / 12, 1 / 12, 1 / 4, 1 / 4, 1 / 4]),
    ],
)
def test_odds_are_those_worked_by_hand(six, classes, datasets, expected):
    config = SamplingConfig(classes=classes, datasets=datasets)
    np.testing.assert_allclose(row_odds(config, six, ROWS), expected)


def test_rows_without_a_class_are_one_class_more(six):
    six.targets["emotion"][:3] = NAN
    odds = row_odds(SamplingConfig(classes="balanced"), six, ROWS)
    np.testing.assert_allclose(odds, [1 / 9, 1 / 9, 1 / 9, 1 / 6, 1 / 3, 1 / 6])


def test_one_corpus_is_weighed_as_none(six):
    alone = replace(six, dataset=np.empty(0, np.int32))
    np.testing.assert_allclose(row_odds(SamplingConfig(datasets="equal"), alone, ROWS), 1 / 6)


def test_classes_that_are_drawn_alike_weigh_alike(six):
    data = replace(six, heads=HEADS)
    statistics = fit_targets(HEADS, data.targets, ROWS)
    odds = np.array([1 / 8, 1 / 8, 1 / 8, 1 / 4, 1 / 8, 1 / 4])
    drawn = as_drawn(statistics, data, ROWS, odds)
    assert (statistics.class_counts["emotion"], drawn.class_counts["emotion"]) == ((4, 2), (3, 3))
    assert drawn.positives["turn"] == pytest.approx((1 / 8) / (7 / 8))  # row 4 has no label


def test_as_many_rows_are_drawn_as_there_are_and_by_their_odds():
    odds = np.array([0.7, 0.1, 0.2])
    many = np.repeat(np.arange(3), 1000)
    feed = Feed(64, 1, Alone())
    steps = feed.shuffled(many, np.repeat(odds, 1000) / 1000, np.random.default_rng(0))
    drawn = np.concatenate([step.pieces[0].examples for step in steps])
    shares = np.bincount(drawn) / 3000
    np.testing.assert_allclose(shares, odds, atol=4 * np.sqrt(0.7 * 0.3 / 3000))


def test_every_epoch_draws_its_own_rows_and_the_same_again(six):
    config = TrainingConfig(sampling=SamplingConfig(classes="balanced"))
    examples = Examples(six, ROWS, config, Streams(0))

    def drawn(epoch):
        steps = examples.steps(Feed(2, 1, Alone()), six, epoch, streams=False)
        return np.concatenate([step.pieces[0].examples for step in steps]).tolist()

    assert drawn(3) == drawn(3)
    assert len({tuple(drawn(epoch)) for epoch in range(6)}) > 1
