"""What every model is told about the data, what its config offers, and what it must return."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Bool, Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from emo_ray.space import SearchSpace

Inputs = Mapping[str, Float[Tensor, "batch _ _"]]
Masks = Mapping[str, Bool[Tensor, "batch _"]]


@dataclass(frozen=True)
class SegmentShape:
    """All that data tell a model.

    Attributes
    ----------
    tokens : modality to (number of tokens, features a token)
    heads : head to number of outputs (1 for values and events)
    """

    tokens: Mapping[str, tuple[int, int]]
    heads: Mapping[str, int]


class SegmentModel(nn.Module, ABC):
    """A network over token sequences.

    ``forward(x, mask)`` takes x of shape ``(batch, tokens, features)`` a modality, standardised, zero
    where invalid, and mask of shape ``(batch, tokens)``, True where valid. It returns each head by name,
    ``(batch, classes)`` logits or ``(batch,)`` for values (standardised) and events (logit), and
    ``"emb"`` ``(batch, d)``. In eval mode a row never depends on its neighbours in the batch.
    """

    @abstractmethod
    def forward(self, x: Inputs, mask: Masks) -> dict[str, Tensor]:
        """Heads by name, and the embedding."""

    def penalty(self) -> Float[Tensor, ""] | None:
        """Weight penalty that the loss adds (L2 on chosen kernels); None where there is none."""
        return None


class ModelConfig(BaseModel, ABC):
    """Hyperparameters of one architecture; the defaults live here and nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str

    @abstractmethod
    def build(self, shape: SegmentShape) -> SegmentModel:
        """Make the network, weights drawn from torch's global generator."""

    @classmethod
    @abstractmethod
    def search_space(cls) -> SearchSpace:
        """What is worth a search, by dotted key of an experiment; settings of its training, too."""
