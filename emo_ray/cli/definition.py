"""What a job script says: which corpus, model and training, by default."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

# Named here, loaded later: a job that finds its features stored brings up its workers before it loads torch.
if TYPE_CHECKING:
    from emo_ray.cli.systems import System
    from emo_ray.corpora.base import CorpusConfig
    from emo_ray.models.base import ModelConfig
    from emo_ray.space import SearchSpace
    from emo_ray.training.config import TrainingConfig

Made = TypeVar("Made")


@dataclass(frozen=True)
class LosoJob:
    """What one evaluation job is about.

    Attributes
    ----------
    name : of the script, and of its studies
    corpus : the corpus at a folder or file
    model : the network to evaluate, unless --model names another; or what makes it, when it is needed
    training : how it is trained, unless --training names a published procedure; likewise
    scaling : key of `SCALINGS`
    system : the published system that it is about; its parts come before ``model`` and ``training``
    demo : makes the embedded default data (``smoke`` or not) and returns where they lie; None asks for --data
    """

    name: str
    corpus: "Callable[[Path], CorpusConfig]"
    model: "ModelConfig | Callable[[], ModelConfig]"
    training: "TrainingConfig | Callable[[], TrainingConfig] | None" = None
    scaling: str = "both"
    system: "Callable[[], System] | None" = None
    demo: Callable[[bool], Path] | None = None
    description: str = ""

    @property
    def own_model(self) -> "ModelConfig":
        """The network to evaluate."""
        return _made(self.model)

    @property
    def own_training(self) -> "TrainingConfig":
        """How it is trained; the defaults of training where the job does not say."""
        from emo_ray.training.config import TrainingConfig

        return _made(self.training) if self.training is not None else TrainingConfig()


@dataclass(frozen=True)
class SweepJob(LosoJob):
    """What one sweep is about: where an evaluation job has settings, it starts from them.

    Attributes
    ----------
    space : what is searched where neither --space nor --model says so; None is the model's own space
    """

    scaling: str = "train"
    space: "SearchSpace | None" = None


def _made(thing: Made | Callable[[], Made]) -> Made:
    return thing() if callable(thing) else thing
