"""All models by name; a new model joins here and nowhere else."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.base import ModelConfig
from emo_ray.models.mlp import MlpConfig

AnyModelConfig = Annotated[AmigosLstmConfig | MlpConfig, Field(discriminator="kind")]

MODELS: Mapping[str, type[ModelConfig]] = {"amigos_lstm": AmigosLstmConfig, "mlp": MlpConfig}
