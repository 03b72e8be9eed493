"""All extractions by kind, and which one a corpus takes unless told otherwise."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from emo_ray.corpora.base import CorpusConfig
from emo_ray.errors import ConfigError
from emo_ray.extraction.amigos_tokens import AmigosTokens
from emo_ray.extraction.base import ExtractionConfig
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.extraction.table_rows import TableRows
from emo_ray.extraction.wrist_windows import WristWindows

AnyExtraction = Annotated[AmigosTokens | RawTokens | TableRows | WristWindows, Field(discriminator="kind")]

EXTRACTIONS: Mapping[str, type[ExtractionConfig]] = {
    "amigos_tokens": AmigosTokens,
    "raw_tokens": RawTokens,
    "table_rows": TableRows,
    "wrist_windows": WristWindows,
}

DEFAULT_EXTRACTIONS: Mapping[str, type[AmigosTokens | RawTokens | TableRows | WristWindows]] = {
    "amigos": AmigosTokens,
    "empatica": WristWindows,
    "fake": RawTokens,
    "feature_table": TableRows,
}


def default_extraction(corpus: CorpusConfig) -> ExtractionConfig:
    """The extraction made for a kind of corpus, with its default settings.

    Raises
    ------
    ConfigError : nobody has said which extraction suits that kind
    """
    if corpus.kind not in DEFAULT_EXTRACTIONS:
        raise ConfigError(
            f"corpus kind {corpus.kind!r} has no default extraction: name one of {', '.join(EXTRACTIONS)}"
        )
    return DEFAULT_EXTRACTIONS[corpus.kind]()
