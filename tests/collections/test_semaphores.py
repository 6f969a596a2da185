"""Semaphores: never more permits than the limit, and one limit for all who use a name together."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from paxon.collections.refusals import OtherLimit
from paxon.collections.seats import Grant, Place
from paxon.collections.semaphores import Semaphores
from tests.collections.desk import Desk, case_of, durations, names, parties
from tests.collections.seats import SeatComparison, new_desk


class SemaphoresComparison(SeatComparison[Semaphores]):
    def new_desk(self) -> Desk[Semaphores]:
        return new_desk(Semaphores)

    def fits(self, holders: list[int], mode: int) -> bool:
        return len(holders) < mode

    @rule(name=names, seeker=parties, ttl_ms=durations, wait=st.booleans(), limit=st.sampled_from([2, 2, 2, 3]))
    def seeks(self, name: str, seeker: bytes, ttl_ms: int, wait: bool, limit: int) -> None:
        room = self.rooms[name]
        if any(holder.mode != limit for holder in room.holders):
            self.desk.refused(OtherLimit, Semaphores.seek, name, seeker, ttl_ms, wait, limit)
            return
        expected = room.seek(self.now_ms, seeker, limit, ttl_ms, wait)
        result = self.desk.do(Semaphores.seek, name, seeker, ttl_ms, wait, limit)
        self.compare(name, seeker, result, expected)


TestSemaphores = case_of(SemaphoresComparison)


def test_as_many_as_the_limit_and_the_next_when_one_is_given_back() -> None:
    desk = new_desk(Semaphores)
    assert isinstance(desk.do(Semaphores.seek, "pool", b"ada", 100, True, 2), Grant)
    assert isinstance(desk.do(Semaphores.seek, "pool", b"bob", 100, True, 2), Grant)
    assert isinstance(desk.do(Semaphores.seek, "pool", b"cyd", 100, True, 2), Place)
    desk.do(Semaphores.resign, "pool", b"ada", 1)
    assert [(seat.seeker, seat.token) for seat in desk.ask(Semaphores.holders, "pool")] == [(b"bob", 2), (b"cyd", 3)]


def test_the_limit_is_kept_while_the_name_is_in_use_and_forgotten_after() -> None:
    desk = new_desk(Semaphores)
    desk.do(Semaphores.seek, "pool", b"ada", 100, True, 2)
    refusal = desk.refused(OtherLimit, Semaphores.seek, "pool", b"bob", 100, True, 3)
    assert "'pool' is in use with a limit of 2" in str(refusal)
    desk.later(100)
    assert isinstance(desk.do(Semaphores.seek, "pool", b"bob", 100, True, 3), Grant)
