"""All writers of synthetic files, by the kind of corpus whose layout they write."""

from collections.abc import Mapping

from emo_ray.testing.amigos_files import AmigosFiles
from emo_ray.testing.cl_drive_files import ClDriveFiles
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.deap_files import DeapFiles
from emo_ray.testing.dreamer_files import DreamerFiles
from emo_ray.testing.eegmat_files import EegmatFiles
from emo_ray.testing.empatica_files import EmpaticaFiles
from emo_ray.testing.gameemo_files import GameemoFiles
from emo_ray.testing.multi_files import MultiFiles
from emo_ray.testing.ppb_emo_files import PhyFusionNetFiles, PpbEmoFiles
from emo_ray.testing.seed_files import SeedFiles
from emo_ray.testing.seed_iv_files import SeedIVFiles
from emo_ray.testing.seed_v_files import SeedVFiles
from emo_ray.testing.seed_vii_files import SeedVIIFiles
from emo_ray.testing.wesad_files import WesadFiles

WRITERS: Mapping[str, type[CorpusFiles]] = {
    "amigos": AmigosFiles,
    "cl_drive": ClDriveFiles,
    "deap": DeapFiles,
    "dreamer": DreamerFiles,
    "eegmat": EegmatFiles,
    "empatica": EmpaticaFiles,
    "gameemo": GameemoFiles,
    "multi": MultiFiles,
    "phyfusionnet_table": PhyFusionNetFiles,
    "ppb_emo": PpbEmoFiles,
    "seed": SeedFiles,
    "seed_iv": SeedIVFiles,
    "seed_v": SeedVFiles,
    "seed_vii": SeedVIIFiles,
    "wesad": WesadFiles,
}
