"""GRU-XNet: a CNN for each electrode's spectrogram, then a recurrent network and attention over time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from emo_ray.errors import ConfigError
from emo_ray.models.base import Inputs, Masks, ModelConfig, RowFacts, SegmentModel, SegmentShape
from emo_ray.models.blocks import Readout, backwards, dense_tower, masked_mean, valid_first
from emo_ray.models.channel_cnns import SHRINK, WIDTHS, ChannelCnns, CnnNorm, CnnOptions, Impl
from emo_ray.models.feature_grid import FeatureGrid
from emo_ray.space import Choice, Integer, LogUniform, SearchSpace, Uniform

VariantName = Literal["dynamic", "standard", "projected", "freqpool", "shared"]
Fusion = Literal["concat", "mean"]

POOLED_BINS = 4
REPEATS = 10
"""Times that `standard` shows one vector to its recurrent layers."""


@dataclass(frozen=True)
class Variant:
    """What becomes of the filters of all electrodes before the recurrent layers.

    Attributes
    ----------
    pooled_bins : frequencies that are left, by averaging; None: as the CNN leaves them
    projected : a linear layer makes each token as wide as the recurrent states
    repeated : the whole segment becomes one vector, shown again and again: time is lost
    shared : one CNN for all electrodes
    """

    pooled_bins: int | None = None
    projected: bool = False
    repeated: bool = False
    shared: bool = False


# dynamic and standard are published; 9 in 10 weights of dynamic stand in the first matrix of its GRU
VARIANTS: Mapping[VariantName, Variant] = {
    "dynamic": Variant(),
    "standard": Variant(projected=True, repeated=True),
    "projected": Variant(projected=True),
    "freqpool": Variant(POOLED_BINS, projected=True),
    "shared": Variant(POOLED_BINS, projected=True, shared=True),
}


def averaging(n_bins: int, n_pooled: int) -> Float[Tensor, "bins pooled"]:
    """Matrix that averages neighbouring bins into fewer.

    Bin i of the result is the mean from ``floor(i n / p)`` to ``ceil((i + 1) n / p)``: where n is no multiple
    of p, neighbours share a bin, and where it is smaller, bins come more than once. A product with it has a
    deterministic gradient everywhere, which `adaptive_avg_pool2d` has not.
    """
    matrix = torch.zeros(n_bins, n_pooled)
    for i in range(n_pooled):
        low, high = i * n_bins // n_pooled, math.ceil((i + 1) * n_bins / n_pooled)
        matrix[low:high, i] = 1 / (high - low)
    return matrix


class BothWaysGru(nn.Module):
    """GRU layers over the valid tokens, ahead and backwards; each reads both directions of the one before.

    Weights are those of ``nn.GRU(bidirectional=True)``, which would start backwards in the padding.
    """

    def __init__(self, n_inputs: int, n_units: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        sizes = [n_inputs, *[2 * n_units] * (n_layers - 1)]
        self.ahead = nn.ModuleList(nn.GRU(size, n_units, batch_first=True) for size in sizes)
        self.back = nn.ModuleList(nn.GRU(size, n_units, batch_first=True) for size in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch tokens units"]:
        """States at every token; the valid ones come first in every row (`valid_first`)."""
        for i, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
            x = self.dropout(x) if i else x
            returned, _ = back(backwards(x, mask))
            x = torch.cat([ahead(x)[0], backwards(returned, mask)], dim=2)
        return x


class SelfAttention(nn.Module):
    """Each token looks at all valid ones, and what it finds is added to it; no positions, norm after."""

    def __init__(self, n_units: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value, self.out = (nn.Linear(n_units, n_units) for _ in range(4))
        self.norm, self.dropout = nn.LayerNorm(n_units), nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch tokens units"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch tokens units"]:
        """Tokens of the same number; a row without valid ones stays finite."""
        query, key, value = (
            layer(x).unflatten(2, (self.n_heads, -1)).transpose(1, 2)  # batch heads tokens units
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        # the lowest number, not -inf: a row without valid tokens would become NaN
        scores = scores.masked_fill(~mask[:, None, None], torch.finfo(scores.dtype).min)
        found = (self.dropout(scores.softmax(dim=3)) @ value).transpose(1, 2).flatten(2)
        return self.norm(x + self.dropout(self.out(found)))  # type: ignore[no-any-return]


class GruXNet(SegmentModel):
    """Spectrograms, one an electrode: CNNs, fusion, GRU both ways, attention, mean, dense layers.

    An electrode is absent in a row where all its values are exactly 0, which is what undefined or constant
    ones are standardised to: its filters are zero, and batch norm does not count it. A step after the CNN
    stands for 8 tokens and is valid where one of them is; tokens beyond the last eight are left over, and
    only convolutions read them.

    Raises
    ------
    ConfigError : there is no such modality, or its tokens are no pictures of at least 8 bins by 8 tokens
    """

    averaging: Tensor | None

    def __init__(self, shape: SegmentShape, config: "GruXNetConfig") -> None:
        super().__init__()
        self.modality, self.fusion = config.modality, config.fusion
        self.grid = picture_grid(shape, config.modality)
        variant, options = VARIANTS[config.joint], config.cnn_options()
        self.cnns = ChannelCnns(self.grid.n_channels, options)
        self.cnn_dropout = nn.Dropout(config.cnn_dropout)
        n_bins, n_steps = self.grid.n_bins // SHRINK, shape.tokens[config.modality][0] // SHRINK
        self.register_buffer("averaging", None)
        if variant.pooled_bins is not None:
            self.register_buffer("averaging", averaging(n_bins, variant.pooled_bins), persistent=False)
            n_bins = variant.pooled_bins
        n_fused = options.widths[-1] * n_bins * (self.grid.n_channels if config.fusion == "concat" else 1)
        width = 2 * config.gru_units
        self.repeated = variant.repeated
        self.project = (
            nn.Linear(n_fused * (n_steps if self.repeated else 1), width) if variant.projected else None
        )
        self.recurrent = BothWaysGru(
            width if variant.projected else n_fused, config.gru_units, config.gru_layers, config.rnn_dropout
        )
        self.attention = SelfAttention(width, config.attention_heads, config.attention_dropout)
        head_dropouts = (config.head_dropout, config.head_dropout)
        self.dense = dense_tower(width, (width, config.gru_units), head_dropouts, norm=None)
        self.readout = Readout(config.gru_units, dict(shape.heads))

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, and the last dense layer ``"emb"``."""
        valid = mask[self.modality]
        tokens = x[self.modality].masked_fill(~valid[..., None], 0.0)
        pictures = tokens.reshape(*tokens.shape[:2], self.grid.n_channels, -1).permute(0, 2, 3, 1)
        present = (pictures != 0).flatten(2).any(dim=2)  # batch electrodes
        filters = self.cnn_dropout(self.cnns(pictures, present))  # batch electrodes filters bins steps
        fused = self._fused(filters, present)  # batch steps features
        n_steps = fused.shape[1]
        steps = valid[:, : n_steps * SHRINK].reshape(-1, n_steps, SHRINK).any(dim=2)
        sequence, steps = self._sequence(fused.masked_fill(~steps[..., None], 0.0), steps)
        attended = self.attention(self.recurrent(sequence, steps), steps)
        emb = self.dense(masked_mean(attended, steps))
        return self.readout(emb)  # type: ignore[no-any-return]

    def _fused(self, filters: Tensor, present: Tensor) -> Float[Tensor, "batch steps features"]:
        """Filters of all electrodes at each step: side by side, or their mean over those that are there."""
        by_step = filters.permute(0, 4, 1, 2, 3)  # batch steps electrodes filters bins
        if self.averaging is not None:
            by_step = by_step @ self.averaging
        if self.fusion == "concat":
            return by_step.flatten(2)
        n_present = present.sum(dim=1).clamp_min(1)
        return by_step.sum(dim=2).flatten(2) / n_present[:, None, None]

    def _sequence(
        self, fused: Float[Tensor, "batch steps features"], steps: Bool[Tensor, "batch steps"]
    ) -> tuple[Float[Tensor, "batch _ _"], Bool[Tensor, "batch _"]]:
        """What the recurrent layers read, valid steps first."""
        if self.project is None:
            return valid_first(fused, steps)
        if not self.repeated:
            return valid_first(self.project(fused), steps)
        one = self.project(fused.flatten(1))  # batch units
        any_step = steps.any(dim=1, keepdim=True).expand(-1, REPEATS)
        return one[:, None].expand(-1, REPEATS, -1).masked_fill(~any_step[..., None], 0.0), any_step


def picture_grid(shape: SegmentShape, modality: str) -> FeatureGrid:
    """Electrodes and bins of the pictures that the tokens of a modality are.

    Raises
    ------
    ConfigError : there is no such modality, or its pictures are smaller than 8 x 8
    """
    advice = (
        f"gru_xnet reads spectra over time, at least {SHRINK} bins by {SHRINK} tokens: take extraction "
        "stft_tokens, or another model, such as amigos_lstm"
    )
    if modality not in shape.tokens:
        known = ", ".join(shape.tokens)
        raise ConfigError(
            f"model.modality is {modality!r}, and the segments hold {known}: name one. {advice}"
        )
    n_tokens, n_features = shape.tokens[modality]
    grid = FeatureGrid.of(shape.features.get(modality, [str(i) for i in range(n_features)]))
    if grid.n_bins < SHRINK:
        raise ConfigError(
            f"the {n_features} features of {modality!r} lie on {grid.n_bins} bins a channel. {advice}"
        )
    if n_tokens < SHRINK:
        raise ConfigError(
            f"segments of {modality!r} have {n_tokens} tokens, too few for three poolings: cut longer "
            f"segments (extraction.segment_s=10), or raise the tokens a segment. {advice}"
        )
    return grid


class GruXNetConfig(ModelConfig):
    """Variant by name, widths and dropouts; the defaults are the recommended ones, not the published."""

    variant_field: ClassVar[str] = "joint"  # "variant" is another network's, and one search may hold both
    kind: Literal["gru_xnet"] = "gru_xnet"
    joint: VariantName = Field(
        "freqpool",
        description="freqpool: 4 bands a filter, then a linear layer; shared: with one CNN for all; "
        "projected: all bands; published are dynamic (all bands, no linear layer) and standard (no time)",
    )
    modality: str = Field("eeg", description="whose tokens are the pictures; others are not looked at")
    cnn_mult: float = Field(1.0, gt=0, le=4, description="factor on 32, 64 and 128 filters")
    fusion: Fusion = Field("concat", description="electrodes side by side, or their mean where present")
    norm: CnnNorm = Field("bn", description="in the CNNs: over the batch, or over each picture")
    gru_units: int = Field(128, ge=1, description="GRU units a direction")
    gru_layers: int = Field(2, ge=1, le=4)
    attention_heads: int = Field(4, ge=1, description="they share 2 * gru_units evenly")
    cnn_dropout: float = Field(0.5, ge=0, lt=1, description="on the filters; published 0.5, as all are")
    rnn_dropout: float = Field(0.3, ge=0, lt=1, description="between GRU layers")
    attention_dropout: float = Field(0.3, ge=0, lt=1, description="on attention weights and what they find")
    head_dropout: float = Field(0.3, ge=0, lt=1, description="after each dense layer")
    impl: Impl = Field("chunked", description="how the CNNs are run: loop, grouped, chunked; all equal")
    chunk: int = Field(4, ge=1, description="electrodes at a time where chunked")

    @model_validator(mode="after")
    def _heads_share_the_units(self) -> "GruXNetConfig":
        if 2 * self.gru_units % self.attention_heads:
            raise ValueError(
                f"{self.attention_heads} attention heads do not share {2 * self.gru_units} units evenly: "
                "take a number of heads that divides 2 * gru_units"
            )
        return self

    @classmethod
    def published(cls, variant: VariantName = "dynamic", **changes: Any) -> "GruXNetConfig":
        """As published: every dropout is 0.5."""
        dropouts = dict.fromkeys(("cnn_dropout", "rnn_dropout", "attention_dropout", "head_dropout"), 0.5)
        return cls.model_validate({"joint": variant, **dropouts, **changes})

    def cnn_options(self) -> CnnOptions:
        """How the CNNs are built and run."""
        widths = tuple(max(1, round(width * self.cnn_mult)) for width in WIDTHS)
        return CnnOptions(widths, self.norm, self.impl, self.chunk, VARIANTS[self.joint].shared)

    def build(self, shape: SegmentShape) -> GruXNet:
        """Make the network."""
        return GruXNet(shape, self)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """The grid of its authors, widened; what belongs to the extraction is given there."""
        augmented = {"training.augmentation.ratio": (1.0, 2.0)}
        return SearchSpace(
            dimensions={
                "model.joint": Choice(choices=("dynamic", "freqpool", "shared")),
                "model.gru_units": Choice(choices=(64, 128, 256)),
                "model.gru_layers": Integer(low=1, high=3),
                "model.attention_heads": Choice(choices=(1, 2, 4, 8)),
                "model.cnn_mult": Choice(choices=(0.5, 1.0)),
                "model.norm": Choice(choices=("bn", "gn")),
                "model.cnn_dropout": Uniform(low=0.2, high=0.7),
                "model.rnn_dropout": Uniform(low=0.1, high=0.5),
                "model.head_dropout": Uniform(low=0.2, high=0.6),
                "training.optimizer.learning_rate": LogUniform(low=1e-4, high=1e-2),
                "training.optimizer.weight_decay": LogUniform(low=1e-6, high=1e-2),
                "training.batch_size": Choice(choices=(16, 32, 64, 128)),
                "training.augmentation.ratio": Choice(choices=(0.0, 1.0, 2.0)),
                "training.augmentation.contributions.mixup": Uniform(low=0.0, high=0.4, when=augmented),
                "training.augmentation.contributions.mask": Uniform(low=0.0, high=0.3, when=augmented),
                "training.sampling.datasets": Choice(choices=("none", "sqrt", "equal")),
            }
        )
