"""All writers of synthetic files, by the kind of corpus whose layout they write."""

from collections.abc import Mapping

from emo_ray.testing.amigos_files import AmigosFiles
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.eegmat_files import EegmatFiles
from emo_ray.testing.empatica_files import EmpaticaFiles
from emo_ray.testing.ppb_emo_files import PhyFusionNetFiles, PpbEmoFiles

WRITERS: Mapping[str, type[CorpusFiles]] = {
    "amigos": AmigosFiles,
    "eegmat": EegmatFiles,
    "empatica": EmpaticaFiles,
    "phyfusionnet_table": PhyFusionNetFiles,
    "ppb_emo": PpbEmoFiles,
}
