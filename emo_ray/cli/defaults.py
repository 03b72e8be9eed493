"""What the jobs of this project start from, by corpus: evaluations and sweeps share it."""

from collections.abc import Callable
from pathlib import Path
from typing import NotRequired, TypedDict

from emo_ray.cli.demo import amigos_demo
from emo_ray.corpora.amigos import Amigos
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.empatica import wesad_wrist
from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.corpora.recognition import corpus_at
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.base import ModelConfig
from emo_ray.models.mlp import MlpConfig
from emo_ray.training.config import TrainingConfig
from emo_ray.training.optimizer import OptimizerConfig


class Defaults(TypedDict):
    """Fields of a `LosoJob` and of a `SweepJob`."""

    corpus: Callable[[Path], CorpusConfig]
    model: ModelConfig
    training: TrainingConfig
    demo: NotRequired[Callable[[bool], Path]]


AMIGOS: Defaults = {
    "corpus": lambda data: Amigos(path=data),
    # Chosen by validation scores on generated recordings; the published dropouts of 0.3 to 0.5 starve so
    # small a network on 1 s tokens. `--model amigos_lstm:moderate` has them.
    "model": AmigosLstmConfig(variant="moderate", dropout=0.1, input_dropout=0.1),
    "training": TrainingConfig(
        max_epochs=60, optimizer=OptimizerConfig(learning_rate=0.003), monitor="primary"
    ),
    "demo": amigos_demo,
}

TABLE: Defaults = {
    "corpus": lambda data: FeatureTable(path=data),
    "model": MlpConfig(hidden=(64,), dropout=0.5),
    # Chosen by validation scores; the validation loss would stop too early on people as different as these.
    "training": TrainingConfig(optimizer=OptimizerConfig(weight_decay=0.01), monitor="primary"),
}

WESAD: Defaults = {**TABLE, "corpus": wesad_wrist}

# Any corpus that is recognised by its files, until each has a network of its own here.
RECOGNISED: Defaults = {**TABLE, "corpus": corpus_at}
