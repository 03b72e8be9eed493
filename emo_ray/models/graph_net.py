"""DGCNN: graph convolutions over electrodes, whose connections are learned."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from emo_ray.models.base import Inputs, Masks, ModelConfig, RowFacts, SegmentModel, SegmentShape
from emo_ray.models.blocks import Readout, TokenPool, dense_tower
from emo_ray.models.feature_grid import FeatureGrid
from emo_ray.space import Choice, LogUniform, SearchSpace, Uniform

LEAST_DEGREE = 1e-6
"""Of a node, to divide by; one below it has no connections."""


class DgcnnConfig(ModelConfig):
    """Order, widths and dropout."""

    kind: Literal["dgcnn"] = "dgcnn"
    order: int = Field(2, ge=1, le=8, description="Chebyshev terms; k of them reach k - 1 connections far")
    filters: int = Field(32, ge=1, description="graph filters, which give as many features a node")
    units: int = Field(64, ge=1, description="units of the dense layer over all nodes")
    dropout: float = Field(0.5, ge=0, lt=1, description="before and after the dense layer")
    token_pool: Literal["mean", "attention"] = Field("mean", description="over the tokens of a segment")

    def build(self, shape: SegmentShape) -> "Dgcnn":
        """Make the network."""
        return Dgcnn(shape, self)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """Reach, widths, and how hard it is held back; ours."""
        return SearchSpace(
            dimensions={
                "model.order": Choice(choices=(1, 2, 3, 4)),
                "model.filters": Choice(choices=(16, 32, 64)),
                "model.units": Choice(choices=(32, 64, 128)),
                "model.token_pool": Choice(choices=("mean", "attention")),
                "model.dropout": Uniform(low=0.0, high=0.6),
                "training.optimizer.learning_rate": LogUniform(low=1e-4, high=1e-2),
                "training.optimizer.weight_decay": LogUniform(low=1e-6, high=1e-2),
                "training.batch_size": Choice(choices=(16, 32, 64)),
                "training.loss.label_smoothing": Uniform(low=0.0, high=0.2),
            }
        )


class Dgcnn(SegmentModel):
    """A graph a modality, over the electrodes that its features name; each token goes through it by itself.

    Nodes are the channels of features called "Cz/alpha", with a value a band; where the features form no such
    grid, each of them is a node. What the tokens of a segment give is pooled, and the graphs of all
    modalities are read side by side. As published but for the pooling, and that the largest eigenvalue of
    the Laplacian is taken as its bound, 2.

    References
    ----------
    Song, Zheng, Song & Cui (2020), "EEG emotion recognition using dynamical graph convolutional neural
    networks", IEEE Transactions on Affective Computing 11(3), 532-541 (online 2018).
    """

    def __init__(self, shape: SegmentShape, config: DgcnnConfig) -> None:
        super().__init__()
        self.modalities = tuple(shape.tokens)
        grids = [_grid(shape, name) for name in self.modalities]
        self.graphs = nn.ModuleList(GraphConvolution(grid, config.order, config.filters) for grid in grids)
        widths = [grid.n_channels * config.filters for grid in grids]
        self.pools = nn.ModuleList(
            TokenPool(config.token_pool, width, bidirectional=False) for width in widths
        )
        self.drop = nn.Dropout(config.dropout)
        self.dense = dense_tower(sum(widths), (config.units,), (config.dropout,), norm=None)
        self.readout = Readout(config.units, dict(shape.heads))

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, and the last hidden layer ``"emb"``."""
        pooled = []
        for name, graph, pool in zip(self.modalities, self.graphs, self.pools, strict=True):
            present = torch.where(mask[name][..., None], x[name], 0.0)
            pooled.append(pool(graph(present), mask[name]))  # each: batch nodes*filters
        return self.readout(self.dense(self.drop(torch.cat(pooled, dim=1))))  # type: ignore[no-any-return]


class GraphConvolution(nn.Module):
    """Chebyshev filters on a graph whose adjacency, not negative and the same for all, is learned.

    An electrode that is zero in all tokens of a row is absent: the row's graph has no connection to it.

    References
    ----------
    Defferrard, Bresson & Vandergheynst (2016), "Convolutional neural networks on graphs with fast localized
    spectral filtering", NeurIPS 29.
    """

    def __init__(self, grid: FeatureGrid, order: int, n_filters: int) -> None:
        super().__init__()
        self.n_nodes, self.n_bands = grid.n_channels, grid.n_bins
        # a lone node has no one to hear from
        self.order = order if self.n_nodes > 1 else 1
        if self.order > 1:
            self.connections = nn.Parameter(torch.rand(self.n_nodes, self.n_nodes))
        # no bias: an absent electrode stays silent
        self.filters = nn.Linear(self.order * self.n_bands, n_filters, bias=False)
        self.mix = nn.Linear(n_filters, n_filters, bias=False)

    def forward(self, x: Float[Tensor, "batch tokens features"]) -> Float[Tensor, "batch tokens outputs"]:
        """Filtered nodes of every token, side by side; tokens of zeros give zeros."""
        n_rows, n_tokens, _ = x.shape
        nodes = x.view(n_rows, n_tokens, self.n_nodes, self.n_bands)
        signals = nodes.transpose(1, 2).flatten(2)  # batch nodes tokens*bands
        terms = [signals]
        if self.order > 1:
            present = (signals != 0).any(dim=2)
            terms += self._further_terms(signals, present)
        stacked = torch.stack([term.view(n_rows, self.n_nodes, n_tokens, -1) for term in terms], dim=3)
        filtered: Tensor = self.mix(self.filters(stacked.flatten(3)).relu()).relu()
        # from batch nodes tokens filters
        return filtered.transpose(1, 2).flatten(2)

    def _further_terms(self, signals: Tensor, present: Tensor) -> list[Tensor]:
        """T_1 to T_(K-1) of the scaled Laplacian, each applied to the signals."""
        laplacian = scaled_laplacian(self.connections, present)
        terms = [signals, laplacian @ signals]
        while len(terms) < self.order:
            terms.append(2 * laplacian @ terms[-1] - terms[-2])
        return terms[1:]


def scaled_laplacian(
    connections: Float[Tensor, "nodes nodes"], present: Bool[Tensor, "batch nodes"]
) -> Float[Tensor, "batch nodes nodes"]:
    """``2 L / 2 - I`` of the normalised Laplacian ``L = I - D^(-1/2) A D^(-1/2)``; its eigenvalues end at 2.

    A is the positive part of ``connections``, made symmetric, among the nodes of a row that are present.
    """
    both = present[:, :, None] & present[:, None, :]
    positive = connections.relu()
    adjacency = (positive + positive.T) / 2 * both  # batch nodes nodes
    degree = adjacency.sum(dim=2).clamp_min(LEAST_DEGREE)
    inverse_root = degree.rsqrt()
    return -inverse_root[:, :, None] * adjacency * inverse_root[:, None, :]


def _grid(shape: SegmentShape, name: str) -> FeatureGrid:
    n_features = shape.tokens[name][1]
    return FeatureGrid.of(shape.features.get(name, tuple(str(i) for i in range(n_features))))
