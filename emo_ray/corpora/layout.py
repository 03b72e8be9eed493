"""Layout files: a YAML that names the columns, units and labels of a user's own data, in place of code."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from emo_ray.config_errors import explain, suggestion
from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.registry import CORPORA
from emo_ray.errors import ConfigError

MAX_LAYOUT_BYTES = 2**20  # a layout has a page; what is larger is a table given by mistake


def read_layout(path: Path) -> CorpusConfig:
    """The corpus that a layout file describes; a relative ``path`` in it starts from the file's folder.

    Raises
    ------
    ConfigError : no such file, no YAML, or a layout with unknown keys or wrong values (all named at once)
    """
    content = _mapping(path)
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in CORPORA:
        given = "is missing" if kind is None else f"is {kind!r}"
        raise ConfigError(f"{path}: kind {given}; {suggestion(str(kind), list(CORPORA))}")
    place = content.get("path")
    if isinstance(place, str):
        content = content | {"path": path.parent / Path(place).expanduser()}
    try:
        return CORPORA[kind].model_validate(content)
    except ValidationError as error:
        raise ConfigError(explain(error, CORPORA[kind], str(path))) from error


def _mapping(path: Path) -> dict[str, Any]:
    content = _yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds no keys; the least is 'kind: feature_table' and 'path: table.csv'")
    wrong = [repr(key) for key in content if not isinstance(key, str)]
    if wrong:
        raise ConfigError(f"{path}: {', '.join(wrong)} are no names of keys; put them in quotes")
    return content


def _yaml(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_LAYOUT_BYTES:
            raise ConfigError(
                f"{path}: too large for a layout; is it the table itself? Then give it without a layout"
            )
        # safe: plain values only, no Python objects; sig: Windows editors begin a file with a mark
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"{path}: can not be read ({error.strerror or error}); see docs/your_own_data.md"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8; save it as UTF-8") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: PyYAML lets impossible dates (2024-13-45) through as such
        raise ConfigError(f"{path}: is no YAML ({' '.join(str(error).split())}); indent by spaces") from error
