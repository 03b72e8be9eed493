"""Search spaces: short forms, conditions, grids, and every way in which a space can be wrong."""

import itertools
import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError

from emo_ray.errors import ConfigError
from emo_ray.space import (
    Choice,
    Integer,
    LogUniform,
    SearchSpace,
    Uniform,
    feature_space,
    parse_space,
)

TWO_MODELS = """
model.kind: [lstm, mlp]
model.pool: {choice: [last, mean], when: {model.kind: lstm}}
model.heads: {int: [2, 6], step: 2, when: {model.pool: [mean]}}
model.hidden: {choice: [[32], [64, 32]], when: {model.kind: [mlp]}}
"""


def space(text, source="x.yaml"):
    return parse_space(yaml.safe_load(text), source)


def told(text):
    with pytest.raises(ConfigError) as error:
        space(text)
    return str(error.value).split("\n")


@pytest.mark.parametrize(
    ("form", "dimension"),
    [
        ("{log: [1e-4, 3e-3]}", LogUniform(low=0.0001, high=0.003)),
        ("{uniform: [0, 0.6]}", Uniform(low=0.0, high=0.6)),
        ("{int: [1, 8]}", Integer(low=1, high=8)),
        ("{int: [1, 9], step: 4}", Integer(low=1, high=9, step=4)),
        ("{choice: [a, b]}", Choice(choices=("a", "b"))),
        ("[no, yes]", Choice(choices=(False, True))),
        ("[1e-3, 1E2, 1e]", Choice(choices=(0.001, 100.0, "1e"))),
        ("{choice: [[32], [64, 32]]}", Choice(choices=((32,), (64, 32)))),
    ],
)
def test_each_short_form_is_a_dimension(form, dimension):
    assert space(f"key: {form}").dimensions["key"] == dimension


def test_a_condition_may_name_one_value_or_several():
    text = "{a: [1, 2, 3], b: {int: [1, 2], when: {a: 1}}, c: {int: [1, 2], when: {a: [1, 2]}}}"
    dimensions = space(text).dimensions
    assert (dimensions["b"].when, dimensions["c"].when) == ({"a": (1,)}, {"a": (1, 2)})


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("{lg: [1, 2]}", "unknown form 'lg', did you mean 'log'?"),
        ("{log: [1, 2], int: [1, 2]}", "unknown form 'log', 'int', give one of choice, int, log, uniform"),
        ("{when: {a: 1}}", "unknown form (none), give one of choice, int, log, uniform"),
        ("3", "3 says not what to search: give one of choice, int, log, uniform, or a list"),
        (
            "{uniform: [0.5, 0.5]}",
            "the range is the one value 0.5: set it in the experiment, it is not searched",
        ),
        ("{uniform: [2, 1]}", "the range is empty: 2 lies above 1"),
        ("{uniform: 3}", "uniform needs a lower and an upper end, as in uniform: [1, 8], and this is 3"),
        (
            "{log: [0, 1]}",
            "a log range can not reach 0 or below, and this is 0 to 1: raise its lower end, or take uniform",
        ),
        ("{int: [1, 8], step: 3}", "steps of 3 from 1 do not end at 8: 7 is the last one it meets"),
        ("{int: [1, 8], step: 30}", "steps of 30 from 1 do not end at 8: 1 alone is left"),
        ("{uniform: [0, .inf]}", "high: input should be a finite number (it is inf)"),
        (
            "{uniform: [x, 2]}",
            "low: input should be a valid number, unable to parse string as a number (it is 'x')",
        ),
        ("{int: [true, 2]}", "low: True is no number (it is True)"),
        ("{uniform: [1, 2], step: 1}", "step does not go with uniform"),
        ("[]", "there is nothing to choose from"),
        ("[a, b, a]", "the choices hold 'a' twice: name each once"),
        ("[1, 1.0]", "the choices hold 1 and 1.0, which are equal: name each once"),
        (
            "{int: [1, 3], when: 4}",
            "when: give the key of a Choice and its values, as in {model.kind: [mlp]} (it is 4)",
        ),
    ],
)
def test_a_wrong_form_is_explained(form, problem):
    assert told(f"key: {form}") == ["x.yaml: 1 problem", f"  key: {problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{kind: [a], b: {int: [1, 2], when: {kid: a}}}",
            "b: when names 'kid', which is not searched, did you mean 'kind'?",
        ),
        (
            "{a: {int: [1, 2]}, b: {int: [1, 2], when: {a: 1}}}",
            "b: when names 'a', which is no choice (int): only a choice can decide",
        ),
        (
            "{a: [x, y], b: {int: [1, 2], when: {a: [x, z]}}}",
            "b: when asks for a = 'z', which is not offered: x, y",
        ),
        (
            "{a: [x, y], b: {int: [1, 2], when: {a: []}}}",
            "b: when names 'a' without a value of it, so it is never searched",
        ),
        (
            "{a: {choice: [x], when: {b: x}}, b: {choice: [x], when: {a: x}}}",
            "conditions go in a circle: a needs b needs a",
        ),
        ("{a: {choice: [x], when: {a: x}}}", "conditions go in a circle: a needs a"),
        (
            "{a: [1, 2], b: {choice: [3], when: {a: 1}}, c: {choice: [4], when: {a: 2, b: 3}}}",
            "c: is never searched, its conditions and theirs leave no value of a",
        ),
    ],
)
def test_a_space_that_contradicts_itself_is_refused(text, problem):
    assert told(text) == ["x.yaml: 1 problem", f"  {problem}"]


def test_all_problems_come_at_once_under_the_name_of_the_source():
    lines = told(
        "{a: {log: [0, 1]}, b: {int: [2, 1]}, c: {int: [1, 2], when: {a: 1}}, d: {int: [1, 2], when: {e: 1}}}"
    )
    assert lines[0] == "x.yaml: 3 problems"
    assert [line.strip().split(":")[0] for line in lines[1:]] == ["a", "b", "d"]


def test_a_condition_on_a_key_with_problems_is_no_second_problem():
    assert len(told("{a: {lg: [1, 2]}, b: {int: [1, 2], when: {a: 1}}}")) == 2


@pytest.mark.parametrize("content", [None, 3, ["a"], "a"])
def test_what_is_no_mapping_is_no_space(content):
    with pytest.raises(ConfigError, match="--space: a search space is a mapping from setting to values"):
        parse_space(content, "--space")


def test_a_space_made_in_python_is_checked_as_well():
    with pytest.raises(ConfigError, match="the search space: 1 problem\n  b: when names 'a'"):
        SearchSpace(dimensions={"b": Integer(low=1, high=2, when={"a": (1,)})})
    with pytest.raises(ValidationError, match="the range is empty"):
        Uniform(low=1.0, high=0.0)


def test_a_choice_holds_plain_values_only():
    with pytest.raises(ValidationError, match="is no plain value"):
        Choice(choices=(object(), 1))
    with pytest.raises(ValidationError, match="is no plain value"):
        Choice(choices=(float("nan"),))


def test_keys_come_after_those_they_depend_on_and_by_name_otherwise():
    shuffled = "{c: [1], b: {choice: [2], when: {z: 1}}, z: [1], a: {choice: [3], when: {b: 2}}}"
    assert space(shuffled).ordered() == ("c", "z", "b", "a")


def test_the_order_in_which_keys_are_given_has_no_meaning():
    items = list(space(TWO_MODELS).dimensions.items())
    orders = {SearchSpace(dimensions=dict(order)).ordered() for order in itertools.permutations(items)}
    assert len(orders) == 1


def test_a_key_counts_only_where_all_that_it_depends_on_does():
    two = space(TWO_MODELS)
    assert two.is_active("model.kind", {})
    assert two.is_active("model.heads", {"model.kind": "lstm", "model.pool": "mean"})
    assert not two.is_active("model.heads", {"model.kind": "lstm", "model.pool": "last"})
    assert not two.is_active("model.heads", {"model.kind": "mlp", "model.pool": "mean"})
    assert not two.is_active("model.pool", {})


def test_conditions_are_those_of_the_whole_chain():
    assert space(TWO_MODELS).conditions("model.heads") == {"model.pool": ("mean",), "model.kind": ("lstm",)}


def test_the_grid_has_every_combination_that_counts_and_no_other():
    assert space(TWO_MODELS).grid() == (
        {"model.kind": "lstm", "model.pool": "last"},
        {"model.kind": "lstm", "model.pool": "mean", "model.heads": 2},
        {"model.kind": "lstm", "model.pool": "mean", "model.heads": 4},
        {"model.kind": "lstm", "model.pool": "mean", "model.heads": 6},
        {"model.kind": "mlp", "model.hidden": [32]},
        {"model.kind": "mlp", "model.hidden": [64, 32]},
    )


def test_the_size_of_a_grid_is_counted_without_making_it():
    assert space(TWO_MODELS).grid_size == 6
    assert space("{a: {int: [1, 1000000]}, b: {int: [1, 1000000]}, c: [x, y]}").grid_size == 2 * 10**12


def test_a_range_without_steps_makes_no_grid():
    with pytest.raises(ConfigError, match="b: log has no end of values"):
        space("{a: [1, 2], b: {log: [1, 2]}}").grid()


def test_what_depends_on_a_dropped_key_goes_with_it():
    left = space(TWO_MODELS).without(["model.pool", "not.there"])
    assert set(left.dimensions) == {"model.kind", "model.hidden"}


def test_the_other_space_wins_where_both_have_a_key():
    merged = space("{a: [1, 2], b: [3, 4]}").merged(space("{b: {int: [1, 9]}, c: [5, 6]}"))
    assert merged == space("{a: [1, 2], b: {int: [1, 9]}, c: [5, 6]}")


def test_a_space_survives_json():
    both = space(TWO_MODELS).merged(space("{lr: {log: [1e-4, 1e-2]}, p: {uniform: [0, 1]}}"))
    assert SearchSpace.model_validate_json(both.model_dump_json()) == both


@pytest.mark.parametrize(
    ("dimension", "inside", "outside"),
    [
        (Uniform(low=0.0, high=0.5), (0, 0.5, 0.2), (-0.1, 0.6, "0.2", True, None)),
        (LogUniform(low=0.1, high=1.0), (0.1, 1), (0.0, 2.0, False)),
        (Integer(low=2, high=6, step=2), (2, 4, 6.0), (3, 8, 4.5, "4", True)),
        (Choice(choices=("a", (1, 2))), ("a", [1, 2], (1, 2)), ("b", [1], object)),
    ],
)
def test_a_dimension_knows_its_values(dimension, inside, outside):
    assert all(dimension.contains(value) for value in inside)
    assert not any(dimension.contains(value) for value in outside)


@pytest.mark.parametrize("dimension", [Uniform(low=16.0, high=128.0), LogUniform(low=16.0, high=128.0)])
def test_examples_of_a_range_hold_a_number_that_is_not_whole(dimension):
    low, high, between = dimension.examples()
    assert (low, high) == (16.0, 128.0)
    assert low < between < high
    assert between != round(between)


def test_sensors_are_every_selection_but_none():
    choice = feature_space(["eda", "bvp"]).dimensions["modalities"]
    assert choice.choices == (["eda", "bvp"], ["eda"], ["bvp"])


def test_a_space_needs_neither_optuna_nor_torch():
    code = "import sys, emo_ray.space; assert not {'optuna', 'torch'} & set(sys.modules), 'heavy'"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
