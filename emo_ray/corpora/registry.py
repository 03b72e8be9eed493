"""All corpora by kind; a new corpus joins here and nowhere else."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from emo_ray.corpora.amigos import Amigos
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.cl_drive import ClDrive
from emo_ray.corpora.deap import Deap
from emo_ray.corpora.dreamer import Dreamer
from emo_ray.corpora.eegmat import Eegmat
from emo_ray.corpora.empatica import EmpaticaFolders
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.corpora.gameemo import Gameemo
from emo_ray.corpora.multi import Multi
from emo_ray.corpora.phyfusionnet_table import PhyFusionNetTable
from emo_ray.corpora.ppb_emo import PpbEmo
from emo_ray.corpora.seed import Seed
from emo_ray.corpora.seed_iv import SeedIV
from emo_ray.corpora.seed_v import SeedV
from emo_ray.corpora.seed_vii import SeedVII
from emo_ray.corpora.wesad import Wesad

AnyCorpus = Annotated[
    Amigos
    | ClDrive
    | Deap
    | Dreamer
    | Eegmat
    | EmpaticaFolders
    | FakeCorpus
    | FeatureTable
    | Gameemo
    | Multi
    | PhyFusionNetTable
    | PpbEmo
    | Seed
    | SeedIV
    | SeedV
    | SeedVII
    | Wesad,
    Field(discriminator="kind"),
]

CORPORA: Mapping[str, type[CorpusConfig]] = {
    "amigos": Amigos,
    "cl_drive": ClDrive,
    "deap": Deap,
    "dreamer": Dreamer,
    "eegmat": Eegmat,
    "empatica": EmpaticaFolders,
    "fake": FakeCorpus,
    "feature_table": FeatureTable,
    "gameemo": Gameemo,
    "multi": Multi,
    "phyfusionnet_table": PhyFusionNetTable,
    "ppb_emo": PpbEmo,
    "seed": Seed,
    "seed_iv": SeedIV,
    "seed_v": SeedV,
    "seed_vii": SeedVII,
    "wesad": Wesad,
}
