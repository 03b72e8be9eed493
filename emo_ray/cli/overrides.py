"""Dotted overrides of fields: FIELD=VALUE on the command line."""

from collections.abc import Sequence
from typing import Any

import yaml

from emo_ray.errors import ConfigError


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Values by dotted name of a field, read as YAML.

    Raises
    ------
    ConfigError : one that is not FIELD=VALUE
    """
    settings: dict[str, Any] = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or not name:
            raise ConfigError(f"{override!r} is not FIELD=VALUE, as in training.batch_size=32")
        settings[name] = parse_value(text, override)
    return settings


def parse_value(text: str, source: str) -> Any:
    """What a piece of YAML on the command line means.

    Raises
    ------
    ConfigError : it means nothing; ``source`` is what the user has typed
    """
    try:
        # YAML 1.1 takes "1e-3" for text; the field's type makes a number of it.
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{source!r}: {text!r} is not a value ({str(error).splitlines()[0]})") from error
