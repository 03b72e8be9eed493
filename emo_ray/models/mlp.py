"""Mlp: the mean of the valid tokens of all modalities, then a small dense network."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from emo_ray.models.base import Inputs, Masks, ModelConfig, RowFacts, SegmentModel, SegmentShape
from emo_ray.models.blocks import Readout, dense_tower, masked_mean
from emo_ray.space import Choice, LogUniform, SearchSpace, Uniform


class Mlp(SegmentModel):
    """Dense layers with ReLU and dropout over token means; for flat feature tables.

    Without hidden layers it is a linear model. It has no norm, so a row never meets its neighbours.
    """

    def __init__(self, shape: SegmentShape, *, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.modalities = tuple(shape.tokens)
        n_features = sum(n_features for _, n_features in shape.tokens.values())
        self.dense = dense_tower(n_features, hidden, (dropout,) * len(hidden), norm=None)
        self.readout = Readout(hidden[-1] if hidden else n_features, dict(shape.heads))

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, and the last hidden layer ``"emb"``."""
        means = [masked_mean(x[name], mask[name]) for name in self.modalities]  # each: batch features
        return self.readout(self.dense(torch.cat(means, dim=1)))  # type: ignore[no-any-return]


class MlpConfig(ModelConfig):
    """Hidden widths and dropout."""

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...] = Field((32,), description="units of each hidden layer; empty: a linear model")
    dropout: float = Field(0.3, ge=0, lt=1)

    def build(self, shape: SegmentShape) -> Mlp:
        """Make the network."""
        return Mlp(shape, hidden=self.hidden, dropout=self.dropout)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """Depth and width, and how hard it is held back; ours, no one has published one."""
        return SearchSpace(
            dimensions={
                "model.hidden": Choice(choices=((32,), (64,), (128,), (64, 32))),
                "model.dropout": Uniform(low=0.0, high=0.6),
                "training.optimizer.learning_rate": LogUniform(low=1e-4, high=1e-2),
                "training.optimizer.weight_decay": LogUniform(low=1e-6, high=1e-2),
                "training.batch_size": Choice(choices=(32, 64, 128)),
                "training.loss.label_smoothing": Uniform(low=0.0, high=0.2),
            }
        )
