"""What every model is told about the data, what its config offers, and what it must return."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Bool, Float, Int
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
    features : modality to the names of its features; electrodes and frequencies are read from them

    Raises
    ------
    ValueError : there is no modality or no head
    """

    tokens: Mapping[str, tuple[int, int]]
    heads: Mapping[str, int]
    features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.tokens or not self.heads:
            raise ValueError(
                f"a model needs a modality and a head, got {self}: check the features and the task"
            )


@dataclass(frozen=True)
class RowFacts:
    """What is known of the rows of a batch beside their tokens; none of it may tell the target.

    Attributes
    ----------
    trial : code of each row's trial (subject, session, stimulus): such rows are no contrast to each other
    state : what the model returned as ``state/...`` for the earlier rows of these recordings, without the
        prefix; None at the start of all. Only for a model that ``streams``
    reset : rows whose recording starts here: their state is to be forgotten
    """

    trial: Int[Tensor, " batch"]
    state: Mapping[str, Tensor] | None = None
    reset: Bool[Tensor, " batch"] | None = None


class SegmentModel(nn.Module, ABC):
    """A network over token sequences.

    ``forward(x, mask)`` takes x of shape ``(batch, tokens, features)`` a modality, standardised, zero
    where invalid, and mask of shape ``(batch, tokens)``, True where valid. It returns each head by name,
    ``(batch, classes)`` logits or ``(batch,)`` for values (standardised) and events (logit), and
    ``"emb"`` ``(batch, d)``. In eval mode a row never depends on its neighbours in the batch.

    In train mode it may return losses of its own, scalars called ``"aux/<name>"``; the loop adds each times
    ``aux_weights[name]``. A model with a memory (``streams``) is given the segments of a recording in order,
    and returns its memory as ``"state/<name>"`` tensors of shape ``(batch, ...)``.

    Attributes
    ----------
    aux_weights : weight of each loss of its own
    streams : whether it wants the segments of a recording one after the other, with its state
    """

    aux_weights: Mapping[str, float] = {}
    streams: bool = False

    @abstractmethod
    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, and the embedding; losses and state where it has any."""

    def penalty(self) -> Float[Tensor, ""] | None:
        """Weight penalty that the loss adds (L2 on chosen kernels); None where there is none."""
        return None


class ModelConfig(BaseModel, ABC):
    """Hyperparameters of one architecture; the defaults live here and nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    variant_field: ClassVar[str] = "variant"
    """Field that ``KIND:VARIANT`` on a command line names."""

    @property
    def n_context(self) -> int:
        """How many earlier segments of the trial it is shown: their tokens stand before the segment's own.

        Where the trial has no such segment, its tokens are invalid.
        """
        return 0

    @abstractmethod
    def build(self, shape: SegmentShape) -> SegmentModel:
        """Make the network, weights drawn from torch's global generator."""

    @classmethod
    @abstractmethod
    def search_space(cls) -> SearchSpace:
        """What is worth a search, by dotted key of an experiment; settings of its training, too."""
