"""All models by name; a new model joins here and nowhere else."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.base import ModelConfig
from emo_ray.models.eegnet import EegNetConfig
from emo_ray.models.graph_net import DgcnnConfig
from emo_ray.models.gru_xnet import GruXNetConfig
from emo_ray.models.mlp import MlpConfig
from emo_ray.models.phy_fusionnet import PhyFusionNetConfig
from emo_ray.models.phy_fusionnet_row import PhyFusionNetRowConfig
from emo_ray.models.res_attentio_net import ResAttentioNetConfig

AnyModelConfig = Annotated[
    AmigosLstmConfig
    | DgcnnConfig
    | EegNetConfig
    | GruXNetConfig
    | MlpConfig
    | PhyFusionNetConfig
    | PhyFusionNetRowConfig
    | ResAttentioNetConfig,
    Field(discriminator="kind"),
]

MODELS: Mapping[str, type[ModelConfig]] = {
    "amigos_lstm": AmigosLstmConfig,
    "dgcnn": DgcnnConfig,
    "eegnet": EegNetConfig,
    "gru_xnet": GruXNetConfig,
    "mlp": MlpConfig,
    "phy_fusionnet": PhyFusionNetConfig,
    "phy_fusionnet_row": PhyFusionNetRowConfig,
    "res_attentio_net": ResAttentioNetConfig,
}
