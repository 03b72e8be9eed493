"""All corpora by kind; a new corpus joins here and nowhere else."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from emo_ray.corpora.amigos import Amigos
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.empatica import EmpaticaFolders
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.corpora.phyfusionnet_table import PhyFusionNetTable
from emo_ray.corpora.ppb_emo import PpbEmo

AnyCorpus = Annotated[
    Amigos | EmpaticaFolders | FakeCorpus | FeatureTable | PhyFusionNetTable | PpbEmo,
    Field(discriminator="kind"),
]

CORPORA: Mapping[str, type[CorpusConfig]] = {
    "amigos": Amigos,
    "empatica": EmpaticaFolders,
    "fake": FakeCorpus,
    "feature_table": FeatureTable,
    "phyfusionnet_table": PhyFusionNetTable,
    "ppb_emo": PpbEmo,
}
