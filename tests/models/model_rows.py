"""The configurations that the contract of models is tested on; a new model adds its rows here."""

import itertools
from dataclasses import dataclass, replace

from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.base import ModelConfig, SegmentShape
from emo_ray.models.eegnet import EegNetConfig
from emo_ray.models.graph_net import DgcnnConfig
from emo_ray.models.gru_xnet import GruXNetConfig
from emo_ray.models.mlp import MlpConfig
from emo_ray.models.phy_fusionnet import PhyFusionNetConfig
from emo_ray.models.phy_fusionnet_row import PhyFusionNetRowConfig
from emo_ray.models.res_attentio_net import PUBLISHED, ResAttentioNetConfig

HEADS = {"emotion": 3, "valence": 1, "transition": 1}
SHAPE = SegmentShape(tokens={"eeg": (6, 5), "ecg": (4, 2)}, heads=HEADS)
# 3 electrodes of 9 bins; of 17 tokens two steps are left
PICTURES = SegmentShape(
    tokens={"eeg": (17, 27)},
    heads=HEADS,
    features={"eeg": tuple(f"{name}/{hz}Hz" for name in ("Fz", "Cz", "Pz") for hz in range(1, 10))},
)
# 70 samples: a rest of 2 after the first pool, of 1 after the second
RAW = SegmentShape(tokens={"ecg": (70, 1), "eeg": (70, 3)}, heads=HEADS)
LONG = SegmentShape(tokens={"eeg": (40, 5), "ecg": (24, 2)}, heads=HEADS)


@dataclass(frozen=True)
class Row:
    """One configuration under contract.

    Attributes
    ----------
    shape : of the data; its heads are HEADS
    dead : weights that no gradient reaches by publication, as `named_parameters` calls them
    one_token : whether it can read modalities of a single token; if not, building for them is refused
    """

    config: ModelConfig
    shape: SegmentShape = SHAPE
    dead: frozenset[str] = frozenset()
    one_token: bool = True


# published: one token needs no query and no key, the memory is written without gradient, gamma is not used
DEAD_IN_ROWS = frozenset(
    {
        "gamma",
        *(f"memory.encoder.{part}" for part in ("weight", "bias")),
        *(f"blocks.0.query_key.{part}" for part in ("weight", "bias")),
    }
)
ROWS = {
    "amigos_lstm": Row(AmigosLstmConfig()),
    "amigos_lstm-batch-norm": Row(AmigosLstmConfig(variant="maximum")),
    "amigos_lstm-layer-norm": Row(AmigosLstmConfig(variant="maximum", norm="ln", recurrent_dropout=0.3)),
    **{
        f"amigos_lstm-{pool}{'-both-ways' * both}": Row(AmigosLstmConfig(pool=pool, bidirectional=both))
        for pool, both in itertools.product(("last", "mean", "attention"), (False, True))
    },
    "amigos_lstm-all": Row(
        AmigosLstmConfig(variant="maximum", pool="attention", bidirectional=True, recurrent_dropout=0.3)
    ),
    "amigos_lstm-context-1": Row(AmigosLstmConfig(context=1), one_token=False),
    "amigos_lstm-context-2": Row(
        AmigosLstmConfig(variant="maximum", context=2, bidirectional=True, pool="mean"),
        SegmentShape(tokens={"eeg": (6, 5), "ecg": (9, 2)}, heads=HEADS),
        one_token=False,
    ),
    "dgcnn": Row(DgcnnConfig()),
    "dgcnn-grid": Row(DgcnnConfig(order=4, token_pool="attention"), PICTURES),
    "dgcnn-alone": Row(DgcnnConfig(order=1)),
    "eegnet": Row(EegNetConfig(), RAW),
    "eegnet-tokens": Row(EegNetConfig(modality="ecg")),
    **{
        f"gru_xnet-{name}": Row(
            GruXNetConfig(gru_units=16, cnn_mult=0.25, **options), PICTURES, one_token=False
        )
        for name, options in {
            "freqpool": {},
            "dynamic": {"joint": "dynamic", "impl": "loop"},
            "standard": {"joint": "standard", "impl": "grouped"},
            "projected": {"joint": "projected", "norm": "gn"},
            "shared": {"joint": "shared", "fusion": "mean", "gru_layers": 1},
        }.items()
    },
    "mlp": Row(MlpConfig()),
    "mlp-linear": Row(MlpConfig(hidden=())),
    "res_attentio_net": Row(ResAttentioNetConfig(), LONG),  # up to 32 tokens would leave one to attend to
    "res_attentio_net-published": Row(PUBLISHED, LONG),
    "res_attentio_net-stride-8": Row(
        ResAttentioNetConfig(base_width=8, total_stride=8, attention_heads=8, drop_attention=0.3), LONG
    ),
    "phy_fusionnet": Row(PhyFusionNetConfig(width=16, heads=4)),
    "phy_fusionnet-stream": Row(
        PhyFusionNetConfig(width=16, heads=4, memory="stream", memory_width=8, memory_slots=2)
    ),
    "phy_fusionnet-no-shared-heads": Row(
        PhyFusionNetConfig(width=16, heads=4, shared_frac=0.0, layers=1, fusion_layers=1, binding_weight=0.0)
    ),
    "phy_fusionnet_row": Row(PhyFusionNetRowConfig(), dead=DEAD_IN_ROWS),
}


@dataclass(frozen=True)
class Counted:
    """A configuration whose number of weights is known from its publication."""

    config: ModelConfig
    shape: SegmentShape
    weights: int


def de_shape(n_classes, n_features=310):
    """Differential entropies of a trial, of 62 electrodes and 5 bands: 60 tokens of 4 s."""
    return SegmentShape(tokens={"eeg": (60, n_features)}, heads={"emotion": n_classes})


def raw_shape(n_channels, n_samples, n_classes):
    return SegmentShape(tokens={"eeg": (n_samples, n_channels)}, heads={"event": n_classes})


def flat_shape(n_classes, *, n_modalities, n_features):
    """Modalities of the same size: the number of weights depends on the sum of their features alone."""
    tokens = {f"sensor{i}": (1, n_features) for i in range(n_modalities)}
    return SegmentShape(tokens=tokens, heads={"emotion": n_classes})


EEGNET_4_2 = EegNetConfig(temporal_filters=4, pointwise_filters=8)
AMIGOS_7 = SegmentShape(tokens={"eeg": (20, 70), "ecg": (20, 12), "gsr": (20, 10)}, heads={"emotion": 7})
FALLBACK_ROW = PhyFusionNetRowConfig(width=256, memory_width=256, heads=8, layers=2)  # without a search

COUNTS = {
    **{
        f"res_attentio_net-{n_classes}-classes": Counted(PUBLISHED, de_shape(n_classes), weights)
        for n_classes, weights in {2: 359_682, 3: 359_811, 4: 359_940, 5: 360_069, 7: 360_327}.items()
    },
    **{
        f"res_attentio_net-width-{width}": Counted(
            ResAttentioNetConfig(base_width=width, total_stride=8), de_shape(4), weights
        )
        for width, weights in {8: 104_004, 32: 1_329_540}.items()
    },
    "res_attentio_net-deap": Counted(ResAttentioNetConfig(), de_shape(2, 160), 342_882),
    "res_attentio_net-amigos": Counted(ResAttentioNetConfig(), de_shape(2, 70), 332_802),
    # samples at 128 Hz: 1 s, 1.5 s, 2 s
    **{
        f"eegnet-{name}": Counted(config, raw_shape(n_channels, n_samples, n_classes), weights)
        for name, config, n_channels, n_samples, n_classes, weights in [
            ("8,2-p300", EegNetConfig(), 64, 128, 2, 2_258),
            ("8,2-mrcp", EegNetConfig(), 64, 192, 2, 2_322),
            ("8,2-smr", EegNetConfig(kernel=32), 22, 256, 4, 1_716),
            ("4,2-p300", EEGNET_4_2, 64, 128, 2, 1_066),
            ("4,2-smr", EEGNET_4_2.model_copy(update={"kernel": 32}), 22, 256, 4, 796),
        ]
    },
    **{
        f"phy_fusionnet-{name}": Counted(PhyFusionNetConfig(memory="stream"), shape, weights)
        for name, (shape, weights) in {
            "amigos": (AMIGOS_7, 1_037_664),
            "wesad": (flat_shape(3, n_modalities=6, n_features=10), 1_033_756),
            "deap": (flat_shape(2, n_modalities=7, n_features=30), 1_053_383),
            "ppb_emo": (flat_shape(7, n_modalities=2, n_features=96), 1_050_408),
        }.items()
    },
    "phy_fusionnet-small": Counted(
        PhyFusionNetConfig(width=64, heads=4, layers=1, fusion_layers=1, memory="stream", memory_width=64),
        replace(AMIGOS_7, heads={"emotion": 4}),
        168_017,
    ),
    "phy_fusionnet-large": Counted(
        PhyFusionNetConfig(width=256, layers=4, memory="stream"),
        replace(AMIGOS_7, heads={"emotion": 4}),
        5_493_357,
    ),
    **{
        f"phy_fusionnet_row-{config.width}-of-{n_features}": Counted(
            config, flat_shape(7, n_modalities=1, n_features=n_features), weights
        )
        for config, n_features, weights in [
            (PhyFusionNetRowConfig(), 192, 358_298),
            (PhyFusionNetRowConfig(), 195, 358_682),
            (PhyFusionNetRowConfig(), 19_305, 2_804_762),
            (FALLBACK_ROW, 192, 2_168_870),
            (FALLBACK_ROW, 195, 2_169_638),
        ]
    },
}
