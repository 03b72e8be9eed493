"""Which corpus lies in a folder: asked of every kind of corpus, by names of files alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emo_ray.config_errors import explain, suggestion
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.layout import read_layout
from emo_ray.corpora.multi import Multi
from emo_ray.corpora.registry import CORPORA
from emo_ray.errors import ConfigError

LAYOUT_SUFFIXES = (".yaml", ".yml")
NAMED = [kind for kind in CORPORA if kind != "fake"]
"""What a user may mean; the fake one is for tests."""


def corpus_at(place: Path, kind: str = "") -> CorpusConfig:
    """The corpus in a folder or file, or the one that a YAML describes.

    Parameters
    ----------
    place : folder or file
    kind : of corpus, where it is known; empty to recognise it

    Raises
    ------
    ConfigError : there is nothing, no known corpus, or more than one that it could be
    """
    if not place.exists():
        raise ConfigError(f"{place} does not exist: name the folder or file of the corpus")
    if place.suffix in LAYOUT_SUFFIXES:
        return read_layout(place)
    if kind:
        return corpus_of_kind(place, kind)
    found = recognised(place)
    if not found:
        raise ConfigError(
            f"{place} holds no corpus that is known by its names of files: name it with --corpus, one of "
            f"{', '.join(NAMED)}, or describe it in a YAML (docs/your_own_data.md)"
        )
    if len(found) > 1:
        kinds = " or ".join(corpus.kind for corpus in found)
        raise ConfigError(f"{place} could be {kinds}: say which with --corpus, or name the folder of one")
    return found[0]


def corpus_of_kind(place: Path, kind: str) -> CorpusConfig:
    """A corpus of a named kind at a place, as it is recognised there or with its default settings.

    Raises
    ------
    ConfigError : there is no such kind, or it needs to be told more than where it lies
    """
    if kind not in CORPORA:
        raise ConfigError(f"--corpus {kind!r}: {suggestion(kind, NAMED)}")
    found = CORPORA[kind].recognise(place)
    if found is not None:
        return found
    try:
        return CORPORA[kind].model_validate({"kind": kind, "path": place})
    except ValidationError as error:
        raise ConfigError(explain(error, CORPORA[kind], f"--corpus {kind}")) from error


def recognised(place: Path) -> tuple[CorpusConfig, ...]:
    """Every corpus that a folder or file could be; of data sets side by side, only all of them together."""
    found = [corpus for kind in CORPORA.values() if (corpus := kind.recognise(place)) is not None]
    within = {name for corpus in found if isinstance(corpus, Multi) for name in corpus.members}
    return tuple(corpus for corpus in found if corpus.kind not in within)


def with_settings(corpus: CorpusConfig, fields: Mapping[str, Any]) -> CorpusConfig:
    """The corpus with some of its fields set.

    Raises
    ------
    ConfigError : fields that it does not have, or values that they do not take; all at once
    """
    if not fields:
        return corpus
    try:
        return type(corpus).model_validate(corpus.model_dump() | dict(fields))
    except ValidationError as error:
        raise ConfigError(explain(error, type(corpus), f"corpus {corpus.kind}")) from error
