from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emo_ray.config_errors import explain


class Circle(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["circle"] = "circle"
    radius: float = Field(description="metres", gt=0)


class Square(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["square"] = "square"
    side: float = 1.0


AnyShape = Annotated[Circle | Square, Field(discriminator="kind")]


class Drawing(BaseModel):
    model_config = ConfigDict(extra="forbid")
    shape: AnyShape
    more: tuple[AnyShape, ...] = ()
    named: Mapping[str, AnyShape] = {}
    title: str = ""


def told(content):
    with pytest.raises(ValidationError) as error:
        Drawing.model_validate(content)
    return explain(error.value, Drawing, "x.yaml").split("\n")


def test_all_problems_come_at_once_with_the_source_first():
    lines = told({"shape": {"kind": "circle", "radius": -1}, "titel": "a"})
    assert lines == [
        "x.yaml: 2 problems",
        "  shape.radius: input should be greater than 0 (it is -1)",
        "  titel: unknown key, did you mean 'title'?",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"shape": {"kind": "circle"}}, "shape.radius: is missing (metres)"),
        ({"shape": {"kind": "squar"}}, "shape.kind: unknown 'squar', did you mean 'square'?"),
        ({"shape": {"side": 1}}, "shape.kind: is missing; it says what the rest is about"),
        ({"shape": {"kind": "square", "sode": 1}}, "shape.sode: unknown key, did you mean 'side'?"),
        (
            {"shape": {"kind": "square"}, "more": [{"kind": "square", "zzz": 1}]},
            "more.0.zzz: unknown key, known are: kind, side",
        ),
        (
            {"shape": {"kind": "square"}, "named": {"b": {"kind": "circle", "radus": 1, "radius": 1}}},
            "named.b.radus: unknown key, did you mean 'radius'?",
        ),
        (3, "the whole: input should be a valid dictionary or instance of Drawing (it is 3)"),
    ],
)
def test_a_problem_has_the_key_as_the_user_writes_it(content, line):
    assert told(content) == ["x.yaml: 1 problem", f"  {line}"]
