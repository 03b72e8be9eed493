"""With anything switched on, a run that was killed and resumed equals the undisturbed one bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from test_stream import Remembers

from emo_ray.models.mlp import MlpConfig
from emo_ray.models.phy_fusionnet_row import PhyFusionNetRowConfig
from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.checkpoint import Checkpointer, weights_digest
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, Split, train
from emo_ray.training.optimizer import OptimizerConfig
from emo_ray.training.sampler import SamplingConfig
from emo_ray.training.seeding import Streams, reset_process

SPLIT = Split(train=np.arange(0, 43), validation=np.arange(43, 60))
PLAIN = TrainingConfig(max_epochs=5, batch_size=16, optimizer=OptimizerConfig(learning_rate=0.02))
BALANCED = SamplingConfig(classes="balanced", datasets="sqrt")
OPTIONS = {
    "average": {"ema_decay": 0.9},
    "average, last": {"ema_decay": 0.9, "keep": "last"},
    "cosine and warm-up": {"schedule": "cosine", "warmup_epochs": 2.5},
    "plateau and warm-up": {"warmup_epochs": 3.0, "min_delta": 1e9, "patience": 9},
    "pieces": {"accumulate": 3, "score_train": True},
    "sampling": {"sampling": BALANCED},
    "sampling children": {"sampling": BALANCED, "augmentation": AugmentationConfig(ratio=1.0)},
    "bf16": {"amp": "bf16"},
    "smote": {"smote": True},
    "recordings": {"accumulate": 2},
    "recordings, sampling": {"sampling": BALANCED, "ema_decay": 0.9},
    "memory that is not saved": {"keep": "last"},
}


class Ends:
    """Observer that ends the run as a kill does."""

    def __init__(self, epoch):
        self.epoch = epoch

    def report(self, epoch, metrics, best_epoch):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def flat(data):
    """One token a modality, for rows of a table."""
    values = {name: np.ascontiguousarray(part[:, :1]) for name, part in data.values.items()}
    return replace(data, values=values, masks={name: mask[:, :1] for name, mask in data.masks.items()})


def model_for(name, shape):
    if name.startswith("recordings"):
        return Remembers()
    config = PhyFusionNetRowConfig() if name.startswith("memory") else MlpConfig(dropout=0.2)
    return config.build(shape)


def fit(data, config, name="", **runtime):
    streams = Streams(0)
    reset_process(streams)
    model = model_for(name, data.shape())
    return train(model, data, SPLIT, config, streams, Runtime(**runtime))


@pytest.mark.parametrize("name", OPTIONS)
def test_a_resumed_run_equals_the_undisturbed_one(single_head, tmp_path, name):
    trial, dataset = np.repeat(np.arange(12, dtype=np.int32), 5), np.arange(60, dtype=np.int32) % 3 // 2
    data = replace(flat(single_head) if name == "smote" else single_head, trial=trial, dataset=dataset)
    config = PLAIN.model_copy(update=OPTIONS[name])
    undisturbed = fit(data, config, name)
    safety = {"checkpointer": Checkpointer(tmp_path / "state.pt", 0.0, "run")}
    with pytest.raises(KeyboardInterrupt):
        fit(data, config, name, observer=Ends(3), **safety)
    resumed = fit(data, config, name, **safety)
    assert weights_digest(resumed.model) == weights_digest(undisturbed.model)
    assert (resumed.history, resumed.best_epoch) == (undisturbed.history, undisturbed.best_epoch)
    assert len(resumed.history) == 5


def test_the_options_are_not_idle(single_head):
    data = replace(single_head, dataset=np.arange(60, dtype=np.int32) % 3 // 2)
    plain = weights_digest(fit(data, PLAIN).model)
    for name in ("average", "cosine and warm-up", "sampling", "bf16"):
        changed = PLAIN.model_copy(update=OPTIONS[name])
        assert weights_digest(fit(data, changed).model) != plain, name
