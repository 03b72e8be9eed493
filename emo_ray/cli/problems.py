"""All that is wrong with a command, in one message."""

from collections.abc import Callable
from typing import TypeVar

from emo_ray.config_errors import problem_list
from emo_ray.errors import ConfigError, EmoRayError

T = TypeVar("T")


class Problems:
    """Collects errors of several steps, so that a user learns of all of them at once."""

    def __init__(self) -> None:
        self._errors: list[EmoRayError] = []

    def __bool__(self) -> bool:
        return bool(self._errors)

    def attempt(self, action: Callable[[], T]) -> T | None:
        """The result of a step; None, and its error kept, where it fails."""
        try:
            return action()
        except EmoRayError as error:
            self._keep(error)
            return None

    def add(self, problem: str) -> None:
        """Keep one problem that is no step's."""
        self._keep(ConfigError(problem))

    def refuse(self, source: str) -> None:
        """Raise what was kept.

        Raises
        ------
        EmoRayError : the one error there is, or a ConfigError with the problems of all
        """
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            found = [problem for error in self._errors for problem in _problems_of(str(error))]
            raise ConfigError(problem_list(source, list(dict.fromkeys(found))))

    def _keep(self, error: EmoRayError) -> None:
        # Two steps may stumble over one thing.
        if str(error) not in map(str, self._errors):
            self._errors.append(error)


def _problems_of(message: str) -> list[str]:
    """The problems that a message lists under its heading, or the message itself."""
    heading, *listed = message.split("\n")
    if listed and all(line.startswith("  ") for line in listed):
        return [line.strip() for line in listed]
    return [" ".join([heading, *(line.strip() for line in listed)])]
