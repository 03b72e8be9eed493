"""Phy-FusionNet: one encoder of routed heads for all modalities, bound to each other, then fused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from emo_ray.models.attention import attend, by_head
from emo_ray.models.autocorrelation import autocorrelation, between_tokens
from emo_ray.models.base import Inputs, Masks, ModelConfig, RowFacts, SegmentModel, SegmentShape
from emo_ray.models.binding import Binding, Bound, contrast_loss, overlap_loss
from emo_ray.models.blocks import Readout, glorot_linear, masked_mean
from emo_ray.models.fourier_positions import FourierPositions
from emo_ray.models.memory_stream import MemoryState, MemoryStream
from emo_ray.models.mixture_of_heads import HeadMix, MixtureOfHeads, Routing, balance_loss
from emo_ray.space import Choice, LogUniform, SearchSpace, Uniform

Memory = Literal["off", "stream"]


@dataclass(frozen=True)
class EncoderOptions:
    """Sizes that the layers share.

    Attributes
    ----------
    width : units of a token inside the network
    mix : heads of the encoder; fusion and binding have as many, all at work
    """

    width: int
    mix: HeadMix
    layers: int
    fusion_layers: int
    summaries: int
    dropout: float
    token_s: float


@dataclass(frozen=True)
class MemoryOptions:
    """Sizes of the memory stream, as in `MemoryStream`."""

    width: int
    n_slots: int
    gamma: float


class ModalityTokens(nn.Module):
    """Tokens of all modalities at one width, on one grid; the shorter ones end in invalid tokens."""

    def __init__(self, shape: SegmentShape, width: int) -> None:
        super().__init__()
        self.modalities = tuple(shape.tokens)
        self.n_tokens = max(n_tokens for n_tokens, _ in shape.tokens.values())
        sizes = [n_features for _, n_features in shape.tokens.values()]
        # a norm over one feature would turn every value into 0
        self.norms = nn.ModuleList(nn.LayerNorm(size) if size > 1 else nn.Identity() for size in sizes)
        self.projections = nn.ModuleList(glorot_linear(size, width) for size in sizes)
        self.marks = nn.Parameter(0.02 * torch.randn(len(sizes), width))  # which modality a token is of

    def forward(
        self, x: Inputs, mask: Masks
    ) -> tuple[Float[Tensor, "batch modalities tokens width"], Bool[Tensor, "batch modalities tokens"]]:
        """Marked tokens and their mask; an invalid token is its mark alone."""
        layers = zip(self.modalities, self.norms, self.projections, strict=True)
        tokens = [
            self._padded(project(norm(clean(x[name], mask[name]))), mask[name])
            for name, norm, project in layers
        ]
        masks = [self._padded_mask(mask[name]) for name in self.modalities]
        return torch.stack(tokens, dim=1) + self.marks[:, None], torch.stack(masks, dim=1)

    def _padded(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return functional.pad(clean(tokens, mask), (0, 0, 0, self.n_tokens - tokens.shape[1]))

    def _padded_mask(self, mask: Tensor) -> Tensor:
        return functional.pad(mask, (0, self.n_tokens - mask.shape[1]))


def clean(
    x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens features"]:
    """Zeros in the place of invalid tokens, whatever they hold."""
    return x.masked_fill(~mask[..., None], 0.0)


def feed_forward(width: int) -> nn.Sequential:
    """Two dense layers with four times the width between them."""
    return nn.Sequential(glorot_linear(width, 4 * width), nn.GELU(), glorot_linear(4 * width, width))


class EncoderLayer(nn.Module):
    """Routed attention, then a dense network, each normed before and added to its input."""

    def __init__(self, options: EncoderOptions) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(options.width)
        self.attention = MixtureOfHeads(options.width, options.mix)
        self.dense_norm = nn.LayerNorm(options.width)
        self.dense = feed_forward(options.width)
        self.dropout = nn.Dropout(options.dropout)

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        mask: Bool[Tensor, "batch tokens"],
        rho: Float[Tensor, "batch tokens tokens"],
    ) -> tuple[Float[Tensor, "batch tokens width"], Routing]:
        """Tokens after the layer, and how their heads were chosen."""
        attended, routing = self.attention(self.attention_norm(x), mask, rho)
        x = x + self.dropout(attended)
        return x + self.dropout(self.dense(self.dense_norm(x))), routing


class FusionLayer(nn.Module):
    """Layer of a pre-norm transformer that works for the first ``n_answers`` tokens only."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm = nn.LayerNorm(width)
        self.query = glorot_linear(width, width)
        self.key_value = glorot_linear(width, 2 * width)
        self.out = glorot_linear(width, width)
        self.dense_norm = nn.LayerNorm(width)
        self.dense = feed_forward(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"], n_answers: int
    ) -> Float[Tensor, "batch answers width"]:
        """The first tokens after the layer; all valid ones are looked at, and at least one is valid."""
        normed = self.attention_norm(x)
        key, value = (by_head(part, self.n_heads) for part in self.key_value(normed).chunk(2, dim=-1))
        query = by_head(self.query(normed[:, :n_answers]), self.n_heads)
        attended = self.out(attend(query, key, value, mask).flatten(2))
        x = x[:, :n_answers] + self.dropout(attended)
        return x + self.dropout(self.dense(self.dense_norm(x)))  # type: ignore[no-any-return]


class PhyFusionNet(SegmentModel):
    """Encoder, binding, fusion; 1,037,664 weights with memory on AMIGOS tokens of 70, 12 and 10, 7 classes.

    After the description of Phy-FusionNet (github.com/AffectiveComputingXJTLU/Phy-FusionNet), whose code
    does otherwise: `emo_ray.models.phy_fusionnet_row`. Any modality may be absent from any row. It reads what
    tokens hold as it is: there is no convolution that makes tokens of raw samples.
    """

    def __init__(
        self,
        shape: SegmentShape,
        options: EncoderOptions,
        memory: MemoryOptions | None,
        aux_weights: Mapping[str, float],
    ) -> None:
        super().__init__()
        width, n_heads = options.width, options.mix.n_heads
        # a loss without weight is not computed
        self.aux_weights = {name: weight for name, weight in aux_weights.items() if weight > 0}
        self.tokens = ModalityTokens(shape, width)
        self.positions = FourierPositions(width, token_s=options.token_s)
        self.layers = nn.ModuleList(EncoderLayer(options) for _ in range(options.layers))
        self.binding = Binding(width, n_heads=n_heads, n_summaries=options.summaries)
        self.fusion = nn.ModuleList(
            FusionLayer(width, n_heads, options.dropout) for _ in range(options.fusion_layers)
        )
        self.cls = nn.Parameter(0.02 * torch.randn(width))
        self.final_norm = nn.LayerNorm(width)
        self.readout = Readout(width, dict(shape.heads))
        self.streams = memory is not None
        self.memory = None
        if memory is not None:
            self.memory = MemoryStream(
                width, memory.width, n_heads=n_heads, n_slots=memory.n_slots, gamma=memory.gamma
            )

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, ``"emb"``; losses in train mode; ``"state/..."`` with a memory."""
        tokens, valid = self.tokens(x, mask)  # batch modalities tokens (width)
        encoded, routings, state = self._encode(tokens, valid, facts)
        bound = self.binding(encoded, valid)
        present = valid.any(dim=2)
        outputs = self.readout(self.final_norm(self._fuse(bound, present)))
        if self.training:
            outputs |= self._losses(routings, valid, bound, facts)
        if state is not None:
            outputs |= {f"state/{name}": tensor for name, tensor in state.named().items()}
        return outputs  # type: ignore[no-any-return]

    def _encode(
        self, tokens: Tensor, valid: Tensor, facts: RowFacts | None
    ) -> tuple[Tensor, list[Routing], MemoryState | None]:
        """Encoded tokens of all modalities, the routing of each layer, and the memory after this segment."""
        sizes = tokens.shape[:2]
        flat_valid = valid.flatten(0, 1)  # a row a modality: all share the weights
        rho = between_tokens(autocorrelation(tokens.flatten(0, 1), flat_valid))
        tokens = tokens + self.positions(tokens.shape[2])
        state = None
        if self.memory is not None:
            state = self.memory.start(facts, sizes[0], tokens.device)
            tokens = tokens + self.memory.read(tokens.flatten(1, 2), state).view(tokens.shape)
        flat, routings = tokens.flatten(0, 1), []
        for layer in self.layers:
            flat, routing = layer(flat, flat_valid, rho)
            routings.append(routing)
        encoded = flat.view(tokens.shape)
        if self.memory is not None and state is not None:
            every, whether = encoded.flatten(1, 2), valid.flatten(1, 2)
            state = self.memory.write(state, masked_mean(every, whether), whether.any(dim=1))
        return encoded, routings, state

    def _fuse(self, bound: Bound, present: Tensor) -> Float[Tensor, "batch width"]:
        """The class token after it has looked at the shared token and at those of all present modalities."""
        n_rows, _, n_summaries, width = bound.specific.shape
        specific = (bound.specific + self.tokens.marks[:, None]).flatten(1, 2)
        cls = self.cls.to(specific.dtype).expand(n_rows, 1, width)
        x = torch.cat([cls, bound.shared[:, None].to(specific.dtype), specific], dim=1)
        mask = functional.pad(present.repeat_interleave(n_summaries, dim=1), (2, 0), value=True)
        *earlier, last = self.fusion
        for layer in earlier:
            x = layer(x, mask, n_answers=x.shape[1])
        return last(x, mask, n_answers=1)[:, 0]  # type: ignore[no-any-return]  # nobody reads the others

    def _losses(
        self, routings: list[Routing], valid: Tensor, bound: Bound, facts: RowFacts | None
    ) -> dict[str, Float[Tensor, ""]]:
        present, flat_valid = valid.any(dim=2), valid.flatten(0, 1)
        trial = None if facts is None else facts.trial
        losses = {
            "balance": lambda: torch.stack([balance_loss(r, flat_valid) for r in routings]).mean(),
            "binding": lambda: contrast_loss(bound.views, present, trial),
            "orthogonality": lambda: overlap_loss(bound, present),
        }
        return {f"aux/{name}": losses[name]() for name in self.aux_weights}


class PhyFusionNetConfig(ModelConfig):
    """Sizes of the network, its memory, and the weights of its own losses."""

    kind: Literal["phy_fusionnet"] = "phy_fusionnet"
    width: int = Field(128, ge=8, description="units of a token inside the network; heads must divide it")
    heads: int = Field(8, ge=2)
    shared_frac: float = Field(0.25, ge=0, lt=1, description="share of the heads that is always at work")
    active_frac: float = Field(
        0.75, gt=0, le=1, description="share at work at a token, at least two of those that are not shared"
    )
    layers: int = Field(2, ge=1, description="of the encoder")
    fusion_layers: int = Field(2, ge=1)
    summaries: int = Field(4, ge=1, description="tokens that stand for a modality in the fusion")
    token_s: float = Field(1.0, gt=0, description="seconds from token to token; the extraction's own")
    dropout: float = Field(0.2, ge=0, lt=1)
    memory: Memory = Field("off", description="stream: what came earlier in the recording is remembered")
    memory_width: int = Field(128, ge=1, description="units of an entry of the memory")
    memory_slots: int = Field(20, ge=1, description="segments that are remembered one by one")
    gamma: float = Field(0.95, gt=0, lt=1, description="decay of the memory, a segment, at the start")
    balance_weight: float = Field(0.01, ge=0, description="on the loss that keeps all heads in use")
    binding_weight: float = Field(0.1, ge=0, description="on the contrast between segments")
    orthogonality_weight: float = Field(0.01, ge=0, description="on the overlap of shared and specific")

    @model_validator(mode="after")
    def _heads_fit(self) -> "PhyFusionNetConfig":
        if self.width % self.heads:
            fits = [n for n in range(2, self.width + 1) if self.width % n == 0]
            near = min(fits, key=lambda n: abs(n - self.heads))
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}: take heads={near}")
        self.head_mix()
        return self

    def head_mix(self) -> HeadMix:
        """Heads in numbers.

        Raises
        ------
        ValueError : fewer than two heads are left to be routed
        """
        n_shared = round(self.shared_frac * self.heads)
        top_k = max(2, round(self.active_frac * self.heads) - n_shared)
        return HeadMix(self.heads, n_shared, top_k)

    def build(self, shape: SegmentShape) -> PhyFusionNet:
        """Make the network."""
        options = EncoderOptions(
            self.width,
            self.head_mix(),
            self.layers,
            self.fusion_layers,
            self.summaries,
            self.dropout,
            self.token_s,
        )
        memory = MemoryOptions(self.memory_width, self.memory_slots, self.gamma)
        weights = {
            "balance": self.balance_weight,
            "binding": self.binding_weight,
            "orthogonality": self.orthogonality_weight,
        }
        return PhyFusionNet(shape, options, memory if self.memory == "stream" else None, weights)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """Architecture, losses and training; the length of a token is a matter of the extraction."""
        # A weight of 0 is missing, which no log range has, and SMOTE, which is for rows of a table alone.
        remembered = {"model.memory": ("stream",)}
        return SearchSpace(
            dimensions={
                "model.width": Choice(choices=(64, 128, 256)),
                "model.layers": Choice(choices=(1, 2, 3, 4)),
                "model.fusion_layers": Choice(choices=(1, 2, 3)),
                "model.heads": Choice(choices=(4, 8)),
                "model.shared_frac": Choice(choices=(0.0, 0.25, 0.5)),
                "model.active_frac": Choice(choices=(0.5, 0.75, 1.0)),
                "model.summaries": Choice(choices=(1, 2, 4, 8)),
                "model.memory": Choice(choices=("off", "stream")),
                "model.memory_slots": Choice(choices=(4, 8, 16, 32, 64), when=remembered),
                "model.gamma": Uniform(low=0.8, high=0.99, when=remembered),
                "model.dropout": Uniform(low=0.0, high=0.5),
                "model.balance_weight": LogUniform(low=1e-4, high=1e-1),
                "model.binding_weight": LogUniform(low=1e-3, high=1.0),
                "model.orthogonality_weight": LogUniform(low=1e-4, high=1e-1),
                "training.optimizer.learning_rate": LogUniform(low=1e-5, high=3e-3),
                "training.optimizer.weight_decay": LogUniform(low=1e-6, high=1e-2),
                "training.batch_size": Choice(choices=(32, 64, 128, 256)),
                "training.loss.focal_gamma": Uniform(low=0.0, high=3.0),
                "training.loss.balance_classes": Choice(choices=(False, True)),
                "training.sampling.classes": Choice(choices=("none", "balanced")),
            }
        )
