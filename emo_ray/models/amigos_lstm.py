"""AMIGOS multimodal LSTM: one recurrent branch a modality, fused by dense layers into all heads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from emo_ray.models.base import Inputs, Masks, ModelConfig, RowFacts, SegmentModel, SegmentShape
from emo_ray.models.blocks import (
    BothWaysLstm,
    Norm,
    Pool,
    Readout,
    SequenceLstm,
    TokenPool,
    by_segment,
    dense_tower,
    valid_first,
)
from emo_ray.space import Choice, LogUniform, SearchSpace, Uniform


@dataclass(frozen=True)
class BranchWidths:
    """Units of the LSTM layers and of the dense layers after them."""

    lstm: tuple[int, ...]
    dense: tuple[int, ...]

    def scaled(self, factor: float) -> "BranchWidths":
        """All widths times ``factor``, at least 1."""
        return BranchWidths(scale_widths(self.lstm, factor), scale_widths(self.dense, factor))


@dataclass(frozen=True)
class Variant:
    """Widths, dropouts and L2 of one published network.

    Attributes
    ----------
    main, side : the widest modality (EEG); every other one
    fusion : dense layers over the concatenated branches
    normed : whether a norm follows the first dense layer of each branch and of the fusion
    input_dropout : locked, on the inputs of every LSTM layer
    dense_dropouts, fusion_dropouts : after each dense layer
    l2 : lambda of ``lambda * sum(w^2)``
    n_penalised : how many leading dense kernels it holds for: in main, in side, in fusion
    """

    main: BranchWidths
    side: BranchWidths
    fusion: tuple[int, ...]
    input_dropout: float
    dense_dropouts: tuple[float, ...]
    fusion_dropouts: tuple[float, ...]
    normed: bool = False
    l2: float = 0.0
    n_penalised: tuple[int, int, int] = (1, 1, 1)


VariantName = Literal["lightweight", "moderate", "enhanced", "loso", "maximum", "loso15847", "max50123"]

_LOSO = Variant(
    main=BranchWidths((48,), (36, 18)),
    side=BranchWidths((24,), (18, 9)),
    fusion=(32, 16),
    input_dropout=0.4,
    dense_dropouts=(0.5, 0.4),
    fusion_dropouts=(0.5, 0.4),
    l2=0.01,  # "on first Denses": read as those of the branches and of the fusion
)
_MAXIMUM = Variant(
    main=BranchWidths((64, 32), (48, 24)),
    side=BranchWidths((32, 16), (20, 12)),
    fusion=(64, 32, 16),
    input_dropout=0.3,
    dense_dropouts=(0.4, 0.3),
    fusion_dropouts=(0.5, 0.4, 0.3),
    normed=True,
    l2=0.001,
    n_penalised=(2, 1, 1),
)
_MODERATE = Variant(
    main=BranchWidths((20,), (15, 10)),
    side=BranchWidths((10,), (8, 5)),
    fusion=(15, 10),
    input_dropout=0.3,
    dense_dropouts=(0.3, 0.3),
    fusion_dropouts=(0.4, 0.4),
)

# The last two match the numbers of weights that the authors print (15,847 and 50,123), which none of
# their own builders has; their widths are the nearest of many solutions, without history.
VARIANTS: Mapping[VariantName, Variant] = {
    "lightweight": Variant(
        main=BranchWidths((16,), (12,)),
        side=BranchWidths((8,), (6,)),
        fusion=(12,),
        input_dropout=0.2,
        dense_dropouts=(0.2,),
        fusion_dropouts=(0.3,),
    ),
    "moderate": _MODERATE,
    # its dropouts are not recorded: those of its neighbour "moderate"
    "enhanced": replace(
        _MODERATE, main=BranchWidths((24,), (18, 12)), side=BranchWidths((12,), (10, 6)), fusion=(18, 12)
    ),
    "loso": _LOSO,
    "maximum": _MAXIMUM,
    "loso15847": replace(
        _LOSO, main=BranchWidths((34,), (34, 20)), side=BranchWidths((22,), (18, 9)), fusion=(32, 18)
    ),
    "max50123": replace(
        _MAXIMUM, main=BranchWidths((56, 32), (48, 24)), side=BranchWidths((28, 16), (20, 12))
    ),
}


@dataclass(frozen=True)
class LstmOptions:
    """What all recurrent layers and norms of one network share, and how many earlier segments it is shown."""

    recurrent_dropout: float = 0.0
    keras_biases: bool = False
    norm: Norm = "bn"
    bidirectional: bool = False
    pool: Pool = "last"
    context: int = 0


class ModalityBranch(nn.Module):
    """LSTM layers over the valid tokens of one modality, pooled into one vector, then dense layers."""

    def __init__(self, n_features: int, widths: BranchWidths, variant: Variant, options: LstmOptions) -> None:
        super().__init__()
        self.bidirectional, self.context = options.bidirectional, options.context
        self.recurrent = nn.ModuleList()
        for n_units in widths.lstm:
            self.recurrent.append(_lstm(n_features, n_units, variant, options))
            n_features = n_units * (1 + options.bidirectional)
        self.pool = TokenPool(options.pool, n_features, bidirectional=options.bidirectional)
        norm = options.norm if variant.normed else None
        self.dense = dense_tower(n_features, widths.dense, variant.dense_dropouts, norm)

    def forward(
        self, x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch units"]:
        """Invalid tokens are as if they were not there; without any valid one the dense layers see zeros.

        With a context: the segment, the earlier ones from the latest on, and the segment less each of them,
        all read by the same weights. An earlier segment without a valid token gives zeros, and so does the
        difference from it, or of a segment that has none itself.
        """
        if not self.context:
            return self._read(x, mask)
        n_segments = 1 + self.context
        x, mask = by_segment(x, mask, n_segments)
        read = self._read(x, mask)
        read = read.view(-1, n_segments, read.shape[1]).flip(1)  # batch segments units, latest first
        there = mask.any(dim=1).view(-1, n_segments, 1).flip(1)
        earlier = read[:, 1:].masked_fill(~there[:, 1:], 0.0)
        change = (read[:, :1] - earlier).masked_fill(~(there[:, :1] & there[:, 1:]), 0.0)
        return torch.cat([read[:, :1], earlier, change], dim=1).flatten(1)

    def _read(
        self, x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch units"]:
        states, mask = valid_first(x, mask)
        for layer in self.recurrent:
            # batch tokens units; the padding comes last, so one way needs no mask
            states = layer(states, mask) if self.bidirectional else layer(states)
        return self.dense(self.pool(states, mask))  # type: ignore[no-any-return]


def _lstm(n_inputs: int, n_units: int, variant: Variant, options: LstmOptions) -> nn.Module:
    def one_way() -> SequenceLstm:
        return SequenceLstm(
            n_inputs,
            n_units,
            dropout=variant.input_dropout,
            recurrent_dropout=options.recurrent_dropout,
            keras_biases=options.keras_biases,
        )

    return BothWaysLstm(one_way(), one_way()) if options.bidirectional else one_way()


class AmigosLstm(SegmentModel):
    """Branch a modality, concatenation, fusion; 10,369 weights as ``moderate`` on tokens of 70, 12 and 8.

    The modality with the most features (the first of them in the given order) gets the EEG widths, every
    other one the ECG and GSR widths. After the "Amigos-Emotion-Recognition" notebooks of S. Prakash
    (github.com/sachinprakash553), whose GSR branch read the second ECG lead.

    With a context of n it is shown n earlier segments of the trial, before the segment's own tokens. The same
    branches read them all, and the fusion sees each branch's segments beside their differences
    (`ModalityBranch`). The differences come before the fusion, as a change in either direction is
    to count alike and the readout is linear.

    Raises
    ------
    ValueError : the data have not the tokens of so many segments
    """

    def __init__(self, shape: SegmentShape, variant: Variant, options: LstmOptions) -> None:
        super().__init__()
        check_context(shape, options.context)
        main = widest_modality(shape)
        self.modalities = tuple(shape.tokens)
        widths = {name: variant.main if name == main else variant.side for name in self.modalities}
        branches = {
            name: ModalityBranch(shape.tokens[name][1], widths[name], variant, options)
            for name in self.modalities
        }
        self.branches = nn.ModuleList(branches.values())
        # each earlier segment comes with its difference
        n_fused = (1 + 2 * options.context) * sum(widths[name].dense[-1] for name in self.modalities)
        norm = options.norm if variant.normed else None
        self.fusion = dense_tower(n_fused, variant.fusion, variant.fusion_dropouts, norm)
        self.readout = Readout(variant.fusion[-1], dict(shape.heads))
        self.l2 = variant.l2
        # a plain list: a ModuleList would enter these layers in the state a second time
        self._penalised = [
            kernel
            for name, branch in branches.items()
            for kernel in first_kernels(branch.dense, variant.n_penalised[0 if name == main else 1])
        ] + first_kernels(self.fusion, variant.n_penalised[2])

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, and the fused embedding ``"emb"``."""
        pairs = zip(self.modalities, self.branches, strict=True)
        branches = [branch(x[name], mask[name]) for name, branch in pairs]  # each: batch units
        emb = self.fusion(torch.cat(branches, dim=1))
        return self.readout(emb)  # type: ignore[no-any-return]

    def penalty(self) -> Float[Tensor, ""] | None:
        """``l2 * sum(w^2)`` over the first dense kernels, as the authors place it."""
        if self.l2 == 0:
            return None
        return self.l2 * torch.stack([layer.weight.square().sum() for layer in self._penalised]).sum()


def check_context(shape: SegmentShape, context: int) -> None:
    """Refuse tokens that are not those of ``1 + context`` segments.

    Raises
    ------
    ValueError : names the modality and its tokens
    """
    for name, (n_tokens, _) in shape.tokens.items():
        if n_tokens % (1 + context):
            raise ValueError(
                f"{name!r} arrives with {n_tokens} tokens, which are not those of {1 + context} segments: "
                f"give the segment data n_context={context}"
            )


def widest_modality(shape: SegmentShape) -> str:
    """The modality with the most features a token; the first one listed wins a tie."""
    return max(shape.tokens, key=lambda name: shape.tokens[name][1])


def first_kernels(tower: nn.Sequential, count: int) -> list[nn.Linear]:
    """The first ``count`` dense layers of a tower."""
    return [layer for layer in tower if isinstance(layer, nn.Linear)][:count]


def scale_widths(widths: tuple[int, ...], factor: float) -> tuple[int, ...]:
    """Widths times ``factor``, rounded, at least 1."""
    return tuple(max(1, round(width * factor)) for width in widths)


class AmigosLstmConfig(ModelConfig):
    """Variant by name, with what may be changed about it; None keeps what the variant has."""

    kind: Literal["amigos_lstm"] = "amigos_lstm"
    variant: VariantName = "moderate"
    width_mult: float = Field(1.0, gt=0, le=16, description="factor on all widths")
    input_dropout: float | None = Field(None, ge=0, lt=1, description="on LSTM inputs, one mask a sequence")
    recurrent_dropout: float = Field(
        0.0, ge=0, lt=1, description="on LSTM states; slow; published: 0.3 moderate and maximum, 0.4 loso"
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="after every dense layer")
    l2: float | None = Field(None, ge=0, description="lambda of the penalty on the first dense kernels")
    norm: Norm = Field("bn", description="where the variant has a norm: over the batch, or over the layer")
    keras_biases: bool = Field(False, description="one bias a gate, for the published numbers of weights")
    bidirectional: bool = Field(
        False, description="a second LSTM of the same width reads each layer's tokens backwards"
    )
    pool: Pool = Field("last", description="what the dense layers see of the states: last, mean, attention")
    context: Literal[0, 1, 2] = Field(
        0, description="earlier segments of the trial that are read beside each; 1 lets a transition be seen"
    )

    @property
    def n_context(self) -> int:
        """As many as ``context``."""
        return self.context

    def resolved_variant(self) -> Variant:
        """The variant with all changes applied."""
        variant = VARIANTS[self.variant]
        return replace(
            variant,
            main=variant.main.scaled(self.width_mult),
            side=variant.side.scaled(self.width_mult),
            fusion=scale_widths(variant.fusion, self.width_mult),
            input_dropout=variant.input_dropout if self.input_dropout is None else self.input_dropout,
            dense_dropouts=self._dropouts(variant.dense_dropouts),
            fusion_dropouts=self._dropouts(variant.fusion_dropouts),
            l2=variant.l2 if self.l2 is None else self.l2,
        )

    def _dropouts(self, published: tuple[float, ...]) -> tuple[float, ...]:
        return published if self.dropout is None else (self.dropout,) * len(published)

    def build(self, shape: SegmentShape) -> AmigosLstm:
        """Make the network."""
        options = LstmOptions(
            recurrent_dropout=self.recurrent_dropout,
            keras_biases=self.keras_biases,
            norm=self.norm,
            bidirectional=self.bidirectional,
            pool=self.pool,
            context=self.context,
        )
        return AmigosLstm(shape, self.resolved_variant(), options)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """Architecture and training; recurrent dropout is left out, for it takes the slow path."""
        # Raw input at 64 Hz is missing: it is another extraction, which a study does not search over.
        return SearchSpace(
            dimensions={
                "model.variant": Choice(choices=("lightweight", "moderate", "loso", "maximum")),
                "model.width_mult": Uniform(low=0.5, high=2.0),
                "model.bidirectional": Choice(choices=(False, True)),
                "model.pool": Choice(choices=("last", "mean", "attention")),
                "model.context": Choice(choices=(0, 1, 2)),
                "model.dropout": Uniform(low=0.0, high=0.6),
                # "rnn dropout": the locked one on LSTM inputs
                "model.input_dropout": Uniform(low=0.0, high=0.4),
                "model.l2": LogUniform(low=1e-6, high=1e-2),
                "training.optimizer.learning_rate": LogUniform(low=1e-4, high=3e-3),
                "training.batch_size": Choice(choices=(32, 64, 128)),
                "training.clip_norm": Uniform(low=0.5, high=5.0),
                # lambda_t; a task without events does not read it
                "training.loss.event_weight": LogUniform(low=0.1, high=30.0),
            }
        )
