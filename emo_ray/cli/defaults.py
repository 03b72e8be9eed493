"""What the jobs of this project start from, by corpus: evaluations and sweeps share it.

Nothing is loaded until a job asks for it: torch alone takes a second, in which its workers can come up.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

if TYPE_CHECKING:
    from emo_ray.cli.systems import System
    from emo_ray.corpora.base import CorpusConfig
    from emo_ray.models.base import ModelConfig
    from emo_ray.training.config import TrainingConfig


class Defaults(TypedDict):
    """Fields of a `LosoJob` and of a `SweepJob`."""

    corpus: "Callable[[Path], CorpusConfig]"
    model: "Callable[[], ModelConfig]"
    training: "Callable[[], TrainingConfig]"
    system: "NotRequired[Callable[[], System]]"
    demo: NotRequired[Callable[[bool], Path]]


def _amigos(data: Path) -> "CorpusConfig":
    from emo_ray.corpora.amigos import Amigos

    return Amigos(path=data)


def _amigos_lstm() -> "ModelConfig":
    from emo_ray.models.amigos_lstm import AmigosLstmConfig

    # Chosen by validation scores on generated recordings; the published dropouts of 0.3 to 0.5 starve so
    # small a network on 1 s tokens. `--model amigos_lstm:moderate` has them.
    return AmigosLstmConfig(variant="moderate", dropout=0.1, input_dropout=0.1)


def _long_training() -> "TrainingConfig":
    from emo_ray.training.config import TrainingConfig
    from emo_ray.training.optimizer import OptimizerConfig

    return TrainingConfig(max_epochs=60, optimizer=OptimizerConfig(learning_rate=0.003), monitor="primary")


def _table(data: Path) -> "CorpusConfig":
    from emo_ray.corpora.feature_table import FeatureTable

    return FeatureTable(path=data)


def _mlp() -> "ModelConfig":
    from emo_ray.models.mlp import MlpConfig

    return MlpConfig(hidden=(64,), dropout=0.5)


def _decayed_training() -> "TrainingConfig":
    from emo_ray.training.config import TrainingConfig
    from emo_ray.training.optimizer import OptimizerConfig

    # Chosen by validation scores; the validation loss would stop too early on people as different as these.
    return TrainingConfig(optimizer=OptimizerConfig(weight_decay=0.01), monitor="primary")


def _wrist(data: Path) -> "CorpusConfig":
    from emo_ray.corpora.empatica import wesad_wrist

    return wesad_wrist(data)


def _recognised(data: Path) -> "CorpusConfig":
    from emo_ray.corpora.recognition import corpus_at

    return corpus_at(data)


def _later(module: str, function: str) -> Callable[..., Any]:
    """A function of this folder, whose module is loaded when it is called."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(f"emo_ray.cli.{module}"), function)(*arguments)

    return call


AMIGOS: Defaults = {
    "corpus": _amigos,
    "model": _amigos_lstm,
    "training": _long_training,
    "system": _later("systems", "amigos_lstm"),
    "demo": _later("demo", "amigos_demo"),
}

TABLE: Defaults = {"corpus": _table, "model": _mlp, "training": _decayed_training}

WESAD: Defaults = {**TABLE, "corpus": _wrist}

# Any corpus that is recognised by its files.
RECOGNISED: Defaults = {**TABLE, "corpus": _recognised}

# The published systems, on whatever corpus lies there; what they make of it is their own.
PHY_FUSIONNET: Defaults = {
    **RECOGNISED,
    "system": _later("systems", "phy_fusionnet"),
    "demo": _later("demo", "empatica_demo"),
}
GRU_XNET: Defaults = {
    **RECOGNISED,
    "system": _later("systems", "gru_xnet"),
    "demo": _later("demo", "gameemo_demo"),
}
RES_ATTENTIO_NET: Defaults = {
    **RECOGNISED,
    "system": _later("systems", "res_attentio_net"),
    "demo": _later("demo", "seed_iv_demo"),
}
