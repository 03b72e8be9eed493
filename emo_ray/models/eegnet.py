"""EEGNet: learned band filters, a spatial filter for each, and a depthwise separable convolution."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from emo_ray.models.base import Inputs, Masks, ModelConfig, RowFacts, SegmentModel, SegmentShape
from emo_ray.models.blocks import Readout
from emo_ray.models.masked_norm import MaskedBatchNorm, gaps
from emo_ray.space import Choice, LogUniform, SearchSpace, Uniform

POOLS = (4, 8)
"""Samples that the two average pools take together."""

SEPARABLE_KERNEL = 16
"""Samples, after the first pool: half a second at 128 Hz."""

SPATIAL_MAX_NORM, READOUT_MAX_NORM = 1.0, 0.25
"""Largest L2 norm of the weights of a spatial filter, and of an output."""


class EegNetConfig(ModelConfig):
    """Numbers of filters; the defaults are EEGNet-8,2, with its authors' dropout for people not seen."""

    kind: Literal["eegnet"] = "eegnet"
    modality: str = Field("eeg", description="the one it reads: tokens are samples, features are channels")
    temporal_filters: int = Field(8, ge=1, description="F1")
    spatial_filters: int = Field(2, ge=1, description="D: for each temporal filter")
    pointwise_filters: int = Field(16, ge=1, description="F2; its authors take F1 times D")
    kernel: int = Field(64, ge=1, description="samples of a temporal filter; half a second at 128 Hz")
    dropout: float = Field(0.25, ge=0, lt=1)

    def build(self, shape: SegmentShape) -> "EegNet":
        """Make the network."""
        return EegNet(shape, self)

    @classmethod
    def search_space(cls) -> SearchSpace:
        """Filters, and how hard they are held back; ours, around the values of the authors."""
        return SearchSpace(
            dimensions={
                "model.temporal_filters": Choice(choices=(4, 8, 16)),
                "model.spatial_filters": Choice(choices=(1, 2, 4)),
                "model.pointwise_filters": Choice(choices=(8, 16, 32)),
                "model.kernel": Choice(choices=(16, 32, 64, 128)),
                "model.dropout": Uniform(low=0.1, high=0.6),
                "training.optimizer.learning_rate": LogUniform(low=1e-4, high=1e-2),
                "training.optimizer.weight_decay": LogUniform(low=1e-6, high=1e-2),
                "training.batch_size": Choice(choices=(16, 32, 64)),
                "training.loss.label_smoothing": Uniform(low=0.0, high=0.2),
            }
        )


class EegNet(SegmentModel):
    """EEGNet-8,2 has 2,258 weights for a second of 64 channels at 128 Hz and two classes.

    It is meant for raw EEG, and works along tokens of any kind. Kernels and pools longer than what comes to
    them are cut to it. Invalid samples are silent: zero after every norm, and left out of norms and pools.

    Raises
    ------
    ValueError : the data have not the modality that it reads

    References
    ----------
    Lawhern et al. (2018), "EEGNet: a compact convolutional neural network for EEG-based brain-computer
    interfaces", Journal of Neural Engineering 15, 056013.
    """

    def __init__(self, shape: SegmentShape, config: EegNetConfig) -> None:
        super().__init__()
        if config.modality not in shape.tokens:
            raise ValueError(
                f"eegnet reads {config.modality!r}, and the data have {sorted(shape.tokens)}: "
                "give it one of them, as model.modality"
            )
        self.modality = config.modality
        n_samples, n_channels = shape.tokens[config.modality]
        n_sources = config.temporal_filters * config.spatial_filters
        first = min(POOLS[0], n_samples)
        second = min(POOLS[1], n_samples // first)
        self.pools = first, second
        self.temporal = nn.Conv2d(1, config.temporal_filters, (1, min(config.kernel, n_samples)), bias=False)
        self.temporal_norm = _norm(config.temporal_filters)
        self.spatial = SpatialFilters(config.temporal_filters, n_sources, n_channels)
        self.spatial_norm = _norm(n_sources)
        kernel = min(SEPARABLE_KERNEL, n_samples // first)
        self.depthwise = nn.Conv1d(n_sources, n_sources, kernel, groups=n_sources, bias=False)
        self.pointwise = nn.Conv1d(n_sources, config.pointwise_filters, 1, bias=False)
        self.pointwise_norm = _norm(config.pointwise_filters)
        self.dropout = nn.Dropout(config.dropout)
        self.readout = _bounded_readout(config.pointwise_filters * (n_samples // first // second), shape)
        for conv in (self.temporal, self.spatial, self.depthwise, self.pointwise):
            nn.init.xavier_uniform_(conv.weight)

    def forward(self, x: Inputs, mask: Masks, facts: RowFacts | None = None) -> dict[str, Tensor]:
        """Heads by name, and the flattened filters ``"emb"``."""
        present = mask[self.modality]  # batch samples
        signal = torch.where(present[..., None], x[self.modality], 0.0)
        valid = gaps(present[:, None]) if self.training else present[:, None]  # batch 1 samples
        bands = self._bands(signal.transpose(1, 2)[:, None], valid)  # batch F1 channels samples
        sources = functional.elu(self.spatial_norm(self.spatial(bands)[:, :, 0], valid))  # batch F1*D samples
        sources, valid = pooled(sources, valid, self.pools[0])
        mixed = self.depthwise(same_padded(self.dropout(sources), self.depthwise.kernel_size[0]))
        mixed = functional.elu(self.pointwise_norm(self.pointwise(mixed), valid))  # batch F2 steps
        mixed, _ = pooled(mixed, valid, self.pools[1])
        return self.readout(self.dropout(mixed).flatten(1))  # type: ignore[no-any-return]

    def _bands(self, signal: Tensor, valid: Tensor | None) -> Tensor:
        bands = self.temporal(same_padded(signal, self.temporal.kernel_size[1]))
        if valid is None:
            return self.temporal_norm(bands)  # type: ignore[no-any-return]
        valid = valid[:, None]  # batch 1 1 samples
        return self.temporal_norm(bands, valid) * valid  # type: ignore[no-any-return]


class SpatialFilters(nn.Conv2d):
    """Filters over all channels, several for each band, of bounded norm."""

    def __init__(self, n_bands: int, n_sources: int, n_channels: int) -> None:
        super().__init__(n_bands, n_sources, (n_channels, 1), groups=n_bands, bias=False)

    def forward(
        self,
        input: Float[Tensor, "batch bands channels samples"],  # noqa: A002
    ) -> Float[Tensor, "batch sources 1 samples"]:
        """Sources of every band."""
        return functional.conv2d(input, bounded_weight(self, SPATIAL_MAX_NORM), groups=self.groups)


class BoundedLinear(nn.Linear):
    """Linear layer whose outputs have weights of bounded norm."""

    def forward(self, input: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:  # noqa: A002
        """The outputs."""
        return functional.linear(input, bounded_weight(self, READOUT_MAX_NORM), self.bias)


def bounded_weight(layer: nn.Conv2d | nn.Linear, max_norm: float) -> Tensor:
    """Weights with at most this L2 norm for each output; in train mode the layer keeps them.

    So they are projected once after every update, as the constraints of Keras do.
    """
    norms = layer.weight.detach().flatten(1).norm(dim=1).clamp_min(max_norm)
    bounded: Tensor = layer.weight * (max_norm / norms).view(-1, *[1] * (layer.weight.ndim - 1))
    if not layer.training:
        return bounded
    layer.weight.data.copy_(bounded.detach())
    return layer.weight


def _bounded_readout(n_inputs: int, shape: SegmentShape) -> Readout:
    readout = Readout(n_inputs, dict(shape.heads))
    linear = BoundedLinear(n_inputs, readout.linear.out_features)
    linear.load_state_dict(readout.linear.state_dict())
    readout.linear = linear
    return readout


def _norm(n_units: int) -> MaskedBatchNorm:
    # as Keras does by default; torch writes momentum the other way round
    return MaskedBatchNorm(n_units, eps=1e-3, momentum=0.01)


def same_padded(x: Float[Tensor, "*axes samples"], kernel: int) -> Float[Tensor, "*axes _"]:
    """Zeros before and after, so that a convolution keeps the number of samples; an odd one goes behind."""
    return functional.pad(x, ((kernel - 1) // 2, kernel // 2))


def pooled(
    x: Float[Tensor, "batch units samples"], valid: Bool[Tensor, "batch 1 samples"] | None, size: int
) -> tuple[Float[Tensor, "batch units _"], Bool[Tensor, "batch 1 _"] | None]:
    """Mean of the valid ones of every ``size`` samples, and where there is one; a rest is left out."""
    n_steps = x.shape[2] // size
    x = x[..., : n_steps * size].reshape(x.shape[0], x.shape[1], n_steps, size)
    if valid is None:
        return x.mean(dim=3), None
    valid = valid[..., : n_steps * size].reshape(x.shape[0], 1, n_steps, size)
    return (x * valid).sum(dim=3) / valid.sum(dim=3).clamp_min(1), valid.any(dim=3)
