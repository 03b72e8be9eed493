"""What a job script says: which corpus, model and training, by default."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from emo_ray.corpora.base import CorpusConfig
from emo_ray.models.base import ModelConfig
from emo_ray.space import SearchSpace
from emo_ray.training.config import TrainingConfig


@dataclass(frozen=True)
class LosoJob:
    """What one evaluation job is about.

    Attributes
    ----------
    name : of the script, and of its studies
    corpus : the corpus at a folder or file
    model : the network to evaluate, unless --model names another
    training : how it is trained, unless --training names a published procedure
    scaling : key of `SCALINGS`
    demo : makes the embedded default data (``smoke`` or not) and returns where they lie; None asks for --data
    """

    name: str
    corpus: Callable[[Path], CorpusConfig]
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    scaling: str = "both"
    demo: Callable[[bool], Path] | None = None
    description: str = ""


@dataclass(frozen=True)
class SweepJob(LosoJob):
    """What one sweep is about: where an evaluation job has settings, it starts from them.

    Attributes
    ----------
    space : what is searched where neither --space nor --model says so; None is the model's own space
    """

    scaling: str = "train"
    space: SearchSpace | None = None
