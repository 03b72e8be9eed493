"""The row network that Phy-FusionNet's published code trains, flaws included; to compare with."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from emo_ray.models.base import Inputs, Masks, ModelConfig, RowFacts, SegmentModel, SegmentShape
from emo_ray.models.blocks import Readout, masked_mean
from emo_ray.space import Choice, LogUniform, SearchSpace, Uniform

CAPACITY = 20
"""Rows that the published memory holds."""
REDUCTION = 16
"""Factor by which the channel attention narrows."""


class RowMemory(nn.Module):
    """The published memory bank: rows of earlier training batches, whoever they are of, shown to every row.

    Rows are written where the last ones ended; those that reach beyond the end of the bank are dropped, the
    bank counts as full, and the next rows come first. So of batches of 20 rows or more the bank holds the
    first 20 rows of the last one; a smaller one, as at the end of an epoch, moves where the next one starts.
    It is frozen in eval mode. Each member of a team has a bank of its own.

    Parameters
    ----------
    keep_full : save with the weights that the bank is full. Published is not to: weights that are loaded
        into a new network run without memory, if the bank was full when they were saved
    """

    def __init__(self, width: int, memory_width: int, n_heads: int, *, keep_full: bool) -> None:
        super().__init__()
        self.encoder = nn.Conv1d(width, memory_width, kernel_size=3, padding=1)
        self.projection = nn.Linear(memory_width, width)
        self.attention = nn.MultiheadAttention(width, n_heads, batch_first=True)
        self.register_buffer("bank", torch.zeros(CAPACITY, memory_width))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))
        self.register_buffer("full", torch.zeros((), dtype=torch.bool), persistent=keep_full)
        self.bank: Tensor
        self.position: Tensor
        self.full: Tensor

    def read(self, x: Float[Tensor, "batch 1 width"]) -> Float[Tensor, "batch 1 width"]:
        """What the memory adds to each row; zeros while it is empty."""
        slots = torch.arange(CAPACITY, device=x.device)
        filled = self.full | (slots < self.position)
        bank = self.bank.clone()  # it is written before the gradient is computed
        entries = self.projection(bank).expand(x.shape[0], -1, -1)  # batch slots width
        # slot 0 stays open: over nothing the softmax would be NaN, and so would its gradient
        hidden = (~filled & (slots > 0)).expand(x.shape[0], -1)
        seen, _ = self.attention(x, entries, entries, key_padding_mask=hidden, need_weights=False)
        return seen.where(filled.any(), torch.zeros_like(seen))  # type: ignore[no-any-return]

    @torch.no_grad()
    def write(self, x: Float[Tensor, "batch width"]) -> None:
        """Put rows into the bank; without gradient, so the encoder never learns."""
        start = int(self.position)
        entries = self.encoder(x[: CAPACITY - start, :, None]).relu().squeeze(2)
        self.bank[start : start + len(entries)] = entries.to(self.bank.dtype)
        if start + len(x) >= CAPACITY:
            self.position.zero_()
            self.full.fill_(True)
        else:
            self.position += len(x)


class RowBlock(nn.Module):
    """Pre-norm transformer block over a sequence of one token, with a softmax over heads as their gates.

    Attention over one token has the weight 1 whatever query and key are: these are there, and counted, and no
    gradient ever reaches them. The dropout of that weight drops whole heads.
    """

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key = nn.Linear(width, 2 * width)
        self.value = nn.Linear(width, width)
        self.gate = nn.Linear(width, n_heads)
        self.out = nn.Linear(width, width)
        self.dense_norm = nn.LayerNorm(width)
        self.dense = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """Rows after the block."""
        normed = self.attention_norm(x)
        weights = self.dropout(torch.ones_like(x[:, : self.n_heads]))  # softmax over one token
        weights = weights * self.gate(normed).softmax(dim=1)  # batch heads
        heads = self.value(normed).unflatten(1, (self.n_heads, -1)) * weights[..., None]
        x = x + self.dropout(self.out(heads.flatten(1)))
        return x + self.dropout(self.dense(self.dense_norm(x)))  # type: ignore[no-any-return]


class ChannelAndPlaceAttention(nn.Module):
    """CBAM on a sequence of length 1: its mean and maximum are itself, and 12 of 14 taps see padding.

    References
    ----------
    Woo, Park, Lee & Kweon (2018), "CBAM: convolutional block attention module", ECCV, 3-19.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(width, width // REDUCTION, bias=False)
        self.widen = nn.Linear(width // REDUCTION, width, bias=False)
        self.place = nn.Conv1d(2, 1, kernel_size=7, padding=3, bias=False)

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """Units weighed by each other, then the row as a whole."""
        # mean and maximum go through the same layers and are added
        x = x * (2 * self.widen(self.narrow(x).relu())).sigmoid()
        both = torch.stack([x.mean(dim=1), x.amax(dim=1)], dim=1)[..., None]  # batch 2 1
        return x * self.place(both).sigmoid().squeeze(2)  # type: ignore[no-any-return]


class PhyFusionNetRow(SegmentModel):
    """Mean tokens of all modalities as one row; 358,682 weights for 195 features and 7 classes, 82,317 dead.

    What is published under the name (github.com/AffectiveComputingXJTLU/Phy-FusionNet) has no sequence, no
    binding and no fusion, and its predictions depend on who was in the last training batch (`RowMemory`).
    Its position is that of a first token: one constant vector.
    """

    def __init__(self, shape: SegmentShape, config: "PhyFusionNetRowConfig") -> None:
        super().__init__()
        width = config.width
        self.modalities = tuple(shape.tokens)
        self.projection = nn.Linear(sum(size for _, size in shape.tokens.values()), width)
        # sines and cosines of position 0, by turns
        self.register_buffer("place", torch.tensor([0.0, 1.0]).repeat(width // 2), persistent=False)
        self.place: Tensor
        self.memory = RowMemory(width, config.memory_width, config.heads, keep_full=config.keep_full)
        self.gamma = nn.Parameter(torch.tensor(0.95))  # published as a decay, and used nowhere
        self.blocks = nn.ModuleList(
            RowBlock(width, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.attention = ChannelAndPlaceAttention(width)
        self.readout = Readout(width, dict(shape.heads))

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, and ``"emb"``; in train mode the batch is written into the memory."""
        means = [masked_mean(x[name], mask[name]) for name in self.modalities]  # each: batch features
        row = self.projection(torch.cat(means, dim=1)) + self.place
        row = row + self.memory.read(row[:, None]).squeeze(1)
        for block in self.blocks:
            row = block(row)
        row = self.attention(row)
        if self.training:
            self.memory.write(row)
        return self.readout(row)  # type: ignore[no-any-return]


class PhyFusionNetRowConfig(ModelConfig):
    """Sizes; the defaults are those of the best published run."""

    kind: Literal["phy_fusionnet_row"] = "phy_fusionnet_row"
    width: int = Field(128, ge=REDUCTION, multiple_of=2, description="units of a row inside the network")
    memory_width: int = Field(128, ge=1, description="units of an entry of the memory")
    heads: int = Field(4, ge=1)
    layers: int = Field(1, ge=1)
    dropout: float = Field(0.291, ge=0, lt=1)
    keep_full: bool = Field(
        False, description="save that the memory is full; published is not to, so loaded weights lose it"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "PhyFusionNetRowConfig":
        if self.width % self.heads:
            raise ValueError(
                f"{self.heads} heads do not divide a width of {self.width}: take a width of "
                f"{-(-self.width // self.heads) * self.heads}"
            )
        return self

    def build(self, shape: SegmentShape) -> PhyFusionNetRow:
        """Make the network."""
        return PhyFusionNetRow(shape, self)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """The published one."""
        return SearchSpace(
            dimensions={
                "model.width": Choice(choices=(128, 256)),
                "model.memory_width": Choice(choices=(128, 256)),
                "model.heads": Choice(choices=(4, 8)),
                "model.layers": Choice(choices=(1, 2)),
                "model.dropout": Uniform(low=0.2, high=0.5),
                "training.optimizer.learning_rate": LogUniform(low=1e-5, high=1e-3),
                "training.optimizer.weight_decay": LogUniform(low=1e-6, high=1e-4),
                "training.loss.focal_gamma": Uniform(low=1.5, high=3.0),
            }
        )
