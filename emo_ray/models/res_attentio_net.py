"""ResAttentioNet: a residual convolution over tokens, then a learned query that attends to what is left."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from emo_ray.models.base import Inputs, Masks, ModelConfig, RowFacts, SegmentModel, SegmentShape
from emo_ray.models.blocks import Readout
from emo_ray.models.masked_norm import MaskedBatchNorm, gaps
from emo_ray.space import Choice, Integer, LogUniform, SearchSpace, Uniform

STAGE_WIDTHS = (1, 2, 4, 8)
"""Channels of the four stages, in base widths."""

STAGE_STRIDES = {32: (1, 2, 2, 2), 16: (1, 2, 2, 1), 8: (1, 2, 1, 1)}
"""By total stride; stem and pool take 2 each."""

HIDDEN_UNITS = 128
"""Of the dense layer before the readout, whatever the base width."""


class ResAttentioNetConfig(ModelConfig):
    """Widths, stride and dropouts; the defaults are the published ones, but for the padding."""

    kind: Literal["res_attentio_net"] = "res_attentio_net"
    base_width: int = Field(16, ge=1, le=256, description="channels of the first stage; the last has 8 times")
    total_stride: Literal[32, 16, 8] = Field(32, description="input tokens to one token that is attended to")
    attention_heads: Literal[1, 2, 4, 8] = 2
    drop_enc: float = Field(0.5, ge=0, lt=1, description="dropout on the tokens that are attended to")
    drop_cls: float = Field(0.5, ge=0, lt=1, description="dropout before the readout")
    drop_attention: float = Field(0.0, ge=0, lt=1, description="dropout on the weights of the attention")
    mask_padding: bool = Field(
        True, description="invalid tokens stay silent; no, as published: they are zeros like other values"
    )

    def build(self, shape: SegmentShape) -> "ResAttentioNet":
        """Make the network."""
        return ResAttentioNet(shape, self)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """The published row of hyperparameters."""
        # Crop length, smoothing and scaling are missing: they belong to the features and the protocol.
        return SearchSpace(
            dimensions={
                "model.base_width": Choice(choices=(8, 16, 32)),
                "model.attention_heads": Choice(choices=(1, 2, 4, 8)),
                "model.total_stride": Choice(choices=(32, 16, 8)),
                "model.drop_enc": Uniform(low=0.2, high=0.7),
                "model.drop_cls": Uniform(low=0.2, high=0.7),
                "training.optimizer.learning_rate": LogUniform(low=1e-5, high=3e-3),
                "training.optimizer.weight_decay": LogUniform(low=1e-6, high=1e-2),
                "training.batch_size": Choice(choices=(16, 32, 64)),
                "training.loss.label_smoothing": Uniform(low=0.0, high=0.2),
                "training.loss.balance_classes": Choice(choices=(False, True)),
                "training.plateau.factor": Uniform(low=0.2, high=0.7),
                "training.plateau.patience": Integer(low=3, high=10),
            }
        )


PUBLISHED = ResAttentioNetConfig(mask_padding=False)
"""The network of the thesis, whose padding is read like any other token; never a default."""


class ResAttentioNet(SegmentModel):
    """ResNet over tokens and attention pooling; 359,940 weights for tokens of 310 features and 4 classes.

    Modalities are read side by side, token by token; the shorter ones end in invalid tokens. Of 60 tokens
    the published network attends to 2; of up to 32 it has one left, and its query no say. With
    ``mask_padding`` all activations are zero at invalid tokens, and batch norm and attention leave them out.
    """

    def __init__(self, shape: SegmentShape, config: ResAttentioNetConfig) -> None:
        super().__init__()
        self.modalities = tuple(shape.tokens)
        self.n_tokens = max(n_tokens for n_tokens, _ in shape.tokens.values())
        self.mask_padding = config.mask_padding
        n_features = sum(n_features for _, n_features in shape.tokens.values())
        self.stem = ConvNorm(n_features, config.base_width, kernel=7, stride=2)
        self.stages = _stages(config.base_width, STAGE_STRIDES[config.total_stride])
        self.drop_enc = nn.Dropout(config.drop_enc)
        n_units = config.base_width * STAGE_WIDTHS[-1]
        self.pool = QueryPool(n_units, config.attention_heads, config.drop_attention)
        self.dense = nn.Linear(n_units, HIDDEN_UNITS)
        self.drop_cls = nn.Dropout(config.drop_cls)
        self.readout = Readout(HIDDEN_UNITS, dict(shape.heads))

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, and the last hidden layer ``"emb"``."""
        features, valid = self._side_by_side(x, mask)  # batch features tokens, batch 1 tokens
        states, valid = self.stem(features, valid).relu(), halved(valid)
        states, valid = halved_maximum(silent(states, valid)), halved(valid)
        states = silent(states, valid)  # the last maximum reaches one step too far
        for block in self.stages:
            states, valid = block(states, valid)
        tokens = self.drop_enc(states.transpose(1, 2))  # batch steps units
        pooled = self.pool(tokens, None if valid is None else valid[:, 0])
        emb = self.dense(pooled).relu()
        return {**self.readout(self.drop_cls(emb)), "emb": emb}

    def _side_by_side(self, x: Inputs, mask: Masks) -> tuple[Tensor, Tensor | None]:
        silenced, valid = [], []
        for name in self.modalities:
            missing = self.n_tokens - mask[name].shape[1]
            zeroed = torch.where(mask[name][..., None], x[name], 0.0)
            # what need not be padded or joined is not copied: these are the largest tensors of a step
            silenced.append(functional.pad(zeroed, (0, 0, 0, missing)) if missing else zeroed)
            valid.append(functional.pad(mask[name], (0, missing)))
        joined = torch.cat(silenced, dim=2) if len(silenced) > 1 else silenced[0]
        if not self.mask_padding:
            return joined.transpose(1, 2), None
        some = torch.stack(valid).any(dim=0)[:, None]  # batch 1 tokens
        return joined.transpose(1, 2), gaps(some) if self.training else some


class ConvNorm(nn.Module):
    """Convolution without bias, then batch norm over its valid steps."""

    def __init__(self, n_inputs: int, n_outputs: int, *, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv1d(n_inputs, n_outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = MaskedBatchNorm(n_outputs)

    def forward(
        self, x: Float[Tensor, "batch inputs steps"], valid: Bool[Tensor, "batch 1 steps"] | None
    ) -> Float[Tensor, "batch outputs _"]:
        """Steps shrink by the stride, rounded up."""
        valid = halved(valid) if self.stride == 2 else valid
        return self.norm(self.conv(x), valid)  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """Two convolutions, and what came in added to what they make of it."""

    def __init__(self, n_inputs: int, n_outputs: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(n_inputs, n_outputs, kernel=3, stride=stride)
        self.second = ConvNorm(n_outputs, n_outputs, kernel=3, stride=1)
        self.shortcut = (
            ConvNorm(n_inputs, n_outputs, kernel=1, stride=stride)
            if stride > 1 or n_inputs != n_outputs
            else None
        )

    def forward(
        self, x: Float[Tensor, "batch inputs steps"], valid: Bool[Tensor, "batch 1 steps"] | None
    ) -> tuple[Float[Tensor, "batch outputs _"], Bool[Tensor, "batch 1 _"] | None]:
        """States, and which of their steps are valid."""
        after = halved(valid) if self.first.stride == 2 else valid
        states = silent(self.first(x, valid).relu(), after)
        skipped = x if self.shortcut is None else self.shortcut(x, valid)
        return silent((self.second(states, after) + skipped).relu(), after), after


def _stages(base_width: int, strides: tuple[int, ...]) -> nn.ModuleList:
    """Four stages of two blocks; the first block of each strides."""
    blocks, n_inputs = nn.ModuleList(), base_width
    for factor, stride in zip(STAGE_WIDTHS, strides, strict=True):
        n_outputs = base_width * factor
        blocks.append(ResidualBlock(n_inputs, n_outputs, stride))
        blocks.append(ResidualBlock(n_outputs, n_outputs, stride=1))
        n_inputs = n_outputs
    return blocks


class QueryPool(nn.Module):
    """Multi-head attention of one learned query to the valid tokens."""

    def __init__(self, n_units: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, n_units))
        self.attention = nn.MultiheadAttention(n_units, n_heads, dropout=dropout, batch_first=True)

    def forward(
        self, tokens: Float[Tensor, "batch tokens units"], valid: Bool[Tensor, "batch tokens"] | None
    ) -> Float[Tensor, "batch units"]:
        """One vector a row; a row without valid tokens attends to all of them, which are silent."""
        query = self.query.expand(tokens.shape[0], -1, -1)
        ignored = None if valid is None else ~valid & valid.any(dim=1, keepdim=True)
        pooled, _ = self.attention(query, tokens, tokens, key_padding_mask=ignored)
        return pooled[:, 0]  # type: ignore[no-any-return]


def halved(valid: Bool[Tensor, "batch 1 steps"] | None) -> Bool[Tensor, "batch 1 _"] | None:
    """Steps behind a stride of 2: valid where one of the two they stand for is; None stays None."""
    if valid is None:
        return None
    even = functional.pad(valid, (0, valid.shape[2] % 2))
    return even[..., 0::2] | even[..., 1::2]


def silent(
    states: Float[Tensor, "batch units steps"], valid: Bool[Tensor, "batch 1 steps"] | None
) -> Float[Tensor, "batch units steps"]:
    """Zero at invalid steps."""
    return states if valid is None else states * valid


def halved_maximum(states: Float[Tensor, "batch units steps"]) -> Float[Tensor, "batch units _"]:
    """Largest of three steps around every second one; the states are not negative.

    As max pooling (3, stride 2, padding 1), whose gradient is not deterministic on CUDA.
    """
    steps = functional.pad(states, (1, 1 + states.shape[2] % 2))  # zeros, for nothing is below them
    before, centre, after = steps[..., :-2:2], steps[..., 1:-1:2], steps[..., 2::2]
    return torch.maximum(torch.maximum(before, centre), after)
