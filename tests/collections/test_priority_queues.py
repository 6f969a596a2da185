"""Queues with priorities: the lowest first, and within one priority first in, first out."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from paxon.collections.priority_queues import PriorityQueues
from paxon.collections.values import INTEGER_MAX, Value
from paxon.collections.work import WorkEvent
from tests.collections.desk import Desk, case_of, names
from tests.collections.work import WorkComparison, bodies


class PriorityQueuesComparison(WorkComparison[PriorityQueues]):
    def new_desk(self) -> Desk[PriorityQueues]:
        return Desk(PriorityQueues, WorkEvent)

    @rule(name=names, body=bodies, priority=st.integers(-2, 2), attempts_max=st.integers(0, 2))
    def puts(self, name: str, body: Value, priority: int, attempts_max: int) -> None:
        number = self.desk.do(PriorityQueues.put, name, body, priority, attempts_max)
        self.put_in(name, number, body, priority, attempts_max)


TestPriorityQueues = case_of(PriorityQueuesComparison)


def test_the_lowest_priority_comes_first_and_an_item_comes_back_to_where_it_stood() -> None:
    desk = Desk(PriorityQueues, WorkEvent)
    for item, priority in (("b1", 5), ("c", INTEGER_MAX), ("b2", 5), ("a", -INTEGER_MAX)):
        desk.do(PriorityQueues.put, "jobs", item, priority)
    claims = [desk.do(PriorityQueues.claim, "jobs", b"ada", 100) for _ in range(2)]
    assert [claim.body for claim in claims if claim is not None] == ["a", "b1"]
    desk.later(100)
    desk.do(PriorityQueues.put, "jobs", "b0", 5)
    claims = [desk.do(PriorityQueues.claim, "jobs", b"ada", 100) for _ in range(5)]
    assert [claim.body for claim in claims if claim is not None] == ["a", "b1", "b2", "b0", "c"]
