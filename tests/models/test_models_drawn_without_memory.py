"""Settings of a final model are drawn without memory before its weights are read: all models allow it."""

import pytest
import torch
from model_rows import ROWS


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_model_can_be_drawn_without_memory(row):
    with torch.device("meta"):
        drawn = row.config.build(row.shape).state_dict()
    made = row.config.build(row.shape).state_dict()
    assert {name: tuple(weight.shape) for name, weight in drawn.items()} == {
        name: tuple(weight.shape) for name, weight in made.items()
    }
