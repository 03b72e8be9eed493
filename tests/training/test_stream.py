"""Recordings in lanes: every segment once and in order, and no memory of anybody else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from emo_ray.errors import TrainingError
from emo_ray.models.base import SegmentModel
from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.config import TrainingConfig
from emo_ray.training.data import PIECE_ROWS
from emo_ray.training.feed import Feed
from emo_ray.training.loop import Runtime, Split, predict, train
from emo_ray.training.outputs import outputs_of
from emo_ray.training.sampler import SamplingConfig
from emo_ray.training.seeding import Streams, reset_process
from emo_ray.training.stream import NOBODY, Lanes, recordings
from emo_ray.training.team import Alone

LENGTHS = (7, 1, 12, 5, 3, 9, 6, 2, 8, 7)  # segments of ten trials, 60 in all
SPLIT = Split(train=np.arange(0, 43), validation=np.arange(43, 60))  # seven trials, and three
CONFIG = TrainingConfig(max_epochs=2, batch_size=4)


class Remembers(SegmentModel):
    """Logits from a decaying sum over the recording so far: so every output shows all of its past."""

    streams = True

    def __init__(self, n_classes=3):
        super().__init__()
        self.decay, self.readout, self.seen = nn.Parameter(torch.tensor(0.5)), nn.Linear(5, n_classes), []

    def forward(self, x, mask, facts=None):
        now = x["eeg"].mean(dim=1)  # rows features
        before = torch.zeros_like(now) if facts.state is None else facts.state["sum"]
        self.seen.append((facts.trial.tolist(), facts.reset.tolist(), before.requires_grad))
        total = now + self.decay * before.masked_fill(facts.reset[:, None], 0.0)
        return {"emotion": self.readout(total), "emb": total, "state/sum": total}


@pytest.fixture
def data(single_head):
    return replace(single_head, trial=np.repeat(np.arange(10, dtype=np.int32), LENGTHS))


def naive_outputs(model, data, rows):
    """One recording after the other, one segment after the other, by hand."""
    outputs, total, last = {}, None, None
    for row in sorted(rows):
        now = torch.from_numpy(data.values["eeg"][row].mean(axis=0))
        total = now if data.trial[row] != last else now + model.decay * total
        last = data.trial[row]
        outputs[row] = model.readout(total).detach()
    return torch.stack([outputs[row] for row in rows])


def fit(data, config=CONFIG):
    streams = Streams(0)
    reset_process(streams)
    return train(Remembers(), data, SPLIT, config, streams, Runtime())


def test_recordings_are_trials_in_the_order_of_time(data):
    found = recordings(data, np.array([9, 7, 8, 20, 0, 1]))  # trials 2, 1, 2, 3, 0, 0
    assert [places.tolist() for places in found] == [[4, 5], [1], [2, 0], [3]]
    assert recordings(data, np.arange(0)) == []


def test_a_lane_that_is_free_takes_the_next_recording():
    given = [np.arange(start, end) for start, end in ((0, 3), (3, 4), (4, 6), (6, 7))]
    lanes = Lanes.of(given, 2)
    # the second lane is free after one step, and takes 4-5; both are free then, the first takes 6
    assert lanes.places.tolist() == [[0, 1, 2, 6], [3, 4, 5, NOBODY]]
    assert lanes.starts.tolist() == [[True, False, False, True], [True, True, False, False]]


@pytest.mark.parametrize("n_pieces", [1, 3])
def test_an_epoch_reads_every_segment_once(data, n_pieces):
    feed = Feed(4, n_pieces, Alone())
    steps = feed.streamed(data, SPLIT.train, None, np.random.default_rng(0))
    read = [piece.examples for step in steps for piece in step.pieces]
    assert sorted(np.concatenate(read)) == SPLIT.train.tolist()
    assert [step.n_rows for step in steps] == [sum(map(len, (p.examples for p in s.pieces))) for s in steps]


@pytest.mark.parametrize("rows", [np.arange(60), np.array([30, 5, 31, 33, 6, 0]), np.arange(20, 21)])
def test_outputs_are_those_of_each_recording_read_alone(data, rows):
    model = Remembers()
    expected = naive_outputs(model, data, rows)
    torch.testing.assert_close(outputs_of(model, data, rows)["emotion"], expected)


def test_how_many_lanes_there_are_changes_nothing(data, monkeypatch):
    from emo_ray.training import data as data_module

    model = Remembers()
    many = outputs_of(model, data, np.arange(60))["emotion"]
    monkeypatch.setattr(data_module, "PIECE_ROWS", 2)
    assert PIECE_ROWS > 10
    torch.testing.assert_close(outputs_of(model, data, np.arange(60))["emotion"], many)


def test_memory_is_cut_between_steps_and_forgotten_at_a_start(data):
    fitted = fit(data, CONFIG.model_copy(update={"max_epochs": 1}))
    trials, resets, attached = zip(*fitted.model.seen, strict=True)
    assert not any(attached)
    pairs = [pair for step in zip(trials, resets, strict=True) for pair in zip(*step, strict=True)]
    started = [trial for trial, reset in pairs if reset]
    assert sorted(started) == list(range(10))  # of the train side, then of the validation side


@pytest.mark.parametrize("accumulate", [1, 2])
def test_training_sees_the_memory_of_its_own_recording(data, accumulate, monkeypatch):
    # with a rate of nearly nothing the weights stay, and the losses of an epoch are those of the outputs
    slow = CONFIG.optimizer.model_copy(update={"learning_rate": 1e-12})
    config = {"optimizer": slow, "score_train": True, "accumulate": accumulate, "max_epochs": 1}
    fitted = fit(data, CONFIG.model_copy(update=config))
    called = predict(fitted, data, SPLIT.train)["emotion"].argmax(axis=1)
    right = np.mean(called == data.targets["emotion"][SPLIT.train])
    assert fitted.history[0]["train"]["accuracy"] == pytest.approx(right)
    assert 0 < fitted.model.decay.item() < 1


def test_the_decay_is_learnt_through_the_memory(data):
    assert fit(data).model.decay.item() != 0.5


def test_recordings_are_drawn_where_classes_are_balanced(data):
    feed = Feed(4, 1, Alone())
    odds = np.where(data.trial[SPLIT.train] == 2, 1 / 12, 0.0)
    steps = feed.streamed(data, SPLIT.train, odds, np.random.default_rng(0))
    assert {int(data.trial[row]) for step in steps for row in step.pieces[0].examples} == {2}
    assert sum(step.n_rows for step in steps) == 12 * 7  # as many draws as there are recordings
    fit(data, CONFIG.model_copy(update={"sampling": SamplingConfig(classes="balanced")}))


def test_what_can_not_be_streamed_is_refused(data, single_head):
    with pytest.raises(TrainingError, match="do not tell which trial"):
        fit(single_head)
    with pytest.raises(TrainingError, match="children have no place"):
        fit(data, CONFIG.model_copy(update={"augmentation": AugmentationConfig(ratio=1.0)}))
