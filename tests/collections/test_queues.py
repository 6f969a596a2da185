"""Queues: first in, first out; claimed by one at a time; back in front when a claim ends without an ``ack``."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from paxon.collections import work
from paxon.collections.queues import Queues
from paxon.collections.refusals import LimitReached, NoSuchLetter, NotClaimed
from paxon.collections.values import Binary, Value
from paxon.collections.work import Claim, Died, Letter, Ready, Sizes, WorkEvent
from tests.collections.desk import Desk, case_of, names
from tests.collections.work import WorkComparison, bodies


class QueuesComparison(WorkComparison[Queues]):
    def new_desk(self) -> Desk[Queues]:
        return Desk(Queues, WorkEvent)

    @rule(name=names, body=bodies, attempts_max=st.integers(0, 2))
    def puts(self, name: str, body: Value, attempts_max: int) -> None:
        self.put_in(name, self.desk.do(Queues.put, name, body, attempts_max), body, 0, attempts_max)


TestQueues = case_of(QueuesComparison)


@pytest.fixture
def desk() -> Desk[Queues]:
    """A queue with three items, numbered from 1."""
    desk = Desk(Queues, WorkEvent)
    for item in ("one", "two", "three"):
        desk.do(Queues.put, "jobs", item)
    return desk


def claim(desk: Desk[Queues], lease_ms: int = 100) -> Claim:
    """Have the first item."""
    claim = desk.do(Queues.claim, "jobs", b"ada", lease_ms)
    assert claim is not None
    return claim


def test_first_in_first_out(desk: Desk[Queues]) -> None:
    assert [claim(desk).body for _ in range(3)] == ["one", "two", "three"]
    assert desk.do(Queues.claim, "jobs", b"ada", 100) is None


def test_an_item_whose_claim_lapses_is_back_in_front_while_nobody_calls(desk: Desk[Queues]) -> None:
    first = claim(desk)
    desk.events.clear()
    desk.later(99)
    assert desk.events == []
    desk.later(1)
    assert desk.events == [("queue/jobs", Ready("jobs", first.number))]
    again = claim(desk)
    assert (again.body, again.attempt) == ("one", 2)
    assert again.token > first.token


def test_an_ack_of_a_claim_that_lapsed_takes_nothing_from_whoever_has_the_item_by_then(desk: Desk[Queues]) -> None:
    late = claim(desk)
    desk.later(100)
    present = claim(desk)
    assert present.number == late.number
    refusal = desk.refused(NotClaimed, Queues.ack, "jobs", late.number, late.token)
    assert f"item {late.number} of 'jobs' is not claimed under token {late.token}" in str(refusal)
    desk.do(Queues.ack, "jobs", present.number, present.token)
    assert desk.ask(Queues.size, "jobs") == Sizes(2, 0, 0)


def test_those_that_come_back_keep_their_order(desk: Desk[Queues]) -> None:
    first, second = claim(desk), claim(desk)
    desk.do(Queues.release, "jobs", second.number, second.token)
    desk.do(Queues.release, "jobs", first.number, first.token)
    assert [claim(desk).body for _ in range(3)] == ["one", "two", "three"]


def test_a_claim_is_prolonged_and_never_shortened(desk: Desk[Queues]) -> None:
    first = claim(desk, 300)
    assert desk.do(Queues.extend, "jobs", first.number, first.token, 10) == first.until_ms
    desk.later(200)
    assert desk.do(Queues.extend, "jobs", first.number, first.token, 300) == first.until_ms + 200


def test_after_its_last_attempt_an_item_is_a_dead_letter_that_can_be_revived_or_discarded() -> None:
    desk = Desk(Queues, WorkEvent)
    number = desk.do(Queues.put, "jobs", Binary(b"poison"), attempts_max=2)
    first = claim(desk)
    desk.do(Queues.release, "jobs", number, first.token)
    claim(desk)
    desk.later(100)
    assert desk.events[-1] == ("queue/jobs", Died("jobs", number))
    assert desk.ask(Queues.dead_letters, "jobs") == (Letter(number, Binary(b"poison"), 0, 2),)
    assert desk.do(Queues.claim, "jobs", b"ada", 100) is None
    desk.do(Queues.revive, "jobs", number)
    revived = claim(desk)
    assert revived.attempt == 1
    desk.later(100)
    claim(desk)
    desk.later(100)
    desk.do(Queues.discard, "jobs", number)
    assert "no dead letter 1" in str(desk.refused(NoSuchLetter, Queues.revive, "jobs", number))
    assert desk.ask(Queues.size, "jobs") == Sizes(0, 0, 0)


def test_dead_letters_come_page_by_page() -> None:
    desk = Desk(Queues, WorkEvent)
    numbers = [desk.do(Queues.put, "jobs", item, attempts_max=1) for item in range(5)]
    for _ in numbers:
        claim(desk)
    desk.later(100)
    first = desk.ask(Queues.dead_letters, "jobs", limit=3)
    second = desk.ask(Queues.dead_letters, "jobs", after=first[-1].number, limit=3)
    assert [letter.number for letter in (*first, *second)] == numbers
    assert len(first) == 3


def test_all_together_have_a_limit_and_dead_letters_count(desk: Desk[Queues], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ENTRIES_MAX", 3)
    desk.refused(LimitReached, Queues.put, "elsewhere", "four")
    first = claim(desk)
    desk.refused(LimitReached, Queues.put, "elsewhere", "four")
    desk.do(Queues.ack, "jobs", first.number, first.token)
    desk.do(Queues.put, "elsewhere", "four", attempts_max=1)
    desk.do(Queues.claim, "elsewhere", b"ada", 100)
    desk.later(100)
    desk.refused(LimitReached, Queues.put, "elsewhere", "five")
