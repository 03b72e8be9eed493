"""What an engine works on: something that hands out work, and takes what comes of it."""

from typing import Protocol, runtime_checkable

from emo_ray.orchestration.work import Item, Work


@runtime_checkable
class Source(Protocol):
    """Where work comes from and results go; lives in the driver, and one thread calls it."""

    @property
    def n_ahead(self) -> int:
        """So many pieces of work may wait beside those that run: they start sooner, and know less."""

    def is_over(self) -> bool:
        """Whether no work will come any more."""

    def next(self) -> Work | None:
        """The next piece of work; None where none can start now."""

    def started(self, name: str) -> None:
        """Work has started."""

    def restarted(self, name: str) -> Work | None:
        """Its worker was lost and it will start again; returns what is left of it, None for all of it."""

    def heard(self, name: str, item: Item) -> bool:
        """Something was handed in; returns whether its work should end here."""

    def ended(self, name: str) -> None:
        """Work has ended."""

    def lost(self, name: str, error: str) -> None:
        """The worker was lost more often than the policy allows."""
