"""Memory of a recording: in which order it is filled, what is left of what it loses, and how it is read."""

import pytest
import torch
from safetensors.torch import load, save
from torch.testing import assert_close

from emo_ray.models.base import RowFacts
from emo_ray.models.memory_stream import MemoryState, MemoryStream, state_from

WIDTH, SLOTS = 6, 3
CPU = torch.device("cpu")


def memory(gamma=0.75, seed=0):
    torch.manual_seed(seed)
    return MemoryStream(WIDTH, 4, n_heads=2, n_slots=SLOTS, gamma=gamma)


def summaries(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None].expand(-1, WIDTH)


def written(model, *steps, present=None):
    """Memory of as many rows as a step has values, each a summary of that value."""
    state = model.start(None, len(steps[0]), CPU)
    for values in steps:
        rows = torch.ones(len(values), dtype=torch.bool) if present is None else present
        state = model.write(state, summaries(*values), rows)
    return state


def test_entries_stand_in_their_order_the_newest_last():
    state = written(memory(), [1.0], [2.0])
    assert state.queue[0, :, 0].tolist() == [0.0, 1.0, 2.0]
    assert state.valid.tolist() == [[False, True, True]]
    assert state.age.tolist() == [[0, 1, 0]]
    assert state.slow_valid.tolist() == [False]


def test_the_first_entry_that_a_full_memory_loses_fills_the_slow_slot():
    state = written(memory(), [1.0], [2.0], [3.0], [4.0])
    assert state.queue[0, :, 0].tolist() == [2.0, 3.0, 4.0]
    assert state.age.tolist() == [[2, 1, 0]]
    assert (state.slow[0, 0].item(), state.slow_valid.tolist()) == (1.0, [True])


def test_the_slow_slot_is_a_decaying_mean_of_what_is_lost():
    state = written(memory(gamma=0.75), *[[value] for value in (1.0, 5.0, 9.0, 0.0, 0.0, 0.0)])
    # 1, then 0.75 * 1 + 0.25 * 5 = 2, then 0.75 * 2 + 0.25 * 9 = 3.75
    assert_close(state.slow, torch.full((1, WIDTH), 3.75))


def test_a_row_without_valid_tokens_leaves_its_memory_as_it_is():
    model = memory()
    before = written(model, [1.0, 2.0], [3.0, 4.0])
    after = model.write(before, summaries(7.0, 8.0), torch.tensor([False, True]))
    assert after.queue[:, :, 0].tolist() == [[0.0, 1.0, 3.0], [2.0, 4.0, 8.0]]
    assert after.age.tolist() == [[0, 1, 0], [2, 1, 0]]


def test_a_row_that_starts_anew_forgets_and_its_neighbours_do_not():
    model = memory()
    before = written(model, [1.0, 2.0, 3.0], *[[4.0, 5.0, 6.0]] * 4)
    reset = torch.tensor([False, True, False])
    after = model.start(RowFacts(torch.arange(3), before.named(), reset), 3, CPU)
    fresh = MemoryState.empty(3, SLOTS, WIDTH, CPU)
    for name, tensor in after.named().items():
        assert torch.equal(tensor[[0, 2]], before.named()[name][[0, 2]]), name
        assert torch.equal(tensor[1], fresh.named()[name][1]), name


def test_a_memory_survives_being_saved():
    model = memory()
    state = written(model, *[[1.0, 2.0]] * 5)
    again = state_from(load(save(state.named())))
    x = torch.randn(2, 4, WIDTH, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model.read(x, again), model.read(x, state))


def test_what_is_no_memory_is_refused():
    with pytest.raises(ValueError, match=r"needs \['age', 'queue', .* got \['queue'\]"):
        state_from({"queue": torch.zeros(1, SLOTS, WIDTH)})


def test_an_empty_memory_adds_the_same_to_every_token():
    model = memory()
    added = model.read(torch.randn(2, 4, WIDTH), model.start(None, 2, CPU))
    _, value = model.key_value(model.nothing).chunk(2)
    assert_close(added, model.out(value).expand(2, 4, WIDTH))


def test_a_newer_entry_is_looked_at_more_by_the_decay_of_its_age():
    model = memory(gamma=0.5)
    for part in (model.query, model.key_value):
        torch.nn.init.zeros_(part.weight)
        torch.nn.init.zeros_(part.bias)
    with torch.no_grad():
        model.key_value.bias[WIDTH:] = 0.0
        model.key_value.weight[WIDTH:, 0] = 1.0  # values tell the first unit of an entry
    state = written(model, *[[float(value)] for value in (5, 1, 9, 4, 2)])
    entries, ages, valid = model._slots(state)
    assert (ages.tolist(), valid.tolist()) == ([[3, 2, 1, 0, 0]], [[True] * 5])
    weights = torch.tensor([1 / 8, 1 / 4, 1 / 2, 1.0, 1.0])  # the slow slot first, the one for nothing last
    expected = (weights / weights.sum()) @ entries[0, :, 0]
    seen = model.read(torch.randn(1, 1, WIDTH), state)
    assert_close(seen[0, 0], model.out(expected.expand(WIDTH)))


def test_empty_slots_are_not_looked_at():
    model = memory()
    state = written(model, [1.0])
    x = torch.randn(1, 2, WIDTH, generator=torch.Generator().manual_seed(0))
    loud = MemoryState(**(state.named() | {"age": state.age + torch.tensor([[9, 9, 0]])}))
    assert torch.equal(model.read(x, loud), model.read(x, state))


def test_what_is_written_has_no_gradient_and_what_is_read_has():
    model = memory()
    summary = torch.randn(1, WIDTH, requires_grad=True)
    state = model.write(model.start(None, 1, CPU), summary, torch.tensor([True]))
    state = model.write(state, 2 * summary, torch.tensor([True]))
    assert not any(tensor.requires_grad for tensor in state.named().values())
    model.read(torch.randn(1, 2, WIDTH), state).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())
