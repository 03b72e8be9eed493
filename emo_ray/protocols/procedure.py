"""Procedure: clean, or a published one with the flaws that it is known for. Published is never a default."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Procedure(BaseModel):
    """What a published procedure does that the clean one refuses; every field but `kind` is such a flaw.

    Rows that are split at random, whoever they belong to, are the protocol ``random_rows``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["clean", "published"] = "clean"
    test_validates: bool = Field(
        False, description="the test side chooses the epoch, the learning rate and the thresholds"
    )
    augment_first: bool = Field(
        False, description="children of all rows, tested ones included, are made before the split"
    )
    visible_padding: bool = Field(
        False, description="what is missing or behind the end of a clip is zero before scaling, not masked"
    )

    @model_validator(mode="after")
    def _flaws_are_published(self) -> "Procedure":
        flaws = [name for name in type(self).model_fields if name != "kind" and getattr(self, name)]
        if flaws and self.kind == "clean":
            raise ValueError(f"{', '.join(flaws)}: only a published procedure has it: set kind to published")
        return self
