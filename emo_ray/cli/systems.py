"""The published systems as presets: what each makes of a corpus, clean by default, as published on demand.

Parts of an experiment by field, as plain values where they are made in a line. What a job says itself, a flag
or a dotted override comes after them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emo_ray.errors import ConfigError

if TYPE_CHECKING:
    from emo_ray.corpora.base import CorpusConfig

Parts = Mapping[str, Any]
SEED_FAMILY = ("seed", "seed_iv", "seed_v", "seed_vii")
EEG_ALONE = ("gameemo", "ppb_emo", *SEED_FAMILY)
EEG_CORPORA = ("amigos", "cl_drive", "deap", "dreamer", "eegmat", *EEG_ALONE)
REFERENCES = (
    "majority",
    "prior",
    "linear",
    "svm",
    "forest",
    "nuisance",
    "probe_length",
    "probe_clock",
    "probe_place",
    "probe_dataset",
    "probe_channels",
    "probe_clip",
)
CROP_TOKENS = 12
"""48 s: the shortest clip of SEED-IV, so that no clip is left out and none is longer than another."""


@dataclass(frozen=True)
class System:
    """One published system.

    Attributes
    ----------
    clean : parts of the experiment that this project recommends for a corpus
    published : parts as its authors ran it, flaws included; empty where they never ran on such a corpus
    """

    name: str
    clean: "Callable[[CorpusConfig], Parts]"
    published: "Callable[[CorpusConfig], Parts]"


def amigos_lstm() -> System:
    """The multimodal LSTM of AMIGOS."""
    return System("amigos_lstm", _lstm_clean, _lstm_published)


def phy_fusionnet() -> System:
    """Phy-FusionNet: PPB-Emo, CL-Drive, WESAD."""
    return System("phy_fusionnet", _phy_clean, _phy_published)


def gru_xnet() -> System:
    """GRU-XNet: DEAP, GAMEEMO, SEED-IV, and all of them together."""
    return System("gru_xnet", _gru_clean, _gru_published)


def res_attentio_net() -> System:
    """ResAttentioNet: the SEED family."""
    return System("res_attentio_net", _res_clean, _res_published)


def eeg_sequences(corpus: "CorpusConfig") -> Parts:
    """Segments of 20 tokens of 1 s for networks over time, of EEG alone where there is some."""
    if corpus.kind not in EEG_CORPORA:
        return all_sequences(corpus)
    return _cut(corpus, {"segment_s": 20.0, "hop_s": 5.0, "token_s": 1.0, "signals": ("eeg",)})


def all_sequences(corpus: "CorpusConfig") -> Parts:
    """Segments for networks over time, all sensors in tokens of 10 s, which a heart needs; EEG alone: 2 s."""
    if corpus.kind in EEG_ALONE:
        return _cut(corpus, {"segment_s": 20.0, "hop_s": 5.0, "token_s": 2.0})
    length_s, hop_s = (30.0, 5.0) if corpus.kind in EEG_CORPORA else (60.0, 30.0)
    return _cut(corpus, {"segment_s": length_s, "hop_s": hop_s, "token_s": 10.0})


def _cut(corpus: "CorpusConfig", geometry: Parts) -> Parts:
    """The corpus's usual features, cleaning and bands, cut to a geometry where they come from signals."""
    from emo_ray.extraction.registry import default_extraction
    from emo_ray.extraction.signal_windows import SignalWindows
    from emo_ray.extraction.wrist_windows import WristWindows

    usual = default_extraction(corpus)
    if corpus.kind in SEED_FAMILY:
        return {"extraction": _crops(corpus)}
    if isinstance(usual, WristWindows):  # one token a segment
        usual = SignalWindows()
    if not isinstance(usual, SignalWindows):
        return {"extraction": usual}
    return {"extraction": usual.model_copy(update=geometry)}


def _crops(corpus: "CorpusConfig") -> Any:
    """Whole clips would tell their length, and with it the film: crops of one length instead."""
    from emo_ray.extraction.raw_tokens import RawTokens
    from emo_ray.extraction.registry import default_extraction
    from emo_ray.extraction.signal_windows import SignalWindows

    usual = default_extraction(corpus)
    if isinstance(usual, RawTokens):
        window_s = float(getattr(corpus, "window_s", 4.0))
        return usual.model_copy(update={"whole": False, "n_tokens": round(CROP_TOKENS * 4.0 / window_s)})
    assert isinstance(usual, SignalWindows), "signals of the SEED family are cut by it"
    length_s = CROP_TOKENS * 4.0
    return usual.model_copy(update={"segment_s": length_s, "hop_s": length_s, "token_s": 4.0})


def _lstm_clean(corpus: "CorpusConfig") -> Parts:
    if corpus.kind == "amigos":
        return {}  # the job's own settings were made for it
    return {**all_sequences(corpus), "references": REFERENCES, "model": {"kind": "amigos_lstm"}}


def _lstm_published(corpus: "CorpusConfig") -> Parts:
    from emo_ray.training.published import published_training

    if corpus.kind != "amigos":
        return {}
    return {
        "corpus": corpus.model_copy(update={"ecg_lead": "both"}),  # the left one was taken for GSR
        "extraction": {"kind": "amigos_published"},
        "task": {"kind": "affect", "pairs": "published"},
        "model": {"kind": "amigos_lstm", "variant": "lightweight", "keras_biases": True},
        "training": published_training("30-7"),
        "protocol": {"kind": "hold_out", "n_test": 7},
        "procedure": {"kind": "published", "test_validates": True, "visible_padding": True},
    }


def _phy_clean(corpus: "CorpusConfig") -> Parts:
    from emo_ray.training.config import TrainingConfig
    from emo_ray.training.losses import LossConfig
    from emo_ray.training.optimizer import OptimizerConfig
    from emo_ray.training.sampler import SamplingConfig

    parts = all_sequences(corpus)
    return {
        **parts,
        "references": REFERENCES,
        "model": {
            "kind": "phy_fusionnet",
            "dropout": 0.2,
            "token_s": _seconds_of(parts["extraction"], corpus),
        },
        "training": TrainingConfig(
            optimizer=OptimizerConfig(kind="adamw", learning_rate=3e-4, weight_decay=1e-4),
            # a synthetic row, which balanced the published ones, has no place among tokens with masks
            sampling=SamplingConfig(classes="balanced"),
            loss=LossConfig(focal_gamma=2.0, balance_classes=False),
            max_epochs=30,
            patience=8,
            monitor="primary",
        ),
    }


def _seconds_of(extraction: Any, corpus: "CorpusConfig") -> float:
    """Seconds a token: what a network that knows time must be told."""
    known = getattr(extraction, "token_s", None) or getattr(corpus, "window_s", None)
    if known is not None:
        return float(known)
    return 4.0 if corpus.kind in SEED_FAMILY else 1.0


def _phy_published(corpus: "CorpusConfig") -> Parts:
    from emo_ray.extraction.registry import default_extraction
    from emo_ray.training.published import published_training

    if corpus.kind not in ("cl_drive", "empatica", "feature_table", "phyfusionnet_table", "ppb_emo", "wesad"):
        return {}
    rows = {"content": "rows", "with_clock": True} if corpus.kind == "phyfusionnet_table" else {}
    as_rows = corpus.model_copy(update=rows)
    return {
        "corpus": as_rows,
        "extraction": default_extraction(as_rows),
        "model": {"kind": "phy_fusionnet_row"},
        "training": published_training("phy-fusionnet"),
        "protocol": {"kind": "random_rows"},
        "procedure": {"kind": "published"},
    }


def _gru_clean(corpus: "CorpusConfig") -> Parts:
    from emo_ray.extraction.registry import default_extraction
    from emo_ray.extraction.stft_tokens import StftTokens
    from emo_ray.training.config import TrainingConfig
    from emo_ray.training.optimizer import OptimizerConfig
    from emo_ray.training.sampler import SamplingConfig

    usual = default_extraction(corpus)
    cleaning = getattr(usual, "cleaning", {})
    spectra = usual if isinstance(usual, StftTokens) else StftTokens(cleaning=cleaning, hop_s=5.0)
    return {
        "extraction": spectra,
        "references": REFERENCES,
        "model": {"kind": "gru_xnet"},
        "training": TrainingConfig(
            # none where there is one: the largest corpus would else have the say
            sampling=SamplingConfig(datasets="equal" if corpus.kind == "multi" else "none"),
            optimizer=OptimizerConfig(kind="adamw", learning_rate=5e-4, weight_decay=1e-4),
            batch_size=32,
            max_epochs=15,
            patience=5,
            monitor="primary",
        ),
        "modalities": ("eeg",),
        **_valence_of(corpus, published=False),
    }


# Samples of a frame, seconds of a picture and from one to the next, as the authors cut each corpus.
GRU_PICTURES = {"deap": (256, 63.0, 63.0), "gameemo": (128, 5.0, 2.5), "seed_iv": (400, 140.0, 140.0)}


def _gru_published(corpus: "CorpusConfig") -> Parts:
    from emo_ray.extraction.stft_tokens import StftTokens
    from emo_ray.models.gru_xnet import GruXNetConfig
    from emo_ray.training.published import published_training

    if corpus.kind not in GRU_PICTURES:
        return {}
    frame_samples, segment_s, hop_s = GRU_PICTURES[corpus.kind]
    return {
        "extraction": StftTokens(
            mode="published",
            frame_samples=frame_samples,
            segment_s=segment_s,
            hop_s=hop_s,
            baseline="include",
            # DEAP's trials are as long as a picture; a clip of SEED-IV is cut or filled up with zeros
            whole=corpus.kind == "seed_iv",
        ),
        "model": GruXNetConfig.published("dynamic"),
        "training": published_training("gru-xnet"),
        "protocol": {"kind": "random_rows"},
        "procedure": {"kind": "published", "augment_first": True, "visible_padding": True},
        "modalities": ("eeg",),
        **_valence_of(corpus, published=True),
    }


def _valence_of(corpus: "CorpusConfig", published: bool) -> Parts:
    """Negative against positive where a corpus has classes only; both published maps are wrong."""
    from emo_ray.tasks.classes import ClassTask

    codes = {
        # boring, calm, horror, funny; published: games 1 and 2 against 3 and 4
        ("gameemo", False): ((0.0, 2.0), (1.0, 3.0)),
        ("gameemo", True): ((0.0, 1.0), (2.0, 3.0)),
        # neutral, sad, fear, happy; published: sad counts as positive
        ("seed_iv", False): ((1.0, 2.0), (3.0,)),
        ("seed_iv", True): ((0.0, 2.0), (1.0, 3.0)),
    }.get((corpus.kind, published))
    if codes is None:
        return {}
    return {"task": ClassTask(classes=(("negative", codes[0]), ("positive", codes[1])))}


def _res_clean(corpus: "CorpusConfig") -> Parts:
    from emo_ray.training.config import TrainingConfig
    from emo_ray.training.losses import LossConfig
    from emo_ray.training.optimizer import OptimizerConfig

    return {
        **eeg_sequences(corpus),
        "references": REFERENCES,
        # Crops are short: a total stride of 32 would leave one token to attend to.
        "model": {"kind": "res_attentio_net", "total_stride": 8},
        "training": TrainingConfig(
            optimizer=OptimizerConfig(kind="adamw", learning_rate=5e-4, weight_decay=1e-4),
            loss=LossConfig(label_smoothing=0.1),
            batch_size=32,
            max_epochs=40,
            patience=10,
            monitor="primary",
        ),
    }


def _res_published(corpus: "CorpusConfig") -> Parts:
    from emo_ray.extraction.registry import CLIP_S, RAW_CONTENTS, default_extraction
    from emo_ray.extraction.signal_windows import SignalWindows
    from emo_ray.features.band_features import BandFeatures
    from emo_ray.features.smoothing import PUBLISHED_LDS
    from emo_ray.training.published import published_training

    if corpus.kind not in SEED_FAMILY:
        return {}
    usual = default_extraction(corpus)
    if getattr(corpus, "content", "") in RAW_CONTENTS:
        assert isinstance(usual, SignalWindows), "signals of the SEED family are cut by it"
        entropy = {"eeg": BandFeatures(mode="published"), "smoothing": PUBLISHED_LDS}
        usual = usual.model_copy(update={**entropy, "max_tokens": round(CLIP_S / 4.0)})
    return {
        "extraction": usual,
        "model": {"kind": "res_attentio_net", "mask_padding": False},
        "training": published_training("res-attentio-net"),
        # 10, 2 and 3 of 15 people, 11, 2 and 3 of 16, 14, 3 and 3 of 20
        "protocol": {"kind": "hold_out", "n_test": 3, "validation_share": 1 / 6},
        "scaling": "transductive",
        "procedure": {"kind": "published", "visible_padding": True},
    }


def published_parts(system: System | None, corpus: "CorpusConfig", job: str) -> Parts:
    """What was published on such a corpus.

    Raises
    ------
    ConfigError : nothing was
    """
    parts = system.published(corpus) if system else {}
    if not parts:
        what = (
            f"{system.name} was not published on {corpus.kind}" if system else f"{job} is no published system"
        )
        raise ConfigError(
            f"--procedure published: {what}; jobs/loso_amigos.py, phy_fusionnet.py, gru_xnet.py and "
            "res_attentio_net.py reproduce what was, on the corpora that it was published on"
        )
    return parts
