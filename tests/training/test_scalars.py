"""TensorBoard files hold the scalars of every epoch, under the names that the published ones have."""

import math

import numpy as np
from tensorboardX.proto.event_pb2 import Event

from emo_ray.models.mlp import MlpConfig
from emo_ray.training.config import TrainingConfig
from emo_ray.training.loop import Runtime, Split, train
from emo_ray.training.scalars import Scalars
from emo_ray.training.seeding import Streams


def scalars_in(folder):
    """Tag and step to value; a record is its length (8 bytes), a checksum (4), the event, a checksum (4)."""
    found = {}
    for path in folder.iterdir():
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
            content = content[16 + length :]
    return found


def test_every_epoch_is_written_under_the_published_names(tmp_path):
    sides = {"train": {"loss": 0.5, "learning_rate": 0.25}, "validation": {"loss": 2.0, "macro_f1": math.nan}}
    with Scalars(tmp_path) as scalars:
        scalars.report(0, sides, 0)
        scalars.report(1, {"train": {"accuracy": 1.0}, "validation": {"kappa": 0.5}}, 0)
    assert scalars_in(tmp_path) == {
        ("Loss/Train", 0): 0.5,
        ("Learning_Rate", 0): 0.25,
        ("Loss/Val", 0): 2.0,
        ("Accuracy/Train", 1): 1.0,
        ("kappa/Val", 1): 0.5,
    }


def test_a_run_writes_its_history(single_head, tmp_path):
    config = TrainingConfig(max_epochs=2, score_train=True)
    split = Split(np.arange(40), np.arange(40, 60))
    model = MlpConfig().build(single_head.shape())
    with Scalars(tmp_path) as scalars:
        fitted = train(model, single_head, split, config, Streams(0), Runtime(observer=scalars))
    found = scalars_in(tmp_path)
    sides = {"Train": "train", "Val": "validation"}
    for (tag, epoch), value in found.items():
        name, _, side = tag.partition("/")
        known = {
            "Loss": "loss",
            "Accuracy": "accuracy",
            "F1_Macro": "macro_f1",
            "Learning_Rate": "learning_rate",
        }
        entry = fitted.history[epoch][sides.get(side, "train")]
        assert value == np.float32(entry[known.get(name, name)])
    assert {f"{name}/{side}" for name in ("Loss", "Accuracy", "F1_Macro") for side in sides} <= {
        t for t, _ in found
    }
