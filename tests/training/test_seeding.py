"""Named streams need no state, and the process is reset whatever ran before."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from emo_ray.training.seeding import Streams, reset_process


def draw(streams, *names):
    return streams.generator(*names).random(4).tolist()


def test_a_stream_does_not_depend_on_what_was_drawn_before():
    streams = Streams(3)
    first = draw(streams, "shuffle", 5)
    draw(streams, "dropout", 5)
    assert draw(streams, "shuffle", 5) == first


def test_seed_name_and_epoch_tell_streams_apart():
    streams = Streams(3)
    seen = [
        draw(streams, "shuffle", 5),
        draw(streams, "shuffle", 6),
        draw(streams, "dropout", 5),
        draw(Streams(4), "shuffle", 5),
    ]
    assert len({tuple(numbers) for numbers in seen}) == 4


def test_a_child_is_the_same_as_its_path():
    assert draw(Streams(3).child("fold", 2), "init") == draw(Streams(3), "fold", 2, "init")
    assert draw(Streams(3, ("fold", "2")), "init") == draw(Streams(3), "fold", 2, "init")


def test_names_are_not_simply_joined():
    assert draw(Streams(3), "ab", "c") != draw(Streams(3), "a", "bc")


@given(st.integers(), st.text())
def test_integers_have_63_bits(seed, name):
    assert 0 <= Streams(seed).integer(name) < 2**63


def test_integer_is_the_same_in_every_version():
    """Worked by hand: the first 63 bits of sha256("(7, ('init',))")."""
    import hashlib

    digest = hashlib.sha256(b"(7, ('init',))").hexdigest()
    assert Streams(7).integer("init") == int(digest[:16], 16) >> 1


def test_reset_undoes_what_another_run_left_behind():
    reset_process(Streams(1))
    expected = torch.rand(3)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(False)
    torch.manual_seed(99)
    reset_process(Streams(1))
    assert torch.equal(torch.rand(3), expected)
    assert torch.is_grad_enabled()
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()


def test_reset_leaves_the_global_numpy_generator_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    reset_process(Streams(1))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
