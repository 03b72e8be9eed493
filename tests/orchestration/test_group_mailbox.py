"""The mailbox of groups, and what a run may ask for: no cluster needed."""

import pytest
from pydantic import ValidationError

from emo_ray.orchestration.group_mailbox import NOTHING_YET, OVER, GroupMailbox
from emo_ray.orchestration.resources import Resources


@pytest.fixture
def mailbox():
    box = GroupMailbox()
    box.assign("first", b"1")
    box.assign("second", b"2")
    return box


def test_groups_take_different_work_and_hear_when_it_is_over(mailbox):
    assert [mailbox.take(0), mailbox.take(1), mailbox.take(2)] == [("first", 1), ("second", 1), NOTHING_YET]
    mailbox.hand_in(1, b"result")
    mailbox.close()
    assert mailbox.take(1) == OVER
    assert mailbox.news() == [
        ("started", "first", b""),
        ("started", "second", b""),
        ("ended", "second", b"result"),
    ]
    assert mailbox.news() == []


def test_a_group_that_was_started_anew_gets_its_work_again_once(mailbox):
    assert [mailbox.take(0), mailbox.take(0)] == [("first", 1), ("first", 2)]
    assert mailbox.content("first") == b"1"
    assert mailbox.take(0) == ("second", 1)
    assert [event[:2] for event in mailbox.news()] == [
        ("started", "first"),
        ("restarted", "first"),
        ("lost", "first"),
        ("started", "second"),
    ]


def test_work_that_was_handed_in_is_not_done_again(mailbox):
    mailbox.take(0)
    mailbox.hand_in(0, b"result")
    assert mailbox.take(0) == ("second", 1)
    assert mailbox.n_taken(0) == 2


def test_what_a_group_holds_that_gives_up_goes_to_another(mailbox):
    mailbox.take(0)
    mailbox.give_up(0)
    assert mailbox.take(1) == ("first", 2)
    assert [event[0] for event in mailbox.news()] == ["started", "given back", "started"]
    mailbox.give_up(1)  # lost with two groups: enough
    mailbox.give_up(2)  # held nothing
    assert [event[:2] for event in mailbox.news()] == [("lost", "first")]
    assert mailbox.take(2) == ("second", 1)


def test_workers_of_one_run_can_not_share_a_gpu():
    with pytest.raises(ValidationError, match="workers_per_run=2 needs whole GPUs"):
        Resources(workers_per_run=2, gpus_per_run=0.5)
    assert Resources(workers_per_run=2, gpus_per_run=1).device == "cuda"
    assert Resources(gpus_per_run=0.5).workers_per_run == 1
