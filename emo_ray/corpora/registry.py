"""All corpora by kind; a new corpus joins here and nowhere else."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from emo_ray.corpora.amigos import Amigos
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.empatica import EmpaticaFolders
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.feature_table import FeatureTable

AnyCorpus = Annotated[Amigos | EmpaticaFolders | FakeCorpus | FeatureTable, Field(discriminator="kind")]

CORPORA: Mapping[str, type[CorpusConfig]] = {
    "amigos": Amigos,
    "empatica": EmpaticaFolders,
    "fake": FakeCorpus,
    "feature_table": FeatureTable,
}
