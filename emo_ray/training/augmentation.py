"""AugmentationConfig: which children training rows get, and how many; off by default."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _is_ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] <= ends[1]:
        raise ValueError(f"a range goes from low to high, and this is {ends[0]:g} to {ends[1]:g}")
    return ends


Share = Annotated[float, Field(ge=0, le=1)]
ShareRange = Annotated[tuple[Share, Share], AfterValidator(_is_ascending)]
PositiveRange = Annotated[
    tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]], AfterValidator(_is_ascending)
]


class Contributions(BaseModel):
    """How much each technique makes, as multiples of the originals; rescaled so that they sum to the ratio.

    The defaults are the published ones of GRU-XNet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    noise: float = Field(0.50, ge=0)
    time_shift: float = Field(0.30, ge=0)
    crop: float = Field(0.30, ge=0)
    amplitude: float = Field(0.20, ge=0)
    channel_drop: float = Field(0.20, ge=0)
    frequency_shift: float = Field(0.16, ge=0)
    mask: float = Field(0.24, ge=0)
    mixup: float = Field(0.30, ge=0)
    smote: float = Field(0.20, ge=0)


TECHNIQUES = tuple(Contributions.model_fields)


class AugmentationConfig(BaseModel):
    """Which children training rows get; off by default. Ranges are drawn from uniformly, once a child."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratio: float = Field(0.0, ge=0, description="children per original; 0: no augmentation; published: 2")
    resample: Literal["epoch", "once"] = Field(
        "epoch", description="new children every epoch, or the same all through (published)"
    )
    contributions: Contributions = Contributions()
    noise_sd: PositiveRange = Field((0.001, 0.05), description="sd of the noise, in sd of the training rows")
    time_shift_share: ShareRange = Field((0.05, 0.20), description="of a segment, either way, circular")
    crop_share: ShareRange = Field((0.80, 0.95), description="of a segment that is kept, then stretched")
    amplitude_factor: PositiveRange = (0.9, 1.1)
    channel_drop_share: ShareRange = Field((0.05, 0.20), description="of the channels, at least one")
    frequency_shift_hz: PositiveRange = Field((1.0, 2.0), description="Hz, up or down")
    mask_share: ShareRange = Field((0.10, 0.10), description="of the tokens, and of the frequency bins")
    mixup_alpha: float = Field(0.2, gt=0, description="of the Beta distribution of the mixing weight")
    mixup_first: Literal["dominant", "any"] = Field(
        "dominant",
        description="weight of the parent, whose target counts: at least half, or as drawn (published)",
    )
    smote_neighbours: int = Field(5, ge=1, description="nearest rows of the same class to choose from")

    @model_validator(mode="after")
    def _makes_something(self) -> "AugmentationConfig":
        if self.ratio > 0 and not any(self.contributions.model_dump().values()):
            raise ValueError(
                f"{self.ratio:g} children an original, and no technique contributes: raise one of "
                f"contributions.{', '.join(TECHNIQUES)}, or set ratio to 0"
            )
        return self


def published_augmentation() -> AugmentationConfig:
    """Techniques and numbers of GRU-XNet, mixed rows labelled by a first that may weigh next to nothing.

    The published children were made before the split, and given random subjects; there is no way to here.
    """
    return AugmentationConfig(ratio=2.0, resample="once", mixup_first="any")
