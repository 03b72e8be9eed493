"""All extractions by kind, and which one a corpus takes unless told otherwise."""

from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import Field

from emo_ray.corpora.base import CorpusConfig
from emo_ray.errors import ConfigError
from emo_ray.extraction.amigos_published import AmigosPublished
from emo_ray.extraction.amigos_tokens import AmigosTokens
from emo_ray.extraction.base import ExtractionConfig
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.extraction.sample_windows import SampleWindows
from emo_ray.extraction.signal_windows import SignalWindows
from emo_ray.extraction.stft_tokens import StftTokens
from emo_ray.extraction.table_rows import TableRows
from emo_ray.extraction.wrist_windows import WristWindows
from emo_ray.features.band_features import BandFeatures
from emo_ray.features.differential_entropy import EEG_BANDS
from emo_ray.signals.eeg_cleaning import EegCleaning
from emo_ray.signals.electrodes import SJTU62
from emo_ray.signals.filters import Band

AnyExtraction = Annotated[
    AmigosPublished
    | AmigosTokens
    | RawTokens
    | SampleWindows
    | SignalWindows
    | StftTokens
    | TableRows
    | WristWindows,
    Field(discriminator="kind"),
]

EXTRACTIONS: Mapping[str, type[ExtractionConfig]] = {
    "amigos_published": AmigosPublished,
    "amigos_tokens": AmigosTokens,
    "raw_tokens": RawTokens,
    "sample_windows": SampleWindows,
    "signal_windows": SignalWindows,
    "stft_tokens": StftTokens,
    "table_rows": TableRows,
    "wrist_windows": WristWindows,
}

Maker = Callable[
    [CorpusConfig], AmigosTokens | RawTokens | SignalWindows | StftTokens | TableRows | WristWindows
]

EEGMAT_BANDS = {
    "delta": Band(1, 4),
    "theta": Band(4, 8),
    "alpha": Band(8, 13),
    "beta": Band(13, 30),
    "gamma": Band(30, 44),
}
AS_SEED_VII = EegCleaning(low_hz=0.1, high_hz=70.0, notch_hz=50.0, sfreq=200.0)
"""What the makers of SEED-VII did to their recordings of 1000 Hz before they took band features."""

AS_DEAP = EegCleaning(low_hz=4.0, high_hz=45.0, sfreq=128.0, reference="average")
"""What the makers of DEAP did to theirs of 512 Hz, but for the eyes."""

RAW_CONTENTS = ("raw", "cnt")
"""What readers call signals; whatever else they name are features that were shipped."""

CLIP_S = 240  # most clips of the SEED family end before
TOKEN_S = 4.0  # the feature windows of the SEED family, but for SEED's own of 1 s


def _amigos(corpus: CorpusConfig) -> AmigosTokens:
    return AmigosTokens()


def _wrist(corpus: CorpusConfig) -> WristWindows:
    return WristWindows()


def _fake(corpus: CorpusConfig) -> RawTokens:
    return RawTokens()


def _table(corpus: CorpusConfig) -> TableRows:
    return TableRows()


def _ten_seconds(corpus: CorpusConfig) -> SignalWindows:
    return SignalWindows()


def _minute(corpus: CorpusConfig) -> SignalWindows:
    """As of the wrist: heart rate variability and skin conductance need about a minute."""
    return SignalWindows(segment_s=60.0, hop_s=30.0)


def _deap(corpus: CorpusConfig) -> SignalWindows:
    """Bands inside 4 to 45 Hz, which is all that the preprocessed files hold."""
    cleaning = AS_DEAP if _content(corpus) == "raw" else EegCleaning()
    return SignalWindows(eeg=BandFeatures(bands=dict(EEG_BANDS)), cleaning=cleaning)


def _eegmat(corpus: CorpusConfig) -> SignalWindows:
    """As the reference numbers of that corpus were made; its files were filtered in two ways."""
    return SignalWindows(
        hop_s=5.0,
        eeg=BandFeatures(mode="filtered", quantity="log_power", bands=EEGMAT_BANDS),
        cleaning=EegCleaning(low_hz=0.5, high_hz=45.0),
    )


def _clips(as_recorded: str) -> Maker:
    """Whole clips, of shipped features or of 4 s of signal a token; ``as_recorded`` is not filtered yet."""

    def make(corpus: CorpusConfig) -> RawTokens | SignalWindows:
        content = _content(corpus)
        if content in RAW_CONTENTS:
            cleaning = AS_SEED_VII if content == as_recorded else EegCleaning()
            return SignalWindows(
                segment_s=None, token_s=TOKEN_S, max_tokens=round(CLIP_S / TOKEN_S), cleaning=cleaning
            )
        window_s = float(getattr(corpus, "window_s", TOKEN_S))
        return RawTokens(whole=True, n_tokens=round(CLIP_S / window_s))

    return make


def _multi(corpus: CorpusConfig) -> StftTokens:
    """Spectra of all data sets on one grid and one list of electrodes, filtered as DEAP already is."""
    return StftTokens(electrodes=SJTU62, cleaning=AS_DEAP)


def _driving(corpus: CorpusConfig) -> RawTokens | SignalWindows:
    """PPB-Emo: raw EEG; the recorder's band powers, about 8 a second; or rows, as the published script."""
    content = _content(corpus)
    if content in RAW_CONTENTS:
        return SignalWindows()
    return RawTokens(n_tokens=1) if content == "rows" else RawTokens(n_tokens=40)


def _content(corpus: CorpusConfig) -> str:
    """What is read of a corpus; signals, where a reader offers no choice."""
    return str(getattr(corpus, "content", "raw"))


DEFAULT_EXTRACTIONS: Mapping[str, Maker] = {
    "amigos": _amigos,
    "cl_drive": _ten_seconds,
    "deap": _deap,
    "dreamer": _ten_seconds,
    "eegmat": _eegmat,
    "empatica": _wrist,
    "fake": _fake,
    "feature_table": _table,
    "gameemo": _ten_seconds,
    "multi": _multi,
    "phyfusionnet_table": _driving,
    "ppb_emo": _driving,
    "seed": _clips("cnt"),
    "seed_iv": _clips("cnt"),
    "seed_v": _clips("raw"),
    "seed_vii": _clips("cnt"),
    "wesad": _minute,
}
"""By kind of corpus: what makes its extraction, which may depend on what is read of it."""


def default_extraction(corpus: CorpusConfig) -> ExtractionConfig:
    """The extraction made for a kind of corpus and what is read of it.

    Raises
    ------
    ConfigError : nobody has said which extraction suits that kind
    """
    if corpus.kind not in DEFAULT_EXTRACTIONS:
        raise ConfigError(
            f"corpus kind {corpus.kind!r} has no default extraction: name one of {', '.join(EXTRACTIONS)}"
        )
    return DEFAULT_EXTRACTIONS[corpus.kind](corpus)
