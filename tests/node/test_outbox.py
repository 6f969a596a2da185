"""Letters that wait for the disk."""

import pytest

from paxon.core.decree import Ballot, NodeId, Slot
from paxon.core.effects import NOTHING, Letter
from paxon.core.messages import Voted
from paxon.errors import InvariantViolation
from paxon.node.outbox import Outbox


def letter(number: int, after: int = NOTHING) -> Letter:
    return Letter(NodeId(2), Voted(Ballot(1, NodeId(2)), Slot(number)), after)


def test_a_letter_that_depends_on_nothing_leaves_at_once() -> None:
    outbox = Outbox(0)
    assert outbox.offer([letter(1), letter(2)]) == [letter(1), letter(2)]
    assert not outbox.is_waiting


def test_a_letter_waits_for_exactly_its_line() -> None:
    outbox = Outbox(3)
    assert outbox.offer([letter(1, after=5)]) == []
    assert outbox.is_waiting
    assert outbox.release(4) == []
    assert outbox.is_waiting
    assert outbox.release(5) == [letter(1, after=5)]
    assert not outbox.is_waiting


def test_what_was_replayed_from_the_disk_is_durable_already() -> None:
    outbox = Outbox(7)
    assert outbox.offer([letter(1, after=7)]) == [letter(1, after=7)]


def test_letters_of_one_step_part_by_what_they_wait_for() -> None:
    outbox = Outbox(0)
    free = outbox.offer([letter(1, after=1), letter(2), letter(3, after=2)])
    assert free == [letter(2)]
    assert outbox.release(1) == [letter(1, after=1)]
    assert outbox.release(2) == [letter(3, after=2)]


def test_one_sync_releases_everything_it_covers_in_the_order_it_was_written() -> None:
    outbox = Outbox(0)
    waiting = [letter(number, after=number) for number in range(1, 6)]
    assert outbox.offer(waiting) == []
    assert outbox.release(4) == waiting[:4]
    assert outbox.release(5) == waiting[4:]


def test_a_durable_line_is_remembered_for_letters_that_come_later() -> None:
    outbox = Outbox(0)
    outbox.release(9)
    assert outbox.offer([letter(1, after=9)]) == [letter(1, after=9)]
    assert outbox.offer([letter(2, after=10)]) == []


def test_what_is_durable_cannot_become_less() -> None:
    outbox = Outbox(4)
    with pytest.raises(InvariantViolation, match="stays durable"):
        outbox.release(3)


def test_letters_out_of_the_order_of_their_lines_are_our_bug() -> None:
    outbox = Outbox(0)
    outbox.offer([letter(1, after=2)])
    with pytest.raises(InvariantViolation, match="rising lines"):
        outbox.offer([letter(2, after=1)])
